"""The casework service's SQL."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

# One statement per publication: the case if it is newer, what is new of its timeline and tasks, and word to
# those who watch. Entries are taken from an older snapshot too. A task that is completed or canceled stays
# so; one that somebody holds stays with them while its case asks for it.
PUBLISH = r"""
WITH told AS MATERIALIZED (
    SELECT $1::text::jsonb AS document),
published AS (
    INSERT INTO cases (document, case_id, store_id, order_id, customer_id, kind, status, phase,
                       waiting_on, due_at, owner, sequence, opened_at, updated_at, closed_at)
    SELECT document - '{timeline,tasks}'::text[],
           $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15
      FROM told
        ON CONFLICT (case_id) DO UPDATE
       SET document = excluded.document, status = excluded.status, phase = excluded.phase,
           waiting_on = excluded.waiting_on, due_at = excluded.due_at, owner = excluded.owner,
           sequence = excluded.sequence, updated_at = excluded.updated_at, closed_at = excluded.closed_at,
           recorded_at = now(), changed_in = pg_current_xact_id()
     WHERE cases.sequence < excluded.sequence
 RETURNING case_id),
worded AS (
    INSERT INTO case_words (case_id, words)
    SELECT case_id, array_to_tsvector($16::text[]) FROM published
        ON CONFLICT (case_id) DO NOTHING),
entered AS (
    INSERT INTO timeline (case_id, entry_id, number, at, actor, what, detail)
    SELECT $2, entry_id, coalesce(substring(entry_id FROM '\d{1,9}$')::bigint, 0), at, actor, what, detail
      FROM told, jsonb_to_recordset(document -> 'timeline')
                 AS entry (entry_id text, at timestamptz, actor jsonb, what text, detail text)
        ON CONFLICT (case_id, entry_id) DO NOTHING),
asked AS (
    INSERT INTO tasks (task_id, store_id, case_id, queue, kind, title, due_at, outcomes, context,
                       state, assignee, outcome, sequence)
    SELECT task_id, $3, $2, queue, kind, title, due_at, outcomes, context,
           CASE WHEN state = 'claimed' THEN 'open' ELSE state END, completed_by ->> 'actor_id', outcome, $12
      FROM told, jsonb_to_recordset(document -> 'tasks')
                 AS task (task_id text, queue text, kind text, title text, due_at timestamptz, outcomes jsonb,
                          context jsonb, state text, completed_by jsonb, outcome text)
        ON CONFLICT (task_id) DO UPDATE
       SET queue = excluded.queue, title = excluded.title, due_at = excluded.due_at,
           outcomes = excluded.outcomes, context = excluded.context, outcome = excluded.outcome,
           state = CASE WHEN excluded.state = 'open' THEN tasks.state ELSE excluded.state END,
           assignee = CASE WHEN excluded.state = 'open' THEN tasks.assignee ELSE excluded.assignee END,
           claimed_until = CASE WHEN excluded.state = 'open' THEN tasks.claimed_until END,
           sequence = excluded.sequence
     WHERE tasks.state IN ('open', 'claimed') AND tasks.sequence < excluded.sequence),
noticed AS (
    SELECT pg_notify('cases', case_id) FROM published)
SELECT EXISTS (SELECT FROM noticed) OR EXISTS (SELECT FROM cases WHERE case_id = $2 AND sequence = $12)
"""
FIND_CASE = """
SELECT document::text AS document
  FROM cases
 WHERE case_id = $2 AND ($1 = '' OR store_id = $1)
"""
NEWER_CASE = """
SELECT sequence, document::text AS document
  FROM cases
 WHERE store_id = $1 AND case_id = $2 AND sequence > $3
"""
LIST_CASES = """
SELECT c.case_id, c.recorded_at, c.document::text AS document
  FROM cases c
 WHERE {conditions}
 ORDER BY c.recorded_at DESC, c.case_id DESC
 LIMIT $1
"""
CASE_CONDITIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "store_id": "c.store_id = {}",
        "order_id": "c.order_id = {}",
        "customer_id": "c.customer_id = {}",
        "kind": "c.kind = {}",
        "status": "c.status = {}",
        "phase": "c.phase = {}",
        "waiting_on": "c.waiting_on = {}",
        "owner": "c.owner = {}",
        "due_before": "c.due_at < {}",
        "words": "c.case_id IN (SELECT w.case_id FROM case_words w WHERE w.words @@ {}::text::tsquery)",
        "after": "(c.recorded_at, c.case_id) < ({}, {})",
    }
)
# Transactions commit in another order than they began. What is below the oldest one still running is
# complete: nothing can appear there any more, so a reader that stops there passes over nothing. There is
# always a row, for ``complete_below`` is worth knowing also where nothing has changed.
LIST_CHANGES = """
SELECT changed.changed_in::text AS changed_in, changed.case_id, changed.document,
       oldest_running::text AS complete_below
  FROM pg_snapshot_xmin(pg_current_snapshot()) AS oldest_running
  LEFT JOIN LATERAL (
       SELECT changed_in, case_id, document::text AS document
         FROM cases
        WHERE (changed_in, case_id) > ($1::text::xid8, $2)
          AND changed_in < oldest_running
          AND ($3 = '' OR store_id = $3)
        ORDER BY changed_in, case_id
        LIMIT $4) AS changed ON true
 ORDER BY changed.changed_in, changed.case_id
"""
LIST_TIMELINE = """
SELECT t.entry_id, t.at, t.actor, t.what, t.detail
  FROM cases c
  LEFT JOIN timeline t USING (case_id)
 WHERE c.store_id = $1 AND c.case_id = $2
 ORDER BY t.number, t.at, t.entry_id
"""

# A claim that has lapsed is none.
TASK_COLUMNS = """
       t.task_id, t.store_id, t.case_id, t.queue, t.kind, t.title, t.due_at, t.outcomes, t.context, t.outcome,
       CASE WHEN t.claimed_until <= now() THEN 'open' ELSE t.state END AS state,
       CASE WHEN t.claimed_until <= now() THEN NULL ELSE t.assignee END AS assignee
"""
OPEN_TASK = """
INSERT INTO tasks (task_id, store_id, case_id, queue, kind, title, due_at, outcomes, context, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'open')
    ON CONFLICT (task_id) DO NOTHING
RETURNING 1
"""
FIND_TASK = f"SELECT {TASK_COLUMNS} FROM tasks t WHERE t.store_id = $1 AND t.task_id = $2"  # noqa: S608
# The row lock makes those who want the same task wait for each other, so that exactly one gets it.
LOCK_TASK = f"{FIND_TASK} FOR UPDATE"
CHANGE_TASK = """
UPDATE tasks
   SET state = $2, assignee = $3, outcome = $4, note = $5, claimed_until = now() + $6::interval
 WHERE task_id = $1
"""
LIST_TASKS = f"""
SELECT {TASK_COLUMNS}
  FROM tasks t
 WHERE {{conditions}}
 ORDER BY t.due_at, t.task_id
 LIMIT $1
"""  # noqa: S608 — a constant of this module
TASK_CONDITIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "store_id": "t.store_id = {}",
        "queue": "t.queue = {}",
        "assignee": "t.assignee = {} AND (t.claimed_until IS NULL OR t.claimed_until > now())",
        "case_id": "t.case_id = {}",
        "due_before": "t.due_at < {}",
        "live": "t.state IN ('open', 'claimed')",
        "open": "t.state IN ('open', 'claimed') AND (t.state = 'open' OR t.claimed_until <= now())",
        "claimed": "t.state = 'claimed' AND t.claimed_until > now()",
        "completed": "t.state = 'completed'",
        "canceled": "t.state = 'canceled'",
        "after": "(t.due_at, t.task_id) > ({}, {})",
    }
)

EVIDENCE_COLUMNS = "evidence_id, store_id, case_id, kind, content_type, sha256, size_bytes, added_at"
# A repeat is admitted whatever became of the case; a case that the register has not got yet is not closed.
ADMITS_EVIDENCE = """
SELECT NOT EXISTS (SELECT FROM cases WHERE store_id = $1 AND case_id = $2 AND status = 'closed')
       OR EXISTS (SELECT FROM evidence WHERE evidence_id = $3)
"""
# The update of a repeat changes nothing; it is there because a conflict that does nothing returns nothing.
KEEP_EVIDENCE = f"""
INSERT INTO evidence ({EVIDENCE_COLUMNS})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (evidence_id) DO UPDATE SET evidence_id = excluded.evidence_id
RETURNING {EVIDENCE_COLUMNS}
"""  # noqa: S608 — constants of this module
FIND_EVIDENCE = f"""
SELECT {EVIDENCE_COLUMNS}
  FROM evidence
 WHERE store_id = $1 AND evidence_id = $2
"""  # noqa: S608 — a constant of this module

# A policy's versions are all of one store, or all of every store.
PUT_POLICY = """
INSERT INTO policies (policy_id, version, store_id, countries, is_fallback, valid_from, document)
SELECT $1, $2, $3, $4, $5, $6, $7::text::jsonb
 WHERE NOT EXISTS (SELECT FROM policies WHERE policy_id = $1 AND store_id <> $3)
    ON CONFLICT (policy_id, version) DO NOTHING
RETURNING 1
"""
FIND_POLICY = """
SELECT store_id, document::text AS document
  FROM policies
 WHERE policy_id = $1 AND version = $2
"""
# The newest version in force then of each policy that may hold there: those that name the country before
# fallbacks, a store's own before everybody's, those for few countries before those for many.
POLICIES_FOR = """
SELECT document::text AS document
  FROM (SELECT DISTINCT ON (policy_id) policy_id, store_id, countries, is_fallback, document
          FROM policies
         WHERE store_id IN ($1, '') AND (valid_from IS NULL OR valid_from <= $3)
         ORDER BY policy_id, version DESC) AS in_force
 WHERE $2 = ANY (countries) OR is_fallback
 ORDER BY $2 = ANY (countries) DESC, store_id = '', cardinality(countries), policy_id
"""


def narrowed(
    query: str, conditions: Mapping[str, str], given: Mapping[str, Sequence[object]], limit: int
) -> tuple[str, list[object]]:
    """Return ``query`` with the conditions that are ``given``, and its arguments.

    Conditions that do not apply are left out instead of being made true: each combination is planned for
    itself, and finds its own index.
    """
    arguments: list[object] = [limit]
    parts = []
    for name, values in given.items():
        places = [f"${len(arguments) + offset}" for offset in range(1, len(values) + 1)]
        parts.append(conditions[name].format(*places))
        arguments.extend(values)
    return query.format(conditions="\n   AND ".join(parts) or "true"), arguments

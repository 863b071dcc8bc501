"""The service's SQL: every statement is valid, and no list reads a whole table."""

import itertools
import json
import string

import pytest

from services.casework import queries
from services.casework.words import query_for
from tests.builders import NOW

FRAGMENTS = {"TASK_COLUMNS", "EVIDENCE_COLUMNS"}
WHOLE = {
    name: value
    for name, value in vars(queries).items()
    if name.isupper() and isinstance(value, str) and name not in FRAGMENTS
}
CASE_VALUES = {
    "store_id": ("store-1",),
    "order_id": ("order-7",),
    "customer_id": ("customer-7",),
    "kind": ("return",),
    "status": ("closed",),
    "phase": ("phase-7",),
    "waiting_on": ("bank",),
    "owner": ("agent-7",),
    "due_before": (NOW,),
    "words": (query_for("500123"),),
    "after": (NOW, "RT-7"),
}
TASK_VALUES = {
    "store_id": ("store-1",),
    "queue": ("queue-7",),
    "assignee": ("agent-7",),
    "case_id": ("RT-7",),
    "due_before": (NOW,),
    "after": (NOW, "task-7"),
}
TASK_STATES = ("live", "open", "claimed", "completed", "canceled")
# As many as make reading all of them dearer than using an index; one store of many.
FILL = (
    """
INSERT INTO cases (case_id, store_id, order_id, customer_id, kind, status, phase, waiting_on, due_at, owner,
                   sequence, document, opened_at, updated_at, recorded_at)
SELECT 'RT-' || n, 'store-' || n % 10, 'order-' || n / 2, 'customer-' || n / 5, 'return',
       CASE WHEN n % 20 = 0 THEN 'open' ELSE 'closed' END, 'phase-' || n % 50,
       CASE WHEN n % 20 = 0 THEN 'customer' END,
       CASE WHEN n % 20 = 0 THEN now() + n * interval '1 minute' END,
       CASE WHEN n % 3 = 0 THEN 'agent-' || n % 300 END, 1, '{}', now(), now(),
       now() - n * interval '1 minute'
  FROM generate_series(1, 20000) AS n
""",
    """
INSERT INTO case_words (case_id, words)
SELECT 'RT-' || n, array_to_tsvector(ARRAY['rt', left(md5(n::text), 4), (500000 + n / 2)::text, 'broken'])
  FROM generate_series(1, 20000) AS n
""",
    """
INSERT INTO timeline (case_id, entry_id, number, at, actor, what, detail)
SELECT case_id, case_id || '/' || n, n, now(), '{}', 'done', '' FROM cases, generate_series(1, 2) AS n
""",
    """
INSERT INTO tasks (task_id, store_id, case_id, queue, kind, title, due_at, outcomes, context, state, assignee,
                   claimed_until)
SELECT 'task-' || n, 'store-' || n % 10, 'RT-' || n, 'queue-' || n % 30, 'review', 'Decide',
       now() + n * interval '1 minute', '[]', '{}',
       CASE WHEN n % 20 = 0 THEN 'open' WHEN n % 20 = 1 THEN 'claimed' WHEN n % 20 = 2 THEN 'canceled'
            ELSE 'completed' END,
       CASE WHEN n % 20 NOT IN (0, 2) THEN 'agent-' || n % 300 END,
       CASE WHEN n % 20 = 1 THEN now() + interval '5 minutes' END
  FROM generate_series(1, 20000) AS n
""",
    # As autovacuum does sooner or later; before, new words wait in a list that is read from end to end.
    "VACUUM ANALYZE",
)


@pytest.fixture
async def schema(fresh_database, database):
    """The service's tables, empty."""
    await fresh_database("casework")
    return await database("casework")


@pytest.fixture
async def full(schema):
    """The service's tables with years of work in them."""
    for statement in FILL:
        await schema.execute(statement)
    return schema


@pytest.fixture
def read_whole(full):
    """Tell which tables a statement reads from end to end."""

    def walk(node):
        yield from ([node["Relation Name"]] if node["Node Type"] == "Seq Scan" else [])
        for part in node.get("Plans", ()):
            yield from walk(part)

    async def explain(query, *arguments):
        (plan,) = json.loads(await full.fetchval(f"EXPLAIN (FORMAT json) {query}", *arguments))
        return set(walk(plan["Plan"]))

    return explain


@pytest.mark.parametrize("name", [name for name in WHOLE if "{conditions}" not in WHOLE[name]])
async def test_every_statement_is_valid(schema, name):
    """PostgreSQL can prepare it against the migrated schema."""
    assert await schema.prepare(WHOLE[name])


@pytest.mark.parametrize(
    ("query", "conditions", "values"),
    [
        (queries.LIST_CASES, queries.CASE_CONDITIONS, CASE_VALUES),
        (queries.LIST_TASKS, queries.TASK_CONDITIONS, TASK_VALUES | dict.fromkeys(TASK_STATES, ())),
    ],
    ids=["cases", "tasks"],
)
async def test_every_pair_of_conditions_is_valid(schema, query, conditions, values):
    """Each condition has a value here, and any two go together."""
    assert set(values) == set(conditions)
    for pair in itertools.combinations(values, 2):
        narrowed, arguments = queries.narrowed(query, conditions, {name: values[name] for name in pair}, 50)
        statement = await schema.prepare(narrowed)
        assert len(statement.get_parameters()) == len(arguments)


async def test_every_list_of_cases_finds_its_index(read_whole):
    """By whatever it is narrowed, from the top and from a cursor on; of one store and of all."""
    reading = {}
    for name, paged in itertools.product(CASE_VALUES, (False, True)):
        wanted = {"store_id", name, *(["after"] if paged else [])}
        given = {key: CASE_VALUES[key] for key in CASE_VALUES if key in wanted}
        query, arguments = queries.narrowed(queries.LIST_CASES, queries.CASE_CONDITIONS, given, 51)
        reading[name, paged] = await read_whole(query, *arguments)
    everywhere, arguments = queries.narrowed(
        queries.LIST_CASES, queries.CASE_CONDITIONS, {"status": ("open",)}, 51
    )
    reading["everywhere"] = await read_whole(everywhere, *arguments)

    assert {name: tables for name, tables in reading.items() if tables} == {}


async def test_every_list_of_tasks_finds_its_index(read_whole):
    """In every state, by whatever it is narrowed, from the top and from a cursor on."""
    reading = {}
    for name, state, paged in itertools.product(TASK_VALUES, TASK_STATES, (False, True)):
        wanted = {"store_id", name, *(["after"] if paged else [])}
        given = {key: TASK_VALUES[key] for key in TASK_VALUES if key in wanted} | {state: ()}
        query, arguments = queries.narrowed(queries.LIST_TASKS, queries.TASK_CONDITIONS, given, 51)
        reading[name, state, paged] = await read_whole(query, *arguments)

    assert {name: tables for name, tables in reading.items() if tables} == {}


async def test_every_other_read_finds_its_index(read_whole):
    """A case, its timeline, a task, and what has changed since."""
    reads = [
        (queries.LIST_CHANGES, ("1", "RT-7", "", 50)),
        (queries.LIST_CHANGES, ("1", "RT-7", "store-1", 50)),
        (queries.LIST_TIMELINE, ("store-7", "RT-7")),
        (queries.FIND_CASE, ("", "RT-7")),
        (queries.NEWER_CASE, ("store-7", "RT-7", 0)),
        (queries.FIND_TASK, ("store-7", "task-7")),
        (queries.LOCK_TASK, ("store-7", "task-7")),
    ]

    assert [await read_whole(query, *arguments) for query, arguments in reads] == [set()] * len(reads)


def test_every_statement_is_looked_at():
    """A template has but one gap, and each is one of the lists above."""
    gaps = {
        name: [gap for _, gap, _, _ in string.Formatter().parse(sql) if gap]
        for name, sql in WHOLE.items()
        if "{conditions}" in sql
    }

    assert gaps == {"LIST_CASES": ["conditions"], "LIST_TASKS": ["conditions"]}

"""The gateway's SQL."""

STORE_OF_KEY = "SELECT store_id FROM api_keys WHERE key_hash = $1"
# Both in one transaction: the keys of the secrets file are the ones that open, and no others.
FORGET_KEYS = "DELETE FROM api_keys WHERE NOT (key_hash = ANY($1::bytea[]))"
KEEP_KEYS = """
INSERT INTO api_keys (key_hash, store_id)
SELECT key_hash, store_id
  FROM unnest($1::bytea[], $2::text[]) AS given (key_hash, store_id)
    ON CONFLICT (key_hash) DO UPDATE SET store_id = excluded.store_id
"""

# The primary key decides which of two twins is first; the other waits for it here and finds its row.
TAKE_KEY = """
INSERT INTO idempotency_keys (store_id, caller, key, body_hash, case_id)
VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (store_id, caller, key) DO NOTHING
RETURNING 1
"""
FIND_KEY = """
SELECT k.body_hash, k.case_id, c.opened_at, c.request::text AS request
  FROM idempotency_keys k
  LEFT JOIN cases c USING (case_id)
 WHERE k.store_id = $1 AND k.caller = $2 AND k.key = $3
"""
# A key of a case is kept as long as the case: a late repeat must not open a second one.
FORGET_OLD_KEYS = "DELETE FROM idempotency_keys WHERE case_id IS NULL AND created_at < now() - $1::interval"
FORGET_CASE_KEY = """
WITH refused AS (
    DELETE FROM cases WHERE case_id = $1 AND opened_at IS NULL
 RETURNING case_id)
DELETE FROM idempotency_keys WHERE case_id IN (SELECT case_id FROM refused)
"""
INSERT_CASE = (
    "INSERT INTO cases (case_id, store_id, customer_id, request) VALUES ($1, $2, $3, $4::text::jsonb)"
)
CASE_OPENED = "UPDATE cases SET opened_at = now() WHERE case_id = $1 AND opened_at IS NULL"
FIND_CASE = """
SELECT store_id, customer_id, request::text AS request
  FROM cases
 WHERE case_id = $1 AND opened_at IS NOT NULL
"""

WITHDRAWAL_COLUMNS = """
       withdrawal_id::text AS withdrawal_id, store_id, customer_id, order_id, lines::text AS lines,
       statement, body_hash, declared_at, confirmed_at, case_id
"""
INSERT_WITHDRAWAL = """
INSERT INTO withdrawals (withdrawal_id, store_id, customer_id, order_id,
                         lines, statement, body_hash, declared_at)
VALUES ($1, $2, $3, $4, $5::text::jsonb, $6, $7, $8)
    ON CONFLICT (withdrawal_id) DO NOTHING
"""
FIND_WITHDRAWAL = f"SELECT {WITHDRAWAL_COLUMNS} FROM withdrawals WHERE withdrawal_id = $1"  # noqa: S608
CONFIRM_WITHDRAWAL = f"""
UPDATE withdrawals
   SET confirmed_at = coalesce(confirmed_at, $2)
 WHERE withdrawal_id = $1
RETURNING {WITHDRAWAL_COLUMNS}
"""  # noqa: S608 — a constant of this module
WITHDRAWAL_OPENED = "UPDATE withdrawals SET case_id = $2 WHERE withdrawal_id = $1 AND case_id IS NULL"
WITHDRAWALS_WITHOUT_RECEIPT = f"""
SELECT {WITHDRAWAL_COLUMNS}
  FROM withdrawals
 WHERE case_id IS NOT NULL AND receipt_sent_at IS NULL
 ORDER BY confirmed_at
 LIMIT $1
"""  # noqa: S608 — a constant of this module
RECEIPT_SENT = "UPDATE withdrawals SET receipt_sent_at = now() WHERE withdrawal_id = $1"

# The update changes nothing; it makes the row that was first visible to whoever comes second.
FIRST_REPORT = """
INSERT INTO first_reports (store_id, what, report_id, reported_at, reported_by)
VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (store_id, what, report_id) DO UPDATE SET what = excluded.what
RETURNING reported_at, reported_by
"""
KNOWN_REPORT = """
SELECT reported_at, reported_by FROM first_reports WHERE store_id = $1 AND what = $2 AND report_id = $3
"""

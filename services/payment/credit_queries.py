"""The SQL of store credit."""

from typing import Final

# What is left of a lot is minus the sum of what was posted to the liability about it: nothing else holds it.
_LEFT: Final = """
       lot.lot_id, lot.customer_id, lot.currency, lot.amount, lot.cause, lot.granted_at, lot.expires_at,
       -coalesce(sum(e.minor_units), 0)::bigint AS left_of_it
  FROM credit_lots lot
  LEFT JOIN credit_postings p USING (lot_id)
  LEFT JOIN ledger_entries e ON e.transaction_id = p.transaction_id AND e.account = 'store_credit'
"""
OPEN_ACCOUNT = """
INSERT INTO credit_accounts (store_id, customer_id, currency) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
"""
# Locked before anything is summed: of two who want the same credit the second sees what the first took.
LOCK_ACCOUNT = """
SELECT FROM credit_accounts WHERE store_id = $1 AND customer_id = $2 AND currency = $3 FOR UPDATE
"""
LOTS = f"""
SELECT {_LEFT}
 WHERE lot.store_id = $1 AND lot.customer_id = $2 AND ($3::text IS NULL OR lot.currency = $3)
 GROUP BY lot.lot_id HAVING coalesce(sum(e.minor_units), 0) <> 0
"""
LOT = f"SELECT {_LEFT} WHERE lot.lot_id = $1 GROUP BY lot.lot_id"
GRANTED = """
SELECT body_hash FROM credit_lots WHERE lot_id = $1
"""
# The lot, when it lapses, and the two sides of its transaction ($12 debit, against the liability).
ISSUE = """
WITH lot AS (
    INSERT INTO credit_lots (lot_id, store_id, customer_id, currency, amount, cause, case_id, granted_at,
                             expires_at, body_hash, refund_id, spent_lot_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $13)
 RETURNING lot_id, store_id, currency, amount, granted_at, expires_at),
lapsing AS (
    INSERT INTO credit_expiries (lot_id, expires_at)
    SELECT lot_id, expires_at FROM lot WHERE expires_at IS NOT NULL),
posting AS (
    INSERT INTO credit_postings (transaction_id, lot_id, kind)
    SELECT 'credit/issue/' || lot_id, lot_id, 'issue' FROM lot)
INSERT INTO ledger_entries (transaction_id, store_id, account, currency, minor_units, memo, business_at)
SELECT 'credit/issue/' || lot_id, store_id, side.account, currency, side.sign * amount, 'credit_issue',
       granted_at
  FROM lot, (VALUES ($12::text, 1), ('store_credit', -1)) AS side (account, sign)
"""
# What a payment takes of each of several lots ($3 and $4), against what its provider holds.
SPEND = """
WITH spent AS (
    SELECT 'credit/spend/' || $1 || '/' || $2 || '/' || lot_id AS transaction_id, lot_id, amount
      FROM unnest($3::uuid[], $4::bigint[]) AS part (lot_id, amount)),
posting AS (
    INSERT INTO credit_postings (transaction_id, lot_id, kind, payment_id)
    SELECT transaction_id, lot_id, 'spend', $2 FROM spent)
INSERT INTO ledger_entries (transaction_id, store_id, account, currency, minor_units, memo, business_at)
SELECT transaction_id, $1, side.account, $5, side.sign * amount, 'credit_spend', $6
  FROM spent, (VALUES ('store_credit', 1), ('provider', -1)) AS side (account, sign)
"""
# What a payment took of each lot, less what was given back for it.
SPENT_BY = """
SELECT lot.lot_id, lot.customer_id, lot.currency, lot.expires_at, e.business_at AS spent_at,
       (e.minor_units - coalesce((SELECT sum(back.amount)
                                    FROM credit_lots back JOIN refunds r USING (refund_id)
                                   WHERE (r.store_id, r.payment_id) = ($1, $2)
                                     AND back.spent_lot_id = lot.lot_id), 0))::bigint AS amount
  FROM credit_postings p
  JOIN credit_lots lot USING (lot_id)
  JOIN ledger_entries e ON e.transaction_id = p.transaction_id AND e.account = 'store_credit'
 WHERE p.payment_id = $2 AND lot.store_id = $1 AND p.kind = 'spend'
"""
CUSTOMER_OF_ORDER = """
SELECT customer_id FROM order_payments WHERE store_id = $1 AND order_id = $2
"""
# The lots that a refund became, as one movement.
_MOVEMENT: Final = """
SELECT lot.refund_id, r.store_id, r.payment_id, lot.currency, lot.posted_at, sum(lot.amount)::bigint AS amount
  FROM credit_lots lot JOIN refunds r USING (refund_id)
"""
MOVEMENT = f"""
{_MOVEMENT}
 WHERE lot.refund_id = $1 GROUP BY lot.refund_id, r.store_id, r.payment_id, lot.currency, lot.posted_at
"""
MOVEMENTS = f"""
{_MOVEMENT}
 WHERE $1::timestamptz IS NULL OR (lot.posted_at, lot.refund_id) < ($1, $2::uuid)
 GROUP BY lot.refund_id, r.store_id, r.payment_id, lot.currency, lot.posted_at
 ORDER BY lot.posted_at DESC, lot.refund_id DESC
 LIMIT $3
"""
LAPSED = """
SELECT due.lot_id, lot.store_id, lot.customer_id, lot.currency
  FROM credit_expiries due JOIN credit_lots lot USING (lot_id)
 WHERE due.expires_at <= $1
 ORDER BY due.expires_at, due.lot_id
 LIMIT $2
"""
# Whoever takes the row lets the lot lapse: true for one of several who try.
TAKE_EXPIRY = """
DELETE FROM credit_expiries WHERE lot_id = $1 RETURNING expires_at
"""
EXPIRE = """
WITH posting AS (
    INSERT INTO credit_postings (transaction_id, lot_id, kind)
    VALUES ('credit/expire/' || $1::uuid, $1, 'expire'))
INSERT INTO ledger_entries (transaction_id, store_id, account, currency, minor_units, memo, business_at)
SELECT 'credit/expire/' || $1::uuid, $2, side.account, $3, side.sign * $4::bigint, 'credit_expire', $5
  FROM (VALUES ('store_credit', 1), ('credit_breakage', -1)) AS side (account, sign)
"""
# What breaks the invariants of store credit, as in `services.payment.invariants`.
CREDIT_INVARIANTS: Final = {
    # What the shop owes is what is left of its lots: nobody posts past them, and it is never a claim.
    "store_credit_is_its_lots": """
        SELECT e.currency AS id,
               sum(e.minor_units) > 0
            OR sum(e.minor_units) IS DISTINCT FROM sum(e.minor_units) FILTER (WHERE lot.lot_id IS NOT NULL)
               AS is_broken
          FROM ledger_entries e
          LEFT JOIN credit_postings p USING (transaction_id)
          LEFT JOIN credit_lots lot
            ON lot.lot_id = p.lot_id AND (lot.store_id, lot.currency) = (e.store_id, e.currency)
         WHERE e.store_id = $1 AND e.account = 'store_credit' GROUP BY e.currency
    """,
    "store_credit_lots_hold": """
        SELECT lot.lot_id::text AS id,
               -coalesce(sum(e.minor_units), 0) NOT BETWEEN 0 AND lot.amount
            OR coalesce(sum(e.minor_units) FILTER (WHERE p.kind = 'issue'), 0) <> -lot.amount AS is_broken
          FROM credit_lots lot
          LEFT JOIN credit_postings p USING (lot_id)
          LEFT JOIN ledger_entries e ON e.transaction_id = p.transaction_id AND e.account = 'store_credit'
         WHERE lot.store_id = $1 GROUP BY lot.lot_id, lot.amount
    """,
    "store_credit_paid_its_orders": """
        SELECT pay.payment_id AS id, coalesce(sum(e.minor_units), 0) <> pay.captured AS is_broken
          FROM payments pay
          LEFT JOIN (credit_postings p JOIN credit_lots lot USING (lot_id))
            ON (lot.store_id, p.payment_id) = (pay.store_id, pay.payment_id)
          LEFT JOIN ledger_entries e ON e.transaction_id = p.transaction_id AND e.account = 'store_credit'
         WHERE pay.store_id = $1 AND pay.provider = 'store_credit' GROUP BY pay.payment_id, pay.captured
    """,
}

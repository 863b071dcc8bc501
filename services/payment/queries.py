"""The payment service's SQL."""

from typing import Final

# Statuses whose amount is out of the payment, or may be.
COUNTED_STATUSES: Final = "('pending', 'requires_action', 'succeeded')"

LOCK_ORDER = """
SELECT version, body_hash, currency FROM order_payments WHERE store_id = $1 AND order_id = $2 FOR UPDATE
"""
# Of two first versions neither finds a row to lock above: they meet here, and the lower one changes nothing.
PUT_ORDER = """
INSERT INTO order_payments AS known (store_id, order_id, version, body_hash, currency, customer_id)
VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (store_id, order_id)
    DO UPDATE SET version = excluded.version, body_hash = excluded.body_hash,
                  customer_id = excluded.customer_id
        WHERE known.version < excluded.version AND known.currency = excluded.currency
RETURNING 1
"""
# A line that is no longer sold caps at nothing; its row stays, so that what was refunded of it is still seen.
PUT_CAPS = """
WITH gone AS (
    UPDATE caps SET amount = 0
     WHERE store_id = $1 AND order_id = $2 AND line_id <> ALL ($3::text[]))
INSERT INTO caps (store_id, order_id, line_id, amount)
SELECT $1, $2, line_id, amount
  FROM unnest($3::text[], $4::bigint[]) AS cap (line_id, amount)
    ON CONFLICT (store_id, order_id, line_id) DO UPDATE SET amount = excluded.amount
"""
# The payments that were not known before, captured.
INSERT_PAYMENTS = """
WITH made AS (
    INSERT INTO payments (store_id, payment_id, order_id, provider, method, currency, captured, captured_at)
    SELECT $1, payment_id, $2, provider, method, $3, captured, captured_at
      FROM unnest($4::text[], $5::text[], $6::text[], $7::bigint[], $8::timestamptz[])
        AS payment (payment_id, provider, method, captured, captured_at)
        ON CONFLICT (store_id, payment_id) DO NOTHING
 RETURNING store_id, payment_id, currency, captured, captured_at),
posted AS (
    INSERT INTO ledger_entries (transaction_id, store_id, account, currency, minor_units, payment_id, memo,
                                business_at)
    SELECT 'capture/' || made.store_id || '/' || made.payment_id, made.store_id, side.account, made.currency,
           side.sign * made.captured, made.payment_id, 'capture', made.captured_at
      FROM made, (VALUES ('provider', 1), ('captured', -1)) AS side (account, sign)
     WHERE made.captured > 0)
SELECT payment_id FROM made
"""
PAYMENTS_OF_ORDER = """
SELECT payment_id, order_id, provider, method, currency, captured, captured_at, provider_ref
  FROM payments
 WHERE store_id = $1 AND payment_id = ANY ($2::text[])
"""
# Whoever names a payment and whoever is told of a dispute of that name go one after the other: neither can
# miss the other. It is taken before the order's row.
LOCK_NAME = "SELECT pg_advisory_xact_lock(hashtextextended($1 || '/' || $2, 3))"
LOCK_ORDER_OF_PAYMENT = """
SELECT FROM order_payments o JOIN payments p USING (store_id, order_id)
 WHERE p.store_id = $1 AND p.payment_id = $2
   FOR UPDATE OF o
"""
SET_PROVIDER_REF = """
UPDATE payments SET provider_ref = $3 WHERE store_id = $1 AND payment_id = $2
"""
BALANCE = """
SELECT p.currency, p.captured,
       coalesce(sum(r.amount) FILTER (WHERE r.status = 'succeeded'), 0)::bigint AS refunded,
       coalesce(sum(r.amount) FILTER (WHERE r.status IN ('pending', 'requires_action')), 0)::bigint
           AS pending,
       (SELECT coalesce(sum(frozen + lost), 0)::bigint FROM disputes
         WHERE store_id = $1 AND payment_id = $2) AS disputed
  FROM payments p
  LEFT JOIN refunds r USING (store_id, payment_id)
 WHERE p.store_id = $1 AND p.payment_id = $2
 GROUP BY p.store_id, p.payment_id
"""
PAYMENT_COLUMNS = "p.order_id, p.provider, p.method, p.captured, p.captured_at, p.provider_ref"
# The order's row is locked before anything is summed, so that of two refunds of one order, whatever
# tender they go to, the second sees the first.
LOCK_FOR_REFUND = f"""
SELECT p.payment_id, p.currency, {PAYMENT_COLUMNS}
  FROM payments p
  JOIN order_payments o USING (store_id, order_id)
 WHERE p.store_id = $1 AND p.payment_id = $2
   FOR UPDATE OF o
"""  # noqa: S608 — a constant of this module
REFUND_COLUMNS = """
       r.refund_id, r.intent::text AS intent, r.body_hash, r.status, r.provider_refund_id, r.failure,
       r.requested_at, r.settled_at, r.amount, r.currency, r.store_id, r.payment_id, r.order_id, r.case_id
"""
# The refund, if it was asked for before, and what counts against the caps.
COUNTED = f"""
SELECT {REFUND_COLUMNS},
       (SELECT coalesce(sum(amount), 0)::bigint FROM refunds
         WHERE store_id = $2 AND payment_id = $3 AND status IN {COUNTED_STATUSES}) AS of_payment,
       (SELECT coalesce(sum(frozen), 0)::bigint FROM disputes
         WHERE store_id = $2 AND payment_id = $3) AS frozen,
       (SELECT coalesce(sum(lost), 0)::bigint FROM disputes
         WHERE store_id = $2 AND payment_id = $3) AS lost,
       (SELECT json_object_agg(c.line_id, c.amount) FROM caps c
         WHERE c.store_id = $2 AND c.order_id = $4)::text AS caps,
       (SELECT json_object_agg(line_id, amount)
          FROM (SELECT part.line_id, sum(part.amount) AS amount
                  FROM refund_parts part JOIN refunds r USING (refund_id)
                 WHERE r.store_id = $2 AND r.order_id = $4 AND r.status IN {COUNTED_STATUSES}
                 GROUP BY part.line_id) AS of_lines)::text AS of_lines
  FROM (VALUES ($1::uuid)) AS asked (refund_id)
  LEFT JOIN refunds r USING (refund_id)
"""  # noqa: S608 — a constant of this module
GET_REFUND = f"""
SELECT {REFUND_COLUMNS}, {PAYMENT_COLUMNS}
  FROM refunds r JOIN payments p USING (store_id, payment_id)
 WHERE r.refund_id = $1
"""  # noqa: S608 — a constant of this module
INSERT_REFUND = """
WITH made AS (
    INSERT INTO refunds (refund_id, store_id, payment_id, order_id, case_id, currency, amount, cause, intent,
                         body_hash, status, requested_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::jsonb, $10, 'pending', $11)
 RETURNING refund_id, store_id, payment_id, currency, amount, requested_at),
parts AS (
    INSERT INTO refund_parts (refund_id, line_id, amount)
    SELECT made.refund_id, part.line_id, part.amount
      FROM made, unnest($12::text[], $13::bigint[]) AS part (line_id, amount))
INSERT INTO ledger_entries (transaction_id, store_id, account, currency, minor_units, payment_id, refund_id,
                            memo, business_at)
SELECT $14 || '/' || refund_id, store_id, side.account, currency, side.sign * amount, payment_id, refund_id,
       $14, requested_at
  FROM made, (VALUES ($15::text, 1), ($16::text, -1)) AS side (account, sign)
"""
INSERT_OUTSIDE = """
WITH made AS (
    INSERT INTO refunds (refund_id, store_id, payment_id, order_id, currency, amount, cause, status,
                         provider_refund_id, requested_at)
    SELECT $1, store_id, payment_id, order_id, currency, $4, 'outside', 'pending', $5, $6
      FROM payments
     WHERE provider = $2 AND provider_ref = $3 AND currency = $10
        ON CONFLICT DO NOTHING
 RETURNING refund_id, store_id, payment_id, currency, amount, requested_at)
INSERT INTO ledger_entries (transaction_id, store_id, account, currency, minor_units, payment_id, refund_id,
                            memo, business_at)
SELECT $7 || '/' || refund_id, store_id, side.account, currency, side.sign * amount, payment_id, refund_id,
       $7, requested_at
  FROM made, (VALUES ($8::text, 1), ($9::text, -1)) AS side (account, sign)
"""
# A provider's refund is ours by the id that we gave it, or by the one that it gave us.
LOCK_TOLD = f"""
SELECT {REFUND_COLUMNS}
  FROM refunds r
 WHERE r.refund_id = $1::uuid OR r.provider_refund_id = $2
 ORDER BY (r.provider_refund_id = $2) DESC NULLS LAST
 LIMIT 1
   FOR UPDATE
"""  # noqa: S608 — a constant of this module
# The status, from the one that it was taken to follow, the posting that makes, if any ($7 and $8 are its
# accounts), and that its documents are to be looked at.
SETTLE_REFUND = """
WITH settled AS (
    UPDATE refunds
       SET status = $2, provider_refund_id = coalesce($3, provider_refund_id), failure = $4, settled_at = $5
     WHERE refund_id = $1 AND status = $10
 RETURNING refund_id, store_id, payment_id, currency, amount),
posted AS (
    INSERT INTO ledger_entries (transaction_id, store_id, account, currency, minor_units, payment_id,
                                refund_id, memo, business_at)
    SELECT $6 || '/' || refund_id, store_id, side.account, currency, side.sign * amount, payment_id,
           refund_id, $6, $9
      FROM settled, (VALUES ($7::text, 1), ($8::text, -1)) AS side (account, sign)
     WHERE side.account IS NOT NULL
        ON CONFLICT (transaction_id, account) DO NOTHING),
due AS (
    INSERT INTO document_dues (refund_id)
    SELECT refund_id FROM settled WHERE $2 = 'succeeded' OR $10 = 'succeeded' AND $2 <> $10)
SELECT EXISTS (SELECT FROM settled)
"""
# What tells of nothing, or of what is known already, has been applied by being kept.
KEEP_EVENT = """
WITH kept AS (
    INSERT INTO provider_events (provider, event_id, payload, processed_at)
    VALUES ($1, $2, $3,
            CASE WHEN $4::text IS NULL AND NOT $6::boolean
                   OR EXISTS (SELECT FROM refunds WHERE provider_refund_id = $4 AND status = $5)
                 THEN now() END)
        ON CONFLICT (provider, event_id) DO NOTHING
 RETURNING processed_at)
SELECT EXISTS (SELECT FROM kept) AS is_new,
       EXISTS (SELECT FROM kept WHERE processed_at IS NOT NULL)
       OR EXISTS (SELECT FROM provider_events
                   WHERE provider = $1 AND event_id = $2 AND processed_at IS NOT NULL) AS is_applied
"""
EVENT_APPLIED = """
UPDATE provider_events SET processed_at = now()
 WHERE provider = $1 AND event_id = $2 AND processed_at IS NULL
"""
LEDGER = """
SELECT position, transaction_id, account, currency, minor_units, posted_at, business_at, payment_id,
       refund_id, dispute_id, memo,
       (SELECT lot_id FROM credit_postings credit
         WHERE credit.transaction_id = ledger_entries.transaction_id) AS lot_id
  FROM ledger_entries
 WHERE store_id = $1 AND ($2 = '' OR payment_id = $2) AND position > $3
   AND posted_at >= coalesce($5::timestamptz, '-infinity')
   AND posted_at < coalesce($6::timestamptz, 'infinity')
 ORDER BY position
 LIMIT $4
"""
# Also what of a payment went elsewhere than back: who moved that has a name of its own for it.
KNOWN_PAYMENTS = """
SELECT payment_id, provider, provider_ref FROM payments WHERE store_id = $1 AND provider_ref IS NOT NULL
 UNION
SELECT payment_id, intent ->> 'destination', store_id || '/' || payment_id
  FROM refunds WHERE store_id = $1 AND intent ->> 'destination' <> 'original'
"""
KNOWN_REFUNDS = """
SELECT r.refund_id, r.provider_refund_id, r.status, r.amount, r.currency,
       reserved.posted_at AS reserved_at
  FROM refunds r
  JOIN ledger_entries reserved
    ON reserved.transaction_id = 'reserve/' || r.refund_id AND reserved.account = 'captured'
 WHERE r.store_id = $1
"""
INSERT_TELLING = """
INSERT INTO dispute_tellings (provider, telling_id, provider_dispute_id, provider_ref, status, told_at,
                              currency, amount, withdrawn, fee, movements, reason, due_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
    ON CONFLICT (provider, telling_id) DO NOTHING
"""
DISPUTES_TOLD_OF = """
SELECT DISTINCT provider_dispute_id FROM dispute_tellings WHERE provider = $1 AND provider_ref = $2
"""
# The same row as for a refund is locked, so that a refund and a chargeback see one another.
LOCK_DISPUTED = """
SELECT p.store_id, p.payment_id, p.order_id, p.currency, p.captured
  FROM dispute_tellings told
  JOIN payments p USING (provider, provider_ref)
  JOIN order_payments o USING (store_id, order_id)
 WHERE told.provider = $1 AND told.provider_dispute_id = $2
 LIMIT 1
   FOR UPDATE OF o
"""
TELLINGS = """
SELECT telling_id, status, told_at, currency, amount, withdrawn, fee, movements, reason, due_by
  FROM dispute_tellings
 WHERE provider = $1 AND provider_dispute_id = $2
"""
DISPUTE = """
SELECT status, frozen, lost, fee FROM disputes WHERE dispute_id = $1
"""
PUT_DISPUTE = """
INSERT INTO disputes (dispute_id, provider, provider_dispute_id, store_id, payment_id, order_id, currency,
                      amount, status, reason, due_by, frozen, lost, fee, told_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
    ON CONFLICT (dispute_id)
    DO UPDATE SET amount = excluded.amount, status = excluded.status, reason = excluded.reason,
                  due_by = excluded.due_by, frozen = excluded.frozen, lost = excluded.lost,
                  fee = excluded.fee, told_at = excluded.told_at
"""
POST_DISPUTE = """
INSERT INTO ledger_entries (transaction_id, store_id, account, currency, minor_units, payment_id, dispute_id,
                            memo, business_at)
SELECT $1, $2, account, $3, minor_units, $4, $5, $6, $7
  FROM unnest($8::text[], $9::bigint[]) AS entry (account, minor_units)
"""
KEEP_REFUSED = """
INSERT INTO refused_refunds (refund_id, store_id, payment_id, case_id, refused_at)
VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (refund_id) DO NOTHING
"""
# Whoever is told is forgotten, once no dispute holds anything of the payment any more.
FREE_REFUSED = """
DELETE FROM refused_refunds
 WHERE store_id = $1 AND payment_id = $2
   AND NOT EXISTS (SELECT FROM disputes WHERE store_id = $1 AND payment_id = $2 AND frozen > 0)
RETURNING case_id
"""
KNOWN_DISPUTES = """
SELECT provider_dispute_id, status FROM disputes WHERE store_id = $1
"""
DISPUTE_POSTINGS = """
SELECT count(DISTINCT transaction_id) FROM ledger_entries
 WHERE store_id = $1 AND payment_id = $2 AND dispute_id = $3
"""
TRIAL_BALANCE = """
SELECT account, currency, sum(minor_units)::bigint AS balance
  FROM ledger_entries
 WHERE store_id = $1 AND CASE WHEN $3::boolean THEN business_at ELSE posted_at END < $2
 GROUP BY currency, account
 ORDER BY currency, account
"""
UNSETTLED = f"""
SELECT {REFUND_COLUMNS}, {PAYMENT_COLUMNS}
  FROM refunds r JOIN payments p USING (store_id, payment_id)
 WHERE r.status IN ('pending', 'requires_action') AND r.intent IS NOT NULL
   AND ($2::uuid IS NULL OR r.refund_id > $2)
   AND EXISTS (SELECT FROM ledger_entries reserved
                WHERE reserved.transaction_id = 'reserve/' || r.refund_id AND reserved.account = 'captured'
                  AND reserved.posted_at < $1)
 ORDER BY r.refund_id
 LIMIT $3
"""  # noqa: S608 — a constant of this module
REFUNDS_TOLD = """
SELECT provider_refund_id, status FROM refunds WHERE provider_refund_id = ANY ($1::text[])
"""
STILL_ASKED_FOR = """
SELECT refund_id FROM refunds WHERE refund_id = ANY ($1::uuid[]) AND provider_refund_id IS NULL
"""
# Also of payments that are not ours: what was told of them is kept, and not told to us again. What was told
# of a payment of ours and never booked is as good as never told.
LAST_TOLD = """
SELECT DISTINCT ON (told.provider_dispute_id) told.provider_dispute_id,
       coalesce(d.status, told.status) AS status
  FROM dispute_tellings told
  LEFT JOIN disputes d USING (provider, provider_dispute_id)
 WHERE told.provider = $1 AND told.provider_dispute_id = ANY ($2::text[])
   AND (d.dispute_id IS NOT NULL
        OR NOT EXISTS (SELECT FROM payments p
                        WHERE (p.provider, p.provider_ref) = (told.provider, told.provider_ref)))
 ORDER BY told.provider_dispute_id, told.told_at DESC
"""
# An early warning is no dispute to its provider, and cannot be asked for as one.
UNDECIDED = """
SELECT dispute_id, provider, provider_dispute_id, status
  FROM disputes
 WHERE status IN ('warning_needs_response', 'warning_under_review', 'needs_response', 'under_review',
                  'appeal_needs_response', 'appeal_under_review')
   AND ($1::uuid IS NULL OR dispute_id > $1)
 ORDER BY dispute_id
 LIMIT $2
"""
# $2: how far back to go, $3: when that was asked for, $4: now. An unfinished walk goes on as it began.
BEGIN_WALK = """
INSERT INTO mending_walks AS walk (source, since, began_at)
VALUES ($1, $2::timestamptz, greatest($3::timestamptz, $4::timestamptz))
    ON CONFLICT (source)
    DO UPDATE SET position = '', since = excluded.since - ($3::timestamptz - walk.began_at),
                  began_at = excluded.began_at, is_finished = false
     WHERE walk.is_finished AND walk.began_at < $3
"""
WALK = """
SELECT source, position, since, began_at, is_finished FROM mending_walks WHERE source = $1
"""
MOVE_WALK = """
UPDATE mending_walks SET position = coalesce($4, position), is_finished = $4 IS NULL
 WHERE source = $1 AND began_at = $2 AND position = $3 AND NOT is_finished
"""
STORES = """
SELECT DISTINCT store_id FROM payments ORDER BY store_id
"""
# What breaks an invariant ($2 and $3, with how many did: $4) is kept as long as it does. Of an invariant that
# is broken by more than are named ($5), nothing is taken for mended.
KEEP_FINDINGS = """
WITH broken AS MATERIALIZED (
    SELECT invariant, subject, violations
      FROM unnest($2::text[], $3::text[], $4::bigint[]) AS one (invariant, subject, violations)),
mended AS (
    DELETE FROM findings f
     WHERE f.store_id = $1 AND f.invariant <> ALL ($5::text[])
       AND NOT EXISTS (SELECT FROM broken b WHERE (b.invariant, b.subject) = (f.invariant, f.subject)))
INSERT INTO findings (store_id, invariant, subject, violations)
SELECT $1, invariant, subject, violations FROM broken
    ON CONFLICT (store_id, invariant, subject) DO NOTHING
"""
FINDINGS = """
SELECT store_id, invariant, subject, violations, found_at
  FROM findings WHERE store_id = $1
 ORDER BY invariant, subject
"""
DISPUTES_OF_PAYMENT = """
SELECT d.dispute_id, d.amount, d.currency, d.status, d.reason, d.due_by
  FROM payments p LEFT JOIN disputes d USING (store_id, payment_id)
 WHERE p.store_id = $1 AND p.payment_id = $2
 ORDER BY d.told_at DESC, d.dispute_id
"""

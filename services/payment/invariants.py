# ruff: noqa: S608 — every part is a constant
"""The money invariants, as queries that find what breaks them."""

from services.payment.credit_queries import CREDIT_INVARIANTS
from services.payment.queries import COUNTED_STATUSES

# Each invariant: what is looked at, and whether it is broken.
_INVARIANTS = {
    "refunds_within_captured": f"""
        SELECT p.payment_id AS id,
               coalesce(sum(r.amount) FILTER (WHERE r.status IN {COUNTED_STATUSES}), 0)
                   > p.captured AS is_broken
          FROM payments p LEFT JOIN refunds r USING (store_id, payment_id)
         WHERE p.store_id = $1 GROUP BY p.payment_id, p.captured
    """,
    "refunds_within_lines": f"""
        SELECT order_id || '/' || line_id AS id,
               coalesce(refunded.amount, 0) > coalesce(cap.amount, 0) AS is_broken
          FROM (SELECT order_id, line_id, amount FROM caps WHERE store_id = $1) AS cap
          FULL JOIN (SELECT r.order_id, part.line_id, sum(part.amount) AS amount
                       FROM refund_parts part JOIN refunds r USING (refund_id)
                      WHERE r.store_id = $1 AND r.status IN {COUNTED_STATUSES}
                      GROUP BY r.order_id, part.line_id) AS refunded USING (order_id, line_id)
    """,
    "refund_parts_add_up": """
        SELECT r.refund_id::text AS id, coalesce(sum(part.amount), 0) <> r.amount AS is_broken
          FROM refunds r LEFT JOIN refund_parts part USING (refund_id)
         WHERE r.store_id = $1 AND r.intent IS NOT NULL GROUP BY r.refund_id, r.amount
    """,
    # What was asked for of each line against what is counted of it. How many units that is only the order
    # service knows: here a line is an amount of money.
    "refund_parts_as_asked": """
        SELECT coalesce(asked.refund_id, counted.refund_id) || '/' || coalesce(asked.line_id, counted.line_id)
                   AS id,
               asked.amount IS DISTINCT FROM counted.amount AS is_broken
          FROM (SELECT r.refund_id, coalesce(part ->> 'line_id', '') AS line_id,
                       (part ->> 'amount')::bigint AS amount
                  FROM refunds r, jsonb_array_elements(r.intent -> 'parts') AS part
                 WHERE r.store_id = $1) AS asked
          FULL JOIN (SELECT part.refund_id, part.line_id, part.amount
                       FROM refund_parts part JOIN refunds r USING (refund_id)
                      WHERE r.store_id = $1) AS counted USING (refund_id, line_id)
    """,
    "ledger_transactions_balance": """
        SELECT transaction_id AS id, sum(minor_units) <> 0 AS is_broken
          FROM ledger_entries WHERE store_id = $1 GROUP BY transaction_id, currency
    """,
    "ledger_matches_captures": """
        SELECT p.payment_id AS id,
               coalesce(sum(e.minor_units) FILTER (WHERE e.account = 'provider'), 0)
                   <> p.captured AS is_broken
          FROM payments p
          LEFT JOIN ledger_entries e
            ON (e.store_id, e.payment_id) = (p.store_id, p.payment_id)
           AND e.refund_id IS NULL AND e.dispute_id IS NULL
         WHERE p.store_id = $1 GROUP BY p.payment_id, p.captured
    """,
    "ledger_matches_refunds": f"""
        SELECT r.refund_id::text AS id,
               coalesce(sum(e.minor_units) FILTER (WHERE e.account = 'captured'), 0)
                   <> CASE WHEN r.status IN {COUNTED_STATUSES} THEN r.amount ELSE 0 END
            OR coalesce(sum(e.minor_units) FILTER (
                   WHERE e.account = CASE r.intent ->> 'destination' WHEN 'bank_transfer' THEN 'bank'
                                                                     ELSE 'provider' END), 0)
                   <> CASE WHEN r.status = 'succeeded' THEN -r.amount ELSE 0 END AS is_broken
          FROM refunds r LEFT JOIN ledger_entries e USING (refund_id)
         WHERE r.store_id = $1 GROUP BY r.refund_id, r.status, r.amount
    """,
    "ledger_matches_disputes": """
        SELECT d.dispute_id::text AS id,
               coalesce(sum(e.minor_units) FILTER (WHERE e.account = 'dispute_frozen'), 0) <> d.frozen
            OR coalesce(sum(e.minor_units) FILTER (WHERE e.account = 'dispute_losses'), 0) <> d.lost
            OR coalesce(sum(e.minor_units) FILTER (WHERE e.account = 'provider_fees'), 0) <> d.fee
               AS is_broken
          FROM disputes d LEFT JOIN ledger_entries e USING (store_id, payment_id, dispute_id)
         WHERE d.store_id = $1 GROUP BY d.dispute_id
    """,
    # Nobody can forbid a chargeback after a refund: the money is out twice until the dispute is won.
    "disputes_after_refunds": f"""
        SELECT p.payment_id AS id, out.frozen + out.lost + refunded.amount > p.captured AS is_broken
          FROM payments p
          JOIN (SELECT store_id, payment_id, sum(frozen) AS frozen, sum(lost) AS lost
                  FROM disputes WHERE store_id = $1 GROUP BY store_id, payment_id
                HAVING sum(frozen + lost) > 0) AS out USING (store_id, payment_id)
          CROSS JOIN LATERAL (SELECT coalesce(sum(amount), 0) AS amount FROM refunds r
                               WHERE (r.store_id, r.payment_id) = (p.store_id, p.payment_id)
                                 AND r.status IN {COUNTED_STATUSES}) AS refunded
    """,
    "credits_within_invoices": """
        SELECT invoice.number AS id,
               coalesce(sum(CASE note.kind WHEN 'credit_note' THEN note.total ELSE -note.total END), 0)
                   NOT BETWEEN 0 AND invoice.total AS is_broken
          FROM documents invoice LEFT JOIN documents note ON note.invoice_id = invoice.document_id
         WHERE invoice.store_id = $1 AND invoice.kind = 'invoice'
         GROUP BY invoice.document_id, invoice.number, invoice.total
    """,
    "document_series_without_gaps": """
        SELECT kind || ' ' || year AS id,
               last_number <> (SELECT count(*) FROM documents d
                                WHERE (d.store_id, d.kind, d.year) = (s.store_id, s.kind, s.year)
                                  AND d.position <= s.last_number) AS is_broken
          FROM document_series s WHERE store_id = $1
    """,
    # What is due is written within seconds; what is still due after an hour needs somebody.
    "refunds_have_their_notes": """
        SELECT r.refund_id::text AS id,
               bool_or(due.done_at IS NULL AND due.due_at < now() - interval '1 hour') AS is_broken
          FROM document_dues due JOIN refunds r USING (refund_id)
         WHERE r.store_id = $1 GROUP BY r.refund_id
    """,
    # Kept, and not applied: it was refused, and its provider has given up sending it. A provider's events are
    # looked at for each store that it took a payment of: before one is applied nobody knows whose it is.
    "webhooks_are_applied": """
        SELECT provider || '/' || event_id AS id,
               processed_at IS NULL AND received_at < now() - interval '1 hour' AS is_broken
          FROM provider_events
         WHERE provider IN (SELECT provider FROM payments WHERE store_id = $1)
    """,
    "trial_balance_is_zero": """
        SELECT currency AS id, sum(minor_units) <> 0 AS is_broken
          FROM ledger_entries WHERE store_id = $1 GROUP BY currency
    """,
}
INVARIANTS = {
    name: f"""
SELECT count(*) AS checked, count(*) FILTER (WHERE is_broken) AS violations,
       coalesce((array_agg(id ORDER BY id) FILTER (WHERE is_broken))[1:$2::integer], '{{}}') AS examples
  FROM ({query}) AS looked_at
"""
    for name, query in (_INVARIANTS | CREDIT_INVARIANTS).items()
}

"""The SQL of documents."""

from typing import Final

# Everything about an order's documents happens one at a time: an invoice is issued once, a note sees all
# notes before it, and no refund that settles meanwhile is missed by both of its order's invoice and its due
# row. It is not the row that refunds lock: they never wait for a document.
LOCK_ORDER_DOCUMENTS: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1 || '/' || $2, 2))"
DOCUMENT_COLUMNS: Final = "body::text AS body, body_hash, number, issued_at, store_id, invoice_id"
GET_DOCUMENT: Final = f"SELECT {DOCUMENT_COLUMNS} FROM documents WHERE document_id = $1"  # noqa: S608 — a constant
DOCUMENTS_OF_ORDER: Final = f"""
SELECT {DOCUMENT_COLUMNS}
  FROM documents
 WHERE store_id = $1 AND order_id = $2
 ORDER BY issued_at, kind, position
"""  # noqa: S608 — a constant of this module
CAPTURED: Final = """
SELECT o.version, o.currency, coalesce(sum(p.captured), 0)::bigint AS captured
  FROM order_payments o LEFT JOIN payments p USING (store_id, order_id)
 WHERE o.store_id = $1 AND o.order_id = $2
 GROUP BY o.store_id, o.order_id
"""
# The series' row stays locked until the transaction ends, and a rollback gives the number back: no gap, and
# numbers and dates in one order. Hence it is taken last.
NEXT_NUMBER: Final = """
INSERT INTO document_series AS series (store_id, kind, year, last_number, last_issued_at)
VALUES ($1, $2, extract(year FROM clock_timestamp())::integer, 1, clock_timestamp())
    ON CONFLICT (store_id, kind, year)
    DO UPDATE SET last_number = series.last_number + 1,
                  last_issued_at = greatest(series.last_issued_at, clock_timestamp())
RETURNING year, last_number, last_issued_at
"""
INSERT_DOCUMENT: Final = """
INSERT INTO documents (document_id, store_id, order_id, kind, year, position, number, invoice_id, about_id,
                       refund_id, currency, total, body, body_hash, issued_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13::text::jsonb, $14, $15)
"""
# What was given back before there was an invoice is credited to it as well.
REFUNDS_FALL_DUE: Final = """
INSERT INTO document_dues (refund_id)
SELECT refund_id FROM refunds WHERE store_id = $1 AND order_id = $2 AND status = 'succeeded'
"""
# SKIP LOCKED lets several processes work; the row is held for the one transaction that does what is due.
TAKE_DUE: Final = """
SELECT due_id, refund_id
  FROM document_dues
 WHERE done_at IS NULL AND try_at <= now()
 ORDER BY due_id
 LIMIT 1
   FOR UPDATE SKIP LOCKED
"""
DUE_REFUND: Final = """
SELECT r.status, r.amount, r.store_id, r.order_id, r.case_id, r.requested_at, r.settled_at,
       (SELECT json_object_agg(part.line_id, part.amount)
          FROM refund_parts part WHERE part.refund_id = r.refund_id)::text AS parts
  FROM refunds r
 WHERE r.refund_id = $1
"""
DUE_DONE: Final = "UPDATE document_dues SET done_at = now(), problem = NULL WHERE due_id = $1"
DUE_FAILED: Final = """
UPDATE document_dues
   SET attempts = attempts + 1, problem = $2, try_at = now() + $3::interval * 2 ^ least(attempts, 6)
 WHERE due_id = $1 AND done_at IS NULL
"""

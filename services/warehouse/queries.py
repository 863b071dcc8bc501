"""The warehouse's SQL."""

RETURN_COLUMNS = "r.body::text AS body, r.label_url, r.carrier, r.tracking_number, r.is_open, r.body_hash"

FIND_RETURN = f"SELECT {RETURN_COLUMNS} FROM expected_returns r WHERE r.rma = $1"  # noqa: S608
# One statement: the return, its lines, and its label's number.
INSERT_RETURN = """
WITH made AS (
    INSERT INTO expected_returns (rma, store_id, case_id, order_id, body, body_hash,
                                  label_url, carrier, tracking_number)
    VALUES ($1, $2, $3, $4, $5::text::jsonb, $6, $7, $8, $9)
        ON CONFLICT (rma) DO NOTHING
 RETURNING rma),
lines AS (
    INSERT INTO line_counts (rma, line_id, sku, expected)
    SELECT made.rma, line_id, sku, expected
      FROM made, unnest($10::text[], $11::text[], $12::integer[]) AS line (line_id, sku, expected)),
label AS (
    INSERT INTO parcels (store_id, tracking_number, rma)
    SELECT $2, $9, made.rma FROM made WHERE $9 IS NOT NULL
        ON CONFLICT DO NOTHING)
SELECT rma FROM made
"""
# A repeat is asked the same and answers the same, so that a label is voided although a first try died before.
# A label under which a parcel travels is the carrier's to charge for.
CLOSE_RETURN = """
UPDATE expected_returns r
   SET is_open = false
 WHERE rma = $1
RETURNING label_url IS NOT NULL
      AND NOT EXISTS (SELECT FROM receipts c WHERE c.rma = r.rma)
      AND NOT EXISTS (SELECT FROM parcels p JOIN tracking_events e USING (store_id, tracking_number)
                       WHERE p.rma = r.rma AND e.event->>'status' <> 'info_received')
"""
# Whoever links a parcel and whoever keeps a scan of it take turns, so that one of them sees the other.
LOCK_PARCEL = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
# A scan from before a return was expected is of another journey: of the one that brought the goods, say.
EXPECTED_AT = "(r.body ->> 'expected_at')::timestamptz"
# A parcel brings back the return that it was linked with first; its scans are no other's.
REGISTER_PARCEL = f"""
WITH known AS (
    UPDATE expected_returns r
       SET carrier = $2, tracking_number = $3
     WHERE rma = $1
 RETURNING r.rma, r.store_id, {EXPECTED_AT} AS expected_at, {RETURN_COLUMNS}),
parcel AS (
    INSERT INTO parcels (store_id, tracking_number, rma)
    SELECT store_id, $3, rma FROM known
        ON CONFLICT (store_id, tracking_number) DO NOTHING)
SELECT store_id, body, label_url, carrier, tracking_number, is_open, body_hash,
       (SELECT json_agg(e.event ORDER BY e.occurred_at) FROM tracking_events e
         WHERE e.store_id = known.store_id AND e.tracking_number = $3
           AND e.occurred_at >= known.expected_at
           AND NOT EXISTS (SELECT FROM parcels p
                            WHERE p.store_id = known.store_id AND p.tracking_number = $3
                              AND p.rma <> known.rma))::text AS scans
  FROM known
"""  # noqa: S608 — a constant of this module
FIND_BY_SCAN = f"""
SELECT r.rma, r.store_id, {RETURN_COLUMNS}
  FROM expected_returns r
 WHERE r.store_id = $1
   AND (r.rma = upper($2) OR r.rma = (SELECT p.rma FROM parcels p
                                       WHERE p.store_id = $1 AND p.tracking_number = $2))
 ORDER BY (r.rma = upper($2)) DESC
 LIMIT 1
"""  # noqa: S608 — a constant of this module
FIND_INBOUND = f"""
SELECT r.rma, {RETURN_COLUMNS},
       (SELECT json_agg(c.body ORDER BY c.receipt_id) FROM receipts c WHERE c.rma = r.rma)::text AS receipts,
       (SELECT json_agg(i.body ORDER BY i.inspection_id)
          FROM inspections i WHERE i.rma = r.rma)::text AS inspections,
       (SELECT json_object_agg(l.line_id, l.received)
          FROM line_counts l WHERE l.rma = r.rma)::text AS received,
       (SELECT json_object_agg(l.line_id, l.inspected)
          FROM line_counts l WHERE l.rma = r.rma)::text AS inspected
  FROM expected_returns r
 WHERE r.store_id = $2
   AND (r.rma = upper($1) OR r.rma = (SELECT p.rma FROM parcels p
                                       WHERE p.store_id = $2 AND p.tracking_number = $1))
 ORDER BY (r.rma = upper($1)) DESC
 LIMIT 1
"""  # noqa: S608 — a constant of this module
# An item counts for the line it names, or for the expected line that has its SKU. Lines are locked in one
# order by everybody who counts, so that nobody waits in a circle.
KEEP_RECEIPT = """
WITH line AS MATERIALIZED (
    SELECT rma, line_id, sku FROM line_counts WHERE rma = $3 ORDER BY line_id FOR UPDATE),
kept AS (
    INSERT INTO receipts (store_id, receipt_id, rma, body, body_hash)
    VALUES ($1, $2, $3, $4::text::jsonb, $5)
        ON CONFLICT (store_id, receipt_id) DO NOTHING
 RETURNING rma),
came AS (
    SELECT l.rma, l.line_id, sum(item.quantity)::integer AS quantity
      FROM kept, unnest($6::text[], $7::text[], $8::integer[]) AS item (line_id, sku, quantity),
           LATERAL (SELECT rma, line_id FROM line
                     WHERE line_id = item.line_id OR (item.line_id IS NULL AND sku = item.sku)
                     ORDER BY line_id LIMIT 1) AS l
     GROUP BY l.rma, l.line_id),
counted AS (
    UPDATE line_counts l
       SET received = l.received + came.quantity
      FROM came
     WHERE (l.rma, l.line_id) = (came.rma, came.line_id)),
told AS (
    INSERT INTO outbox (event_id, fact)
    SELECT $9, $10::text::jsonb FROM kept
        ON CONFLICT (event_id) DO NOTHING
 RETURNING pg_notify('outbox', ''))
SELECT EXISTS (SELECT FROM kept)
"""
KNOWN_RECEIPT = """
SELECT body::text AS body, body_hash FROM receipts WHERE store_id = $1 AND receipt_id = $2
"""
# A movement's own id makes a second restock of the same verdict impossible. The checks of ``line_counts``
# refuse to judge more than has come.
KEEP_INSPECTION = """
WITH line AS MATERIALIZED (
    SELECT rma, line_id, sku FROM line_counts WHERE rma = $3 ORDER BY line_id FOR UPDATE),
kept AS (
    INSERT INTO inspections (store_id, inspection_id, rma, body, body_hash)
    VALUES ($1, $2, $3, $4::text::jsonb, $5)
        ON CONFLICT (store_id, inspection_id) DO NOTHING
 RETURNING rma),
verdict AS (
    SELECT line.rma, line.line_id, line.sku, v.quantity, v.on_hand, v.quarantined, v.movement_id
      FROM kept, unnest($6::text[], $7::integer[], $8::integer[], $9::integer[], $10::text[])
                 AS v (line_id, quantity, on_hand, quarantined, movement_id)
      JOIN line USING (line_id)),
counted AS (
    UPDATE line_counts l
       SET inspected = l.inspected + judged.quantity
      FROM (SELECT rma, line_id, sum(quantity)::integer AS quantity
              FROM verdict GROUP BY rma, line_id) AS judged
     WHERE (l.rma, l.line_id) = (judged.rma, judged.line_id)),
moved AS (
    INSERT INTO stock_movements (movement_id, store_id, sku, on_hand, quarantined, cause)
    SELECT movement_id, $1, sku, on_hand, quarantined, 'inspection ' || $2
      FROM verdict
     WHERE on_hand + quarantined > 0
        ON CONFLICT (movement_id) DO NOTHING
 RETURNING store_id, sku, on_hand, quarantined),
stocked AS (
    INSERT INTO stock (store_id, sku, on_hand, quarantined)
    SELECT store_id, sku, sum(on_hand), sum(quarantined) FROM moved GROUP BY store_id, sku ORDER BY sku
        ON CONFLICT (store_id, sku)
        DO UPDATE SET on_hand = stock.on_hand + excluded.on_hand,
                      quarantined = stock.quarantined + excluded.quarantined),
told AS (
    INSERT INTO outbox (event_id, fact)
    SELECT $11, $12::text::jsonb FROM kept
        ON CONFLICT (event_id) DO NOTHING
 RETURNING pg_notify('outbox', ''))
SELECT EXISTS (SELECT FROM kept)
"""
KNOWN_INSPECTION = """
SELECT body::text AS body, body_hash FROM inspections WHERE store_id = $1 AND inspection_id = $2
"""
LOCK_STOCK = "SELECT on_hand, reserved FROM stock WHERE store_id = $1 AND sku = $2 FOR UPDATE"
GET_STOCK = "SELECT on_hand, reserved, quarantined FROM stock WHERE store_id = $1 AND sku = $2"
ENSURE_STOCK = "INSERT INTO stock (store_id, sku) VALUES ($1, $2) ON CONFLICT DO NOTHING"
ADJUST_STOCK = """
WITH moved AS (
    INSERT INTO stock_movements (movement_id, store_id, sku, on_hand, quarantined, cause)
    VALUES (gen_random_uuid()::text, $1, $2, $3, 0, 'count'))
UPDATE stock SET on_hand = on_hand + $3 WHERE store_id = $1 AND sku = $2
"""
# The fact is told to the case of the parcel, if it is a return's.
KEEP_SCAN = f"""
WITH kept AS (
    INSERT INTO tracking_events (store_id, carrier, event_id, tracking_number, event, occurred_at)
    VALUES ($1, $2, $3, $4, $5::text::jsonb, $6)
        ON CONFLICT (store_id, carrier, event_id) DO NOTHING
 RETURNING 1),
parcel AS (
    SELECT r.case_id, r.order_id
      FROM parcels p JOIN expected_returns r USING (rma)
     WHERE p.store_id = $1 AND p.tracking_number = $4 AND $6 >= {EXPECTED_AT}),
told AS (
    INSERT INTO outbox (event_id, fact)
    SELECT $7, $8::text::jsonb || jsonb_build_object('case_id', case_id, 'order_id', order_id)
      FROM kept, parcel
        ON CONFLICT (event_id) DO NOTHING
 RETURNING pg_notify('outbox', ''))
SELECT EXISTS (SELECT FROM kept) AS is_new, EXISTS (SELECT FROM parcel) AS is_inbound
"""  # noqa: S608 — a constant of this module

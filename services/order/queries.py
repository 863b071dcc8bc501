"""The order service's SQL."""

ORDER_COLUMNS = """
       o.sold::text AS sold, o.policy_id, o.policy_version,
       (SELECT json_agg(json_build_object('line_id', u.line_id, 'returned', u.returned,
                                          'refunded', u.refunded, 'in_case', u.in_case,
                                          'free', u.free::text))
          FROM line_units u
         WHERE (u.store_id, u.order_id) = (o.store_id, o.order_id))::text AS units,
       (SELECT json_agg(json_build_object('shipment', s.shipment, 'delivered_at', d.delivered_at)
                        ORDER BY s.shipment_id)
          FROM shipments s
          LEFT JOIN deliveries d USING (store_id, tracking_number)
         WHERE (s.store_id, s.order_id) = (o.store_id, o.order_id))::text AS shipments
"""
GET_ORDER = f"SELECT {ORDER_COLUMNS} FROM orders o WHERE o.store_id = $1 AND o.order_id = $2"  # noqa: S608
GET_CONTACT = """
SELECT (sold -> 'customer')::text AS customer
  FROM orders
 WHERE store_id = $1 AND order_id = $2
"""
LIST_ORDERS = f"""
SELECT o.order_id, o.placed_at, {ORDER_COLUMNS}
  FROM orders o
 WHERE o.store_id = $1
   AND ($2 = '' OR o.customer_id = $2)
   AND ($3 = '' OR o.phone = $3)
   AND ($4 = '' OR o.search_text LIKE '%' || $4 || '%')
   AND ($5::timestamptz IS NULL OR o.placed_at > $5)
   AND ($6::timestamptz IS NULL OR o.placed_at < $6)
   AND ($7::timestamptz IS NULL OR (o.placed_at, o.order_id) < ($7, $8))
 ORDER BY o.placed_at DESC, o.order_id DESC
 LIMIT $9
"""  # noqa: S608 — a constant of this module

# The row lock makes versions of one order wait for each other, and claims wait for a change of it.
LOCK_ORDER = "SELECT version, body_hash FROM orders WHERE store_id = $1 AND order_id = $2 FOR UPDATE"
INSERT_ORDER = """
INSERT INTO orders (store_id, order_id, version, sold, body_hash, policy_id, policy_version,
                    customer_id, phone, search_text, placed_at)
VALUES ($1, $2, $3, $4::text::jsonb, $5, $6, $7, $8, $9, $10, $11)
    ON CONFLICT (store_id, order_id) DO NOTHING
RETURNING 1
"""
UPDATE_ORDER = """
UPDATE orders
   SET version = $3, sold = $4::text::jsonb, body_hash = $5, customer_id = $6, phone = $7,
       search_text = $8, placed_at = $9
 WHERE store_id = $1 AND order_id = $2
"""
INSERT_UNITS = """
INSERT INTO line_units (store_id, order_id, line_id, quantity, free)
SELECT $1, $2, line_id, quantity, int4multirange(int4range(0, quantity))
  FROM unnest($3::text[], $4::integer[]) AS line (line_id, quantity)
"""
# The row locks, taken in one order by everybody, keep a unit from being taken twice.
LOCK_UNITS = """
SELECT line_id, quantity, free
  FROM line_units
 WHERE store_id = $1 AND order_id = $2
 ORDER BY line_id
   FOR UPDATE
"""
RESIZE_UNITS = """
UPDATE line_units
   SET quantity = $4,
       free = (free + int4multirange(int4range(quantity, greatest(quantity, $4))))
              * int4multirange(int4range(0, $4))
 WHERE store_id = $1 AND order_id = $2 AND line_id = $3
"""
# Only claims that were given back in full are left of a line whose units are all free.
DELETE_UNITS = """
WITH past AS (
    DELETE FROM unit_claims WHERE store_id = $1 AND order_id = $2 AND line_id = $3)
DELETE FROM line_units WHERE store_id = $1 AND order_id = $2 AND line_id = $3
"""

# The lines of an order, and what a claim holds of them, should it be there already.
LOCK_FOR_CLAIM = """
SELECT l.line_id, l.free, c.body_hash, c.units
  FROM line_units l
  LEFT JOIN unit_claims c ON c.claim_id = $3 AND c.line_id = l.line_id
 WHERE l.store_id = $1 AND l.order_id = $2
 ORDER BY l.line_id
   FOR UPDATE OF l
"""
GET_CLAIM = """
SELECT line_id, body_hash, units FROM unit_claims WHERE claim_id = $1 ORDER BY line_id
"""
TAKE_UNITS = """
WITH taken AS (
    UPDATE line_units l
       SET free = l.free - wanted.units::int4multirange, in_case = l.in_case + wanted.quantity
      FROM unnest($3::text[], $4::text[], $5::integer[]) AS wanted (line_id, units, quantity)
     WHERE l.store_id = $1 AND l.order_id = $2 AND l.line_id = wanted.line_id
       AND l.free @> wanted.units::int4multirange
 RETURNING l.store_id, l.order_id, l.line_id, wanted.units)
INSERT INTO unit_claims (claim_id, store_id, order_id, line_id, case_id, body_hash, units)
SELECT $6, store_id, order_id, line_id, $7, $8, units::int4multirange
  FROM taken
"""
# Locks the lines in the same order as everybody, and the claim's rows with them, so that totals are read
# as they are when the lock is held.
LOCK_CLAIM = """
SELECT l.line_id, c.units, c.returned, c.refunded, c.is_released
  FROM line_units l
  JOIN unit_claims c USING (store_id, order_id, line_id)
 WHERE l.store_id = $1 AND l.order_id = $2 AND c.claim_id = $3
 ORDER BY l.line_id
   FOR UPDATE OF l, c
"""
SETTLE_CLAIM = """
WITH change AS (
    SELECT line_id, returned, refunded, in_case, gives::int4multirange AS gives
      FROM unnest($5::text[], $6::integer[], $7::integer[], $8::integer[], $9::text[])
        AS change (line_id, returned, refunded, in_case, gives)),
settled AS (
    UPDATE unit_claims c
       SET returned = c.returned + change.returned, refunded = c.refunded + change.refunded,
           is_released = c.is_released OR $4
      FROM change
     WHERE c.claim_id = $3 AND c.line_id = change.line_id)
UPDATE line_units l
   SET returned = l.returned + change.returned, refunded = l.refunded + change.refunded,
       in_case = l.in_case + change.in_case, free = l.free + change.gives
  FROM change
 WHERE l.store_id = $1 AND l.order_id = $2 AND l.line_id = change.line_id
"""

GET_SHIPMENT = "SELECT order_id, body_hash FROM shipments WHERE store_id = $1 AND shipment_id = $2"
INSERT_SHIPMENT = """
INSERT INTO shipments (store_id, shipment_id, order_id, carrier, tracking_number, shipment, body_hash)
VALUES ($1, $2, $3, $4, $5, $6::text::jsonb, $7)
    ON CONFLICT (store_id, shipment_id) DO NOTHING
RETURNING 1
"""
SHIPPED_UNITS = """
SELECT part ->> 'line_id' AS line_id, sum((part ->> 'quantity')::bigint)::bigint AS shipped
  FROM shipments, jsonb_array_elements(shipment -> 'lines') AS part
 WHERE store_id = $1 AND order_id = $2
 GROUP BY part ->> 'line_id'
"""
RECORD_DELIVERY = """
WITH delivery AS (
    INSERT INTO deliveries (store_id, tracking_number, delivered_at)
    VALUES ($1, $2, $3)
        ON CONFLICT (store_id, tracking_number)
        DO UPDATE SET delivered_at = excluded.delivered_at
            WHERE excluded.delivered_at < deliveries.delivered_at
 RETURNING 1)
SELECT EXISTS (SELECT FROM delivery) AS is_new,
       EXISTS (SELECT FROM shipments WHERE store_id = $1 AND tracking_number = $2) AS is_outbound
"""
IS_OUTBOUND = "SELECT EXISTS (SELECT FROM shipments WHERE store_id = $1 AND tracking_number = $2)"

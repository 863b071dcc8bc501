"""The SQL of webhooks to stores."""

ENDPOINT_COLUMNS = "endpoint_id::text AS endpoint_id, store_id, url, events, secret, created_at"
PUT_ENDPOINT = f"""
INSERT INTO webhook_endpoints (endpoint_id, store_id, url, events, secret, created_at)
VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (store_id, url) DO UPDATE SET events = excluded.events
RETURNING {ENDPOINT_COLUMNS}, secret = $5 AS is_new
"""  # noqa: S608 — a constant of this module
ENDPOINTS = f"SELECT {ENDPOINT_COLUMNS} FROM webhook_endpoints WHERE store_id = $1 ORDER BY created_at"  # noqa: S608
ALL_ENDPOINTS = f"SELECT {ENDPOINT_COLUMNS} FROM webhook_endpoints"  # noqa: S608
DROP_ENDPOINT = "DELETE FROM webhook_endpoints WHERE store_id = $1 AND endpoint_id = $2 RETURNING 1"

POSITION = "SELECT position FROM news_position"
# Whoever moves the position has the changes behind it; another gateway that read them finds it moved.
MOVE_POSITION = "UPDATE news_position SET position = $2 WHERE position = $1 RETURNING 1"
TOLD = """
SELECT case_id, sequence, status, refunds::text AS refunds FROM told_cases WHERE case_id = ANY($1::text[])
"""
TELL = """
INSERT INTO told_cases (case_id, sequence, status, refunds)
SELECT case_id, sequence, status, refunds::jsonb
  FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[]) AS said (case_id, sequence, status, refunds)
    ON CONFLICT (case_id) DO UPDATE
   SET sequence = excluded.sequence, status = excluded.status, refunds = excluded.refunds
"""
QUEUE = """
INSERT INTO webhook_deliveries (delivery_id, endpoint_id, event, case_id, payload)
SELECT delivery_id, endpoint_id, event, case_id, payload
  FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[])
    AS news (delivery_id, endpoint_id, event, case_id, payload)
    ON CONFLICT (delivery_id) DO NOTHING
"""
# SKIP LOCKED lets several gateways send at once; the lease keeps a delivery with one of them for its time.
# Materialised, so that the limit holds. Attempts are counted here: whoever dies over one counts nothing.
LEASE = """
WITH due AS MATERIALIZED (
    SELECT delivery_id
      FROM webhook_deliveries
     WHERE state = 'pending' AND due_at <= now()
     ORDER BY due_at
     LIMIT $1
       FOR UPDATE SKIP LOCKED),
leased AS (
    UPDATE webhook_deliveries d
       SET state = CASE WHEN d.attempts < $3 THEN 'pending' ELSE 'dead' END,
           attempts = least(d.attempts + 1, $3), due_at = now() + $2::interval
      FROM due
     WHERE d.delivery_id = due.delivery_id
 RETURNING d.delivery_id, d.endpoint_id, d.event, d.case_id, d.payload, d.state, d.attempts, d.last_answer,
           d.queued_at)
SELECT d.delivery_id::text AS delivery_id, d.event, d.case_id, d.payload, d.state, d.attempts, d.last_answer,
       d.queued_at, e.endpoint_id::text AS endpoint_id, e.store_id, e.url, e.events, e.secret, e.created_at
  FROM leased d
  JOIN webhook_endpoints e USING (endpoint_id)
 WHERE d.state = 'pending'
"""
DELIVERED = """
UPDATE webhook_deliveries
   SET state = 'delivered', delivered_at = now(), last_answer = $2
 WHERE delivery_id = $1
"""
UNDELIVERED = """
UPDATE webhook_deliveries
   SET state = CASE WHEN $3::interval IS NULL THEN 'dead' ELSE 'pending' END,
       due_at = now() + coalesce($3::interval, '0'), last_answer = $2
 WHERE delivery_id = $1 AND state = 'pending'
"""
DELIVERIES = """
SELECT d.delivery_id::text AS delivery_id, d.endpoint_id::text AS endpoint_id, d.event, d.case_id, d.payload,
       d.state, d.attempts, d.last_answer, d.queued_at
  FROM webhook_deliveries d
  JOIN webhook_endpoints e USING (endpoint_id)
 WHERE e.store_id = $1 AND ($2 = '' OR d.state = $2)
 ORDER BY d.queued_at DESC, d.delivery_id
 LIMIT $3
"""
REPLAY = """
UPDATE webhook_deliveries d
   SET state = 'pending', attempts = 0, due_at = now()
  FROM webhook_endpoints e
 WHERE d.delivery_id = $2 AND e.endpoint_id = d.endpoint_id AND e.store_id = $1
RETURNING 1
"""

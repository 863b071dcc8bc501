"""The notification service's SQL."""

# One statement: the message is kept and the senders are woken, or what is known of it is returned. The
# update of a repeat changes nothing; it is there because a conflict that does nothing returns nothing.
ACCEPT = """
WITH known AS (
    INSERT INTO messages (message_id, store_id, case_id, body, body_hash)
    VALUES ($1, $2, $3, $4::text::jsonb, $5)
        ON CONFLICT (message_id) DO UPDATE SET message_id = excluded.message_id
 RETURNING status, body_hash)
SELECT status, body_hash, pg_notify('messages', '') FROM known
"""
OF_CASE = """
SELECT body::text AS body, status, attempts, sent_at, failure
  FROM messages
 WHERE store_id = $1 AND case_id = $2
 ORDER BY position
"""
# SKIP LOCKED lets several senders claim at once; the lease keeps a message with one of them for its time.
# Materialised, so that the limit holds. What was said earlier in a case leaves first.
CLAIM = """
WITH due AS MATERIALIZED (
    SELECT candidate.message_id
      FROM messages candidate
     WHERE candidate.status = 'queued' AND candidate.due_at <= now()
       AND NOT EXISTS (SELECT 1
                         FROM messages earlier
                        WHERE earlier.store_id = candidate.store_id
                          AND earlier.case_id = candidate.case_id
                          AND earlier.position < candidate.position
                          AND earlier.status IN ('queued', 'sending'))
     ORDER BY candidate.due_at
     LIMIT $1
       FOR UPDATE SKIP LOCKED)
UPDATE messages
   SET status = 'sending', attempts = attempts + 1, leased_until = now() + $2::interval, failure = NULL
  FROM due
 WHERE messages.message_id = due.message_id
RETURNING body::text AS body, attempts, accepted_at, now() - accepted_at AS age
"""
# The attempt fences: a sender whose lease ran out, and whose message another one has taken, changes nothing.
HAND_OVER = """
UPDATE messages
   SET handed_at = now(), leased_until = now() + $3::interval
 WHERE message_id = $1 AND attempts = $2 AND status = 'sending'
RETURNING 1
"""
# An outcome may come after its lease ran out; it still is the outcome of that attempt.
SENT = """
UPDATE messages
   SET status = 'sent', sent_at = now(), leased_until = NULL, failure = NULL
 WHERE message_id = $1 AND attempts = $2 AND status IN ('sending', 'unconfirmed')
"""
PUT_BACK = """
UPDATE messages
   SET status = 'queued', due_at = now() + $4::interval, leased_until = NULL, handed_at = NULL, failure = $3
 WHERE message_id = $1 AND attempts = $2 AND status IN ('sending', 'unconfirmed')
"""
FAIL = """
UPDATE messages
   SET status = 'failed', leased_until = NULL, failure = $3
 WHERE message_id = $1 AND attempts = $2 AND status IN ('sending', 'unconfirmed')
RETURNING now() AS failed_at
"""
LEAVE_UNCONFIRMED = """
UPDATE messages
   SET status = 'unconfirmed', leased_until = NULL, failure = $3
 WHERE message_id = $1 AND attempts = $2 AND status = 'sending'
"""
# What a dead sender had not handed over yet is free again; what it had is not sent a second time.
EXPIRE = """
UPDATE messages
   SET status = CASE WHEN handed_at IS NULL THEN 'queued' ELSE 'unconfirmed' END,
       leased_until = NULL,
       failure = 'sender lost'
 WHERE message_id IN (SELECT message_id
                        FROM messages
                       WHERE status = 'sending' AND leased_until < now()
                         FOR UPDATE SKIP LOCKED)
RETURNING message_id, status
"""

-- What is said to customers, at most once per message_id, and how far it is.
CREATE TABLE messages (
    position     bigint      GENERATED ALWAYS AS IDENTITY,
    message_id   text        PRIMARY KEY,
    store_id     text        NOT NULL,
    case_id      text        NOT NULL,
    body         jsonb       NOT NULL,
    body_hash    bytea       NOT NULL,
    status       text        NOT NULL DEFAULT 'queued'
                 CHECK (status IN ('queued', 'sending', 'sent', 'failed', 'unconfirmed')),
    attempts     integer     NOT NULL DEFAULT 0,
    accepted_at  timestamptz NOT NULL DEFAULT now(),
    due_at       timestamptz NOT NULL DEFAULT now(),
    leased_until timestamptz,
    -- Set before the mail server can take the message: from then on it may have been delivered.
    handed_at    timestamptz,
    sent_at      timestamptz,
    failure      text,
    CHECK ((status = 'sending') = (leased_until IS NOT NULL)),
    CHECK ((status = 'sent') = (sent_at IS NOT NULL)),
    CHECK (status <> 'queued' OR handed_at IS NULL)
);
CREATE INDEX messages_of_case ON messages (store_id, case_id, position);
CREATE INDEX messages_due ON messages (due_at) WHERE status = 'queued';
CREATE INDEX messages_leased ON messages (leased_until) WHERE status = 'sending';

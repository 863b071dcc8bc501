-- What this service learned, until it has been told to whom it concerns.
CREATE TABLE outbox (
    position     bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id     text        NOT NULL UNIQUE,
    fact         jsonb       NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    leased_until timestamptz NOT NULL DEFAULT '-infinity',
    attempts     integer     NOT NULL DEFAULT 0,
    acked_at     timestamptz
);
CREATE INDEX outbox_undelivered ON outbox (position) WHERE acked_at IS NULL;

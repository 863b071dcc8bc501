-- Where stores want to be told what happens; the secret signs what they are told.
CREATE TABLE webhook_endpoints (
    endpoint_id uuid        NOT NULL PRIMARY KEY,
    store_id    text        NOT NULL,
    url         text        NOT NULL,
    events      text[]      NOT NULL,
    secret      text        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (store_id, url)
);

-- How far the register's changes have been turned into news: one row.
CREATE TABLE news_position (
    is_only  boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (is_only),
    position text    NOT NULL
);
INSERT INTO news_position (position) VALUES ('');

-- What of a case has been told, so that the next change's news can be seen.
CREATE TABLE told_cases (
    case_id  text   NOT NULL PRIMARY KEY,
    sequence bigint NOT NULL,
    status   text   NOT NULL,
    refunds  jsonb  NOT NULL
);

-- One piece of news for one endpoint; its id is derived, so that it is queued once.
CREATE TABLE webhook_deliveries (
    delivery_id  uuid        NOT NULL PRIMARY KEY,
    endpoint_id  uuid        NOT NULL REFERENCES webhook_endpoints ON DELETE CASCADE,
    event        text        NOT NULL,
    case_id      text        NOT NULL,
    payload      text        NOT NULL,
    state        text        NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead')),
    attempts     integer     NOT NULL DEFAULT 0,
    due_at       timestamptz NOT NULL DEFAULT now(),
    last_answer  text        NOT NULL DEFAULT '',
    queued_at    timestamptz NOT NULL DEFAULT now(),
    delivered_at timestamptz
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (due_at) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_of_endpoint ON webhook_deliveries (endpoint_id, queued_at DESC, delivery_id);

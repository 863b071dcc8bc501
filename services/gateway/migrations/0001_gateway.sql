-- A store's keys, by their SHA-256: what is stolen from here opens nothing.
CREATE TABLE api_keys (
    key_hash   bytea       NOT NULL PRIMARY KEY CHECK (octet_length(key_hash) = 32),
    store_id   text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- What a caller asked for under a key of its own: the same key never stands for two requests.
CREATE TABLE idempotency_keys (
    store_id   text        NOT NULL,
    caller     text        NOT NULL,
    key        text        NOT NULL,
    body_hash  bytea       NOT NULL,
    case_id    text        UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (store_id, caller, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- Every case opened here, so that it is known whose it is before the register has it.
CREATE TABLE cases (
    case_id     text        NOT NULL PRIMARY KEY,
    store_id    text        NOT NULL,
    customer_id text        NOT NULL,
    request     jsonb       NOT NULL,
    opened_at   timestamptz
);

-- The first of the EU's two steps, and the second when it came. The receipt is sent until it is.
CREATE TABLE withdrawals (
    withdrawal_id   uuid        NOT NULL PRIMARY KEY,
    store_id        text        NOT NULL,
    customer_id     text        NOT NULL,
    order_id        text        NOT NULL,
    lines           jsonb       NOT NULL,
    statement       text        NOT NULL,
    body_hash       bytea       NOT NULL,
    declared_at     timestamptz NOT NULL,
    confirmed_at    timestamptz,
    case_id         text,
    receipt_sent_at timestamptz
);
CREATE INDEX withdrawals_without_receipt ON withdrawals (confirmed_at)
 WHERE case_id IS NOT NULL AND receipt_sent_at IS NULL;

-- When and by whom something was first reported under an id, so that a repeat says the same.
CREATE TABLE first_reports (
    store_id    text        NOT NULL,
    what        text        NOT NULL,
    report_id   text        NOT NULL,
    reported_at timestamptz NOT NULL,
    reported_by text        NOT NULL,
    PRIMARY KEY (store_id, what, report_id)
);

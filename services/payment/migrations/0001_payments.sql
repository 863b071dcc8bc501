-- The row every refund of an order locks, so that caps are checked one refund at a time.
CREATE TABLE order_payments (
    store_id  text   NOT NULL,
    order_id  text   NOT NULL,
    version   bigint NOT NULL,
    body_hash bytea  NOT NULL,
    currency  text   NOT NULL,
    PRIMARY KEY (store_id, order_id)
);

-- What was paid for a line; an empty line_id is shipping.
CREATE TABLE caps (
    store_id text   NOT NULL,
    order_id text   NOT NULL,
    line_id  text   NOT NULL,
    amount   bigint NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (store_id, order_id, line_id),
    FOREIGN KEY (store_id, order_id) REFERENCES order_payments
);

CREATE TABLE payments (
    store_id     text        NOT NULL,
    payment_id   text        NOT NULL,
    order_id     text        NOT NULL,
    provider     text        NOT NULL,
    method       text        NOT NULL,
    currency     text        NOT NULL,
    captured     bigint      NOT NULL CHECK (captured >= 0),
    captured_at  timestamptz NOT NULL,
    provider_ref text,
    PRIMARY KEY (store_id, payment_id),
    FOREIGN KEY (store_id, order_id) REFERENCES order_payments
);
CREATE INDEX payments_by_order ON payments (store_id, order_id);
CREATE INDEX payments_by_provider_ref ON payments (provider, provider_ref);

-- One intent, one movement: refund_id is the caller's and the provider's idempotency key.
CREATE TABLE refunds (
    refund_id          uuid        PRIMARY KEY,
    store_id           text        NOT NULL,
    payment_id         text        NOT NULL,
    order_id           text        NOT NULL,
    case_id            text,
    currency           text        NOT NULL,
    amount             bigint      NOT NULL CHECK (amount > 0),
    cause              text        NOT NULL,
    intent             jsonb,
    body_hash          bytea,
    status             text        NOT NULL
        CHECK (status IN ('pending', 'requires_action', 'succeeded', 'failed', 'canceled')),
    provider_refund_id text,
    failure            text,
    requested_at       timestamptz NOT NULL,
    settled_at         timestamptz,
    FOREIGN KEY (store_id, payment_id) REFERENCES payments,
    CHECK ((case_id IS NULL) = (intent IS NULL))
);
CREATE UNIQUE INDEX refunds_by_provider_refund ON refunds (provider_refund_id);
CREATE INDEX refunds_by_payment ON refunds (store_id, payment_id);
CREATE INDEX refunds_by_order ON refunds (store_id, order_id);

CREATE TABLE refund_parts (
    refund_id uuid   NOT NULL REFERENCES refunds,
    line_id   text   NOT NULL,
    amount    bigint NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (refund_id, line_id)
);

-- Double entry: positive is debit, negative credit; a transaction sums to zero, and nothing is ever changed.
CREATE TABLE ledger_entries (
    position       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transaction_id text        NOT NULL,
    store_id       text        NOT NULL,
    account        text        NOT NULL,
    currency       text        NOT NULL,
    minor_units    bigint      NOT NULL,
    payment_id     text        NOT NULL,
    refund_id      uuid        REFERENCES refunds,
    memo           text        NOT NULL,
    business_at    timestamptz NOT NULL,
    posted_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (transaction_id, account)
);
CREATE INDEX ledger_by_payment ON ledger_entries (store_id, payment_id, position);
CREATE INDEX ledger_by_refund ON ledger_entries (refund_id);

CREATE FUNCTION ledger_transaction_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT sum(minor_units) FROM ledger_entries WHERE transaction_id = NEW.transaction_id) <> 0 THEN
        RAISE EXCEPTION 'ledger transaction % does not balance', NEW.transaction_id;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_balances AFTER INSERT ON ledger_entries
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_transaction_balances();

CREATE FUNCTION ledger_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is never changed';
END $$;
CREATE TRIGGER ledger_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_immutable();

-- Webhooks as they came.
CREATE TABLE provider_events (
    provider     text        NOT NULL,
    event_id     text        NOT NULL,
    payload      bytea       NOT NULL,
    received_at  timestamptz NOT NULL DEFAULT now(),
    processed_at timestamptz,
    PRIMARY KEY (provider, event_id)
);

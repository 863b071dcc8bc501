-- How far the janitor has come in what it walks over; position is what it looked at last.
CREATE TABLE mending_walks (
    source      text        PRIMARY KEY,
    position    text        NOT NULL DEFAULT '',
    since       timestamptz NOT NULL,
    began_at    timestamptz NOT NULL,
    is_finished boolean     NOT NULL DEFAULT false
);

-- What breaks an invariant, for as long as it does.
CREATE TABLE findings (
    store_id   text        NOT NULL,
    invariant  text        NOT NULL,
    subject    text        NOT NULL,
    violations bigint      NOT NULL CHECK (violations > 0),
    found_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (store_id, invariant, subject)
);

-- A refund that was refused because the bank held the payment's money: its case is told when that is free again.
CREATE TABLE refused_refunds (
    refund_id  uuid        PRIMARY KEY,
    store_id   text        NOT NULL,
    payment_id text        NOT NULL,
    case_id    text        NOT NULL,
    refused_at timestamptz NOT NULL,
    FOREIGN KEY (store_id, payment_id) REFERENCES payments
);
CREATE INDEX refused_refunds_by_payment ON refused_refunds (store_id, payment_id);

-- Everything a provider said of a dispute, also of payments that we do not know (yet).
CREATE TABLE dispute_tellings (
    provider            text        NOT NULL,
    telling_id          text        NOT NULL,
    provider_dispute_id text        NOT NULL,
    provider_ref        text        NOT NULL,
    status              text        NOT NULL,
    told_at             timestamptz NOT NULL,
    currency            text        NOT NULL,
    amount              bigint      NOT NULL CHECK (amount >= 0),
    withdrawn           bigint      NOT NULL,
    fee                 bigint      NOT NULL,
    movements           bigint      NOT NULL,
    reason              text        NOT NULL,
    due_by              timestamptz,
    PRIMARY KEY (provider, telling_id)
);
CREATE INDEX tellings_by_dispute ON dispute_tellings (provider, provider_dispute_id);
CREATE INDEX tellings_by_provider_ref ON dispute_tellings (provider, provider_ref);

-- Where a dispute of a payment of ours stands, and what it has done to our money.
CREATE TABLE disputes (
    dispute_id          uuid        PRIMARY KEY,
    provider            text        NOT NULL,
    provider_dispute_id text        NOT NULL,
    store_id            text        NOT NULL,
    payment_id          text        NOT NULL,
    order_id            text        NOT NULL,
    currency            text        NOT NULL,
    amount              bigint      NOT NULL CHECK (amount >= 0),
    status              text        NOT NULL,
    reason              text        NOT NULL,
    due_by              timestamptz,
    frozen              bigint      NOT NULL CHECK (frozen >= 0),
    lost                bigint      NOT NULL CHECK (lost >= 0),
    fee                 bigint      NOT NULL,
    told_at             timestamptz NOT NULL,
    FOREIGN KEY (store_id, payment_id) REFERENCES payments,
    UNIQUE (provider, provider_dispute_id),
    CHECK (frozen = 0 OR lost = 0)
);
CREATE INDEX disputes_by_payment ON disputes (store_id, payment_id);

-- What a posting is about, if it is no refund.
ALTER TABLE ledger_entries ADD COLUMN dispute_id uuid;

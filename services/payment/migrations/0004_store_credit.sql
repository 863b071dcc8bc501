-- Whose credit a refund of the order becomes; unknown of orders registered before.
ALTER TABLE order_payments ADD COLUMN customer_id text;

-- Credit is about a lot, not about a payment. New rows are checked; the old ones all have a payment.
-- squawk-ignore ban-drop-not-null -- nobody but this service reads the table
ALTER TABLE ledger_entries ALTER COLUMN payment_id DROP NOT NULL;
ALTER TABLE ledger_entries ADD CONSTRAINT ledger_is_about_something
    CHECK (payment_id IS NOT NULL OR transaction_id LIKE 'credit/%') NOT VALID;

-- The row that whoever gives or takes a customer's credit locks, so that of two spends the second sees the first.
CREATE TABLE credit_accounts (
    store_id    text NOT NULL,
    customer_id text NOT NULL,
    currency    text NOT NULL,
    PRIMARY KEY (store_id, customer_id, currency)
);

-- Credit as it was given. What is left of it is what the ledger says: no column holds it. lot_id is the
-- caller's, or derived from the refund (and, of what is given back, from the lot that had been spent).
CREATE TABLE credit_lots (
    lot_id        uuid        PRIMARY KEY,
    store_id      text        NOT NULL,
    customer_id   text        NOT NULL,
    currency      text        NOT NULL,
    amount        bigint      NOT NULL CHECK (amount > 0),
    cause         text        NOT NULL,
    case_id       text,
    granted_at    timestamptz NOT NULL,
    expires_at    timestamptz,
    body_hash     bytea,
    refund_id     uuid        REFERENCES refunds,
    spent_lot_id  uuid        REFERENCES credit_lots,
    posted_at     timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (store_id, customer_id, currency) REFERENCES credit_accounts,
    CHECK (expires_at > granted_at),
    CHECK ((body_hash IS NULL) = (refund_id IS NOT NULL)),
    CHECK (spent_lot_id IS NULL OR refund_id IS NOT NULL)
);
CREATE INDEX credit_lots_by_customer ON credit_lots (store_id, customer_id, currency);
CREATE INDEX credit_lots_by_refund ON credit_lots (refund_id) WHERE refund_id IS NOT NULL;
CREATE INDEX credit_lots_of_refunds ON credit_lots (posted_at, refund_id) WHERE refund_id IS NOT NULL;

-- Which transactions of the ledger move which lot. The amounts stand in the ledger alone.
CREATE TABLE credit_postings (
    transaction_id text PRIMARY KEY,
    lot_id         uuid NOT NULL REFERENCES credit_lots,
    kind           text NOT NULL CHECK (kind IN ('issue', 'spend', 'expire')),
    payment_id     text,
    CHECK ((kind = 'spend') = (payment_id IS NOT NULL))
);
CREATE INDEX credit_postings_by_lot ON credit_postings (lot_id);
CREATE INDEX credit_postings_by_payment ON credit_postings (payment_id) WHERE payment_id IS NOT NULL;

CREATE TRIGGER credit_lots_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON credit_lots
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_immutable();
CREATE TRIGGER credit_postings_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON credit_postings
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_immutable();

-- Lots that are still to lapse; a row goes when its lot has lapsed, whether anything was left of it or not.
CREATE TABLE credit_expiries (
    lot_id     uuid        PRIMARY KEY REFERENCES credit_lots,
    expires_at timestamptz NOT NULL
);
CREATE INDEX credit_expiries_due ON credit_expiries (expires_at);

-- The last line of defence: a lot is never spent beyond what it holds, nor given twice.
CREATE FUNCTION credit_lot_holds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT -coalesce(sum(e.minor_units), 0) NOT BETWEEN 0 AND lot.amount
          FROM credit_lots lot
          JOIN credit_postings p USING (lot_id)
          JOIN ledger_entries e ON e.transaction_id = p.transaction_id AND e.account = 'store_credit'
         WHERE lot.lot_id = NEW.lot_id GROUP BY lot.amount)
    THEN
        RAISE EXCEPTION 'more than credit lot % holds', NEW.lot_id;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER credit_lot_holds AFTER INSERT ON credit_postings
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION credit_lot_holds();

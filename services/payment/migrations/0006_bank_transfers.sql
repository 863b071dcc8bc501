-- Refunds that finance has paid by bank transfer, as they were told of; the refund says how much and for what.
CREATE TABLE bank_transfers (
    refund_id uuid        PRIMARY KEY REFERENCES refunds,
    told_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX bank_transfers_by_time ON bank_transfers (told_at, refund_id);
CREATE TRIGGER bank_transfers_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON bank_transfers
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_immutable();

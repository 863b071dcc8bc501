-- A transaction adds up to nothing in each store and currency: a debit of one is no credit of another.
CREATE OR REPLACE FUNCTION ledger_transaction_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM ledger_entries WHERE transaction_id = NEW.transaction_id
                GROUP BY store_id, currency HAVING sum(minor_units) <> 0)
    THEN
        RAISE EXCEPTION 'ledger transaction % does not balance', NEW.transaction_id;
    END IF;
    RETURN NULL;
END $$;

-- The chart of accounts. What was posted before is validated by the next migration, which locks out nobody.
ALTER TABLE ledger_entries ADD CONSTRAINT ledger_account_in_chart
    CHECK (account IN ('provider', 'bank', 'captured', 'refund_payable', 'dispute_frozen', 'dispute_losses',
                       'provider_fees', 'store_credit', 'credit_granted', 'credit_breakage',
                       'freight_recovery')) NOT VALID;

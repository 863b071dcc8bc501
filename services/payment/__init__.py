"""The payment service: what was captured, what goes back, and the ledger that says so."""

"""Money in PostgreSQL: one method, one transaction, one business fact."""

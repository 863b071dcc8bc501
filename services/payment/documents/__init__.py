"""Invoices, credit notes and debit notes: issued, numbered, kept, rendered."""

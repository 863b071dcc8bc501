"""Carriers: one module each, and the table that names them."""

"""A real week of a real shop through the whole system, from outside: REST and signed webhooks alone."""

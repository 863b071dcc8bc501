"""Ways to the customer: one module each."""

"""How Recourse is run."""

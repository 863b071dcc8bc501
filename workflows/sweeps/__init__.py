"""Sweeps: they compare the parts of the system, repair what is certain, and ask about the rest."""

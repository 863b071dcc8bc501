"""Payment providers: one module each, proven by one contract suite."""

"""Cases, tasks, evidence and policies in their tables."""

"""Plumbing without business words: settings, logs, PostgreSQL, gRPC, the outbox, wire conversion."""

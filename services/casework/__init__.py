"""The register of cases, the inbox of human tasks, evidence, and policies."""

"""How every process speaks to Temporal: one converter, one codec, one place that connects."""

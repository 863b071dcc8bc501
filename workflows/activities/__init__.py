"""What workflows have done in the world outside, one module per service."""

"""One client per service: domain values in, gRPC out."""

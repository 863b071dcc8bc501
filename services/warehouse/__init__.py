"""The warehouse service: what is expected back, what came, how good it is, where it lies."""

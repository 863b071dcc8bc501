"""Cases as Temporal workflows, the activities they call, and the worker that runs them."""

"""Performance as ratios in one run: what a return costs beside a bare workflow of the same shape."""

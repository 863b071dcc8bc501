"""Performance as ratios in one run: a return beside a bare workflow of its shape, a refund beside its SQL."""

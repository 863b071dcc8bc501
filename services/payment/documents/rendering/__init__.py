"""Documents as files: pure in the stored document, the same bytes each time."""

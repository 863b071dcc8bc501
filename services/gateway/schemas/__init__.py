"""The documents of the public contract: strict in what is taken, complete in what is published."""

"""The pure core: values and rules only. Standard library, synchronous, no clock, no random."""

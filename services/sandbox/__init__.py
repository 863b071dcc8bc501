"""The sandbox: the outside world's stand-in, a card processor and a carrier, with its own truth.

It shares nothing with the rest but its settings, and is spoken to over HTTP alone. What the processor
moved is in its own file; what Recourse believes is not asked.
"""

"""One workflow per kind of case, and the nouns they share."""

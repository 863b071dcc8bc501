"""The notification service: what customers are told, at most once per fact, in their language."""

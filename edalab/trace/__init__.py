"""Readers of a run's record: the spans of its handlers, and what became of each message."""

"""How a run's record is read: what was handled, and what became of messages."""

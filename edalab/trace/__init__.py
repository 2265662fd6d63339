"""How a run's record is read: what was handled, what was sent, what was down."""

"""How a run's trace is read: what was handled, what was sent, what was down."""

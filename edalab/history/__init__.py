"""What happened: the steps of a run, what can be read from them, and streams of events that are kept."""

from .run import Run
from .steps import WIDTH, Failure, Step
from .store import EventStore
from .table import read_table

__all__ = ["WIDTH", "EventStore", "Failure", "Run", "Step", "read_table"]

"""An event store: streams of events in SQLite, asked by the time of what happened or of when it was recorded."""

from .event_store import EventStore
from .from_table import read_table

__all__ = ["EventStore", "read_table"]

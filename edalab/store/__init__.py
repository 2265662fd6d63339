"""An event store in SQLite, queried by when events happened and by when they were recorded."""

from .event_store import EventStore
from .from_table import read_table

__all__ = ["EventStore", "read_table"]

"""Pictures of a run: `timeline` and `flow`. matplotlib and networkx are imported when they are first needed."""

from .flow import flow
from .picture import Picture
from .timeline import timeline

__all__ = ["Picture", "flow", "timeline"]

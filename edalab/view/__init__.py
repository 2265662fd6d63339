"""Pictures of a run, `timeline` and `flow`, and of many, `matrix`. matplotlib and networkx are imported when they are first needed."""

from .flow import flow
from .matrix import matrix
from .picture import Picture
from .timeline import timeline

__all__ = ["Picture", "flow", "matrix", "timeline"]

"""Panels of widgets: a skin over functions that a lesson has called by hand first."""

from .laboratory import Laboratory
from .time_travel import TimeTravel

__all__ = ["Laboratory", "TimeTravel"]

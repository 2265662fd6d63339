"""Panels of widgets for functions that a lesson has called by hand first."""

from ..errors import needed_for

with needed_for("a panel such as Laboratory"):
    from .laboratory import Laboratory
    from .time_travel import TimeTravel

__all__ = ["Laboratory", "TimeTravel"]


def __dir__() -> list[str]:
    return __all__

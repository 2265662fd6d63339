"""What happens: a system in virtual time, with faults at the points that its patterns are about."""

from .faults import ACTIONS, Fault, Faults, Window, cut, pause, points
from .plans import parse_plan
from .possible import possible
from .simulate import simulate
from .world import World

__all__ = [
    "ACTIONS",
    "Fault",
    "Faults",
    "Window",
    "World",
    "cut",
    "parse_plan",
    "pause",
    "points",
    "possible",
    "simulate",
]

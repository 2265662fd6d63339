"""What happens: a system in virtual time, with faults at the points that its patterns are about."""

from .faults import ACTIONS, Fault, Faults, Window, cut, pause, points
from .plans import parse_plan
from .possible import possible
from .printed import Printed, printing, quiet
from .simulate import simulate
from .world import World

__all__ = [
    "ACTIONS",
    "Fault",
    "Faults",
    "Printed",
    "Window",
    "World",
    "cut",
    "parse_plan",
    "pause",
    "points",
    "possible",
    "printing",
    "quiet",
    "simulate",
]

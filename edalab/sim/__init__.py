"""What happens: a system in virtual time, with faults at the points that its patterns are about."""

from .faults import ACTIONS, Fault, Faults, Window, cut, pause, points
from .possible import possible
from .simulate import simulate
from .world import World

__all__ = ["ACTIONS", "Fault", "Faults", "Window", "World", "cut", "pause", "points", "possible", "simulate"]

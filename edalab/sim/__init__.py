"""The simulation: a system runs in virtual time, with faults at the points that its patterns are about."""

from .context import Context
from .deploy import Deploy, deploy
from .faults import ACTIONS, Fault, Faults
from .going_back import restore, rewind
from .plan import AnyFault, parse_plan
from .points import actions_at, enumerate_faults, points
from .printed import Printed, printing, quiet
from .simulate import simulate
from .windows import AtTime, Repartition, Scale, Skew, Window, cut, pause, repartition, scale, skew
from .world import World

__all__ = [
    "ACTIONS",
    "AnyFault",
    "AtTime",
    "Context",
    "Deploy",
    "Fault",
    "Faults",
    "Printed",
    "Repartition",
    "Scale",
    "Skew",
    "Window",
    "World",
    "actions_at",
    "cut",
    "deploy",
    "enumerate_faults",
    "parse_plan",
    "pause",
    "points",
    "printing",
    "quiet",
    "repartition",
    "restore",
    "rewind",
    "scale",
    "simulate",
    "skew",
]

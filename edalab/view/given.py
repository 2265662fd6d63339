"""What a picture of a run is given: a run, and moments in seconds; else it is said what to pass."""

from math import isfinite
from numbers import Real
from typing import Any

from ..errors import Misuse, shown
from ..sim import World


def check_run(picture: str, given: Any, instead: str = "pass the run") -> None:
    """Refuse what is no run; of the world at a moment (`run.at(10)`), say what to do `instead`."""
    if isinstance(given, World):
        moment = f"{given.now / 1000:g}"
        raise Misuse(
            f"{picture} takes a run, and this is the world as it was at {moment} s: {instead.format(moment)}"
        )
    if not hasattr(given, "journal"):
        raise Misuse(
            f"{picture} takes a run, such as simulate(system, workload), not {shown(given)}"
        )


def check_is(picture: str, kind: type, what: str, given: Any) -> None:
    """Refuse what is not of a kind; `what` says in words what is taken."""
    if not isinstance(given, kind):
        raise Misuse(f"{picture} takes {what}, not {shown(given)}")


STORE = 'an event store, such as EventStore("shop.db")'


def check_seconds(**given: Any) -> None:
    """Refuse what is no number of seconds."""
    for name, seconds in given.items():
        if seconds is not None and (
            isinstance(seconds, bool) or not isinstance(seconds, Real) or not isfinite(seconds)
        ):
            raise Misuse(f"{name}= takes seconds, a number, not {shown(seconds)}")

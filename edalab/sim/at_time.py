"""The base class of the faults and changes that happen at a time of a run, and checks that they share."""

from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import Misuse, Unknown, listed, shown
from ..model import System

if TYPE_CHECKING:
    from .world import World

SECONDS = r"(\d*\.?\d+(?:e[+-]?\d+)?)"


class Timed:
    """A fault or change at a time. `check` raises Misuse if it could never strike a system. `strike` applies it to a
    world, and returns False if that changes nothing."""

    keeps_alive: ClassVar[bool] = False  # a run does not end before it

    def check(self, system: System) -> None:
        _check_service(self, system)

    def strike(self, world: "World") -> bool:
        raise NotImplementedError

    def __repr__(self) -> str:
        return repr(str(self))


def check_name(what: str, name: object, kind: str = "service, such as 'payments'") -> None:
    """Raise Misuse unless a name is a text."""
    if not isinstance(name, str):
        raise Misuse(f"{what} takes the name of a {kind}, not {shown(name)}")


def _check_service(fault: Any, system: System) -> None:
    """Raise Misuse if the fault's service does not belong to the system."""
    if fault.service == "client":
        services = listed(system.services)
        raise Misuse(f"{fault}: the client plays the outside world; {fault.do} one of {services}")
    if fault.service not in system.services:
        raise Unknown("service", fault.service, system.services)

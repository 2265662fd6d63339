"""What happens at a time of a run: the base class of these faults and changes, with the checks that they share."""

from dataclasses import MISSING
from typing import TYPE_CHECKING, ClassVar

from ..errors import Misuse, Unknown, listed, shown
from ..model import System
from ..model.numbers import check_whole
from .clock import milliseconds

if TYPE_CHECKING:
    from .world import World

SECONDS = r"\d*\.?\d+(?:e[+-]?\d+)?"
KINDS = dict.fromkeys(("service", "topic", "from_"), str)  # of arguments; the others are seconds
KINDS |= dict.fromkeys(("replica", "replicas", "partitions"), int)


class AtTime:
    """A fault or change at a time of a run. Its subclasses are named like functions, because learners call them so."""

    keeps_alive: ClassVar[bool] = False  # a run does not end before it

    if TYPE_CHECKING:  # each has these, most often as fields

        @property
        def service(self) -> str: ...
        @property
        def start(self) -> float | None: ...  # when it strikes, in seconds

    def __post_init__(self):
        """Raise Misuse unless each argument is of its kind."""
        (first, place), *others = vars(self).items()
        check_name(self.do, place, first)
        for name, value in others:
            what, kind = f"{self.do} {place}: {name}=", KINDS.get(name, float)
            if value is getattr(type(self), name, MISSING):
                continue  # the default
            if kind is float:
                milliseconds(value, what)
            elif kind is int:
                check_whole(what, value)
            else:
                check_name(what, value)

    @property
    def do(self) -> str:
        return type(self).__name__.lower()

    def check(self, system: System) -> None:
        """Raise Misuse if it could never strike this system."""
        if self.service == "client":
            services = listed(system.services)
            raise Misuse(f"{self}: the client plays the outside world; {self.do} one of {services}")
        if self.service not in system.services:
            raise Unknown("service", self.service, system.services)

    def strike(self, world: "World") -> bool:
        """Apply it to a world. Returns False if that changes nothing."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return repr(str(self))


def check_name(what: str, name: object, kind: str = "service") -> None:
    """Raise Misuse unless a name is a text."""
    if not isinstance(name, str):
        example = "orders" if kind == "topic" else "payments"
        raise Misuse(f"{what} takes the name of a {kind}, such as {example!r}, not {shown(name)}")

"""A service is restored from a backup: its database goes back in time, and nothing else does."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..errors import Misuse
from ..model import System
from .at_time import SECONDS, Timed, check_name, check_service
from .changes import back_to
from .clock import milliseconds
from .steps import WIDTH

if TYPE_CHECKING:
    from .world import World

_RESTORE = re.compile(rf"restore +([\w-]+) +to +{SECONDS} *s +at +{SECONDS} *s")


@dataclass(frozen=True, repr=False)
class Restore(Timed):
    """At a time (seconds), the database of a service becomes what it was at an earlier one."""

    do: ClassVar[str] = "restore"
    keeps_alive: ClassVar[bool] = True
    service: str
    to: float
    start: float

    def __post_init__(self):
        check_name("restore", self.service)
        what = f"restore {self.service}"
        to, at = milliseconds(self.to, f"{what}: to="), milliseconds(self.start, f"{what}: at=")
        if to >= at:
            raise Misuse(f"{self}: a backup is older than what it replaces; give a to= before at=")

    def __str__(self) -> str:
        return f"restore {self.service} to {self.to:g} s at {self.start:g} s"

    def check(self, system: System) -> None:
        check_service(self, system)

    def strike(self, world: "World") -> bool:
        database, until = world.services[self.service].database, round(self.to * 1000)
        kept = [
            statements
            for save, statements in database.saves.items()
            if world.record[save * WIDTH] <= until
        ]
        if len(kept) == len(database.saves):
            return False
        world.record_step("restore", (self.service, 1), detail=f"to {self.to:g} s")
        database.saves[len(world.record) // WIDTH - 1] = [("restore", "", kept)]
        back_to(database, kept)
        return True


def restore(service: str, to: float, at: float) -> Restore:
    """A fault: at `at` (seconds), the database of a service is restored from a backup made at `to`.

        simulate(shop, three_orders, faults=[restore("billing", to=2, at=5)])

    What was committed up to `to` is there, and what was saved later is gone. The service's positions in topics and
    queues stay, and so do its numbers, its ids and `ctx.state`. A run does not end before `at`."""
    return Restore(service, to, at)


def parse_restore(text: str) -> Restore | None:
    """A restore from its text form."""
    match = _RESTORE.fullmatch(text)
    return restore(match[1], float(match[2]), float(match[3])) if match else None

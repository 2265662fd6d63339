"""A service goes back in time: its database is restored from a backup, or its group rewinds in its topics."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..errors import Misuse
from ..model import System
from .at_time import Timed, check_name, check_service
from .changes import back_to
from .clock import milliseconds
from .logs import DatedLog
from .steps import WIDTH

if TYPE_CHECKING:
    from .world import World


@dataclass(frozen=True, repr=False)
class Back(Timed):
    """At a time (seconds), something of a service goes back to an earlier time."""

    do: ClassVar[str]
    keeps_alive: ClassVar[bool] = True
    service: str
    to: float
    start: float

    def __post_init__(self):
        check_name(self.do, self.service)
        what = f"{self.do} {self.service}"
        to, at = milliseconds(self.to, f"{what}: to="), milliseconds(self.start, f"{what}: at=")
        if to >= at:
            raise Misuse(f"{self}: it goes back to an earlier time; give a to= before at=")

    def __str__(self) -> str:
        return f"{self.do} {self.service} to {self.to:g} s at {self.start:g} s"

    def check(self, system: System) -> None:
        check_service(self, system)


class Restore(Back):
    """At a time (seconds), the database of a service becomes what it was at an earlier one."""

    do = "restore"

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


class Rewind(Back):
    """At a time (seconds) a group goes back to what was stored since an earlier time."""

    do = "rewind"

    def strike(self, world: "World") -> bool:
        since, back = round(self.to * 1000), False
        logs = [log for log in world.channels.values() if isinstance(log, DatedLog)]
        every = [(log, reader) for log in logs for readers in log.readers for reader in readers]
        for log, reader in every:
            if reader.service.name != self.service:
                continue
            partition = reader.partition
            offset = max(log.first_since(partition, since), log.first_kept(partition))
            in_hand = reader.execution is not None and reader.execution.handler is not None
            if offset < reader.position + in_hand:
                reader.go_back(offset)
                back = True
        return back


def restore(service: str, to: float, at: float) -> Restore:
    """A fault: at `at` (seconds), the database of a service is restored from a backup made at `to`.

        simulate(shop, three_orders, faults=[restore("billing", to=2, at=5)])

    What was committed up to `to` is there, and what was saved later is gone. The service's positions in topics and
    queues stay, and so do its numbers, its ids and `ctx.state`. A run does not end before `at`."""
    return Restore(service, to, at)


def rewind(service: str, at: float, to: float = 0) -> Rewind:
    """At a time (seconds), the group of a service goes back to the first message that its topics stored at `to` or later.

        simulate(shop, many_orders, faults=[rewind("reports", at=20)])

    What is still kept from there on is handled again. A message in hand is finished first. Queues have nothing to go
    back to. A run does not end before `at`. Raises Misuse for a `to` that does not come before it."""
    return Rewind(service, to, at)

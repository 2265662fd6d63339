"""Returns to an earlier time: a service's database is restored from a backup, or its group rewinds in its topics."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..errors import Misuse
from .at_time import Timed, check_name
from .changes import back_to
from .clock import milliseconds
from .logs import DatedLog
from .steps import WIDTH

if TYPE_CHECKING:
    from .world import World


@dataclass(frozen=True, repr=False)
class Back(Timed):
    """A return of a service's database or group, at a time (seconds), to an earlier time `to`."""

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
        return f"{self.do} {self.service} to {self.to:.15g} s at {self.start:.15g} s"


class Restore(Back):
    """A return of a service's database to its contents at an earlier time."""

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
    """A return of a group to the messages that were stored since an earlier time."""

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
                reader.rewind(offset)
                back = True
        return back


def restore(service: str, to: float, at: float) -> Restore:
    """A fault that restores the database of a service at `at` (seconds) from a backup made at `to`.

        simulate(shop, three_orders, faults=[restore("billing", to=2, at=5)])

    Saves up to `to` are kept, and later ones are lost. The service's positions, sequences, ids and `ctx.state` do
    not change. A run does not end before `at`. Raises Misuse unless `to` is before `at`."""
    return Restore(service, to, at)


def rewind(service: str, at: float, to: float = 0) -> Rewind:
    """A return of a service's group, at `at` (seconds), to the first message that its topics stored at `to` or later.

        simulate(shop, many_orders, faults=[rewind("reports", at=20)])

    All messages since then that are still kept are handled again, after the message in hand. Queues are not
    affected. A run does not end before `at`. Raises Misuse if `to` is not before `at`."""
    return Rewind(service, to, at)

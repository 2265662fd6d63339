"""A tick is a function of a service that one of its replicas runs every so many seconds."""

from heapq import heappush
from typing import TYPE_CHECKING

from ..model import Envelope, Tick
from .limits import MOST_ATTEMPTS, MOST_BUSY_TICKS

if TYPE_CHECKING:
    from .version import Version

MOST_FAILURES = 10  # in a row; after so many there is no waiting for one that succeeds


class Ticking:
    """A tick at run time. It does not keep the run alive, and two of it never overlap."""

    publishes = True
    partition = None

    def __init__(self, world, tick: Tick, version: "Version"):
        self.world, self.tick, self.version = world, tick, version
        self.every = max(1, round(tick.seconds * 1000))
        self.ran = 0
        self.running = False
        self.failures = 0  # in a row
        self.stamp = -1  # what had happened when it last did nothing
        self._schedule()

    def _schedule(self) -> None:
        world = self.world
        heappush(world.background, (world.now + self.every, next(world.number), self.fire, self))

    def idle(self) -> bool:
        """Whether it ran after the last thing that happened, and did nothing."""
        return self.stamp == self.world.step_count()

    def fire(self, _) -> None:
        self._schedule()
        world, name, service = self.world, self.tick.name, self.tick.service
        replicas = world.services[service].serving
        takes = (one for one in replicas if one.up and not one.paused and one.next_version is None)
        replica = next(takes, None)  # its leader
        if replica is None or self.running:
            return
        self.ran += 1
        if replica.version is not self.version:
            self.stamp = world.step_count()
            return
        self.running = True
        world.ticked[service, name] += 1
        self.before = world.step_count()
        world.tick_rows += 1
        id = f"{service}.{name}-{world.ticked[service, name]}"
        envelope = Envelope(id, name, None, service, None, None, world.now, None, None, 0)
        execution = replica.new_execution(self, envelope)
        execution.begin(self.tick)

    def handled(self, execution, _) -> None:
        self.failures = 0
        execution.record_step("done")
        self._ended(execution)

    def failed(self, execution, error: Exception) -> None:
        self.failures += 1
        execution.record_failure("failure", error)
        self._ended(execution)

    def abandoned(self, execution) -> None:
        self.running = False
        self.failures += 1
        if self.failures > MOST_ATTEMPTS:
            self._endless(f"crashes every time, over {MOST_ATTEMPTS:,} times")

    def _ended(self, execution) -> None:
        world = self.world
        self.running = False
        execution.replica.finish(execution)
        world.tick_rows += 1
        if world.step_count() == self.before and not 0 < self.failures < MOST_FAILURES:
            self.stamp = self.before
        elif len(world.agenda) == world.cancelled:
            world.busy_ticks += 1
            if world.busy_ticks > MOST_BUSY_TICKS:
                self._endless("always has something to do; give `until=`")

    def _endless(self, what: str) -> None:
        self.world.endless(f"the tick {self.tick.service}.{self.tick.name} {what}")

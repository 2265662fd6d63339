"""Ticks: functions of a service that one of its replicas runs at a fixed interval."""

from heapq import heappush
from typing import TYPE_CHECKING

from ..model import Envelope, Tick
from .limits import MOST_ATTEMPTS, MOST_BUSY_TICKS

if TYPE_CHECKING:
    from .execution import Execution
    from .replicas import Replica
    from .version import Version

MOST_FAILURES = 10  # in a row; after so many, the run does not wait for a success


class Lease:
    """The lease of a tick, in all versions of its service: its leader, and a token that counts the leaders."""

    leader: "Replica | None" = None
    token = 0


class Ticking:
    """A tick at run time. It does not keep the run alive. Its runs overlap only after a lease has run out.

    current: the run under way; with a lease, that of the leader."""

    publishes = True
    partition = None

    def __init__(self, world, tick: Tick, version: "Version"):
        self.world, self.tick, self.version = world, tick, version
        self.every = max(1, round(tick.seconds * 1000))
        self.lease_lasts = None if tick.lease is None else round(tick.lease * 1000)
        self.ran = 0
        self.current: Execution | None = None
        self.lease = world.leases[tick.service, tick.name]
        self.failures = 0  # in a row
        self.idle_at = -1  # the number of steps when it last did nothing
        self._schedule()

    def _schedule(self) -> None:
        world = self.world
        heappush(world.background, (world.now + self.every, next(world.number), self.fire, self))

    def idle(self) -> bool:
        """Whether it has run since the last step was recorded, and did nothing."""
        return self.idle_at == self.world.step_count()

    def fire(self, _) -> None:
        self._schedule()
        world, name, service = self.world, self.tick.name, self.tick.service
        replicas = world.services[service].members
        live = [one for one in replicas if one.up and not one.paused]
        ready = [one for one in live if one.next_version is None]
        replica = next(iter(ready or live), None)  # its leader
        if self.lease_lasts is not None:
            replica = self._leader(replica)
        if replica is None or self.current is not None or replica.next_version is not None:
            return
        self.ran += 1
        if replica.version is not self.version:
            self.idle_at = world.step_count()
            return
        world.ticked[service, name] += 1
        self.before = world.step_count()
        world.tick_rows += 1
        id = f"{service}.{name}-{world.ticked[service, name]}"
        envelope = Envelope(id, name, None, service, None, None, world.now, None, None, 0)
        self.current = execution = replica.new_execution(self, envelope)
        execution.lease = self.lease.token or None
        execution.begin(self.tick)

    def _leader(self, live: "Replica | None") -> "Replica | None":
        """The replica that has the lease and can run, or `live` if it takes over the lease; None if nobody can run."""
        leader = self.lease.leader
        if leader is not None:
            still = not leader.up or leader.paused
            if not (still or (leader.left and self.current is None)):
                return leader
            if live is None or (still and self.world.now - leader.stopped < self.lease_lasts):
                return None
            detail = f"{self.tick.name} from replica {leader.number}"
            self.world.record_step("takeover", live.actor, detail=detail)
        if live is not None:
            self.lease.leader, self.current, self.lease.token = live, None, self.lease.token + 1
        return live

    def handled(self, execution, _) -> None:
        self.failures = 0
        execution.record_step("done")
        self._ended(execution)

    def failed(self, execution, error: Exception) -> None:
        self.failures += 1
        execution.record_failure("failure", error)
        self._ended(execution)

    def abandoned(self, execution) -> None:
        self._is_over(execution)
        self.failures += 1
        if self.failures > MOST_ATTEMPTS:
            self._endless(f"crashes every time, over {MOST_ATTEMPTS:,} times")

    def _ended(self, execution) -> None:
        world = self.world
        self._is_over(execution)
        execution.replica.finish(execution)
        world.tick_rows += 1
        if world.step_count() == self.before and not 0 < self.failures < MOST_FAILURES:
            self.idle_at = self.before
        elif len(world.agenda) == len(world.cancelled):
            world.busy_ticks += 1
            if world.busy_ticks > MOST_BUSY_TICKS:
                self._endless("always has something to do; give `until=`")

    def _is_over(self, execution: "Execution") -> None:
        if self.current is execution:  # and not the run of an old leader
            self.current = None

    def _endless(self, what: str) -> None:
        self.world.endless(f"the tick {self.tick.service}.{self.tick.name} {what}")

"""Replicas: the processes of a service, which crash and restart, pause and resume."""

from collections import deque
from collections.abc import Callable
from heapq import heappush
from typing import TYPE_CHECKING, Any

from ..model import Envelope, Handler
from .clock import DELIVER, RESTART, SESSION, varied
from .execution import Execution
from .faults import Fault

if TYPE_CHECKING:
    from .queues import WorkQueue
    from .readers import Reader
    from .services import ServiceRuntime
    from .version import Version
    from .world import Timer


class Replica:
    """One process of a service. It handles one message at a time, and in parallel those of queues with prefetch. A
    crash ends everything that is in flight in it.

    workers: the limit of how much it handles and answers at once; 0 for none. A tick needs no worker.
    line: the questions, and the sources of messages, that wait for a worker, in order of arrival. A waiting message
        stays with its broker. At most `waiting` questions are in line."""

    def __init__(self, service: "ServiceRuntime", number: int):
        self.service, self.number = service, number
        self.actor = (service.name, number)
        self.up, self.paused = True, False
        self.left = False  # whether it has left the group and only finishes what it handles
        self.reachable = True  # up, not paused, not cut off, in the group
        self.state: dict = {}
        self.version = service.version
        self.next_version: Version | None = None  # to switch to when its work in hand has ended
        self.busy: Execution | None = None  # of the message that it fetches or handles
        self.sources: deque[Reader | WorkQueue] = deque()  # sources that have a message for it
        self.running: dict[Execution, None] = {}  # in parallel with it, as an ordered set
        self.workers: int = service.workers or 0
        self.line: deque[Execution | Reader | WorkQueue] = deque()
        self.handing_out = False  # work to free workers
        self.held: list[tuple[Callable, Any]] = []  # what a pause holds back
        self.silent_since: int | None = None
        self.session: Timer | None = None
        self.evicted: Execution | None = None  # the handling that took too long for its group
        self.paused_until = 0
        self.stopped = 0  # when it last crashed or was paused
        self.sent = 0  # when the last message that it published arrives

    # -- one message at a time

    def offer(self, source: "Reader | WorkQueue") -> None:
        """Fetch a message from a source, now or when this replica is free."""
        if self.busy is not None or not self.reachable:
            if source not in self.sources:
                self.sources.append(source)
            return
        if self.workers and not self.has_room(source):
            return
        self.busy = execution = source.next_execution(self)
        if execution is None:
            self.take_next()
            return
        world = self.service.world
        takes = 0 if source.skip_fetch else DELIVER
        if not world.fixed_latencies and takes:
            takes = varied(takes, self.service.jitter)
        heappush(world.agenda, (world.now + takes, next(world.number), source.deliver, execution))

    def release(self, execution: Execution | None) -> None:
        """End a message, and fetch from the source that has waited longest."""
        if self.busy is execution:
            self.busy = None
            if self.sources and self.reachable:
                self.offer(self.sources.popleft())
        elif execution in self.running:  # of a queue with prefetch
            del self.running[execution]
            execution.source.offer()
        if self.next_version is not None:
            self._switch_soon()
        if self.workers:
            while self.sources and self.busy is None and self.reachable:
                self.offer(self.sources.popleft())  # joins the line if no worker is free
            self._hand_out()

    def take_next(self) -> None:
        """Fetch from the source that has waited longest, unless a message is in hand."""
        self.release(None)

    def finish(self, execution: Execution) -> None:
        """End a question or a tick."""
        self.running.pop(execution, None)
        if self.next_version is not None:
            self._switch_soon()
        if self.line:
            self._hand_out()

    def new_execution(self, source: Any, envelope: Envelope | None) -> Execution:
        """A new execution of a question or a tick, in parallel with the message in hand."""
        execution = Execution(self, source, envelope)
        self.running[execution] = None
        return execution

    def in_flight(self) -> list[Execution]:
        """The executions that it fetches, handles and answers, and the questions in line."""
        busy = [] if self.busy is None else [self.busy]
        return [*busy, *self.running, *self.questions]

    # -- workers

    @property
    def at_work(self) -> int:
        """The number of workers that are busy. A message occupies one from its fetch on."""
        work = (one.item is not None or isinstance(one.handler, Handler) for one in self.running)
        return sum(work) + (self.busy is not None)

    @property
    def questions(self) -> list[Execution]:
        """The questions and asked commands in line."""
        return [one for one in self.line if isinstance(one, Execution)]

    def admits(self, execution: Execution) -> bool:
        """Whether a worker is free for a question. If not, the question joins the line or is turned away."""
        if not self.workers or (self.at_work < self.workers and not self.line):
            return True
        del self.running[execution]
        most, ahead = self.service.most_waiting, len(self.questions)
        if most is not None and ahead >= most:
            execution.record_step("busy", None, f"{self.at_work} at work, {ahead} in line")
            execution.source.turn_away(execution)
        else:
            self.line.append(execution)
            execution.record_step("waiting", None, f"{ahead} before it")
        return False

    def has_room(self, source: "Reader | WorkQueue") -> bool:
        """Whether a worker is free for a message. If not, its source joins the line."""
        if not self.workers:
            return True
        room = self.at_work < self.workers and (self.handing_out or not self.line)
        if not room and source not in self.line:
            self.line.append(source)
        return room

    def _hand_out(self) -> None:
        """Give free workers to what has waited longest, including questions whose asker has given up."""
        if self.handing_out:  # what begins here may also end here
            return
        self.handing_out = True
        while self.line and not self.paused and self.at_work < self.workers:
            first = self.line.popleft()
            if isinstance(first, Execution):
                self.running[first] = None
                first.begin(first.source.handler)
            elif first.partition is None:  # a queue, which may hand out several at once
                first.offer()
            else:
                self.offer(first)
        self.handing_out = False

    # -- deploys

    def deploy(self, version: "Version") -> None:
        """Take no further messages, and switch to a version when the work in hand has ended."""
        if not self.left and version.number > (self.next_version or self.version).number:
            self.next_version, self.reachable = version, False
            self._switch(None)

    def _switch_soon(self) -> None:
        world = self.service.world
        world.schedule(world.now, self._switch, None)

    def _switch(self, _: None) -> None:
        version, busy = self.next_version, self.left or self.paused or self.in_flight()
        if version is None or busy or not self.up:
            return
        self.version, self.next_version, self.state = version, None, {}
        self.sources.clear()
        version.begin(self)
        for reader in self.service.readers:
            if reader.owner is self:
                reader.begin_anew()  # pyrefly: ignore[missing-attribute]  # of a topic: no connector is deployed
        self.service.back_in_reach(self)

    # -- crash and restart

    def crash(self, fault: Fault) -> None:
        """Crash. What is in flight or in line is lost with the memory. The database and the broker keep their state."""
        world = self.service.world
        world.record_step("crash", self.actor, fault="crash", detail=str(fault))
        self.up = self.paused = self.reachable = False
        self.stopped = world.now
        in_flight, in_line = self.in_flight(), self.questions
        self.busy, self.state = None, {}
        for kept in (self.running, self.sources, self.line, self.held):
            kept.clear()
        for execution in in_flight:
            execution.kill()
            execution.source.abandoned(execution)
        self._back_to_commit()
        down = self.service.latency(RESTART) if fault.seconds is None else fault.lasts(RESTART)
        if not self.left:
            world.schedule(world.now + down, self._restart, None)
        self.fall_silent()
        for execution in in_line:
            execution.record_step("lost", None, f"{self.service.name} crashed")

    def _restart(self, _: None) -> None:
        self.up, self.evicted = True, None
        self.service.world.record_step("restart", self.actor)
        self.service.back_in_reach(self)

    def leave(self) -> None:
        """Leave the group: finish what is being handled, and take no further messages."""
        self.left, self.reachable = True, False
        self.service.world.record_step("leave", self.actor)

    def _back_to_commit(self) -> None:
        for reader in self.service.readers:
            if reader.owner is self:
                reader.back_to_commit()

    # -- eviction and pauses

    def evict(self, execution: Execution) -> None:
        """Leave the group until this handling ends. All partitions move to other replicas; if there are none, they
        wait for this one."""
        self.evicted = execution
        took = f"handling for {execution.source.log.interval / 1000:g} s"
        execution.record_step("evicted", None, took)
        self._back_to_commit()
        self.service.rebalance()

    def join(self, execution: Execution) -> None:
        """Rejoin the group, if this handling caused the eviction."""
        if self.evicted is execution:
            self.evicted = None
            self.service.rebalance()

    def hold_back(self, action: Callable, argument: Any) -> bool:
        """Make an action wait until it resumes, if it is paused. Returns whether it is."""
        if self.paused:
            self.held.append((action, argument))
        return self.paused

    def pause(self, until: int) -> bool:
        """Pause, as in a long garbage collection. Returns False for a replica that is down."""
        if not self.up:
            return False
        self.paused_until = max(self.paused_until, until)
        if not self.paused:
            self.paused, self.stopped = True, self.service.world.now
            self.service.world.record_step("pause", self.actor)
            self.fall_silent()
        return True

    def resume(self, _: None) -> None:
        """Resume, and run the actions that the pause held back."""
        if not self.paused or self.service.world.now < self.paused_until:
            return
        self.paused = False
        self.service.world.record_step("resume", self.actor)
        held, self.held = self.held, []
        for number, (action, argument) in enumerate(held):
            if self.paused:  # paused again by one of the actions
                self.held += held[number:]
                return
            action(argument)
        self.service.back_in_reach(self)

    def fall_silent(self) -> None:
        """Stop all contact with the broker, which moves the partitions after the session time-out."""
        world = self.service.world
        self.reachable = False
        if self.silent_since is None:
            self.silent_since = world.now
            self.session = world.timer(SESSION, self.service.rebalance)

    def in_session(self) -> bool:
        """Whether the broker still considers it a member of the group."""
        silent, now = self.silent_since, self.service.world.now
        return self.evicted is None and (silent is None or now - silent < SESSION)

    def __repr__(self) -> str:
        state = "paused" if self.paused else "up" if self.up else "down"
        return f"<replica {self.number} of {self.service.name}: {state}>"

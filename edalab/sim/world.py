"""The simulated world: one object with the clock, the agenda of actions, the services and channels, and the record."""

from collections import Counter, defaultdict
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from types import FrameType
from typing import TYPE_CHECKING, Any

from ..errors import Endless, Hung, Misuse, Unknown, shown
from ..model import Envelope, Handler, Message, Service, System
from ..model.messages import key_of, wire_copy
from ..model.versions import clash
from ..model.wire import unfit_field
from ..stuck import Watched
from .at_time import AtTime
from .capture import Capturing
from .context import Context
from .dead_letters import DeadLetters
from .execution import Execution
from .forgotten import running_in
from .limits import DEEPEST, MOST_AT_ONCE, Budget
from .plan import OnDemand, Plan
from .routes import channel_for, unhandled
from .services import ServiceRuntime
from .steps import WIDTH, Failure
from .ticks import Lease, Ticking

if TYPE_CHECKING:
    import sqlite3

    from .logs import Log
    from .queues import WorkQueue


class Timer:
    """An action on the agenda that can be cancelled. A cancelled one no longer keeps the run alive."""

    __slots__ = ("world", "number", "action", "argument", "live")

    def __init__(self, world, number, action, argument):
        self.world, self.number, self.live = world, number, True
        self.action, self.argument = action, argument

    def cancel(self) -> None:
        if self.live:
            self.live = False
            self.world.cancelled.add(self.number)

    def fire(self, _) -> None:
        self.live = False
        self.action(self.argument)


class Outside:
    """The source of the workload's execution. Nothing follows the workload's end, and its failures are not retried."""

    publishes = False
    partition = None
    handled = staticmethod(lambda execution, result: None)

    @staticmethod
    def failed(execution: Execution, error: Exception) -> None:
        execution.record_failure("failure", error)


class Services(dict):
    """Services by name. An unknown name raises Unknown."""

    def __missing__(self, name: str) -> ServiceRuntime:
        raise Unknown("service", name, self)


class World:
    """A running system. `run` runs it to its end, or to a moment, and it is then the world at that moment."""

    def __init__(self, system: System, seed: int, plan: Plan):
        self.system, self.seed, self.plan = plan.system, seed, plan
        self.fixed_latencies = seed == 0  # latencies are the named constants
        self.now = 0
        self.agenda: list[tuple] = []  # (time, number, action, argument)
        self.background: list[tuple] = []  # ticks and windows, which do not keep the run alive
        self.number = count()
        self.cancelled: set[int] = set()  # numbers of actions
        self.record: list = []  # flat, WIDTH values a step: tuples would take 1.5 times the memory and twice the time
        self.failures: list[Failure] = []
        self.misuse: Misuse | None = None
        self.types: dict[tuple[str, int], type[Message]] = {}
        self.warnings: list[str] = []
        self.channel_of = OnDemand(self._channel_of).__getitem__
        self.answerer = OnDemand(self._answerer).__getitem__
        self.channels: dict[str, Log | WorkQueue] = {}
        self.dead_letters = DeadLetters(self)
        self.unhandled_events: Counter[str] = Counter()  # events without a handler, by type
        self.client = ServiceRuntime(self, "client", Service(system, "client"))
        services = system.services.items()
        self.services = Services((name, ServiceRuntime(self, name, one)) for name, one in services)
        for name, declared in services:
            if declared.captures is not None:
                captured, table = declared.captures
                Capturing(self.services[name], self.services[captured], table)
        self.ticked: Counter[tuple[str, str]] = Counter()  # how often each tick ran
        self.leases: defaultdict[tuple[str, str], Lease] = defaultdict(Lease)  # of ticks
        versions = [service.version for service in self.services.values()]
        self.ticks = [Ticking(self, tick, one) for one in versions for tick in one.ticks.values()]
        self.tick_rows = self.busy_ticks = 0
        self.workload: Execution | None = None
        self.budget: Budget | None = None
        for fault in plan.timed:
            start = round((fault.start or 0) * 1000)
            heap = self.agenda if fault.keeps_alive else self.background
            heappush(heap, (start, next(self.number), self._strike, fault))

    def rows(self, service: str, sql: str, parameters: tuple = ()) -> list[tuple]:
        """The rows that a `select` finds in a service's database."""
        return self.services[service].database.rows(sql, parameters)

    def database(self, service: str) -> "sqlite3.Connection":
        """A service's database, for `pandas.read_sql` or `EventStore`. It is read-only."""
        return self.services[service].database.readable()

    # -- time

    def schedule(self, time: int, action, argument) -> None:
        """Put an action on the agenda. Actions of equal times run in the order in which they were put there."""
        heappush(self.agenda, (time, next(self.number), action, argument))

    def timer(self, after: int, action, argument: Any = None) -> Timer:
        """Put an action on the agenda, `after` ms from now, that can be cancelled."""
        timer = Timer(self, next(self.number), action, argument)
        heappush(self.agenda, (self.now + after, timer.number, timer.fire, None))
        return timer

    def run(
        self, workload: Callable, until: int | None, max_steps: int, look: Callable | None = None
    ) -> None:
        """Run until nothing is left to do, or to the end of the moment `until` (ms). The workload plays the client.
        `look` is called with the world at the end of each moment before the last one."""
        self.workload = execution = self.client.replicas[0].new_execution(Outside, None)
        execution.coroutine = workload(Context(execution))
        self.schedule(0, execution.resume, None)
        agenda, background, record = self.agenda, self.background, self.record
        cancelled = self.cancelled
        self.budget = budget = Budget(self, max_steps)
        at_once = 0
        values, actions = budget.values, budget.actions
        while True:
            heap = agenda
            if background:
                left = len(agenda) > len(cancelled)
                if not left and all(tick.idle() for tick in self.ticks):
                    break
                if not left or background[0] < agenda[0]:
                    heap = background
                    self.busy_ticks = 0 if left else self.busy_ticks
            try:
                time, number, action, argument = heappop(heap)
            except IndexError:
                break
            if cancelled and number in cancelled:
                cancelled.discard(number)
                continue
            if time != self.now:
                # If work is left, the run did not end by itself.
                if until is not None and time > until:
                    heappush(heap, (time, number, action, argument))
                    self.now = until
                    break
                if look is not None:
                    look(self)
                if len(record) > values or number > actions:
                    budget.look()
                    values, actions = budget.values, budget.actions
                self.now = time
                at_once = 0
            else:
                at_once += 1
                if at_once > MOST_AT_ONCE:
                    budget.stand_still()
            action(argument)
        if self.misuse:
            raise self.misuse

    def step_count(self) -> int:
        """The number of steps, without those that record the beginning or end of a tick."""
        return len(self.record) // WIDTH - self.tick_rows

    def _strike(self, fault: AtTime) -> None:
        if fault.strike(self):
            self.plan.struck.append(fault)

    # -- the record

    def record_step(
        self, step, actor, envelope=None, partition=None, offset=None, attempt=None, fault=None, detail=None
    ) -> None:  # fmt: skip
        """Record one step."""
        self.record += (self.now, step, actor, envelope, partition, offset, attempt, fault, detail)

    # -- messages

    def _channel_of(self, cls: type[Message]) -> "Log | WorkQueue":
        """The channel that messages of this class go to."""
        self.types[cls.__wire__, cls.__declared__.version] = cls
        self._compare(cls)
        return channel_for(self, cls)

    def _compare(self, cls: type[Message]) -> None:
        """Warn of handlers that were declared with another class of the same version and with other fields."""
        for handler in self.system.handlers(cls.__wire__):
            if handler.message is not cls:
                text = clash(cls, handler.message, f"{handler.service}.{handler.name}")
                self.warnings += [text] if text else []

    def mint(self, execution: Execution, message: Message, topic: str) -> Envelope:
        """A new envelope for a message, which is caused by the message being handled."""
        service, type_name = execution.replica.service, message.__wire__
        id = service.new_id()
        if not message.__plain__:
            message = self._carried(execution, message)
        subject = key_of(message, message.__declared__.key)
        cause = execution.envelope
        if cause is None or cause.data is None:  # the client or a tick begins a correlation
            correlation, causation, depth = id, None, 0
        else:
            correlation, causation, depth = cause.correlation, cause.id, cause.depth + 1
        if depth > DEEPEST:
            chain = f"{cause.type} causes {type_name} (in {execution.where()}), a chain of over"
            self.endless(f"{chain} {DEEPEST:,} messages, each caused by the one before")
        time = service.clock if service.ahead else self.now
        return Envelope(
            id, type_name, message, service.name, subject, topic, time, correlation, causation, depth
        )  # fmt: skip

    def _carried(self, execution: Execution, message: Message) -> Message:
        """A copy of a message that could be changed in place. Raises Misuse if a change made it invalid."""
        try:
            copy, wrong = wire_copy(message), unfit_field(message)
        except Exception as error:  # of the learner's own classes, too
            copy, wrong = message, f"{shown(message)} cannot be copied: {error}"
        if wrong:
            changed = f"{type(message).__name__}, which has changed since it was made"
            raise execution.refuse(f"sends off {changed}: {wrong}")
        return copy

    def _answerer(self, cls: type[Message]) -> Handler:
        """The handler of a query or an asked command. Raises Misuse if there is none."""
        handlers = self.system.handlers(cls.__wire__)
        if not handlers:
            raise self.refuse(unhandled(self.system, cls))
        self._compare(cls)
        return handlers[0]

    # -- ends

    def stop(self) -> None:
        """End all executions that are under way, and roll back open transactions."""
        for service in (self.client, *self.services.values()):
            for replica in service.replicas:
                for execution in replica.in_flight():
                    execution.kill()

    def refuse(self, misuse: Misuse) -> Misuse:
        """Store a misuse, so that it is raised even if a handler swallows it."""
        self.misuse = self.misuse or misuse
        return misuse

    def endless(self, what: str) -> None:
        """Raise Endless for a run that would not end."""
        raise self.refuse(Endless(f"this run does not end: {what}"))

    def watched(self) -> Watched:
        """A context in which a handler that neither ends nor awaits is stopped."""
        return Watched(self._hung, _action)

    def _hung(self, frame: FrameType, line: str) -> Misuse:
        execution = running_in(frame)
        who = execution.where() if execution else "what a handler does at its end"
        what = f"{who} runs for ever without an await: {line}; make its loop end"
        return self.refuse(Hung(f"this run does not end: {what}"))

    def __repr__(self) -> str:
        return f"<{self.system.name} at {self.now / 1000:g} s: {', '.join(map(repr, self.services.values()))}>"


def _action(frame: FrameType | None) -> int | None:
    """The number of the action in which a frame runs. Storing it elsewhere would slow down each action."""
    while frame is not None and frame.f_code is not World.run.__code__:
        frame = frame.f_back
    return frame and frame.f_locals.get("number")

"""The world is one object: its clock, its agenda of actions, its services and channels, and the record of what happened."""

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
from .capture import Capturing
from .context import Context
from .dead_letters import DeadLetters
from .deploy import Deploy
from .execution import Execution
from .forgotten import running_in
from .limits import DEEPEST, MOST_AT_ONCE, Budget
from .plan import Plan
from .routes import channel_for, unhandled
from .services import ServiceRuntime
from .steps import WIDTH, Failure
from .ticks import Lease, Ticking
from .windows import AtTime

if TYPE_CHECKING:
    import sqlite3

    from .logs import Log
    from .queues import WorkQueue


class Timer:
    """An action on the agenda that can be taken back; one taken back no longer keeps the run alive."""

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
    """What the client's context stands on: nobody waits for the end of the workload, and nobody tries again."""

    publishes = False
    partition = None
    handled = staticmethod(lambda execution, result: None)

    @staticmethod
    def failed(execution: Execution, error: Exception) -> None:
        execution.record_failure("failure", error)


class Services(dict):
    """Services by name."""

    def __missing__(self, name: str) -> ServiceRuntime:
        raise Unknown("service", name, self)


class Found(dict):
    """What a function returns for each argument, which it is asked for once."""

    def __init__(self, find: Callable):
        self.find = find

    def __missing__(self, asked: Any) -> Any:
        found = self[asked] = self.find(asked)
        return found


class World:
    """A running system. `run` plays it to its end, or to a moment: then it is the world as it was at that moment."""

    def __init__(self, system: System, seed: int, plan: Plan):
        self.system, self.seed, self.plan = plan.system, seed, plan
        self.fixed_latencies = seed == 0  # those that constants name
        self.now = 0
        self.agenda: list[tuple] = []  # (time, number, action, argument)
        self.background: list[tuple] = []  # ticks and windows, which do not keep the run alive
        self.number = count()
        self.cancelled: set[int] = set()  # numbers of actions
        self.record: list = []  # flat, WIDTH values a step: a tuple a step costs half as much memory again, and twice the time
        self.failures: list[Failure] = []
        self.misuse: Misuse | None = None
        self.types: dict[tuple[str, int], type[Message]] = {}
        self.warnings: list[str] = []
        self.channel_of, self.answerer = Found(self._channel_of), Found(self._answerer)
        self.channels: dict[str, Log | WorkQueue] = {}
        self.dead_letters = DeadLetters(self)
        self.unheard: Counter[str] = Counter()  # events that went to nobody, by type
        self.client = ServiceRuntime(self, "client", Service(system, "client"))
        services = system.services.items()
        self.services = Services((name, ServiceRuntime(self, name, one)) for name, one in services)
        for name, declared in services:
            if declared.captures is not None:
                captured, table = declared.captures
                Capturing(self.services[name], self.services[captured], table)
        self.ticked: Counter[tuple[str, str]] = Counter()  # times that each tick ran
        self.leases: defaultdict[tuple[str, str], Lease] = defaultdict(Lease)  # of ticks
        versions = [service.version for service in self.services.values()]
        self.ticks = [Ticking(self, tick, one) for one in versions for tick in one.ticks.values()]
        self.tick_rows = self.busy_ticks = 0
        self.workload: Execution | None = None
        self.budget: Budget | None = None
        for window in plan.windows:
            start = round((window.start or 0) * 1000)
            heap = self.agenda if window.keeps_alive else self.background
            heappush(heap, (start, next(self.number), self._open, window))

    def rows(self, service: str, sql: str, parameters: tuple = ()) -> list[tuple]:
        """What a `select` finds in a service's database."""
        return self.services[service].database.rows(sql, parameters)

    def database(self, service: str) -> "sqlite3.Connection":
        """A service's database, for `pandas.read_sql` or `EventStore`; it cannot be written to."""
        return self.services[service].database.readable()

    # -- time

    def schedule(self, time: int, action, argument) -> None:
        """Put an action on the agenda; equal times happen in the order they were put there."""
        heappush(self.agenda, (time, next(self.number), action, argument))

    def timer(self, after: int, action, argument: Any = None) -> Timer:
        """An action after so many milliseconds that can be cancelled."""
        timer = Timer(self, next(self.number), action, argument)
        heappush(self.agenda, (self.now + after, timer.number, timer.fire, None))
        return timer

    def run(self, workload: Callable, until: float, max_steps: int) -> None:
        """Play until nothing is left to do, or to the end of the moment `until` (ms). The workload plays the client."""
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
                if time > until:  # still to come: the run did not end by itself
                    heappush(heap, (time, number, action, argument))
                    self.now = int(until)
                    break
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
        """How many steps there are, but for those that say that a tick began or ended."""
        return len(self.record) // WIDTH - self.tick_rows

    def _open(self, window: AtTime | Deploy) -> None:
        if window.strike(self):
            self.plan.struck.append(window)

    # -- the record

    def record_step(
        self, step, actor, envelope=None, partition=None, offset=None, attempt=None, fault=None, detail=None
    ) -> None:  # fmt: skip
        """Record one step."""
        self.record += (self.now, step, actor, envelope, partition, offset, attempt, fault, detail)

    # -- messages

    def _channel_of(self, cls: type[Message]) -> "Log | WorkQueue":
        """Where messages of this class go."""
        self.types[cls.__wire__, cls.__declared__.version] = cls
        self._compare(cls)
        return channel_for(self, cls)

    def _compare(self, cls: type[Message]) -> None:
        """Note who handles a class that has other fields than the one it was declared with, though its version is the same."""
        for handler in self.system.handlers(cls.__wire__):
            if handler.message is not cls:
                text = clash(cls, handler.message, f"{handler.service}.{handler.name}")
                self.warnings += [text] if text else []

    def mint(self, execution: Execution, message: Message, topic: str) -> Envelope:
        """A message in a fresh envelope, caused by the message being handled."""
        service, type_name = execution.replica.service, message.__wire__
        id = service.new_id()
        if not message.__immutable__:
            message = self._carried(execution, message)
        subject = key_of(message, message.__declared__.key)
        cause = execution.envelope
        if cause is None or cause.data is None:  # the client or a tick begins a story
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
        """A copy of a message that could be changed in place, and may have been since it was made."""
        try:
            copy, wrong = wire_copy(message), unfit_field(message)
        except Exception as error:  # of the learner's own classes, too
            copy, wrong = message, f"{shown(message)} cannot be copied: {error}"
        if wrong:
            changed = f"{type(message).__name__}, which has changed since it was made"
            raise execution.refuse(f"sends off {changed}: {wrong}")
        return copy

    def _answerer(self, cls: type[Message]) -> Handler:
        """Who answers a query or carries out a command. Raises Unknown where nobody does."""
        handlers = self.system.handlers(cls.__wire__)
        if not handlers:
            raise self.refuse(unhandled(self.system, cls))
        self._compare(cls)
        return handlers[0]

    # -- ends

    def stop(self) -> None:
        """Nothing goes on: what waits is closed, and an open transaction rolled back."""
        for service in (self.client, *self.services.values()):
            for replica in service.replicas:
                for execution in replica.in_flight():
                    execution.kill()

    def refuse(self, misuse: Misuse) -> Misuse:
        """Keep a misuse, so that it is raised even where a handler swallows it."""
        self.misuse = self.misuse or misuse
        return misuse

    def endless(self, what: str) -> None:
        """Stop a run that would not end."""
        raise self.refuse(Endless(f"this run does not end: {what}"))

    def watched(self) -> Watched:
        """Within it, a handler that neither ends nor awaits is stopped."""
        return Watched(self._hung, _action)

    def _hung(self, frame: FrameType, line: str) -> Misuse:
        execution = running_in(frame)
        who = execution.where() if execution else "what a handler does at its end"
        what = f"{who} runs for ever without an await: {line}; make its loop end"
        return self.refuse(Hung(f"this run does not end: {what}"))

    def __repr__(self) -> str:
        return f"<{self.system.name} at {self.now / 1000:g} s: {', '.join(map(repr, self.services.values()))}>"


def _action(frame: FrameType | None) -> int | None:
    """The number of the action in which a frame runs: read there, as to note it would cost something in every action."""
    while frame is not None and frame.f_code is not World.run.__code__:
        frame = frame.f_back
    return frame and frame.f_locals.get("number")

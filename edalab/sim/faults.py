"""Faults strike at named points, `service.step.Message`: exactly (the n-th time) or at random (at a rate)."""

import re
from dataclasses import dataclass
from hashlib import blake2b

from ..errors import Misuse, Unknown, listed, shown
from ..model import Command, Event, Query, System, message_types
from .clock import milliseconds

ACTIONS = {  # what can go wrong at each step; where several strike at once, the first of ORDER
    "publish": ("crash", "fail", "lose", "duplicate", "delay"),
    "deliver": ("drop", "duplicate", "delay"),
    "handle": ("crash", "fail"),
    "save": ("crash", "fail"),
    "commit": ("crash", "lose"),
    "ack": ("crash", "lose"),
    "ask": ("crash", "drop", "delay"),
    "reply": ("crash", "drop", "delay"),
}
ORDER = ("crash", "fail", "lose", "drop", "duplicate", "delay")
_TEXT = re.compile(r"(\w+) +([\w-]+)\.(\w+)\.(\w+)(?: +#(\d{1,9}))?(?: +for +([\d.e+-]+) *s)?")
_WINDOW = re.compile(
    r"(pause|cut) +([\w-]+)(?:/(\d{1,9}))? +from +([\d.e+-]+) *s? +to +([\d.e+-]+) *s"
)


@dataclass(frozen=True, repr=False)
class Fault:
    """One exact fault: `do` it just before the step at the point `at` takes effect, the `nth` time it is reached.

        Fault("crash", at="payments.commit.OrderPlaced")     # or its text, "crash payments.commit.OrderPlaced #1"

    A point reads service.step.Message. What can go wrong at each step: publish: crash, fail, lose, duplicate, delay;
    deliver: drop, duplicate, delay; handle and save: crash, fail; commit and ack: crash, lose; ask and reply: crash,
    drop, delay. `seconds` is how long a delay or the down time after a crash lasts."""

    do: str
    at: str = ""
    nth: int = 1
    seconds: float | None = None

    def __post_init__(self):
        parts = self.at.split(".") if isinstance(self.at, str) else []
        if len(parts) != 3:
            if isinstance(self.do, str) and "." in self.do:
                hint = (
                    f"put the text {self.do!r} into faults= as it is"
                    if " " in self.do
                    else "the action comes first"
                )
                raise Misuse(
                    f"Fault takes an action and a point, Fault('crash', at='payments.commit.OrderPlaced'); {hint}"
                )
            raise Misuse(
                f"a fault point reads service.step.Message, such as payments.commit.OrderPlaced, not {shown(self.at)}"
            )
        if parts[1] not in ACTIONS:
            raise Unknown("step", parts[1], ACTIONS)
        if self.do not in ACTIONS[parts[1]]:
            raise Unknown("action", self.do, ACTIONS[parts[1]], f" at {parts[1]}")
        if isinstance(self.nth, bool) or not isinstance(self.nth, int) or self.nth < 1:
            raise Misuse(
                f"{self.do} {self.at}: nth= counts from 1 in whole numbers, not {shown(self.nth)}"
            )
        if self.seconds is not None:
            if self.do not in ("delay", "crash"):
                raise Misuse(f"{self.do} {self.at}: seconds= goes with delay and crash only")
            milliseconds(self.seconds, f"{self.do} {self.at}: seconds=")

    @property
    def point(self) -> tuple[str, str, str]:
        """(service, step, message type)."""
        return tuple(self.at.split("."))

    def __str__(self) -> str:
        return f"{self.do} {self.at} #{self.nth}" + (
            f" for {self.seconds:g} s" if self.seconds is not None else ""
        )

    def __repr__(self) -> str:  # a list of faults prints as it can be pasted into `simulate`
        return repr(str(self))


@dataclass(frozen=True)
class Faults:
    """Random faults: the share of all points, from 0 to 1, at which each strikes. `drop` also loses acknowledgements."""

    drop: float = 0
    duplicate: float = 0
    delay: float = 0
    crash: float = 0
    fail: float = 0

    def __post_init__(self):
        for name, rate in vars(self).items():
            if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
                raise Misuse(
                    f"Faults({name}=) takes a rate from 0 to 1 (0.1 is one in ten), not {shown(rate)}"
                )

    def __repr__(self) -> str:
        return (
            f"Faults({', '.join(f'{name}={rate:g}' for name, rate in vars(self).items() if rate)})"
        )

    def strikes(self, seed: int, point: tuple[str, str, str], action: str, nth: int) -> bool:
        """Whether this decision falls: it has one fixed number, so a higher rate keeps all that a lower one struck."""
        text = f"{seed} {'.'.join(point)} {action} {nth}".encode()
        return int.from_bytes(blake2b(text, digest_size=6).digest(), "big") < self.rate(action) * (
            1 << 48
        )

    def rate(self, action: str) -> float:
        return self.drop if action == "lose" else getattr(self, action)


@dataclass(frozen=True, repr=False)
class Window:
    """A time in which a replica stands still (`pause`) or a service is cut off from broker and services (`cut`)."""

    do: str
    service: str
    start: float
    end: float
    replica: int | None = None

    def __post_init__(self):
        if not isinstance(self.service, str):
            raise Misuse(
                f"{self.do} takes the name of a service, such as 'payments', not {shown(self.service)}"
            )
        if self.replica is not None and (
            isinstance(self.replica, bool) or not isinstance(self.replica, int)
        ):
            raise Misuse(
                f"{self.do} {self.service}: replica= takes a number from 1, not {shown(self.replica)}"
            )
        what = f"{self.do}({self.service!r}, {shown(self.start)}, {shown(self.end)})"
        if milliseconds(self.start, what) >= milliseconds(self.end, what):
            raise Misuse(f"{what} takes a start before its end")

    def __str__(self) -> str:
        replica = f"/{self.replica}" if self.do == "pause" and self.replica != 1 else ""
        return f"{self.do} {self.service}{replica} from {self.start:g} s to {self.end:g} s"

    def __repr__(self) -> str:
        return repr(str(self))


def pause(service: str, start: float, end: float, replica: int = 1) -> Window:
    """One replica stands still from `start` to `end` seconds; after the session time-out its partitions move."""
    return Window("pause", service, start, end, replica)


def cut(service: str, start: float, end: float) -> Window:
    """A service is cut off from the broker and all others from `start` to `end` seconds; its handlers go on."""
    return Window("cut", service, start, end)


def parse(text: str) -> Fault | Window:
    """A fault from its text form."""
    if match := _TEXT.fullmatch(text.strip()):
        do, service, step, message, nth, seconds = match.groups()
        return Fault(
            do, f"{service}.{step}.{message}", int(nth or 1), _number(seconds) if seconds else None
        )
    if match := _WINDOW.fullmatch(text.strip()):
        do, service, replica, start, end = match.groups()
        if do == "pause":
            return pause(service, _number(start), _number(end), int(replica or 1))
        return cut(service, _number(start), _number(end))
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > 1 and all(_TEXT.fullmatch(part) or _WINDOW.fullmatch(part) for part in parts):
        raise Misuse(
            f"{shown(text, 60)} is {len(parts)} faults: put ; between them, or write a list with a text for each"
        )
    raise Misuse(
        f"{shown(text)} is no fault; write 'crash payments.commit.OrderPlaced #2', "
        "'delay orders.publish.OrderPlaced #1 for 2 s', 'pause payments from 1 s to 3 s' or 'cut payments from 1 s to 3 s'"
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Misuse(
            f"{text!r} is no number of seconds; write for 2 s, or from 1 s to 3 s"
        ) from None


def points(system: System) -> list[tuple[str, str, str]]:
    """Every consumer point of the declared handlers and ticks, in the order declared: (service, step, message type)."""
    found: dict[tuple[str, str, str], None] = {}
    types = message_types()
    for service in system.services.values():
        for handler in service.handlers.values():
            for step in _consumer_steps(system, handler, types):
                found[service.name, step, handler.type] = None
        for tick in service.ticks.values():
            found[service.name, "handle", tick.name] = None
            found[service.name, "save", tick.name] = None
    return list(found)


def _consumer_steps(system: System, handler, types: dict) -> tuple[str, ...]:
    if handler.kind is Query:
        return "handle", "save", "reply"
    if handler.kind is Command:
        return "deliver", "handle", "save", "ack", "reply"
    topic = types[handler.type].__declared__.topic if handler.type in types else None
    return "deliver", "handle", "save", "ack" if topic in system.queues else "commit"


class Plan:
    """The faults of one run: which were asked for, how often each point that matters was reached, and what struck."""

    def __init__(self, faults: object, system: System, seed: int):
        if isinstance(faults, str | Fault | Faults | Window):
            raise Misuse(f"faults= takes a list: faults=[{shown(faults)}]")
        try:
            given = [parse(f) if isinstance(f, str) else f for f in faults]
        except TypeError:
            raise Misuse(
                f"faults= takes a list of faults, not {shown(faults)}; faults=[] for none"
            ) from None
        self.seed = seed
        self.exact: dict[tuple, dict[int, list[Fault]]] = {}
        self.random: dict[
            str, list[tuple[str, Faults]]
        ] = {}  # by step: the actions that have a rate
        self.windows: list[Window] = []
        self.counts: dict[tuple, int] = {}
        self.struck: list[Fault | Window] = []
        for fault in given:
            if isinstance(fault, Fault):
                _check_point(fault, system)
                self.exact.setdefault(fault.point, {}).setdefault(fault.nth, []).append(fault)
            elif isinstance(fault, Faults):
                for step, actions in ACTIONS.items():
                    if possible := [(action, fault) for action in actions if fault.rate(action)]:
                        self.random.setdefault(step, []).extend(possible)
            elif isinstance(fault, Window):
                _check_window(fault, system)
                self.windows.append(fault)
            else:
                raise Misuse(
                    f"faults= takes Fault, its text, Faults, pause and cut, not {shown(fault)}"
                )
        self.given = given

    def concerns(self, service: str) -> bool:
        """Whether anything could strike at this service: all others go on as in a run without faults."""
        if self.random or any(window.service == service for window in self.windows):
            return True
        return any(point[0] == service for point in self.exact)

    def strike(
        self, service: str, step: str, message: str, confirms: bool = True, vain: bool = False
    ) -> Fault | None:
        """What strikes at this point, reached now once more. `confirms`: the topic's, for a publish. `vain`: the step will
        have no effect anyway (cut off, fenced), so that nothing but a crash can strike."""
        point = service, step, message
        exact, random = self.exact.get(point), self.random.get(step, ())
        if exact is None and not random:
            return None
        nth = self.counts[point] = self.counts.get(point, 0) + 1
        found = list(exact.get(nth, ())) if exact else []
        found += [
            Fault(action, ".".join(point), nth)
            for action, rates in random
            if rates.strikes(self.seed, point, action, nth)
            and not (action == "crash" and service == "client")
            and not (action == "lose" and step == "publish" and confirms)
        ]
        if vain:
            found = [fault for fault in found if fault.do == "crash"]
        if not found:
            return None
        fault = min(found, key=lambda f: ORDER.index(f.do))
        self.struck.append(fault)
        return fault

    def unfired(self) -> list[Fault | Window]:
        """What was asked for by name and did not happen."""
        left = list(self.struck)
        missing = []
        for fault in self.given:
            if fault in left:
                left.remove(fault)
            elif not isinstance(fault, Faults):
                missing.append(fault)
        return missing


def _check_point(fault: Fault, system: System) -> None:
    service, step, message = fault.point
    if service not in system.services and service != "client":
        raise Unknown("service", service, ["client", *system.services])
    if service == "client" and fault.do == "crash":
        raise Misuse(
            f"{fault}: the client, which plays the outside world, does not crash; crash one of {listed(system.services)}"
        )
    if step in ("publish", "ask"):
        types = message_types()
        if message not in types:
            raise Unknown("message", message, types)
        kinds = (Event, Command) if step == "publish" else (Command, Query)
        if not issubclass(types[message], kinds):
            never = "published" if step == "publish" else "asked"
            raise Misuse(f"{fault}: {message} is {_a(types[message])}, which is never {never}")
        if fault.do == "lose":
            topic = types[message].__declared__.topic or message
            if topic not in system.topics or system.topics[topic].confirms:
                lost = "a publish is lost silently only in a topic declared with confirms=False; here it can `fail`"
                raise Misuse(f"{fault}: {lost}")
    elif not _is_point(system, service, step, message):
        known = points(system)
        here = [".".join(p) for p in known if p[0] == service] or [".".join(p) for p in known]
        raise Unknown("point", fault.at, here)


def _is_point(system: System, service: str, step: str, message: str) -> bool:
    """Whether `points` would list this one. Asked for every fault of every run, so that nothing is listed."""
    declared = system.services.get(service)
    if declared is None:
        return False
    types = message_types() if system.queues and step in ("ack", "commit") else {}
    handlers = (
        handler for (handled, _), handler in declared.handlers.items() if handled == message
    )
    return any(step in _consumer_steps(system, handler, types) for handler in handlers) or (
        step in ("handle", "save") and any(tick.name == message for tick in declared.ticks.values())
    )


def _a(cls: type) -> str:
    return (
        "an event"
        if issubclass(cls, Event)
        else "a command"
        if issubclass(cls, Command)
        else "a query"
    )


def _check_window(window: Window, system: System) -> None:
    if window.service == "client":
        raise Misuse(
            f"{window}: the client plays the outside world, which stands for many; {window.do} one of {listed(system.services)}"
        )
    if window.service not in system.services:
        raise Unknown("service", window.service, system.services)
    replicas = system.services[window.service].replicas
    if window.replica is not None and not 1 <= window.replica <= replicas:
        raise Misuse(
            f"{window}: {window.service} has {replicas} replica{'s' if replicas > 1 else ''}, counted from 1"
        )

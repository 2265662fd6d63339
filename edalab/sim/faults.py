"""Faults strike at named points, `service.step.Message`: exactly (the n-th time) or at random (at a rate)."""

import re
from dataclasses import dataclass
from hashlib import blake2b

from ..errors import Misuse, Unknown, shown
from .clock import milliseconds

ACTIONS = {  # what can go wrong at each step; where several strike at once, the first of ORDER
    "publish": ("crash", "fail", "unconfirmed", "lose", "duplicate", "delay"),
    "deliver": ("drop", "duplicate", "delay"),
    "handle": ("crash", "fail"),
    "save": ("crash", "fail"),
    "commit": ("crash", "lose"),
    "ack": ("crash", "lose"),
    "ask": ("crash", "drop", "delay"),
    "reply": ("crash", "drop", "delay"),
}
ORDER = ("crash", "fail", "unconfirmed", "lose", "drop", "duplicate", "delay")
_TEXT = re.compile(r"(\w+) +([\w-]+)\.(\w+)\.(\w+)(?: +#(\d{1,9}))?(?: +for +([\d.e+-]+) *s)?")
_WINDOW = re.compile(
    r"(pause|cut) +([\w-]+)(?:/(\d{1,9}))? +from +([\d.e+-]+) *s? +to +([\d.e+-]+) *s"
)


@dataclass(frozen=True, repr=False)
class Fault:
    """One exact fault. It strikes just before a step takes effect (`unconfirmed`: just after the message was stored).

        Fault("crash", at="payments.commit.OrderPlaced", nth=2)
        "crash payments.commit.OrderPlaced #2"                     # the same as text

    do: the action, one of those that the step has:
        publish: crash, fail, unconfirmed, lose, duplicate, delay
        deliver: drop, duplicate, delay    handle, save: crash, fail
        ask, reply: crash, drop, delay     commit, ack: crash, lose
    at: the point, service.step.Message.
    nth: strikes the n-th time that the run reaches this point.
    seconds: how long a delay lasts (1 s), or the down time after a crash (1 s).

    Raises Misuse for a point or an action that does not exist."""

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

    def lasts(self, default: int) -> int:
        """How long it lasts, in ms; `default` where it does not say."""
        return default if self.seconds is None else milliseconds(self.seconds, self.do)

    def __str__(self) -> str:
        return f"{self.do} {self.at} #{self.nth}" + (
            f" for {self.seconds:g} s" if self.seconds is not None else ""
        )

    def __repr__(self) -> str:  # a list of faults prints as it can be pasted into `simulate`
        return repr(str(self))


@dataclass(frozen=True)
class Faults:
    """Random faults: for each action the share of all points, from 0 to 1, at which it strikes.

        simulate(shop, three_orders, seed=7, faults=[Faults(drop=0.1, crash=0.01)])

    `drop` also loses commits, acknowledgements and publishes to topics with `confirms=False`."""

    drop: float = 0
    duplicate: float = 0
    delay: float = 0
    crash: float = 0
    fail: float = 0
    unconfirmed: float = 0

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
        """Whether an action strikes. Each decision has one fixed number: a higher rate only adds to a lower one's faults."""
        text = f"{seed} {'.'.join(point)} {action} {nth}".encode()
        return int.from_bytes(blake2b(text, digest_size=6).digest(), "big") < self.rate(action) * (
            1 << 48
        )

    def rate(self, action: str) -> float:
        return self.drop if action == "lose" else getattr(self, action)


def action_of(fault: Fault | None, *known: str) -> str | None:
    """What a fault does at a step that knows these actions. Raises Misuse for any other, such as a new one."""
    if fault is None or fault.do in known:
        return fault and fault.do
    raise Misuse(f"{fault}: nothing says what {fault.do} does there")


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
    """A fault: one replica of a service stands still from `start` to `end`, in seconds.

    After the session time-out (1 s) its partitions move to the other replicas. Its handlers go on at `end`.

        simulate(shop, three_orders, faults=[pause("payments", 1, 3)])"""
    return Window("pause", service, start, end, replica)


def cut(service: str, start: float, end: float) -> Window:
    """A fault: the network cuts a service off from the broker and the other services from `start` to `end`, in seconds.

    Its handlers go on meanwhile; what they publish fails (or is lost, where the topic does not confirm), and what they
    ask stays unanswered.

        simulate(shop, three_orders, faults=[cut("payments", 1, 3)])"""
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

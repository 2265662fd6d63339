"""Faults at named points, `service.step.Message`: exact ones (the n-th time) and random ones (at a rate)."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

from ..errors import Misuse, Unknown, shown
from ..model.numbers import check_whole
from .clock import milliseconds

ACTIONS = {  # the actions at each step; if several strike at once, the first of ORDER
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


@dataclass(frozen=True, repr=False)
class Fault:
    """One exact fault. It strikes just before a step (a publish with `unconfirmed` or `duplicate`: just after it).

        Fault("crash", at="payments.commit.OrderPlaced", nth=2)
        "crash payments.commit.OrderPlaced #2"                     # the same as text

    do: the action, one of those that the step has:
        publish: crash, fail, unconfirmed, lose, duplicate, delay
        deliver: drop, duplicate, delay    handle, save: crash, fail
        ask, reply: crash, drop, delay     commit, ack: crash, lose
    at: the point, service.step.Message.
    nth: the fault strikes the n-th time that the run reaches this point.
    seconds: how long a delay lasts (1 s), or the down time after a crash (1 s).

    Raises Misuse for a point or an action that does not exist."""

    do: str
    at: str = ""
    nth: int = 1
    seconds: float | None = None

    def __post_init__(self):
        if not isinstance(self.at, str) or self.at.removesuffix(".dlq").count(".") != 2:
            raise Misuse(
                "Fault takes an action and a point, service.step.Message, such as "
                f"Fault('crash', at='payments.commit.OrderPlaced'), and {shown(self.at)} is not a point; "
                "a text such as 'crash payments.commit.OrderPlaced' goes into faults= as it is"
            )
        step = self.point[1]
        if step not in ACTIONS:
            raise Unknown("step", step, ACTIONS)
        if self.do not in ACTIONS[step]:
            raise Unknown("action", self.do, ACTIONS[step], f" at {step}")
        check_whole(f"{self.do} {self.at}: nth=", self.nth)
        if self.seconds is not None:
            if self.do not in ("delay", "crash"):
                raise Misuse(f"{self.do} {self.at}: seconds= goes with delay and crash only")
            milliseconds(self.seconds, f"{self.do} {self.at}: seconds=")

    @property
    def point(self) -> tuple[str, str, str]:
        """(service, step, message type)."""
        service, step, message = self.at.split(".", 2)
        return service, step, message

    def lasts(self, default: int) -> int:
        """Its duration in ms; `default` if it has no `seconds`."""
        return default if self.seconds is None else milliseconds(self.seconds, self.do)

    def __str__(self) -> str:
        lasts = "" if self.seconds is None else f" for {self.seconds:.15g} s"
        return f"{self.do} {self.at} #{self.nth}{lasts}"

    def __repr__(self) -> str:  # so that a printed list of faults can be pasted into `simulate`
        return repr(str(self))


@dataclass(frozen=True)
class Faults:
    """Random faults: for each action, the share of all visits to its points, from 0 to 1, at which it strikes.

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
        rates = (f"{name}={rate:.15g}" for name, rate in vars(self).items() if rate)
        return f"Faults({', '.join(rates)})"

    def rate(self, action: str) -> float:
        """The rate of an action."""
        return self.drop if action == "lose" else getattr(self, action)

    def chance(self, seed: int, point: tuple[str, str, str], action: str) -> Callable[[int], bool]:
        """Whether an action strikes at the n-th visit to a point. Each decision has a fixed number, so a higher rate
        keeps a lower one's faults."""
        text, below = f"{seed} {'.'.join(point)} {action} ", self.rate(action) * (1 << 48)

        def strikes(nth: int) -> bool:
            digest = blake2b(f"{text}{nth}".encode(), digest_size=6).digest()
            return int.from_bytes(digest, "big") < below

        return strikes


def action_of(fault: Fault | None, *known: str) -> str | None:
    """The action of a fault at a step that handles the `known` actions. Raises Misuse for any other action."""
    if fault is None:
        return None
    if fault.do not in known:
        raise Misuse(f"{fault}: nothing says what {fault.do} does there")
    return fault.do

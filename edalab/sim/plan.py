"""The fault plan of a run: the faults requested for it. It can be written as one line, as `print(run.faults)` does."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from ..errors import Misuse, Unknown, listed, shown
from ..model import Service, System, message_types
from .at_time import SECONDS, AtTime
from .deploy import Deploy, parse_deploy, with_deployed
from .faults import ORDER, Fault, Faults
from .points import SENT, Point, actions_at, points
from .windows import parse_at_time, skew

AnyFault = Fault | Faults | AtTime
Struck = Fault | AtTime
_FAULT = re.compile(
    rf"(\w+) +([\w-]+\.\w+\.\w+(?:\.dlq)?)(?: +#(\d{{1,9}}))?(?: +for +({SECONDS}) *s)?"
)


def parse_plan(text: str, deploys: Iterable[Deploy] = ()) -> list[AnyFault]:
    """The faults in a line: a printed list of faults, or their texts with ; or , between them. The line may name one
    of these deploys, at its own time."""
    text = text.strip().removeprefix("faults=")
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    text = re.sub("['\"]", "", text)
    return [parse(part, deploys) for part in re.split(r"[;,\n](?![^(]*\))", text) if part.strip()]


def parse(text: str, deploys: Iterable[Deploy] = ()) -> AnyFault:
    """The fault of a text. Raises Misuse for any other text."""
    text = text.strip()
    if match := _FAULT.fullmatch(text):
        do, at, nth, seconds = match.groups()
        return Fault(do, at, int(nth or 1), float(seconds) if seconds else None)
    if rates := re.fullmatch(r"Faults\((.*)\)", text):
        try:
            pairs = (rate.split("=") for rate in rates[1].split(","))
            return Faults(**{name.strip(): float(rate) for name, rate in pairs})
        except (TypeError, ValueError):
            example = "write Faults(drop=0.1, delay=0.2)"
            raise Misuse(f"{shown(text)} is not a fault; {example}") from None
    if at_time := parse_at_time(text) or parse_deploy(text, deploys):
        return at_time
    raise Misuse(
        f"{shown(text)} is not a fault; write 'crash payments.commit.OrderPlaced #2', "
        "'delay orders.publish.OrderPlaced #1 for 2 s', 'pause payments from 1 s to 3 s', 'cut payments from 1 s to 3 s', "
        "'repartition orders to 4 at 2 s', 'scale payments to 4 at 2 s', 'skew payments by 2 s', 'restore payments to 1 s at 2 s' or "
        "'rewind payments to 0 s at 20 s'; for several write a list, or put ; between them"
    )


class OnDemand(dict):
    """A dict that makes a missing value from its key. (Making a `functools.cache` takes a hundredth of a short run.)"""

    def __init__(self, make: Callable):
        super().__init__()
        self.make = make

    def __missing__(self, key: Any) -> Any:
        value = self[key] = self.make(key)
        return value


class Plan:
    """The faults of one run: the `requested` ones, how often each of their points was reached, and those that `struck`.

    Raises Misuse for a fault that could never strike this system."""

    def __init__(self, faults: Iterable[AnyFault | str], system: System, seed: int):
        if isinstance(faults, str | AnyFault):
            raise Misuse(f"faults= takes a list: faults=[{shown(faults)}]")
        if not isinstance(faults, Iterable):
            raise Misuse(f"faults= takes a list, not {shown(faults)}; write faults=[] for none")
        self.requested = [parse(fault) if isinstance(fault, str) else fault for fault in faults]
        deployed = tuple(fault.new for fault in self.requested if isinstance(fault, Deploy))
        self.system, self.seed = with_deployed(system, deployed) if deployed else system, seed
        self.by_point: dict[Point, dict[int, list[Fault]]] = {}  # by point and nth
        self.rates: list[Faults] = []
        self.timed: list[AtTime] = []
        self.visits: dict[Point, int] = {}  # counted only where something may strike
        self.chances = OnDemand(self._chances)  # by point
        self.struck: list[Struck] = []
        for fault in self.requested:
            if isinstance(fault, Fault):
                if fault.do not in actions_at(self.system, fault.point):
                    raise _impossible(fault, self.system)
                self.by_point.setdefault(fault.point, {}).setdefault(fault.nth, []).append(fault)
            elif isinstance(fault, Faults):
                self.rates += [fault] if any(vars(fault).values()) else []
            elif isinstance(fault, AtTime):
                fault.check(system)
                skewed = [one.service for one in self.timed if isinstance(one, skew)]
                if isinstance(fault, skew) and fault.service in skewed:
                    twice = f"the clock of {fault.service} is skewed already; give one skew"
                    raise Misuse(f"{fault}: {twice}")
                self.timed.append(fault)
            else:
                taken = "Fault, its text, Faults, pause, cut, repartition, scale, skew, restore, rewind and deploy"
                raise Misuse(f"faults= takes {taken}, not {shown(fault)}")
        self.rewinds = any(one.do == "rewind" for one in self.timed)
        places = [getattr(one, "service", None) for one in self.timed]  # None: of a topic
        self.services = {*places, *(point[0] for point in self.by_point)}
        self.everywhere = bool(self.rates) or None in places

    def concerns(self, service: Service) -> bool:
        """Whether something may come between two steps of this service: a fault, a bound or a late commit."""
        if self.everywhere or service.name in self.services:
            return True
        topics, handlers = self.system.topics.values(), service.handlers.values()
        return any(
            one.max_bytes or one.retention or one.max_poll_interval for one in topics
        ) or any(one.delivery == "at-most-once" or one.commit_every > 1 for one in handlers)

    def _chances(self, point: Point) -> list[tuple[Callable[[int], bool], str]]:
        """The random actions at a point, each with whether it strikes at the n-th visit."""
        return [
            (rates.chance(self.seed, point, each), each)
            for rates in self.rates
            for each in actions_at(self.system, point)
            if rates.rate(each)
        ]

    def fault_at(self, point: Point, ineffective: bool = False) -> Fault | None:
        """Count a visit to a point. Returns the fault that strikes at this visit, or None.

        ineffective: whether the step has no effect anyway (cut off, fenced), so that only a crash can strike."""
        named = self.by_point.get(point)
        if named is None and not self.rates:
            return None
        self.visits[point] = nth = self.visits.get(point, 0) + 1
        struck = named.get(nth, ()) if named else ()
        for strikes, action in self.chances[point]:
            if strikes(nth):
                struck = [*struck, Fault(action, ".".join(point), nth)]
        if ineffective:
            struck = [fault for fault in struck if fault.do == "crash"]
        if not struck:
            return None
        fault = min(struck, key=lambda f: ORDER.index(f.do))
        self.struck.append(fault)
        return fault

    def unfired(self) -> list[Struck]:
        """The faults that were requested individually and did not strike."""
        named = [fault for fault in self.requested if not isinstance(fault, Faults)]
        return list((Counter(named) - Counter(self.struck)).elements())


def _impossible(fault: Fault, system: System) -> Misuse:
    """The error for a fault that could never strike, with the reason."""
    service, step, message = fault.point
    types = message_types()
    if service not in system.services and service != "client":
        return Unknown("service", service, ["client", *system.services])
    if step in SENT and message not in types:
        return Unknown("message", message, types)
    if service == "client" and fault.do == "crash":
        why = f"the client, which plays the outside world, does not crash; crash one of {listed(system.services)}"
    elif step not in SENT:
        known = points(system)
        here = [".".join(point) for point in known if point[0] == service]
        return Unknown("point", fault.at, here or map(".".join, known))
    elif not issubclass(types[message], SENT[step]):
        published, asked = "a query, which is never published", "an event, which is never asked"
        why = f"{message} is {published if step == 'publish' else asked}"
    elif fault.do == "lose":
        why = "a publish is lost silently only in a topic declared with confirms=False; here it can `fail`"
    else:
        why = "a topic declared with confirms=False does not say that a publish failed; here it can `lose`"
    return Misuse(f"{fault}: {why}")

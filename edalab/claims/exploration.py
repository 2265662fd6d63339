"""The result of an exploration: the schedules that were tried, and the outcome of each claim."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from ..errors import Endless, Hung, Misuse, counted, listed, shown
from ..model import System
from ..sim import AnyFault, Deploy, Fault
from ..sim.run import Run
from ..sim.simulate import run_checked
from .claim import SIGNS, Claim
from .deploys import Deploys, order_of

_KINDS = {1: ("single fault", "single faults"), 2: ("pair", "pairs")}
_SHOWN = 24  # orders of deploys


class Schedule(NamedTuple):
    """One run that was tried: its faults, its seed, the outcome of each claim, the reason why it did not end (or
    ""), the anomalies of each broken claim, and its deploys."""

    faults: tuple[Fault, ...]
    seed: int
    outcomes: tuple[str, ...]
    endless: str = ""
    anomalies: tuple[tuple[str, ...], ...] = ()
    deploys: tuple[Deploy, ...] = ()

    @property
    def plan(self) -> tuple[AnyFault, ...]:
        """The deploys and faults of this run, for `faults=` of `simulate`."""
        return *self.deploys, *self.faults

    def __repr__(self) -> str:
        return f"<Schedule {list(self.plan)}, seed {self.seed}: {', '.join(self.outcomes)}>"


class Order(NamedTuple):
    """The result of a claim in one order of the deploys: its outcome, how many of the `tried` schedules broke it,
    and the smallest of those."""

    order: tuple[str, ...]
    claim: str
    outcome: str
    broken: int
    tried: int
    smallest: Schedule | None

    def __repr__(self) -> str:
        some = f"broken in {self.broken:,} of {self.tried:,}"
        said = some if self.broken else f"{self.outcome} in {self.tried:,}"
        return f"{SIGNS[self.outcome]} {', '.join(self.order)}: {said}"


@dataclass(repr=False, eq=False)
class Exploration:
    """The result of `explore`: the `schedules` that were tried, fewest faults first."""

    system: System
    workload: Callable
    claims: list[Claim]
    faults: int
    seeds: tuple[int, ...]
    left_out: tuple[str, ...]
    deploys: Deploys
    schedules: list[Schedule] = field(default_factory=list)
    to_try: list[int] = field(default_factory=list)  # how many schedules have 1, 2, … faults
    interrupted: bool = False

    def broken(self, claim: Claim | str) -> list[Schedule]:
        """The schedules that break a claim, smallest first."""
        number = self._number(claim)
        return [schedule for schedule in self.schedules if schedule.outcomes[number] == "broken"]

    def smallest(self, claim: Claim | str) -> Run | None:
        """The smallest run that breaks a claim, or None if no run does. Its `.faults` show what breaks it."""
        broken = self.broken(claim)
        return self.run(broken[0]) if broken else None

    def run(self, schedule: Schedule) -> Run:
        """The run of a schedule, simulated again."""
        if not isinstance(schedule, Schedule):
            raise Misuse(f".run takes one of the .schedules, not {shown(schedule)}")
        return recorded(self.system, self.workload, schedule.seed, schedule.plan)[0]

    def outcome(self, claim: Claim | str) -> str:
        """ "broken" if any schedule breaks the claim, "not exercised" if none tested it, else "holds"."""
        return _worst(self.schedules, self._number(claim))

    @property
    def orders(self) -> list[Order]:
        """The result of each claim in each order of the deploys, claim by claim. For each claim, the order that
        breaks it least comes first."""
        by_order: dict[tuple[str, ...], list[Schedule]] = {}
        for schedule in self.schedules:
            if schedule.deploys:
                by_order.setdefault(order_of(schedule.deploys), []).append(schedule)
        found = []
        for number, claim in enumerate(self.claims):
            rows = []
            for order, tried in by_order.items():
                broken = [one for one in tried if one.outcomes[number] == "broken"]
                of_claim = claim.sentence, _worst(tried, number), len(broken), len(tried)
                rows.append(Order(order, *of_claim, next(iter(broken), None)))
            found += sorted(rows, key=lambda row: row.broken)
        return found

    @property
    def endless(self) -> list[Schedule]:
        """The schedules that did not end by themselves."""
        return [schedule for schedule in self.schedules if schedule.endless]

    @property
    def coverage(self) -> str:
        """What was tried and what was not, in words."""
        parts = [self._orders_tried(self.deploys)] if self.deploys.given else []
        for number, there_are in enumerate(self.to_try, 1):
            tried = sum(len(schedule.faults) == number for schedule in self.schedules)
            sets = f"set of {number} faults", f"sets of {number} faults"
            one, many = _KINDS.get(number, sets)
            some = f"{tried:,} of {there_are:,} {many}"
            parts.append(f"every {one}" if tried == there_are else some)
        if len(self.to_try) < self.faults:
            parts.append("no more faults at once")
        one, several = f"timing of seed {self.seeds[0]} only", f"timings of {len(self.seeds)} seeds"
        parts += [one if len(self.seeds) == 1 else several]
        parts += ["no pauses or cuts" if self.faults else "no faults, pauses or cuts"]
        parts += [f"none at {listed(self.left_out)}"] if self.left_out else []
        return "; ".join(parts + ["interrupted"] * self.interrupted)

    def _orders_tried(self, deploys: Deploys) -> str:
        tried = [schedule for schedule in self.schedules if schedule.deploys]
        there_are, orders = len(deploys.orders), len({order_of(one.deploys) for one in tried})
        some = "every order" if orders == there_are else f"{orders:,} of {there_are:,} orders"
        choices = len({(one.seed, *(each.start for each in one.deploys)) for one in tried})
        at = f"{choices:,} of {deploys.choices:,} choices of moments"
        if choices == deploys.choices and len({one.plan for one in tried}) == there_are * choices:
            at = "every choice of moments"
        return f"{some} of {counted(len(deploys.given), 'deploy')}, at {at}"

    def _number(self, claim: Claim | str) -> int:
        for number, known in enumerate(self.claims):
            if claim in (known, known.sentence, known.name):
                return number
        sentences = "; ".join(known.sentence for known in self.claims)
        name = shown(getattr(claim, "sentence", claim))
        raise Misuse(f"the claim {name} was not explored; claims: {sentences}")

    def __repr__(self) -> str:
        parts = []
        for claim in self.claims:
            outcome, broken = self.outcome(claim), self.broken(claim)
            if broken and not broken[0].plan:
                outcome = "broken without any fault"
            elif broken:
                faults = ", ".join(map(str, broken[0].plan))
                outcome = f"broken in {len(broken):,}, smallest: {faults}"
            parts.append(f"{SIGNS[self.outcome(claim)]} {claim.sentence}: {outcome}")
            orders = [one for one in self.orders if broken and one.claim == claim.sentence]
            parts += [f"    {one}" for one in orders[:_SHOWN]]
            if len(orders) > _SHOWN:
                parts.append(f"    and {len(orders) - _SHOWN:,} more orders")
        if self.endless:
            smallest = ", ".join(map(str, self.endless[0].plan))
            parts.append(f"{len(self.endless):,} did not end, smallest: {smallest}")
        tried = counted(sum(bool(one.plan) for one in self.schedules), "schedule")
        what = " and ".join(["deploys"] * bool(self.deploys.given) + ["faults"] * bool(self.faults))
        tried += f" of {what or 'faults'} in {self.system.name} ({self.coverage})"
        return f"<{tried}:\n  " + "\n  ".join(parts) + ">"


def _worst(schedules: list[Schedule], number: int) -> str:
    """The worst outcome of a claim, by its number, in several schedules."""
    outcomes = {schedule.outcomes[number] for schedule in schedules}
    return next((one for one in ("broken", "holds") if one in outcomes), "not exercised")


def recorded(
    system: System, workload: Callable, seed: int, faults: tuple[AnyFault, ...]
) -> tuple[Run, str]:
    """Simulate one run. Returns it, and the reason why it did not end (or "")."""
    try:
        return run_checked(system, workload, seed, list(faults)), ""
    except Hung:  # not repeated under each fault, because each run would hang as long
        raise
    except Endless as endless:
        assert endless.run is not None, "it carries the record so far"
        return endless.run, str(endless)

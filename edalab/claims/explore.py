"""Every fault tried: one run for each, and the verdict of each claim. The first that breaks a claim is the smallest."""

import pickle
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, NamedTuple

from ..errors import Endless, Hung, Misuse, Unknown, counted, listed, shown
from ..model import System
from ..model.numbers import check_whole
from ..sim import Fault, enumerate_faults, quiet
from ..sim.run import Run
from ..sim.simulate import check_system_and_workload, garbage_seldom, run_checked
from ..stuck import watched
from .claim import SIGNS, Claim, claims_of

_LEAST, _MOST = 16, 256  # schedules for an executor at once
_YOUNG = 50_000  # objects: by then most runs that made them are done with
_KINDS = {1: ("single fault", "single faults"), 2: ("pair", "pairs")}


class Schedule(NamedTuple):
    """One run that was tried: its faults and seed, the outcome of each claim, and why it did not end, or ""."""

    faults: tuple[Fault, ...]
    seed: int
    outcomes: tuple[str, ...]
    endless: str = ""

    def __repr__(self) -> str:
        return f"<Schedule {list(self.faults)}, seed {self.seed}: {', '.join(self.outcomes)}>"


Tried = tuple[Schedule, list[Fault]]  # a schedule, and the faults that could strike next


@dataclass(repr=False, eq=False)
class Exploration:
    """The result of `explore`: the `schedules` that were tried, fewest faults first."""

    system: System
    workload: Callable
    claims: list[Claim]
    faults: int
    seeds: tuple[int, ...]
    left_out: tuple[str, ...] = ()
    schedules: list[Schedule] = field(default_factory=list)
    to_try: list[int] = field(default_factory=list)  # how many schedules have 1, 2, … faults
    interrupted: bool = False

    def broken(self, claim: Claim | str) -> list[Schedule]:
        """The schedules that break a claim, smallest first."""
        number = self._number(claim)
        return [schedule for schedule in self.schedules if schedule.outcomes[number] == "broken"]

    def smallest(self, claim: Claim | str) -> Run | None:
        """The smallest failing run (its `.faults` say why), or None where nothing that was tried breaks the claim."""
        broken = self.broken(claim)
        return self.run(broken[0]) if broken else None

    def run(self, schedule: Schedule) -> Run:
        """The run of a schedule, simulated again."""
        if not isinstance(schedule, Schedule):
            raise Misuse(f".run takes one of the .schedules, not {shown(schedule)}")
        return _recorded(self.system, self.workload, schedule.seed, schedule.faults)[0]

    def outcome(self, claim: Claim | str) -> str:
        """ "broken" if any schedule breaks the claim, "not exercised" if none tested it, else "holds"."""
        number = self._number(claim)
        outcomes = {schedule.outcomes[number] for schedule in self.schedules}
        ranked = ("broken", "holds")
        return next((outcome for outcome in ranked if outcome in outcomes), "not exercised")

    @property
    def endless(self) -> list[Schedule]:
        """The schedules that did not end by themselves."""
        return [schedule for schedule in self.schedules if schedule.endless]

    @property
    def coverage(self) -> str:
        """What was tried and what was not, in words."""
        parts = []
        for number, there_are in enumerate(self.to_try, 1):
            tried = sum(len(schedule.faults) == number for schedule in self.schedules)
            sets = f"set of {number} faults", f"sets of {number} faults"
            one, many = _KINDS.get(number, sets)
            some = f"{tried:,} of {there_are:,} {many}"
            parts.append(f"every {one}" if tried == there_are else some)
        if len(self.to_try) < self.faults:
            parts.append("no more faults at once")
        one, several = f"timing of seed {self.seeds[0]} only", f"timings of {len(self.seeds)} seeds"
        parts += [one if len(self.seeds) == 1 else several, "no pauses or cuts"]
        parts += [f"none at {listed(self.left_out)}"] if self.left_out else []
        return "; ".join(parts + ["interrupted"] * self.interrupted)

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
            if broken and not broken[0].faults:
                outcome = "broken without any fault"
            elif broken:
                faults = ", ".join(map(str, broken[0].faults))
                outcome = f"broken in {len(broken):,}, smallest: {faults}"
            parts.append(f"{SIGNS[self.outcome(claim)]} {claim.sentence}: {outcome}")
        if self.endless:
            smallest = ", ".join(map(str, self.endless[0].faults))
            parts.append(f"{len(self.endless):,} did not end, smallest: {smallest}")
        tried = counted(sum(bool(one.faults) for one in self.schedules), "schedule")
        tried += f" of faults in {self.system.name} ({self.coverage})"
        return f"<{tried}:\n  " + "\n  ".join(parts) + ">"


@quiet()
def explore(
    system: System,
    workload: Callable,
    claims: Iterable[Claim],
    *,
    faults: int = 1,
    seeds: Iterable[int] = (0,),
    budget: int | None = None,
    executor: Executor | None = None,
    progress: bool = False,
    leave_out: Iterable[str] = (),
) -> Exploration:
    """Run a workload under every single fault that could strike it, and check the claims on each run.

        result = explore(shop, three_orders, [charged_once, claims.no_event_lost(OrderPlaced)])
        result.smallest(charged_once)       # the smallest failing run, or None

    faults: the most faults at once. With 2, every pair too: the second is any that could strike after the first.
    seeds: repeats it under the timings of each seed.
    budget: ends it after so many schedules.
    executor: an executor of `concurrent.futures`, such as `ProcessPoolExecutor()`. The result is the same.
    progress: shows a bar.
    leave_out: services at which no fault is tried, such as ["client"].

    An interrupt keeps what was found. What handlers print is not shown; `result.run(schedule)` shows it. Raises Misuse
    where two equal runs differ."""
    claims = claims_of(claims, "explore")
    seeds = tuple(seeds) if isinstance(seeds, Iterable) else seeds
    _check(claims, faults, seeds, budget, executor)
    check_system_and_workload(system, workload)
    left_out = _services(leave_out, system)
    result = Exploration(system.frozen(), workload, claims, faults, seeds, left_out)
    try_one = partial(_try_one, result.system, workload, claims, left_out)
    try:
        # So that not each run has to set the timer, nor looks for garbage among what it makes.
        with watched("the exploration"), garbage_seldom(young=_YOUNG):
            for seed in seeds:
                _recorded(result.system, workload, seed, ())[0]._replay(None)  # raises Misuse
            level = [try_one((), seed, faults > 0) for seed in seeds]
            result.schedules += [schedule for schedule, _ in level]
            for number in range(1, faults + 1):
                plans = [
                    ((*schedule.faults, fault), schedule.seed)
                    for schedule, later in level
                    for fault in later
                ]
                result.to_try.append(len(plans))
                left = None if budget is None else budget + len(seeds) - len(result.schedules)
                tried = _try_all(try_one, plans[:left], number < faults, executor)
                level = []
                for one in _bar(tried, len(plans[:left]), progress):
                    result.schedules.append(one[0])
                    level.append(one)
                if len(level) < len(plans):
                    break
    except KeyboardInterrupt:
        result.interrupted = True
    except Misuse as misuse:
        misuse.result = result
        raise
    return result


def _recorded(
    system: System,
    workload: Callable,
    seed: int,
    faults: tuple[Fault, ...],
) -> tuple[Run, str]:
    """A run, and why it did not end, if it did not."""
    try:
        return run_checked(system, workload, seed, list(faults)), ""
    except Hung:  # not tried once more under each fault: every time takes as long
        raise
    except Endless as endless:
        assert endless.run is not None, "it carries the record so far"
        return endless.run, str(endless)


def _try_one(
    system: System,
    workload: Callable,
    claims: list[Claim],
    left_out: tuple[str, ...],
    faults: tuple,
    seed: int,
    later: bool,
) -> Tried:
    """One schedule, with what could strike it next if `later`."""
    try:
        run, endless = _recorded(system, workload, seed, faults)
    except Misuse as misuse:
        if faults:
            misuse.args = (f"{misuse} (under faults={list(faults)})",)
        raise
    outcomes = tuple(
        "not exercised" if endless and not claim.endless else claim.check(run).outcome
        for claim in claims
    )
    after = faults[-1] if faults else None
    next_faults = enumerate_faults(run, after) if later and not endless else []
    if left_out:
        next_faults = [fault for fault in next_faults if fault.point[0] not in left_out]
    return Schedule(faults, seed, outcomes, endless), next_faults


def _try_all(
    try_one: Callable, plans: list, later: bool, executor: Executor | None
) -> Iterator[Tried]:
    """Try the plans, in order, here or by an executor."""
    if executor is None:
        for faults, seed in plans:
            yield try_one(faults, seed, later)
        return
    import cloudpickle  # what is defined in a notebook travels by value

    packed = cloudpickle.dumps(try_one)
    # As bytes: Dask names a task by its arguments, and would look through each fault for its name.
    chunks = map(pickle.dumps, _chunks(plans))
    futures = [executor.submit(_try_chunk, packed, chunk, later) for chunk in chunks]
    try:
        for future in futures:
            yield from future.result()
    finally:
        for future in futures:  # an interrupted search leaves no work behind
            future.cancel()


def _chunks(plans: list) -> Iterator[list]:
    """Large chunks first, as each costs a worker some time; small ones last, so that none waits long for another."""
    start = 0
    while start < len(plans):
        size = min(max((len(plans) - start) // 8, _LEAST), _MOST)
        yield plans[start : start + size]
        start += size


# Not for each chunk: classes that travel by value are made anew.
_unpacked = lru_cache(maxsize=1)(pickle.loads)


def _try_chunk(packed: bytes, plans: bytes, later: bool) -> list[Tried]:
    try_one = _unpacked(packed)
    with watched("the exploration"), garbage_seldom(young=_YOUNG):
        return [try_one(faults, seed, later) for faults, seed in pickle.loads(plans)]


def _bar(tried: Iterator[Tried], total: int, progress: bool) -> Iterable[Tried]:
    if not progress:
        return tried
    from tqdm.auto import tqdm

    class Bar(tqdm):
        monitor_interval = 0  # no thread beside the run: WebAssembly has none

    return Bar(tried, total=total, unit=" schedules")


def _check(claims: list, faults: int, seeds: Any, budget: int | None, executor: Any) -> None:
    if not claims:
        what = "explore takes claims=[...], a list of at least one claim"
        raise Misuse(f'{what}; make one with @Claim("each order is charged once")')
    check_whole("faults=", faults, 0)
    if not (isinstance(seeds, tuple) and seeds and all(type(seed) is int for seed in seeds)):
        what = "seeds= takes at least one seed, such as seeds=range(10)"
        raise Misuse(f"{what}, not {shown(seeds)}")
    if budget is not None:
        check_whole("budget=", budget)
    if executor is not None and not hasattr(executor, "submit"):
        what = "executor= takes an executor of concurrent.futures, such as ProcessPoolExecutor()"
        raise Misuse(f"{what}, not {shown(executor)}")


def _services(names: Iterable[str], system: System) -> tuple[str, ...]:
    """The services to leave out. Raises Misuse for anything else."""
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise Misuse(f'leave_out= takes a list of services, such as ["client"], not {shown(names)}')
    known, names = ["client", *system.services], tuple(names)
    for name in names:
        if name not in known:
            raise Unknown("service", name, known)
    return names

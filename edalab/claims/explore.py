"""Every fault tried: one run for each, and the verdict of each claim. The first that breaks a claim is the smallest."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from functools import lru_cache, partial
from itertools import zip_longest
from typing import Any, NamedTuple

from ..errors import Endless, Hung, Misuse, shown
from ..model import System
from ..sim import Fault, enumerate_faults, quiet
from ..sim.run import Run
from ..sim.simulate import check_system_and_workload
from ..sim.simulate import play as play_run
from ..sim.steps import Step
from ..stuck import watched
from .claim import SIGNS, Claim, claims_of

_CHUNK = 32  # schedules for an executor at once: few, so that no worker waits long for another
_KINDS = {1: ("single fault", "single faults"), 2: ("pair", "pairs")}


class Schedule(NamedTuple):
    """One run that was tried: its faults and seed, the outcome of each claim, and why it did not end, or ""."""

    faults: tuple[Fault, ...]
    seed: int
    outcomes: tuple[str, ...]
    endless: str = ""

    def __repr__(self) -> str:
        return f"<Schedule {list(self.faults)}, seed {self.seed}: {', '.join(self.outcomes)}>"


class _Played(NamedTuple):
    """A schedule that was played, and the faults that could strike next."""

    schedule: Schedule
    later: list[Fault]


class Exploration:
    """The result of `explore`: the `schedules` that were tried, fewest faults first."""

    def __init__(
        self,
        system: System,
        workload: Callable,
        claims: list[Claim],
        faults: int,
        seeds: tuple[int, ...],
    ):
        self.system, self.workload, self.claims = system, workload, claims
        self.faults, self.seeds = faults, seeds
        self.schedules: list[Schedule] = []
        self.possible: list[int] = []  # how many schedules have 1, 2, … faults, as far as known
        self.interrupted = False

    def broken(self, claim: Claim | str) -> list[Schedule]:
        """The schedules that break a claim, smallest first."""
        number = self._number(claim)
        return [schedule for schedule in self.schedules if schedule.outcomes[number] == "broken"]

    def smallest(self, claim: Claim | str) -> Run | None:
        """The smallest failing run (its `.faults` say why), or None where nothing that was tried breaks the claim."""
        broken = self.broken(claim)
        return self.run(broken[0]) if broken else None

    def run(self, schedule: Schedule) -> Run:
        """The run of a schedule, played again."""
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
        said = []
        for number, there_are in enumerate(self.possible, 1):
            tried = sum(len(schedule.faults) == number for schedule in self.schedules)
            sets = f"set of {number} faults", f"sets of {number} faults"
            one, many = _KINDS.get(number, sets)
            some = f"{tried:,} of {there_are:,} {many}"
            said.append(f"every {one}" if tried == there_are else some)
        missing = self.faults - len(self.possible)
        if missing:
            said.append("no more faults at once")
        several = f"timings of {len(self.seeds)} seeds"
        one = f"timing of seed {self.seeds[0]} only"
        said += [one if len(self.seeds) == 1 else several, "no pauses or cuts"]
        return "; ".join(said) + ("; interrupted" if self.interrupted else "")

    def _number(self, claim: Claim | str) -> int:
        for number, known in enumerate(self.claims):
            if claim in (known, known.sentence, known.name):
                return number
        listed = "; ".join(known.sentence for known in self.claims)
        name = shown(getattr(claim, "sentence", claim))
        raise Misuse(f"the claim {name} was not explored; claims: {listed}")

    def __repr__(self) -> str:
        said = []
        for claim in self.claims:
            broken = self.broken(claim)
            if broken:
                faults = ", ".join(map(str, broken[0].faults)) or "no fault at all"
                said.append(f"✗ {claim.sentence}: broken in {len(broken):,}, smallest: {faults}")
            else:
                outcome = self.outcome(claim)
                said.append(f"{SIGNS[outcome]} {claim.sentence}: {outcome}")
        if self.endless:
            smallest = ", ".join(map(str, self.endless[0].faults))
            said.append(f"{len(self.endless):,} did not end, smallest: {smallest}")
        return f"<{len(self.schedules):,} schedules of {self.system.name} ({self.coverage}): {'; '.join(said)}>"


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
) -> Exploration:
    """Run a workload under every single fault that could strike it, and check the claims on each run.

        result = explore(shop, three_orders, [charged_once, claims.no_event_lost(OrderPlaced)])
        result.smallest(charged_once)       # the smallest failing run, or None

    faults: the most faults at once. With 2, every pair too: the second is any that could strike after the first.
    seeds: repeats it under the timings of each seed.
    budget: ends it after so many schedules.
    executor: an executor of `concurrent.futures`, such as `ProcessPoolExecutor()`. The result is the same.
    progress: shows a bar.

    An interrupt keeps what was found. What handlers print is not shown; `result.run(schedule)` shows it. Raises Misuse
    where two equal runs differ."""
    claims = claims_of(claims, "explore")
    seeds = tuple(seeds) if isinstance(seeds, Iterable) else seeds
    _check(claims, faults, seeds, budget, executor)
    check_system_and_workload(system, workload)
    result = Exploration(system.frozen(), workload, claims, faults, seeds)
    play = partial(_play, result.system, workload, claims)
    try:
        with watched("the exploration"):  # so that not each run has to set the timer
            for seed in seeds:
                _refuse_if_two_runs_differ(result.system, workload, seed)
            level = [play((), seed, faults > 0) for seed in seeds]
            result.schedules += [played.schedule for played in level]
            left = budget
            for number in range(1, faults + 1):
                plans = [
                    ((*p.schedule.faults, fault), p.schedule.seed)
                    for p in level
                    for fault in p.later
                ]
                result.possible.append(len(plans))
                level = []
                tried = _played(play, plans[:left], number < faults, executor)
                for played in _bar(tried, len(plans[:left]), progress):
                    result.schedules.append(played.schedule)
                    level.append(played)
                if left is not None:
                    left -= len(level)
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
    keeps_changes: bool = False,
) -> tuple[Run, str]:
    """A run, and why it did not end, if it did not."""
    try:
        return play_run(system, workload, seed, list(faults), keeps_changes=keeps_changes), ""
    except Hung:  # not tried once more under each fault: every time takes as long
        raise
    except Endless as endless:
        return endless.run, str(endless)


def _refuse_if_two_runs_differ(system: System, workload: Callable, seed: int) -> None:
    first, second = (_recorded(system, workload, seed, ())[0].journal for _ in range(2))
    for number, (one, other) in enumerate(zip_longest(first, second)):
        if one is None or other is None or _comparable(one) != _comparable(other):
            raise Misuse(
                f"two equal runs differ at step {number}, {_named(one)} and {_named(other)}: a handler or the workload uses "
                "something that is not of its run; keep what it needs in ctx.state or its database, and use ctx.random and ctx.now"
            )


def _comparable(step: Step) -> tuple:
    envelope = step.envelope
    return (*step[:4], envelope and (envelope.id, envelope.type, envelope.data), *step[5:])


def _named(step: Step | None) -> str:
    if step is None:
        return "nothing more"
    message = f".{step.envelope.type}" if step.envelope else ""
    data = f" ({step.envelope.data})" if step.envelope and step.envelope.data is not None else ""
    return f"{step.service}.{step.step}{message} at {step.time / 1000:g} s{data}"


def _play(system, workload, claims, faults: tuple[Fault, ...], seed: int, later: bool) -> _Played:
    """One schedule, with what could strike it next if `later`."""
    keeps_changes = any(claim.reads_changes for claim in claims)
    try:
        run, endless = _recorded(system, workload, seed, faults, keeps_changes)
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
    return _Played(Schedule(faults, seed, outcomes, endless), next_faults)


def _played(
    play: Callable, plans: list, later: bool, executor: Executor | None
) -> Iterator[_Played]:
    """Play the plans, in order, here or by an executor."""
    if executor is None:
        for faults, seed in plans:
            yield play(faults, seed, later)
        return
    import cloudpickle  # what is defined in a notebook travels by value

    packed = cloudpickle.dumps(play)
    chunks = [plans[start : start + _CHUNK] for start in range(0, len(plans), _CHUNK)]
    futures = [executor.submit(_play_chunk, packed, chunk, later) for chunk in chunks]
    try:
        for future in futures:
            yield from future.result()
    finally:
        for future in futures:  # an interrupted search leaves no work behind
            future.cancel()


def _play_chunk(packed: bytes, plans: list, later: bool) -> list[_Played]:
    play = _unpacked(packed)
    with watched("the exploration"):
        return [play(faults, seed, later) for faults, seed in plans]


@lru_cache(maxsize=1)  # not for each chunk: classes that travel by value are made anew
def _unpacked(packed: bytes) -> Callable:
    import pickle

    return pickle.loads(packed)


def _bar(played: Iterator[_Played], total: int, progress: bool) -> Iterable[_Played]:
    if not progress:
        return played
    from tqdm.auto import tqdm

    class Bar(tqdm):
        monitor_interval = 0  # no thread beside the run: WebAssembly has none

    return Bar(played, total=total, unit=" schedules")


def _check(claims: list, faults: int, seeds: Any, budget: int | None, executor: Any) -> None:
    if not claims:
        what = "explore takes claims=[...], a list of at least one claim"
        raise Misuse(f'{what}; make one with @Claim("each order is charged once")')
    if isinstance(faults, bool) or not isinstance(faults, int) or faults < 0:
        what = "faults= says how many strike at once, a whole number from 0"
        raise Misuse(f"{what}, not {shown(faults)}")
    if not (isinstance(seeds, tuple) and seeds and all(type(seed) is int for seed in seeds)):
        what = "seeds= takes at least one seed, such as seeds=range(10)"
        raise Misuse(f"{what}, not {shown(seeds)}")
    whole = isinstance(budget, int) and not isinstance(budget, bool)
    if budget is not None and not (whole and budget >= 1):
        raise Misuse(f"budget= takes a whole number of schedules from 1, not {shown(budget)}")
    if executor is not None and not hasattr(executor, "submit"):
        what = "executor= takes an executor of concurrent.futures, such as ProcessPoolExecutor()"
        raise Misuse(f"{what}, not {shown(executor)}")

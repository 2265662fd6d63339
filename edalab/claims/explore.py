"""Exploration: one run for each fault that can strike, and the verdict of each claim on it, smallest faults first."""

import pickle
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import replace
from functools import lru_cache, partial
from itertools import islice, zip_longest
from typing import Any

from ..errors import Misuse, Unknown, shown
from ..model import System
from ..model.numbers import check_whole
from ..sim import Deploy, Fault, enumerate_faults, quiet
from ..sim.simulate import check_system_and_workload, garbage_seldom
from ..stuck import watched
from .claim import Claim, Verdict, claims_of
from .deploys import Deploys, Placed
from .exploration import Exploration, Schedule, recorded

_LEAST, _MOST = 16, 64  # schedules for an executor at once: Dask needs a few ms for each chunk
_YOUNG = 4_000  # objects: what a run leaves is freed before it has left the processor's caches
_DEPLOYS_BUDGET = 1_000
_UNJUDGED = Verdict("", "not exercised", None, "")

Trial = tuple[tuple[Fault, ...], int, Placed]  # faults, seed, the deploys with their times
Tried = tuple[Schedule, list[Fault]]  # a schedule, and the faults that could strike next


@quiet()
def explore(
    system: System,
    workload: Callable,
    claims: Iterable[Claim],
    *,
    faults: int | None = None,
    deploys: Iterable[Deploy] = (),
    seeds: Iterable[int] = (0,),
    budget: int | None = None,
    executor: Executor | None = None,
    progress: bool = False,
    leave_out: Iterable[str] = (),
) -> Exploration:
    """Run a workload under every single fault that could strike it, and check the claims on each run.

        result = explore(shop, three_orders, [charged_once, claims.no_event_lost(OrderPlaced)])
        result.smallest(charged_once)       # the smallest failing run, or None

    faults: the largest number of faults at once (1; with deploys 0). With 2, every pair is tried, too: the second fault
        is any that could strike after the first.
    deploys: what `deploy` returns without `at`. Every order of them is tried, at times at which one of their services
        does something, beginning with a few times far apart. `result.orders` shows which orders are safe.
    seeds: the exploration is repeated with the timings of each seed.
    budget: the largest number of schedules (no limit; with deploys 1,000).
    executor: an executor of `concurrent.futures`, such as `ProcessPoolExecutor()`. The result is the same.
    progress: whether to show a progress bar.
    leave_out: services at which no fault is tried, such as ["client"].

    If you interrupt it, it returns what it has found. The output of handlers is not shown, unless you call
    `result.run(schedule)`. Raises Misuse if two equal runs differ."""
    claims = claims_of(claims, "explore")
    seeds = tuple(seeds) if isinstance(seeds, Iterable) else seeds
    check_system_and_workload(system, workload)
    rollout = Deploys(deploys, system)
    if faults is None:
        faults = 0 if rollout.given else 1
    if budget is None and rollout.given:
        budget = _DEPLOYS_BUDGET
    _check(claims, faults, seeds, budget, executor)
    left_out = _services(leave_out, system)
    result = Exploration(system.frozen(), workload, claims, faults, seeds, left_out, rollout)
    # Without the schedules that have been tried, because an executor pickles it.
    try_one = partial(_try_one, replace(result, schedules=[], to_try=[]))
    with_one_more: list[Trial] = []

    def try_all(trials: list[Trial], later: bool) -> None:
        tried = _bar(_try_all(try_one, trials, later, executor), len(trials), progress)
        for (schedule, after), (*_, placed) in zip(tried, trials, strict=True):
            result.schedules.append(schedule._replace(deploys=rollout.at(placed)))
            more = (((*schedule.faults, fault), schedule.seed, placed) for fault in after)
            with_one_more.extend(more)

    try:
        # Set once, so that each run needs no timer and no garbage collection of its own.
        with watched("the exploration"), garbage_seldom(young=_YOUNG):
            runs = [recorded(result.system, workload, seed, ())[0] for seed in seeds]
            for run in runs:
                run._replay(None)  # raises Misuse
            try_all([((), seed, ()) for seed in seeds], faults > 0)
            if rollout.given:
                in_turn = zip_longest(*map(rollout.plans, runs))
                each = (
                    (seed, one) for row in in_turn for seed, one in zip(seeds, row, strict=True)
                )
                whole = len(rollout.orders) * len(seeds)  # to try each order equally often
                most = budget if budget is None or budget < whole else budget - budget % whole
                some = islice((((), seed, one) for seed, one in each if one), most)
                try_all([*some], faults > 0)
            for number in range(1, faults + 1):
                trials = [*with_one_more]
                with_one_more.clear()
                result.to_try.append(len(trials))
                left = None if budget is None else budget + len(seeds) - len(result.schedules)
                try_all(trials[:left], number < faults)
                if left is not None and left < len(trials):
                    break
    except KeyboardInterrupt:
        result.interrupted = True
    except Misuse as misuse:
        misuse.result = result
        raise
    return result


def _try_one(asked: Exploration, faults: tuple, seed: int, placed: Placed, later: bool) -> Tried:
    """Run one schedule. Returns it, without its deploys, and the faults that could strike next if `later`."""
    plan = *asked.deploys.at(placed), *faults
    try:
        run, endless = recorded(asked.system, asked.workload, seed, plan)
    except Misuse as misuse:
        if plan:
            misuse.args = (f"{misuse} (under faults={list(plan)})",)
        raise
    judged = [c.check(run) if c.endless or not endless else _UNJUDGED for c in asked.claims]
    outcomes = tuple(verdict.outcome for verdict in judged)
    anomalies = tuple(verdict.anomalies for verdict in judged)
    after = faults[-1] if faults else None
    next_faults = enumerate_faults(run, after) if later and not endless else []
    if asked.left_out:
        next_faults = [fault for fault in next_faults if fault.point[0] not in asked.left_out]
    return Schedule(faults, seed, outcomes, endless, anomalies), next_faults


def _try_all(
    try_one: Callable, trials: list, later: bool, executor: Executor | None
) -> Iterator[Tried]:
    """Try the trials in order, in this process or with an executor."""
    if executor is None:
        for plan in trials:
            yield try_one(*plan, later)
        return
    import cloudpickle  # pickles what a notebook defines by value

    try_chunk = partial(_try_chunk, cloudpickle.dumps(try_one), later)
    size = max(_LEAST, min(len(trials) // 8, _MOST))
    chunks = (trials[first : first + size] for first in range(0, len(trials), size))
    # As bytes, because Dask names a task by its arguments, and would examine each fault for that.
    for tried in executor.map(try_chunk, [*map(pickle.dumps, chunks)]):
        yield from tried


# Cached, because each unpickling makes new classes of those pickled by value.
_unpacked = lru_cache(maxsize=1)(pickle.loads)


def _try_chunk(packed: bytes, later: bool, trials: bytes) -> list[Tried]:
    try_one = _unpacked(packed)
    with watched("the exploration"), garbage_seldom(young=_YOUNG):
        return [try_one(*plan, later) for plan in pickle.loads(trials)]


def _bar(tried: Iterator[Tried], total: int, progress: bool) -> Iterable[Tried]:
    if not progress:
        return tried
    from tqdm.auto import tqdm

    class Bar(tqdm):
        monitor_interval = 0  # no monitor thread, because WebAssembly has no threads

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
    if executor is not None and not (hasattr(executor, "submit") and hasattr(executor, "map")):
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

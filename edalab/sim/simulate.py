"""The simulation of a workload against a system, in virtual time and with given faults. It returns the record."""

import gc
import inspect
import warnings
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from itertools import zip_longest
from threading import Lock

from ..errors import Misuse, shown
from ..model import Envelope, System, foreign_call
from ..model.numbers import check_whole
from .clock import milliseconds
from .forgotten import notice_forgotten_coroutines
from .plan import Plan
from .printed import quiet
from .run import Run
from .steps import WIDTH
from .world import World


def simulate(
    system: System,
    workload: Callable,
    *,
    seed: int = 0,
    faults: Iterable = (),
    until: float | None = None,
    max_steps: int = 10_000_000,
) -> Run:
    """Run a workload against a system in virtual time until nothing is left to do, and return the record.

        run = simulate(shop, three_orders, faults=["crash payments.commit.OrderPlaced #2"])

    system: the declaration. Later declarations do not change the run.
    workload: `async def three_orders(ctx)`, which plays the outside world. The record calls it the service `client`.
    seed: varies latencies and random numbers. With 0, latencies are exact.
    faults: a list that can mix `Fault`, its text, `Faults`, `pause`, `cut`, `repartition`, `scale`, `skew`, `restore`,
        `rewind` and `deploy`.
    until: the time at which the run ends early, in seconds of virtual time.
    max_steps: the largest number of steps that a run may have.

    The same arguments give the same run. An exception in a handler is part of the run: see `run.failures`.

    Raises Misuse if the laboratory is used wrongly, Endless if the run does not end, and Hung if a handler runs
    without an await for 10 s of processor time. The error's `.run` holds the record so far."""
    check_system_and_workload(system, workload)
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise Misuse(f"seed= takes a whole number, not {shown(seed)}")
    check_whole("max_steps=", max_steps)
    if isinstance(faults, Iterable) and not isinstance(faults, str):
        faults = list(faults)  # for replays
    last = None if until is None else milliseconds(until, "until=")
    return run_checked(system.frozen(), workload, seed, faults, last, max_steps)


def run_checked(
    system: System,
    workload: Callable,
    seed: int,
    faults: Iterable,
    last: int | None = None,
    max_steps: int = 10_000_000,
) -> Run:
    """`simulate` after its checks. The system is frozen, and `last` is `until` in ms."""
    notice_forgotten_coroutines()

    def once(until: int | None, look: Callable | None = None) -> tuple[Run, Misuse | None]:
        world = World(system, seed, Plan(faults, system, seed))
        run = Run(world.system, world.record, world, again, seed)
        try:
            with world.watched():
                try:
                    with garbage_seldom(old=1_000_000):
                        world.run(workload, until, max_steps, look)
                finally:
                    if look is not None:  # at the last moment, even if a misuse ended the run there
                        look(world)
                    world.stop()
        except BaseException as error:  # an interrupt carries the record so far, too
            error.run = run  # pyrefly: ignore[missing-attribute]
            if not isinstance(error, Misuse):
                raise
            return run, error
        return run, None

    def again(until: int | None, look: Callable | None = None) -> World:
        """The world at a moment, or at the end (None), from a replay that prints nothing. `look` is called with the
        world at the end of each moment up to then."""
        ends = [time for time in (until, last) if time is not None]
        with quiet():
            repeated, _ = once(min(ends, default=None), look)
        _check_same(run._record, repeated._record, until)
        return repeated._world

    run, misuse = once(last)
    for text in dict.fromkeys(run._world.warnings):
        warnings.warn(text, stacklevel=3)
    if misuse is not None:
        raise misuse
    return run


_one_at_a_time = Lock()  # runs in threads share the thresholds
_thresholds: list[tuple[int, int, int]] = []  # the usual ones, and those of all runs under way


@contextmanager
def garbage_seldom(young: int = 0, old: int = 0) -> Generator[None]:
    """A context with higher thresholds of the garbage collector: `young` for new objects, `old` for older generations.

    A record only grows. Python's usual collections examine all of it again and again, so a message in a run of a
    million cost 1.8 times as much as in a run of a thousand."""
    asked = young, old, old
    with _one_at_a_time:
        if not _thresholds:
            _thresholds.append(gc.get_threshold())
        _thresholds.append(asked)
        gc.set_threshold(*map(max, zip(*_thresholds, strict=True)))
    try:
        yield
    finally:
        with _one_at_a_time:
            _thresholds.remove(asked)
            gc.set_threshold(*map(max, zip(*_thresholds, strict=True)))
            if len(_thresholds) == 1:
                _thresholds.clear()


def _check_same(first: list, again: list, until: int | None) -> None:
    """Raise Misuse if a replay, to the end or to the moment `until` (ms), differs from the run."""
    size = None if until is None else WIDTH * bisect_right(first[::WIDTH], until)
    for at, (one, other) in enumerate(zip_longest(first[:size], again[:size])):
        if one != other and _content(one) != _content(other):
            at -= at % WIDTH
            longer = first if at < len(first) else again
            time, step, (service, _), envelope = longer[at : at + 4]
            what = f"{service}.{step}" + (f".{envelope.type} of {envelope.id}" if envelope else "")
            raise Misuse(
                f"this run cannot be played again, because {what} at {time / 1000:g} s differs; a handler keeps something outside "
                "ctx.state and its database, or uses a clock, random numbers or ids other than ctx.now, ctx.random and ctx.new_id()"
            )


def _content(value: object) -> object:
    return (value.id, value.type, value.data) if isinstance(value, Envelope) else value


def check_system_and_workload(system: object, workload: object) -> None:
    """Raise Misuse unless the two are a system and a workload."""
    if not isinstance(system, System):
        kind = "a workload: the two are swapped" if isinstance(workload, System) else shown(system)
        kind = f"the class {kind}" if isinstance(system, type) else kind
        example = "write simulate(shop, three_orders) after shop = System('shop')"
        raise Misuse(f"simulate takes a System first, not {kind}; {example}")
    if problem := _problem(workload):
        raise Misuse(problem)


def _problem(workload: object) -> str | None:
    """Why an object cannot be a workload; None if it can."""
    name = getattr(workload, "__name__", "orders" if not callable(workload) else "workload")
    if inspect.iscoroutine(workload):
        workload.close()
        return f"a workload is a function `async def {name}(ctx)`, not a coroutine already begun: pass the function, without ()"
    if not callable(workload):
        return f"a workload is a function `async def {name}(ctx)`, not {shown(workload)}"
    if inspect.isasyncgenfunction(workload):
        return f"the workload {name} has a `yield`: it publishes with `await ctx.publish(...)`"
    if not any(map(inspect.iscoroutinefunction, (workload, type(workload).__call__))):
        return f"the workload {name} is not a coroutine; write `async def {name.strip('<>')}(ctx):`"
    signature = inspect.signature(workload)
    try:
        signature.bind(None)
    except TypeError:
        return f"the workload {name} takes {signature}, and a workload takes only the context: `async def {name}(ctx):`"
    if foreign := foreign_call(workload):
        return f"the workload {name} uses {foreign[0]}, {foreign[1]}"
    return None

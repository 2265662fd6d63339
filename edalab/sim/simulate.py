"""Play a workload against a system in virtual time, with the faults asked for, and return the record."""

import inspect
from collections.abc import Callable, Iterable

from ..errors import Misuse, Unknown
from ..history import Run
from ..model import System, foreign_call
from .clock import milliseconds
from .faults import Plan
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
    """Run a workload (`async def three_orders(ctx)`, the service `client`) against a system until nothing is left to do.

    `seed` varies the latencies (0: the named constants) and the dice; `faults` is a list of any mix of Fault, its text,
    Faults, pause and cut; `until` (seconds) ends the run earlier. A handler's exception is part of the run; misuse is
    raised, with the record so far as its `.run`."""
    if not isinstance(system, System):
        raise Misuse(f"simulate takes a System first, not {type(system).__name__}")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise Misuse(f"seed= takes a whole number, not {seed!r}")
    if isinstance(max_steps, bool) or not isinstance(max_steps, int) or max_steps < 1:
        raise Misuse(f"max_steps= takes a whole number from 1, not {max_steps!r}")
    _check_workload(workload)
    faults = list(faults) if isinstance(faults, Iterable) and not isinstance(faults, str) else faults
    frozen = system.frozen()

    last = None if until is None else milliseconds(until, "until=")

    def play(until: int | None) -> tuple[World, Run, Misuse | None]:
        world = World(frozen, seed, Plan(faults, frozen, seed))
        run = Run(frozen, world.record, world, at, seed)
        try:
            world.begin(workload)
            world.run(until, max_steps)
        except Misuse as misuse:
            misuse.run = run
            return world, run, misuse
        return world, run, None

    def at(seconds: float) -> World:
        """The world as it was, played again to that moment."""
        moment = milliseconds(seconds, "run.at")
        world, again, _ = play(moment if last is None else min(moment, last))
        record = run._record[: len(world.record)]
        if [type_of(v) for v in record] != [type_of(v) for v in again._record]:
            raise Misuse("this run cannot be played again: a handler keeps something outside of ctx.state and its database")
        return world

    _, run, misuse = play(last)
    if misuse is not None:
        raise misuse
    return run


def type_of(value: object) -> object:
    """A value of the record as it compares between two plays."""
    return getattr(value, "id", value)


def _check_workload(workload: object) -> None:
    if not callable(workload):
        kind = "a coroutine already begun: pass the function, without ()" if inspect.iscoroutine(workload) else repr(workload)
        if inspect.iscoroutine(workload):
            workload.close()
        raise Misuse(f"a workload is a function `async def {getattr(workload, '__name__', 'orders')}(ctx)`, not {kind}")
    name = getattr(workload, "__name__", "workload")
    function = workload
    while hasattr(function, "func"):
        function = function.func
    if not inspect.iscoroutinefunction(function) and not inspect.iscoroutinefunction(getattr(function, "__call__", None)):
        raise Misuse(f"the workload {name} is no coroutine; write `async def {name}(ctx):`")
    try:
        inspect.signature(workload).bind(None)
    except TypeError:
        raise Misuse(f"the workload takes the context alone: `async def {name}(ctx):`") from None
    foreign = foreign_call(function)
    if foreign:
        raise Misuse(f"the workload {name} uses {foreign[0]}, which would make every run differ; use {foreign[1]}")

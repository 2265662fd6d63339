"""Replay: a fold over stored events gives a state; a fold that cannot be meant so is told what is wrong with it."""

import dis
from collections.abc import Callable, Iterable
from inspect import iscoroutinefunction, isgeneratorfunction
from types import FunctionType
from typing import Any

from ..errors import Misuse, shown
from ..model import Event
from .stored_event import StoredEvent

_READ = {"event", "data", "type", "text"}  # what of a stored event tells what happened


def check_fold(fold: Any) -> None:
    """Raises Misuse for what is no function that could be a fold."""
    if not callable(fold) or iscoroutinefunction(fold) or isgeneratorfunction(fold):
        what = (
            shown(fold)
            if not callable(fold)
            else "an `async def`"
            if iscoroutinefunction(fold)
            else "one with `yield`"
        )
        raise Misuse(
            f"a fold is a function of a state and a stored event that returns the new state, not {what}"
        )


def folded(now: Any, fold: Callable, facts: Iterable[StoredEvent], start: Any) -> Any:
    """What a fold makes of a state and some facts; `start` is what the whole replay began with."""
    fact = None
    try:
        for fact in facts:
            now = fold(now, fact)
            if now is None and start is not None:
                raise Misuse(
                    f"{_name(fold)} returned None for event {fact.version} of {fact.stream}, {fact.said}; return the new state"
                )
    except (TypeError, AttributeError) as error:
        if fact is not None:
            _explain(error, now, fold, start)
        raise
    if isinstance(now, StoredEvent):
        raise Misuse(
            f"{_name(fold)} returned a stored event as the new state; {_ORDER}: def {_name(fold)}(state, fact)"
        )
    if fact is not None and _asks_the_fact(fold) and _same(now, start):
        what = "compares the stored event itself with classes of events, so that none ever fits"
        raise Misuse(f"{_name(fold)} {what}; your event is in .event: match fact.event")
    return now


_ORDER = "a fold takes the state first and then the stored event"


def _explain(error: Exception, now: Any, fold: Callable, start: Any) -> None:
    """Raises Misuse where the state is not what the fold expects, for a reason we know."""
    if now is None and start is None:
        what = f"{_name(fold)} cannot begin with None ({error}): the start is missing"
        raise Misuse(
            f"{what}; say what the state is before the first event: store.state(stream, {_name(fold)}, 0)"
        ) from error
    if (
        isinstance(error, AttributeError)
        and error.obj is now
        and error.name in {*_READ, "stream", "version", "happened", "recorded"}
    ):
        raise Misuse(
            f"{_name(fold)} asks the state {shown(now)} for .{error.name}; {_ORDER}: def {_name(fold)}(state, fact)"
        ) from error


def _asks_the_fact(fold: Callable) -> bool:
    """Whether a function compares with classes of events, and never looks at what a stored event holds."""
    if not isinstance(fold, FunctionType) or _READ & {*fold.__code__.co_names}:
        return False
    code = fold.__code__
    named = [fold.__globals__.get(name) for name in code.co_names]
    named += [cell.cell_contents for cell in fold.__closure__ or () if cell != type(cell)()]
    if not any(isinstance(thing, type) and issubclass(thing, Event) for thing in named):
        return False
    return "isinstance" in code.co_names or any(
        step.opname == "MATCH_CLASS" for step in dis.get_instructions(code)
    )


def _same(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except Exception:  # a table, which is no yes and no no
        return False


def _name(fold: Callable) -> str:
    return getattr(fold, "__name__", "the fold")

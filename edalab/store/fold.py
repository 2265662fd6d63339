"""Apply a fold to stored events, explain its mistakes, and recognise the same fold later."""

import dis
from collections.abc import Callable, Iterable
from functools import lru_cache
from hashlib import blake2b
from inspect import iscoroutinefunction, isgeneratorfunction
from types import CodeType, FunctionType
from typing import Any

from ..errors import Misuse, shown
from ..model import Event
from .stored_event import StoredEvent

_ORDER = "a fold takes the state first and then the stored event"
_CONTENT = {"event", "data", "type", "text"}  # attributes that say what happened
_PLACE = {"stream", "version", "happened", "recorded"}


def check_fold(fold: Any) -> None:
    """Raise Misuse if this cannot be a fold."""
    if not callable(fold) or iscoroutinefunction(fold) or isgeneratorfunction(fold):
        what = "a fold is a function of a state and a stored event that returns the new state"
        hint = ", without async and yield" if callable(fold) else ""
        raise Misuse(f"{what}{hint}, not {shown(fold)}")


def replay(fold: Callable, state: Any, facts: Iterable[StoredEvent], start: Any) -> Any:
    """The state after these facts. `state` is `start` or what a replay from it has reached.

    An exception in the fold gets a note that names the event. A known mistake raises Misuse, which
    says what to write."""
    folded = False
    for fact in facts:
        state, folded = apply(fold, state, fact, start), True
    if folded:
        check_result(fold, state, start)
    return state


def apply(fold: Callable, state: Any, fact: StoredEvent, start: Any) -> Any:
    """The state after one more fact."""
    try:
        after = fold(state, fact)
    except Exception as error:
        _explain(error, state, fold, start)
        if not isinstance(error, Misuse):
            error.add_note(
                f"{_name(fold)} raised this for event {fact.version} of {fact.stream}, "
                f"at position {fact.position} of the store: {fact.summary}"
            )
        raise
    if after is None and start is not None:
        where = f"for event {fact.version} of {fact.stream}, {fact.summary}"
        raise Misuse(f"{_name(fold)} returned None {where}; return the new state")
    return after


def check_result(fold: Callable, state: Any, start: Any) -> None:
    """Raise Misuse if the resulting state shows that the fold mistakes its arguments."""
    name = _name(fold)
    if isinstance(state, StoredEvent):
        what = f"{name} returned a stored event as the new state; {_ORDER}"
        raise Misuse(f"{what}: def {name}(state, fact)")
    if isinstance(state, int | float | str) and state == start and _never_reads_the_event(fold):
        what = "compares the stored event itself with classes of events, so that none ever matches"
        raise Misuse(f"{name} {what}; your event is in .event: match fact.event")


def _name(fold: Callable) -> str:
    return getattr(fold, "__name__", "the fold")


def _explain(error: Exception, state: Any, fold: Callable, start: Any) -> None:
    """Raise Misuse if a known mistake caused the error: no start, or swapped arguments."""
    name = _name(fold)
    if state is None and start is None and isinstance(error, TypeError | AttributeError):
        what = f"{name} cannot begin with None ({error}): the start is missing"
        fix = f"say what the state is before the first event: store.state(stream, {name}, 0)"
        raise Misuse(f"{what}; {fix}") from error
    missing = error.name if isinstance(error, AttributeError) and error.obj is state else None
    if missing in _CONTENT | _PLACE:
        what = f"{name} asks the state {shown(state)} for .{missing}; {_ORDER}"
        raise Misuse(f"{what}: def {name}(state, fact)") from error


def _never_reads_the_event(fold: Callable) -> bool:
    """Whether a function names event classes but no content of a stored event."""
    if not isinstance(fold, FunctionType) or _CONTENT & {*fold.__code__.co_names}:
        return False
    named = [fold.__globals__.get(name) for name in fold.__code__.co_names]
    return any(isinstance(thing, type) and issubclass(thing, Event) for thing in named)


def fingerprint(*things: object) -> str:
    """A hash of functions, event classes and data. A function counts with its code and with that of
    the functions in its module that it calls, an event class with its declaration, and anything
    else with its `repr`. A change that shows in none of these is not noticed."""
    text = " ".join(_description(thing, "", set()) for thing in things)
    return blake2b(text.encode("utf-8", "backslashreplace"), digest_size=8).hexdigest()


def _description(thing: Any, module: str, seen: set[FunctionType]) -> str:
    if isinstance(thing, type) and issubclass(thing, Event):
        upcasts = [fingerprint(upcast) for upcast in thing.__declared__.upcasts.values()]
        return f"{thing.__qualname__} {thing.__declared__.version} {thing.model_fields} {upcasts}"
    if not isinstance(thing, FunctionType):
        return repr(thing)
    if thing in seen or module not in ("", thing.__module__):
        return f"{thing.__module__}.{thing.__qualname__}"
    seen.add(thing)
    code, names = _read_code(thing.__code__)
    used = [thing.__globals__[name] for name in names if name in thing.__globals__]
    used += [cell.cell_contents for cell in thing.__closure__ or ()]
    used += [thing.__defaults__, thing.__kwdefaults__]
    return " ".join([code, *(_description(each, thing.__module__, seen) for each in used)])


@lru_cache(maxsize=256)  # without it, a state from a snapshot spends most of its time here
def _read_code(code: CodeType) -> tuple[str, list[str]]:
    """The instructions and constants of code as text, and the globals that it names, including
    those of its inner functions."""
    names = {step.argval for step in dis.get_instructions(code) if "GLOBAL" in step.opname}
    text = f"{code.co_code!r} {code.co_names} {code.co_varnames} {code.co_freevars}"
    for const in code.co_consts:
        if isinstance(const, CodeType):
            inner, more = _read_code(const)
            text += f" {inner}"
            names.update(more)
        else:
            text += f" {const!r}"
    return text, sorted(names)

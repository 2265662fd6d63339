"""A fold makes a state of stored events: how it is applied, what is wrong with one, and how one is known again."""

import dis
import sys
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import cached_property, lru_cache
from hashlib import blake2b
from inspect import iscoroutinefunction, isgeneratorfunction
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, ModuleType
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ..errors import Misuse, is_of_a_library, shown
from ..model import Event
from ..model.messages import Declared
from .stored_event import StoredEvent

_ORDER = "a fold takes the state first and then the stored event"
_CONTENT = {"event", "data", "type", "text"}  # the parts of a stored event that say what happened
_PLACE = {"stream", "version", "happened", "recorded"}


def check_fold(fold: Any) -> None:
    """Raise Misuse for what cannot be a fold."""
    wrong = None
    if not callable(fold):
        wrong = shown(fold)
    elif iscoroutinefunction(fold):
        wrong = "an `async def`"
    elif isgeneratorfunction(fold):
        wrong = "one with `yield`"
    if wrong:
        what = "a fold is a function of a state and a stored event that returns the new state"
        raise Misuse(f"{what}, not {wrong}")


def replay(fold: Callable, state: Any, facts: Iterable[StoredEvent], start: Any) -> Any:
    """The state after these facts. `state` may be one of a replay that began at `start`.

    An exception of the fold gets a note that names the event; a mistake that is known raises
    Misuse with what to write instead."""
    folded = False
    for fact in facts:
        state, folded = apply(fold, state, fact, start), True
    if folded:
        check_result(fold, state, start)
    return state


def check_result(fold: Callable, state: Any, start: Any) -> None:
    """Raise Misuse where the state after some facts shows that a fold mistakes its arguments."""
    if isinstance(state, StoredEvent):
        what = f"{_name(fold)} returned a stored event as the new state; {_ORDER}"
        raise Misuse(f"{what}: def {_name(fold)}(state, fact)")
    if _compares_the_stored_event(fold) and _same(state, start):
        what = "compares the stored event itself with classes of events, so that none ever fits"
        raise Misuse(f"{_name(fold)} {what}; your event is in .event: match fact.event")


def apply(fold: Callable, state: Any, fact: StoredEvent, start: Any) -> Any:
    """The state after one more fact."""
    try:
        after = fold(state, fact)
    except Exception as error:
        _explain(error, state, fold, start)
        if not isinstance(error, Misuse):
            error.add_note(
                f"{_name(fold)} raised this for event {fact.version} of {fact.stream}, "
                f"at position {fact.position} of the store: {fact.said}"
            )
        raise
    if after is None and start is not None:
        where = f"for event {fact.version} of {fact.stream}, {fact.said}"
        raise Misuse(f"{_name(fold)} returned None {where}; return the new state")
    return after


def _explain(error: Exception, state: Any, fold: Callable, start: Any) -> None:
    """Raise Misuse where the state is not what the fold expects, for a reason that is known."""
    name = _name(fold)
    if state is None and start is None and isinstance(error, TypeError | AttributeError):
        what = f"{name} cannot begin with None ({error}): the start is missing"
        fix = f"say what the state is before the first event: store.state(stream, {name}, 0)"
        raise Misuse(f"{what}; {fix}") from error
    asks = isinstance(error, AttributeError) and error.obj is state
    if asks and error.name in _CONTENT | _PLACE:
        what = f"{name} asks the state {shown(state)} for .{error.name}; {_ORDER}"
        raise Misuse(f"{what}: def {name}(state, fact)") from error


def _compares_the_stored_event(fold: Callable) -> bool:
    """Whether a function compares with classes of events, and never reads a stored event."""
    if not isinstance(fold, FunctionType) or _CONTENT & {*fold.__code__.co_names}:
        return False
    code = fold.__code__
    named = [fold.__globals__.get(name) for name in code.co_names] + _closure(fold)
    if not any(isinstance(thing, type) and issubclass(thing, Event) for thing in named):
        return False
    matches = any(step.opname == "MATCH_CLASS" for step in dis.get_instructions(code))
    return matches or "isinstance" in code.co_names


def _same(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except Exception:  # a table: its comparison is neither yes nor no
        return False


def _name(fold: Callable) -> str:
    return getattr(fold, "__name__", "the fold")


def _closure(function: FunctionType) -> list:
    """The values of the outer function that this one uses."""
    empty = CellType()
    return [cell.cell_contents for cell in function.__closure__ or () if cell != empty]


# How a fold is known again: a snapshot may serve no other, or it would change an answer.

_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(...))
_PLAIN += (date, datetime, time, timedelta, Decimal, range)
_METHODS = (FunctionType, staticmethod, classmethod, property, cached_property)


def fingerprint(*things: object) -> str:
    """A hash of functions, event classes, enums and plain data: equal in each process in which
    they compute the same. It covers the functions and data that a function names.

    Raises Misuse for anything else: it could change without the hash."""
    pieces: list[str] = []
    _describe(things, pieces, {})
    text = "\0".join(pieces).encode("utf-8", "backslashreplace")
    return blake2b(text, digest_size=8).hexdigest()


def _describe(thing: Any, pieces: list[str], seen: dict[int, tuple[int, Any]]) -> None:
    """Add a thing and its parts as texts; a thing that occurs again as its number."""
    kind = type(thing)
    if kind in _PLAIN:
        pieces += kind.__name__, repr(thing)
    elif id(thing) in seen:
        pieces.append(f"{seen[id(thing)][0]}")
    else:
        seen[id(thing)] = len(seen), thing  # the reference keeps its id from being used again
        parts = list(_parts(thing))
        pieces += kind.__name__, f"{len(parts)}"
        for part in parts:
            _describe(part, pieces, seen)


def _parts(thing: Any) -> Iterable:
    kind = type(thing)
    if kind in (list, tuple):
        return thing
    if kind is dict:
        return thing.items()
    if kind in (set, frozenset) and all(type(each) in _PLAIN for each in thing):
        return sorted(map(repr, thing))
    named = isinstance(thing, FunctionType | type | BuiltinFunctionType | ModuleType)
    if named and _of_a_library(thing):
        return getattr(thing, "__module__", ""), getattr(thing, "__qualname__", thing.__name__)
    if kind is FunctionType:
        return _function_parts(thing)
    if isinstance(thing, type) and issubclass(thing, BaseModel | Enum):
        return _class_parts(thing)
    if kind is FieldInfo:
        default = None if thing.default is PydanticUndefined else thing.default
        return thing.annotation, default, thing.default_factory, repr(thing.metadata), thing.alias
    if kind is Declared:
        return thing.version, thing.upcasts
    if kind in _METHODS:
        inner = next(name for name in ("__func__", "fget", "func") if hasattr(thing, name))
        return (getattr(thing, inner),)
    if kind is ModuleType:
        return (thing.__name__,)
    if isinstance(thing, Enum):
        return kind, thing.name
    if get_args(thing):
        return str(getattr(thing, "__origin__", kind.__name__)), *get_args(thing)
    what = "a snapshot is kept for a fold that uses functions, events, enums and plain data only"
    raise Misuse(f"{what}; {shown(thing)} may change unseen")


def _function_parts(function: FunctionType) -> tuple:
    text, names, used, notes = _read_code(function.__code__)
    attributes = [pair for pair in vars(function).items() if pair[0] not in notes]
    globals_ = list(_globals_used(names, used, function.__globals__))
    defaults = function.__defaults__, function.__kwdefaults__
    return text, *defaults, attributes, _closure(function), globals_


def _class_parts(cls: type) -> tuple:
    """The fields, members and methods of a message class, a model or an enum."""
    own = []
    for name, value in vars(cls).items():
        public = not name.startswith("_") and not issubclass(cls, Enum)
        method = isinstance(value, _METHODS) and not name.startswith(("__pydantic", "__annot"))
        if public or method or type(value) in _PLAIN and not name.startswith("__"):
            own.append((name, value))
    members = [(one.name, one.value) for one in cls] if issubclass(cls, Enum) else []
    fields = list(getattr(cls, "__pydantic_fields__", {}).items())
    declared = vars(cls).get("__declared__")
    return cls.__qualname__, cls.__bases__, own, fields, members, declared


@lru_cache(maxsize=256)  # without it, most of the time of a state from a snapshot goes here
def _read_code(code: CodeType) -> tuple[str, frozenset[str], tuple[str, ...], frozenset[str]]:
    """Code as a text, all names in it, those of globals, and the attributes that it sets; each
    with those of its inner functions. What a function notes on itself is no part of it."""
    inner = [_read_code(const) for const in code.co_consts if isinstance(const, CodeType)]
    consts = [const for const in code.co_consts if not isinstance(const, CodeType)]
    counts = code.co_flags, code.co_argcount, code.co_kwonlyargcount
    variables = code.co_names, code.co_varnames, code.co_cellvars, code.co_freevars
    steps = code.co_code, code.co_exceptiontable
    text = fingerprint(steps, counts, variables, consts, [text for text, *_ in inner])
    names, used, notes = {*code.co_names}, set(), set()
    for step in dis.get_instructions(code):
        if "GLOBAL" in step.opname or step.opname == "LOAD_NAME":
            used.add(step.argval)
        elif step.opname == "STORE_ATTR":
            notes.add(step.argval)
    for _, more_names, more_used, more_notes in inner:
        names |= more_names
        used.update(more_used)
        notes |= more_notes
    return text, frozenset(names), tuple(sorted(used)), frozenset(notes)


def _globals_used(
    names: frozenset[str], used: Iterable[str], there: dict[str, Any]
) -> Iterable[tuple[str, Any]]:
    """The globals that code uses; of a module of the learner's own, what the code uses of it."""
    for name in used:
        if name in there:
            thing = there[name]
            yield name, thing
            if isinstance(thing, ModuleType) and not _of_a_library(thing):
                yield from _globals_used(names - {name}, sorted(names - {name}), vars(thing))


def _of_a_library(thing: Any) -> bool:
    """Whether a thing is Python's or a library's, and so stays as it is."""
    module = thing if isinstance(thing, ModuleType) else sys.modules.get(thing.__module__ or "")
    if module is None or module.__name__ == "__main__":
        return False
    path = getattr(module, "__file__", None) or ""
    return module.__name__ in sys.builtin_module_names or is_of_a_library(path)

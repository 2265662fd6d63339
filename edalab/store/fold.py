"""A fold is the same as long as its code, and all that its code uses, are the same: a snapshot serves no other."""

import dis
import os
import sys
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import cached_property, lru_cache
from hashlib import blake2b
from pathlib import Path
from sysconfig import get_path
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    ModuleType,
)
from typing import Any, get_args

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ..errors import Misuse, shown
from ..model.messages import Declared

_PLAIN = (
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    type(None),
    type(...),
    date,
    datetime,
    time,
    timedelta,
    Decimal,
    range,
)
_OF_A_CLASS = (*_PLAIN, list, tuple, dict, set, frozenset, type)
_OF_A_CLASS += (FunctionType, staticmethod, classmethod, property, cached_property, Declared)
_UNSAID = {
    "__module__",
    "__doc__",
    "__annotations__",
    "__firstlineno__",
    "__static_attributes__",
    "__dataclass_fields__",
}
_UNSAID |= {"__count__", "__number__", "__shared__"}  # what the lab itself notes in message classes
_PLACES = (
    GetSetDescriptorType,
    MemberDescriptorType,
)  # where the objects of a class keep their fields
_LIBRARIES = tuple(
    os.path.join(folder, "")
    for folder in (Path(__file__).parent.parent, *map(get_path, ("stdlib", "platstdlib")))
)


def fingerprint(*things: object) -> str:
    """Equal for functions, classes and data that do and are the same, in this process and in others. Raises Misuse for what
    may change unseen: an object of a class of its own."""
    pieces: list[str] = []
    _take_apart(things, pieces, {})
    return blake2b("\0".join(pieces).encode("utf-8", "backslashreplace"), digest_size=8).hexdigest()


def _take_apart(thing: Any, pieces: list[str], seen: dict[int, tuple[int, Any]]) -> None:
    """Add a thing as texts, what it uses included; where something comes again, or is within itself, its number."""
    kind = type(thing)
    if kind in _PLAIN:
        pieces += kind.__name__, repr(thing)
    elif id(thing) in seen:
        pieces.append(f"{seen[id(thing)][0]}")
    else:
        seen[id(thing)] = len(seen), thing  # kept: another one shall not get its id
        parts = list(_parts(thing))
        pieces += kind.__name__, f"{len(parts)}"
        for part in parts:
            _take_apart(part, pieces, seen)


def _parts(thing: Any) -> Iterable:
    """What a thing is made of."""
    kind = type(thing)
    if kind in (list, tuple):
        return thing
    if kind is dict:
        return thing.items()
    if kind in (set, frozenset) and all(type(each) in _PLAIN for each in thing):
        return sorted(map(repr, thing))
    if isinstance(thing, FunctionType | type | BuiltinFunctionType | ModuleType) and _of_a_library(
        thing
    ):
        return getattr(thing, "__module__", ""), getattr(thing, "__qualname__", thing.__name__)
    if kind is FunctionType:
        mark, names, used = _read(thing.__code__)
        held = [cell.cell_contents for cell in thing.__closure__ or () if cell != CellType()]
        given = [pair for pair in vars(thing).items() if pair[0] not in _set_by(thing.__code__)]
        return (
            mark,
            thing.__defaults__,
            thing.__kwdefaults__,
            given,
            held,
            list(_found(names, used, thing.__globals__)),
        )
    if isinstance(thing, type):
        fields = getattr(thing, "__pydantic_fields__", {}).items()
        members = [(one.name, one.value) for one in thing] if issubclass(thing, Enum) else []
        return (
            thing.__qualname__,
            thing.__bases__,
            [pair for pair in vars(thing).items() if _counts(thing, *pair)],
            *fields,
            members,
        )
    if kind is FieldInfo:
        default = None if thing.default is PydanticUndefined else thing.default
        return thing.annotation, default, thing.default_factory, repr(thing.metadata), thing.alias
    if kind is Declared:
        return thing.version, thing.upcasts
    if kind in (staticmethod, classmethod):
        return (thing.__func__,)
    if kind is property:
        return (thing.fget,)
    if kind is cached_property:
        return (thing.func,)
    if kind is ModuleType:
        return (thing.__name__,)
    if isinstance(thing, Enum):
        return kind, thing.name
    if get_args(thing):
        return str(getattr(thing, "__origin__", kind.__name__)), *get_args(thing)
    raise Misuse(
        f"a snapshot is kept for a fold that uses functions, classes and plain data only; {shown(thing)} may change unseen"
    )


def _counts(cls: type, name: str, value: Any) -> bool:
    """Whether something in the body of a class is of the learner's; of what has a public name all is, known or not."""
    if name in _UNSAID or name.startswith("__pydantic"):
        return False
    return isinstance(value, _OF_A_CLASS) or not (
        name.startswith("_") or isinstance(value, _PLACES) or issubclass(cls, Enum)
    )


def _set_by(code: CodeType) -> set[str]:
    """The attributes that code sets: what a function notes on itself, such as how often it was called, is nothing that it uses."""
    return {one.argval for one in dis.get_instructions(code) if one.opname == "STORE_ATTR"}


@lru_cache(maxsize=256)  # most of the time, otherwise
def _read(code: CodeType) -> tuple[str, set[str], list[str]]:
    """A fingerprint of code, the names in it, and those of globals; all with those of its inner functions."""
    inner = [_read(const) for const in code.co_consts if isinstance(const, CodeType)]
    consts = [const for const in code.co_consts if not isinstance(const, CodeType)]
    kinds = (
        code.co_flags,
        code.co_argcount,
        code.co_kwonlyargcount,
        code.co_varnames,
        code.co_cellvars,
        code.co_freevars,
    )
    mark = fingerprint(
        code.co_code,
        code.co_exceptiontable,
        code.co_names,
        *kinds,
        consts,
        [mark for mark, *_ in inner],
    )
    used = {
        one.argval
        for one in dis.get_instructions(code)
        if "GLOBAL" in one.opname or one.opname == "LOAD_NAME"
    }
    return (
        mark,
        {*code.co_names}.union(*(names for _, names, _ in inner)),
        sorted(used.union(*(more for *_, more in inner))),
    )


def _found(names: set[str], used: list[str], there: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The globals that a function uses; of a module of the learner's, what is used of it."""
    for name in used:
        if name in there:
            found = there[name]
            yield name, found
            if isinstance(found, ModuleType) and not _of_a_library(found):
                yield from _found(names - {name}, sorted(names - {name}), vars(found))


def _of_a_library(thing: Any) -> bool:
    """Whether it is Python's or a library's: it stays as it is."""
    module = thing if isinstance(thing, ModuleType) else sys.modules.get(thing.__module__ or "")
    if module is None or module.__name__ == "__main__":
        return False
    path = getattr(module, "__file__", None) or ""
    return (
        module.__name__ in sys.builtin_module_names
        or path.startswith(_LIBRARIES)
        or "site-packages" in path
        or "dist-packages" in path
    )

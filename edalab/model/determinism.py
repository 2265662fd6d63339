"""Detection of names in a handler's code that would make two equal runs differ, such as `time.time` and `uuid4`."""

import datetime
import dis
import os
import random
import sys
import threading
import time
import types
import uuid
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

_DIFFERS = "which would make every run differ; use"
_WAITS = "which waits in real time, not in the run's; use"
_CLOCK, _DICE = f"{_DIFFERS} ctx.now", f"{_DIFFERS} ctx.random"
_LOOP = "which needs asyncio's loop, and the lab has its own; use await ctx.sleep(seconds), or one `await` after the other"
_CLOCKS = ("now", "utcnow", "today")  # of datetime and date
_LOADS = "LOAD_GLOBAL LOAD_NAME LOAD_DEREF LOAD_FAST LOAD_FAST_BORROW LOAD_FAST_CHECK".split()
_SLEEP = f"{_WAITS} await ctx.sleep(seconds)"
_INSTEAD = {
    time.sleep: _SLEEP,
    **dict.fromkeys((time.time, time.monotonic, time.perf_counter, time.process_time), _CLOCK),
    **dict.fromkeys((time.time_ns, time.monotonic_ns, time.perf_counter_ns), _CLOCK),
    **dict.fromkeys((time.localtime, time.gmtime, time.ctime, time.strftime), _CLOCK),
    **dict.fromkeys((uuid.uuid1, uuid.uuid4, os.urandom), f"{_DIFFERS} ctx.new_id()"),
    threading.Thread: f"{_DIFFERS} another service",
    hash: f"{_DIFFERS} zlib.crc32(text.encode())",  # the hash of a str differs from process to process
    id: f"{_DIFFERS} ctx.new_id()",
    input: f"{_WAITS} a message that the workload publishes",
}


def foreign_call(function: Callable) -> tuple[str, str] | None:
    """The first name used in `function`, or in functions of its module that it uses, that would make two runs
    differ: (the name as written, what is wrong with it and what to use instead), or None."""
    if _looked_at(function) is None:
        return None
    return _search(function, set())  # again: a function that it calls may have been fixed since


@lru_cache(maxsize=256)  # searches a workload once, not in each of a thousand runs
def _looked_at(function: Callable) -> tuple[str, str] | None:
    return _search(function, set())


def _search(function: Callable, seen: set) -> tuple[str, str] | None:
    while hasattr(function, "func"):  # a partial
        function = function.func
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    if code is None or code in seen:
        return None
    seen.add(code)
    cells = {}
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            cells[name] = cell.cell_contents
        except ValueError:  # not bound yet
            pass
    names = {**vars(__import__("builtins")), **function.__globals__, **cells}
    for written, found in _names_used(code, names):
        instead = _instead(written, found)
        if instead:
            return written, instead
        if isinstance(found, types.FunctionType) and found.__module__ == function.__module__:
            deeper = _search(found, seen)
            if deeper:
                return deeper
    return None


def _names_used(code: types.CodeType, names: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each global, closure or imported name that the code reads, with its attributes: ("time.sleep", the function)."""
    imported: dict[str, Any] = {}
    written = found = module = part = None
    for step in dis.get_instructions(code):
        operation, name = step.opname, step.argval
        if operation == "IMPORT_NAME":
            module = part = sys.modules.get(name)  # one that is not imported yet stays so
        elif operation == "IMPORT_FROM":
            part = getattr(module, name, None)
        elif operation.startswith("STORE_") and module is not None:
            imported[name], part = part, module
        elif operation in _LOADS:
            scope = imported if operation.startswith("LOAD_FAST") else {**names, **imported}
            written = name if isinstance(name, str) and name in scope else None
            if written:
                found = scope[name]
                yield written, found
        elif operation in ("LOAD_ATTR", "LOAD_METHOD") and written:
            if isinstance(found, type) and issubclass(found, datetime.date) and name in _CLOCKS:
                yield f"{written}.{name}", _CLOCKS
            written, found = f"{written}.{name}", getattr(found, name, None)
            yield written, found
        elif operation not in ("PUSH_NULL", "CACHE", "NOP", "PRECALL", "RESUME"):
            written = None
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names_used(constant, names)


def _instead(written: str, found: Any) -> str | None:
    if found is _CLOCKS:
        return _CLOCK
    owner = getattr(found, "__self__", None)
    if owner is random._inst or found is random.SystemRandom:
        return _DICE
    if callable(found):
        home = str(getattr(found, "__module__", None) or type(owner).__module__)
        if home == "secrets" or home.startswith("numpy.random"):
            return _DICE
        exception = isinstance(found, type) and issubclass(found, BaseException)
        # Compared by name, because importing asyncio takes a tenth of our import time.
        if home.split(".")[0] in ("asyncio", "_asyncio") and not exception:
            return _SLEEP if getattr(found, "__name__", "") == "sleep" else _LOOP
    try:
        return _INSTEAD.get(found)
    except TypeError:  # not hashable
        return None

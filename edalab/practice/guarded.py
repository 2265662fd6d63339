"""Guard the judge of an answer while the answer runs: edalab's objects, and the call's frames.

This stops the obvious ways to cheat. It must run in a process that ends with the trial, because an
audit hook cannot be removed.
"""

import inspect
import sys
import traceback
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from types import CellType, FunctionType, ModuleType
from typing import Any

from ..claims.claim import Claim
from ..errors import Misuse, is_of_a_library
from .exercise import Exercise

_FRAMES = {"tb_frame", "gi_frame", "cr_frame", "ag_frame"}  # attributes
_LEADS_THERE = {"sys._getframe", "sys._current_frames", "sys.settrace", "sys.setprofile"}
_LEADS_THERE |= {"gc.get_objects", "gc.get_referrers", "gc.get_referents"}


@contextmanager
def guarded(name: str) -> Generator[list[str]]:
    """A context that reports, in the list, how the function of this name meddles with its judge."""
    reached: list[str] = []
    before = [*_things()]
    for path, _, parts in before:
        for part, held in parts.items():
            if isinstance(held, FunctionType) and held.__globals__.get("__name__") == "__main__":
                what = f"this notebook replaced {path}.{part}, by which edalab judges an answer"
                reached.append(f"{what}: delete that, restart the kernel and run the cells again")
    _refuse_frames(name, reached)
    yield reached
    for path, thing, parts in before:
        now = _parts(path, thing)
        for part, held in parts.items():
            if now.get(part) is not held:
                what = f"{name} changed {path}.{part}, by which edalab judges an answer"
                reached.append(f"{what}: leave that as it is")


def _refuse_frames(name: str, reached: list[str]) -> None:
    """From now on, refuse the learner's code frames, ctypes and the objects that gc finds."""
    looking = False

    def hook(event: str, details: tuple) -> None:
        nonlocal looking
        leads = event in _LEADS_THERE or event.startswith("ctypes.")
        if looking or not (leads or (event == "object.__getattr__" and details[1] in _FRAMES)):
            return
        looking = True  # the next line raises this event, too
        try:
            frame = sys._getframe(1)
        finally:
            looking = False
        # Both return frames to their callers; in a nested call, traceback only formats them.
        if frame.f_code.co_filename == traceback.__file__ and frame.f_back:
            frame = frame.f_back
        while frame.f_code.co_filename == inspect.__file__ and frame.f_back:
            frame = frame.f_back
        if is_of_a_library(frame.f_code.co_filename):
            return
        what = event if leads else details[1]
        said = f"{name} uses {what}, which leads to its judge: use what it is given"
        reached.append(said)
        raise Misuse(said)

    sys.addaudithook(hook)


def _things() -> Iterator[tuple[str, Any, dict]]:
    """Everything that decides how an answer is judged, with its path and its parts: edalab's
    modules, classes and functions, and the content of an exercise."""
    ahead: list[tuple[str, Any]] = [
        (name, module)
        for name, module in sorted(sys.modules.items(), reverse=True)
        if name.startswith("edalab.") and not name.startswith(("edalab.view", "edalab.panels"))
    ]
    seen: set[int] = set()
    while ahead:
        path, thing = ahead.pop()
        parts = _parts(path, thing)
        yield path, thing, parts
        for name, part in parts.items():
            ours = _is_ours(part)
            if (ours or _of_an_exercise(path)) and id(part) not in seen:
                seen.add(id(part))
                home = f"{part.__module__}.{part.__qualname__}" if ours else f"{path}.{name}"
                ahead.append((home, part))


def _parts(path: str, thing: Any) -> dict[Any, Any]:
    """The parts of an object that influence the judgement, by name."""
    if isinstance(thing, ModuleType) or _is_ours(thing):
        parts = {name: held for name, held in vars(thing).items() if isinstance(held, _DECIDE)}
        parts.pop("__warningregistry__", None)  # Python's record of the warnings it has shown
        functions = {name: held for name, held in parts.items() if isinstance(held, FunctionType)}
        return parts | {f"{name}.__code__": f.__code__ for name, f in functions.items()}
    if not _of_an_exercise(path):
        return {}
    if isinstance(thing, FunctionType):
        cells = map(_content, thing.__closure__ or ())
        return dict(zip(thing.__code__.co_freevars, cells, strict=True))
    if isinstance(thing, list | tuple):
        return dict(enumerate(thing))
    if isinstance(thing, Claim | Exercise):
        return vars(thing).copy()
    return {**thing} if isinstance(thing, dict) else {}


_DECIDE = FunctionType, type, classmethod, staticmethod, property, Claim, dict, list, tuple


def _of_an_exercise(path: str) -> bool:
    return path.startswith("edalab.exercises.")


def _is_ours(thing: Any) -> bool:
    return isinstance(thing, type) and str(thing.__module__).startswith("edalab.")


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not bound yet
        return None

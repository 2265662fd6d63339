"""A coroutine that a handler forgot to await is an error of that handler, not a warning on stderr."""

import sys
import warnings
from collections.abc import Callable
from types import CoroutineType

from .context import Context
from .execution import running_in

_python_warns: Callable | None = None  # Python's own warning


def watch() -> None:
    """From now on notice it. Where Python has no such hook, it warns as ever."""
    global _python_warns
    hook = getattr(warnings, "_warn_unawaited_coroutine", None)
    if hook is not None and hook is not _dropped:
        _python_warns, warnings._warn_unawaited_coroutine = hook, _dropped


def _dropped(coroutine: CoroutineType) -> None:
    execution = running_in(sys._getframe(1))
    values = coroutine.cr_frame.f_locals.values() if coroutine.cr_frame else ()
    worlds = [value._execution.world for value in values if isinstance(value, Context)]
    if execution is None or any(world is not execution.world for world in worlds):
        _python_warns(coroutine)  # not of a run, or of an earlier one and collected only now
    else:
        execution.refuse(f"forgot to await: `await {coroutine.__name__}(...)`")

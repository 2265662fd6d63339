"""Detection of coroutines that a handler forgot to await: an error of that handler, in place of a warning on stderr."""

import sys
import warnings
from types import CoroutineType, FrameType

from .context import Context
from .execution import Execution

_RUNNING = (Execution.resume.__code__, Execution.run.__code__)  # a learner's code runs above these


def running_in(frame: FrameType | None) -> Execution | None:
    """The execution whose handler runs in this frame or called it; None if there is none."""
    while frame is not None and frame.f_code not in _RUNNING:
        frame = frame.f_back
    return frame and frame.f_locals["self"]


def notice_forgotten_coroutines() -> None:
    """Raise an error for them from now on. If this Python has no such hook, it warns as usual."""
    python_warns = getattr(warnings, "_warn_unawaited_coroutine", None)
    if python_warns is None or python_warns.__module__ == __name__:
        return

    def refuse(coroutine: CoroutineType) -> None:
        execution = running_in(sys._getframe(1))
        values = coroutine.cr_frame.f_locals.values() if coroutine.cr_frame else ()
        worlds = [value._execution.world for value in values if isinstance(value, Context)]
        if execution is None or any(world is not execution.world for world in worlds):
            python_warns(coroutine)  # not from a run, or from an earlier one and collected only now
        else:
            execution.refuse(f"forgot to await: `await {coroutine.__name__}(...)`")

    warnings._warn_unawaited_coroutine = refuse  # pyrefly: ignore[missing-attribute]

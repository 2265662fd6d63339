"""A coroutine that nobody awaits is told as an error of the handler that dropped it, not as a warning on stderr."""

import sys
import warnings
from types import CoroutineType, FrameType

from .context import Context

_RUNNING = (
    Context._resume.__code__,
    Context._run.__code__,
)  # the frames below which a learner's code runs
_warned = None  # what Python did about it


def watch() -> None:
    """From now on notice it. Python has one place where it warns of it; where that is missing, it warns as ever."""
    global _warned
    hook = getattr(warnings, "_warn_unawaited_coroutine", None)
    if hook is not None and hook is not _dropped:
        _warned, warnings._warn_unawaited_coroutine = hook, _dropped


def at_work(frame: FrameType | None) -> Context | None:
    """The context of the handler whose code runs in this frame, or in one that it calls."""
    while frame is not None and frame.f_code not in _RUNNING:
        frame = frame.f_back
    return frame and frame.f_locals["self"]


def _dropped(coroutine: CoroutineType) -> None:
    ctx = at_work(sys._getframe(1))
    arguments = coroutine.cr_frame.f_locals.values() if coroutine.cr_frame else ()
    left_over = (
        any(isinstance(a, Context) and a._world is not ctx._world for a in arguments)
        if ctx
        else True
    )
    if left_over:  # not of a run, or of an earlier one and collected only now
        _warned(coroutine)
    else:
        ctx._refuse(f"forgot to await: `await {coroutine.__name__}(...)`")

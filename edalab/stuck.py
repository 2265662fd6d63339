"""Stop a call of the learner's code that neither ends nor awaits. The error names the line.

A probe checks at intervals whether the same call is still running. In the main thread, a timer of
processor time triggers it; elsewhere, and on Windows, a separate thread does. WebAssembly has
neither, so nothing is stopped there. A single endless call of C, such as `sum(itertools.count())`,
ends only together with its process: see `end_with_an_endless_call`.
"""

import dis
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from types import CodeType, FrameType

from .errors import Hung, is_of_a_library, line_of

SECONDS = 10  # of processor time, for one call; a handler takes a millisecond
PROBE_EVERY = 1.0  # seconds between two probes
GRACE = 2.0  # seconds beyond `SECONDS` after which a call that no probe reached ends its process
WAIT = 60  # wall-clock seconds, for a call that waits; even a slow machine probes much sooner
_PROBE_SOON = 0.01  # seconds between two probes of a call that has run too long
_PROBES = 20  # to find the loop, and the place in it with the fewest `try` blocks around it
Loop = tuple[FrameType, int]  # the frame of a loop, and the loop's first line


class TooLong(BaseException):  # no `except Exception` of the learner's catches it
    """The learner's code runs too long."""


class Watched:
    """A context that stops a call that runs for more than `SECONDS` times `patience`.

    If the enclosing one has a `patience` below 1, this one's is multiplied by it.

    `refuse` makes the error from the innermost frame and a text, "line 3 of charge, for over 10 s
    …". `call` returns the call that a frame belongs to, if there are many.
    """

    def __init__(
        self,
        refuse: Callable[[FrameType, str], Exception],
        call: Callable[[FrameType], object] = lambda frame: None,
        patience: float = 1,
    ):
        self.refuse, self.call, self.patience = refuse, call, patience
        self.error: Exception | None = None
        self.probed: object = self  # the call that the last probe found; none so far
        self.loops: list[Loop] = []

    def __enter__(self) -> "Watched":
        self.below = id(sys._getframe(1))  # the learner's frames are those above this one
        self.thread = threading.get_ident()
        running = _running.setdefault(self.thread, [])
        if running:
            self.patience *= min(1, running[-1].patience)
        running.append(self)
        if len(running) == 1:
            _begin_to_probe()
        self._allow_to_go_on()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        running = _running[self.thread]
        running.pop()
        if running:
            running[-1].probed = running[-1]  # restart its time: the inner call's was not its own
            running[-1]._allow_to_go_on()
        else:
            del _running[self.thread]
            if _has_timer():
                signal.setitimer(signal.ITIMER_PROF, 0)
            if _ends_with_a_call:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
                signal.setitimer(signal.ITIMER_REAL, 0)
        if self.error is not None and (kind is None or issubclass(kind, Exception | TooLong)):
            raise self.error from None

    def look(self, frame: FrameType) -> bool:
        """Probe the call. Returns whether to stop it here."""
        call, now = self.call(frame), time.process_time()
        if call != self.probed:
            self.probed, self.since, self.probes, self.loops = call, now, 0, []
        if now - self.since <= SECONDS * self.patience:
            return False
        if not (theirs := list(self._learners(frame))):
            return False
        around = sum(map(_tries, theirs))
        loops = [loop for frame in theirs for loop in _loops(frame)]  # innermost first
        if self.probes == 0:
            self.fewest, self.loops = around, loops
        self.probes += 1
        self.fewest = min(self.fewest, around)
        self.loops = [loop for loop in self.loops if loop in loops]
        if self.probes < _PROBES or around > self.fewest:
            return False
        if self.error is None:
            self.error = self.refuse(theirs[0], self._line(theirs))
        self.loops = []
        return True

    def _allow_to_go_on(self) -> None:
        """Restart the timers that end the process if no probe runs for much longer than allowed."""
        if _ends_with_a_call:
            # It excludes system time, which the probes include. So a probe comes first if a loop in
            # Python fills the memory.
            signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS * self.patience + GRACE)
            signal.setitimer(signal.ITIMER_REAL, WAIT)

    def _learners(self, frame: FrameType | None) -> Iterator[FrameType]:
        while frame is not None and id(frame) != self.below:
            if not is_of_a_library(frame.f_code.co_filename):
                yield frame
            frame = frame.f_back

    def _line(self, theirs: list[FrameType]) -> str:
        """The first line of the innermost loop that every probe found, or, without a loop (as in a
        regular expression), the line itself."""
        frame, line = self.loops[0] if self.loops else (theirs[0], theirs[0].f_lineno)
        while frame.f_code.co_name[0] == "<" and (caller := frame.f_back) in theirs:
            frame, line = caller, caller.f_lineno
        seconds = SECONDS * self.patience
        return f"{line_of(frame.f_code, line)}, for over {seconds:g} s of the processor's time"


def watched(what: str, patience: float = 1) -> Watched:
    """A context that stops the learner's code, which `what` names, if it runs too long."""
    return Watched(
        lambda _, line: Hung(f"{what} runs for ever: {line}; make its loop end"), patience=patience
    )


_running: dict[int, list[Watched]] = {}  # by thread, the innermost last
_prober: threading.Thread | None = None
if hasattr(os, "register_at_fork"):  # a worker process begins with no running call and no timer
    os.register_at_fork(after_in_child=_running.clear)
_installed = False  # the signal's handler, which stays: looking it up takes as long as the rest


_ends_with_a_call = False


def end_with_an_endless_call(file: int) -> None:
    """From now on, a call of C that never returns ends this process, whether it computes or waits.
    A signal writes the call's lines to the file descriptor, because Python's own handlers run only
    between calls."""
    import faulthandler

    global _ends_with_a_call
    for number in (signal.SIGVTALRM, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
        faulthandler.register(number, file=file, all_threads=False, chain=True)
    _ends_with_a_call = True


def _has_timer() -> bool:
    main = threading.main_thread().ident == threading.get_ident()
    return main and hasattr(signal, "setitimer") and sys.platform != "emscripten"


def _begin_to_probe() -> None:
    global _prober, _installed
    if _has_timer():
        if not _installed:
            signal.signal(signal.SIGPROF, _probe_here)
            _installed = True
        signal.setitimer(signal.ITIMER_PROF, PROBE_EVERY, PROBE_EVERY)
    elif sys.platform != "emscripten" and (_prober is None or not _prober.is_alive()):
        _prober = threading.Thread(target=_probe_others, daemon=True, name="edalab probes")
        _prober.start()


def _probe_here(_: int, frame: FrameType | None) -> None:
    """Probe the main thread, on its timer's signal."""
    running = _running.get(threading.get_ident())
    if not running or frame is None:
        return
    watched = running[-1]
    stop = watched.look(frame)
    signal.setitimer(signal.ITIMER_PROF, _pause(watched), PROBE_EVERY)
    watched._allow_to_go_on()
    if stop:
        raise TooLong


def _probe_others() -> None:
    """Probe the other threads, in a separate thread."""
    import ctypes

    global _prober
    pause = PROBE_EVERY
    main = threading.main_thread().ident if hasattr(signal, "setitimer") else None
    while True:
        time.sleep(pause)
        if not _running.keys() - {main}:
            _prober = None  # a call that begins from now on starts another thread
            if not _running.keys() - {main}:
                return
            _prober = threading.current_thread()
        pause, frames = PROBE_EVERY, sys._current_frames()
        for thread, running in list(_running.items()):
            if thread == main or thread not in frames:
                continue
            # The thread may go on meanwhile: its call ends, or CPython takes another object for its frame.
            with suppress(AttributeError, IndexError):
                if running[-1].look(frames[thread]):
                    raises = ctypes.py_object(TooLong)
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raises)
                pause = min(pause, _pause(running[-1]))


def _pause(watched: Watched) -> float:
    return _PROBE_SOON if watched.probes else PROBE_EVERY


def _tries(frame: FrameType) -> int:
    """The number of exception handlers around the current instruction."""
    # An attribute that CPython has and typeshed does not.
    entries = dis.Bytecode(frame.f_code).exception_entries  # pyrefly: ignore[missing-attribute]
    return sum(entry.start <= frame.f_lasti < entry.end for entry in entries)


def _loops(frame: FrameType) -> list[Loop]:
    """The loops around the current instruction, each with its first line, the innermost first."""
    found, lines = [], []
    for step in _instructions(frame.f_code):
        if step.positions is not None and step.positions.lineno is not None:
            lines.append((step.offset, step.positions.lineno))
        back = "JUMP_BACKWARD" in step.opname and "NO_INTERRUPT" not in step.opname  # an await
        if back and step.argval <= frame.f_lasti <= step.offset:
            first = min(line for offset, line in lines if offset >= step.argval)
            if (frame, first) not in found:
                found.append((frame, first))
    return found


@lru_cache(maxsize=64)
def _instructions(code: CodeType) -> list[dis.Instruction]:
    return list(dis.get_instructions(code))

"""A process of its own for a learner's code: what it changes is gone with it, and a call that never ends, too."""

import os
import pickle
import select
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..stuck import end_with_an_endless_call

MEMORY = 1 << 30  # bytes that the work may take beside what the notebook has
LOOK = 0.05  # seconds between two looks at them: to fill as much again takes longer


class Ended(Exception):
    """The process ended before its work was done; `endless` if a call that never returns was its end, or
    `full` if it took too much memory. Then `said` has the lines in which it was."""

    def __init__(self, status: int, said: bytes, full: bool = False):
        code = os.waitstatus_to_exitcode(status)  # negative: the number of a signal
        self.endless = -code in (signal.SIGVTALRM, signal.SIGALRM)
        self.full, self.said = full, said.decode("utf-8", "replace")
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        why = f": {self.said}" if self.said and code > 0 else ""
        super().__init__(f"the process of this check ended {how} before everything was tried{why}")


def can_be_apart() -> bool:
    """Whether there can be such a process: not on Windows, in WebAssembly, or from another thread."""
    main = threading.current_thread() is threading.main_thread()
    return main and hasattr(os, "fork") and sys.platform != "emscripten"


def apart(work: Callable[[], Any]) -> Any:
    """What the work returns, done by a copy of this process. Raises Ended if that ends before."""
    theirs, ours = os.pipe()
    with warnings.catch_warnings():
        # Python 3.12 warns of threads, such as a kernel's: the copy has none of them, and needs none.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        process = os.fork()
    if process == 0:
        _work(work, ours)
    os.close(ours)
    most, full = _memory(os.getpid()) + MEMORY, False
    try:
        with open(theirs, "rb") as pipe:
            while not (full or select.select([pipe], [], [], LOOK)[0]):
                if full := _memory(process) > most:
                    os.kill(process, signal.SIGVTALRM)  # it says where it is, and ends
            said = pipe.read()
    except BaseException:  # the kernel was interrupted
        os.kill(process, signal.SIGKILL)
        raise
    finally:
        _, status = os.waitpid(process, 0)
        with suppress(OSError):  # there is mostly none
            os.killpg(process, signal.SIGKILL)
    if status or not said:
        raise Ended(status, said, full)
    return pickle.loads(said)


def _work(work: Callable[[], Any], pipe: int) -> None:
    """Send what the work returns, and end at once: the notebook's streams and sockets are not ours."""
    try:
        # The notebook ends this process if it is interrupted, and those that the work starts with it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)  # that of the notebook's event loop
        end_with_an_endless_call(pipe)
        # A copy of this copy would keep the pipe open and send what it found, too.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.register_at_fork(after_in_child=lambda: os.dup2(nowhere, pipe))
        said = pickle.dumps(work())
        with open(pipe, "wb") as file:
            file.write(said)
        os._exit(0)
    except BaseException as error:  # a mistake of ours
        os.write(pipe, f"{type(error).__name__}: {error}"[:200].encode())
    finally:
        os._exit(1)


def _memory(process: int) -> int:
    """The bytes that a process takes; 0 where only Linux could say."""
    try:
        pages = Path(f"/proc/{process}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0

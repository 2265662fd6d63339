"""A separate process for a learner's code, to confine its side effects and endless calls."""

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

MEMORY = 1 << 30  # bytes that the work may take in addition to the notebook's
LOOK = 0.05  # seconds between two measurements: to fill as much again takes longer


class Ended(Exception):
    """The process ended before its work was done: `endless` if it was stopped in a call that never
    returns, `full` if it took too much memory. Then `said` has the lines where it was stopped."""

    def __init__(self, status: int, said: bytes, full: bool = False):
        code = os.waitstatus_to_exitcode(status)  # negative: the number of a signal
        self.endless = -code in (signal.SIGVTALRM, signal.SIGALRM)
        self.full, self.said = full, said.decode("utf-8", "replace")
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        why = f": {self.said}" if self.said and code > 0 else ""
        super().__init__(f"the process of this check ended {how} before everything was tried{why}")


def can_be_apart() -> bool:
    """Whether a separate process is possible: not on Windows, in WebAssembly, or in a thread."""
    main = threading.current_thread() is threading.main_thread()
    return main and hasattr(os, "fork") and sys.platform != "emscripten"


def apart(work: Callable[[], Any]) -> Any:
    """The result of the work, done by a copy of this process. Raises Ended if that ends early."""
    theirs, ours = os.pipe()
    with warnings.catch_warnings():
        # Python 3.12 warns of threads, such as a kernel's. The copy has none, and needs none.
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
                    os.kill(process, signal.SIGVTALRM)  # it reports its lines, and ends
            said = pipe.read()
    except BaseException:  # the kernel was interrupted
        os.kill(process, signal.SIGKILL)
        raise
    finally:
        _, status = os.waitpid(process, 0)
        with suppress(OSError):  # usually the group has ended
            os.killpg(process, signal.SIGKILL)
    if status or not said:
        raise Ended(status, said, full)
    return pickle.loads(said)


def _work(work: Callable[[], Any], pipe: int) -> None:
    """Send the result and exit at once, because the notebook's streams and sockets are not ours."""
    try:
        # An interrupted notebook kills this process, and with it those that the work starts.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)  # that of the notebook's event loop
        end_with_an_endless_call(pipe)
        # Otherwise a fork of this process would keep the pipe open and send a result, too.
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
    """The memory of a process in bytes; 0 if it is unknown, because only Linux reports it."""
    try:
        pages = Path(f"/proc/{process}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0

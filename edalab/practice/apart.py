"""A process of its own for a learner's code: what it changes is gone with it, and a call that never ends, too."""

import os
import pickle
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

from ..stuck import end_with_an_endless_call


class Ended(Exception):
    """The process ended before its work was done; `endless` if a call that never returns was its end.
    Then `said` has the lines in which it was."""

    def __init__(self, status: int, said: bytes):
        code = os.waitstatus_to_exitcode(status)  # negative: the number of a signal
        self.endless, self.said = code == -signal.SIGPROF, said.decode("utf-8", "replace")
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
    try:
        with open(theirs, "rb") as pipe:
            said = pipe.read()
    except BaseException:  # the kernel was interrupted
        os.kill(process, signal.SIGKILL)
        raise
    finally:
        _, status = os.waitpid(process, 0)
    if status or not said:
        raise Ended(status, said)
    return pickle.loads(said)


def _work(work: Callable[[], Any], pipe: int) -> None:
    """Send what the work returns, and end at once: the notebook's streams and sockets are not ours."""
    try:
        # An interrupt reaches both processes, and the first one ends this one.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(-1)  # that of the notebook's event loop
        end_with_an_endless_call(pipe)
        said = pickle.dumps(work())
        with open(pipe, "wb") as file:
            file.write(said)
        os._exit(0)
    except BaseException as error:  # a mistake of ours
        os.write(pipe, f"{type(error).__name__}: {error}"[:200].encode())
    finally:
        os._exit(1)

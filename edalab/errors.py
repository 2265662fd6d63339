"""The errors that a learner can meet. Each names the thing, lists what exists, says what to do."""

import os
import re
import sqlite3
import traceback
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from difflib import get_close_matches
from sysconfig import get_path
from types import CodeType, FrameType


def shown(thing: object, most: int = 80) -> str:
    """An object as text for an error message or a repr: on one line, short, without addresses."""
    text = thing.__name__ if isinstance(thing, type) else repr(thing)
    if re.search(r" at 0x[0-9A-Fa-f]+>$", text):
        kind, name = type(thing).__name__, getattr(thing, "__name__", "")
        text = f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}" + (f" ({name})" if name else "")
    return shortened(text, most)


def shortened(text: str, most: int = 80) -> str:
    """A learner's text for an error message or a repr: on one line, short, without addresses."""
    text = " ".join(without_addresses(text[: 4 * most]).split())
    return text if len(text) <= most else text[: most - 3] + "..."


def without_addresses(text: str) -> str:
    """A learner's text without the addresses of objects, which differ from run to run."""
    return re.sub(r" at 0x[0-9A-Fa-f]+", "", text) if " at 0x" in text else text


_OURS = os.path.join(os.path.dirname(__file__), "")
_LIBRARIES = tuple({os.path.join(get_path(name), "") for name in ("stdlib", "platstdlib")})


def is_of_a_library(path: str) -> bool:
    """Whether a source file is ours, Python's or a library's, and not the learner's."""
    return (
        path.startswith((_OURS, "<frozen", *_LIBRARIES))
        or "site-packages" in path
        or "dist-packages" in path
    )


def _is_learners(frame: FrameType) -> bool:
    code = frame.f_code
    return not is_of_a_library(code.co_filename) and code.co_name[0] != "<"


def line_raised(error: BaseException, theirs: Callable[[FrameType], bool] = _is_learners) -> str:
    """The last line of the learner's code in an exception's traceback; "" if there is none."""
    passed = [
        (frame.f_code, number)
        for frame, number in traceback.walk_tb(error.__traceback__)
        if theirs(frame)
    ]
    # Up to Python 3.11 a comprehension is a function of its own, whose first line is not the learner's.
    named = [at for at in passed if not at[0].co_name.endswith(("comp>", "genexpr>"))] or passed
    return line_of(*named[-1]) if named else ""


def line_of(code: CodeType, line: int) -> str:
    """A line of the learner's code, counted from the first line of its function."""
    return f"line {line - code.co_firstlineno + 1} of {code.co_name}"


def listed(names: Iterable[object], most: int = 12) -> str:
    """The first names as text, and the number of those left out."""
    texts = [str(name) for name in names]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return (", ".join(texts[:most]) or "none") + more


def choices(name: object, known: Iterable[str]) -> str:
    """The names that exist (of many, similar ones first), and the one most similar to `name`."""
    known = list(known)
    near = get_close_matches(str(name)[:200], known, n=3)
    if len(known) > 12:
        known = near + [other for other in known if other not in near]
    return listed(known) + (f". Did you mean {near[0]!r}?" if near else "")


def counted(n: int, one: str, many: str | None = None) -> str:
    """A number with its noun, such as "1 message" or "2 messages"."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


class Text(str):
    """Text of several lines that a notebook shows without quotes."""

    def __repr__(self) -> str:
        return str(self)


class Misuse(Exception):
    """The laboratory was used incorrectly. If a run was under way, `.run` is its record so far."""

    run = None
    result = None  # that of an exploration that this error ended

    def __reduce__(self) -> tuple:
        """What a worker process sends back: the sentence, but not the run, which stays there."""
        return _again, (type(self), str(self))


def _again(kind: type[Misuse], sentence: str) -> Misuse:
    again = kind.__new__(kind)
    again.args = (sentence,)
    return again


class Unknown(Misuse, LookupError):
    """A name that does not exist. The message lists those that do; of many, similar ones first."""

    def __init__(
        self, kind: str, name: object, known: Iterable[str], where: str = "", more: str = ""
    ):
        plural = kind[:-1] + "ies" if kind.endswith(("ry", "ty")) else kind + "s"
        there = choices(name, known)
        hint = "" if "Did you mean" in there else more
        super().__init__(f"no {kind} {shown(name)}{where}; {plural}{where}: {there}{hint}")


class InvalidMessage(ValueError):
    """Data that a message class rejects, with pydantic's error as `__cause__`. A failure in a handler."""


class Unreadable(ValueError):
    """A message written by another class of the same name that the handler's class cannot read. The
    handler is not called, and the delivery fails as if the handler had raised this."""


class NotInstalled(Misuse, ImportError):
    """A library of the extra `course` is missing. The message names the command to install it."""


@contextmanager
def needed_for(what: str) -> Generator[None]:
    """Import a library of the extra `course`: `with needed_for("run.steps"): import pandas`."""
    try:
        yield
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library in ("", "edalab"):  # a mistake of ours or of a library: keep its own message
            raise
        raise NotInstalled(f'{what} needs {library}: pip install "edalab[course]"') from None


class Endless(Misuse):
    """The run would not have ended. A budget stopped it, and the message names what never ended."""


class Hung(Endless):
    """A call of the learner's code ran too long without an await. The message names the line."""


class Unanswered(TimeoutError):
    """A question or an asked command got no answer in time. It may have been carried out or not."""

    def __init__(self, service: str, message: str = "", seconds: float = 0):
        # A handler may raise one with a message of its own, which is then the only argument.
        words = f"{service} did not answer {message} within {seconds:g} s"
        super().__init__(words if message else service)
        self.service, self.message, self.seconds = service, message, seconds


class Busy(RuntimeError):
    """A service turned a question or an asked command away, because all its workers are busy and
    its waiting line is full. It was certainly not carried out."""

    def __init__(self, service: str, message: str = ""):
        # As with Unanswered, a handler may raise one with a message of its own.
        super().__init__(f"{service} is busy and turned {message} away" if message else service)
        self.service, self.message = service, message


class Refused(Exception):
    """A service's refusal of a command, with the reason. A handler returns it or raises it.

    The asker gets it as the answer, with the reason in `.reason`. It is false, so `if not answer:`
    detects a refusal, too. Raised inside `with ctx.database as db:`, it rolls back; returned, it
    leaves what was saved. A refused command was handled, so it is acknowledged and not retried.

        if money < command.total:
            return Refused("not enough money")
    """

    _NOTE = "refused: "  # how a step's detail begins; an answer, in JSON, begins differently

    def __init__(self, reason: str | None = None):
        if not isinstance(reason, str) or not reason.strip():
            raise Misuse(
                f"Refused takes the reason in words, Refused('not enough money'), not {shown(reason)}"
            )
        super().__init__(reason)
        self.reason = reason

    def __bool__(self) -> bool:
        return False

    @property
    def note(self) -> str:
        """The detail of the step in the record."""
        return self._NOTE + without_addresses(self.reason)

    @classmethod
    def noted(cls, detail: str | None) -> str | None:
        """The reason, if a step's detail notes a refusal, or None."""
        return detail.removeprefix(cls._NOTE) if detail and detail.startswith(cls._NOTE) else None


class PublishFailed(ConnectionError):
    """The broker did not confirm a message. It may be in the topic or not (in doubt), so the publisher
    must decide what to do. If the broker rejected it, because the queue was full (`.full`) or it was too large,
    it is certainly not there."""

    def __init__(self, message: str, topic: str, full: bool = False, too_large: bool = False):
        what = "rejected {}: {} is full" if full else "did not confirm {} to {}"
        what = "rejected {}: it is too large for {}" if too_large else what
        super().__init__("the broker " + what.format(message, topic))
        self.message, self.topic, self.full = message, topic, full


class ConcurrencyError(RuntimeError):
    """Another writer appended to the stream after it was read. Nothing was appended. Decide again.

    `.stream`, `.expected` and `.actual` version, `.theirs` (stored since), `.yours` (not stored)."""

    def __init__(self, stream: str, expected: int, actual: int, theirs: list, yours: list):
        stored = listed([f"version {fact.version}: {fact.summary}" for fact in theirs], 3)
        since = f"; stored since: {stored}" if theirs else ""
        super().__init__(
            f"{stream} is at version {actual}, not {expected}{since}; not appended: {listed(yours, 3)}. "
            "Read the stream again and decide again"
        )
        self.stream, self.expected, self.actual = stream, expected, actual
        self.theirs, self.yours = theirs, yours


class HandlerFailed(RuntimeError):
    """The error of a handler that a `fail` fault strikes."""


class SaveFailed(sqlite3.OperationalError):
    """The error of a transaction whose commit a `fail` fault strikes. It was rolled back."""

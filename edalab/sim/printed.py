"""Capturing what learners' code prints during a run: its beginning is stored, or all of it is discarded."""

import io
from collections.abc import Generator
from contextlib import contextmanager, redirect_stderr, redirect_stdout


class Printed(io.StringIO):
    """The beginning of what was printed, up to `most` characters, and the `length` of all of it."""

    def __init__(self, most: int = 4_000):
        super().__init__()
        self.most, self.length = most, 0

    def write(self, text: str) -> int:
        """Store what still fits."""
        self.length += len(text)
        super().write(text[: max(0, self.most - self.tell())])
        return len(text)

    def __str__(self) -> str:
        more = f" … ({self.length:,} characters)" if self.length > self.most else ""
        # Half a character cannot be sent.
        return self.getvalue().encode("utf-8", "replace").decode().rstrip("\n") + more


@contextmanager
def printing(printed: Printed) -> Generator[None]:
    """A context in which printed text, including warnings, goes to `printed` and is not shown."""
    with redirect_stdout(printed), redirect_stderr(printed):
        yield


@contextmanager
def quiet() -> Generator[None]:
    """A context that hides what is printed, for replays and explorations. A progress bar (on stderr) shows."""
    with redirect_stdout(Printed(0)):
        yield

"""The items of a timeline: bars, events on or next to them, and arrows; and the words for outages."""

from dataclasses import dataclass, field

from ..model import Envelope
from ..text import clean, seconds
from ..trace.transfers import Outage

_OUTAGES = {"pause": "stands still", "cut": "cut off", "cut from": "cut off from"}


@dataclass(slots=True, eq=False)
class Bar:
    """A span in a timeline. `inner` are its events in order, and `x`, `w` and `row` its place."""

    service: str
    replica: int
    envelope: Envelope
    start: int
    name: str = ""  # in its tooltip
    end: int | None = None
    struck: bool = False
    refuses: bool = False  # whether it publishes a refusal
    words: str = ""  # next to the name
    outcome: str = ""  # if there is room
    named: bool = True  # whether its name is written
    inner: list["SpanEvent"] = field(default_factory=list)
    x: int = 0
    w: int = 0
    row: int = 0
    span: tuple[int, int] = (0, 0)  # (left, right) of it and of neighbouring attempts

    @property
    def kind(self) -> str:
        if self.struck:
            return "struck"
        role = getattr(self.envelope.data, "__declared__", None)
        undoes = role is not None and (role.refuses or role.compensates)
        return "compensating" if undoes or self.refuses else "handled"

    @property
    def tip(self) -> str:
        until = seconds(self.end) if self.end is not None else "unfinished"
        replica = f" replica {self.replica}" if self.replica > 1 else ""
        handled = f"{self.name}, {seconds(self.start)} to {until}"
        inner = [
            f"saved at {seconds(event.time)}" + ", undone" * (event.what == "undone")
            if event.what in ("save", "undone")
            else event.words
            for event in self.inner
        ]
        parts = [f"{self.service}{replica}: {handled}", self.words, *inner]
        return clean(", ".join(filter(None, parts)), 300)


@dataclass(slots=True, eq=False)
class SpanEvent:
    """A span event in a timeline, on its bar or on the line of its service."""

    service: str
    replica: int
    time: int
    what: str  # "save", "send", "receive", or the kind of a mark
    bar: Bar | None = None
    words: str = ""
    title: str = ""  # its tooltip begins with this, even if `words` change,
    more: str = ""  # and ends with this
    x: int = 0

    @property
    def tip(self) -> str:
        more = f": {self.more}" if self.more else ""
        return clean(f"{self.title}, {self.service} at {seconds(self.time)}{more}", 400)


@dataclass(slots=True, eq=False)
class Hop:
    """A transfer in a timeline, from an event to a bar or to another event. If it ends on the way,
    `stop` is the kind of the mark at its end."""

    kind: str
    source: SpanEvent
    target: Bar | SpanEvent | None
    tip: str
    stop: str = ""
    words: str = ""


def outage_words(outage: Outage) -> str:
    """The words for an outage, or "" if its look is enough."""
    words = " ".join([_OUTAGES.get(outage.kind, ""), outage.sender or ""]).strip()
    if words and outage.end is not None:
        words += f" for {seconds(outage.end - outage.start)}"
    return words

"""The journal read as a story: who handled what from when to when, what passed between them, and what went wrong.

Times only, no places: `timeline` decides where things stand.
"""

from dataclasses import dataclass, field

from ..text import clean, counted, seconds

_ENDINGS = {"drop": "dropped", "cut": "cut off", "lose": "lost silently", "fail": "not confirmed"}


@dataclass(slots=True, eq=False)
class Handling:
    """One start of a handler, to its end or its death."""

    service: str
    replica: int
    type: str
    subject: str | None
    id: str
    attempt: int | None
    start: int
    end: int | None = None
    struck: bool = False
    words: str = ""  # said beside the name
    inner: list["Point"] = field(default_factory=list)  # what happened in it, in order
    x: int = 0
    w: int = 0
    row: int = 0


@dataclass(slots=True, eq=False)
class Point:
    """A moment on a service's line: inside a handling, or outside of any (the client's all are)."""

    service: str
    replica: int
    time: int
    what: str  # "save", "send", "hear", or the kind of a mark
    handling: Handling | None = None
    words: str = ""
    said: str = ""  # its tool-tip begins with this, whatever its words become
    more: str = ""  # and ends with this
    rank: int = 0
    x: int = 0

    @property
    def tip(self) -> str:
        return clean(
            f"{self.said}, {self.service} at {seconds(self.time)}"
            + (f": {self.more}" if self.more else "")
        )


@dataclass(slots=True, eq=False)
class Passage:
    """A message from a point to a handling or to another point; with `stop`, a kind of mark, it ended on the way."""

    kind: str
    source: Point
    target: Handling | Point | None
    tip: str
    stop: str = ""
    words: str = ""


@dataclass(slots=True, eq=False)
class Span:
    """A time in which a service was down, stood still, was cut off, or the client waited."""

    service: str
    replica: int
    start: int
    end: int | None
    kind: str
    words: str = ""
    x: int = 0
    w: int = 0


class Story:
    """Rows of a journal, in order, told as handlings, passages, points, spans. `whole`: none after them is missing;
    `handled`: the types of messages that have handlers."""

    def __init__(self, rows, whole: bool = True, handled: frozenset[str] = frozenset()):
        self.handlings: list[Handling] = []
        self.passages: list[Passage] = []
        self.points: list[Point] = []
        self.spans: list[Span] = []
        self._open: dict[tuple, list[Handling]] = {}  # (service, replica) -> handlings under way
        self._sent: dict[
            str, Passage
        ] = {}  # id -> how it left; its target says whether it reached anybody
        self._told: dict[str, Passage] = {}  # id of a question -> the answer under way
        self._last: dict[tuple, Handling | None] = {}  # (service, id) -> its handling before
        self._late: set[tuple] = set()
        self._doom: dict[tuple, str] = {}  # (service, replica) -> at which step a crash struck
        self._lasting: dict[tuple, Span] = {}
        for row in rows:
            if tell := _TELL.get(row.step):
                tell(self, row)
        if whole:
            for sent in self._sent.values():
                if not sent.target and not sent.stop and sent.kind == "message":
                    heard = (
                        sent.tip.split(" ")[0] in handled
                    )  # its type: somebody would have handled it
                    self._stopped(sent, "unheard", "not handled yet" if heard else "reached nobody")
        for told in self._told.values():
            if whole or told.stop:
                self._stopped(told, "stopped", "answer lost" if told.stop else "answer too late")

    def _handling(self, row) -> Handling | None:
        """The handling under way that this row is a step of."""
        for handling in reversed(self._open.get((row.service, row.replica), ())):
            if handling.id == row.envelope.id:
                return handling

    def _worker(self, row) -> Handling | None:
        """The handling under way in which this message is sent, this answer heard, this remark made."""
        at_work = self._open.get((row.service, row.replica), ())
        cause = row.envelope.causation if row.envelope else None
        for handling in reversed(at_work):
            if (
                handling.id == cause
                or row.step == "note"
                and row.envelope
                and handling.id == row.envelope.id
            ):
                return handling
        return at_work[-1] if at_work else None

    def _point(
        self, row, what: str, handling: Handling | None, words: str = "", more: str = ""
    ) -> Point:
        point = Point(
            row.service, row.replica, row.time, what, handling, words, words or what, more
        )
        (self.points if handling is None else handling.inner).append(point)
        return point

    def _close(self, handling: Handling | None, time: int, struck: bool = False) -> None:
        if handling:
            handling.end = time
            handling.struck |= struck
            self._open[handling.service, handling.replica].remove(handling)

    def _stopped(self, passage: Passage, mark: str, words: str) -> None:
        passage.stop, passage.words, passage.target = mark, words, None
        if mark != "unheard":
            passage.kind = "stopped" if passage.kind in ("message", "late") else "struck question"
        self.passages.append(passage)

    # -- the life of a message

    def publish(self, row) -> None:
        if row.fault == "crash":
            self._doom[row.service, row.replica] = _before(row.step)
            return
        envelope, name = row.envelope, named(row.envelope)
        point = self._point(row, "send", self._worker(row), more=name)
        sent = self._sent[envelope.id] = Passage(
            "question" if row.step == "ask" else "message", point, None, name
        )
        if row.fault == "duplicate":
            point.what, point.words = "doubled", "published twice"
        elif row.fault == "delay":
            self._late.add(("", envelope.id))
        elif row.fault:
            asked = "question " if row.step == "ask" else ""
            self._stopped(
                sent,
                "failed" if row.fault == "fail" else "stopped",
                asked + _ENDINGS.get(row.fault, row.fault),
            )

    def deliver(self, row) -> None:
        key = row.service, row.envelope.id
        sent = self._sent.get(row.envelope.id)
        if row.fault in ("drop", "cut", "lose"):
            point = self._point(
                row, "stopped", None, "dropped" if row.fault == "drop" else "not delivered"
            )
            if sent:
                sent.target = point
                self.passages.append(
                    Passage("stopped", sent.source, point, f"{sent.tip}, {point.words}")
                )
            self._last.setdefault(key, None)
        elif row.fault == "delay":
            self._late.add(key)
        elif row.fault == "crash":
            self._doom[row.service, row.replica] = _before(row.step)
        if sent and not sent.target:
            sent.target = sent.source  # on its way to somebody: not unheard

    def handle(self, row) -> None:
        envelope, attempt = row.envelope, row.attempt or 1
        type_, subject = (
            clean(envelope.type, 60),
            None if envelope.subject is None else clean(envelope.subject, 60),
        )
        handling = Handling(
            row.service, row.replica, type_, subject, envelope.id, row.attempt, row.time
        )
        self.handlings.append(handling)
        self._open.setdefault((row.service, row.replica), []).append(handling)
        key = row.service, envelope.id
        again = key in self._last or attempt > 1
        late = not again and (key in self._late or ("", envelope.id) in self._late)
        before, self._last[key] = self._last.get(key), handling
        if again or late:
            handling.struck = True
            handling.words = (
                f"attempt {attempt}" if attempt > 1 else "delivered again" if again else "late"
            )
        if sent := self._sent.get(envelope.id):
            source = sent.source
            if (
                before
                and before.replica == row.replica
                and before.inner
                and before.inner[-1].what == "failed"
            ):
                source = before.inner[-1]  # a retry comes from the failure before it
            sent.target = handling
            kind = "again" if again else "late" if late and sent.kind == "message" else sent.kind
            more = f", {handling.words}" if again else ""
            tip = (
                f"{sent.tip} to {row.service}, {seconds(source.time)} to {seconds(row.time)}{more}"
            )
            self.passages.append(Passage(kind, source, handling, tip))
        if row.fault == "crash":
            self._doom[row.service, row.replica] = _before(row.step)
        elif row.fault:
            self._point(row, "failed", handling, f"{row.fault} before handling")

    def save(self, row) -> None:
        handling = self._handling(row)
        if row.fault == "crash":
            self._doom[row.service, row.replica] = _before(row.step)
        elif row.fault:
            self._point(row, "failed", handling, f"{row.fault} at save")
        elif handling:
            self._point(row, "save", handling)

    def settle(self, row) -> None:  # a commit or an ack
        handling = self._handling(row)
        if row.fault == "crash":
            self._doom[row.service, row.replica] = _before(row.step)
            return
        if row.fault:
            refused = row.fault == "fenced"
            self._point(
                row,
                "refused" if refused else "stopped",
                handling,
                "late commit refused" if refused else f"{row.step} lost",
            )
        self._close(handling, row.time, bool(row.fault))

    def reply(self, row) -> None:
        handling = self._handling(row)
        if row.fault == "crash":
            self._doom[row.service, row.replica] = _before(row.step)
            return
        tip = f"answer to {named(row.envelope)}" + (
            f": {clean(row.detail, 120)}" if row.detail else ""
        )
        told = self._told[row.envelope.id] = Passage(
            "answer", self._point(row, "send", handling), None, tip
        )
        told.stop = "stopped" if row.fault in ("drop", "cut", "lose") else ""
        self._close(handling, row.time, bool(told.stop))

    def answer(self, row) -> None:
        missed = (
            "answer cut off" if row.fault else "answer too late" if row.detail == "too late" else ""
        )
        point = (
            self._point(row, "stopped", self._worker(row), missed)
            if missed
            else self._heard(row, "hear")
        )
        if told := self._told.pop(row.envelope.id, None):
            told.target = point
            told.kind = "struck question" if missed else "answer"
            self.passages.append(told)

    def timeout(self, row) -> None:
        sent = self._sent.get(row.envelope.id)
        point = self._heard(
            row,
            "no answer",
            "no answer" + (f" after {seconds(row.time - sent.source.time)}" if sent else ""),
        )
        if point.handling:
            point.handling.struck = True

    def _heard(self, row, what: str, words: str = "") -> Point:
        """The asker goes on, with an answer or without."""
        sent = self._sent.get(row.envelope.id)
        handling = sent.source.handling if sent else self._worker(row)
        point = self._point(
            row, what, handling if handling and handling.end is None else None, words
        )
        if sent and not point.handling:
            self.spans.append(Span(row.service, row.replica, sent.source.time, row.time, "waiting"))
        return point

    def done(self, row) -> None:
        self._close(self._handling(row), row.time)

    # -- what goes wrong

    def failure(self, row) -> None:  # a retry too
        handling = self._handling(row) if row.envelope else None
        if not (handling and handling.inner and handling.inner[-1].what == "failed"):
            error, _, then = (row.detail or "failed").rpartition("; ")
            if not then.startswith(("again in", "to ", "its ")):  # what the broker does next
                error, then = row.detail or "failed", ""
            self._point(row, "failed", handling, clean(error, 60), then)
        self._close(handling, row.time, True)

    def dead_letter(self, row) -> None:
        handling = self._handling(row)
        before = handling or self._last.get((row.service, row.envelope.id))
        tries = row.attempt or (before.attempt if before else None)
        words = "dead-lettered" + (f" after {counted(tries, 'attempt')}" if tries else "")
        self._point(row, "dead letter", handling, words, clean(row.detail or ""))
        self._close(handling, row.time, True)

    def lost(self, row) -> None:
        handling = self._handling(row) if row.envelope else None
        sent = self._sent.get(row.envelope.id) if row.envelope else None
        if (
            row.fault == "drop" and sent and isinstance(sent.target, Point)
        ):  # told already by its deliver step
            sent.target.what, sent.target.words = "lost", "dropped and lost"
            return
        point = self._point(
            row, "lost", handling, "lost" + (f": {clean(row.detail, 60)}" if row.detail else "")
        )
        if not handling and sent and not isinstance(sent.target, Handling):
            sent.target = point
            self.passages.append(
                Passage(
                    "struck question" if sent.kind == "question" else "stopped",
                    sent.source,
                    point,
                    sent.tip,
                )
            )
        self._close(handling, row.time, True)

    # -- the life of a service

    def crash(self, row) -> None:
        key = row.service, row.replica
        victims = self._open.pop(key, [])
        words = self._doom.pop(key, "")
        if (
            not words and (row.detail or "").count(".") >= 2
        ):  # struck in another story: "crash payments.commit.OrderPlaced #1"
            words = _before(row.detail.split(".")[1])
        self._point(row, "crash", victims[-1] if victims else None, words or "crash")
        for handling in victims:
            handling.end, handling.struck = row.time, True
        self.begin(row, "down")

    def begin(self, row, kind: str = "") -> None:
        kind = kind or row.step
        span = self._lasting[row.service, row.replica, kind] = Span(
            row.service, row.replica, row.time, None, kind
        )
        span.words = {"pause": "stands still", "cut": "cut off"}.get(kind, "")
        self.spans.append(span)

    def finish(self, row) -> None:
        kind = {"restart": "down", "resume": "pause", "heal": "cut"}[row.step]
        if span := self._lasting.pop((row.service, row.replica, kind), None):
            span.end = row.time
            span.words += f" for {seconds(row.time - span.start)}" if span.words else ""

    def takeover(self, row) -> None:
        what, _, giver = clean(row.detail or "").partition(" from ")
        self._point(
            row, "takeover", None, f"takes over {what}".strip(), f"from {giver}" if giver else ""
        )

    def note(self, row) -> None:
        self._point(row, "note", self._worker(row), clean(row.detail or "", 120))


def _before(step: str) -> str:
    return "crash before " + {"handle": "handling", "deliver": "delivery"}.get(step, step)


def named(envelope) -> str:
    """ "OrderPlaced client-2 (o2)": a message as tool-tips name it."""
    subject = f" ({envelope.subject})" if envelope.subject is not None else ""
    return clean(f"{envelope.type} {envelope.id}{subject}", 120)


_TELL = {
    "publish": Story.publish, "ask": Story.publish, "deliver": Story.deliver, "handle": Story.handle,
    "save": Story.save, "commit": Story.settle, "ack": Story.settle, "reply": Story.reply, "answer": Story.answer,
    "timeout": Story.timeout, "done": Story.done, "retry": Story.failure, "failure": Story.failure,
    "dead_letter": Story.dead_letter, "lost": Story.lost, "crash": Story.crash, "restart": Story.finish,
    "takeover": Story.takeover, "pause": Story.begin, "resume": Story.finish, "cut": Story.begin,
    "heal": Story.finish, "note": Story.note,
}  # fmt: skip

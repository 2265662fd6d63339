"""A run's trace: one span for each execution of a handler, read once from the record.

The terms are OpenTelemetry's if it has one. Steps are identified by their number in the journal.
"""

from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property

from ..errors import Refused
from ..model import DeadLetter, Envelope
from ..sim.run import Run
from ..sim.steps import BUSY, NOT_ACKNOWLEDGED, SENDER_UNAWARE, TOO_LATE, WIDTH, Step
from .faults import FAILED_TO_SEND, IN_DOUBT, NOT_ARRIVED
from .identity import logical_message_ids
from .transfers import Traffic

_FINISHED = ("commit", "ack", "reply", "done")
_ENDS = frozenset((*_FINISHED, "retry", "dead_letter", "lost", "failure"))


class Span:
    """One execution of a handler: the handling of one delivery of a message.

    first, last: the steps at which it began and ended. `last` is None while it is under way.
    ended_by: the kind of the last step.
    refused: the reason for which it refused a command, or None.
    events: the saves, publishes and asks in it, in order, even if a fault struck them.
    saves: the saves that took effect.
    sent: the publishes that reached the broker."""

    __slots__ = (
        *("service", "replica", "envelope", "first", "last", "ended_by", "refused"),
        *("events", "saves", "sent"),
    )

    def __init__(self, service: str, replica: int, envelope: Envelope, first: int):
        self.service, self.replica, self.envelope, self.first = service, replica, envelope, first
        self.last: int | None = None
        self.ended_by: str | None = None
        self.refused: str | None = None
        self.events: list[int] = []
        self.saves: list[int] = []
        self.sent: list[int] = []

    @property
    def finished(self) -> bool:
        """Whether it ended with a commit, an acknowledgement or a reply, or a tick was done."""
        return self.ended_by in _FINISHED

    @property
    def message(self) -> str:
        """The type and the id of the message."""
        return f"{self.envelope.type} {self.envelope.id}"

    def __repr__(self) -> str:
        return f"<{self.service} handles {self.message}: {self.ended_by or 'under way'}>"


class Trace:
    """The spans of a run in the order they began, and the outcomes of its messages."""

    @classmethod
    def of(cls, run: Run) -> "Trace":
        """The trace of a run, created once and shared."""
        if "_trace" not in vars(run):
            vars(run)["_trace"] = cls(run)
        return vars(run)["_trace"]

    def __init__(self, run: Run):
        self.run, self.system, self._record = run, run.system, run._record
        self.spans: list[Span] = []
        self._by_type: dict[str, list[Span]] = defaultdict(list)
        self.sends: list[int] = []  # every publish and ask, even if a fault struck it
        self.sent_in: dict[int, Span | None] = {}  # a publish or ask -> its span
        # (service, id of a message) -> the step that dead-lettered, lost, expired or discarded it
        self.given_up: dict[tuple[str, str], int] = {}
        # ids of messages asked without an answer, or published without a confirmation
        self.in_doubt: set[str] = set()
        self.rejected: set[int] = set()  # publishes whose sender was told that the queue is full
        self._once_refused: set[int] = set()  # publishes with one of two copies refused
        self.answered: dict[str, int] = {}  # id of a question -> the answer that arrived in time
        self._read()

    def _read(self) -> None:
        open_spans: dict[tuple[str, int], dict[str, Span]] = defaultdict(dict)
        spans, by_type, sends, sent_in = self.spans, self._by_type, self.sends, self.sent_in
        columns = [self._record[column::WIDTH] for column in (1, 2, 3, 7, 8)]
        for number, (step, actor, envelope, fault, detail) in enumerate(zip(*columns, strict=True)):
            if step == "deliver":
                continue
            here = open_spans[actor]
            if step == "handle":
                span = Span(actor[0], actor[1], envelope, number)
                spans.append(span)
                by_type[envelope.type].append(span)
                here[envelope.id] = span
            elif step == "publish" or step == "ask":
                sends.append(number)
                sent_in[number] = span = _sending_span(here, envelope) if here else None
                arrived = fault is None or fault not in NOT_ARRIVED
                if envelope.redrives and arrived:
                    self.given_up.pop((actor[0], envelope.id), None)
                if fault is not None and fault in IN_DOUBT:
                    self.in_doubt.add(envelope.id)
                if span is not None:
                    span.events.append(number)
                    if arrived and step == "publish":
                        span.sent.append(number)
            elif step == "save":
                span = here.get(envelope.id) if here else None
                if span is not None:
                    span.events.append(number)
                    if fault is None:
                        span.saves.append(number)
            elif step in _ENDS:
                if step == "dead_letter" or step == "lost":
                    self.given_up[actor[0], envelope.id] = number
                    if detail and detail.startswith(NOT_ACKNOWLEDGED):
                        continue
                span = here.pop(envelope.id, None) if here else None
                if span is not None:
                    span.last, span.ended_by = number, step
                    if detail and step in _FINISHED and fault != "fenced":
                        span.refused = Refused.noted(detail)
            elif step == "crash":
                for span in open_spans.pop(actor, {}).values():
                    span.last, span.ended_by = number, step
            elif step == "expired" or step == "discarded":  # a queue discards for the sender
                self.given_up[actor[0], envelope.id] = number
            elif step == "rejected":
                self._take_back(number, envelope, detail)
            elif step == "timeout" or step == "busy":
                self.in_doubt.add(envelope.id)
            elif step == "answer" and fault is None and detail not in (BUSY, TOO_LATE):
                self.answered[envelope.id] = number

    def _take_back(self, number: int, envelope: Envelope, detail: str) -> None:
        """Undo the publish of a message that a full queue rejected."""
        publish = next(n for n in reversed(self.sends) if self.envelope(n) is envelope)
        if self.fault(publish) == "duplicate" and publish not in self._once_refused:
            self._once_refused.add(publish)  # the queue stores or rejects the other copy as well
            return
        if detail.endswith(SENDER_UNAWARE):
            self.given_up[envelope.source, envelope.id] = number
            return
        self.rejected.add(publish)
        span = self.sent_in[publish]
        if span is not None and publish in span.sent:
            span.sent.remove(publish)

    # -- steps by their number, because `journal` first creates all of them

    def envelope(self, number: int) -> Envelope:
        """The envelope of a step that has a message."""
        return self._record[number * WIDTH + 3]

    def kind(self, number: int) -> str:
        return self._record[number * WIDTH + 1]

    def fault(self, number: int) -> str | None:
        """The fault that struck a step, or None."""
        return self._record[number * WIDTH + 7]

    def offset(self, number: int) -> int | None:
        """The offset of a step's message in a log, or None."""
        return self._record[number * WIDTH + 5]

    def when(self, number: int) -> str:
        return f"at {self._record[number * WIDTH] / 1000:g} s"

    def evidence(self, numbers: Iterable[int]) -> list[Step]:
        """The steps with these numbers, each once. They are created here, because most runs need no journal."""
        starts = (number * WIDTH for number in sorted(set(numbers)))
        rows = (self._record[start : start + WIDTH] for start in starts)
        return [Step(time, step, *actor, *rest) for time, step, actor, *rest in rows]

    @property
    def journal(self) -> list[Step]:
        return self.run.journal

    # -- spans

    @property
    def over(self) -> bool:
        """Whether no step can follow, because the agenda was empty at the end."""
        world = self.run._world
        return world.misuse is None and len(world.agenda) <= len(world.cancelled)

    def spans_of(self, name: str) -> list[Span]:
        """The spans of messages of a type."""
        return self._by_type.get(name, [])

    def subscribers(self, name: str) -> list[str]:
        """The services that handle messages of a type, in the order in which they were declared."""
        return list(dict.fromkeys(handler.service for handler in self.system.handlers(name)))

    @cached_property
    def by_message(self) -> dict[str, list[Span]]:
        """Map the id of each message to its spans."""
        found: dict[str, list[Span]] = {}
        for span in self.spans:
            found.setdefault(span.envelope.id, []).append(span)
        return found

    @cached_property
    def stateful(self) -> set[str]:
        """The services that save in this run or declare a schema."""
        kept = {span.service for span in self.spans if span.saves}
        return kept | {name for name, service in self.system.services.items() if service.schema}

    def changed(self, save: int) -> list[tuple]:
        """The rows that a save added to a table or removed from one. Writing an equal row again changes nothing."""
        return [row for side in self.run.changes(save) for rows in side.values() for row in rows]

    # -- messages

    def published(self, name: str, unsent: frozenset[str] = FAILED_TO_SEND) -> list[int]:
        """The publishes of messages of a type, except rejected ones and those that a fault in `unsent` struck."""
        numbers = self._publishes.get(name, ())
        return [number for number in numbers if self._record[number * WIDTH + 7] not in unsent]

    @cached_property
    def _publishes(self) -> dict[str, list[int]]:
        """The publishes that no full queue rejected, by the type of their messages."""
        found: dict[str, list[int]] = {}
        for number in self.sends:
            if self.kind(number) == "publish" and number not in self.rejected:
                found.setdefault(self.envelope(number).type, []).append(number)
        return found

    def messages_of(self, span: Span) -> list[Envelope]:
        """The messages that a span published, sent and asked, even if a fault struck them."""
        return [self.envelope(number) for number in span.events if self.kind(number) != "save"]

    def outline(self, span: Span) -> list[tuple[str, str]]:
        """The saves, publishes and asks of a span in order, as (kind, type of the message; "" for a save)."""
        kinds = [(self.kind(number), self.envelope(number).type) for number in span.events]
        return [(kind, "" if kind == "save" else type_) for kind, type_ in kinds]

    @cached_property
    def logical_id(self) -> dict[str, str]:
        """Map the id of every message to the id of the first message that states the same fact."""
        return logical_message_ids(self)

    def fact(self, envelope: Envelope) -> str:
        """An id of the fact that a message states. All executions of a tick share one."""
        id = envelope.id
        return envelope.type if envelope.data is None else self.logical_id.get(id, id)

    @cached_property
    def messages(self) -> dict[str, Envelope]:
        """Every message that was published, sent or asked, by id."""
        envelopes = map(self.envelope, self.sends)
        return {envelope.id: envelope for envelope in envelopes}

    @cached_property
    def traffic(self) -> Traffic:
        """The transfers of the messages, and the outages of the services."""
        return Traffic(self)


def _sending_span(open_spans: dict[str, Span], envelope: Envelope) -> Span | None:
    """The open span of a replica that sends a message: that of the message's cause or dead letter, or else of a tick.
    None for a dead letter, which is published outside of any span."""
    if isinstance(envelope, DeadLetter):
        return None
    if envelope.redrives:
        for span in open_spans.values():
            if isinstance(span.envelope, DeadLetter) and span.envelope.causation == envelope.id:
                return span
    if envelope.causation in open_spans:
        return open_spans[envelope.causation]
    here = list(open_spans.values())
    return next((span for span in reversed(here) if span.envelope.data is None), here[-1])

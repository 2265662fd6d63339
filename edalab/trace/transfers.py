"""The transfers of a run's messages and questions, and the outages of its services.

They are read from the record when first requested, because most claims need only the spans, and
`explore` judges thousands of runs. Steps are identified by their number in the journal.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ..model import Envelope
from ..sim.steps import Step
from ..text import clean
from .faults import NOT_ARRIVED

if TYPE_CHECKING:
    from .spans import Span, Trace

_OUTAGE_BEGINS = {"crash": "down", "pause": "pause", "cut": "cut"}
_RECEIVED = ("deliver", "handle", "lost", "expired", "discarded", "rejected", "deduplicated")
_OUTAGE_ENDS = {"restart": "down", "resume": "pause", "heal": "cut"}
_PLAIN = frozenset(("publish", "ask", "save", "commit", "ack"))  # they end no transfer


class Arrival(NamedTuple):
    """The arrival of a message at a handler. `again`: the service received it before, and `previous`
    is the span that handled it then, or None. `late`: a fault delayed its first arrival."""

    span: "Span"
    again: bool
    late: bool
    previous: "Span | None"


@dataclass(slots=True, eq=False)
class Transfer:
    """One message or question on its way from the step that sent it.

    fault: the fault that struck it there, or None.
    rejected: the queue was full.
    received: a consumer received it, or it was lost, expired, discarded, rejected or deduplicated.
    losses: the steps that lost it after it had reached the broker.
    ended: the step at which the asker of a question got the answer or gave up.
    answers: the steps that sent answers which have not been received yet."""

    sent: int
    envelope: Envelope
    question: bool
    fault: str | None
    received: bool = False
    rejected: bool = False
    losses: tuple[int, ...] = ()
    ended: int | None = None
    answers: tuple[int, ...] = ()

    @property
    def reached_broker(self) -> bool:
        """Whether it reached the broker or, for a question, the service that was asked."""
        return self.fault not in NOT_ARRIVED and not self.rejected

    @property
    def unreceived(self) -> bool:
        """Whether it is a message that reached the broker but was not received."""
        return self.reached_broker and not (self.question or self.received)


@dataclass(slots=True, eq=False)
class Outage:
    """An outage of a replica, in ms. `kind` is "down", "pause", "cut", or "cut from" one `sender`.

    `first` and `last` are the steps that began and ended it. `end` and `last` are None if it lasts
    until the end of the run."""

    kind: str
    service: str
    replica: int
    start: int
    first: int
    end: int | None = None
    last: int | None = None
    sender: str | None = None


class Traffic:
    """The transfers and the outages of a trace, in the order they began.

    of_step: step -> its transfer.
    span_of: step -> its span.
    arrival_at: the first step of a span -> the arrival.
    answer_at: the step that received an answer -> the step that sent it.
    prevented_by: a crash -> the step that it prevented.
    outages: the first step of an outage -> the outage."""

    def __init__(self, trace: "Trace"):
        self.trace = trace
        self.transfers: list[Transfer] = []
        self.outages: dict[int, Outage] = {}
        self.of_step: dict[int, Transfer] = {}
        self.span_of: dict[int, Span] = {
            number: span
            for span in trace.spans
            for number in (span.first, *span.events, span.last)
            if number is not None
        }
        self.arrival_at: dict[int, Arrival] = {}
        self.answer_at: dict[int, int] = {}
        self.prevented_by: dict[int, int] = {}
        self._of: dict[Envelope, Transfer] = {}  # not by id: a message keeps it if sent again
        self._received: dict[tuple[str, str], Span | None] = {}  # (service, id) -> its last span
        self._delayed: set[tuple[str, str]] = set()
        self._open_outages: dict[tuple, Outage] = {}
        self._struck: dict[tuple[str, int], int] = {}  # a crash follows the step that it prevents
        for number, step in enumerate(trace.run.journal):
            if step.envelope is not None:
                self._read(number, step, step.envelope)
            elif step.step in _OUTAGE_BEGINS:
                self._begin_outage(number, step)
            elif step.step in _OUTAGE_ENDS:
                place = step.service, step.replica, _OUTAGE_ENDS[step.step], _cut_from(step)
                if outage := self._open_outages.pop(place, None):
                    outage.end, outage.last = step.time, number

    def _read(self, number: int, step: Step, envelope: Envelope) -> None:
        """Read a step that concerns a message."""
        if step.fault == "crash":
            self._struck[step.service, step.replica] = number
        elif step.step in ("publish", "ask"):
            sent = Transfer(number, envelope, step.step == "ask", step.fault)
            self._of[envelope] = sent
            self.transfers.append(sent)
        transfer = self._of.get(envelope)
        if transfer is not None:
            self.of_step[number] = transfer
            transfer.received = transfer.received or step.step in _RECEIVED
        if step.step in _PLAIN:
            return
        key = step.service, envelope.id
        match step.step:
            case "deliver":
                if step.fault == "delay":
                    self._delayed.add(key)
                elif step.fault in NOT_ARRIVED:
                    self._received.setdefault(key, None)
                    if transfer:
                        transfer.losses += (number,)
            case "handle":
                again = key in self._received or (step.attempt or 1) > 1
                late = key in self._delayed or (transfer is not None and transfer.fault == "delay")
                previous, span = self._received.get(key), self.span_of[number]
                self.arrival_at[number] = Arrival(span, again, late and not again, previous)
                self._received[key] = span
            case "lost" | "expired" | "discarded" | "rejected" if (
                transfer and number not in self.span_of and step.fault != "drop"
            ):
                transfer.losses += (number,)  # a dropped message was recorded at its delivery
                doubled = transfer.fault == "duplicate" and len(transfer.losses) == 1
                transfer.rejected = step.step == "rejected" and not doubled
            case "dead_letter" | "note" | "in_progress" | "evicted":
                self._note(number, step, envelope)
            case "reply" if transfer and step.fault != "crash":
                transfer.answers += (number,)
            case "answer" | "timeout" if transfer:
                if transfer.ended is None and step.fault is None:
                    transfer.ended = number
                if step.step == "answer" and transfer.answers:
                    self.answer_at[number] = transfer.answers[0]
                    transfer.answers = transfer.answers[1:]
                asker = self.trace.sent_in[transfer.sent]
                if asker is not None and (asker.last is None or number < asker.last):
                    self.span_of[number] = asker

    def _note(self, number: int, step: Step, envelope: Envelope) -> None:
        """Assign a step about a message to the span that was handling the message."""
        for span in reversed(self.trace.by_message.get(envelope.id, ())):
            here = (span.service, span.replica) == (step.service, step.replica)
            if here and span.first < number and (span.last is None or number < span.last):
                self.span_of.setdefault(number, span)
                return

    def _begin_outage(self, number: int, step: Step) -> None:
        kind = _OUTAGE_BEGINS[step.step]
        struck = self._struck.pop((step.service, step.replica), None) if kind == "down" else None
        if struck is not None:
            self.prevented_by[number] = struck
            # A crash before the commit belongs to the span, although its handler had finished.
            victims = [self.span_of[n] for n in (struck, number) if n in self.span_of]
            if victims:
                self.span_of[number] = max(victims, key=lambda span: span.first)
        where, sender = (step.service, step.replica), _cut_from(step)
        shown = "cut from" if sender else kind
        outage = Outage(shown, *where, step.time, number, sender=sender)
        self.outages[number] = self._open_outages[*where, kind, sender] = outage


def _cut_from(step: Step) -> str | None:
    """The one sender from which a service is cut off, or None if it is cut off from all."""
    detail = step.detail or "" if step.step in ("cut", "heal") else ""
    return detail.removeprefix("from ") or None


def named(envelope: Envelope) -> str:
    """The name of a message in tooltips, such as "OrderPlaced client-2 (o2)"."""
    subject = f" ({envelope.subject})" if envelope.subject is not None else ""
    return clean(f"{envelope.type} {envelope.id}{subject}", 120)

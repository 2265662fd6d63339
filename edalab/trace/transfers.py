"""The way of each message and question of a run, and the times in which a service was out of reach.

They are read from the record once, when a picture first asks for them: claims judge thousands of
runs by their spans alone. Steps are named by their number in the journal.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ..model import Envelope
from ..sim.steps import Step
from ..text import clean
from .identity import UNSENT

if TYPE_CHECKING:
    from .spans import Span, Trace

NOT_SENT = (*UNSENT, "lose", "drop")  # faults after which the broker does not have the message
LOST_ON_THE_WAY = ("drop", "cut", "lose")
_OUTAGE_BEGINS = {"crash": "down", "pause": "pause", "cut": "cut"}
_OUTAGE_ENDS = {"restart": "down", "resume": "pause", "heal": "cut"}


class Arrival(NamedTuple):
    """A message reached a handler: `span` handles it. `again` means that the service got the same
    message before; `previous` is the span that handled it then, if any did."""

    span: "Span"
    again: bool
    late: bool
    previous: "Span | None"


@dataclass(slots=True, eq=False)
class Transfer:
    """One message or question on its way from the step that sent it.

    `span` is the span that sent it (None: the client, or the outbox of a service), and `fault` what
    struck it then. `arrivals` are the spans that handle it; `losses` are the steps that lost it
    after the broker had it."""

    sent: int
    envelope: Envelope
    question: bool
    fault: str | None
    span: "Span | None"
    delivered: bool = False  # a broker handed it over, whatever happened then
    replaced: bool = False  # it was sent once more with the same id
    arrivals: list[Arrival] = field(default_factory=list)
    losses: list[int] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)  # the steps that sent those not yet received
    timeout: int | None = None  # the step at which the asker gave up
    settled: dict[str | None, int] = field(default_factory=dict)  # None: for every service

    @property
    def left(self) -> bool:
        """Whether it reached the broker, or the service that was asked."""
        return self.fault not in NOT_SENT

    @property
    def unheard(self) -> bool:
        """Whether it is a message that left and that nobody received."""
        arrived = self.delivered or self.arrivals or self.losses
        return self.left and not (self.question or arrived or self.replaced)

    def settled_for(self, service: str) -> int | None:
        """The step at which the broker let go of the message for a service: a commit, an
        acknowledgement, a loss or a dead letter. None while it still waits."""
        steps = [self.settled[key] for key in (service, None) if key in self.settled]
        return min(steps, default=None)


@dataclass(slots=True, eq=False)
class Outage:
    """A time in which a replica was down, stood still ("pause") or was cut off, in ms.

    `first` and `last` are the steps that began and ended it; `end` and `last` are None where it
    lasts to the end of the run."""

    kind: str
    service: str
    replica: int
    start: int
    first: int
    end: int | None = None
    last: int | None = None


class Traffic:
    """The transfers and the outages of a trace, in the order they began.

    `of_step` maps a step to the transfer that it belongs to, `span_of` to the span in which it
    happened, `arrival_at` the step that starts a span to the arrival, `answer_at` the step that received an
    answer to the one that sent it, and `prevented_by` a crash to
    the step that it prevented."""

    def __init__(self, trace: "Trace"):
        self.trace = trace
        self.transfers: list[Transfer] = []
        self.outages: dict[int, Outage] = {}  # by the step that began it
        self.latest: dict[str, Transfer] = {}  # the id of a message -> its last transfer
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
        self._starts = {span.first: span for span in trace.spans}
        self._of_id: dict[str, list[Transfer]] = {}
        self._received: dict[tuple[str, str], Span | None] = {}  # (service, id) -> its last span
        self._delayed: set[tuple[str, str]] = set()
        self._uncommitted: dict[tuple, list[tuple[int, str]]] = {}
        self._open_outages: dict[tuple[str, int, str], Outage] = {}
        self._struck: dict[tuple[str, int], int] = {}  # a crash follows the step that it prevents
        for number, step in enumerate(trace.run.journal):
            if step.fault == "crash" and step.envelope is not None:
                self._struck[step.service, step.replica] = number
            if read := _READERS.get(step.step):
                read(self, number, step)
            if step.envelope is not None and (transfer := self.latest.get(step.envelope.id)):
                self.of_step.setdefault(number, transfer)

    # -- a message on its way

    def _send(self, number: int, step: Step) -> None:
        if step.fault == "crash":
            return
        envelope, span = step.envelope, self.trace.span_of.get(number)
        transfer = Transfer(number, envelope, step.step == "ask", step.fault, span)
        self.transfers.append(transfer)
        self._of_id.setdefault(envelope.id, []).append(transfer)
        if envelope.id in self.latest:
            self.latest[envelope.id].replaced = True
        self.latest[envelope.id] = transfer

    def _deliver(self, number: int, step: Step) -> None:
        key = step.service, step.envelope.id
        transfer = self.latest.get(step.envelope.id)
        if transfer:
            transfer.delivered = True
        if step.fault in LOST_ON_THE_WAY:
            self._received.setdefault(key, None)
            if transfer:
                transfer.losses.append(number)
        elif step.fault == "delay":
            self._delayed.add(key)

    def _handle(self, number: int, step: Step) -> None:
        key, span = (step.service, step.envelope.id), self._starts[number]
        transfer = self.latest.get(step.envelope.id)
        again = key in self._received or (step.attempt or 1) > 1
        delayed = key in self._delayed or (transfer is not None and transfer.fault == "delay")
        arrival = Arrival(span, again, delayed and not again, self._received.get(key))
        self.arrival_at[number] = arrival
        self._received[key] = span
        if transfer:
            transfer.arrivals.append(arrival)

    def _lose(self, number: int, step: Step) -> None:
        transfer = self.latest.get(step.envelope.id) if step.envelope else None
        if transfer is None:
            return
        self._settle(step.envelope.id, step.service, number)
        if number not in self.span_of and step.fault != "drop":  # a drop was noted on delivery
            transfer.losses.append(number)

    # -- until the broker lets go of it

    def _commit(self, number: int, step: Step) -> None:
        """A commit covers all that the service handled before it in the partition: so a commit that
        is lost is made up for by the next one."""
        handled = self._uncommitted.setdefault(
            (step.service, step.envelope.topic, step.partition), []
        )
        handled.append((step.offset, step.envelope.id))
        if step.fault is None:
            for offset, id in handled:
                if offset <= step.offset:
                    self._settle(id, step.service, number)
            handled[:] = [entry for entry in handled if entry[0] > step.offset]

    def _acknowledge(self, number: int, step: Step) -> None:
        if step.fault is None:
            self._settle(step.envelope.id, None, number)

    def _dead_letter(self, number: int, step: Step) -> None:
        """A queue lets go of a dead letter at once; of a topic's a commit tells."""
        if step.envelope.topic in self.trace.system.queues:
            self._settle(step.envelope.id, None, number)
        self._note(number, step)

    def _settle(self, id: str, service: str | None, number: int) -> None:
        """A queue settles a message for all its services at once: `service` is None."""
        for transfer in self._of_id.get(id, ()):
            transfer.settled.setdefault(service, number)

    # -- there and back

    def _reply(self, number: int, step: Step) -> None:
        if step.fault != "crash" and (transfer := self.latest.get(step.envelope.id)):
            transfer.answers.append(number)

    def _receive(self, number: int, step: Step) -> None:
        transfer = self.latest.get(step.envelope.id)
        if transfer is None:
            return
        if step.step == "timeout":
            transfer.timeout = number
        else:
            if transfer.answers:
                self.answer_at[number] = transfer.answers.pop(0)
        span = transfer.span
        if span is not None and (span.last is None or number < span.last):
            self.span_of[number] = span

    def _note(self, number: int, step: Step) -> None:
        """What is said of a message while a span handles it belongs to that span."""
        if step.envelope is None or number in self.span_of:
            return
        for span in reversed(self.trace.by_message.get(step.envelope.id, ())):
            here = (span.service, span.replica) == (step.service, step.replica)
            if here and span.first < number and (span.last is None or number < span.last):
                self.span_of[number] = span
                return

    # -- services

    def _begin_outage(self, number: int, step: Step) -> None:
        kind = _OUTAGE_BEGINS[step.step]
        outage = self.outages[number] = Outage(kind, step.service, step.replica, step.time, number)
        self._open_outages[step.service, step.replica, kind] = outage

    def _crash(self, number: int, step: Step) -> None:
        struck = self._struck.pop((step.service, step.replica), None)
        if struck is not None:
            self.prevented_by[number] = struck
            # A crash before a commit ends a span that did all its work: it is its crash all the same.
            victims = [self.span_of.get(struck), self.span_of.get(number)]
            if victims := [span for span in victims if span is not None]:
                self.span_of[number] = max(victims, key=lambda span: span.first)
        self._begin_outage(number, step)

    def _end_outage(self, number: int, step: Step) -> None:
        key = step.service, step.replica, _OUTAGE_ENDS[step.step]
        if outage := self._open_outages.pop(key, None):
            outage.end, outage.last = step.time, number


def named(envelope: Envelope) -> str:
    """A message as tool-tips name it, such as "OrderPlaced client-2 (o2)"."""
    subject = f" ({envelope.subject})" if envelope.subject is not None else ""
    return clean(f"{envelope.type} {envelope.id}{subject}", 120)


_READERS = {
    "publish": Traffic._send,
    "ask": Traffic._send,
    "deliver": Traffic._deliver,
    "handle": Traffic._handle,
    "lost": Traffic._lose,
    "commit": Traffic._commit,
    "ack": Traffic._acknowledge,
    "dead_letter": Traffic._dead_letter,
    "reply": Traffic._reply,
    "answer": Traffic._receive,
    "timeout": Traffic._receive,
    "note": Traffic._note,
    **dict.fromkeys(_OUTAGE_BEGINS, Traffic._begin_outage),
    "crash": Traffic._crash,
    **dict.fromkeys(_OUTAGE_ENDS, Traffic._end_outage),
}

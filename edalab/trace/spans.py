"""A run's trace: one span for each execution of a handler, read once from the record. Claims are decided from it.

The words are OpenTelemetry's where it has one. Steps are named by their number in the journal.
"""

from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

from ..errors import Refused
from ..model import Envelope
from ..sim.run import Run
from ..sim.steps import WIDTH, Step
from .identity import UNSENT, logical_message_ids, may_repeat
from .transfers import NOT_SENT, Traffic

_FINISHED = ("commit", "ack", "reply", "done")
_ENDS = frozenset((*_FINISHED, "retry", "dead_letter", "lost", "failure"))
_TIME_OUT = "not acknowledged"  # a queue gives a message up while its handler may still run


class Duplicate(NamedTuple):
    """Two spans with the same effect, and the step that shows it in each."""

    first: "Span"
    effect: int
    later: "Span"
    again: int


class Span:
    """One execution of a handler: the handling of one delivery of a message.

    `first` and `last` are the steps at which it began and ended (`last` is None while it is under way), `ended_by` is
    the kind of the last. `events` are the saves, publishes and asks in it, in order; `commits` are those saves that took
    effect, `sent` those publishes that reached the broker. `refused` is the reason where it refused a command."""

    __slots__ = (
        *("service", "replica", "envelope", "first", "last", "ended_by", "refused"),
        *("commits", "sent", "events"),
    )

    def __init__(self, service: str, replica: int, envelope: Envelope, first: int):
        self.service, self.replica, self.envelope, self.first = service, replica, envelope, first
        self.last: int | None = None
        self.ended_by: str | None = None
        self.refused: str | None = None
        self.commits: list[int] = []
        self.sent: list[int] = []
        self.events: list[int] = []

    @property
    def finished(self) -> bool:
        """Whether the handler did all it had to."""
        return self.ended_by in _FINISHED

    def __repr__(self) -> str:
        return f"<{self.service} handles {self.envelope.type} {self.envelope.id}: {self.ended_by or 'under way'}>"


class Trace:
    """The spans of a run in the order they began, and what became of its messages."""

    @classmethod
    def of(cls, run: Run) -> "Trace":
        """The trace of a run, which all who ask for it share."""
        try:
            return run._trace
        except AttributeError:
            run._trace = found = cls(run)
            return found

    def __init__(self, run: Run):
        self.run, self.system = run, run.system
        self.journal = vars(run).get("journal") or _Steps(run._record)
        self.spans: list[Span] = []
        self.sends: list[int] = []  # every publish and ask, whatever struck it
        self.span_of: dict[int, Span | None] = {}  # a publish or ask -> the span it happened in
        self.given_up: dict[
            tuple[str, str], int
        ] = {}  # (service, id) dead-lettered or lost -> where
        # ids of what was asked without an answer and published without a confirmation
        self.in_doubt: set[str] = set()
        self.answered: dict[str, int] = {}  # id of what was asked -> where its answer came in time
        self._of_type: dict[str, list[Span]] = {}
        self._published: dict[
            str, list[tuple[int, str | None]]
        ] = {}  # type -> where, and the fault
        self._read(run._record)

    def _read(self, record: list) -> None:
        open_spans: dict[tuple[str, int], dict[str, Span]] = {}
        columns = [iter(record)] * WIDTH
        for number, (_, step, actor, envelope, _, _, _, fault, detail) in enumerate(
            zip(*columns, strict=True)
        ):
            if step == "deliver":
                continue
            here = open_spans.get(actor)
            if step == "handle":
                span = Span(*actor, envelope, number)
                self.spans.append(span)
                self._of_type.setdefault(envelope.type, []).append(span)
                if here is None:
                    here = open_spans[actor] = {}
                here[envelope.id] = span
            elif step == "publish" or step == "ask":
                span = _sender(here, envelope) if here else None
                self.sends.append(number)
                self.span_of[number] = span
                if step == "publish":
                    self._published.setdefault(envelope.type, []).append((number, fault))
                    if fault == "unconfirmed":
                        self.in_doubt.add(envelope.id)
                if span is not None:
                    span.events.append(number)
                    if step == "publish" and fault not in NOT_SENT:
                        span.sent.append(number)
            elif step == "save":
                span = here.get(envelope.id) if here else None
                if span is not None:
                    span.events.append(number)
                    if fault is None:
                        span.commits.append(number)
            elif step in _ENDS:
                if step == "dead_letter" or step == "lost":
                    self.given_up[actor[0], envelope.id] = number
                    if detail and detail.startswith(_TIME_OUT):
                        continue
                span = here.pop(envelope.id, None) if here else None
                if span is not None:
                    span.last, span.ended_by = number, step
                    if detail and step in _FINISHED:
                        span.refused = Refused.noted(detail)
            elif step == "crash":
                for span in open_spans.pop(actor, {}).values():
                    span.last, span.ended_by = number, step
            elif step == "timeout":
                self.in_doubt.add(envelope.id)
            elif step == "answer" and fault is None and detail != "too late":
                self.answered[envelope.id] = number

    @property
    def ended(self) -> bool:
        """Whether the run ended by itself: nothing was left to do."""
        world = self.run._world
        return world.misuse is None and len(world.agenda) <= world.cancelled

    def spans_of(self, name: str) -> list[Span]:
        """The spans of messages of a type."""
        return self._of_type.get(name, [])

    def published(self, name: str, unsent: Iterable[str] = UNSENT) -> list[int]:
        """Where messages of a type were published, except those that the faults `unsent` struck."""
        return [number for number, fault in self._published.get(name, ()) if fault not in unsent]

    # -- messages

    @cached_property
    def repeats(self) -> bool:
        """Whether any message may repeat another. Where none does, `logical_id` need not be worked out."""
        return may_repeat(self)

    @cached_property
    def logical_id(self) -> dict[str, str]:
        """The id of every message -> the id of the first message that states the same fact."""
        return logical_message_ids(self)

    @cached_property
    def messages(self) -> dict[str, Envelope]:
        """Every message that was published, sent or asked, by id."""
        return {(envelope := self.journal[number].envelope).id: envelope for number in self.sends}

    @cached_property
    def about(self) -> dict[tuple[str, str | None], list[int]]:
        """("story", a correlation id) or ("key", a subject) -> the steps of its messages."""
        found: dict[tuple[str, str | None], list[int]] = {}
        for number, envelope in enumerate(self.run._record[3::WIDTH]):
            if envelope is not None and envelope.data is not None:
                found.setdefault(("story", envelope.correlation), []).append(number)
                found.setdefault(("key", envelope.subject), []).append(number)
        return found

    @cached_property
    def by_message(self) -> dict[str, list[Span]]:
        """The id of a message -> its spans."""
        found: dict[str, list[Span]] = {}
        for span in self.spans:
            found.setdefault(span.envelope.id, []).append(span)
        return found

    def messages_of(self, span: Span) -> list[Envelope]:
        """The messages that a span published, sent and asked, whatever struck them."""
        events = map(self.journal.__getitem__, span.events)
        return [step.envelope for step in events if step.step != "save"]

    @cached_property
    def traffic(self) -> Traffic:
        """The ways of the messages, and the outages of the services."""
        return Traffic(self)

    # -- effects

    @cached_property
    def stateful(self) -> set[str]:
        """The services that keep what they do in a database."""
        kept = {span.service for span in self.spans if span.commits}
        return kept | {name for name, service in self.system.services.items() if service.schema}

    def changed(self, commit: int) -> list[tuple]:
        """The rows that a commit added to a table or removed from one. To write the same row again changes nothing."""
        return [row for rows in self.run.changes[commit].values() for row in rows]

    def duplicate_effect(self, spans: list[Span]) -> Duplicate | None:
        """Two of these spans with the same effect: both changed the service's database, or both sent the same logical
        message."""
        committed = [span for span in spans if span.commits]
        for later in committed[1:]:
            for commit in later.commits:
                if self.changed(commit):
                    return Duplicate(committed[0], committed[0].commits[0], later, commit)
        sent: dict[str, tuple[Span, int]] = {}
        for span in spans:
            for number in span.sent:
                message = self.logical_id[self.journal[number].envelope.id]
                first, before = sent.setdefault(message, (span, number))
                if first is not span:
                    return Duplicate(first, before, span, number)
        return None

    # -- words

    def when(self, number: int) -> str:
        return f"at {self.journal[number].time / 1000:g} s"

    def evidence(self, numbers: Iterable[int]) -> tuple[Step, ...]:
        return tuple(self.journal[number] for number in sorted(set(numbers)))


class _Steps:
    """Steps by their number, made when asked for: a claim that holds asks for few."""

    def __init__(self, record: list):
        self._record = record

    def __getitem__(self, number: int) -> Step:
        time, step, actor, *rest = self._record[number * WIDTH : number * WIDTH + WIDTH]
        return Step(time, step, *actor, *rest)

    def __len__(self) -> int:
        return len(self._record) // WIDTH


def _sender(open_spans: dict[str, Span], envelope: Envelope) -> Span:
    """The open span of a replica that sends a message: the span of the message's cause, or else that of a tick."""
    if envelope.causation in open_spans:
        return open_spans[envelope.causation]
    here = list(open_spans.values())
    return next((span for span in reversed(here) if span.envelope.data is None), here[-1])

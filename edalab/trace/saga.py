"""One saga of a run: its messages, and which of its steps were done, refused and compensated.

Claims and pictures both use it. The roles of message classes are those that the run's system declares.
"""

from functools import cached_property

from ..model import Command, Envelope
from ..model.messages import Declared, key_of
from .faults import FAILED_TO_SEND
from .identity import says_the_same
from .saga_effects import changes_state, new_effects
from .spans import Span, Trace

_NO_ROLE = Declared()


def saga_types(trace: Trace) -> set[str]:
    """The message types that declare a role in sagas, and the types that these roles name."""
    roles = trace.system.saga_roles or {}
    named = {name for role in roles.values() for name in (role.compensates, role.refuses) if name}
    return named | roles.keys()


class Occurrence:
    """Equal messages of one type: one step or compensation, however often it was requested.

    `numbers` are the steps of the record at which they were published or asked. `spans` are the
    executions of the command. For an event, they are those in which its service handled its cause."""

    def __init__(self, saga: "Saga", number: int):
        self.saga, self.trace, self.first = saga, saga.trace, number
        self.message = saga.envelope(number)
        self.type, self.is_command = self.message.type, isinstance(self.message.data, Command)
        self.numbers = [number]

    @cached_property
    def spans(self) -> list[Span]:
        spans = {span.first: span for n in self.numbers for span in self._executions_of(n)}
        return [spans[first] for first in sorted(spans)]

    def _executions_of(self, number: int) -> list[Span]:
        envelope = self.saga.envelope(number)
        if self.is_command:
            return self.trace.by_message.get(envelope.id, [])
        if envelope.causation is None:
            tick = self.trace.sent_in[number]
            return [tick] if tick else []
        spans = self.trace.by_message.get(envelope.causation, ())
        return [span for span in spans if span.service == envelope.source]

    @cached_property
    def saved(self) -> list[tuple[Span, list[int]]]:
        """The executions that saved a change and did not refuse, with their saves."""
        spans = self.spans
        publishers = [s for s in spans if self.type in {e.type for e in self.trace.messages_of(s)}]
        if publishers and not self.is_command:  # or spans that a fault ended before the publish
            spans = [span for span in spans if span in publishers or not span.finished]
        agreed = [span for span in spans if self.saga.refused_at(span) is None]
        if len(agreed) < len(spans):
            # A coordinator's saves before it refused at a later attempt are only its log.
            agreed = [span for span in agreed if span.finished or not self.saga.coordinates(span)]
        pairs = [(span, self.saga.saves_in(span)) for span in agreed]
        return [(span, saves) for span, saves in pairs if saves]

    @cached_property
    def effects(self) -> list[tuple[Span, int]]:
        """Each effect: the span, and the save that shows it."""
        return new_effects(self.trace, self.saved)

    @cached_property
    def done(self) -> int | None:
        """The first step of the record that shows that it was done. An event is done when it is published,
        a command when a handling saves and does not refuse, or finishes in a stateless service."""
        return self.shown(self.trace.stateful) if self.is_command else self.first

    def shown(self, stateful: set[str]) -> int | None:
        """The first step of the record that shows its effect. A `stateful` service must save."""
        if self.saved:
            first_save = min(saves[0] for _, saves in self.saved)
            return first_save if self.is_command else self.first
        if self.is_command:
            agreed = [s for s in self.spans if s.finished and self.saga.refused_at(s) is None]
            shown = [s.sent[0] if s.sent else s.last for s in agreed if s.service not in stateful]
        else:
            sources = [(number, self.saga.envelope(number).source) for number in self.numbers]
            shown = [n for n, s in sources if s not in stateful or not self._executions_of(n)]
        return shown[0] if shown else None

    @cached_property
    def compensations(self) -> list["Occurrence"]:
        """The compensations of this step."""
        return [one for one in self.saga.compensations if self in one.compensates]

    @cached_property
    def compensates(self) -> list["Occurrence"]:
        """The steps of its key that it compensates. If some have equal data, only those."""
        steps = self.saga.occurrences(self.saga.role(self.type).compensates or "")
        steps = [step for step in steps if of_one_key(step.message, self.message)]
        mine = vars(self.message.data).items()
        data = {step: vars(step.message.data) for step in steps}
        equal = [step for step in steps if all(data[step].get(n, v) == v for n, v in mine)]
        return equal or steps

    @cached_property
    def compensated(self) -> int | None:
        """The first step of the record that shows that it was compensated. A service that saved a change
        for the step must also save one for its compensation."""
        stateful = {span.service for span in self.spans if self.saga.saves_in(span)}
        shown = [compensation.shown(stateful) for compensation in self.compensations]
        return min((number for number in shown if number is not None), default=None)

    @cached_property
    def done_late(self) -> int | None:
        """The first save that did it after its last compensation, or None."""
        undone = [saves[0] for one in self.compensations for _, saves in one.saved]
        late = [n for _, saves in self.saved if undone and saves[0] > max(undone) for n in saves]
        return next((number for number in late if changes_state(self.trace, number)), None)


class Saga:
    """One saga of a run. Its steps are messages whose types can be compensated or refused, or are final.

    `numbers` are the steps of the record that publish or ask its messages, with a role or without."""

    def __init__(self, trace: Trace, numbers: list[int]):
        self.trace, self.roles, self.envelope = trace, trace.system.saga_roles or {}, trace.envelope
        self.numbers, self.types = numbers, saga_types(trace)
        self.correlations = list(dict.fromkeys(trace.envelope(n).correlation for n in numbers))
        arrived = [n for n in numbers if trace.fault(n) not in FAILED_TO_SEND]
        with_role = [n for n in arrived if trace.envelope(n).type in self.types]
        self.sent: dict[str, list[int]] = {}  # a type with a role -> its numbers
        for number in with_role:
            self.sent.setdefault(trace.envelope(number).type, []).append(number)
        known = with_role or arrived or [0]
        self.first, self.last = known[0], known[-1]
        self._occurrences: dict[str, list[Occurrence]] = {}
        self._refusals: dict[str, int | None] = {}  # command id -> the step that refused it

    def role(self, name: str) -> Declared:
        """The declared role of a type: `compensates`, `refuses`, `final` and `settles`."""
        return self.roles.get(name, _NO_ROLE)

    @cached_property
    def keys(self) -> set[str]:
        """The keys of its messages."""
        subjects = (self.envelope(n).subject for numbers in self.sent.values() for n in numbers)
        return {subject for subject in subjects if subject is not None}

    @cached_property
    def record(self) -> list[int]:
        """The steps of the record about its messages or about others with its keys."""
        envelopes = enumerate(step.envelope for step in self.trace.journal)
        messages = [(n, e) for n, e in envelopes if e is not None and e.data is not None]
        ours, keys = set(self.correlations), self.keys
        return [number for number, e in messages if e.correlation in ours or e.subject in keys]

    # -- steps and compensations

    def occurrences(self, name: str) -> list[Occurrence]:
        """The messages of a type, grouped if they are equal."""
        if name not in self._occurrences:
            groups = self._occurrences[name] = []
            for number in self.sent.get(name, ()):
                envelope = self.envelope(number)
                equal = [one for one in groups if says_the_same(one.message, envelope)]
                if equal:
                    equal[0].numbers.append(number)
                else:
                    groups.append(Occurrence(self, number))
        return self._occurrences[name]

    @cached_property
    def compensations(self) -> list[Occurrence]:
        """The compensations that were requested or published."""
        return [one for n in self.sent if self.role(n).compensates for one in self.occurrences(n)]

    @cached_property
    def done_steps(self) -> dict[Occurrence, int]:
        """Map the steps that can be compensated and were done to the number that shows it."""
        names = dict.fromkeys(role.compensates for role in self.roles.values())
        steps = [step for name in names if name for step in self.occurrences(name)]
        return {step: step.done for step in steps if step.done is not None}

    @cached_property
    def compensated_steps(self) -> dict[Occurrence, int]:
        """Map the steps that were done and compensated to the number that shows the compensation."""
        undone = ((step, step.compensated) for step in self.done_steps)
        return {step: number for step, number in undone if number is not None}

    @cached_property
    def left(self) -> list[Occurrence]:
        """The steps that were done and not compensated, or done again after their compensation."""
        undone = self.compensated_steps
        return [step for step in self.done_steps if step not in undone or step.done_late]

    def done(self, name: str) -> list[int]:
        """For each step of a type that was done, the first number that shows it."""
        return [step.done for step in self.occurrences(name) if step.done is not None]

    @property
    def final(self) -> str | None:
        """The type of a step that was done and is declared with final=True, or None."""
        finals = (name for name, role in self.roles.items() if role.final)
        return next((name for name in finals if self.done(name)), None)

    # -- executions

    def saves_in(self, span: Span) -> list[int]:
        """The saves of a span that changed a row, including those of commands it sent that are not steps."""
        trace, saves = self.trace, [save for save in span.saves if self.trace.changed(save)]
        for number in span.events:
            envelope = self.envelope(number)
            if trace.kind(number) == "save" or trace.fault(number) in FAILED_TO_SEND:
                continue
            if isinstance(envelope.data, Command) and envelope.type not in self.types:
                for part in trace.by_message.get(envelope.id, ()):
                    saves += self.saves_in(part)
        return sorted(saves)

    def coordinates(self, span: Span) -> bool:
        """Whether a span sent commands for steps."""
        sent = self.trace.messages_of(span)
        return any(isinstance(e.data, Command) and e.type in self.types for e in sent)

    def refusals_of(self, names: list[str]) -> list[int]:
        """The first publish of each message that refuses a step of these types."""
        refusing = [name for name in self.sent if self.role(name).refuses in names]
        numbers = [number for name in refusing for number in reversed(self.sent[name])]
        return sorted({self.envelope(number).id: number for number in numbers}.values())

    def refused_at(self, span: Span) -> int | None:
        """The step at which a span refused its command, by `Refused` or by a refusing message of its key."""
        if span.refused is not None:
            return span.last
        command = span.envelope
        if command.id not in self._refusals:
            refusals = self.refusals_of([command.type])
            numbers = (n for n in refusals if of_one_key(command, self.envelope(n)))
            self._refusals[command.id] = next(numbers, None)
        return self._refusals[command.id]

    @cached_property
    def refused(self) -> dict[str, int]:
        """Map the types of steps that were refused and never done to the step that refused them."""
        found: dict[str, int] = {}
        for name, numbers in self.sent.items():
            refuses = self.role(name).refuses
            if refuses and not self.done(refuses):
                found[refuses] = numbers[0]
            ends = [n for n in map(self.refused_at, self._command_spans(name)) if n is not None]
            if ends and not self.done(name):
                found.setdefault(name, ends[0])
        return found

    def failed(self) -> dict[str, int]:
        """Map the types of commands that were given up and never finished to the step at which that happened."""
        found = {}
        for name, numbers in self.sent.items():
            commands = {e.id for e in map(self.envelope, numbers) if isinstance(e.data, Command)}
            ends = [end for (_, id), end in self.trace.given_up.items() if id in commands]
            if ends and not any(span.finished for span in self._command_spans(name)):
                found[name] = ends[-1]
        return found

    def _command_spans(self, name: str) -> list[Span]:
        return [span for one in self.occurrences(name) if one.is_command for span in one.spans]

    # -- the end

    @cached_property
    def ends(self) -> list[int]:
        """The publishes of messages with settles=True, except the end of a saga nested in this one."""
        settling = [name for name in self.sent if self.role(name).settles]
        ends = [one for name in settling for one in self.occurrences(name)]
        inside = {one for one in ends if any(self._is_a_saga(s.envelope) for s in one.spans)}
        return [number for one in ends if one not in inside for number in one.numbers]

    def _is_a_saga(self, command: Envelope) -> bool:
        """Whether a command requests a step or a compensation that is itself a saga."""
        if command.causation is None:
            return False
        compensated = {role.compensates for role in self.roles.values()}
        is_step = self.role(command.type).compensates or command.type in compensated
        return bool(is_step) and any(map(self.coordinates, self._command_spans(command.type)))

    def __str__(self) -> str:
        envelope = self.envelope(self.first)
        about = f" ({envelope.subject})" if envelope.subject is not None else ""
        return f"the saga of {envelope.correlation}{about}"


def of_one_key(step: Envelope, other: Envelope) -> bool:
    """Whether two messages have the same key. True if the other message lacks the step's key field."""
    key = type(step.data).__declared__.key
    if key is None or key not in type(other.data).model_fields:
        return True
    return key_of(other.data, key) == step.subject

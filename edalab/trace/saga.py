"""One saga of a run: its messages, and which of its steps were done, refused and compensated.

Claims and pictures both ask here. What classes compensate, refuse and settle is the run's own vocabulary.
"""

from functools import cached_property

from ..model import Command, Envelope
from ..model.registry import SagaRole
from ..sim.steps import WIDTH
from .faults import FAILED_TO_SEND
from .identity import says_the_same
from .saga_effects import agree, changes_state, continues, is_refusal, of_one_key, saga_types
from .spans import Span, Trace

_NO_ROLE = SagaRole(None, None, False, False)
# The numbers of the steps at which equal messages were published or asked: to ask again is no second step of a saga.
Occurrences = list[int]


class Saga:
    """One saga of a run. Its steps are the messages that are compensated, refused or final; equal ones are one step."""

    def __init__(self, trace: Trace):
        self.trace, self.roles = trace, trace.system.saga_roles
        self.types = saga_types(trace)
        self.first = self.last = 0
        self.correlations: dict[str, None] = {}  # as an ordered set
        self.sent: dict[str, list[int]] = {}  # type -> where it was published or asked
        self._occurrences: dict[str, list[Occurrences]] = {}
        self._commits: dict[tuple, list[tuple[Span, list[int]]]] = {}
        self._effects: dict[tuple, list[tuple[Span, int]]] = {}
        self._refusals: dict[str, int | None] = {}

    def envelope(self, number: int) -> Envelope:
        """The message of a step of the record."""
        return self.trace.run._record[number * WIDTH + 3]

    def role(self, name: str) -> SagaRole:
        """What a type compensates and refuses, whether it is final, whether it settles."""
        return self.roles.get(name, _NO_ROLE)

    def keys(self) -> set[str]:
        """The keys of its messages."""
        subjects = {self.envelope(n).subject for numbers in self.sent.values() for n in numbers}
        return subjects - {None}

    def numbers(self) -> list[int]:
        """The steps of the record that belong to its messages, or to any message of its keys."""
        places = [("story", correlation) for correlation in self.correlations]
        places += [("key", key) for key in self.keys()]
        return sorted({number for place in places for number in self.trace.about.get(place, ())})

    # -- messages

    def occurrences(self, name: str) -> list[Occurrences]:
        """The messages of a type, equal ones together."""
        if name not in self._occurrences:
            groups = self._occurrences[name] = []
            for number in self.sent.get(name, ()):
                envelope = self.envelope(number)
                for group in groups:
                    if says_the_same(self.envelope(group[0]), envelope):
                        group.append(number)
                        break
                else:
                    groups.append([number])
        return self._occurrences[name]

    def compensators(self, name: str) -> list[str]:
        """The types that compensate a type."""
        return [other for other, role in self.roles.items() if role.compensates == name]

    @property
    def compensations(self) -> list[Occurrences]:
        """The compensations that were asked for or published."""
        names = [name for name in self.sent if self.role(name).compensates]
        return [group for name in names for group in self.occurrences(name)]

    def compensations_of(self, step: Occurrences) -> list[Occurrences]:
        """The messages that compensate a step."""
        groups = [
            group
            for name in self.compensators(self.envelope(step[0]).type)
            for group in self.occurrences(name)
        ]
        return [group for group in groups if step in self.compensated_by(group)]

    def compensated_by(self, compensation: Occurrences) -> list[Occurrences]:
        """The steps of its key that a message compensates; of several, those with equal data in the fields both have."""
        message = self.envelope(compensation[0])
        steps = self.occurrences(self.roles[message.type].compensates)
        steps = [step for step in steps if of_one_key(self.envelope(step[0]), message)]
        if len(steps) < 2:
            return steps
        return [step for step in steps if agree(self.envelope(step[0]), message)] or steps

    # -- executions and their effects

    def executions_of(self, number: int) -> list[Span]:
        """The spans that handled a command; for an event, those in which its service handled the event's cause."""
        envelope = self.envelope(number)
        if isinstance(envelope.data, Command):
            return self.trace.by_message.get(envelope.id, [])
        if envelope.causation is None:
            tick = self.trace.span_of[number]
            return [tick] if tick else []
        spans = self.trace.by_message.get(envelope.causation, ())
        return [span for span in spans if span.service == envelope.source]

    def commits_in(self, span: Span) -> list[int]:
        """The commits of a span, and of the spans of commands that it asked for and that are no steps of sagas."""
        commits = [number for number in span.saves if self.trace.changed(number)]
        for number in span.events:
            step = self.trace.journal[number]
            if (
                step.step == "save"
                or step.fault in FAILED_TO_SEND
                or step.envelope.type in self.types
            ):
                continue
            if isinstance(step.envelope.data, Command):
                for part in self.trace.by_message.get(step.envelope.id, ()):
                    commits += self.commits_in(part)
        return sorted(commits)

    def commits(self, group: Occurrences) -> list[tuple[Span, list[int]]]:
        """The executions of equal messages that committed and did not refuse, with their commits."""
        key = tuple(group)
        if key not in self._commits:
            spans = self._executions(group)
            agreed = [span for span in spans if self.refused_at(span) is None]
            if len(agreed) < len(spans):
                # What a coordinator saved, before it refused at a later attempt, is its log.
                agreed = [span for span in agreed if span.finished or not self.coordinates(span)]
            pairs = [(span, self.commits_in(span)) for span in agreed]
            self._commits[key] = [(span, commits) for span, commits in pairs if commits]
        return self._commits[key]

    def _executions(self, group: Occurrences) -> list[Span]:
        """The executions of equal messages in order; of an event those that published it, or were kept from it."""
        spans = {span.first: span for number in group for span in self.executions_of(number)}
        spans = [spans[first] for first in sorted(spans)]
        message = self.envelope(group[0])
        if isinstance(message.data, Command) or len(spans) < 2:
            return spans
        publishers = [
            span
            for span in spans
            if any(sent.type == message.type for sent in self.trace.messages_of(span))
        ]
        if not publishers:
            return spans
        return [span for span in spans if span in publishers or not span.finished]

    def coordinates(self, span: Span) -> bool:
        """Whether a span asks for steps."""
        sent = self.trace.messages_of(span)
        return any(isinstance(e.data, Command) and e.type in self.types for e in sent)

    def effects(self, group: Occurrences) -> list[tuple[Span, int]]:
        """Each time that equal messages took effect: the span, and the commit that shows it. A span that changed nothing
        new, or went on where an earlier one was interrupted, is no further effect."""
        key = tuple(group)
        if key not in self._effects:
            effects = self._effects[key] = []
            for span, commits in self.commits(group):
                if any(continues(self.trace, earlier, span) for earlier, _ in effects):
                    continue
                commit = next(
                    (n for n in commits if not effects or changes_state(self.trace, n)), None
                )
                if commit is not None:
                    effects.append((span, commit))
        return self._effects[key]

    # -- done, compensated, refused

    def done_at(self, step: Occurrences) -> int | None:
        """The first step of the record that shows that a step was done: an event is published; a command is committed by a
        span that does not refuse, or, in a service that keeps nothing, handled without a refusal."""
        if not isinstance(self.envelope(step[0]).data, Command):
            return step[0]
        commits = [commits[0] for _, commits in self.commits(step)]
        return min(commits) if commits else self._finished_at(step, self.trace.stateful)

    def compensated_at(self, step: Occurrences) -> int | None:
        """The first step of the record that shows that a step was compensated. A service that saved something for the step
        must do so for its compensation."""
        stateful = {
            span.service
            for number in step
            for span in self.executions_of(number)
            if self.commits_in(span)
        }
        shown = [self.shown_at(group, stateful) for group in self.compensations_of(step)]
        return min((number for number in shown if number is not None), default=None)

    def shown_at(self, group: Occurrences, stateful: set[str]) -> int | None:
        """The first step of the record that shows the effect of equal messages; a `stateful` service must commit."""
        command = isinstance(self.envelope(group[0]).data, Command)
        commits = [commits[0] for _, commits in self.commits(group)]
        if commits:
            return min(commits) if command else group[0]
        if command:
            return self._finished_at(group, stateful)
        for number in group:
            if self.envelope(number).source not in stateful or not self.executions_of(number):
                return number
        return None

    def _finished_at(self, group: Occurrences, stateful: set[str]) -> int | None:
        for span in (span for number in group for span in self.executions_of(number)):
            if span.finished and span.service not in stateful and self.refused_at(span) is None:
                return span.sent[0] if span.sent else span.last
        return None

    def done(self, name: str) -> list[int]:
        """Where the record shows first that each step of a type was done."""
        shown = [self.done_at(step) for step in self.occurrences(name)]
        return [number for number in shown if number is not None]

    @property
    def done_steps(self) -> list[Occurrences]:
        """The steps that can be compensated and were done."""
        names = dict.fromkeys(role.compensates for role in self.roles.values() if role.compensates)
        steps = [step for name in names for step in self.occurrences(name)]
        return [step for step in steps if self.done_at(step) is not None]

    def refused_at(self, span: Span) -> int | None:
        """Where a span refused its command: by `Refused`, or by a message whose class says `refuses=`. That is published
        because of the command, or by the asker after the answer."""
        if span.refused is not None:
            return span.last
        command = span.envelope
        if command.id not in self._refusals:
            names = [name for name in self.sent if self.role(name).refuses == command.type]
            numbers = [number for name in names for number in self.sent[name]]
            numbers = [
                number
                for number in numbers
                if is_refusal(self.trace, self.envelope(number), number, command)
            ]
            self._refusals[command.id] = min(numbers, default=None)
        return self._refusals[command.id]

    @cached_property
    def refused(self) -> dict[str, int]:
        """The types of steps that were refused and never done, with where."""
        found = {}
        for name, numbers in self.sent.items():
            refuses = self.role(name).refuses
            if refuses and not self.done(refuses):
                found[refuses] = numbers[0]
            ends = [end for span in self._spans(name) if (end := self.refused_at(span)) is not None]
            if ends and not self.done(name):
                found.setdefault(name, ends[0])
        return found

    def failed(self) -> dict[str, int]:
        """The types of commands that failed for good, with where."""
        found = {}
        for name in self.sent:
            ids = {self.envelope(n).id for n in self._commands(name)}
            ends = [end for (_, id), end in self.trace.given_up.items() if id in ids]
            if ends and not any(span.finished for span in self._spans(name)):
                found[name] = ends[-1]
        return found

    def _commands(self, name: str) -> list[int]:
        numbers = self.sent.get(name, ())
        return [n for n in numbers if isinstance(self.envelope(n).data, Command)]

    def _spans(self, name: str) -> list[Span]:
        """The spans of the commands of a type."""
        return [span for n in self._commands(name) for span in self.executions_of(n)]

    # -- the end

    @cached_property
    def ends(self) -> list[int]:
        """Where messages with settles=True were published. The end of a saga inside this one is not among them."""
        numbers = [n for name in self.sent if self.role(name).settles for n in self.sent[name]]
        return [
            number
            for number in numbers
            if not any(self._is_a_saga(span.envelope) for span in self.executions_of(number))
        ]

    def _is_a_saga(self, command: Envelope) -> bool:
        """Whether a command asks for a step, or for a compensation, that is a saga itself."""
        is_step = self.role(command.type).compensates or self.compensators(command.type)
        if command.causation is None or not is_step:
            return False
        return any(map(self.coordinates, self._spans(command.type)))

    @property
    def final(self) -> str | None:
        """The type of a step that was done and is declared with final=True."""
        finals = (name for name, role in self.roles.items() if role.final)
        return next((name for name in finals if self.done(name)), None)

    def __str__(self) -> str:
        envelope = self.envelope(self.first)
        about = f" ({envelope.subject})" if envelope.subject is not None else ""
        return f"the saga of {envelope.correlation}{about}"

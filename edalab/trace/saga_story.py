"""The story of a saga: its steps in the order they began, and what led to which.

It is the same for choreography, where events are the steps, and for orchestration, where commands are.
"""

from functools import cached_property

from ..model import Command, Envelope, Query
from .faults import FAILED_TO_SEND
from .saga import Saga
from .saga_events import answers_of, collect_events
from .saga_index import saga_of, until
from .saga_step import SagaStep, State
from .spans import Span, Trace


class SagaStory:
    """One saga of a run: `steps` in the order they began, `start` and `end` (ms), and what it is about."""

    def __init__(self, saga: Saga, correlations: list[str], sent: list[int]):
        self.saga, self.trace, self.roles = saga, saga.trace, saga.roles
        self.correlations, self.sent = correlations, sent
        envelopes = [self._envelope(number) for number in sent]
        self.correlation: str = envelopes[0].correlation
        keyed = next((e for e in envelopes if e.subject is not None), None)
        self.subject: str | None = keyed and keyed.subject
        self._key = keyed and type(keyed.data).__declared__.key
        self.rounds: list[tuple[SagaStep, SagaStep]] = []  # a step, and an earlier one it led to
        self._steps: list[SagaStep] = []
        self._of_type: dict[str, SagaStep] = {}
        self._of_message: dict[str, SagaStep | None] = {}
        self._asked_last: dict[tuple, SagaStep] = {}  # (service, cause) -> the step asked for last
        self._past: dict[int, SagaStory | None] = {}

    def at(self, time: int) -> "SagaStory | None":
        """The saga as it stood at a moment (ms), from what was recorded by then; None where it had not begun."""
        run = self.trace.run
        if time >= run.end:
            return self
        if time not in self._past:
            trace = Trace.of(until(run, time))
            sent = [number for number in self.sent if number < len(trace.journal)]
            saga = saga_of(trace, self.correlations)
            self._past[time] = SagaStory(saga, self.correlations, sent) if sent else None
            if sent:
                self._past[time]._follow(self)
        return self._past[time]

    @property
    def title(self) -> str:
        """What it is about, in a word or two: "Order o2"."""
        if self.subject is None:
            return f"Saga {self.correlation}"
        noun = self._key.removesuffix("_id").replace("_", " ").strip()
        if self.subject.startswith(noun):
            return self.subject
        return f"{noun[:1].upper()}{noun[1:]} {self.subject}"

    @cached_property
    def steps(self) -> list[SagaStep]:
        for number in self.sent:
            self._add(number)
        ends = {self._of_message.get(self._envelope(number).id) for number in self.saga.ends}
        for step in list(self._steps):
            step.settles = step in ends
            targets = [self.saga.role(name).compensates for name in step.names]
            target = next(filter(None, targets), None)
            if target:
                step.compensates = self._of_type.get(target) or self._never_done(target, step)
                step.compensates.compensated_by.append(step)
        self._find_silence()
        self._collect(self._steps)
        return self._steps

    def _collect(self, steps: list[SagaStep]) -> None:
        envelopes = [self._envelope(number) for number in self.sent]
        commands = {envelope.id for envelope in envelopes if isinstance(envelope.data, Command)}
        answers = answers_of(self.trace)
        for step in steps:
            step.causes.pop(None, None)
            collect_events(step, self.saga, self.sent, answers, commands)

    def _follow(self, whole: "SagaStory") -> None:
        """Take over the steps of the whole story, with what happened to them by now."""
        past = {step: step.until(len(self.trace.journal)) for step in whole.steps}
        for step in past.values():
            step.compensates = step.compensates and past[step.compensates]
            step.compensated_by = [past[other] for other in step.compensated_by]
        self.steps = list(past.values())
        self._collect(self.steps)

    @property
    def start(self) -> int:
        return self.trace.journal[self.sent[0]].time

    @cached_property
    def times(self) -> list[int]:
        """The instants (ms) at which something happened in it."""
        return sorted({e.time for step in self.steps for e in step.events} | {self.start})

    @property
    def end(self) -> int:
        return self.times[-1]

    @property
    def over(self) -> bool:
        """Whether the run ended by itself, so that nothing of it can still happen."""
        return self.trace.ended

    @property
    def endless(self) -> bool:
        """Whether the run was stopped because it would not end."""
        return self.trace.run._world.misuse is not None

    @cached_property
    def states(self) -> dict[SagaStep, State]:
        """How each step stands."""
        return {step: step.state(self.over) for step in self.steps}

    def __repr__(self) -> str:
        return f"<saga {self.correlation}: {', '.join(step.name for step in self.steps)}>"

    # -- which step a message belongs to

    def _envelope(self, number: int) -> Envelope:
        return self.trace.journal[number].envelope

    def _add(self, number: int) -> None:
        """Let a message belong to a step, which may be a new one."""
        sent, envelope = self.trace.journal[number], self._envelope(number)
        name, role = envelope.type, self.saga.role(envelope.type)
        if isinstance(envelope.data, Query):
            return
        if envelope.id in self._of_message:  # the same message once more, from an outbox
            step = self._of_message[envelope.id]
            if step is not None and name == step.names[0]:
                step.sent.append(number)
                step.causes.setdefault(envelope.causation)
            return
        before = self._led_by(number)
        if isinstance(envelope.data, Command):
            self._of_message[envelope.id] = self._command_step(number, before)
            return
        step = self._step_in_hand(number)
        reports = step is not None and self._reports(step, envelope)
        if role.refuses:
            refused = self._of_type.get(role.refuses)
            refused = refused or self._step(role.refuses, sent.service, before, number)
            refused.refusals.append(number)
            if len(refused.refusals) == 1:
                refused.causes.setdefault(envelope.causation)
            self._of_message[envelope.id] = refused
            if not role.settles or refused is step and reports:
                refused.refusal_settles |= role.settles
                return
        if reports:
            if step.before is None and len(step.names) == 1 and not role.refuses:
                step.name = name  # the client's command and the event with which all begins are one
            step.add_type(name, role.final)
            self._of_type[name] = step
        else:
            last = self._steps[-1] if self._steps else None
            if role.settles and last and envelope.causation in last.causes:
                before = last  # one handler publishes its own step, and then the end
            step = self._step(name, sent.service, before, number)
            step.sent.append(number)
            step.causes.setdefault(envelope.causation)
        self._of_message[envelope.id] = step

    def _led_by(self, number: int) -> SagaStep | None:
        """The step that led to a message: the one its handler asked for just before, or else the one it handles."""
        home = self.trace.span_of.get(number)
        cause = self._envelope(number).causation or (home.envelope.id if home else None)
        service = self.trace.journal[number].service
        before = self._asked_last.get((service, cause)) or self._of_message.get(cause)
        if before is None and self._steps:
            return self._steps[-1]  # a tick or the client went on
        return before

    def _command_step(self, number: int, before: SagaStep | None) -> SagaStep | None:
        sent, home = self.trace.journal[number], self.trace.span_of.get(number)
        name = sent.envelope.type
        services = [handler.service for handler in self.trace.system.handlers(name)]
        if sent.service in services and name not in self.saga.types:
            return before  # a reminder to itself is no step, but leads to what follows
        service = services[0] if services else sent.envelope.topic
        step = self._step(name, service, before, number)
        step.is_event = False
        step.sent.append(number)
        if sent.step == "ask":
            cause = sent.envelope.causation or (home.envelope.id if home else None)
            self._asked_last[sent.service, cause] = step
        return step

    def _step(self, name: str, service: str, before: SagaStep | None, number: int) -> SagaStep:
        """The step of a type of message; a new one, or one that is reached in a circle."""
        step = self._of_type.get(name)
        if step is None:
            return self._new_step(SagaStep(name, service, before, number))
        cause = self._of_message.get(self._envelope(number).causation)
        if cause is not None and step in cause.ancestors():
            self.rounds.append((cause, step))
        return step

    def _new_step(self, step: SagaStep) -> SagaStep:
        step.add_type(step.name, self.saga.role(step.name).final)
        self._of_type[step.name] = step
        self._steps.append(step)
        return step

    def _step_in_hand(self, number: int) -> SagaStep | None:
        """The step whose command is being handled where an event is published."""
        sent = self.trace.journal[number]
        cause = sent.envelope.causation
        step = self._of_message.get(cause)
        if step is None or step.is_event or step.service != sent.service:
            return None
        return step if any(self._envelope(n).id == cause for n in step.sent) else None

    def _reports(self, step: SagaStep, event: Envelope) -> bool:
        """Whether an event only reports how a step ended. One with a role of its own does, where it is all that the step
        publishes; else it is a step, such as the end of the saga that its coordinator publishes."""
        role = self.saga.role(event.type)
        if not (role.compensates or role.final or role.settles):
            return True
        ids = {self._envelope(number).id for number in step.sent}
        spans = [span for id in ids for span in self._spans(id, event.source)]
        sent = {other.type for span in spans for other in self.trace.messages_of(span)}
        return sent == {event.type}

    def _spans(self, id: str, service: str) -> list[Span]:
        return [span for span in self.trace.by_message.get(id, ()) if span.service == service]

    def _never_done(self, name: str, compensation: SagaStep) -> SagaStep:
        return self._new_step(SagaStep(name, "?", None, compensation.first))

    # -- services that were silent

    def _find_silence(self) -> None:
        """Add a step for each service that never finished an event of this saga, and so published nothing. Where all
        finished and the saga never ended, it is the one that handled the last event and published nothing."""
        journal, trace = self.trace.journal, self.trace
        heard = {(step.service, id) for step in self._steps if step.is_event for id in step.causes}
        homes = [home for number in self.sent if (home := trace.span_of.get(number))]
        heard |= {(home.service, home.envelope.id) for home in homes}
        quiet = []
        for number in self.sent:
            envelope = self._envelope(number)
            if (
                isinstance(envelope.data, Command | Query)
                or journal[number].fault in FAILED_TO_SEND
            ):
                continue
            fact = trace.logical_id[envelope.id]
            same = [id for id in self._of_message if trace.logical_id[id] == fact]
            handlers = trace.system.handlers(envelope.type)
            for service in dict.fromkeys(handler.service for handler in handlers):
                if any((service, id) in heard for id in same):
                    continue
                heard.add((service, envelope.id))
                if any(span.finished for id in same for span in self._spans(id, service)):
                    quiet.append((service, number))
                elif (service, envelope.id) in trace.given_up or self.over:
                    self._stands_still(service, number)
        turned_back = any(step.compensates or step.refusals or step.unheard for step in self._steps)
        settled = any(step.settles for step in self._steps)
        if quiet and self.over and not turned_back and not settled:
            self._stands_still(*quiet[-1])

    def _stands_still(self, service: str, number: int) -> None:
        envelope = self._envelope(number)
        step = SagaStep(service, service, self._of_message.get(envelope.id), number)
        step.causes[envelope.id] = None
        step.unheard = envelope.type
        self._steps.append(step)

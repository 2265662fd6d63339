"""The story of a saga, told from the trace alone: its steps in the order they began, and what led to which. The same for
choreography, where events are the steps, and orchestration, where commands are."""

from functools import cached_property
from typing import NamedTuple

from ..model import Command, Envelope, Query
from ..trace.identity import UNSENT
from .saga_moments import Answers, tell
from .saga_step import SagaStep, State
from ..trace.saga import Saga


class SagaStory:
    """One saga of a run: `steps` in the order they began, `start` and `end` (ms), and what it is about."""

    def __init__(self, saga: Saga, correlations: list[str], said: list[int], answers: Answers):
        self.saga, self.trace, self.words = saga, saga.trace, saga.roles
        self.correlations = correlations
        self._said, self._answers = said, answers
        journal = self.trace.journal
        self.correlation: str = journal[said[0]].envelope.correlation
        keyed = next((e for n in said if (e := journal[n].envelope).subject is not None), None)
        self.subject: str | None = keyed and keyed.subject
        self._key = keyed and type(keyed.data).__declared__.key
        self.outcomes: dict[int, NamedTuple] = {}  # what `outcome` found, by time
        self.rounds: list[
            tuple[SagaStep, SagaStep]
        ] = []  # (a later step, the earlier one that it led to again)
        self._steps: list[SagaStep] = []
        self._named: dict[str, SagaStep] = {}  # by the types of messages that stand for them
        self._owner: dict[str, SagaStep | None] = {}  # id of a message -> the step it belongs to
        self._awaited: dict[
            tuple, SagaStep
        ] = {}  # (service, cause) -> the step that its handler asked for last

    @property
    def title(self) -> str:
        """What it is about, in a word or two: "Order o2"."""
        if self.subject is None:
            return f"Saga {self.correlation}"
        noun = self._key.removesuffix("_id").replace("_", " ").strip()
        return (
            self.subject
            if self.subject.startswith(noun)
            else f"{noun[:1].upper()}{noun[1:]} {self.subject}"
        )

    @cached_property
    def steps(self) -> list[SagaStep]:
        for number in self._said:
            self._hear(number)
        ends = {self._owner.get(self.saga.envelope(number).id) for number in self.saga.ends}
        for step in list(self._steps):
            step.settles = step in ends
            target = next(
                (word[0] for name in step.names if (word := self.saga.role(name))[0]), None
            )
            if target:
                step.undoes = self._named.get(target) or self._never_done(target, step)
                step.undoes.undone_by.append(step)
        self._hear_silence()
        said = [self.trace.journal[number].envelope for number in self._said]
        commands = {envelope.id for envelope in said if isinstance(envelope.data, Command)}
        for step in self._steps:
            tell(step, self.saga, self._said, self._answers, commands)
        return self._steps

    @property
    def start(self) -> int:
        return self.trace.journal[self._said[0]].time

    @cached_property
    def times(self) -> list[int]:
        """The instants (ms) at which something happened in it."""
        return sorted({m.time for step in self.steps for m in step.moments} | {self.start})

    @cached_property
    def states(self) -> dict[SagaStep, list[State]]:
        """The states that each step went through."""
        return {
            step: list(dict.fromkeys(step.state(m.time) for m in step.moments))
            for step in self.steps
        }

    @property
    def end(self) -> int:
        return self.times[-1]

    @property
    def ended(self) -> bool:
        """Whether the run ended by itself, so that nothing of it can still come."""
        return self.trace.ended

    def __repr__(self) -> str:
        return f"<saga {self.correlation}: {', '.join(step.name for step in self.steps)}>"

    # -- which step a message belongs to

    def _hear(self, number: int) -> None:
        said = self.trace.journal[number]
        envelope, name = said.envelope, said.envelope.type
        if isinstance(envelope.data, Query):
            return
        if envelope.id in self._owner:  # the same message once more, from an outbox
            if (step := self._owner[envelope.id]) is not None and name == step.names[0]:
                step.said.append(number)
            return
        before = self._before(number)
        if isinstance(envelope.data, Command):
            self._owner[envelope.id] = self._hear_command(number, before)
            return
        if refuses := self.saga.role(name)[1]:
            step = self._named.get(refuses) or self._step(refuses, said.service, before, number)
            step.refusals.append(number)
            step.cause = step.cause or envelope.causation
            self._owner[envelope.id] = step
            if (
                not self.saga.role(name)[3]
                or step is self._command_of(number)
                and self._tells_how_it_ended(step, envelope)
            ):
                step.closed |= self.saga.role(name)[3]
                return
        step = self._command_of(number)
        if step is not None and self._tells_how_it_ended(step, envelope):
            if step.before is None and len(step.names) == 1 and not self.saga.role(name)[1]:
                step.name = (
                    name  # the client's command, and the fact with which all begins, are one
                )
            step.also(name, self.saga.role(name)[2])
            self._named[name] = step
        else:
            if (
                self.saga.role(name)[3]
                and self._steps
                and envelope.causation in self._steps[-1].causes(self.trace.journal)
            ):
                before = self._steps[
                    -1
                ]  # one handler tells of its own step, and then that it was the last one
            step = self._step(name, said.service, before, number)
            step.said.append(number)
        self._owner[envelope.id] = step

    def _before(self, number: int) -> SagaStep | None:
        """What led to a message: what its handler asked for just before, or else what it handles."""
        said, cause = self.trace.journal[number], self._cause(number)
        before = self._awaited.get((said.service, cause)) or self._owner.get(cause)
        if before is None and self._steps:
            return self._steps[-1]  # a tick or the client went on: after what was last begun
        return before

    def _cause(self, number: int) -> str | None:
        home = self.trace.span_of.get(number)
        return self.trace.journal[number].envelope.causation or (home.envelope.id if home else None)

    def _hear_command(self, number: int, before: SagaStep | None) -> SagaStep | None:
        said = self.trace.journal[number]
        name = said.envelope.type
        takers = [handler.service for handler in self.trace.system.handlers(name)]
        if said.service in takers and name not in self.saga.types:
            return (
                before  # a service reminds itself: no step, but what it leads to follows `before`
            )
        step = self._step(name, takers[0] if takers else said.envelope.topic, before, number)
        step.event = False
        step.said.append(number)
        if said.step == "ask":
            self._awaited[said.service, self._cause(number)] = step
        return step

    def _step(self, name: str, service: str, before: SagaStep | None, number: int) -> SagaStep:
        step = self._named.get(name)
        if step is None:
            step = self._named[name] = SagaStep(name, service, before, number)
            step.also(name, self.saga.role(name)[2])
            self._steps.append(step)
            return step
        cause = self._owner.get(self.trace.journal[number].envelope.causation)
        if cause is not None and step in cause.way():
            self.rounds.append((cause, step))
        return step

    def _command_of(self, number: int) -> SagaStep | None:
        """The step whose command is being handled where an event is said."""
        said = self.trace.journal[number]
        step = self._owner.get(said.envelope.causation)
        if step is None or step.event or step.service != said.service:
            return None
        return (
            step
            if any(self.trace.journal[n].envelope.id == said.envelope.causation for n in step.said)
            else None
        )

    def _tells_how_it_ended(self, step: SagaStep, envelope: Envelope) -> bool:
        """Whether an event only says how a step ended, in whose handling it is said; else it is a step of its own, such as
        the end of the saga, told by its coordinator."""
        compensates, _, final, settles = self.saga.role(envelope.type)
        if not (compensates or final or settles):
            return True
        ids = {self.trace.journal[number].envelope.id for number in step.said}
        handlings = [
            h
            for id in ids
            for h in self.trace.by_message.get(id, ())
            if h.service == envelope.source
        ]
        return {other.type for h in handlings for other in self.trace.messages_of(h)} == {
            envelope.type
        }

    def _never_done(self, name: str, compensation: SagaStep) -> SagaStep:
        step = self._named[name] = SagaStep(name, "?", None, compensation.first)
        step.also(name)
        self._steps.append(step)
        return step

    def _hear_silence(self) -> None:
        """A service that never got done with an event of this saga, and so said nothing, is where it stands still. If all
        that went well, and yet the saga never ended, it is the one that handled the last event and said nothing."""
        journal, trace = self.trace.journal, self.trace
        told = {
            (step.service, id) for step in self._steps if step.event for id in step.causes(journal)
        }
        told |= {
            (home.service, home.envelope.id) for n in self._said if (home := trace.span_of.get(n))
        }
        quiet = []
        for number in self._said:
            envelope = journal[number].envelope
            if isinstance(envelope.data, Command | Query) or journal[number].fault in UNSENT:
                continue
            for service in dict.fromkeys(
                handler.service for handler in trace.system.handlers(envelope.type)
            ):
                again = [
                    other
                    for other in self._owner
                    if trace.logical_id[other] == trace.logical_id[envelope.id]
                ]
                if any((service, other) in told for other in again):
                    continue
                told.add((service, envelope.id))
                handlings = [
                    h
                    for other in again
                    for h in trace.by_message.get(other, ())
                    if h.service == service
                ]
                if any(handling.finished for handling in handlings):
                    quiet.append((service, number))
                elif (service, envelope.id) in trace.given_up or self.ended:
                    self._stands_still(service, number)
        turned_back = any(step.undoes or step.refusals or step.unheard for step in self._steps)
        if (
            quiet
            and self.ended
            and not turned_back
            and not any(step.settles for step in self._steps)
        ):
            self._stands_still(*quiet[-1])

    def _stands_still(self, service: str, number: int) -> None:
        envelope = self.trace.journal[number].envelope
        step = SagaStep(service, service, self._owner.get(envelope.id), number)
        step.cause, step.unheard = envelope.id, envelope.type
        self._steps.append(step)

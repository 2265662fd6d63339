"""The story of a saga: its steps in the order they began, and what led to which.

It is the same for choreography, where events are the steps, and for orchestration, where commands are.
"""

from functools import cached_property

from ..errors import Misuse, Unknown
from ..model import Command, Envelope, Query
from ..sim.run import Run
from .identity import UNSENT
from .saga import Saga
from .saga_index import saga_of, sagas, until
from .saga_moment import SagaMoment
from .saga_step import SagaStep
from .spans import Span, Trace

NONE = (
    "this run has no saga: no message was sent that says compensates=, refuses=, final= or settles= where its class is "
    "declared, or that another one compensates or refuses"
)


class SagaStory:
    """One saga of a run: `steps` in the order they began, and what it is about."""

    def __init__(self, saga: Saga, correlations: list[str], sent: list[int]):
        self.saga, self.trace, self.roles = saga, saga.trace, saga.roles
        self.correlations, self.sent = correlations, sent
        envelopes = [self._envelope(number) for number in sent]
        self.correlation: str = envelopes[0].correlation
        keyed = next((e for e in envelopes if e.subject is not None), None)
        self.subject: str | None = keyed and keyed.subject
        self._key = keyed and type(keyed.data).__declared__.key
        self.start = self.trace.journal[sent[0]].time
        self.rounds: list[tuple[SagaStep, SagaStep]] = []  # a step, and an earlier one it led to
        self._steps: list[SagaStep] = []
        self._of_type: dict[str, SagaStep] = {}
        self._of_message: dict[str, SagaStep | None] = {}
        self._asked_last: dict[tuple, SagaStep] = {}  # (service, cause) -> the step asked for last
        self._moments: dict[int, SagaMoment] = {}

    def at(self, time: int | None = None) -> SagaMoment:
        """The saga as it stood at a moment (ms), from what was recorded by then; without one, in the end."""
        run = self.trace.run
        time = run.end if time is None else min(time, run.end)
        if time not in self._moments:
            trace = Trace.of(until(run, time))
            saga = self.saga if trace is self.trace else saga_of(trace, self.correlations)
            self._moments[time] = SagaMoment(saga, self.steps, self.sent)
        return self._moments[time]

    @cached_property
    def title(self) -> str:
        """What it is about, in a word or two: "Order o2"."""
        if self.subject is None:
            return f"Saga {self.correlation}"
        noun = self._key.removesuffix("_id").replace("_", " ").strip()
        if self.subject.startswith(noun):
            return self.subject
        return f"{noun[:1].upper()}{noun[1:]} {self.subject}"

    @cached_property
    def times(self) -> list[int]:
        """The instants (ms) at which something happened in it."""
        return sorted(
            {e.time for h in self.at().histories.values() for e in h.events} | {self.start}
        )

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
                never_done = SagaStep(target, "?", None, step.first)
                step.compensates = self._of_type.get(target) or self._new_step(never_done)
                step.compensates.compensated_by.append(step)
        self._find_silence()
        return self._steps

    def __repr__(self) -> str:
        return f"<saga {self.correlation}: {', '.join(step.name for step in self.steps)}>"

    # -- which step a message belongs to

    def _envelope(self, number: int) -> Envelope:
        return self.saga.envelope(number)

    def _add(self, number: int) -> None:
        """Let a message belong to a step, which may be a new one."""
        envelope, role = self._envelope(number), self.saga.role(self._envelope(number).type)
        if isinstance(envelope.data, Query):
            return
        if envelope.id in self._of_message:  # the same message once more, from an outbox
            step = self._of_message[envelope.id]
            if step is not None and envelope.type == step.names[0]:
                self._belongs(number, step)
            return
        before = self._led_by(number)
        if isinstance(envelope.data, Command):
            step = self._command_step(number, before)
        else:
            step = self._step_in_hand(number)
            reports = step is not None and self._reports(step, envelope)
            if role.refuses:
                refused = self._refuse(number, before)
                self._of_message[envelope.id] = refused
                if not role.settles or refused is step and reports:
                    refused.refusal_settles |= role.settles
                    return
            if reports:
                self._report(step, envelope)
            else:
                step = self._event_step(number, before)
        self._of_message[envelope.id] = step

    def _belongs(self, number: int, step: SagaStep) -> None:
        step.sent.append(number)
        if cause := self._envelope(number).causation:
            step.causes[cause] = None

    def _refuse(self, number: int, before: SagaStep | None) -> SagaStep:
        """The step that a message refuses."""
        envelope = self._envelope(number)
        refuses = self.saga.role(envelope.type).refuses
        step = self._of_type.get(refuses)
        step = step or self._step(refuses, envelope.source, before, number)
        if not step.refusals and envelope.causation:
            step.causes[envelope.causation] = None
        step.refusals.append(number)
        return step

    def _report(self, step: SagaStep, envelope: Envelope) -> None:
        role = self.saga.role(envelope.type)
        if step.before is None and len(step.names) == 1 and not role.refuses:
            step.name = envelope.type  # the client's command and the event that begins all are one
        if envelope.type not in step.names:
            step.names.append(envelope.type)
        step.final |= role.final
        self._of_type[envelope.type] = step

    def _event_step(self, number: int, before: SagaStep | None) -> SagaStep:
        envelope = self._envelope(number)
        last = self._steps[-1] if self._steps else None
        if last and self.saga.role(envelope.type).settles and envelope.causation in last.causes:
            before = last  # one handler publishes its own step, and then the end
        step = self._step(envelope.type, envelope.source, before, number)
        self._belongs(number, step)
        return step

    def _command_step(self, number: int, before: SagaStep | None) -> SagaStep | None:
        sent, name = self.trace.journal[number], self._envelope(number).type
        services = [handler.service for handler in self.trace.system.handlers(name)]
        if sent.service in services and name not in self.saga.types:
            return before  # a reminder to itself is no step, but leads to what follows
        step = self._step(name, (services or [sent.envelope.topic])[0], before, number)
        step.is_event = False
        step.sent.append(number)
        if sent.step == "ask":
            self._asked_last[sent.service, self._cause(number)] = step
        return step

    def _cause(self, number: int) -> str | None:
        home = self.trace.span_of.get(number)
        return self._envelope(number).causation or (home.envelope.id if home else None)

    def _led_by(self, number: int) -> SagaStep | None:
        """The step that led to a message: the one its handler asked for just before, or else the one it handles."""
        cause, service = self._cause(number), self._envelope(number).source
        before = self._asked_last.get((service, cause)) or self._of_message.get(cause)
        if before is None and self._steps:
            return self._steps[-1]  # a tick or the client went on
        return before

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
        step.names, step.final = [step.name], self.saga.role(step.name).final
        self._of_type[step.name] = step
        self._steps.append(step)
        return step

    def _step_in_hand(self, number: int) -> SagaStep | None:
        """The step whose command is being handled where an event is published."""
        envelope = self._envelope(number)
        step = self._of_message.get(envelope.causation)
        if step is None or step.is_event or step.service != envelope.source:
            return None
        return step if envelope.causation in self._ids(step) else None

    def _reports(self, step: SagaStep, event: Envelope) -> bool:
        """Whether an event only reports how a step ended. One with a role of its own does, where it is all that the step
        publishes; else it is a step, such as the end of the saga that its coordinator publishes."""
        role = self.saga.role(event.type)
        if not (role.compensates or role.final or role.settles):
            return True
        spans = [span for id in self._ids(step) for span in self._spans(id, event.source)]
        sent = {other.type for span in spans for other in self.trace.messages_of(span)}
        return sent == {event.type}

    def _ids(self, step: SagaStep) -> set[str]:
        return {self._envelope(number).id for number in step.sent}

    def _spans(self, id: str, service: str) -> list[Span]:
        return [span for span in self.trace.by_message.get(id, ()) if span.service == service]

    # -- services that were silent

    def _find_silence(self) -> None:
        """Add a step for each service that never finished an event of this saga, and so published nothing. Where all
        finished and the saga never ended, it is the one that handled the last event and published nothing."""
        trace, quiet = self.trace, []
        spoke = [(step.service, id) for step in self._steps if step.is_event for id in step.causes]
        homes = [home for number in self.sent if (home := trace.span_of.get(number))]
        spoke += [(home.service, home.envelope.id) for home in homes]
        spans = [span for id in self._of_message for span in trace.by_message.get(id, ())]
        finished = {(s.service, self._fact(s.envelope.id)) for s in spans if s.finished}
        heard = {(service, self._fact(id)) for service, id in spoke}
        for number in self.sent:
            envelope = self._envelope(number)
            if isinstance(envelope.data, Command | Query) or trace.journal[number].fault in UNSENT:
                continue
            for service in dict.fromkeys(h.service for h in trace.system.handlers(envelope.type)):
                key = service, self._fact(envelope.id)
                if key not in heard:
                    heard.add(key)
                    if key in finished:
                        quiet.append((service, number))
                    elif (service, envelope.id) in trace.given_up or trace.ended:
                        self._stands_still(service, number)
        turned_back = any(step.compensates or step.refusals or step.unheard for step in self._steps)
        settled = any(step.settles for step in self._steps)
        if quiet and trace.ended and not turned_back and not settled:
            self._stands_still(*quiet[-1])

    def _fact(self, id: str) -> str:
        return self.trace.logical_id.get(id, id)

    def _stands_still(self, service: str, number: int) -> None:
        envelope = self._envelope(number)
        step = SagaStep(service, service, self._of_message.get(envelope.id), number)
        step.causes[envelope.id], step.unheard = None, envelope.type
        self._steps.append(step)


# -- the stories of a run


def stories(run: Run) -> list[SagaStory]:
    """The sagas of a run, in the order they began; those too that ended before a message with a role was sent. Raises
    Misuse where no message class declares a role in sagas."""
    known = vars(run).get("_stories")
    if known is None:
        if not run.system.saga_roles:
            raise Misuse(
                "saga_map() finds no message that belongs to a saga; declare the classes first, with compensates=, "
                "refuses=, final= or settles=: class ReleaseStock(Command, compensates=ReserveStock)"
            )
        trace = Trace.of(run)
        sent: dict[str, list[int]] = {}
        for number in trace.sends:
            sent.setdefault(trace.journal[number].envelope.correlation, []).append(number)
        saga_of_correlation = {id: saga for saga in sagas(trace) for id in saga.correlations}
        found = []
        for group in sagas(trace, _begun_by_client(trace)):
            ids = list(group.correlations)
            saga = next(
                (saga_of_correlation[id] for id in ids if id in saga_of_correlation), Saga(trace)
            )
            found.append(SagaStory(saga, ids, sorted(n for id in ids for n in sent[id])))
        known = run._stories = sorted(found, key=lambda story: story.sent[0])
    return known


def _begun_by_client(trace: Trace) -> set[str]:
    """The types of the messages with which the client began sagas, or by which a tick knew what to begin; where there is
    no saga yet, all that the client began."""
    begun = {m.id: m for m in trace.messages.values() if m.source == "client"}
    begun = {
        id: m for id, m in begun.items() if id == m.correlation and not isinstance(m.data, Query)
    }
    found = sagas(trace)
    if not found and _handles_roles(trace):
        return {message.type for message in begun.values()}
    ids = {id for saga in found for id in saga.correlations}
    of_ticks = [saga for saga in found if begun.keys().isdisjoint(saga.correlations)]
    keys = {key for saga in of_ticks for key in saga.keys()}
    return {m.type for m in begun.values() if m.id in ids or m.subject in keys}


def _handles_roles(trace: Trace) -> bool:
    types = (type_ for service in trace.system.services.values() for type_, _ in service.handlers)
    return not trace.system.saga_roles.keys().isdisjoint(types)


def has_sagas(run: Run) -> bool:
    """Whether a message that the run's system handles, or that was sent in the run, has a role in sagas."""
    trace, roles = Trace.of(run), run.system.saga_roles
    return _handles_roles(trace) or any(e.type in roles for e in trace.messages.values())


def story_of(run: Run, correlation: str) -> SagaStory:
    """The saga with a correlation id, or of a key such as "o2"."""
    found = stories(run)
    if not found:
        raise Misuse(NONE)
    for story in found:
        if correlation in story.correlations:
            return story
    for story in found:
        if correlation == story.subject:
            return story
    by_id = str(correlation).startswith(found[0].correlation.partition("-")[0])
    names = [one.correlation if by_id else one.subject or one.correlation for one in found]
    raise Unknown("saga", correlation, names)

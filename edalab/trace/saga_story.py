"""The story of a saga: its steps in the order they began, and the step that led to each.

In choreography, the steps are events. In orchestration, they are commands.
"""

from functools import cached_property

from ..errors import Unknown
from ..model import Command, Envelope, Event, Query
from ..sim.run import Run
from .faults import FAILED_TO_SEND
from .saga import Saga
from .saga_index import sagas, until
from .saga_moment import SagaMoment
from .saga_step import SagaStep
from .spans import Trace

NONE = (
    "this run has no saga: no message was sent whose class is declared with compensates=, refuses=, final= or settles=, "
    "or is compensated or refused by another one"
)


class SagaStory:
    """One saga of a run: its `steps` in the order they began, and its key, as `subject`."""

    def __init__(self, saga: Saga):
        self.saga, self.trace, self.roles = saga, saga.trace, saga.roles
        self.correlations, self._envelope = saga.correlations, saga.envelope
        self.correlation = self.correlations[0]
        envelopes = [saga.envelope(number) for number in saga.numbers]
        keyed = [envelope for envelope in envelopes if envelope.subject is not None]
        self.subject: str | None = keyed[0].subject if keyed else None
        self._key: str = type(keyed[0].data).__declared__.key or "" if keyed else ""
        self.start = self.trace.journal[saga.numbers[0]].time
        self.rounds: list[tuple[SagaStep, SagaStep]] = []  # a step, and an earlier one it led to
        self._steps: list[SagaStep] = []
        self._of_type: dict[str, SagaStep] = {}
        self._of_message: dict[str, SagaStep | None] = {}
        self._asked_last: dict[tuple, SagaStep] = {}  # (service, cause) -> the step asked for last
        self._moments: dict[int, SagaMoment] = {}

    def at(self, time: int | None = None) -> SagaMoment:
        """The saga at a moment (ms), from the steps recorded by then. Without `time`, at the end of the run."""
        run = self.trace.run
        time = run.end if time is None else min(time, run.end)
        if time not in self._moments:
            recorded = [n for n in self.saga.numbers if self.trace.journal[n].time <= time]
            saga = Saga(Trace.of(until(run, time)), recorded)
            self._moments[time] = SagaMoment(saga, self.steps)
        return self._moments[time]

    @cached_property
    def title(self) -> str:
        """The title of the saga, such as "Order o2"."""
        if self.subject is None:
            return f"Saga {self.correlation}"
        noun = self._key.removesuffix("_id").replace("_", " ").strip()
        if self.subject.startswith(noun):
            return self.subject
        return f"{noun[:1].upper()}{noun[1:]} {self.subject}"

    @cached_property
    def times(self) -> list[int]:
        """The times (ms) at which the saga began or one of its steps has an event."""
        histories = self.at().histories.values()
        return sorted({self.start, *(event.time for one in histories for event in one.events)})

    @cached_property
    def steps(self) -> list[SagaStep]:
        for number in self.saga.numbers:
            self._add(number)
        ends = {self._of_message.get(self._envelope(number).id) for number in self.saga.ends}
        for step in list(self._steps):
            step.settles = step in ends
            targets = [self.saga.role(name).compensates for name in step.names]
            target = next(filter(None, targets), None)
            if target:
                done = self._of_type.get(target)
                step.compensates = done or self._step(target, "?", None, step.first)
                step.compensates.compensated_by.append(step)
        self._find_silence()
        return self._steps

    # -- which step a message belongs to

    def _add(self, number: int) -> None:
        """Add a message to its step, which may be new."""
        envelope = self._envelope(number)
        if isinstance(envelope.data, Query):
            return
        if envelope.id in self._of_message:  # the same message again, from an outbox
            step = self._of_message[envelope.id]
            if step is not None and envelope.type == step.names[0]:
                self._belongs(number, step)
            return
        add = self._add_command if isinstance(envelope.data, Command) else self._add_event
        self._of_message[envelope.id] = add(number, envelope, self._led_by(number))

    def _add_command(
        self, number: int, envelope: Envelope, before: SagaStep | None
    ) -> SagaStep | None:
        sent = self.trace.journal[number]
        services = self.trace.subscribers(envelope.type)
        if sent.service in services and envelope.type not in self.saga.types:
            for step in [one for one in self._steps if one.service == sent.service][:1]:
                step.reminders.append(envelope.id)
            return before  # a reminder to itself is not a step
        service = services[0] if services else envelope.topic
        step = self._step(envelope.type, service, before, number)
        step.is_event = False
        step.sent.append(number)
        if sent.step == "ask":
            self._asked_last[sent.service, self._cause(number)] = step
        return step

    def _add_event(self, number: int, envelope: Envelope, before: SagaStep | None) -> SagaStep:
        role, reported = self.saga.role(envelope.type), self._reported(envelope)
        if role.refuses:
            refused = self._of_type.get(role.refuses)
            refused = refused or self._step(role.refuses, envelope.source, before, number)
            if envelope.causation:
                refused.causes[envelope.causation] = None
            if not role.settles or refused is reported:
                return refused
            self._of_message[envelope.id] = refused
        if reported is not None:
            if reported.before is None and len(reported.names) == 1 and not role.refuses:
                reported.name = envelope.type  # the client's command and first event are one step
            if envelope.type not in reported.names:
                reported.names.append(envelope.type)
            reported.final |= role.final
            self._of_type[envelope.type] = reported
            return reported
        last = self._steps[-1] if self._steps else None
        if last and role.settles and envelope.causation in last.causes:
            before = last  # a handler published its own step and then the end
        step = self._step(envelope.type, envelope.source, before, number)
        self._belongs(number, step)
        return step

    def _reported(self, event: Envelope) -> SagaStep | None:
        """The step whose outcome an event reports: the event was published while the step's command was
        handled. An event with a role is its own step, unless the command publishes only that."""
        step, role = self._of_message.get(event.causation or ""), self.saga.role(event.type)
        if step is None or step.is_event or step.service != event.source:
            return None
        ids = {self._envelope(number).id for number in step.sent}
        if event.causation not in ids:
            return None
        if not (role.compensates or role.final or role.settles):
            return step
        spans = [span for id in ids for span in self.trace.by_message.get(id, ())]
        sent = {e.type for span in spans for e in self.trace.messages_of(span)}
        return step if sent == {event.type} else None

    def _belongs(self, number: int, step: SagaStep) -> None:
        step.sent.append(number)
        if cause := self._envelope(number).causation:
            step.causes[cause] = None

    def _cause(self, number: int) -> str | None:
        home = self.trace.sent_in.get(number)
        return self._envelope(number).causation or (home.envelope.id if home else None)

    def _led_by(self, number: int) -> SagaStep | None:
        """The step that led to a message: the last one its handler asked for, or else the one it handles."""
        cause, time = self._cause(number), self.trace.journal[number].time
        asked = self._asked_last.get((self._envelope(number).source, cause))
        if asked is not None:
            at_once = self.trace.journal[asked.sent[-1]].time == time  # by ctx.all
            return asked.before if at_once else asked
        # Otherwise a tick or the client continued the saga.
        last = self._steps[-1] if self._steps else None
        return self._of_message.get(cause or "") or last

    def _step(self, name: str, service: str, before: SagaStep | None, number: int) -> SagaStep:
        """The step of a message type, created if it is new. Records a round if it led to its own cause."""
        cause = self._of_message.get(self._envelope(number).causation or "")
        if name in self._of_type and cause and self._of_type[name] in cause.ancestors():
            self.rounds.append((cause, self._of_type[name]))
        if name not in self._of_type:
            final = self.saga.role(name).final
            self._of_type[name] = SagaStep(name, service, before, number, [name], final=final)
            self._steps.append(self._of_type[name])
        return self._of_type[name]

    # -- services that were silent

    def _find_silence(self) -> None:
        """Add a step for each service that never finished an event of this saga. If all finished and the
        saga did not end, add one for the service that handled the last event and published nothing."""
        trace, fact = self.trace, self.trace.logical_id
        envelopes = [self.saga.envelope(number) for number in self.saga.numbers]
        sent_by = [(one.source, one.causation) for one in envelopes if one.causation]
        went_on = {(service, fact.get(id, id)) for service, id in sent_by}
        spans = [span for id in self._of_message for span in trace.by_message.get(id, ())]
        finished = {(s.service, trace.fact(s.envelope)) for s in spans if s.finished}
        quiet = []
        for number, envelope in zip(self.saga.numbers, envelopes, strict=True):
            if not isinstance(envelope.data, Event) or trace.fault(number) in FAILED_TO_SEND:
                continue
            for service in trace.subscribers(envelope.type):
                key = service, trace.fact(envelope)
                if key not in went_on:
                    went_on.add(key)
                    if key in finished:
                        quiet.append((service, number))
                    elif trace.over or (service, envelope.id) in trace.given_up:
                        self._stands_still(service, number)
        turned_back = any(step.compensates or step.awaited for step in self._steps)
        turned_back |= any(self.saga.refusals_of(step.names) for step in self._steps)
        settled = any(step.settles for step in self._steps)
        if quiet and trace.over and not turned_back and not settled:
            self._stands_still(*quiet[-1])

    def _stands_still(self, service: str, number: int) -> None:
        envelope = self.saga.envelope(number)
        step = SagaStep(service, service, self._of_message.get(envelope.id), number)
        step.causes[envelope.id], step.awaited = None, envelope.type
        self._steps.append(step)


# -- the stories of a run


def stories(run: Run) -> list[SagaStory]:
    """The sagas of a run in the order they began, including those that ended before a message with
    a role was sent."""
    if "_stories" not in vars(run):
        trace = Trace.of(run)
        found = sorted(sagas(trace, _begun_by_client(trace)), key=lambda saga: saga.numbers[0])
        vars(run)["_stories"] = [SagaStory(saga) for saga in found]
    return vars(run)["_stories"]


def _begun_by_client(trace: Trace) -> set[str]:
    """The types of client messages that began a saga, or whose key a tick's saga is about. Without
    any saga yet, the types of all client messages that began a correlation."""
    begun = [m for m in trace.messages.values() if m.source == "client" and m.id == m.correlation]
    begun = [message for message in begun if not isinstance(message.data, Query)]
    found = sagas(trace)
    if not found and has_sagas(trace.run):
        return {message.type for message in begun}
    ids = {id for saga in found for id in saga.correlations}
    by_client = {message.id for message in begun}
    of_ticks = [saga for saga in found if by_client.isdisjoint(saga.correlations)]
    keys = {key for saga in of_ticks for key in saga.keys}
    return {message.type for message in begun if message.id in ids or message.subject in keys}


def has_sagas(run: Run) -> bool:
    """Whether a message type that the system handles, or one that was sent, has a role in sagas."""
    roles, services = run.system.saga_roles or {}, run.system.services.values()
    handled = (type_ for service in services for type_, _ in service.handlers)
    sent = (message.type for message in Trace.of(run).messages.values())
    return any(name in roles for names in (handled, sent) for name in names)


def story_of(run: Run, correlation: str) -> SagaStory:
    """The saga with this correlation id or key, such as "o2". Raises Unknown if there is none."""
    found = stories(run)
    known = [story for story in found if correlation in story.correlations]
    known += [story for story in found if correlation == story.subject]
    if known:
        return known[0]
    by_id = str(correlation).startswith(found[0].correlation.partition("-")[0])
    names = [one.correlation if by_id else one.subject or one.correlation for one in found]
    raise Unknown("saga", correlation, names)

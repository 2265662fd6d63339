"""What happened to one step of a saga, event by event, from the spans of its messages."""

from collections.abc import Iterator

from ..model import Command
from ..sim.steps import Step
from .faults import FAILED_TO_SEND
from .saga import Saga
from .saga_step import Bar, SagaStep, StepEvent
from .spans import Span, Trace

ROUNDS = 50  # a step with more messages goes round in a circle: to compare them all would take long
TIMER = (
    100  # ms: a command that a service sends itself, and that arrives later than this, is a timer
)
_LOST = {
    "crash": "crash",
    "fail": "not confirmed",
    "cut": "cut off",
    "lose": "on the way",
    "drop": "on the way",
}
Answers = dict[str, list[StepEvent]]  # the id of a question or of a command -> what became of it


def answers_of(trace: Trace) -> Answers:
    """What became of every question, and of every command that was asked or lost."""
    found: Answers = {}
    for step in trace.run.journal:
        if step.step in ("answer", "timeout", "reply", "lost") and step.envelope is not None:
            event = _answer(step)
            if event is not None:
                found.setdefault(step.envelope.id, []).append(event)
    return found


def _answer(step: Step) -> StepEvent | None:
    if step.step == "timeout":
        return StepEvent(step.time, "no answer", "")
    if step.step == "lost":
        return StepEvent(step.time, "lost", step.detail or "")
    if step.step == "reply":
        lost = step.fault and step.fault != "delay"
        return StepEvent(step.time, "answer lost", "") if lost else None
    if step.fault or step.detail == "too late":
        return StepEvent(step.time, "late answer", "")
    return StepEvent(step.time, "answered", step.detail or "")


def collect_events(
    step: SagaStep, saga: Saga, sent: list[int], answers: Answers, commands: set[str]
) -> None:
    """Fill in the events and the bars of a step of a saga in which the messages `sent` were published and asked. The
    handling of one of its `commands` is no bar of an event that was published in it, such as the saga's end."""
    trace, journal = saga.trace, saga.trace.journal
    if step.is_event:
        ids = list(step.causes)
        spans = [
            span
            for id in ids
            if id not in commands
            for span in trace.by_message.get(id, ())
            if span.service == step.service
        ]
    else:
        ids = list(dict.fromkeys(journal[number].envelope.id for number in step.sent))
        spans = [span for id in ids for span in trace.by_message.get(id, ())]
    events = [event for number in step.sent for event in _sent(journal[number], step.is_event)]
    if not step.is_event:
        events += [event for id in ids for event in answers.get(id, ())]
    for span in spans:
        events += _executed(step, span, trace)
    ends = [trace.given_up[step.service, id] for id in ids if (step.service, id) in trace.given_up]
    events += [StepEvent(journal[n].time, "given up", journal[n].detail or "") for n in ends]
    done, again, undone = _effects(step, saga, spans)
    for what, numbers in (("done", done), ("again", again), ("undone", undone)):
        events += [StepEvent(journal[n].time, what, "") for n in numbers]
    if step.is_event and not step.refusals:
        events += _saved(step, saga, spans, done + again)
    events += [
        StepEvent(journal[n].time, "refused", journal[n].envelope.type) for n in step.refusals
    ]
    finished = [span.last for span in spans if span.finished]
    if not trace.ended:
        finished = []  # the event may still be published
    elif step.unheard and not spans and not ends:
        missing = f"{step.unheard} never came"
        events.append(StepEvent(journal[step.first].time, "never", missing))
    if finished and (step.unheard or step.is_event and not done and not step.refusals):
        events.append(StepEvent(journal[finished[-1]].time, "silent", ""))
    timers = [] if step.is_event else _timers(step, saga, sent)
    step.timed = bool(timers)
    known = [event.time for event in events if event.what in ("done", "refused", "nothing")]
    events += [
        StepEvent(time, "no answer", name)
        for time, name in timers
        if not known or time < min(known)
    ]
    # What happened after a save at the same time has the last word.
    step.events = sorted(events, key=lambda event: (event.time, event.what != "saved"))
    step.bars.sort(key=lambda bar: bar.start)


def _sent(step: Step, is_event: bool) -> Iterator[StepEvent]:
    if not is_event:
        yield StepEvent(step.time, "asked" if step.step == "ask" else "sent", step.service)
    if step.fault in _LOST:
        what = "failed" if step.fault in FAILED_TO_SEND else "lost"
        what = "crash" if step.fault == "crash" else what
        yield StepEvent(step.time, what, _LOST[step.fault])


def _executed(step: SagaStep, span: Span, trace: Trace) -> Iterator[StepEvent]:
    journal = trace.journal
    start = journal[span.first].time
    end = None if span.last is None else journal[span.last].time
    step.bars.append(Bar(start, end, span.ended_by))
    yield StepEvent(start, "began", "")
    if end is None:
        return
    detail = journal[span.last].detail or ""
    if span.ended_by in ("failure", "retry", "dead_letter", "lost"):
        yield StepEvent(end, "failed", detail.partition(";")[0])
    elif span.ended_by == "crash":
        yield StepEvent(end, "crash", "crash")
    elif span.finished and not step.is_event:
        if span.refused is not None:
            yield StepEvent(end, "refused", span.refused)
        elif not span.events:
            yield StepEvent(end, "nothing", detail if span.ended_by == "reply" else "")


def _saved(step: SagaStep, saga: Saga, spans: list[Span], shown: list[int]) -> list[StepEvent]:
    """What was saved for an event at another time than the event was published: before it, or in vain."""
    journal = saga.trace.journal
    times = set()
    for span in spans:
        for commit in filter(saga.trace.changed, span.saves):
            later = [journal[n] for n in span.events if n > commit]
            published = next((s.envelope.type for s in later if s.step == "publish"), None)
            if published is None or published in step.names:
                times.add(journal[commit].time)
    times -= {journal[number].time for number in shown}
    return [StepEvent(time, "saved", "") for time in sorted(times)]


def _effects(
    step: SagaStep, saga: Saga, spans: list[Span]
) -> tuple[list[int], list[int], list[int]]:
    """Where the record shows that a step was done, that its effect was repeated, and that it was compensated."""
    types = [name for name in step.names if name in saga.sent and not saga.role(name).refuses]
    types = [name for name in types if name in saga.types]
    if types and _is_decided(step, saga, spans) and len(step.sent) <= ROUNDS:
        done, again, undone = [], [], []
        for name in types[:1] if types[0] == step.names[0] else types:
            for group in saga.occurrences(name):
                number = saga.done_at(group)
                again += [commit for _, commit in saga.effects(group)[1:]]
                if number is not None:
                    done.append(number)
                    compensated = saga.compensated_at(group)
                    undone += [] if compensated is None else [compensated]
        return sorted(done), sorted(again), sorted(undone)
    if step.unheard or step.refusals:
        return [], [], []
    journal = saga.trace.journal
    if step.is_event:
        first = {
            saga.trace.logical_id[journal[n].envelope.id]: n
            for n in reversed(step.sent)
            if journal[n].fault not in FAILED_TO_SEND
        }
        return sorted(first.values()), [], []
    agreed = [span for span in spans if span.refused is None]
    shown = [min(s.events) if s.events else s.last for s in agreed if s.events or s.finished]
    return sorted(shown)[:1], [], []


def _is_decided(step: SagaStep, saga: Saga, spans: list[Span]) -> bool:
    """Whether its messages take part in sagas, so that the saga decides; a coordinator's own command is not one of them."""
    if step.final or step.compensates or step.compensated_by:
        return True
    if any(map(saga.compensators, step.names)):
        return True
    if not any(role.refuses in step.names for role in saga.roles.values()):
        return False
    sent = [message for span in spans for message in saga.trace.messages_of(span)]
    return not any(isinstance(message.data, Command) for message in sent)


def _timers(step: SagaStep, saga: Saga, sent: list[int]) -> list[tuple[int, str]]:
    """When a service that had sent the command of this step was reminded by a timer: (time in ms, type of message)."""
    trace, journal = saga.trace, saga.trace.journal
    senders = {journal[n].service for n in step.sent if journal[n].step == "publish"}
    found = []
    for number in sent if senders else ():
        message = journal[number]
        name = message.envelope.type
        if message.service not in senders or name in saga.types:
            continue
        if not isinstance(message.envelope.data, Command):
            continue
        spans = trace.by_message.get(message.envelope.id, ())
        for span in [span for span in spans if span.service == message.service][:1]:
            now = journal[span.first].time
            waits = any(journal[n].time <= message.time for n in step.sent)
            if waits and now - message.time >= TIMER:
                found.append((now, name))
    return found

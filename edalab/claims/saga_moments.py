"""What happened to one step of a saga, moment by moment, from the trace."""

from collections.abc import Iterator

from ..model import Command
from ..trace.identity import UNSENT
from ..trace.spans import Span, Trace
from .saga_step import Bar, Moment, SagaStep
from ..trace.saga import Saga

ROUNDS = 50  # a step that was said more often goes round in a circle: to play the run again for each of them tells no more
TIMER = 100  # ms: what a service sends itself and hears of later than this was a timer
_ON_ITS_WAY = {
    "crash": "crash",
    "fail": "not confirmed",
    "cut": "cut off",
    "lose": "on the way",
    "drop": "on the way",
}


Answers = dict[
    str, list[Moment]
]  # what became of questions and asked commands, by the id of the message


def answers_of(trace: Trace) -> Answers:
    found: Answers = {}
    for step in trace.run.journal:
        if (
            step.step in ("answer", "timeout", "reply", "lost")
            and step.envelope is not None
            and (moment := _heard(step))
        ):
            found.setdefault(step.envelope.id, []).append(moment)
    return found


def _heard(step) -> Moment | None:
    if step.step == "timeout":
        return Moment(step.time, "no answer", "")
    if step.step == "answer":
        late = step.fault or step.detail == "too late"
        return Moment(
            step.time, "late answer" if late else "answered", "" if late else step.detail or ""
        )
    if step.step == "reply":
        return (
            Moment(step.time, "answer lost", "") if step.fault and step.fault != "delay" else None
        )
    return Moment(step.time, "lost", step.detail or "")


def tell(step: SagaStep, saga: Saga, told: list[int], answers: Answers, commands: set[str]) -> None:
    """Fill in the moments and the bars of a step of a saga, in which `told` was said. An event that was said in the
    handling of one of its `commands`, such as the end of the saga by its coordinator, took no time of its own."""
    trace, journal = saga.trace, saga.trace.journal
    found = step.moments
    for number in step.said:
        said = journal[number]
        if not step.event:
            found.append(Moment(said.time, "asked" if said.step == "ask" else "sent", said.service))
        if said.fault in _ON_ITS_WAY:
            what = (
                "crash" if said.fault == "crash" else "failed" if said.fault in UNSENT else "lost"
            )
            found.append(Moment(said.time, what, _ON_ITS_WAY[said.fault]))
    if step.event:
        ids = dict.fromkeys(filter(None, step.causes(journal)))
        handlings = [
            h
            for id in ids
            if id not in commands
            for h in trace.by_message.get(id, ())
            if h.service == step.service
        ]
    else:
        ids = dict.fromkeys(journal[number].envelope.id for number in step.said)
        handlings = [handling for id in ids for handling in trace.by_message.get(id, ())]
        found += [moment for id in ids for moment in answers.get(id, ())]
    for handling in handlings:
        found += _of_handling(step, handling, saga)
    ends = [trace.given_up[step.service, id] for id in ids if (step.service, id) in trace.given_up]
    found += [Moment(journal[n].time, "given up", journal[n].detail or "") for n in ends]
    done, again, undone = _done(step, saga, handlings)
    if (
        step.event
        and not done
        and not step.refusals
        and (quiet := [h.last for h in handlings if h.finished])
    ):
        found.append(Moment(journal[quiet[-1]].time, "silent", ""))
        found += [Moment(journal[n].time, "saved", "") for h in handlings for n in h.commits]
    found += [Moment(journal[n].time, "done", "") for n in done] + [
        Moment(journal[n].time, "again", "") for n in again
    ]
    found += [Moment(journal[n].time, "undone", "") for n in undone]
    found += [Moment(journal[n].time, "refused", journal[n].envelope.type) for n in step.refusals]
    if step.unheard and not handlings and not ends:
        found.append(Moment(journal[step.first].time, "never", f"{step.unheard} never came"))
    if step.unheard and any(handling.finished for handling in handlings):
        last = next(handling.last for handling in reversed(handlings) if handling.finished)
        found.append(Moment(journal[last].time, "silent", ""))
    done_by = min((m.time for m in found if m.what in ("done", "refused", "nothing")), default=None)
    timers = [] if step.event else _timers(step, saga, told)
    step.timed = bool(timers)
    found += [
        Moment(time, "no answer", name)
        for time, name in timers
        if done_by is None or time < done_by
    ]
    found.sort(
        key=lambda moment: (moment.time, moment.what != "saved")
    )  # what came after a save at the same time has the last word
    step.bars.sort(key=lambda bar: bar.start)


def _of_handling(step: SagaStep, handling: Span, saga: Saga) -> Iterator[Moment]:
    journal = saga.trace.journal
    start = journal[handling.first].time
    end = None if handling.last is None else journal[handling.last].time
    step.bars.append(Bar(start, end, handling.ended_by))
    yield Moment(start, "began", "")
    if end is None:
        return
    detail = journal[handling.last].detail or ""
    if handling.ended_by in ("failure", "retry", "dead_letter", "lost"):
        yield Moment(end, "failed", detail.partition(";")[0])
    elif handling.ended_by == "crash":
        yield Moment(end, "crash", "crash")
    elif handling.finished and not step.event:
        if handling.refused is not None:
            yield Moment(end, "refused", handling.refused)
        elif not handling.events:
            yield Moment(end, "nothing", detail if handling.ended_by == "reply" else "")


def _done(
    step: SagaStep, saga: Saga, handlings: list[Span]
) -> tuple[list[int], list[int], list[int]]:
    """Where it shows that a step was done, that its effect came again, and that it was compensated: as the claims have it,
    for messages that speak of sagas; others are done when they are handled with an effect, or said."""
    journal, done, again, undone = saga.trace.journal, [], [], []
    undoable = (
        step.final or step.undoes or step.undone_by or any(map(saga.compensators, step.names))
    )
    if not undoable and any(
        word[1] in step.names for word in saga.roles.values()
    ):  # what only can be refused, and leads nobody
        undoable = not any(
            isinstance(said.data, Command) for h in handlings for said in saga.trace.messages_of(h)
        )
    names = [
        name
        for name in step.names
        if name in saga.types and name in saga.sent and saga.role(name)[1] is None
    ]
    if undoable and names and len(step.said) <= ROUNDS:
        for same in (
            same
            for name in (names[:1] if names[0] == step.names[0] else names)
            for same in saga.occurrences(name)
        ):
            number = saga.done_at(same)
            done += [] if number is None else [number]
            again += [save for _, save in saga.effects(same)[1:]]
            undone += (
                [] if number is None or (back := saga.compensated_at(same)) is None else [back]
            )
        return sorted(done), sorted(again), sorted(undone)
    if step.unheard or step.refusals:
        return [], [], []
    if step.event:
        facts = {
            saga.trace.logical_id[journal[n].envelope.id]: n
            for n in reversed(step.said)
            if journal[n].fault not in UNSENT
        }
        return sorted(facts.values()), [], []
    agreed = [h for h in handlings if h.refused is None]
    deeds = [min(h.events) if h.events else h.last for h in agreed if h.events or h.finished]
    return sorted(deeds)[:1], [], []


def _timers(step: SagaStep, saga: Saga, told: list[int]) -> list[tuple[int, str]]:
    """What a service had sent itself to be reminded, when it had sent the command of this step and waited for news."""
    trace, journal = saga.trace, saga.trace.journal
    senders = {journal[n].service for n in step.said if journal[n].step == "publish"}
    if not senders:
        return []
    found = []
    for number in told:
        said, envelope = journal[number], journal[number].envelope
        if (
            said.service in senders
            and isinstance(envelope.data, Command)
            and envelope.type not in saga.types
        ):
            handlings = [
                h for h in trace.by_message.get(envelope.id, ()) if h.service == said.service
            ]
            for handling in handlings[:1]:
                now = journal[handling.first].time
                if now - said.time >= TIMER and any(
                    journal[n].time <= said.time for n in step.said
                ):
                    found.append((now, envelope.type))
    return found

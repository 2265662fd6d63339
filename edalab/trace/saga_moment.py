"""A saga at a moment: the history of each of its steps up to then."""

from collections.abc import Iterator
from functools import cached_property

from ..model import Command
from ..sim.steps import BUSY
from .faults import FAILED_TO_SEND, FAULTS, NOT_ARRIVED
from .saga import Saga
from .saga_state import state_of
from .saga_step import Handling, SagaStep, StepEvent, StepState
from .spans import Span

_ANSWERS = {
    "timeout": "no answer",
    "lost": "lost",
    "busy": "lost",
    "reply": "answer lost",
    "answer": "answered",
}


class SagaMoment:
    """The histories of the `steps` of a whole saga, read from the trace of `saga`, which may end
    at an earlier moment."""

    def __init__(self, saga: Saga, steps: list[SagaStep]):
        self.saga, self.over = saga, saga.trace.over  # no step can follow
        self.histories = {step: History(self, step) for step in steps}

    @cached_property
    def states(self) -> dict[SagaStep, StepState]:
        """The state of each step."""
        return {step: state_of(history) for step, history in self.histories.items()}

    @cached_property
    def begun(self) -> list[SagaStep]:
        """The steps of which something has happened, compensations included."""
        return [step for step, history in self.histories.items() if history.events]

    def those(self, *names: str) -> list[SagaStep]:
        """The steps that have begun and are in one of these states."""
        return [step for step in self.begun if self.states[step].name in names]

    @cached_property
    def answers(self) -> dict[str, list[StepEvent]]:
        """The outcomes of every question and of every command that was asked or lost, by message id."""
        found: dict[str, list[StepEvent]] = {}
        in_time = self.saga.trace.answered
        for number, step in enumerate(self.saga.trace.journal):
            what = _ANSWERS.get(step.step)
            if step.step == "reply" and step.fault in (None, "delay", "crash"):
                continue  # the execution has an event for a crash
            if step.detail == BUSY:
                continue  # the step `busy` precedes it
            if what and step.envelope is not None:
                if what == "answered" and in_time.get(step.envelope.id) != number:
                    what = "late answer"
                words = step.detail or "" if what in ("lost", "answered") else ""
                event = StepEvent(step.time, what, words)
                found.setdefault(step.envelope.id, []).append(event)
        return found


class History:
    """The history of a step up to a moment: its `events`, and the `bars` of its executions."""

    def __init__(self, moment: SagaMoment, step: SagaStep):
        self.step, self.over, self._moment, self._saga = step, moment.over, moment, moment.saga
        self._trace = trace = moment.saga.trace
        recorded = set(moment.saga.numbers)
        self._sent = [number for number in step.sent if number in recorded]
        self._refusals = moment.saga.refusals_of(step.names)
        ids = [*step.causes] if step.is_event else [moment.saga.envelope(n).id for n in self._sent]
        ids = [*dict.fromkeys(ids)]
        spans = [span for id in ids for span in trace.by_message.get(id, ())]
        if step.is_event:  # without the handling of the command that published it
            events = [span for span in spans if not isinstance(span.envelope.data, Command)]
            spans = [span for span in events if span.service == step.service]
        self._spans = spans
        self.bars = sorted(map(self._bar, self._spans), key=lambda bar: bar.start)
        ends = [trace.given_up.get((step.service, id)) for id in ids]
        self._ends = [number for number in ends if number is not None]
        asked = [] if step.is_event else [e for id in ids for e in moment.answers.get(id, ())]
        effects = self._done_events()
        events = [
            *(event for number in self._sent for event in self._attempt(number)),
            *asked,
            *(event for span in self._spans for event in self._execution(span)),
            *self._crashes_of_reminders(),
            *(self._event(n, "given up", trace.journal[n].detail or "") for n in self._ends),
            *(self._event(n, "refused", self._refused_by(n)) for n in self._refusals),
            *effects,
        ]
        done = [event.time for event in effects if event.what != "undone"]
        events += self._saved(done)
        if moment.over:
            events += self._silence(bool(done or self._refusals))
        # The last event decides, so a save comes first among the events of its time.
        self.events = sorted(events, key=lambda event: (event.time, event.what != "saved"))

    def times(self, *kinds: str) -> list[int]:
        """The times (ms) of the events of these kinds."""
        return [event.time for event in self.events if event.what in kinds]

    @property
    def done(self) -> int:
        """How many times it was done."""
        return len(self.times("done"))

    @property
    def compensated(self) -> int:
        """How many times it was compensated; 0 if it was done again afterwards."""
        done, undone = self.times("done"), self.times("undone")
        return len(undone) if not done or (undone and max(undone) >= max(done)) else 0

    @property
    def compensates(self) -> "History | None":
        """The history of the step that this one compensates."""
        return self._moment.histories[self.step.compensates] if self.step.compensates else None

    @property
    def compensated_by(self) -> list["History"]:
        """The histories of the steps that compensate this one."""
        return [self._moment.histories[other] for other in self.step.compensated_by]

    @property
    def doubtful(self) -> bool:
        """Whether its asker does not know whether it was done, and no compensation was handled."""
        asks = [e.what for e in self.events if e.what in ("asked", "answered", "no answer", "sent")]
        if not asks or asks[-1] in ("answered", "sent") or self.times("refused"):
            return False
        return not any(history.times("done", "nothing") for history in self.compensated_by)

    @property
    def tries(self) -> int:
        return max(len(self.times("asked", "sent")), len(self.bars))

    # -- what happened

    def _event(self, number: int, what: str, words: str = "") -> StepEvent:
        return StepEvent(self._trace.journal[number].time, what, words)

    def _refused_by(self, number: int) -> str:
        """The type of the message that refused it, its sender if that is another service, and the reason."""
        message = self._saga.envelope(number)
        other = f" of {message.source}" if message.source != self.step.service else ""
        reason = getattr(message.data, "reason", None)
        why = f": {reason}" if isinstance(reason, str) and reason else ""
        return message.type + other + why

    def _attempt(self, number: int) -> Iterator[StepEvent]:
        attempt = self._trace.journal[number]
        if attempt.fault == "crash":  # before it was asked, sent or published
            sends = "asks" if attempt.step == "ask" else "sends"
            words = "" if self.step.is_event else f"of {attempt.service} before it {sends}"
            yield self._event(number, "crash", words)
            return
        if not self.step.is_event:
            yield self._event(number, "asked" if attempt.step == "ask" else "sent", attempt.service)
        if attempt.fault in FAILED_TO_SEND:
            yield self._event(number, "failed", FAULTS[attempt.fault].words)
        elif attempt.fault in NOT_ARRIVED:
            yield self._event(number, "lost", "on the way")

    def _bar(self, span: Span) -> Handling:
        journal, last = self._trace.journal, span.last
        end = None if last is None else journal[last].time
        return Handling(journal[span.first].time, end, span.ended_by)

    def _execution(self, span: Span) -> Iterator[StepEvent]:
        """The start of an execution and its outcome."""
        yield self._event(span.first, "began")
        if span.last is None:
            return
        last = self._trace.journal[span.last]
        detail = last.detail or ""
        if span.ended_by in ("failure", "retry", "dead_letter", "lost"):
            yield self._event(span.last, "failed", detail.partition(";")[0])
        elif span.ended_by == "crash" or last.fault == "crash":  # at its reply
            yield self._event(span.last, "crash")
        elif not self.step.is_event and span.refused is not None:
            yield self._event(span.last, "refused", span.refused)
        elif not self.step.is_event and not span.events:
            yield self._event(span.last, "nothing", detail if span.ended_by == "reply" else "")

    def _crashes_of_reminders(self) -> Iterator[StepEvent]:
        """Crashes of the step's service during the handling of a reminder to itself."""
        trace = self._trace
        for span in (one for id in self.step.reminders for one in trace.by_message.get(id, ())):
            sent = [number for number in span.events if trace.kind(number) != "save"]
            shown = "crash" in map(trace.fault, sent)  # the step it asked for has this event
            if span.last is not None and span.ended_by == "crash" and not shown:
                words = f"of {span.service} in {span.envelope.type}"
                yield self._event(span.last, "crash", words)

    def _done_events(self) -> list[StepEvent]:
        """The times at which it was done, took effect again and was compensated."""
        step, saga = self.step, self._saga
        types = [n for n in step.names if n in saga.sent and not saga.role(n).refuses]
        if types and self._is_decided():
            types = types[:1] if types[0] == step.names[0] else types
            found = []
            for one in (one for name in types for one in saga.occurrences(name)):
                if one.done is not None:
                    found.append(self._event(one.done, "done"))
                    if one.compensated is not None:
                        found.append(self._event(one.compensated, "undone"))
                found += [self._event(save, "again") for _, save in one.effects[1:]]
            return found
        if step.awaited or self._refusals:
            return []
        if step.is_event:
            sent = [n for n in self._sent if self._trace.fault(n) not in FAILED_TO_SEND]
            first = {self._trace.fact(saga.envelope(n)): n for n in reversed(sent)}
            return [self._event(number, "done") for number in first.values()]
        shown = [self._shown(span) for span in self._spans if span.refused is None]
        times = [number for number in shown if number is not None]
        return [self._event(min(times), "done")] if times else []

    def _shown(self, span: Span) -> int | None:
        """The first save or report of an execution of a command, or else its end. None until it has
        finished or published a message that reports the step."""
        told = [n for n in span.sent if self._saga.envelope(n).type in self.step.names]
        if not (span.finished or told):
            return None
        return min([*span.saves, *told], default=span.last)

    def _is_decided(self) -> bool:
        """Whether the saga decides when it was done, because it can be compensated or refused, or is
        final. Of a coordinator's own command that can be refused, its handling decides."""
        step, roles = self.step, self._saga.roles.values()
        if step.final or step.compensates or any(r.compensates in step.names for r in roles):
            return True
        refused = any(role.refuses in step.names for role in roles)
        return refused and not any(map(self._saga.coordinates, self._spans))

    def _saved(self, shown: list[int]) -> list[StepEvent]:
        """The saves that do not show that it was done. If a command was done, only earlier ones."""
        saves = [save for span in self._spans for save in span.saves if self._trace.changed(save)]
        times = {self._trace.journal[save].time for save in saves}
        if shown and not self.step.is_event:
            times = {time for time in times if time < min(shown)}
        return [StepEvent(time, "saved") for time in sorted(times.difference(shown))]

    def _silence(self, shown: bool) -> Iterator[StepEvent]:
        """An event for a message that never arrived, or that was handled without publishing anything."""
        awaited = self.step.awaited
        finished = [s.last for s in self._spans if s.finished and s.last is not None]
        if awaited and not self._spans and not self._ends:
            yield self._event(self.step.first, "never", f"{awaited} never came")
        elif finished and (awaited or (self.step.is_event and not shown)):
            yield self._event(finished[-1], "silent")

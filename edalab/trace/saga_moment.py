"""A saga as it stood at a moment: what had happened to each of its steps by then."""

from collections.abc import Iterator
from functools import cached_property

from ..model import Command
from ..sim.steps import Step
from .faults import FAILED_TO_SEND
from .saga import Saga
from .saga_step import Bar, History, SagaStep, State, StepEvent
from .spans import Span

_LOST = {
    "crash": ("crash", "crash"),
    "fail": ("failed", "not confirmed"),
    "cut": ("failed", "cut off"),
    "lose": ("lost", "on the way"),
    "drop": ("lost", "on the way"),
}


class SagaMoment:
    """What the trace of `saga`, of a run or of its first part, shows of the `steps` of the whole
    saga, in which the messages `sent` were published and asked."""

    def __init__(self, saga: Saga, steps: list[SagaStep], sent: list[int]):
        self.saga, self.trace, self.journal = saga, saga.trace, saga.trace.journal
        self._sent = self._known(sent)
        self._commands = {
            saga.envelope(n).id for n in self._sent if isinstance(saga.envelope(n).data, Command)
        }
        self.histories = {step: self._history(step) for step in steps}
        for step, history in self.histories.items():
            if step.compensates:
                history.compensates = self.histories[step.compensates]
            history.compensated_by = [self.histories[other] for other in step.compensated_by]

    @cached_property
    def over(self) -> bool:
        """Whether the run ended by itself, so that nothing of it can still happen."""
        return self.trace.ended

    @cached_property
    def states(self) -> dict[SagaStep, State]:
        """How each step stands."""
        return {step: history.state(self.over) for step, history in self.histories.items()}

    def _known(self, numbers: list[int]) -> list[int]:
        return [number for number in numbers if number < len(self.journal)]

    def _event(self, number: int, what: str, words: str = "") -> StepEvent:
        return StepEvent(self.journal[number].time, what, words)

    def _history(self, step: SagaStep) -> History:
        sent, refusals, trace = self._known(step.sent), self._known(step.refusals), self.trace
        history = History(step)
        ids = dict.fromkeys(self.saga.envelope(n).id for n in sent)
        if step.is_event:
            ids = step.causes
        # The handling of a command is no bar of an event that was published in it.
        handled = [id for id in ids if not (step.is_event and id in self._commands)]
        spans = [s for id in handled for s in trace.by_message.get(id, ())]
        spans = [s for s in spans if s.service == step.service or not step.is_event]
        ends = [n for id in ids if (n := trace.given_up.get((step.service, id))) is not None]
        events = [event for number in sent for event in self._attempt(number, step)]
        for id in ids if not step.is_event else ():
            events += self._answers.get(id, ())
        for span in spans:
            events += self._executed(span, history)
        events += [self._event(n, "given up", self.journal[n].detail or "") for n in ends]
        events += [self._event(n, "refused", self._refusal(n, step)) for n in refusals]
        effects = self._effects(step, sent, spans, refusals)
        events += effects
        done = [event.time for event in effects if event.what != "undone"]
        if step.is_event and not refusals:
            events += self._saved(step, spans, done)
        if trace.ended:
            events += self._silence(step, spans, ends, bool(done or refusals))
        # What happened after a save at the same time has the last word.
        history.events = sorted(events, key=lambda event: (event.time, event.what != "saved"))
        history.bars.sort(key=lambda bar: bar.start)
        return history

    def _refusal(self, number: int, step: SagaStep) -> str:
        """The message that refused a step, with who sent it, where that is another service, and its reason."""
        message = self.saga.envelope(number)
        words = message.type + (f" of {message.source}" if message.source != step.service else "")
        reason = getattr(message.data, "reason", None)
        return f"{words}: {reason}" if isinstance(reason, str) and reason else words

    def _attempt(self, number: int, step: SagaStep) -> Iterator[StepEvent]:
        attempt = self.journal[number]
        if not step.is_event:
            yield self._event(number, "asked" if attempt.step == "ask" else "sent", attempt.service)
        if attempt.fault in _LOST:
            yield self._event(number, *_LOST[attempt.fault])

    @cached_property
    def _answers(self) -> dict[str, list[StepEvent]]:
        """What became of every question, and of every command that was asked or lost, by its id."""
        found: dict[str, list[StepEvent]] = {}
        for step in self.trace.run.journal:
            what = _answer(step)
            if what and step.envelope is not None:
                words = step.detail or "" if what in ("lost", "answered") else ""
                event = StepEvent(step.time, what, words)
                found.setdefault(step.envelope.id, []).append(event)
        return found

    def _executed(self, span: Span, history: History) -> Iterator[StepEvent]:
        """What became of an execution; its bar is added to the history."""
        start, last = self.journal[span.first].time, span.last
        end = None if last is None else self.journal[last].time
        history.bars.append(Bar(start, end, span.ended_by))
        yield StepEvent(start, "began")
        if last is None:
            return
        detail = self.journal[last].detail or ""
        if span.ended_by in ("failure", "retry", "dead_letter", "lost"):
            yield self._event(last, "failed", detail.partition(";")[0])
        elif span.ended_by == "crash":
            yield self._event(last, "crash", "crash")
        elif span.finished and not history.step.is_event:
            if span.refused is not None:
                yield self._event(last, "refused", span.refused)
            elif not span.events:
                yield self._event(last, "nothing", detail if span.ended_by == "reply" else "")

    def _effects(
        self, step: SagaStep, sent: list[int], spans: list[Span], refusals: list[int]
    ) -> list[StepEvent]:
        """Where it was done, where its effect was repeated, and where it was compensated."""
        saga = self.saga
        types = [name for name in step.names if name in saga.sent and name in saga.types]
        types = [name for name in types if not saga.role(name).refuses]
        if types and self._is_decided(step, spans):
            types = types[:1] if types[0] == step.names[0] else types
            found = []
            for one in (one for name in types for one in saga.occurrences(name)):
                if one.done is not None:
                    found.append(self._event(one.done, "done"))
                    if one.compensated is not None:
                        found.append(self._event(one.compensated, "undone"))
                found += [self._event(commit, "again") for _, commit in one.effects[1:]]
            return found
        if step.unheard or refusals:
            return []
        if step.is_event:
            ids = self.trace.logical_id
            published = [n for n in reversed(sent) if self.journal[n].fault not in FAILED_TO_SEND]
            first = {ids[self.saga.envelope(n).id]: n for n in published}
            return [self._event(number, "done") for number in first.values()]
        agreed = [s for s in spans if s.refused is None and (s.events or s.finished)]
        shown = [n for s in agreed for n in (s.events or [s.last]) if n is not None]
        return [self._event(min(shown), "done")] if shown else []

    def _is_decided(self, step: SagaStep, spans: list[Span]) -> bool:
        """Whether it is compensated, refused or final, so that the saga knows when it was done. A
        coordinator's own command is done when the coordinator begins to ask."""
        roles = self.saga.roles.values()
        if step.final or step.compensates or any(r.compensates in step.names for r in roles):
            return True
        refused = any(role.refuses in step.names for role in roles)
        return refused and not any(map(self.saga.coordinates, spans))

    def _saved(self, step: SagaStep, spans: list[Span], shown: list[int]) -> list[StepEvent]:
        """What was saved for an event before it was published, or in vain."""
        times = set()
        for span in spans:
            for commit in filter(self.trace.changed, span.saves):
                later = [n for n in span.events if n > commit]
                later = [n for n in later if self.journal[n].step == "publish"]
                if not later or self.saga.envelope(later[0]).type in step.names:
                    times.add(self.journal[commit].time)
        return [StepEvent(time, "saved") for time in sorted(times.difference(shown))]

    def _silence(
        self, step: SagaStep, spans: list[Span], ends: list[int], shown: bool
    ) -> Iterator[StepEvent]:
        """That the message it waits for never arrived, or was handled and nothing was published."""
        finished = [s.last for s in spans if s.finished and s.last is not None]
        if step.unheard and not spans and not ends:
            yield self._event(step.first, "never", f"{step.unheard} never came")
        elif finished and (step.unheard or (step.is_event and not shown)):
            yield self._event(finished[-1], "silent")


def _answer(step: Step) -> str | None:
    """What a step of the record says of a question or of a command."""
    match step.step:
        case "timeout":
            return "no answer"
        case "lost":
            return "lost"
        case "reply":
            return "answer lost" if step.fault and step.fault != "delay" else None
        case "answer":
            return "late answer" if step.fault or step.detail == "too late" else "answered"
    return None

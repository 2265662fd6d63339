"""The story of a saga, told from the record alone: its steps in the order they began, what led to which, and how each
stood at any moment. The same for choreography, where events are the steps, and orchestration, where commands are."""

from collections.abc import Iterator
from functools import cached_property

from ..errors import Unknown
from ..history import Run
from ..model import Command, Query
from .deliveries import by_fact
from .facts import UNSENT
from .handlings import Handling, Handlings
from .saga_step import Bar, Moment, SagaStep
from .sagas import Saga, Vocabulary, sagas, vocabulary

TIMER = 100  # ms: what a service sends itself and hears of later than this was a timer
_LOST = ("lose", "drop", "cut", "fail")


class SagaStory:
    """One saga of a run: `steps` in the order they began, `start` and `end` (ms), what it is about."""

    def __init__(self, saga: Saga, index: "_Index"):
        self.saga, self.record, self.words = saga, saga.record, saga.words
        self._index = index
        journal = self.record.journal
        first = journal[saga.first].envelope
        self.correlation: str = first.correlation
        self._correlations = dict.fromkeys(journal[n].envelope.correlation for said in saga.said.values() for n in said)
        self._said = sorted(n for correlation in self._correlations for n in index.said.get(correlation, ()))
        keyed = next((e for n in self._said if (e := journal[n].envelope).subject is not None), None)
        self.subject: str | None = keyed and keyed.subject
        self._key = keyed and type(keyed.data).__declared__.key
        self._by_name: dict[str, SagaStep] = {}  # of steps, and of the events that tell how a command ended
        self._owner: dict[str, SagaStep | None] = {}  # id of a message -> the step it belongs to
        self._awaited: dict[tuple, SagaStep] = {}  # (service, cause) -> the step that its handler asked for last
        self.rounds: list[tuple[str, str]] = []  # (a step, the later one that caused it again)

    @property
    def title(self) -> str:
        """What it is about, in a word or two: "Order o2"."""
        if self.subject is None:
            return f"Saga {self.correlation}"
        noun = self._key.removesuffix("_id").replace("_", " ").strip() or "saga"
        return f"{noun[:1].upper()}{noun[1:]} {self.subject}"

    @cached_property
    def steps(self) -> list[SagaStep]:
        found: list[SagaStep] = []
        self._steps = found
        for number in self._said:
            self._hear(number)
        for name, step in list(self._by_name.items()):
            target = self.words.get(name, (None,))[0]
            if target and step.undoes is None:
                step.undoes = self._by_name.get(target) or self._never_done(target, step)
                step.undoes.undone_by.append(step)
        self._hear_timers()
        self._hear_silence()
        for step in found:
            self._tell(step)
        return found

    @property
    def start(self) -> int:
        return self.record.journal[self._said[0]].time

    @cached_property
    def times(self) -> list[int]:
        """The instants (ms) at which something happened in it."""
        return sorted({m.time for step in self.steps for m in step.moments} | {self.start})

    @property
    def end(self) -> int:
        return self.times[-1]

    @property
    def ended(self) -> bool:
        """Whether the run ended by itself, so that nothing of it can still come."""
        return self.record.ended

    def names(self, step: SagaStep) -> list[str]:
        """The types of messages that stand for a step."""
        return [name for name, other in self._by_name.items() if other is step]

    # -- which step a message belongs to

    def _hear(self, number: int) -> None:
        said = self.record.journal[number]
        envelope, name = said.envelope, said.envelope.type
        if isinstance(envelope.data, Query):
            return
        home = self.record.within.get(number)
        cause = envelope.causation or (home.envelope.id if home else None)
        before = self._awaited.get((said.service, cause)) or self._owner.get(envelope.causation)
        if before is None and self._steps:
            before = self._steps[-1]  # a tick or the client went on: after what was last begun
        if envelope.id in self._owner:  # the same message once more, from an outbox
            if (step := self._owner[envelope.id]) is not None and number not in step.said:
                step.said.append(number)
            return
        if isinstance(envelope.data, Command):
            takers = [handler.service for handler in self.record.system.handlers(name)]
            if said.service in takers and name not in self._parts:
                self._owner[envelope.id] = before  # a service reminds itself: no step, but what it leads to follows `before`
                self._index.timers.setdefault(self.correlation, []).append(number)
                return
            step = self._step(name, takers[0] if takers else envelope.topic, before, number)
            self._owner[envelope.id] = step
            if said.step == "ask":
                self._awaited[said.service, cause] = step
            return
        refuses = self.words.get(name, (None, None))[1]
        outcome_of = self._command_of(said.service, envelope.causation)
        if refuses:
            refused = self._by_name.get(refuses) or self._step(refuses, said.service, before, number, event=True)
            refused.refusals.append(number)
            self._owner[envelope.id] = refused
            if not self.words[name][3] or refused is outcome_of:
                refused.settles |= self.words[name][3]
                return
        if outcome_of is not None and self._tells_the_end_of(outcome_of, said.service, envelope):
            self._owner[envelope.id] = self._by_name[name] = outcome_of
            outcome_of.outcomes.append(number)
            outcome_of.final |= self.words.get(name, (0, 0, False))[2]
            outcome_of.settles |= self.words.get(name, (0, 0, 0, False))[3]
            return
        latest = self._steps[-1] if self._steps else None
        if self.words.get(name, (0, 0, 0, False))[3] and latest and latest.event and envelope.causation in latest.causes(self.record.journal):
            before = latest  # one handler tells of its own step, and then that this was the last one
        self._owner[envelope.id] = self._step(name, said.service, before, number, event=True)

    @cached_property
    def _parts(self) -> set[str]:
        return set(self.words) | {target for word in self.words.values() for target in word[:2] if target}

    def _step(self, name: str, service: str, before: SagaStep | None, number: int, event: bool = False) -> SagaStep:
        step = self._by_name.get(name)
        if step is None:
            step = self._by_name[name] = SagaStep(name, service, event, before, number)
            _, _, step.final, step.settles = self.words.get(name, (None, None, False, False))
            self._steps.append(step)
        elif (cause := self._owner.get(self.record.journal[number].envelope.causation)) is not None and step in cause.way():
            self.rounds.append((step.name, cause.name))
        refused = self.words.get(self.record.journal[number].envelope.type, (None, None))[1] == name
        if not refused:
            step.said.append(number)
        elif not step.said:
            step.cause = self.record.journal[number].envelope.causation
        return step

    def _command_of(self, service: str, cause: str | None) -> SagaStep | None:
        """The step whose command this service handles when it says something because of `cause`."""
        step = self._owner.get(cause)
        if step is None or step.event or step.service != service:
            return None
        return step if any(self.record.journal[n].envelope.id == cause for n in step.said) else None

    def _tells_the_end_of(self, step: SagaStep, service: str, envelope) -> bool:
        """Whether an event only says how the command ended; else it is a step of its own, such as the end of the saga
        told by its coordinator."""
        compensates, _, final, settles = self.words.get(envelope.type, (None, None, False, False))
        if not (compensates or final or settles):
            return True
        inside = [self.record.journal[n].envelope for h in self._index.handled(envelope.causation, service) for n in h.inside]
        events = {other.type for other in inside if not isinstance(other.data, Command | Query)}
        return len(events) <= 1 and not any(isinstance(other.data, Command) for other in inside if other.data is not None)

    def _never_done(self, name: str, compensation: SagaStep) -> SagaStep:
        step = self._by_name[name] = SagaStep(name, compensation.service, True, None, compensation.first)
        self._steps.append(step)
        return step

    # -- what is heard beside messages

    def _hear_timers(self) -> None:
        """A timer that strikes while a step that was sent is not done is a time-out of that step."""
        journal = self.record.journal
        for number in self._index.timers.pop(self.correlation, ()):
            envelope = journal[number].envelope
            for handling in self._index.handled(envelope.id)[:1]:
                now = journal[handling.first].time
                if now - journal[number].time >= TIMER:
                    for step in self._steps:
                        if any(journal[n].service == handling.service and journal[n].step == "publish" and journal[n].time <= now
                               for n in step.said) and not step.event:  # fmt: skip
                            step.timers.append((now, envelope.type))

    def _hear_silence(self) -> None:
        """A service that never got done with an event of this saga, and so said nothing, is where it stands still."""
        journal = self.record.journal
        asked = {(step.service, id) for step in self._steps if step.event for id in step.causes(journal)}
        for number in self._said:
            envelope = journal[number].envelope
            if isinstance(envelope.data, Command | Query) or journal[number].fault in UNSENT:
                continue
            for service in dict.fromkeys(handler.service for handler in self.record.system.handlers(envelope.type)):
                handlings = self._index.handled(envelope.id, service)
                if any(h.finished for h in handlings) or (service, envelope.id) in asked:
                    continue
                if (service, envelope.id) not in self.record.given_up and not self.ended:
                    continue
                if any(self.record.fact[other] == self.record.fact[envelope.id] and any(h.finished for h in self._index.handled(other, service))
                       for other in self._owner if other != envelope.id):  # fmt: skip
                    continue
                asked.add((service, envelope.id))
                step = SagaStep(service, service, True, self._owner.get(envelope.id), number)
                step.cause, step.silent = envelope.id, envelope.type
                self._steps.append(step)

    # -- how a step went

    def _tell(self, step: SagaStep) -> None:
        journal, index = self.record.journal, self._index
        moments, facts = step.moments, self._facts_of(step)
        ids = list(dict.fromkeys(journal[n].envelope.id for n in step.said))
        causes = [] if not step.event else [c for c in step.causes(journal) if c and self._command_of(step.service, c) is None]
        handled = ids if not step.event else list(dict.fromkeys(causes))  # what a coordinator says took it no time
        for number in step.said:
            said = journal[number]
            if not step.event:
                moments.append(Moment(said.time, "asked" if said.step == "ask" else "sent", said.service))
            if said.fault in UNSENT or said.fault in _LOST:
                words = {"crash": "crash", "fail": "not confirmed", "cut": "cut off"}.get(said.fault, "lost on the way")
                moments.append(Moment(said.time, "crash" if said.fault == "crash" else "failed", words))
        for id in handled:
            for handling in index.handled(id, step.service if step.event else None):
                end = None if handling.last is None else journal[handling.last].time
                step.bars.append(Bar(journal[handling.first].time, end, handling.ending))
                moments.append(Moment(journal[handling.first].time, "began", ""))
                if handling.ending in ("failure", "retry", "dead_letter") and handling.last is not None:
                    moments.append(Moment(end, "failed", (journal[handling.last].detail or "").partition(";")[0]))
                elif handling.ending == "crash":
                    moments.append(Moment(end, "crash", "crash"))
                elif handling.finished and not (handling.saves or handling.sent or handling.inside) and not step.event:
                    answer = journal[handling.last].detail if handling.ending == "reply" else ""
                    moments.append(Moment(end, "nothing" if step.name in self._parts else "done", answer or ""))
            if (end := self.record.given_up.get((step.service, id))) is not None:
                moments.append(Moment(journal[end].time, "given up", journal[end].detail or ""))
        for id in ids if not step.event else ():
            moments += index.answers(id, journal)
        moments += [Moment(journal[n].time, "done", "") for n in facts]
        moments += [Moment(journal[n].time, "refused", journal[n].envelope.type) for n in step.refusals]
        if step.silent and not step.bars and not any(m.what == "given up" for m in moments):
            moments.append(Moment(journal[step.first].time, "never", f"{step.silent} never came"))
        if step.name in self._parts or step.undoes or step.undone_by:
            again = [h for id in handled for h in index.handled(id, step.service if step.event else None)]
            for same in by_fact(self.record, again) if len(again) > 1 else ():
                if proof := self.record.twice(same, sending=False):
                    moments.append(Moment(journal[proof[3]].time, "again", ""))
        if (done := [m.time for m in moments if m.what == "done"]) and step.timers:
            step.timers = [timer for timer in step.timers if timer[0] < min(done)]
        ends = [m.time for m in moments if m.what in ("refused", "nothing")]
        moments += [Moment(time, "no answer", name) for time, name in step.timers if not any(end <= time for end in ends)]
        moments.sort(key=lambda moment: moment.time)

    def _facts_of(self, step: SagaStep) -> list[int]:
        """Where in the record it shows that a step was done."""
        journal, saga = self.record.journal, self.saga
        told = [name for name, other in self._by_name.items() if other is step and name in self._parts and name in saga.said]
        for name in told:
            if self.words.get(name, (None, None))[1] is None or name == step.name:
                return sorted(saga.done(name).values())
        if step.event:
            sent = {self.record.fact[journal[n].envelope.id]: n for n in reversed(step.said) if journal[n].fault not in UNSENT}
            return sorted(sent.values()) if not step.silent else []
        if step.refusals:
            return []
        deeds: dict[str, int] = {}
        for number in step.said:
            id = journal[number].envelope.id
            for handling in self._index.handled(id):
                done = handling.saves + handling.sent + handling.inside
                if done:
                    deeds.setdefault(self.record.fact[id], min(done))
        return sorted(deeds.values())


class _Index:
    """What stories look up, read once a run."""

    def __init__(self, record: Handlings):
        self.said: dict[str, list[int]] = {}
        self.timers: dict[str, list[int]] = {}
        self._handlings: dict[str, list[Handling]] = {}
        self._answers: dict[str, list[int]] = {}
        for number in record.said:
            self.said.setdefault(record.journal[number].envelope.correlation, []).append(number)
        for handling in record.all:
            self._handlings.setdefault(handling.envelope.id, []).append(handling)
        for number, step in enumerate(record.run.journal):
            if step.step in ("answer", "timeout") or step.step == "reply" and step.fault or step.step == "lost":
                self._answers.setdefault(step.envelope.id, []).append(number) if step.envelope else None

    def handled(self, id: str | None, service: str | None = None) -> list[Handling]:
        return [h for h in self._handlings.get(id, ()) if service is None or h.service == service]

    def answers(self, id: str, journal) -> Iterator[Moment]:
        for number in self._answers.get(id, ()):
            step = journal[number]
            if step.step == "timeout":
                yield Moment(step.time, "no answer", "")
            elif step.step == "answer":
                late = step.detail == "too late" or step.fault
                yield Moment(step.time, "late answer" if late else "answered", "" if late else step.detail or "")
            else:
                yield Moment(step.time, "answer lost" if step.step == "reply" else "failed", step.detail or "lost")


def stories(run: Run) -> list[SagaStory]:
    """The sagas of a run, in the order they began. Raises Misuse where no message speaks of sagas."""
    words = vocabulary("saga_map")
    known = vars(run).get("_stories")
    if known is None or known[0] != words:
        record = Handlings.of(run)
        index = _Index(record)
        known = run._stories = words, [SagaStory(saga, index) for saga in sagas(record, words)]
    return known[1]


def story_of(run: Run, correlation: str) -> SagaStory:
    """The saga with a correlation id (or, as people call it, of a key: "o2")."""
    told = stories(run)
    for story in told:
        if correlation in story._correlations:
            return story
    for story in told:
        if correlation == story.subject:
            return story
    raise Unknown("saga", correlation, [f"{s.correlation} ({s.subject})" if s.subject else s.correlation for s in told])

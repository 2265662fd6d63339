"""One saga read from the trace: what was asked for, done, refused and compensated."""

from functools import cached_property

from ..model import Command, Envelope
from ..model.messages import SagaRole
from ..sim.steps import WIDTH
from ..trace.identity import UNSENT, says_the_same
from ..trace.spans import Span, Trace

_NO_ROLE = SagaRole(None, None, False, False)
Said = list[
    int
]  # where messages that say the same were said: one that is asked again is no second step


class Saga:
    """What happened in one saga. A step of it is a message that is compensated, refused or final, with its data."""

    def __init__(self, trace: Trace):
        self.trace, self.words = trace, trace.system.saga_roles
        words = self.words
        self.parts = set(words) | {
            target for word in words.values() for target in word[:2] if target
        }
        self.first = self.last = 0
        self.stories: dict[str, None] = {}  # its correlations, as an ordered set
        self.said: dict[str, list[int]] = {}  # type -> where it was said
        self._told: dict[str, list[Said]] = {}
        self._savings: dict[tuple, list[tuple[Span, list[int]]]] = {}
        self._times: dict[tuple, list[tuple[Span, int]]] = {}
        self._refusals: dict[str, int | None] = {}

    def envelope(self, number: int) -> Envelope:
        """The message that was said there."""
        return self.trace.run._record[number * WIDTH + 3]

    def word(self, name: str) -> SagaRole:
        """What a type compensates and refuses, whether it is final, whether it settles."""
        return self.words.get(name, _NO_ROLE)

    def keys(self) -> set[str | None]:
        """What it is about."""
        return {self.envelope(number).subject for said in self.said.values() for number in said}

    def numbers(self) -> list[int]:
        """The steps of its messages, and of all that is said about its keys."""
        places = [("story", story) for story in self.stories] + [
            ("key", key) for key in self.keys() - {None}
        ]
        return sorted({number for place in places for number in self.trace.about.get(place, ())})

    # -- what was said

    def told(self, name: str) -> list[Said]:
        """Where messages of a type were said, those together that say the same."""
        if name in self._told:
            return self._told[name]
        found = self._told[name] = []
        for number in self.said.get(name, ()):
            envelope = self.envelope(number)
            for same in found:
                if says_the_same(self.envelope(same[0]), envelope):
                    same.append(number)
                    break
            else:
                found.append([number])
        return found

    def compensators(self, name: str) -> list[str]:
        """The types of messages that compensate a step of this type."""
        return [other for other, word in self.words.items() if word[0] == name]

    def compensations(self, step: Said) -> list[Said]:
        """The messages that compensate a step."""
        names = self.compensators(self.envelope(step[0]).type)
        return [
            same for name in names for same in self.told(name) if step in self.compensated(same)
        ]

    def compensated(self, undoing: Said) -> list[Said]:
        """The steps that a message compensates: those of its key; of several, those it agrees with in all they share."""
        message = self.envelope(undoing[0])
        steps = self.told(self.words[message.type][0])
        steps = [step for step in steps if of_one_key(self.envelope(step[0]), message)]
        agreeing = (
            [step for step in steps if _agree(self.envelope(step[0]), message)]
            if len(steps) > 1
            else []
        )
        return agreeing or steps

    # -- what was done

    def work(self, number: int) -> list[Span]:
        """The handlings that did what a message asks for, or tells of: those of a command; of an event those of its
        cause, in the service that tells it."""
        envelope = self.envelope(number)
        if isinstance(envelope.data, Command):
            return self.trace.by_message.get(envelope.id, [])
        if envelope.causation is None:
            home = self.trace.span_of[number]  # a tick
            return [home] if home else []
        return [
            h
            for h in self.trace.by_message.get(envelope.causation, ())
            if h.service == envelope.source
        ]

    def commits(self, handling: Span) -> list[int]:
        """What was saved in a handling, and for it: by who carried out a command of it that is no step of sagas."""
        found = list(handling.commits)
        for number in handling.events:
            step = self.trace.journal[number]
            if step.step == "save" or step.fault in UNSENT or step.envelope.type in self.parts:
                continue
            if isinstance(step.envelope.data, Command):
                found += [
                    n
                    for h in self.trace.by_message.get(step.envelope.id, ())
                    for n in self.commits(h)
                ]
        return sorted(found)

    def savings(self, same: Said) -> list[tuple[Span, list[int]]]:
        """The handlings that saved something for equal messages, and did not refuse, with what they saved."""
        found = self._savings.get(tuple(same))
        if found is None:
            handlings = self._at_work(same)
            agreed = [h for h in handlings if self.refused_at(h) is None]
            if len(agreed) < len(
                handlings
            ):  # what a coordinator saved, before it refused at a later attempt, is its log
                agreed = [h for h in agreed if h.finished or not self._leads(h)]
            found = self._savings[tuple(same)] = [
                (h, saves) for h in agreed if (saves := self.commits(h))
            ]
        return found

    def _at_work(self, same: Said) -> list[Span]:
        """Their handlings, in order; of an event those that said it, if any did, and those that were kept from going on."""
        message = self.envelope(same[0])
        handlings = sorted(
            {h.first: h for number in same for h in self.work(number)}.values(),
            key=lambda h: h.first,
        )
        if isinstance(message.data, Command) or len(handlings) < 2:
            return handlings
        said = {
            h.first
            for h in handlings
            if any(e.type == message.type for e in self.trace.messages_of(h))
        }
        return [h for h in handlings if not said or h.first in said or not h.finished]

    def _leads(self, handling: Span) -> bool:
        """Whether it asks for steps, as a coordinator does."""
        return any(
            isinstance(e.data, Command) and e.type in self.parts
            for e in self.trace.messages_of(handling)
        )

    def times(self, same: Said) -> list[tuple[Span, int]]:
        """Each time that it was done what equal messages ask for or tell of: the handling, and the save that shows it.
        To change nothing, or to go on where an earlier handling was left, is no further time."""
        found = self._times.get(tuple(same))
        if found is None:
            found = self._times[tuple(same)] = []
            for handling, saves in self.savings(same):
                if not any(self._goes_on(earlier, handling) for earlier, _ in found):
                    save = next((n for n in saves if not found or self.changed(n)), None)
                    found += [(handling, save)] if save is not None else []
        return found

    def changed(self, save: int) -> bool:
        """Whether a commit changed more than the notes of its service: which messages came (an inbox) and which are to be
        sent (an outbox)."""
        trace, time = self.trace, self.trace.journal[save].time
        words = {word for message in trace.messages.values() for word in (message.id, message.type)}

        def is_note(row: tuple) -> bool:
            if any(isinstance(value, str) and Envelope.is_stored(value) for value in row):
                return True
            return any(v in trace.messages for v in row) and all(
                v in words or v in (time, time / 1000) for v in row
            )

        return not all(map(is_note, trace.changed(save)))

    def _goes_on(self, earlier: Span, later: Span) -> bool:
        """Whether a handling does not begin as an earlier one did, that saved, or has less left to save than one that was
        kept from it: it skips what has been done."""
        steps = [
            [self.trace.journal[number] for number in handling.events]
            for handling in (earlier, later)
        ]
        one, other = [
            [s.step if s.step == "save" else (s.step, s.envelope.type) for s in said]
            for said in steps
        ]
        if not earlier.finished and one.count("save") > other.count("save"):
            return True
        begun = one[: one.index("save") + 1] if "save" in one else one[:1]
        return other[: len(begun)] != begun

    def done_at(self, step: Said) -> int | None:
        """Where it shows first that a step was done: an event when it is said, a command when somebody saves something
        for it and does not refuse; in a service that keeps nothing, when it is carried out."""
        if not isinstance(self.envelope(step[0]).data, Command):
            return step[0]
        saves = [saves[0] for _, saves in self.savings(step)]
        return min(saves) if saves else self._carried_out(step, self.trace.stateful)

    def undone_at(self, step: Said) -> int | None:
        """Where it shows first that a step was compensated. Who saved something for the step must do so for that, too."""
        savers = {h.service for number in step for h in self.work(number) if self.commits(h)}
        found = [
            number
            for same in self.compensations(step)
            if (number := self.shown(same, savers)) is not None
        ]
        return min(found, default=None)

    def shown(self, same: Said, savers: set[str]) -> int | None:
        """Where it shows first that it was done what equal messages ask for or tell of; by `savers` if they saved."""
        command = isinstance(self.envelope(same[0]).data, Command)
        saves = [saves[0] for _, saves in self.savings(same)]
        if saves:
            return min(saves) if command else same[0]
        if command:
            return self._carried_out(same, savers)
        return next(
            (n for n in same if self.envelope(n).source not in savers or not self.work(n)), None
        )

    def _carried_out(self, same: Said, savers: set[str]) -> int | None:
        for handling in (h for number in same for h in self.work(number)):
            if (
                handling.finished
                and handling.service not in savers
                and self.refused_at(handling) is None
            ):
                return handling.sent[0] if handling.sent else handling.last
        return None

    def done(self, name: str) -> list[int]:
        """Where it shows first that each step of a type was done."""
        return [number for step in self.told(name) if (number := self.done_at(step)) is not None]

    # -- what was refused

    def refused_at(self, handling: Span) -> int | None:
        """Where a command was refused: by the span itself, or by the message that it led to, or that its asker published
        upon the answer, whose class says `refuses=`."""
        if handling.refused is not None:
            return handling.last
        command = handling.envelope
        if command.id not in self._refusals:
            said = [
                n
                for name in self.said
                if self.word(name)[1] == command.type
                for n in self.said[name]
            ]
            self._refusals[command.id] = min(
                (n for n in said if self._tells_of(n, command)), default=None
            )
        return self._refusals[command.id]

    def _tells_of(self, number: int, command: Envelope) -> bool:
        refusal = self.envelope(number)
        if not of_one_key(command, refusal):
            return False
        answer = self.trace.answered.get(command.id)
        if (
            answer is not None
            and answer < number
            and self.trace.journal[answer].service == refusal.source
        ):
            return True
        while refusal is not None and refusal.causation != command.id:
            refusal = self.trace.messages.get(refusal.causation)
        return refusal is not None

    @cached_property
    def refused(self) -> dict[str, int]:
        """Steps that were refused, with where."""
        found = {}
        for name, numbers in self.said.items():
            refuses = self.word(name)[1]
            if refuses and not self.done(refuses):
                found[refuses] = numbers[0]
            said_no = [at for h in self._spans(name) if (at := self.refused_at(h)) is not None]
            if said_no and not self.done(name):
                found.setdefault(name, said_no[0])
        return found

    def failed(self) -> dict[str, int]:
        """Commands that failed for good, with where."""
        found = {}
        for name, numbers in self.said.items():
            ids = {
                self.envelope(n).id for n in numbers if isinstance(self.envelope(n).data, Command)
            }
            ends = [end for (_, id), end in self.trace.given_up.items() if id in ids]
            if ends and not any(handling.finished for handling in self._spans(name)):
                found[name] = ends[-1]
        return found

    def _spans(self, name: str) -> list[Span]:
        """Those of the commands of a type."""
        return [
            h
            for n in self.said.get(name, ())
            if isinstance(self.envelope(n).data, Command)
            for h in self.work(n)
        ]

    # -- how it ended

    @cached_property
    def ends(self) -> list[int]:
        """Where messages declared with settles=True were said; not the end of a saga inside this one, which is a step of it."""
        said = [number for name in self.said if self.word(name)[3] for number in self.said[name]]
        return [n for n in said if not any(self._is_a_saga(h.envelope) for h in self.work(n))]

    def _is_a_saga(self, command: Envelope) -> bool:
        """Whether a command asks for a step, or for its compensation, that is done in steps itself."""
        a_step = command.causation is not None and (
            self.word(command.type)[0] or self.compensators(command.type)
        )
        return bool(a_step) and any(map(self._leads, self._spans(command.type)))

    @property
    def final(self) -> str | None:
        """A step that was done and cannot be undone."""
        return next(
            (name for name, word in self.words.items() if word[2] and self.done(name)), None
        )

    def __str__(self) -> str:
        envelope = self.envelope(self.first)
        about = f" ({envelope.subject})" if envelope.subject is not None else ""
        return f"the saga of {envelope.correlation}{about}"


def of_one_key(step: Envelope, other: Envelope) -> bool:
    """Whether a message may speak of a step: the field that is the step's key is the same in it, if it has that field."""
    key = type(step.data).__declared__.key
    return (
        key is None
        or key not in type(other.data).model_fields
        or str(getattr(other.data, key)) == step.subject
    )


def _agree(step: Envelope, other: Envelope) -> bool:
    mine, its = vars(step.data), vars(other.data)
    return all(mine[name] == its[name] for name in mine if name in its)

"""Sagas read from the record, by what message classes say of themselves: what was done, refused and compensated."""

from ..errors import Misuse
from ..model import Command, message_types
from .deliveries import Found, _one, by_fact
from .facts import UNSENT
from .handlings import Handling, Handlings

Vocabulary = dict[
    str, tuple[str | None, str | None, bool, bool]
]  # name -> what it compensates, refuses, final, settles


def vocabulary(claim: str) -> Vocabulary:
    """The message classes that speak of sagas, as declared now: plain data, so that it travels with the claim."""
    found = {}
    for name, cls in message_types().items():
        d = cls.__declared__
        if d.compensates or d.refuses or d.final or d.settles:
            found[name] = d.compensates, d.refuses, d.final, d.settles
    if not found:
        raise Misuse(
            f"{claim}() finds no message that belongs to a saga; declare the classes first, with compensates=, "
            "refuses=, final= or settles=: class ReleaseStock(Command, compensates=ReserveStock)"
        )
    return found


class Saga:
    """What happened in one saga."""

    def __init__(self, record: Handlings, words: Vocabulary):
        self.record, self.words = record, words
        self.first: int | None = None
        self.last = 0
        self.said: dict[str, list[int]] = {}  # type -> where it was said
        self._done: dict[str, dict[str, int]] = {}

    def done(self, name: str) -> dict[str, int]:
        """The facts of a type that took effect, with the step that shows it: events by being published, commands by a
        handling that saved or published something, and did not refuse."""
        if name not in self._done:
            record = self.record
            found = self._done[name] = {}
            for number in self.said.get(name, ()):
                step = record.journal[number]
                if not isinstance(step.envelope.data, Command):
                    found.setdefault(record.fact[step.envelope.id], number)
            ids = {record.journal[number].envelope.id for number in self.said.get(name, ())}
            for handling in record.of_type(name):
                deeds = handling.saves + handling.sent
                if (
                    deeds
                    and handling.envelope.id in ids
                    and isinstance(handling.envelope.data, Command)
                    and not self._refused(handling)
                ):
                    found.setdefault(record.fact[handling.envelope.id], min(deeds))
        return self._done[name]

    def _refused(self, handling: Handling) -> bool:
        for number in handling.inside:
            step = self.record.journal[number]
            if step.step == "publish" and self.words.get(step.envelope.type, (None, None))[1] == handling.envelope.type:
                return True
        return False

    def tried(self, name: str) -> int:
        """How many facts of a type were said. What was asked for and is in doubt may be compensated, done or not."""
        return len({self.record.fact[self.record.journal[number].envelope.id] for number in self.said.get(name, ())})

    def refuses(self, name: str) -> bool:
        """Whether a message said that this step is refused."""
        return any(self.words.get(other, (None, None))[1] == name for other in self.said)

    @property
    def settled(self) -> bool:
        return any(self.words.get(name, (0, 0, 0, False))[3] for name in self.said)

    @property
    def final(self) -> str | None:
        """A step that was done and cannot be undone."""
        return next((name for name, word in self.words.items() if word[2] and self.done(name)), None)

    def refused(self) -> dict[str, int]:
        """Steps that were refused or failed for good, with where."""
        record, found = self.record, {}
        for name, numbers in self.said.items():
            refuses = self.words.get(name, (None, None))[1]
            if refuses and not self.done(refuses):
                found[refuses] = numbers[0]
            for number in numbers:
                id = record.journal[number].envelope.id
                for service in record.system.services:
                    end = record.given_up.get((service, id))
                    if end is not None and not any(
                        h.finished for h in record.of_type(name) if h.service == service and h.envelope.id == id
                    ):
                        found.setdefault(name, end)
        return found

    def steps(self) -> list[tuple[str, int, int]]:
        """(a step that can be compensated, how often it was done, how often compensated)."""
        names = dict.fromkeys(word[0] for word in self.words.values() if word[0])
        counted = [
            (name, len(self.done(name)), sum(len(self.done(c)) for c in self.compensators(name))) for name in names
        ]
        return [step for step in counted if step[1] or step[2]]

    def compensators(self, name: str) -> list[str]:
        return [other for other, word in self.words.items() if word[0] == name]

    def __str__(self) -> str:
        envelope = self.record.journal[self.first].envelope
        about = f" ({envelope.subject})" if envelope.subject is not None else ""
        return f"the saga of {envelope.correlation}{about}"


def sagas(record: Handlings, words: Vocabulary) -> list[Saga]:
    """The sagas of a run. A correlation is one; what a tick begins belongs to the latest saga of its key."""
    parts = set(words) | {target for word in words.values() for target in word[:2] if target}
    found: dict[str, Saga] = {}
    home: dict[str, str] = {}
    of_key: dict[str, str] = {}
    for number in record.said:
        step = record.journal[number]
        envelope = step.envelope
        if envelope.type not in parts or step.fault in UNSENT:
            continue
        story = envelope.correlation
        if story not in home:
            by_tick = not story.startswith("client-")
            home[story] = of_key.get(envelope.subject, story) if by_tick else story
        if envelope.subject is not None:
            of_key[envelope.subject] = home[story]
        saga = found.setdefault(home[story], Saga(record, words))
        saga.first = number if saga.first is None else saga.first
        saga.last = number
        saga.said.setdefault(envelope.type, []).append(number)
    return list(found.values())


def stuck(record: Handlings, words: Vocabulary) -> Found:
    """Neither settled nor wholly compensated when nothing is left to do."""
    found = []
    begun = sagas(record, words)
    if not begun:
        return "no message of a saga was sent"
    if not record.ended:
        return "the run was ended before the sagas could end"
    for saga in begun:
        if saga.settled:
            continue
        steps, refused, final = saga.steps(), saga.refused(), saga.final
        undone = all(compensated >= done for _, done, compensated in steps)
        if not final and undone and (refused or any(compensated for _, _, compensated in steps)):
            continue
        open_steps = [name for name, done, compensated in steps if done > compensated]
        left = (
            f"{' and '.join(open_steps)} not compensated"
            if open_steps
            else f"{final} cannot be undone"
            if final
            else "nothing was compensated"
        )
        last = record.journal[saga.last].envelope
        found.append(
            (
                f"{saga} stopped after {last.type} {last.id}: not settled, and {left}",
                [saga.first, saga.last, *refused.values()],
            )
        )
    return found


def badly_compensated(record: Handlings, words: Vocabulary) -> Found:
    """A compensation missing, applied twice, or of something that was not done or cannot be undone."""
    found, tested = [], False
    for saga in sagas(record, words):
        refused, steps, final = saga.refused(), saga.steps(), saga.final
        applied = any(compensated for _, _, compensated in steps)
        sent = any(words.get(name, (None,))[0] for name in saga.said)
        tested = tested or bool(refused) or sent
        why = next((f"{name} was refused or failed" for name in refused), "other steps were compensated")
        for name, done, compensated in steps:
            numbers = [
                *saga.done(name).values(),
                *refused.values(),
                *(n for c in saga.compensators(name) for n in saga.done(c).values()),
            ]
            if compensated and final:
                found.append(
                    (f"in {saga} {name} was compensated though {final}, which cannot be undone, was done", numbers)
                )
            elif done > compensated and (refused or applied) and not final and record.ended:
                times = f"{done:,} times, compensated {compensated:,} times" if done > 1 else "done and not compensated"
                found.append((f"in {saga} {name} was {times}, though {why}", numbers))
            elif compensated > (tried := 0 if saga.refuses(name) and not done else saga.tried(name)):
                times = (
                    f"compensated {compensated:,} times and done {done:,} times"
                    if tried
                    else "compensated and never done"
                )
                found.append((f"in {saga} {name} was {times}", numbers))
        found += [piece for name in saga.said if words.get(name, (None,))[0] for piece in _applied_twice(saga, name)]
    return found if tested else "nothing was refused, failed or compensated"


def _applied_twice(saga: Saga, name: str) -> Found:
    """A compensation that two handlings of one fact applied: of its command, or of what its event tells the end of. To
    say again that it is done is no second one, where it is something that is saved."""
    record = saga.record
    if isinstance(record.journal[saga.said[name][0]].envelope.data, Command):
        ids = {record.journal[number].envelope.id for number in saga.said[name]}
        handlings = [h for h in record.of_type(name) if h.envelope.id in ids]
    else:
        causes = {
            (h.service, record.fact.get(h.envelope.id))
            for number in saga.said[name]
            if (h := record.within[number]) and h.envelope.data is not None
        }
        handlings = [h for h in record.all if (h.service, record.fact.get(h.envelope.id)) in causes]
    proofs = [record.twice(same, sending=not any(h.saves for h in same)) for same in by_fact(record, handlings)]
    return [
        (f"in {saga} {first.service} applied {name} twice, for {_one(first)} {record.when(one)} "
         f"and again {record.when(other)}",
         [first.first, one, later.first, other])
        for first, one, later, other in filter(None, proofs)
    ]  # fmt: skip

"""A run read as handlings: who handled which message, what it saved and published meanwhile, and how it ended. Read
once a run, from the record alone; the ready claims are decided from it."""

from collections.abc import Callable, Iterable
from functools import cached_property

from ..model import Envelope
from ..sim.run import Run
from ..sim.steps import WIDTH, Step
from .identity import UNSENT, may_repeat, same_facts

_NOT_SENT = (*UNSENT, "lose", "drop")
_FINISHED = ("commit", "ack", "reply", "done")
_ENDS = frozenset((*_FINISHED, "retry", "dead_letter", "lost", "failure"))
_TIME_OUT = "not acknowledged"  # a queue gives a message up while its handler may still run


class Handling:
    """One start of a handler. Steps are told by their numbers in the journal: `first` and `last` (None: it never
    ended), the `saves` that took effect, the messages it `sent`, and `inside` all that it saved, published, asked."""

    __slots__ = (
        "service",
        "replica",
        "envelope",
        "first",
        "last",
        "ending",
        "saves",
        "sent",
        "inside",
    )

    def __init__(self, service: str, replica: int, envelope: Envelope, first: int):
        self.service, self.replica, self.envelope, self.first = service, replica, envelope, first
        self.last = self.ending = None
        self.saves, self.sent, self.inside = [], [], []

    @property
    def finished(self) -> bool:
        """Whether the handler did all it had to."""
        return self.ending in _FINISHED

    def __repr__(self) -> str:
        return f"<{self.service} handles {self.envelope.type} {self.envelope.id}: {self.ending or 'under way'}>"


class Handlings:
    """All handlings of a run, in the order they began."""

    @classmethod
    def of(cls, run: Run) -> "Handlings":
        """Those of a run, which several claims share."""
        try:
            return run._handlings
        except AttributeError:
            run._handlings = found = cls(run)
            return found

    def __init__(self, run: Run):
        self.run, self.system = run, run.system
        self.journal = vars(run).get("journal") or _Steps(run._record)
        self.all: list[Handling] = []
        self.said: list[int] = []  # every publish and ask, whatever struck it
        self.within: dict[int, Handling | None] = {}  # the handling in which it was said
        self.given_up: dict[
            tuple[str, str], int
        ] = {}  # (service, id of a message) dead-lettered or lost
        self.unanswered: set[str] = set()
        self.answered: dict[
            str, int
        ] = {}  # id of what was asked -> where its asker got the answer in time
        self._of_type: dict[str, list[Handling]] = {}
        self._published: dict[
            str, list[tuple[int, str | None]]
        ] = {}  # type -> where, and what struck
        self._read(run._record)

    def _read(self, record: list) -> None:
        at_work: dict[tuple[str, int], dict[str, Handling]] = {}
        columns = [iter(record)] * WIDTH
        for number, (_, step, actor, envelope, _, _, _, fault, detail) in enumerate(
            zip(*columns, strict=True)
        ):
            if step == "deliver":
                continue
            here = at_work.get(actor)
            if step == "handle":
                handling = Handling(*actor, envelope, number)
                self.all.append(handling)
                self._of_type.setdefault(envelope.type, []).append(handling)
                if here is None:
                    here = at_work[actor] = {}
                here[envelope.id] = handling
            elif step == "publish" or step == "ask":
                handling = _speaker(here, envelope) if here else None
                self.said.append(number)
                self.within[number] = handling
                if step == "publish":
                    self._published.setdefault(envelope.type, []).append((number, fault))
                if handling is not None:
                    handling.inside.append(number)
                    if step == "publish" and fault not in _NOT_SENT:
                        handling.sent.append(number)
            elif step == "save":
                handling = here.get(envelope.id) if here else None
                if handling is not None:
                    handling.inside.append(number)
                    if fault is None:
                        handling.saves.append(number)
            elif step in _ENDS:
                if step == "dead_letter" or step == "lost":
                    self.given_up[actor[0], envelope.id] = number
                    if detail and detail.startswith(_TIME_OUT):
                        continue
                handling = here.pop(envelope.id, None) if here else None
                if handling is not None:
                    handling.last, handling.ending = number, step
            elif step == "crash":
                for handling in at_work.pop(actor, {}).values():
                    handling.last, handling.ending = number, step
            elif step == "timeout":
                self.unanswered.add(envelope.id)
            elif step == "answer" and fault is None and detail != "too late":
                self.answered[envelope.id] = number

    @property
    def ended(self) -> bool:
        """Whether the run ended by itself: nothing was left to do."""
        world = self.run._world
        return world.misuse is None and len(world.agenda) <= world.cancelled

    def of_type(self, name: str) -> list[Handling]:
        """The handlings of messages of a type."""
        return self._of_type.get(name, [])

    def published(self, name: str, unsent: Iterable[str] = UNSENT) -> list[int]:
        """Where messages of a type were published, but for those that `unsent` struck."""
        return [number for number, fault in self._published.get(name, ()) if fault not in unsent]

    # -- the same fact

    @cached_property
    def repeats(self) -> bool:
        """Whether any message may tell what another told before. Where none does, `fact` need not be found."""
        return may_repeat(self)

    @cached_property
    def fact(self) -> dict[str, str]:
        """The id of every message that was said -> the id of the first one that told the same fact."""
        return same_facts(self)

    # -- messages

    @cached_property
    def messages(self) -> dict[str, Envelope]:
        """Every message that was said, by id."""
        return {(envelope := self.journal[number].envelope).id: envelope for number in self.said}

    @cached_property
    def about(self) -> dict[tuple[str, str | None], list[int]]:
        """("story", a correlation) or ("key", a subject) -> the steps of its messages."""
        found: dict[tuple[str, str | None], list[int]] = {}
        for number, envelope in enumerate(self.run._record[3::WIDTH]):
            if envelope is not None and envelope.data is not None:
                found.setdefault(("story", envelope.correlation), []).append(number)
                found.setdefault(("key", envelope.subject), []).append(number)
        return found

    @cached_property
    def by_message(self) -> dict[str, list[Handling]]:
        """The id of a message -> its handlings."""
        found: dict[str, list[Handling]] = {}
        for handling in self.all:
            found.setdefault(handling.envelope.id, []).append(handling)
        return found

    def said_in(self, handling: Handling) -> list[Envelope]:
        """The messages that it published, sent and asked, whatever struck them."""
        inside = map(self.journal.__getitem__, handling.inside)
        return [step.envelope for step in inside if step.step != "save"]

    # -- effects

    @cached_property
    def keeping(self) -> set[str]:
        """The services that keep what they do in a database."""
        kept = {handling.service for handling in self.all if handling.saves}
        return kept | {name for name, service in self.system.services.items() if service.schema}

    def twice(
        self, handlings: list[Handling], sending: bool = True
    ) -> tuple[Handling, int, Handling, int] | None:
        """Two of these handlings that did the same: both changed the service's database or, where `sending` counts,
        both sent off the same fact; with the steps that prove it."""
        savers = [handling for handling in handlings if handling.saves]
        for later in savers[1:]:
            for save in later.saves:
                if self.changed(save):
                    return savers[0], savers[0].saves[0], later, save
        sent: dict[str, tuple[Handling, int]] = {}
        for handling in handlings if sending else ():
            for number in handling.sent:
                first, before = sent.setdefault(
                    self.fact[self.journal[number].envelope.id], (handling, number)
                )
                if first is not handling:
                    return first, before, handling, number
        return None

    def changed(self, save: int, but_for: Callable[[tuple], bool] | None = None) -> bool:
        """Whether a transaction that was saved left the database other than it was (`but_for` some rows): writing the same
        again does not."""
        time, service = self.journal[save].time, self.journal[save].service
        saves = [
            n
            for n, s in enumerate(self.run.journal)
            if s.step == "save" and s.service == service and s.fault is None
        ]
        if but_for is None and any(self.journal[n].time == time for n in saves if n != save):
            return True  # two in one millisecond cannot be told apart
        before = self._tables(self.run.at(max(0, time - 1) / 1000), service, but_for)
        after = self.run._world if save == saves[-1] else self.run.at(time / 1000)
        return before != self._tables(after, service, but_for)

    @staticmethod
    def _tables(
        world, service: str, but_for: Callable[[tuple], bool] | None
    ) -> dict[str, list[tuple]]:
        node = world.services[service]
        quoted = {name: name.replace('"', '""') for name in node.database.tables()}
        rows = {name: node.rows(f'select * from "{text}"') for name, text in quoted.items()}
        return {
            name: sorted((r for r in found if not (but_for and but_for(r))), key=repr)
            for name, found in rows.items()
        }

    # -- words

    def when(self, number: int) -> str:
        return f"at {self.journal[number].time / 1000:g} s"

    def evidence(self, numbers: Iterable[int]) -> tuple[Step, ...]:
        return tuple(self.journal[number] for number in sorted(set(numbers)))


class _Steps:
    """Steps by their number, made when asked for: a claim that holds asks for few."""

    def __init__(self, record: list):
        self._record = record

    def __getitem__(self, number: int) -> Step:
        time, step, actor, *rest = self._record[number * WIDTH : number * WIDTH + WIDTH]
        return Step(time, step, *actor, *rest)

    def __len__(self) -> int:
        return len(self._record) // WIDTH


def _speaker(at_work: dict[str, Handling], envelope: Envelope) -> Handling:
    """Of the handlings at work in a replica, the one that says this: that of the message's cause, or else a tick."""
    if envelope.causation in at_work:
        return at_work[envelope.causation]
    here = list(at_work.values())
    return next(
        (handling for handling in reversed(here) if handling.envelope.data is None), here[-1]
    )

"""The events of a state's course: marks where they happened and were recorded, and words for those that matter."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..store.bitemporal import Change, Hindsight
from ..store.stored_event import StoredEvent
from ..text import clean, counted
from .calendar import Calendar
from .labels import Room
from .plane import Plane, number, said
from .scene import Mark, Scene

NAMED, FEW = (
    75,
    3,
)  # px of width for each event with words; how many have words where not all have marks
LATE, LATE_NAMED = (
    20,
    3,
)  # late events that are all marked; of more, and with words, those that misled most
_LATE_MARKED = 8
_SEEN = 3  # px from when it happened to when it was recorded, for an event to be drawn as late
_ROOM = 8  # px that each mark of a quiet event needs


class Entry(NamedTuple):
    """An event with the value after it, and by how much that changed: None where several happened at once."""

    fact: StoredEvent
    value: Any
    step: float | None

    @property
    def size(self) -> float:
        return abs(self.step or 0)

    @property
    def misled(self) -> float:
        """By how much, for how long."""
        return (self.size or 1) * (self.fact.recorded_at - self.fact.happened_at)


class Marked:
    """Chooses what to mark and what to name, of the events within a window."""

    def __init__(self, sight: Hindsight, plane: Plane, calendar: Calendar, window: tuple[int, int]):
        self.sight, self.plane, self.calendar, self.window = sight, plane, calendar, window
        entries = list(_entries(sight))
        shown = [
            entry
            for entry in entries
            if self._within(entry.fact.happened_at) or self._within(entry.fact.recorded_at)
        ]
        late = [
            plane.x(entry.fact.recorded_at) - plane.x(entry.fact.happened_at) >= _SEEN
            for entry in shown
        ]
        self.shown, self.named = len(shown), 0
        self.late = sorted(
            (entry for entry, is_late in zip(shown, late) if is_late),
            key=lambda entry: -entry.misled,
        )
        self.quiet = [
            entry
            for entry, is_late in zip(shown, late)
            if not is_late and self._within(entry.fact.happened_at)
        ]
        self.quiet.sort(key=lambda entry: -entry.size)
        self.all_late = len(self.late) <= LATE
        self.all_quiet = len(self.quiet) * _ROOM <= plane.right - plane.left

    def mark(self, scene: Scene, room: Room) -> None:
        """A filled mark where an event happened, an open one where a late one was recorded."""
        scene.marks += [self._mark(entry) for entry in self.quiet if self.all_quiet]
        learned: dict[tuple[int, int], list[str]] = {}
        for entry in self.late if self.all_late else self.late[:_LATE_MARKED]:
            if self._within(entry.fact.happened_at):
                scene.marks.append(Mark(*self._spot(entry), "late", self._tip(entry)))
            if self._within(entry.fact.recorded_at):
                learned.setdefault(self._learned(entry), []).append(
                    in_words(entry.fact, entry.step)
                )
        for (x, y), words in learned.items():
            tip = clean(f"recorded then: {', '.join(words)}", 300)
            scene.marks += [Mark(x, y, "blank", tip), Mark(x, y, "learned", tip)]
        room.taken += [mark.extent() for mark in scene.marks]
        room.points += [(mark.x, mark.y) for mark in scene.marks]

    def name(self, room: Room) -> None:
        """Words for the late events that misled most, then for those that changed most."""
        self.named = sum(self._name_late(entry, room) for entry in self.late[:LATE_NAMED])
        typical = self.quiet[len(self.quiet) // 2].size if self.quiet else 0
        most = (self.plane.right - self.plane.left) // NAMED if self.all_quiet else self.named + FEW
        for entry in self.quiet:
            words = in_words(entry.fact, entry.step)
            if self.named >= most or not self.all_quiet and entry.size <= 1.5 * typical:
                break
            mark = self._mark(entry)
            if words == entry.value or not self.all_quiet and not room.free(mark.extent()):
                continue  # its level says it; or words stand there
            if room.put(words, "fact", *self._spot(entry), anyhow=False):
                self.named += 1
                if not self.all_quiet:
                    room.scene.marks.append(mark)
                    room.taken.append(mark.extent())

    def captions(self) -> list[str]:
        """What the marks mean, and how many events have none or no words."""
        said_ = ["filled: when it happened, open: when it was recorded"] * bool(self.late)
        if not self.all_late:
            said_.append(
                f"{_LATE_MARKED} of {len(self.late):,} late ones marked: those that misled most"
            )
        if not self.all_quiet:
            said_.append(f"{self.named} of {counted(self.shown, 'event')} named")
        return said_

    def _name_late(self, entry: Entry, room: Room) -> bool:
        """Say a late event where it happened, and go on where it was recorded; or say it all in one place."""
        fact, calendar = entry.fact, self.calendar
        words, then, later = (
            in_words(fact, entry.step),
            calendar.on(fact.happened_at),
            calendar.on(fact.recorded_at),
        )
        if then == later:
            then, later = (
                calendar.on(at, exactly=True) for at in (fact.happened_at, fact.recorded_at)
            )
        here, there = self._within(fact.happened_at), self._within(fact.recorded_at)
        few = len(self.late) <= LATE_NAMED
        if (
            few
            and here
            and there
            and (first := room.put(f"{words} {then} …", "late", *self._spot(entry), over=False))
        ):
            if room.put(f"… recorded {later}", "late", *self._learned(entry), anyhow=False):
                return True
            room.take_back(first)
        whole = f"{words} {then}, recorded {later}"
        spots = [self._spot(entry)] * here + [self._learned(entry)] * there
        return any(room.put(whole, "late", *spot, over=False) is not None for spot in spots)

    def _mark(self, entry: Entry) -> Mark:
        return Mark(*self._spot(entry), "fact", self._tip(entry))

    def _spot(self, entry: Entry) -> tuple[int, int]:
        return self.plane.x(entry.fact.happened_at), self.plane.y(entry.value)

    def _learned(self, entry: Entry) -> tuple[int, int]:
        return self.plane.x(entry.fact.recorded_at), self.plane.y(
            self.sight.at(entry.fact.recorded_at)[1]
        )

    def _within(self, at: int) -> bool:
        return self.window[0] <= at <= self.window[1]

    def _tip(self, entry: Entry) -> str:
        fact = entry.fact
        when = f"happened {self.calendar.words(fact.happened_at)}"
        when += f", recorded {self.calendar.words(fact.recorded_at)}" if fact.late else ""
        return clean(
            f"{fact.stream} {fact.version}: {in_words(fact, entry.step)}, {when}; then {said(entry.value)}",
            300,
        )


def in_words(fact: StoredEvent, step: float | None = None) -> str:
    """An event in a few words: those of its type, and the number that it is about, which is that by which the state changed
    (`step`), or its only one, but for one that changed nothing."""
    words = fact.type
    if words.isidentifier():
        words = " ".join(re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", words)).lower() or words
    fields = {
        name: n
        for name, n in fact.data.items()
        if isinstance(n, int | float) and not isinstance(n, bool)
    }
    numbers = [n for name, n in fields.items() if not name.lower().endswith(("id", "version"))]
    about = [n for n in numbers if step and abs(n) == abs(step)] or (
        numbers if len(numbers) == 1 else []
    )
    if not about or step == 0:
        return clean(words, 40)
    last = words.split(" ")[
        -1
    ]  # of "money deposited 70" the verb says it all; so would "sent" or "drawn"
    return clean(f"{last if last[-1:] in 'dnt' else words} {number(about[0])}", 40)


def _entries(sight: Hindsight) -> Iterator[Entry]:
    """Each event with its step. Of several that happened at once only one is not known by itself: a late one changed what was
    believed when it was recorded, and what is left is the other's."""
    learned = {
        change.facts[0].position: step
        for change, step in _steps(sight.first, sight.believed)
        if len(change.facts) == 1
    }
    for change, step in _steps(sight.first, sight.was):
        several = len(change.facts) > 1
        steps = {
            fact: learned.get(fact.position) if several and fact.late else None
            for fact in change.facts
        }
        unknown = [fact for fact in change.facts if steps[fact] is None]
        if len(unknown) == 1 and not (several and isinstance(change.value, str)):
            steps[unknown[0]] = step - sum(known for known in steps.values() if known is not None)
        yield from (Entry(fact, change.value, steps[fact]) for fact in change.facts)


def _steps(before: Any, changes: list[Change]) -> Iterator[tuple[Change, float]]:
    """Each change, and by how much; of texts, whether."""
    for change in changes:
        after = change.value
        plain = isinstance(before, str) or isinstance(after, str) or before is None or after is None
        yield change, float(before != after) if plain else float(after - before)
        before = after

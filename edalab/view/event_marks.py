"""The events in a chart of a state: marks where they happened and were recorded, and their names."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..store.bitemporal import Change, Hindsight
from ..store.stored_event import StoredEvent
from ..text import clean, counted
from .axes import Axes, number_text, value_text
from .calendar import Calendar
from .labels import LabelPlacer
from .scene import Mark, Scene

_NAME_WIDTH, _MARK_WIDTH = 75, 8  # px that each name and each mark of an ordinary event needs
_FEW = 3  # ordinary events with a name where not all have marks
_MOST_LATE = 20  # late events that are all marked; of more, only those that misled most:
_LATE_MARKED, _LATE_NAMED = 8, 3
_LATE = 3  # px from happened to recorded, from which on an event is drawn as late


class Entry(NamedTuple):
    """An event, the value after it, and by how much it changed that: None where several events
    happened at once."""

    fact: StoredEvent
    value: Any
    step: float | None

    @property
    def size(self) -> float:
        return abs(self.step or 0)

    @property
    def misled(self) -> float:
        """By how much a late event misled, times for how long."""
        return (self.size or 1) * (self.fact.recorded_at - self.fact.happened_at)


class EventMarks:
    """Chooses which events within a window to mark and to name."""

    def __init__(
        self, hindsight: Hindsight, axes: Axes, calendar: Calendar, window: tuple[int, int]
    ):
        self.hindsight, self.axes, self.calendar, self.window = hindsight, axes, calendar, window
        self.shown, self.named, self.late, self.quiet = 0, 0, [], []
        for entry in _entries(hindsight):
            happened, recorded = entry.fact.happened_at, entry.fact.recorded_at
            if not (self._within(happened) or self._within(recorded)):
                continue
            self.shown += 1
            if axes.x(recorded) - axes.x(happened) >= _LATE:
                self.late.append(entry)
            elif self._within(happened):
                self.quiet.append(entry)
        self.late.sort(key=lambda entry: -entry.misled)
        self.quiet.sort(key=lambda entry: -entry.size)
        self.all_late = len(self.late) <= _MOST_LATE
        self.all_quiet = len(self.quiet) * _MARK_WIDTH <= axes.right - axes.left

    def mark(self, scene: Scene, room: LabelPlacer) -> None:
        """Draw a filled mark where an event happened, an open one where a late one was recorded."""
        scene.marks += [self._mark(entry, "fact") for entry in self.quiet if self.all_quiet]
        recorded: dict[tuple[int, int], list[str]] = {}
        for entry in self.late if self.all_late else self.late[:_LATE_MARKED]:
            if self._within(entry.fact.happened_at):
                scene.marks.append(self._mark(entry, "late"))
            if self._within(entry.fact.recorded_at):
                texts = recorded.setdefault(self._where_recorded(entry), [])
                texts.append(event_text(entry.fact, entry.step))
        for (x, y), texts in recorded.items():
            tip = clean(f"recorded then: {', '.join(texts)}", 300)
            scene.marks += [Mark(x, y, "blank", tip), Mark(x, y, "learned", tip)]
        for mark in scene.marks:
            room.taken.add(mark.extent())
        room.points += [(mark.x, mark.y) for mark in scene.marks]

    def name(self, room: LabelPlacer) -> None:
        """Name the late events that misled most, then the events that changed most."""
        self.named = sum(self._name_late(entry, room) for entry in self.late[:_LATE_NAMED])
        typical = self.quiet[len(self.quiet) // 2].size if self.quiet else 0
        width = self.axes.right - self.axes.left
        most = width // _NAME_WIDTH if self.all_quiet else self.named + _FEW
        for entry in self.quiet:
            text = event_text(entry.fact, entry.step)
            if self.named >= most or not self.all_quiet and entry.size <= 1.5 * typical:
                break
            mark = self._mark(entry, "fact")
            if text == entry.value or not self.all_quiet and not room.taken.free(mark.extent()):
                continue  # its level says it; or words stand there
            if room.place_beside(text, "fact", mark.x, mark.y, far=False):
                self.named += 1
                if not self.all_quiet:
                    room.scene.marks.append(mark)
                    room.taken.add(mark.extent())

    def captions(self) -> list[str]:
        """What the marks mean, and how many events have none, or no name."""
        captions = ["filled: when it happened, open: when it was recorded"] * bool(self.late)
        if not self.all_late:
            of = f"{_LATE_MARKED} of {len(self.late):,} late ones"
            captions.append(f"{of} marked: those that misled most")
        if not self.all_quiet:
            captions.append(f"{self.named} of {counted(self.shown, 'event')} named")
        return captions

    def _name_late(self, entry: Entry, room: LabelPlacer) -> bool:
        """Name a late event where it happened and where it was recorded; or both in one place."""
        fact, text = entry.fact, event_text(entry.fact, entry.step)
        moments = fact.happened_at, fact.recorded_at
        then, later = map(self.calendar.on, moments)
        if then == later:
            then, later = (self.calendar.on(at, exactly=True) for at in moments)
        here, there = map(self._within, moments)
        happened, recorded = self._where(entry), self._where_recorded(entry)
        if len(self.late) <= _LATE_NAMED and here and there:
            first = room.place_beside(f"{text} {then} …", "late", *happened, over=False)
            if first and room.place_beside(f"… recorded {later}", "late", *recorded, far=False):
                return True
            if first:
                room.take_back(first)
        whole = f"{text} {then}, recorded {later}"
        places = [happened] * here + [recorded] * there
        return any(
            room.place_beside(whole, "late", *place, over=False) is not None for place in places
        )

    def _mark(self, entry: Entry, kind: str) -> Mark:
        fact, words = entry.fact, self.calendar.words
        when = f"happened {words(fact.happened_at)}"
        when += f", recorded {words(fact.recorded_at)}" if fact.late else ""
        what = f"{fact.stream} {fact.version}: {event_text(fact, entry.step)}"
        tip = clean(f"{what}, {when}; then {value_text(entry.value)}", 300)
        return Mark(*self._where(entry), kind, tip)

    def _where(self, entry: Entry) -> tuple[int, int]:
        return self.axes.x(entry.fact.happened_at), self.axes.y(entry.value)

    def _where_recorded(self, entry: Entry) -> tuple[int, int]:
        at = entry.fact.recorded_at
        return self.axes.x(at), self.axes.y(self.hindsight.at(at)[1])

    def _within(self, at: int) -> bool:
        return self.window[0] <= at <= self.window[1]


def event_text(fact: StoredEvent, step: float | None = None) -> str:
    """An event in a few words: its type, and the number that it is about. That is the one by which
    it changed the state (`step`), or its only one that is not 0, unless it changed nothing."""
    text = fact.type
    if text.isidentifier():
        words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", text)
        text = " ".join(words).lower() or text
    numbers = [
        value
        for name, value in fact.data.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and value
        if not name.lower().endswith(("id", "version"))
    ]
    about = [number for number in numbers if step and abs(number) == abs(step)]
    about = about or (numbers if len(numbers) == 1 else [])
    if not about or step == 0:
        return clean(text, 40)
    last = text.split(" ")[-1]  # a verb is enough: "deposited 70", "sent 3", "drawn 5"
    verb = last if last[-1:] in ("d", "n", "t") else text
    return clean(f"{verb} {number_text(about[0])}", 40)


def _entries(hindsight: Hindsight) -> Iterator[Entry]:
    """Each event with its step. Of several that happened at once, a late one has the step that it
    made in what was believed when it was recorded; what is left is the step of the only other."""
    learned = {
        change.facts[0].position: step
        for change, step in _steps(hindsight.first, hindsight.believed)
        if len(change.facts) == 1
    }
    for change, step in _steps(hindsight.first, hindsight.actual):
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
        numbers = not any(value is None or isinstance(value, str) for value in (before, after))
        yield change, float(after - before) if numbers else float(before != after)
        before = after

"""The events in a chart of a state: marks where they happened and were recorded, with their names."""

import re
from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

from ..store.bitemporal import Hindsight
from ..store.stored_event import StoredEvent
from ..text import clean, counted
from .axes import Axes, number_text, value_text
from .calendar import Calendar
from .labels import LabelPlacer
from .point_labels import place_beside, place_nearest
from .scene import Mark, Scene

_NAME_WIDTH, _MARK_WIDTH = 75, 8  # px that each name and each mark of an ordinary event needs
_LATE_MARKED, _LATE_NAMED = 20, 3  # of the late events, those that misled most
_LATE = 3  # px from happened to recorded with which an event is drawn as late


class Entry(NamedTuple):
    """An event, the value after it, and the change that it made. The change is None if several events
    happened and were recorded at the same time."""

    fact: StoredEvent
    value: Any
    step: float | None

    @property
    def size(self) -> float:
        return abs(self.step or 0)

    @property
    def misled(self) -> float:
        """The amount by which a late event misled, multiplied by how long it did so (µs)."""
        return (self.size or 1) * (self.fact.recorded_at - self.fact.happened_at)


class EventMarks:
    """The events in a window: `late` ones and `punctual` ones, each with the most important first."""

    def __init__(
        self, hindsight: Hindsight, axes: Axes, calendar: Calendar, window: tuple[int, int]
    ):
        self.hindsight, self.axes, self.calendar, self.window = hindsight, axes, calendar, window
        self.late: list[Entry] = []
        self.punctual: list[Entry] = []
        for entry in _entries(hindsight):
            happened, recorded = entry.fact.happened_at, entry.fact.recorded_at
            if axes.x(recorded) - axes.x(happened) >= _LATE:
                if self._within(happened) or self._within(recorded):
                    self.late.append(entry)
            elif self._within(happened):
                self.punctual.append(entry)
        self.late.sort(key=lambda entry: -entry.misled)
        self.punctual.sort(key=lambda entry: -entry.size)
        width = axes.right - axes.left
        self.most_names = width // _NAME_WIDTH
        self.crowded = len(self.punctual) * _MARK_WIDTH > width

    def mark(self, scene: Scene, room: LabelPlacer) -> None:
        """Draw a filled mark where each event happened, and an open one where a late one was recorded."""
        if not self.crowded:
            scene.marks += [self._mark(entry, "fact") for entry in self.punctual]
        recorded: dict[tuple[int, int], list[str]] = {}
        for entry in self.late[:_LATE_MARKED]:
            if self._within(entry.fact.happened_at):
                scene.marks.append(self._mark(entry, "late"))
            if self._within(entry.fact.recorded_at):
                place = self._place(entry, recorded=True)
                recorded.setdefault(place, []).append(event_text(entry.fact, entry.step))
        for (x, y), texts in recorded.items():
            tip = clean(f"recorded then: {', '.join(texts)}", 300)
            scene.marks += [Mark(x, y, "blank", tip), Mark(x, y, "learned", tip)]
        for mark in scene.marks:
            room.taken.add(mark.extent())

    def name(self, room: LabelPlacer) -> None:
        """Name the late events that misled most, then the events with the largest changes."""
        for entry in self.late[:_LATE_NAMED]:
            self._name_late(entry, room)
        for entry in [] if self.crowded else self.punctual[: self.most_names]:
            text = event_text(entry.fact, entry.step)
            place_nearest(room, text, "fact", *self._place(entry))

    def captions(self) -> list[str]:
        """The meanings of the marks, and the number of events without a mark."""
        late = [entry.fact for entry in self.late[:_LATE_MARKED]]
        signs = ["filled: when it happened"] * any(self._within(one.happened_at) for one in late)
        signs += ["open: when it was recorded"] * any(self._within(one.recorded_at) for one in late)
        captions = [", ".join(signs)] if late else []
        unmarked = len(self.late[_LATE_MARKED:]) + (len(self.punctual) if self.crowded else 0)
        return captions + [f"{counted(unmarked, 'event')} not marked"] * (unmarked > 0)

    def _name_late(self, entry: Entry, room: LabelPlacer) -> None:
        """Name a late event at the mark where it happened or, if there is no room, where it was recorded."""
        moments = entry.fact.happened_at, entry.fact.recorded_at
        then, later = map(self.calendar.on, moments)
        short = f"{event_text(entry.fact, entry.step)} {then}"
        for text, recorded in product([f"{short}, recorded {later}", short], (False, True)):
            place = self._place(entry, recorded)
            inside = self._within(moments[recorded])
            if inside and place_beside(room, text, "late", *place, over=0):
                return

    def _mark(self, entry: Entry, kind: str) -> Mark:
        fact, words = entry.fact, self.calendar.words
        when = f"happened {words(fact.happened_at)}"
        when += f", recorded {words(fact.recorded_at)}" if fact.late else ""
        what = f"{fact.stream} {fact.version}: {event_text(fact, entry.step)}"
        tip = clean(f"{what}, {when}; then {value_text(entry.value)}", 300)
        return Mark(*self._place(entry), kind, tip)

    def _place(self, entry: Entry, recorded: bool = False) -> tuple[int, int]:
        at, value = entry.fact.happened_at, entry.value
        if recorded:
            at = entry.fact.recorded_at
            value = self.hindsight.at(at)[1]
        return self.axes.x(at), self.axes.y(value)

    def _within(self, at: int) -> bool:
        return self.window[0] <= at <= self.window[1]


def event_text(fact: StoredEvent, step: float | None = None) -> str:
    """An event in a few words: its type, and its number that equals the change of the state (`step`),
    or its only number that is not 0. An event that changed nothing has no number."""
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
    last = text.split(" ")[-1]  # keep a verb only: "deposited 70", "sent 3", "drawn 5"
    verb = last if last[-1:] in ("d", "n", "t") else text
    return clean(f"{verb} {number_text(about[0])}", 40)


def _entries(hindsight: Hindsight) -> Iterator[Entry]:
    """Each event with its step in the actual values or, if several events happened at once, in the
    believed values when it was recorded."""
    steps: dict[int, float] = {}
    for changes in (hindsight.believed, hindsight.actual):
        before = hindsight.first
        for change in changes:
            if len(change.facts) == 1:
                steps[change.facts[0].position] = _step(before, change.value)
            before = change.value
    for change in hindsight.actual:
        for fact in change.facts:
            yield Entry(fact, change.value, steps.get(fact.position))


def _step(before: Any, after: Any) -> float:
    return float(before != after) if None in (before, after) else float(after - before)

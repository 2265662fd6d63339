"""The labels of a timeline: first of what went wrong, then of what is healthy, where room is left.
The rest stands in the tool-tips."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..text import shorten, text_width
from .drawn import Bar, Event

if TYPE_CHECKING:
    from .layout import Layout, Row

_SIDE_BY_SIDE = 30  # px between equal marks
_REMARKS = ("takeover", "note")
Place = tuple[int, int, str]  # level, x and anchor


def place_labels(layout: "Layout") -> None:
    marks, bars = _together(layout), layout.drawn.bars
    for bar in bars:
        if bar.struck:
            _name_bar(layout, bar, "struck", (1, -1, 2, -2))
    for stretch in layout.stretches:
        if stretch.words:
            row, x = layout.rows[stretch.service, stretch.replica][0], layout.extent(stretch)[0] + 6
            _write(layout, row, [stretch.words], "struck", [(n, x, "start") for n in (0, 1, -1, 2)])
    for event, row, text in marks:
        if event.what not in _REMARKS:
            _name_mark(layout, event, row, text, "struck")
    for link in layout.drawn.links:
        if link.words and layout.shows(link.source):
            x, kind = link.source.x, "remark" if link.stop == "unheard" else "struck"
            places = [(-1, x + 26, "start"), (-1, x - 7, "end"), (1, x + 4, "end")]
            places += [(-2, x, "start"), (1, x, "start")]
            _write(layout, layout.row(link.source), [link.words], kind, places)
    for event, row, text in marks:
        if event.what in _REMARKS:
            _name_mark(layout, event, row, text, "remark")
    for bar in bars:
        if not bar.struck:
            _name_bar(layout, bar, "handled", (1, -1))


def _together(layout: "Layout") -> list[tuple[Event, "Row", str]]:
    """Marks with their texts. Of equal ones side by side outside of bars the last has the text of
    all, such as "3× lost"."""
    placed: list[tuple[Event, Row, str]] = []
    latest: dict[tuple, tuple[int, int]] = {}  # the last of equal ones, and how many they are
    errors: set[tuple] = set()
    for event, row in layout.marks:
        if not event.words or _repeats(event, errors):
            continue
        number, times = latest.get((row, event.words), (-1, 0))
        if times and not event.bar and event.x - placed[number][0].x <= _SIDE_BY_SIDE:
            times += 1
            placed[number] = event, row, f"{times}× {event.words}"
        else:
            number, times = len(placed), 1
            placed.append((event, row, event.words))
        latest[row, event.words] = number, times
    return placed


def _repeats(event: Event, errors: set[tuple]) -> bool:
    """Whether its text only repeats others: an error after its cause, the same error once more."""
    bar = event.bar
    if event.what != "failed" or bar is None:
        return False
    key = bar.service, bar.id, event.words
    again = key in errors
    errors.add(key)
    return again or any(other.what in ("no answer", "dead letter") for other in bar.inner)


def _name_mark(layout: "Layout", event: Event, row: "Row", text: str, kind: str) -> None:
    x, beside = event.x, event.x
    if bar := event.bar:  # beside it means behind its bar and what else is marked there
        beside = max([bar.x + bar.w, *(other.x for other in bar.inner if other.words)])
    places = [(0, beside + 11, "start")]
    places += [(-1, x - 5, "start"), (-1, x, "middle"), (-1, x + 6, "end")]
    for level in (1, 2, -2, 3):
        places += [(level, x - 5, "start"), (level, x + 6, "end")]
    if event.what == "takeover":  # there can be many, and they are no trouble
        places = [place for place in places if -2 < place[0] < 2]
    _write(layout, row, [shorten(text, 300, 11, True)], kind, places)


def _name_bar(layout: "Layout", bar: Bar, kind: str, levels: Sequence[int]) -> None:
    x, name = bar.x, bar.type
    if bar.words:
        texts = [f"{name}: {bar.words}", bar.words]
    elif bar.subject and len(bar.subject) <= 12:
        texts = [f"{name} {bar.subject}", name]
    else:
        texts = [name]
    ends = ((x, "start"), (x + 15, "start"), (x + bar.w, "end"))
    places = [(level, at, anchor) for level in levels for at, anchor in ends]
    row = layout.row(bar)
    if bar.words.startswith("attempt") and text_width(bar.words, 11, True) <= bar.w:
        # Above its bar, and no longer than it, this says more than with the name below it.
        above = [(x, row.level(level), anchor) for level, x, anchor in places if level == levels[0]]
        if layout.placer.place(texts, kind, above, over=False):
            return
    _write(layout, row, texts, kind, places)


def _write(
    layout: "Layout", row: "Row", texts: list[str], kind: str, places: Sequence[Place]
) -> None:
    spots = [(x, row.level(level), anchor) for level, x, anchor in places]
    label = layout.placer.place(texts, kind, spots, cut=True)
    if label and kind == "struck" and label.y == row.y:
        left, _, right, _ = label.extent()
        if any(start <= left and right <= end for start, end in row.outages):
            label.kind = "on span"

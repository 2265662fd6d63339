"""The labels of a timeline: names of bars, then what went wrong, then what is said elsewhere in the
lane, where room is left. The rest stands in the tool-tips."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

from ..text import clean, shorten, text_width
from .axis import Axis
from .drawn import Bar, Drawn, SpanEvent
from .scene import Label

if TYPE_CHECKING:
    from .layout import Layout, Row

_BESIDE_BAR, _BESIDE_MARK = 16, 30  # px from a moment to words beside what is drawn there
_FAR = 60  # px from a mark to the end of its bar: words behind it would seem to name the end
_ROOM = 210  # px of words that have room behind the last moment, at most
_LONG = 560  # px of the words of a mark, at most
_SHORT = 16  # letters of a key or a value that stands at a bar
_REMARKS = ("takeover", "note")
Place = tuple[int, int, str]  # level, x and anchor
Spot = tuple[int, int, str]  # x, y and anchor
Name = tuple[Label, list[Spot], int]


def place_labels(layout: "Layout") -> None:
    names = _name_bars(layout)
    for stretch in layout.drawn.stretches:
        if stretch.words:
            row, x = layout.rows[stretch.service, stretch.replica][0], layout.extent(stretch)[0] + 6
            _write(layout, row, [stretch.words], "struck", [(n, x, "start") for n in (0, 1, -1, 2)])
    remarks: list[tuple[SpanEvent, Row]] = []
    repeated: list[tuple[SpanEvent, Row]] = []
    said: set[tuple[int, str]] = set()
    errors: set[tuple] = set()
    for event, row in layout.marks:
        words = row.lane, event.words
        if not event.words or _repeats(event, errors):
            continue
        if words in said:
            repeated.append((event, row))
        elif event.what in _REMARKS:
            remarks.append((event, row))
        else:
            _name_mark(layout, event, row, event.words)
        said.add(words)
    for link in layout.drawn.links:
        if link.words:
            x, kind = link.source.x, "remark" if link.stop == "unheard" else "struck"
            places = [(-1, x + 26, "start"), (-1, x - 7, "end"), (1, x + 4, "end")]
            places += [(-2, x, "start"), (1, x, "start")]
            _write(layout, layout.row(link.source), [link.words], kind, places)
    for event, row in remarks:
        _name_mark(layout, event, row, event.words)
    for event, row in repeated:
        _name_mark(layout, event, row, event.words.partition(":")[0], again=True)
    _add_values(layout, names)


def names_of(bar: Bar) -> list[str]:
    """The texts that may stand at a bar, the longest first."""
    name = clean(bar.envelope.type, 60)
    if bar.words:
        return [f"{name}: {bar.words}", bar.words]
    return [" ".join([name, *_subject(bar)]), name]


def _subject(bar: Bar) -> list[str]:
    """The key of a bar's message, if it has a short one."""
    subject = clean(bar.envelope.subject or "")
    return [subject] if 0 < len(subject) <= _SHORT else []


def _add_values(layout: "Layout", names: dict[Bar, Name]) -> None:
    """Where there is room, add to the name of a bar what tells its message apart from others of its
    type in this picture: its key, and if need be up to two short fields in which they differ. A key
    that all share is left out first."""
    alike: defaultdict[str, list[Bar]] = defaultdict(list)
    for bar in names:
        alike[bar.envelope.type].append(bar)
    for bars in alike.values():
        data = [getattr(bar.envelope.data, "__dict__", {}) for bar in bars]
        fields = [name for name in data[0] if len({repr(one.get(name)) for one in data}) > 1]
        subjects = {bar.envelope.subject for bar in bars}
        if len(subjects) == len(set(map(repr, data))):
            fields = []  # the keys suffice
        shared = len(bars) > 1 and len(subjects) == 1
        for bar, own in zip(bars, data, strict=True):
            label, spots, before = names[bar]
            values = [*filter(None, (_value(name, own.get(name)) for name in fields))][:2]
            about, each = [*_subject(bar), *values], range(1 + len(values))
            parts = [about[n:] for n in each] if shared else [about[: len(about) - n] for n in each]
            name, words = clean(bar.envelope.type, 60), f": {bar.words}" if bar.words else ""
            texts = [f"{name} {', '.join(part)}{words}" for part in parts if part]
            better = texts[: texts.index(label.text)] if label.text in texts else texts
            if not better:
                continue
            first = before + text_width(better[0], 11, True)  # or it would stand over another bar
            spots = [spot for spot in spots if spot[2] == "start" or spot[0] >= first]
            layout.placer.rewrite(label, better, spots)


def _value(field: str, value: object) -> str:
    """A field's value in a few letters, or none."""
    text = clean(value) if isinstance(value, str | int | float) else ""
    return ("v" if field == "version" else "") + text if len(text) <= _SHORT else ""


def px_beyond(drawn: list[Drawn], axis: Axis, left: int, right: int) -> int:
    """By how many px an axis from `left` on has to be shorter, for words that would reach beyond
    `right`. What is wider than _ROOM reaches back."""
    more = 0
    for one in drawn:
        words = [(bar.start, _BESIDE_BAR, names_of(bar)[0]) for bar in one.bars]
        for event in chain(one.events, *(bar.inner for bar in one.bars)):
            words.append((event.time, _BESIDE_MARK, event.words))
        for time, beside, text in words:
            x, width = axis.x(time) + beside, text_width(text, 11, True)
            if x + width > right and width <= _ROOM:
                more = max(more, (x + width - right) * (axis.end - left) // max(1, x - left))
    return more


def _repeats(event: SpanEvent, errors: set[tuple]) -> bool:
    """Whether its text only repeats others: an error after its cause, the same error once more."""
    bar = event.bar
    if event.what != "failed" or bar is None:
        return False
    key = bar.service, bar.envelope.id, event.words
    again = key in errors
    errors.add(key)
    return again or any(other.what in ("no answer", "dead letter") for other in bar.inner)


def _name_mark(
    layout: "Layout", event: SpanEvent, row: "Row", text: str, again: bool = False
) -> None:
    """Say what a mark means. What is said `again` has only the places near it."""
    x, beside = event.x, event.x
    if bar := event.bar:  # beside it means behind its bar and what else is marked there
        beside = max([bar.x + bar.w, *(other.x for other in bar.inner if other.words)])
    behind = [(0, beside + 11, "start")]
    near = [(-1, x - 5, "start"), (-1, x, "middle"), (-1, x + 6, "end")]
    places = near + behind if beside - x > _FAR else behind + near
    for level in (1, 2, -2, 3):
        places += [(level, x - 5, "start"), (level, x + 6, "end")]
    if again or event.what == "takeover":  # there can be many, and they are no news
        places = [place for place in places if -2 < place[0] < 2]
    kind = "remark" if event.what in _REMARKS else "struck"
    _write(layout, row, [shorten(text, _LONG, 11, True)], kind, places, cut=not again)


def _name_bars(layout: "Layout") -> dict[Bar, Name]:
    """Name each bar where it begins; or where it ends, if its name does not reach back to the bar
    before it in its row. Return the names with the spots near their bars, and the end of the bar
    before each."""
    ends: dict[Row, int] = {}
    names: dict[Bar, Name] = {}
    for bar in sorted(layout.drawn.bars, key=lambda bar: bar.x):
        row, texts, end = layout.row(bar), names_of(bar), bar.x + bar.w
        spots = [(bar.x, "start"), (bar.x + 15, "start")]
        before, ends[row] = ends.get(row, 0), end
        if end - text_width(texts[0], 11, True) >= before:
            spots.append((end, "end"))
        levels = (1, -1, 2, -2) if bar.struck else (1, -1)
        places = [(level, x, anchor) for level in levels for x, anchor in spots]
        label = _write(layout, row, texts, "struck" if bar.struck else "handled", places)
        if label:
            near = [(x, row.level(level), anchor) for level, x, anchor in places]
            names[bar] = label, near[: 2 * len(spots)], before
    return names


def _write(
    layout: "Layout",
    row: "Row",
    texts: list[str],
    kind: str,
    places: Sequence[Place],
    cut: bool = True,
) -> Label | None:
    """Write the first text that fits near its row; else further off, or with `cut` shortened."""
    spots = [(x, row.level(level), anchor) for level, x, anchor in places]
    near = [spot for spot, place in zip(spots, places, strict=True) if -2 < place[0] < 2]
    label = layout.placer.place(texts, kind, near) if len(near) < len(spots) else None
    if label is None:
        label = layout.placer.place(texts, kind, spots, cut=cut)
    if label and kind == "struck" and label.y == row.y:
        left, _, right, _ = label.extent()
        if any(start <= left and right <= end for start, end in row.outages):
            label.kind = "on span"
    return label

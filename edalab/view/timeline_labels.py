"""The labels of a timeline: first the names of bars, then failures, then remarks and repetitions if room
is left. Tooltips have the rest."""

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from ..text import shorten, text_width
from .axis import Axis
from .bar_names import OVER, Title, lengthen, write_names
from .drawn import Drawn
from .items import Bar, SpanEvent, outage_words
from .scene import Label
from .theme import LABELS

if TYPE_CHECKING:
    from .layout import Layout, Row

_BESIDE_BAR, _BESIDE_MARK = 16, 30  # px from a moment to words next to its bar or mark
_FAR = 60  # px from a mark to words after its bar: further away they would seem to name its end
_ROOM = 260  # px of words after the last moment, at most
_LONG = 560  # px of a mark's words, at most
_TURNS = ("deploy", "join", "restore", "rewind", "skew", "note")  # outside a bar: named first
_SHORT = 300  # px of a mark's words, preferred to only the name of an error
_REMARKS = ("takeover", "deduplicated", "in progress", *_TURNS)
_LEAST = (*range(400, 50, -40), 50)  # px to which a text may be shortened
_BRIEF = re.compile(": | after | from | to ")  # words from here on may be omitted
LevelPlace = tuple[int, int, str]  # level, x and anchor


def place_labels(layout: "Layout") -> None:
    for stretch in layout.drawn.stretches:
        if words := outage_words(stretch):
            row, extent = layout.rows[stretch.service, stretch.replica][0], layout.extent(stretch)
            places = [(n, extent[0] + 6, "start") for n in (0, 1, -1, 2)]
            _write(layout, row, [words], "struck", places, extent)
    marks: defaultdict[str, list[SpanEvent]] = defaultdict(list)
    said: set[tuple[int, str]] = set()
    for event in layout.marks:
        words, others = (layout.row(event).lane, event.words), event.bar.inner if event.bar else ()
        caused = any(other.what in ("no answer", "dead letter") for other in others)
        if event.words and not (event.what == "failed" and caused):  # next to its cause
            turn = event.what in _TURNS and event.bar is None
            what = "turn" if turn else "remark" if event.what in _REMARKS else "news"
            marks["repeated" if words in said else what].append(event)
            said.add(words)
    for event in marks["turn"]:
        _name_mark(layout, event, cut=False)
    names = write_names(layout)
    for event in marks["news"]:
        _name_mark(layout, event)
    for hop in layout.drawn.hops:
        if hop.words:
            x, kind = hop.source.x, "remark" if hop.stop == "unheard" else "struck"
            places = [(-1, x + 26, "start"), (-1, x - 7, "end"), (1, x + 4, "end")]
            places += [(-2, x, "start"), (1, x, "start")]
            row, own = layout.row(hop.source), _own(hop.source)
            _write(layout, row, [hop.words], kind, places, own)
    for event in marks["remark"]:
        _name_mark(layout, event)
    for event in marks["repeated"]:
        _name_mark(layout, event, again=True)
    lengthen(layout.placer, names)


def px_beyond(
    drawn: list[Drawn], titles: dict[Bar, Title], axis: Axis, left: int, right: int
) -> int:
    """The px by which an axis from `left` must be shorter, so that words do not reach beyond `right`.
    Words wider than _ROOM do not count, because they can extend to the left."""
    events = [event for one in drawn for event in one.all_events() if event.words]
    words = {(bar.start, _BESIDE_BAR, text) for bar in titles for text in titles[bar].texts()}
    words |= {(event.time, _BESIDE_MARK, event.words) for event in events}
    more = 0
    for time, beside, text in words:
        x, width = axis.x(time) + beside, text_width(text, 11, True)
        if width <= _ROOM and x + width > right:
            more = max(more, (x + width - right) * (axis.end - left) // max(1, x - left))
    return more


def _own(event: SpanEvent) -> tuple[int, int]:
    """The left and right x of the items to which an event's words refer."""
    if (bar := event.bar) is None:
        return event.x - 7, event.x + 6
    marks = [other.x + 6 for other in bar.inner if other.words]
    return min(bar.span[0], event.x - 7), max([bar.span[1], *marks])


def _name_mark(layout: "Layout", event: SpanEvent, again: bool = False, cut: bool = True) -> None:
    """Write the words of a mark. Words that occur `again` are brief and only near it."""
    text = event.words.partition(":")[0] if again else shorten(event.words, _LONG, 11, True)
    x, beside, last = event.x, event.x, True
    if bar := event.bar:  # after its bar and the marks of that
        others = [one for one in bar.inner if one.words]
        beside = max([bar.x + bar.w, *(one.x for one in others)])
        named = [one.x for one in others if (one.what, event.what) != ("failed", "no answer")]
        last = x >= max(named) and beside - x <= _FAR
    behind = [(0, beside + 11, "start")] * last
    near = [(-1, x - 5, "start"), (-1, x, "middle"), (-1, x + 6, "end")]
    places = behind + near
    for level in (1, 2, -2, 3):
        places += [(level, x - 5, "start"), (level, x + 6, "end")]
    if event.bar is None:
        places.append((0, x - 11, "end"))
    if again or event.what == "takeover":  # there can be many, and they are not important
        places = [place for place in places if -2 < place[0] < 2]
    kind = "remark" if event.what in _REMARKS else "struck"
    if event.what == "refused" and event.bar and event.bar.refuses:
        kind = "compensating"
    texts = [text, shorten(text, _SHORT, 11, True), _BRIEF.split(text)[0]]
    texts = texts[: 1 if event.what in ("note", "lost") else 3]
    row, own = layout.row(event), _own(event)
    if event.what == "dead letter":  # unambiguous places only, and brief rather than far away
        close = [place for place in places if -2 < place[0] < 2]
        for some, where in ((texts[:1], close), (texts[2:], behind), (texts, places)):
            if _write(layout, row, some, kind, where, own, strict=True):
                return
        return
    _write(layout, row, list(dict.fromkeys(texts)), kind, places, own, cut and not again)


def _write(
    layout: "Layout",
    row: "Row",
    texts: list[str],
    kind: str,
    places: list[LevelPlace],
    own: tuple[int, int],
    cut: bool = False,
    strict: bool = False,
) -> Label | None:
    """Write the first text that fits near its row, or else further away. A label above or below other
    items of the row than its `own` is only used if no text fits otherwise, and not at all if
    `strict`. With `cut`, the last text is then shortened."""
    placer, label = layout.placer, None
    for text in texts:
        apart = [place for place in places if _apart(layout, row, text, kind, place, own)]
        for chosen in ([place for place in apart if -2 < place[0] < 2], apart):
            spots = [(x, row.level(level), anchor) for level, x, anchor in chosen]
            label = label or placer.place([text], kind, spots)
    if label is None and not strict:
        spots = [(x, row.level(level), anchor) for level, x, anchor in places]
        if cut:
            brief, bold = texts[-1], LABELS[kind].bold
            texts = [brief, *(shorten(brief, room, 11, bold) for room in _LEAST)]
        label = placer.place(texts, kind, spots)
    if label and kind == "struck" and label.y == row.y:
        left, _, right, _ = label.extent()
        if any(start <= left and right <= end for start, end in row.outages):
            label.kind = "on span"
    return label


def _apart(
    layout: "Layout", row: "Row", text: str, kind: str, place: LevelPlace, own: tuple[int, int]
) -> bool:
    """Whether a label above or below a row covers no item of the row but its own."""
    level, x, anchor = place
    if not level:
        return True
    left, _, right, _ = Label(x, row.y, text, kind, anchor).extent()
    sides = (left + OVER, own[0] - 2), (own[1] + 2, right - OVER)
    return all(layout.placer.taken.free((a, row.y, b, row.y)) for a, b in sides)

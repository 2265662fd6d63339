"""The labels of a timeline: names of bars, then what went wrong, then what is said elsewhere in the
lane, where room is left. The rest stands in the tool-tips."""

from collections import defaultdict
from typing import TYPE_CHECKING

from ..text import shorten, text_width
from .axis import Axis
from .bar_names import Title, lengthen, write_names
from .drawn import Drawn
from .items import Bar, SpanEvent

if TYPE_CHECKING:
    from .layout import Layout, Row

_BESIDE_BAR, _BESIDE_MARK = 16, 30  # px from a moment to words beside what is drawn there
_FAR = 60  # px from a mark to the end of its bar: words behind it would seem to name the end
_ROOM = 260  # px of words that have room behind the last moment, at most
_LONG = 560  # px of the words of a mark, at most
_REMARKS = ("takeover", "deploy", "note", "deduplicated", "in progress")
Place = tuple[int, int, str]  # level, x and anchor


def place_labels(layout: "Layout") -> None:
    names = write_names(layout)
    for stretch in layout.drawn.stretches:
        if stretch.words:
            row, x = layout.rows[stretch.service, stretch.replica][0], layout.extent(stretch)[0] + 6
            _write(layout, row, stretch.words, "struck", [(n, x, "start") for n in (0, 1, -1, 2)])
    marks: defaultdict[str, list[SpanEvent]] = defaultdict(list)
    said: set[tuple[int, str]] = set()
    errors: set[tuple] = set()
    for event in layout.marks:
        words = layout.row(event).lane, event.words
        if event.words and not _repeats(event, errors):
            what = "remark" if event.what in _REMARKS else "news"
            marks["repeated" if words in said else what].append(event)
            said.add(words)
    for event in marks["news"]:
        _name_mark(layout, event)
    for link in layout.drawn.links:
        if link.words:
            x, kind = link.source.x, "remark" if link.stop == "unheard" else "struck"
            places = [(-1, x + 26, "start"), (-1, x - 7, "end"), (1, x + 4, "end")]
            places += [(-2, x, "start"), (1, x, "start")]
            _write(layout, layout.row(link.source), link.words, kind, places)
    for event in marks["remark"]:
        _name_mark(layout, event)
    for event in marks["repeated"]:
        _name_mark(layout, event, again=True)
    lengthen(layout.placer, names)


def px_beyond(
    drawn: list[Drawn], titles: dict[Bar, Title], axis: Axis, left: int, right: int
) -> int:
    """By how many px an axis from `left` on has to be shorter, for words that would reach beyond
    `right`. What is wider than _ROOM reaches back."""
    events = [event for one in drawn for event in one.all_events() if event.words]
    words = {(bar.start, _BESIDE_BAR, text) for bar in titles for text in titles[bar].texts()}
    words |= {(event.time, _BESIDE_MARK, event.words) for event in events}
    more = 0
    for time, beside, text in words:
        x, width = axis.x(time) + beside, text_width(text, 11, True)
        if width <= _ROOM and x + width > right:
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


def _name_mark(layout: "Layout", event: SpanEvent, again: bool = False) -> None:
    """Say what a mark means. What is said `again` is brief, and has only the places near it."""
    text = event.words.partition(":")[0] if again else event.words
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
    if event.what == "refused" and event.bar and event.bar.refuses:
        kind = "compensating"
    _write(layout, layout.row(event), shorten(text, _LONG, 11, True), kind, places, cut=not again)


def _write(
    layout: "Layout", row: "Row", text: str, kind: str, places: list[Place], cut: bool = True
) -> None:
    """Write a text near its row; where there is no room, further off, or with `cut` shortened."""
    spots = [(x, row.level(level), anchor) for level, x, anchor in places]
    near = [spot for spot, place in zip(spots, places, strict=True) if -2 < place[0] < 2]
    label = layout.placer.place([text], kind, near)
    label = label or layout.placer.place([text], kind, spots, cut=cut)
    if label and kind == "struck" and label.y == row.y:
        left, _, right, _ = label.extent()
        if any(start <= left and right <= end for start, end in row.outages):
            label.kind = "on span"

"""The labels of a timeline: names of bars, then what went wrong, then what is said elsewhere in the
lane, where room is left. The rest stands in the tool-tips."""

from collections import defaultdict
from typing import TYPE_CHECKING

from ..text import shorten, text_width
from .axis import Axis
from .bar_names import Title
from .drawn import Drawn
from .items import Bar, SpanEvent
from .labels import ALONG, LabelPlacer
from .scene import Label

if TYPE_CHECKING:
    from .layout import Layout, Row

_BESIDE_BAR, _BESIDE_MARK = 16, 30  # px from a moment to words beside what is drawn there
_FAR = 60  # px from a mark to the end of its bar: words behind it would seem to name the end
_ROOM = 260  # px of words that have room behind the last moment, at most
_LONG = 560  # px of the words of a mark, at most
_OVER = 8  # px of a bar that the name of the one beside it may reach over
_NEXT = 40  # px between two attempts that stand beside each other
_BESIDE_HEAD = 15  # px from the left of a bar to words beside an arrow that goes into it
_REMARKS = ("takeover", "note")
Place = tuple[int, int, str]  # level, x and anchor
Spot = tuple[int, int, str]  # x, y and anchor


def place_labels(layout: "Layout") -> None:
    longer = _name_bars(layout)
    for stretch in layout.drawn.stretches:
        if stretch.words:
            row, x = layout.rows[stretch.service, stretch.replica][0], layout.extent(stretch)[0] + 6
            _write(layout, row, stretch.words, "struck", [(n, x, "start") for n in (0, 1, -1, 2)])
    news: list[SpanEvent] = []
    remarks: list[SpanEvent] = []
    repeated: list[SpanEvent] = []
    said: set[tuple[int, str]] = set()
    errors: set[tuple] = set()
    for event in layout.marks:
        words = layout.row(event).lane, event.words
        if event.words and not _repeats(event, errors):
            remark = event.what in _REMARKS
            (repeated if words in said else remarks if remark else news).append(event)
            said.add(words)
    for event in news:
        _name_mark(layout, event)
    for link in layout.drawn.links:
        if link.words:
            x, kind = link.source.x, "remark" if link.stop == "unheard" else "struck"
            places = [(-1, x + 26, "start"), (-1, x - 7, "end"), (1, x + 4, "end")]
            places += [(-2, x, "start"), (1, x, "start")]
            _write(layout, layout.row(link.source), link.words, kind, places)
    for event in remarks:
        _name_mark(layout, event)
    for event in repeated:
        _name_mark(layout, event, again=True)
    for named in longer:
        _lengthen(layout.placer, named)


def px_beyond(
    drawn: list[Drawn], titles: dict[Bar, Title], axis: Axis, left: int, right: int
) -> int:
    """By how many px an axis from `left` on has to be shorter, for words that would reach beyond
    `right`. What is wider than _ROOM reaches back."""
    words = [
        *((bar.start, _BESIDE_BAR, text) for bar in titles for text in titles[bar].texts()),
        *((event.time, _BESIDE_MARK, event.words) for one in drawn for event in one.all_events()),
    ]
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


def _name_bars(layout: "Layout") -> list[list["_Named"]]:
    """Name each bar where it begins, or where it ends; not over or under another bar of its row,
    and those of a type at one side, if there is room. Return for each type those whose names may
    grow longer, with their labels."""
    rows: defaultdict[Row, list[Bar]] = defaultdict(list)
    for bar in sorted(layout.drawn.bars, key=lambda bar: bar.x):
        rows[layout.row(bar)].append(bar)
    longer: defaultdict[str, list[_Named]] = defaultdict(list)
    for row, bars in rows.items():
        alike: defaultdict[str, list[_Name]] = defaultdict(list)
        for before, bar, after in zip([None, *bars], bars, [*bars[1:], None], strict=False):
            alike[bar.envelope.type].append(_Name(layout, row, before, bar, after))
        for type_, names in alike.items():
            named = zip(names, _write_alike(layout.placer, names), strict=True)
            longer[type_] += [(name, label) for name, label in named if name.may_grow()]
    return list(longer.values())


def _write_alike(placer: LabelPlacer, names: list["_Name"]) -> list[Label | None]:
    """Write the names of the bars of a type in a row where these begin: all above or all below, if
    need be with the first word of the type only; or else each where it has room."""
    tries = [(level, False) for level in (1, 2, -1, -2)]
    if len(names) > 2:
        tries[1:1] = [(level, True) for level in (1, -1)]
    for level, abbreviated in tries:
        if labels := placer.place_all(name.at_level(level, abbreviated) for name in names):
            return [*labels]
    return [name.write(placer) for name in names]


def _lengthen(placer: LabelPlacer, named: list["_Named"]) -> None:
    """Write the long names of the bars of a type in place of the short ones: of all, or of none."""
    short = [label for name, label in named if label and label.text == name.title.short]
    if len(short) < len(named):
        return
    placer.erase(short)
    names = [(name, name.title.long) for name, _ in named]
    if not placer.place_all(([text], name.bar.kind, name.spots(text)) for name, text in names):
        for label in short:
            placer.put(label)


class _Name:
    """The name of a bar between the one before it and the one after it in its row; `texts` are what
    it may say, at best the first."""

    def __init__(
        self, layout: "Layout", row: "Row", before: Bar | None, bar: Bar, after: Bar | None
    ):
        self.row, self.bar, self.title = row, bar, layout.titles[bar]
        self.left = before.x + before.w if before else 0
        self.right = (after.x if after else layout.right) + _OVER
        again = bar.words and before is not None and before.envelope is bar.envelope
        self.texts = [*self.title.outcomes, self.title.short]
        if again:  # beside an attempt of the same message less has to be said
            self.texts += [self.title.brief, bar.words]
            if bar.x - self.left < _NEXT:
                self.texts = [bar.words]

    def may_grow(self) -> bool:
        return self.texts[0] == self.title.short != self.title.long

    def at_level(self, level: int, abbreviated: bool) -> tuple[list[str], str, list[Spot]]:
        """The texts that may begin at the bar in a line of labels; near it, those that end before
        the next bar."""
        x, texts = self.bar.x, self.texts
        if abbreviated and not self.bar.words:
            texts = self.title.shorter[:1]
        if abs(level) == 1:
            texts = [text for text in texts if x + text_width(text, 11, True) <= self.right]
        return texts, self.bar.kind, [(x, self.row.level(level), "start")]

    def spots(self, text: str) -> list[Spot]:
        """Where a text near the bar stays between those beside it: it begins or ends with the bar,
        or stands beside an arrow that goes into it."""
        width, x, end = text_width(text, 11, True), self.bar.x, self.bar.x + self.bar.w
        beside = x + _BESIDE_HEAD
        places = [(x, x, "start"), (end - width, end, "end"), (beside, beside, "start")]
        return [
            (at, self.row.level(level), anchor)
            for left, at, anchor in places
            if self.left <= left and left + width <= self.right
            for level in (1, -1)
        ]

    def write(self, placer: LabelPlacer) -> Label | None:
        """Write the name where there is room for it, rather where the bar begins."""
        x, kind = self.bar.x, self.bar.kind
        for text in self.texts:
            spots = self.spots(text)
            begins = [spot for spot in spots if spot[::2] == (x, "start")]
            label = placer.place([text], kind, begins, ALONG - 1)
            if label := label or placer.place([text], kind, spots):
                return label
        spots = [*((x, self.row.level(level), "start") for level in (2, -2)), *self.spots("")]
        return placer.place([*self.texts, *self.title.shorter], kind, spots, cut=True)


_Named = tuple[_Name, Label | None]


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

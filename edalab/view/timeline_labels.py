"""The labels of a timeline: names of bars, then what went wrong, then what is said elsewhere in the
lane, where room is left. The rest stands in the tool-tips."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

from ..text import shorten, text_width
from .axis import Axis
from .bar_names import Title
from .drawn import Drawn
from .items import Bar, SpanEvent
from .labels import ALONG, ANY, LabelPlacer
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
Longer = tuple[Label | None, str, list[Spot]]  # a label, another text for it, and where to write it


def place_labels(layout: "Layout") -> None:
    longer = _name_bars(layout)
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
    for names in longer:
        layout.placer.rewrite(names)


def px_beyond(
    drawn: list[Drawn], titles: dict[Bar, Title], axis: Axis, left: int, right: int
) -> int:
    """By how many px an axis from `left` on has to be shorter, for words that would reach beyond
    `right`. What is wider than _ROOM reaches back."""
    more = 0
    for one in drawn:
        words = [(bar.start, _BESIDE_BAR, [*titles[bar][:5]]) for bar in one.bars]
        for event in chain(one.events, *(bar.inner for bar in one.bars)):
            words.append((event.time, _BESIDE_MARK, [event.words]))
        for time, beside, texts in words:
            widths = (text_width(text, 11, True) for text in texts)
            x, width = axis.x(time) + beside, max([0, *(w for w in widths if w <= _ROOM)])
            if x + width > right:
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
    if event.what == "refused" and event.bar and event.bar.refuses:
        kind = "compensating"
    _write(layout, row, [shorten(text, _LONG, 11, True)], kind, places, cut=not again)


def _name_bars(layout: "Layout") -> list[list[Longer]]:
    """Name each bar where it begins, or where it ends; not over or under another bar of its row,
    and those of a type at one side, if there is room. Return for each type the longer names."""
    rows: defaultdict[Row, list[Bar]] = defaultdict(list)
    for bar in sorted(layout.drawn.bars, key=lambda bar: bar.x):
        rows[layout.row(bar)].append(bar)
    longer: defaultdict[str, list[Longer]] = defaultdict(list)
    for row, bars in rows.items():
        alike: defaultdict[str, list[_Naming]] = defaultdict(list)
        for before, bar, after in zip([None, *bars], bars, [*bars[1:], None], strict=False):
            alike[bar.envelope.type].append(_Naming(layout, row, before, bar, after))
        for type_, namings in alike.items():
            _write_alike(layout, namings)
            for one in namings:
                name, label = one.name, one.label
                if name.whole == name.short != name.long and name.short in one.texts:
                    fits = label if label and label.text == name.short else None
                    spots = one.spots((1, -1), text_width(name.long, 11, True))
                    longer[type_].append((fits, name.long, spots))
    return list(longer.values())


def _write_alike(layout: "Layout", namings: list["_Naming"]) -> None:
    """Write the names of the bars of a type in a row where these begin: all above or all below, if
    need be with the first word of the type only; or else each where it has room."""
    tries = [(level, False) for level in (1, 2, -1, -2)]
    if len(namings) > 2:
        tries[1:1] = [(level, True) for level in (1, -1)]
    for level, short in tries:
        for one in namings:
            if not one.write(layout.placer, (level,), short):
                break
        else:
            return
        layout.placer.erase([one.label for one in namings if one.label])
        for one in namings:
            one.label = None
    for one in namings:
        if not one.write(layout.placer, (1, -1)):
            places = one.spots((2, -2)) + one.spots((1, -1))
            texts = [*one.texts, *one.name.shorter]
            one.label = layout.placer.place(texts, one.bar.kind, places, cut=True)


class _Naming:
    """A bar between the one before it and the one after it in its row, and its name's label."""

    label: Label | None = None

    def __init__(
        self, layout: "Layout", row: "Row", before: Bar | None, bar: Bar, after: Bar | None
    ):
        self.row, self.bar, self.name = row, bar, layout.titles[bar]
        self.left = before.x + before.w if before else 0
        self.right = after.x if after else layout.right
        again = bar.words and before is not None and before.envelope is bar.envelope
        if again and bar.x - self.left < _NEXT:
            self.texts = [bar.words]
        else:  # beside an attempt of the same message less has to be said
            self.texts = [self.name.whole, self.name.outcome] if bar.outcome else []
            self.texts += [self.name.short] + [self.name.brief, bar.words] * bool(again)

    def spots(self, levels: Sequence[int], width: int = 0) -> list[Spot]:
        """Where its name may begin or end: at its bar, or beside an arrow that goes into it. Near
        the bar those at which a text of this width stays between the bars beside its own."""
        x, end = self.bar.x, self.bar.x + self.bar.w
        places: list[tuple[int, str]] = [(x, "start")]
        if abs(levels[0]) == 1:
            right = self.right + _OVER
            places = [(at, "start") for at in (x, x + _BESIDE_HEAD) if at + width <= right]
            places[1:1] = [(end, "end")] if end - width >= self.left else []
        return [(at, self.row.level(level), side) for at, side in places for level in levels]

    def write(self, placer: LabelPlacer, levels: Sequence[int], short: bool = False) -> bool:
        for text in self.name.shorter[:1] if short and not self.bar.words else self.texts:
            spots = self.spots(levels, text_width(text, 11, True))
            begins = [spot for spot in spots if spot[::2] == (self.bar.x, "start")]
            for places, over in ((begins, ALONG - 1), (spots if len(levels) > 1 else [], ANY)):
                if places and (label := placer.place([text], self.bar.kind, places, over)):
                    self.label = label
                    return True
        return False


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

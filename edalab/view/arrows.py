"""The arrows of a timeline: straight if nothing is in the way, otherwise along the gap between two
lanes. An arrow is a list of corners, which are rounded when it is drawn."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from .items import Bar, Hop, SpanEvent

if TYPE_CHECKING:
    from .layout import Layout, Row

BAR, TRACK = 18, 4  # px: height of a bar, and of an arrow's track in a gap
TRACKS = 5  # at most in a gap
BESIDE = 4  # px between the vertical parts of two messages' arrows
RADIUS = 6  # px of a rounded corner
_FAR = 24  # px from its moment at which an arrow may leave its bar
Corner = tuple[int, int]


def route(layout: "Layout", hop: Hop) -> list[Corner]:
    """The corners of an arrow."""
    source, target, row = hop.source, hop.target, layout.row(hop.source)
    if hop.stop or target is None:
        end = row.y + BAR // 2 + 9
        x, begin = _leave(layout, hop, row, end)
        layout.placer.taken.add((x - 2, end - 1, x + 22, end + 5))
        return [(x, begin), (x, end), (x + 11, end)]
    goal = layout.row(target)
    if row is goal and isinstance(target, Bar) and source.bar is not target:
        begin = 1 + (source.bar.x + source.bar.w if source.bar else source.x + 4)
        if source.what == "failed":
            begin = max(source.x + 8, begin)
        if target.x - begin >= 8 and layout.clear(row, begin, target.x - 2):
            return [(begin, row.y), (target.x, row.y)]
    if row is not goal:
        if isinstance(target, SpanEvent) or target.x - source.x < 14:
            return _into_lane(layout, hop, row, goal, target)
        if layout.clear(goal, source.x + 2, target.x - 2):
            x, begin = _leave(layout, hop, row, goal.y)
            return [(x, begin), (x, goal.y), (target.x, goal.y)]
    return _along_gap(layout, hop, row, goal, target)


def _into_lane(
    layout: "Layout", hop: Hop, row: "Row", goal: "Row", target: Bar | SpanEvent
) -> list[Corner]:
    """The corners of an arrow that runs straight down or up, into the top or bottom of a bar or mark."""
    side = 1 if goal.y > row.y else -1
    on_line = isinstance(target, SpanEvent) and not target.bar
    end = goal.y - side * (6 if on_line else BAR // 2)
    turn = end - 12 * side
    into = layout.column(*_entries(target), turn, end, hop)
    _keep_head(layout, into, goal, side)
    x, begin = _leave(layout, hop, row, turn)
    if x == into:
        return [(x, begin), (x, end)]
    return [(x, begin), (x, turn), (into, turn), (into, end)]


def _along_gap(
    layout: "Layout", hop: Hop, row: "Row", goal: "Row", target: Bar | SpanEvent
) -> list[Corner]:
    """The corners of an arrow along the gap next to the target's lane, into its left or its near side."""
    side, left = 1 if row.lane <= goal.lane else -1, target.x - 12
    beside = isinstance(target, Bar) and layout.clear(goal, left - 3, target.x - 2)
    first, others, end = left, range(left - BESIDE, left, BESIDE), goal.y
    if not beside:
        first, others = _entries(target)
        end = goal.y - side * BAR // 2
    gap = layout.track(goal.lane if side > 0 else goal.lane + 1, hop.source.x, first)
    x, begin = _leave(layout, hop, row, gap)
    into = layout.column(first, others, gap, end, hop)
    corners = [(x, begin), (x, gap), (into, gap), (into, end)]
    if beside:
        return [*corners, (target.x, end)]
    _keep_head(layout, into, goal, side)
    return corners


def _leave(layout: "Layout", hop: Hop, row: "Row", until: int) -> Corner:
    """The point at which an arrow leaves its source vertically, towards the height `until`."""
    source, side = hop.source, 1 if until > row.y else -1
    begin = row.y + side * (BAR // 2 if source.bar else 4)  # at the edge of a bar, or next to a dot
    return layout.column(source.x, _exits(source), begin, until, hop), begin


def _exits(source: SpanEvent) -> Iterator[int]:
    """The alternative x at which an arrow may leave the bar of its source."""
    if bar := source.bar:
        left, right, others = bar.x, bar.x + bar.w, sorted([event.x for event in bar.inner])
        before = [left, *others[: bisect_left(others, source.x)]][-1]
        after = [*others[bisect_right(others, source.x) :], right][0]
        # First between the neighbouring events. Beyond them, and far away, the moment would look wrong.
        near = max(left, source.x - _FAR), min(right, source.x + _FAR)
        for first, last, px in ((before, after, BESIDE), (before, after, 1), (*near, BESIDE)):
            yield from range(source.x + px, last, px)
            yield from range(source.x - px, first, -px)


def _entries(target: Bar | SpanEvent) -> tuple[int, range]:
    """The preferred x at which an arrow enters a target from above or below, and the alternatives."""
    if isinstance(target, SpanEvent):
        return target.x, range(0)
    first = target.x + min(5, target.w // 2)
    return first, range(first + BESIDE, target.x + target.w - 2, BESIDE)


def _keep_head(layout: "Layout", x: int, goal: "Row", side: int) -> None:
    """Keep labels off the head of an arrow that enters a row."""
    y = goal.level(side)
    layout.placer.taken.add((x - 5, y, x + 5, y))


def head(corners: list[Corner]) -> str:
    """The direction of an arrow's head: r, d or u."""
    (_, before), (_, end) = corners[-2:]
    return "r" if before == end else "d" if end > before else "u"


def rounded(corners: list[Corner], radius: int = RADIUS) -> tuple[int, ...]:
    """A path with rounded corners: a start, and three more points for each cubic curve."""
    flat, here = [*corners[0]], corners[0]
    for corner, after in pairwise(corners[1:]):
        enter, leave = _towards(corner, here, radius), _towards(corner, after, radius)
        flat += [*here, *enter, *enter, *corner, *corner, *leave]
        here = leave
    return (*flat, *here, *corners[-1], *corners[-1])


def _towards(corner: Corner, other: Corner, by: int) -> Corner:
    (x, y), (a, b) = corner, other
    length = abs(a - x) + abs(b - y) or 1
    part = min(by, length // 2)
    return x + (a - x) * part // length, y + (b - y) * part // length

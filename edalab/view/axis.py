"""The time axis of a timeline. It is linear if that keeps all moments apart. Otherwise, busy parts
are stretched and long empty parts are cut out, and both are marked.

A run mixes 10 ms hops with 5 s timeouts. To scale, the hops would be one thick line."""

from bisect import bisect_right
from itertools import chain, pairwise
from math import fsum
from operator import mul

from ..text import seconds, text_width
from .scene import Box, Label, Line, Scene

HOP = 16  # px: least gap between two instants, if there is room
_APART = 11  # px between moments that can be distinguished on a linear axis
CUT = 150  # px: greatest width of a gap that is cut
_SLIT = 7  # px of the slit that marks a cut
_LITTLE = 0.06  # share of the axis that may be stretched before a cut is worthwhile
_STRETCHED = 1.2  # times the scale of the least stretched gap: from here on it is marked
_STEPS = (
    *(digit * power for power in (1, 10, 100, 1000) for digit in (1, 2, 5)),
    *(10_000, 20_000, 60_000, 300_000, 600_000, 3_600_000),
)
Gap = tuple[int, int]  # ms from, ms to


class Axis:
    """Maps ms to x. `instants` maps each time at which something happens to the px needed there."""

    def __init__(self, instants: dict[int, int], left: int, right: int):
        self.times = sorted(instants)
        rooms = [instants[time] for time in self.times]
        # The fraction of the needed px that the instants get.
        self.shrunk = min(1.0, 0.6 * (right - left) / (sum(rooms) or 1))
        cut: set[int] = set()
        widths = _linear(self.times, rooms, right - left)
        if widths:  # the needed px fit before the next instant
            rooms, self.shrunk = [0] * len(rooms), 1.0
        else:
            room = right - left - sum(rooms) * self.shrunk
            widths, cut = _widths(self.times, room)
        self.starts: dict[int, float] = {}  # x at which each instant begins
        self.ends: dict[int, float] = {}  # x at which its own px end
        self.cuts: list[Gap] = []
        x, widths = float(left), [*widths, 0.0]
        for number, time in enumerate(self.times):
            self.starts[time] = x
            x += rooms[number] * self.shrunk
            self.ends[time] = x
            x += widths[number]
        self.end = round(x)
        scales: dict[Gap, float] = {}  # px per ms of each gap that is not cut
        for number, (time, later) in enumerate(pairwise(self.times)):
            if number in cut:
                self.cuts.append((time, later))
            else:
                scales[time, later] = (self.starts[later] - self.starts[time]) / (later - time)
        self.stretched = _stretched(scales)
        shown = [later - time for time, later in scales]
        self.scale = fsum(map(mul, shown, scales.values())) / (sum(shown) or 1)

    def x(self, time: int, rank: float = 0) -> int:
        """The x of a time, plus `rank` px for an item that is later in the same instant."""
        if time in self.starts:
            return round(self.starts[time] + rank * self.shrunk)
        if time < self.times[0]:
            return self.x(self.times[0], rank)
        if time > self.times[-1]:
            return self.end
        at = bisect_right(self.times, time)
        before, after = self.times[at - 1], self.times[at]
        if (before, after) in self.cuts:  # within the time that is cut out
            return round(self.ends[before] + self.starts[after]) // 2
        share = (time - before) / (after - before)
        return round(self.ends[before] + share * (self.starts[after] - self.ends[before]))

    def slits(self) -> list[int]:
        """The x of the middle of each cut."""
        return [round(self.ends[start] + self.starts[end]) // 2 for start, end in self.cuts]

    def draw(self, scene: Scene, top: int, bottom: int, right: int, below: int = 14) -> None:
        """Draw the grid and the cuts from `top` to `bottom`, and the times `below` px lower. A cut runs
        through everything that lasts across it. Each thick line marks a part of the axis that is
        stretched by a factor of its own."""
        for middle, (start, end) in zip(self.slits(), self.cuts, strict=True):
            words = f"{seconds(end - start)} left out"
            slit = Box(middle - _SLIT // 2, top, _SLIT, bottom - top, "break", words)
            scene.bars.append(slit)
            ends = text_width(seconds(start), 10) + text_width(seconds(end), 10)
            if text_width(words, 10) + ends // 2 + 16 <= self.starts[end] - self.ends[start]:
                scene.labels.append(Label(middle, bottom + below, words, "axis", "middle", words))
        for start, end in self.stretched:
            x = self.x(start) + 1
            if (width := self.x(end) - 1 - x) > 0:
                tip = f"{seconds(start)} to {seconds(end)}: time is stretched"
                scene.spans.append(Box(x, bottom + 1, width, 3, "stretched", tip))
        draw_times(scene, self.ticks(), (top, bottom, right), below)

    def ticks(self) -> list[tuple[int, str]]:
        """The labels as (x, text): first the ends of the axis, of cuts and of stretched parts, then
        round times."""
        first, last = self.times[0], self.times[-1]
        times = [first, last, *chain(*self.cuts), *chain(*self.stretched)]
        for step in _STEPS:
            if step * self.scale >= 70 and (last - first) // step < 200:
                times += range(-(-first // step) * step, last + 1, step)
                break
        shown = (t for t in dict.fromkeys(times) if not any(a < t < b for a, b in self.cuts))
        return [(self.x(time), seconds(time)) for time in shown]


def draw_times(
    scene: Scene, ticks: list[tuple[int, str]], bounds: tuple[int, int, int], below: int
) -> None:
    """Draw the grid of times within `bounds` (top, bottom, right) and, `below` px lower, the times.
    Only those that have room are drawn, the first ones first. If `below` is 0, draw no times."""
    (top, bottom, right), taken, drawn = bounds, 0, []  # `taken` has a bit for each x
    for x, text in ticks:
        half = text_width(text, 10) // 2
        room = (1 << 2 * half + 9) - 1 << max(0, x - half - 4)
        if not taken & room and x + half < right:
            taken |= room
            drawn.append((x, text, half))
    for x, text, half in sorted(drawn):
        scene.lines.append(Line(x, top, x, bottom, "grid"))
        if below:
            scene.labels.append(Label(max(x, half + 2), bottom + below, text, "axis", "middle"))


def _stretched(scales: dict[Gap, float]) -> list[Gap]:
    """The gaps that are stretched relative to the gap with the fewest px per ms. Adjacent gaps of
    about the same scale are merged."""
    found: list[Gap] = []
    least, before = min(scales.values(), default=1.0), 0.0
    for (time, later), scale in scales.items():
        if scale <= _STRETCHED * least:
            continue
        joins = bool(found) and found[-1][1] == time
        if joins and before / _STRETCHED <= scale <= before * _STRETCHED:
            time, _ = found.pop()
        else:
            before = scale
        found.append((time, later))
    return found


def _linear(times: list[int], rooms: list[int], room: float) -> list[float]:
    """The px of each gap on a linear axis, or none if moments could not be distinguished."""
    if len(times) < 2:
        return []
    scale = (room - rooms[-1]) / (times[-1] - times[0])
    widths = [scale * (later - time) for time, later in pairwise(times)]
    fits = all(width >= max(_APART, need) for width, need in zip(widths, rooms, strict=False))
    return widths if fits else []


def _widths(times: list[int], room: float) -> tuple[list[float], set[int]]:
    """The px of each gap, and the numbers of the gaps that are cut."""
    gaps = [later - time for time, later in pairwise(times)]
    if not gaps:
        return [], set()
    least = min(HOP, 0.6 * room / len(gaps))
    by_length = sorted(range(len(gaps)), key=gaps.__getitem__, reverse=True)
    cut: set[int] = set()
    while True:
        width = min(CUT, 0.4 * room / max(1, len(cut)))
        kept = sorted(gap for number, gap in enumerate(gaps) if number not in cut)
        scale, short = _scale(kept, room - width * len(cut), least)
        if len(cut) == len(gaps) or short * least < _LITTLE * room:
            break  # few gaps have to be stretched
        longest = by_length[len(cut)]
        shorter = [gap for gap in gaps if 2 * gap < gaps[longest]]
        if gaps[longest] * scale < 1.2 * CUT:
            break  # no empty time takes up much of the picture
        if gaps[longest] < 4 * max(shorter, default=gaps[longest]):
            break  # it is not much longer than the others
        cut.add(longest)
    px = (max(least, scale * gap) for gap in gaps)
    widths = [width if number in cut else gap for number, gap in enumerate(px)]
    total = fsum(widths)  # not sum(), which rounds differently since Python 3.12
    return [width * room / total for width in widths], cut


def _scale(gaps: list[int], room: float, least: float) -> tuple[float, int]:
    """The px per ms with which the gaps (shortest first), each at least `least` px, fill the room, and
    the number of gaps that are stretched to `least`."""
    left, total = room, sum(gaps)
    for number, gap in enumerate(gaps):
        if total and gap * left / total >= least:
            return left / total, number
        left, total = max(1.0, left - least), total - gap
    return (left / gaps[-1] if gaps else 1.0), len(gaps)

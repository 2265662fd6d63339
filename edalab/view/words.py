"""Where the words of a timeline stand, and what stands already on the rows of its lanes."""

from collections import defaultdict

from ..text import shorten, text_width
from .drawn import Bar, Event
from .theme import LABELS

BAR, LINE = 18, 15  # px: height of a bar, of a line of words
_SIDE_BY_SIDE = 30  # px between equal marks


class Row:
    """One line of bars of a lane. `taken` says what stands at which level: 0 the bars, 1, 2 … words
    above, -1, -2 … below; `wires` where arrows pass, which words avoid if they can. Each has a byte
    for each px: 1 where something is."""

    def __init__(self, lane: int):
        self.lane, self.y = lane, 0
        self.above, self.below = 1, 0  # lines of words
        self.spans: list[tuple[int, int]] = []
        self.taken: dict[int, bytearray] = defaultdict(bytearray)
        self.wires = {1: bytearray(), -1: bytearray()}  # above and below

    def free(self, level: int, left: int, right: int) -> bool:
        return self.taken[level].find(1, left, right) < 0

    def free_until(self, level: int, left: int, right: int) -> int:
        """How far from `left` on nothing is in the way, at most to `right`."""
        end = self.taken[level].find(1, left, right)
        return right if end < 0 else end

    def unwired(self, level: int, left: int, right: int) -> bool:
        """Whether no arrow passes there."""
        return not level or self.wires[1 if level > 0 else -1].find(1, left, right) < 0

    def clear(self, left: int, right: int) -> bool:
        """Whether an arrow can run along the bars' level."""
        return self.free(0, left, right) and not any(
            start < right and left < end for start, end in self.spans
        )

    def take(self, level: int, left: int, right: int) -> None:
        self.above, self.below = max(self.above, level), max(self.below, -level)
        _fill(self.taken[level], left, right)

    def pass_wire(self, left: int, right: int, above: bool = True, below: bool = True) -> None:
        if above:
            _fill(self.wires[1], left - 2, right + 2)
        if below:
            _fill(self.wires[-1], left - 2, right + 2)


def _fill(pixels: bytearray, left: int, right: int) -> None:
    """Set the bytes from `left` to before `right`, as far as they are within the picture."""
    left = max(left, 0)
    if right > len(pixels):
        pixels += bytes(right)  # more than are needed now: so this is seldom
    if left < right:
        pixels[left:right] = b"\1" * (right - left)


def place_words(plan) -> None:
    """Place the words of what went wrong first, then of what is healthy, where room is left; the
    rest stands in the tool-tips."""
    marks = _together(
        [(event, row) for event, row in plan.marks if event.words and not _repeats(plan, event)]
    )
    for bar in plan.drawn.bars:
        if bar.struck:
            _place_bar(plan, bar, "struck")
    for span in plan.drawn.stretches:
        if span.words and span.service in plan.lane_of and plan.within(span):
            x, row = plan.extent(span)[0] + 6, plan.rows[span.service, span.replica][0]
            places = [(level, x, "start") for level in (0, 1, -1, 2)]
            _place(plan, row, "struck", [span.words], places)
    for event, row, words in marks:
        if event.what not in ("takeover", "note"):
            _place_mark(plan, event, row, words, "struck")
    for link in plan.drawn.links:
        if link.words and plan.row(link.source).lane >= 0:
            x, kind = link.source.x, "remark" if link.stop == "unheard" else "struck"
            places = [(-1, x + 26, "start"), (-1, x - 7, "end"), (1, x + 4, "end")]
            places += [(-2, x, "start"), (1, x, "start")]
            _place(plan, plan.row(link.source), kind, [link.words], places)
    for event, row, words in marks:
        if event.what in ("takeover", "note"):
            _place_mark(plan, event, row, words, "remark")
    for bar in plan.drawn.bars:
        if not bar.struck:
            _place_bar(plan, bar, "handled")


def _together(marks: list[tuple[Event, Row]]) -> list[tuple[Event, Row, str]]:
    """Marks with their words. Of equal ones side by side outside of bars the last has the words of
    all, such as "3× lost"."""
    placed: list[tuple[Event, Row, str]] = []
    times: list[int] = []
    latest: dict[tuple, int] = {}
    for event, row in marks:
        key = id(row), event.what, event.words
        number = latest.get(key)
        near = number is not None and abs(event.x - placed[number][0].x) <= _SIDE_BY_SIDE
        if near and event.bar is None:
            times[number] += 1
            placed[number] = event, row, f"{times[number]}× {event.words}"
        else:
            latest[key] = len(placed)
            placed.append((event, row, event.words))
            times.append(1)
    return placed


def _repeats(plan, event: Event) -> bool:
    """Whether its words only repeat others: an error after its cause, the same error once more."""
    bar = event.bar
    if event.what != "failed" or bar is None:
        return False
    key = (bar.service, bar.id, event.words)
    again = key in plan.spoken
    plan.spoken.add(key)
    return again or any(other.what in ("no answer", "dead letter") for other in bar.inner)


def _place_mark(plan, event: Event, row: Row, words: str, kind: str) -> None:
    x, bar = event.x, event.bar
    beside = x
    if bar:  # words beside it begin behind its bar and what else is marked there
        beside = max([bar.x + bar.w, *(other.x for other in bar.inner if other.words)])
    places = [(0, beside + 11, "start")]
    places += [(-1, x - 5, "start"), (-1, x, "middle"), (-1, x + 6, "end")]
    for level in (1, 2, -2, 3):
        places += [(level, x - 5, "start"), (level, x + 6, "end")]
    if event.what == "takeover":  # there can be many, and they are no trouble
        places = [place for place in places if -2 < place[0] < 2]
    _place(plan, row, kind, [shorten(words, 300, 11, True)], places)


def _place_bar(plan, bar: Bar, kind: str) -> None:
    x, name = bar.x, bar.type
    if bar.words:
        texts = [f"{name}: {bar.words}", bar.words]
    elif bar.subject and len(bar.subject) <= 12:
        texts = [f"{name} {bar.subject}", name]
    else:
        texts = [name]
    ends = ((x, "start"), (x + 12, "start"), (x + bar.w, "end"))
    levels = (1, -1, 2, -2) if kind == "struck" else (1, -1)
    places = [(level, at, anchor) for level in levels for at, anchor in ends]
    _place(plan, plan.row(bar), kind, texts, places)


def _place(plan, row: Row, kind: str, texts: list[str], places) -> None:
    """Put the first text that fits at the first place where it does. Words of what is healthy
    rather give way to arrows."""
    look, first, last = LABELS[kind], plan.left + 4, plan.right - 5
    sizes = [(number, text_width(text, look.size, look.bold)) for number, text in enumerate(texts)]
    fits = []  # each text at each place where it fits, with how good that is: the least is best
    for level, x, anchor in places:
        for number, width in reversed(sizes):  # where the shortest does not fit, no other does
            left = x - {"start": 0, "end": width, "middle": width // 2}[anchor]
            inside = first <= left and left + width <= last
            if not inside or not row.free(level, left - 3, left + width + 3):
                break
            wired = not row.unwired(level, left - 3, left + width + 3)
            order = (number, wired) if kind == "struck" else (wired, number)
            fits.append((order, len(fits), level, left, texts[number]))
    if fits:
        _, _, level, left, text = min(fits)
        return _put(plan, row, level, left, text, kind)
    for level, x, anchor in places:  # shortened, at the first place where some of it is readable
        if anchor == "start":
            end = min(row.free_until(level, x - 3, x + 110), last)
            space = next((space for space in (110, 80, 50) if x + space <= end), 0)
            text = space and shorten(texts[-1], space - 3, look.size, look.bold)
            if text:
                return _put(plan, row, level, x, text, kind)


def _put(plan, row: Row, level: int, x: int, text: str, kind: str) -> None:
    look = LABELS[kind]
    row.take(level, x, x + text_width(text, look.size, look.bold))
    plan.words.append((row, level, x, text, kind))

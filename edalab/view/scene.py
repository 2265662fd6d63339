"""A scene is a picture before it is painted: plain items on a sheet of paper, in pixels from its top left corner.

Everything is decided here, down to the last shortened word, so the two painters have nothing left to differ about.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from ..text import clean, text_width
from .theme import LABELS, MARKS, SHAPES


@dataclass(slots=True)
class Box:
    """A lane, a span of trouble, a handling, a node: a rectangle of a kind."""

    x: int
    y: int
    w: int
    h: int
    kind: str
    tip: str = ""

    def extent(self) -> tuple[int, int, int, int]:
        return self.x, self.y, self.x + self.w, self.y + self.h


@dataclass(slots=True)
class Line:
    """A straight line of the grid, or the cursor's."""

    x1: int
    y1: int
    x2: int
    y2: int
    kind: str
    tip: str = ""

    def extent(self) -> tuple[int, int, int, int]:
        return (
            min(self.x1, self.x2),
            min(self.y1, self.y2),
            max(self.x1, self.x2),
            max(self.y1, self.y2),
        )


@dataclass(slots=True)
class Arrow:
    """A message under way. `points` are x, y of a start and of three more for each cubic curve; `head` is r, l, u, d or
    none."""

    points: tuple[int, ...]
    kind: str
    head: str = "r"
    tip: str = ""
    width: float = 0  # px; 0 means as the kind has it

    def extent(self) -> tuple[int, int, int, int]:
        xs, ys = self.points[::2], self.points[1::2]
        return min(xs), min(ys), max(xs), max(ys)


@dataclass(slots=True)
class Trace:
    """A line from corner to corner: `points` are x, y of each. `text` tells the values in full, to the digest alone."""

    points: tuple[int, ...]
    kind: str
    tip: str = ""
    text: str = ""

    def extent(self) -> tuple[int, int, int, int]:
        xs, ys = self.points[::2], self.points[1::2]
        return min(xs), min(ys), max(xs), max(ys)


@dataclass(slots=True)
class Mark:
    """A sign at a point: each kind has its own shape."""

    x: int
    y: int
    kind: str
    tip: str = ""

    def extent(self) -> tuple[int, int, int, int]:
        points = [point for line in SHAPES[MARKS[self.kind][0]][1] for point in line]
        xs, ys = [x for x, _ in points], [y for _, y in points]
        return self.x + min(xs), self.y + min(ys), self.x + max(xs), self.y + max(ys)


@dataclass(slots=True)
class Label:
    """Words at a place: `y` is the middle of their height, `x` their start, middle or end, as `anchor` says."""

    x: int
    y: int
    text: str
    kind: str
    anchor: str = "start"
    tip: str = ""

    def width(self) -> int:
        look = LABELS[self.kind]
        return text_width(self.text, look.size, look.bold)

    def extent(self) -> tuple[int, int, int, int]:
        width, half = self.width(), (LABELS[self.kind].size + 1) // 2
        left = self.x - {"start": 0, "middle": width // 2, "end": width}[self.anchor]
        return left, self.y - half, left + width, self.y + half


@dataclass
class Scene:
    """What a picture shows, in the order in which it is painted. `shows` says it in one line, `alt` to those who cannot
    see it. Where the picture has time in it, `times` are the instants shown (ms) and `axis` maps them to x."""

    width: int
    height: int
    shows: str = ""
    alt: str = ""
    lanes: list[Box] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    spans: list[Box] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    bars: list[Box] = field(default_factory=list)
    traces: list[Trace] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    cursor: tuple[Line, Box, Label] | None = None
    times: list[int] = field(default_factory=list)
    axis: object = None

    def items(self) -> Iterator[Box | Line | Arrow | Trace | Mark | Label]:
        for layer in (
            self.lanes,
            self.lines,
            self.spans,
            self.arrows,
            self.bars,
            self.traces,
            self.labels,
            self.marks,
            self.cursor or (),
        ):
            yield from layer

    def hash(self) -> str:
        """Eight characters that change when what is shown changes; where exactly an item stands does not count."""
        said = [
            f"{type(item).__name__}|{item.kind}|{item.tip}|{getattr(item, 'text', '')}"
            for item in self.items()
        ]
        return sha256("\n".join(said).encode()).hexdigest()[:8]

    @property
    def digest(self) -> str:
        return f"{clean(self.shows, 400)}; {self.hash()}"

    def __repr__(self) -> str:
        return f"<scene {self.width} x {self.height}: {self.digest}>"


def by_kind(items, looks: dict) -> list[tuple]:
    """(look, items) of each kind, in the order of the kinds' table: what stands later in it is painted above."""
    groups: dict[str, list] = {}
    for item in items:
        groups.setdefault(item.kind, []).append(item)
    return [(look, groups[kind]) for kind, look in looks.items() if kind in groups]

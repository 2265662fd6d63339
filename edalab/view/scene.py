"""A scene is a picture before it is painted: plain items at positions in pixels from the top left
corner. All decisions are made before painting, so that the two painters cannot differ."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import chain

from ..errors import Misuse, shown
from ..text import clean, text_width, wrapped
from .theme import BOXES, LABELS, MARKS, SHAPES

Extent = tuple[int, int, int, int]  # left, top, right, bottom
WIDTH = 840  # px of a picture: a notebook's output next to the list of files, at 1,280 px


@dataclass(slots=True)
class Box:
    """A rectangle, such as a lane, an outage, a span or a node."""

    x: int
    y: int
    w: int
    h: int
    kind: str
    tip: str = ""

    def extent(self) -> Extent:
        return self.x, self.y, self.x + self.w, self.y + self.h


@dataclass(slots=True)
class Line:
    """A straight line, such as one of the grid or the cursor."""

    x1: int
    y1: int
    x2: int
    y2: int
    kind: str
    tip: str = ""

    @property
    def points(self) -> tuple[int, ...]:
        return self.x1, self.y1, self.x2, self.y2


@dataclass(slots=True)
class Arrow:
    """An arrow. `points` are x, y of its start and of three more points for each cubic curve. `head`
    is r, l, u or d for its direction, or "" for none."""

    points: tuple[int, ...]
    kind: str
    head: str = "r"
    tip: str = ""
    width: float = 0  # px, or 0 for the width of its kind


@dataclass(slots=True)
class Polyline:
    """A line through corners. `points` are x, y of each. `text` has all its values, and is used only
    in the digest."""

    points: tuple[int, ...]
    kind: str
    tip: str = ""
    text: str = ""


@dataclass(slots=True)
class Mark:
    """A sign at a point. Each kind has its own shape."""

    x: int
    y: int
    kind: str
    tip: str = ""

    def extent(self) -> Extent:
        _, outline = SHAPES[MARKS[self.kind].shape]
        xs, ys = zip(*chain.from_iterable(outline), strict=True)
        return self.x + min(xs), self.y + min(ys), self.x + max(xs), self.y + max(ys)


@dataclass(slots=True)
class Label:
    """Text at a place. `y` is the middle of its height, `x` its start, middle or end, depending on
    `anchor`."""

    x: int
    y: int
    text: str
    kind: str
    anchor: str = "start"
    tip: str = ""

    def width(self) -> int:
        look = LABELS[self.kind]
        return text_width(self.text, look.size, look.bold)

    def extent(self) -> Extent:
        width, half = self.width(), (LABELS[self.kind].size + 1) // 2
        left = self.x - {"start": 0, "middle": width // 2, "end": width}[self.anchor]
        return left, self.y - half, left + width, self.y + half


Item = Box | Line | Arrow | Polyline | Mark | Label


@dataclass
class Scene:
    """The items of a picture. `shows` is its content in one line, and `alt` its alternative text. If
    the picture has a time axis, `times` are the instants shown (ms) and `axis` maps them to x."""

    width: int
    height: int
    shows: str = ""
    alt: str = ""
    lanes: list[Box] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    spans: list[Box] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    bars: list[Box] = field(default_factory=list)
    polylines: list[Polyline] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    cursor: tuple[Line, Box, Label] | None = None
    times: list[int] = field(default_factory=list)
    axis: object = None

    def __post_init__(self) -> None:
        if isinstance(self.width, bool) or not isinstance(self.width, int) or self.width < 1:
            raise Misuse(f"width= takes pixels, a whole number from 1, not {shown(self.width)}")

    def layers(self) -> Iterator[list]:
        """The items in the order in which they are painted."""
        line, *pill = self.cursor or [None]
        yield from (self.lanes, self.lines, self.spans, self.arrows, self.bars, self.polylines)
        yield from ([line] if line else [], self.labels, self.marks)
        yield from ([item] for item in pill)

    def items(self) -> Iterator[Item]:
        return chain.from_iterable(self.layers())

    def pill(self, x: int, y: int, text: str, kind: str = "pill") -> tuple[Box, Label]:
        """Return text in a pill around a point, moved inwards at the edge of the picture."""
        half = text_width(text, 11, True) // 2 + 8
        x = max(half, min(self.width - half, x))
        return Box(x - half, y - 9, 2 * half, 18, kind), Label(x, y, text, "pill", "middle")

    def set_cursor(self, x: int, top: int, bottom: int, text: str) -> None:
        """Mark a moment with a line from `top` to `bottom`, and with its text in a pill above."""
        self.cursor = Line(x, top, x, bottom, "cursor"), *self.pill(x, top - 8, text)

    def name_cursor(self, x: int, top: int, text: str) -> None:
        """Write at an edge that a moment is beyond it, because the picture does not show that moment."""
        pill, label = self.pill(x, top - 8, f"{text}: not in this part")
        self.bars.append(pill)
        self.labels.append(label)

    def legend(self, meanings: Iterable[tuple[str, str]]) -> list[str]:
        """The meanings, out of pairs (kinds, meaning), whose kinds occur in the scene."""
        # The name of a bar has the bar's kind, and is no bar.
        words = {label.kind for label in self.labels} - BOXES.keys()
        kinds = {item.kind for item in self.items() if not isinstance(item, Label)} | words
        return [meaning for names, meaning in meanings if kinds & set(names.split(", "))]

    def write(
        self, x: int, y: int, right: int, texts: list[str], glue: str = " · ", kind: str = "caption"
    ) -> int:
        """Write texts in lines from `y` down. Return the y of the next line."""
        for line in wrapped(texts, glue, right - x):
            self.labels.append(Label(x, y, line, kind))
            y += 16
        return y

    @property
    def digest(self) -> str:
        """What the picture shows, with eight hex digits that change if its items change. The positions of
        items do not count."""
        items = self.items()
        lines = [f"{type(i).__name__}|{i.kind}|{i.tip}|{getattr(i, 'text', '')}" for i in items]
        code = sha256("\n".join(lines).encode()).hexdigest()[:8]
        return f"{clean(self.shows, 400)}; {code}"

    def __repr__(self) -> str:
        return f"<scene {self.width} x {self.height}: {self.digest}>"

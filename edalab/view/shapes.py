"""The shapes of a scene, from back to front. Both painters paint these shapes, so that their pictures
do not differ."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from . import theme
from .scene import Arrow, Box, Label, Line, Mark, Polyline, Scene
from .theme import BoxLook, LabelLook, MarkLook, StrokeLook


class Path(tuple[tuple[Any, ...], ...]):
    """Lines and curves, each a letter and its numbers, as in an SVG path. It begins with an M."""

    def steps(self) -> str:
        """The path from its first point, in relative SVG commands, which are short."""
        (_, x, y, *rest), *others = self
        text = ""
        for letter, *numbers in (("L", *rest), *others):
            if letter == "C":
                for a, b, c, d, end, to in zip(*[iter(numbers)] * 6, strict=True):
                    if a == x and b == y and ((c == end and d == to) or (c == x and d == y)):
                        text += _line(end - x, to - y)
                    else:
                        text += f"c{a - x} {b - y} {c - x} {d - y} {end - x} {to - y}"
                    x, y = end, to
            elif letter == "L":
                for end, to in zip(*[iter(numbers)] * 2, strict=True):
                    text += _line(end - x, to - y)
                    x, y = end, to
            else:
                by = [number - (y if place % 2 else x) for place, number in enumerate(numbers)]
                text += letter.lower() + " ".join(map(str, by))
                x, y = numbers[-2:] or (x, y)
        return text.replace(" -", "-")


def _line(right: int, down: int) -> str:
    if not down:
        return f"h{right}" if right else ""
    return f"l{right} {down}" if right else f"v{down}"


class Shape(NamedTuple):
    """Paths with the same look, each with the x and y of its origin, and its tooltip or ""."""

    paths: list[tuple[int, int, Path, str]]
    fill: str | None = None
    stroke: StrokeLook | None = None
    opacity: float = 1


class Words(NamedTuple):
    """Labels with the same look."""

    labels: list[Label]
    look: LabelLook


def shapes(scene: Scene) -> Iterator[Shape | Words]:
    """Yield the shapes of a scene. Within a layer, a kind that is later in the theme is painted above."""
    for layer in filter(None, scene.layers()):
        kinds: dict[str, list] = {}
        for item in layer:
            kinds.setdefault(item.kind, []).append(item)
        looks, draw = _KINDS[type(layer[0])]
        for kind, look in looks.items():
            if kind in kinds:
                yield from draw(look, kinds[kind])


def _boxes(look: BoxLook, boxes: list[Box]) -> Iterator[Shape]:
    edge, r = StrokeLook(look.edge, look.width, look.dash) if look.edge else None, look.radius
    placed = [(box.x, box.y, _rectangle(box.w, box.h, r), box.tip) for box in boxes]
    yield Shape(placed, look.fill, edge)
    if look.hatch:
        lines = [line for box in boxes for line in hatching(look.hatch, box.x, box.y, box.w, box.h)]
        placed = [(0, 0, Path([("M", *line)]), "") for line in lines]
        yield Shape(placed, None, StrokeLook(theme.HATCH, 0.8))


@lru_cache(1024)
def _rectangle(w: int, h: int, radius: int) -> Path:
    r = min(radius, w // 2, h // 2)
    if not r:
        return Path((*_outline(((0, 0), (w, 0), (w, h), (0, h))), ("Z",)))
    return Path((
        ("M", r, 0), ("L", w - r, 0), ("Q", w, 0, w, r), ("L", w, h - r), ("Q", w, h, w - r, h),
        ("L", r, h), ("Q", 0, h, 0, h - r), ("L", 0, r), ("Q", 0, 0, r, 0), ("Z",),
    ))  # fmt: skip


def _lines(look: StrokeLook, lines: Sequence[Line | Polyline]) -> Iterator[Shape]:
    yield Shape([(0, 0, Path([("M", *line.points)]), line.tip) for line in lines], None, look)


def _arrows(look: StrokeLook, arrows: list[Arrow]) -> Iterator[Shape]:
    for width in sorted({arrow.width for arrow in arrows}):
        alike = [arrow for arrow in arrows if arrow.width == width]
        curves = [Path((("M", *one.points[:2]), ("C", *one.points[2:]))) for one in alike]
        placed = [(0, 0, path, one.tip) for path, one in zip(curves, alike, strict=True)]
        yield Shape(placed, None, look._replace(width=width or look.width))
    ends = [(*arrow.points[-2:], _HEADS[arrow.head], "") for arrow in arrows if arrow.head]
    yield Shape(ends, look.colour)  # pyrefly: ignore[bad-argument-type]


def _marks(look: MarkLook, marks: list[Mark]) -> Iterator[Shape]:
    filled, outlines = theme.SHAPES[look.shape]
    path = Path(line for outline in outlines for line in _outline(outline))
    placed = [(mark.x, mark.y, path, mark.tip) for mark in marks]
    yield Shape(placed, look.colour) if filled else Shape(placed, None, StrokeLook(look.colour, 2))


def _outline(corners: Sequence[tuple[int, int]]) -> Path:
    return Path(("L" if number else "M", *corner) for number, corner in enumerate(corners))


_HEADS = {way: _outline(corners) for way, corners in theme.HEADS.items()}


def _labels(look: LabelLook, labels: list[Label]) -> Iterator[Shape | Words]:
    if look.ground:
        extents = [label.extent() for label in labels]
        grounds = [(a, b, _rectangle(c - a, d - b, 0), "") for a, b, c, d in extents]
        yield Shape(grounds, look.ground, None, 0.85)
    yield Words(labels, look)


_KINDS: dict[type, tuple[dict[str, Any], Callable[[Any, list], Iterator[Shape | Words]]]] = {
    Box: (theme.BOXES, _boxes),
    Line: (theme.LINES, _lines),
    Polyline: (theme.LINES, _lines),
    Arrow: (theme.ARROWS, _arrows),
    Mark: (theme.MARKS, _marks),
    Label: (theme.LABELS, _labels),
}


def hatching(hatch: str, x: int, y: int, w: int, h: int) -> list[tuple[int, int, int, int]]:
    """The strokes of a hatched box, as (x1, y1, x2, y2) inside it. The painters' own hatchings are not
    used, because they differ."""
    if hatch == "upright":
        return [(at, y, at, y + h) for at in range(x + 4, x + w, 6)]
    strokes = []
    for start in range(x - h + 4, x + w, 7):  # each stroke rises by h over h px
        left, right = max(start, x), min(start + h, x + w)
        if right > left:
            strokes.append((left, y + h - (left - start), right, y + h - (right - start)))
    return strokes

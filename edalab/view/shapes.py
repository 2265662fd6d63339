"""The shapes of a scene, from back to front. Both painters paint these shapes, so that their pictures
do not differ."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from . import theme
from .scene import Arrow, Box, Label, Line, Mark, Polyline, Scene
from .theme import BoxLook, LabelLook, MarkLook, StrokeLook

Path = tuple[str | int, ...]  # letters and numbers, as in an SVG path


class Shape(NamedTuple):
    """Paths with the same look, each with its tooltip or ""."""

    paths: list[tuple[Path, str]]
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
    edge = StrokeLook(look.edge, look.width, look.dash) if look.edge else None
    yield Shape([(_rectangle(box, look.radius), box.tip) for box in boxes], look.fill, edge)
    if look.hatch:
        lines = [line for box in boxes for line in hatching(look.hatch, box.x, box.y, box.w, box.h)]
        yield Shape([(("M", *line), "") for line in lines], None, StrokeLook(theme.HATCH, 0.8))


def _rectangle(box: Box, radius: int) -> Path:
    left, top, right, bottom = box.extent()
    r = min(radius, box.w // 2, box.h // 2)
    if not r:
        return ("M", left, top, right, top, right, bottom, left, bottom, "Z")
    return (
        *("M", left + r, top, right - r, top, "Q", right, top, right, top + r),
        *("L", right, bottom - r, "Q", right, bottom, right - r, bottom),
        *("L", left + r, bottom, "Q", left, bottom, left, bottom - r),
        *("L", left, top + r, "Q", left, top, left + r, top, "Z"),
    )


def _lines(look: StrokeLook, lines: Sequence[Line | Polyline]) -> Iterator[Shape]:
    yield Shape([(("M", *line.points), line.tip) for line in lines], None, look)


def _arrows(look: StrokeLook, arrows: list[Arrow]) -> Iterator[Shape]:
    for width in sorted({arrow.width for arrow in arrows}):
        paths: list[tuple[Path, str]] = [
            (("M", *arrow.points[:2], "C", *arrow.points[2:]), arrow.tip)
            for arrow in arrows
            if arrow.width == width
        ]
        yield Shape(paths, None, look._replace(width=width or look.width))
    ends = [(theme.HEADS[arrow.head], *arrow.points[-2:]) for arrow in arrows if arrow.head]
    yield Shape([(_moved(*end), "") for end in ends], look.colour)


def _marks(look: MarkLook, marks: list[Mark]) -> Iterator[Shape]:
    filled, outlines = theme.SHAPES[look.shape]
    paths = []
    for mark in marks:
        parts = [part for outline in outlines for part in _moved(outline, mark.x, mark.y)]
        paths.append((tuple(parts), mark.tip))
    yield Shape(paths, look.colour) if filled else Shape(paths, None, StrokeLook(look.colour, 2))


def _moved(corners: Sequence[tuple[int, int]], x: int, y: int) -> Path:
    return ("M", *[number for a, b in corners for number in (x + a, y + b)])


def _labels(look: LabelLook, labels: list[Label]) -> Iterator[Shape | Words]:
    if look.ground:
        boxes = [Box(a, b, c - a, d - b, "") for a, b, c, d in (each.extent() for each in labels)]
        yield Shape([(_rectangle(box, 0), "") for box in boxes], look.ground, None, 0.85)
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

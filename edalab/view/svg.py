"""A scene painted as an SVG string: only strings are joined, so a slider can ask for a new one at
every move."""

from collections.abc import Callable, Sequence

from .scene import Arrow, Box, Label, Line, Mark, Scene, Trace
from .theme import (
    FONT,
    HATCH,
    HEADS,
    PAPER,
    SHAPES,
    BoxLook,
    LabelLook,
    MarkLook,
    StrokeLook,
    hatching,
)  # fmt: skip


def escape(text: str) -> str:
    """Text that is safe between tags and inside quotes."""
    for char, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        if char in text:
            text = text.replace(char, entity)
    return text


def paint(scene: Scene) -> str:
    """The scene as one self-contained `<svg>` element of the scene's own size: no ids, no style
    sheet, nothing that could clash on a page."""
    width, height = scene.width, scene.height
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" style="background:{PAPER}" role="img" '
        f'font-family="{FONT}, Verdana, sans-serif" aria-label="{escape(scene.alt)}">'
    ]
    for look, items in scene.groups():
        parts += _PAINTERS[type(items[0])](look, items)
    parts.append("</svg>")
    return "".join(parts)


def _stroke(colour: str, width: float, dash: tuple[int, int] | None = None) -> str:
    dashes = f' stroke-dasharray="{dash[0]} {dash[1]}"' if dash else ""
    return f' stroke="{colour}" stroke-width="{width:g}"{dashes}'


def _group(attributes: str, outlines: Sequence[tuple[str, str]]) -> list[str]:
    """Paths with their tool-tips. Those without one are a single element, for elements are what
    takes a browser its time."""
    silent = "".join([path for path, tip in outlines if not tip])
    parts = [f"<g{attributes}>"]
    parts += [
        f'<path d="{path}"><title>{escape(tip)}</title></path>' for path, tip in outlines if tip
    ]
    return [*parts, f'<path d="{silent}"/></g>' if silent else "</g>"]


def _boxes(look: BoxLook, boxes: list[Box]) -> list[str]:
    edge = _stroke(look.edge, look.width, look.dash) if look.edge else ""
    outlines = [(_outline(box, look.radius), box.tip) for box in boxes]
    parts = _group(f' fill="{look.fill}"{edge}', outlines)
    if look.hatch:
        lines = [line for box in boxes for line in hatching(look.hatch, box.x, box.y, box.w, box.h)]
        strokes = "".join([f"M{a} {b}L{c} {d}" for a, b, c, d in lines])
        parts += _group(f'{_stroke(HATCH, 0.8)} pointer-events="none"', [(strokes, "")])
    return parts


def _outline(box: Box, radius: int) -> str:
    x, y, w, h = box.x, box.y, box.w, box.h
    if not radius:
        return f"M{x} {y}h{w}v{h}h{-w}z"
    r = min(radius, w // 2, h // 2)
    right, down, arc = w - 2 * r, h - 2 * r, f"a{r} {r} 0 0 1 "
    corners = (
        f"h{right}{arc}{r} {r}v{down}{arc}{-r} {r}h{-right}{arc}{-r} {-r}v{-down}{arc}{r} {-r}z"
    )
    return f"M{x + r} {y}{corners}"


def _lines(look: StrokeLook, lines: Sequence[Line | Trace]) -> list[str]:
    outlines = [(f"M{' '.join(map(str, line.points))}", line.tip) for line in lines]
    return _group(f' fill="none"{_stroke(*look)}', outlines)


def _arrows(look: StrokeLook, arrows: list[Arrow]) -> list[str]:
    parts, heads = [f'<g fill="none"{_stroke(*look)}>'], ""
    for arrow in arrows:
        points = arrow.points
        width = f' stroke-width="{arrow.width:g}"' if arrow.width else ""
        path = f"M{points[0]} {points[1]}C" + " ".join(map(str, points[2:]))
        parts.append(f'<path d="{path}"{width}><title>{escape(arrow.tip)}</title></path>')
        heads += _polygon(points[-2], points[-1], HEADS[arrow.head]) if arrow.head else ""
    return [*parts, f'</g><path d="{heads}" fill="{look.colour}"/>']


def _marks(look: MarkLook, marks: list[Mark]) -> list[str]:
    filled, outline = SHAPES[look.shape]
    paint = f' fill="{look.colour}"' if filled else f' fill="none"{_stroke(look.colour, 2)}'
    outlines = [
        ("".join([_polygon(mark.x, mark.y, line) for line in outline]), mark.tip) for mark in marks
    ]
    return _group(paint, outlines)


def _polygon(x: int, y: int, corners: Sequence[tuple[int, int]]) -> str:
    return "M" + " ".join([f"{x + a} {y + b}" for a, b in corners])


def _labels(look: LabelLook, labels: list[Label]) -> list[str]:
    parts = []
    if look.ground:
        grounds = [label.extent() for label in labels]
        paths = [f"M{a} {b} {c} {b} {c} {d} {a} {d}z" for a, b, c, d in grounds]
        opacity = 'fill-opacity="0.85" pointer-events="none"'
        parts = _group(f' fill="{look.ground}" {opacity}', [("".join(paths), "")])
    weight = ' font-weight="bold"' if look.bold else ""
    parts.append(f'<g fill="{look.colour}" font-size="{look.size}"{weight}>')
    for label in labels:
        anchor = f' text-anchor="{label.anchor}"' if label.anchor != "start" else ""
        # The words keep their room where another font must stand in. Odd characters were measured
        # too wide.
        length = f' textLength="{label.width()}"' if label.text.isascii() else ""
        tip = f"<title>{escape(label.tip)}</title>" if label.tip else ""
        start = f'<text x="{label.x}" y="{label.y + look.size * 36 // 100}"{length}{anchor}>'
        parts.append(f"{start}{tip}{escape(label.text)}</text>")
    return [*parts, "</g>"]


_PAINTERS: dict[type, Callable[..., list[str]]] = {
    Box: _boxes,
    Line: _lines,
    Trace: _lines,
    Arrow: _arrows,
    Mark: _marks,
    Label: _labels,
}

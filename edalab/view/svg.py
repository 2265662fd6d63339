"""A scene painted as an SVG string: only strings are joined, so a slider can ask for a new one at every move."""

from .scene import Arrow, Box, Label, Line, Mark, Scene, Trace, by_kind
from .theme import ARROWS, BOXES, FONT, HATCH, LABELS, LINES, MARKS, SHAPES, hatching

_HEADS = {"r": "l-8-4v8z", "l": "l8-4v8z", "d": "l-4-8h8z", "u": "l-4 8h8z"}
_SHAPES = {  # as paths relative to their middle: "m x y" moves there first
    name: "".join("m{} {}l{}".format(*line[0], " ".join(f"{x - a} {y - b}" for (a, b), (x, y) in zip(line, line[1:])))
                  + "m{} {}".format(-line[-1][0], -line[-1][1]) for line in lines)
    for name, (_, lines) in SHAPES.items()
}  # fmt: skip


def escape(text: str) -> str:
    """Text that is safe between tags and inside quotes."""
    if "&" in text or "<" in text or ">" in text or '"' in text:
        text = (
            text.replace("&", "&amp;")
            .replace("<", "&lt;")
            .replace(">", "&gt;")
            .replace('"', "&quot;")
        )
    return text


def paint(scene: Scene) -> str:
    """The scene as one self-contained `<svg>` element: no ids, no style sheet, nothing that could clash on a page."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {scene.width} {scene.height}" width="{scene.width}" '
        f'height="{scene.height}" style="max-width:100%;height:auto;background:#fff" role="img" '
        f'font-family="{FONT}, Verdana, sans-serif" aria-label="{escape(scene.alt)}">'
    ]
    parts += _boxes(scene.lanes)
    parts += _lines(scene.lines)
    parts += _boxes(scene.spans)
    parts += _arrows(scene.arrows)
    parts += _boxes(scene.bars)
    parts += _traces(scene.traces)
    if scene.cursor:
        parts += _lines(scene.cursor[:1])
    parts += _labels(scene.labels)
    parts += _marks(scene.marks)
    if scene.cursor:
        parts += _boxes(scene.cursor[1:2])
        parts += _labels(scene.cursor[2:])
    parts.append("</svg>")
    return "".join(parts)


def _stroke(colour: str, width: float, dash) -> str:
    return f' stroke="{colour}" stroke-width="{width:g}"' + (
        f' stroke-dasharray="{dash[0]} {dash[1]}"' if dash else ""
    )


def _titled(tag: str, attributes: str, tip: str) -> str:
    return (
        f"<{tag} {attributes}><title>{escape(tip)}</title></{tag}>"
        if tip
        else f"<{tag} {attributes}/>"
    )


def _boxes(boxes: list[Box]) -> list[str]:
    parts = []
    for look, group in by_kind(boxes, BOXES):
        rounding = f' rx="{look.radius}"' if look.radius else ""
        parts.append(
            f'<g fill="{look.fill}"{_stroke(look.edge, look.width, look.dash) if look.edge else ""}>'
        )
        silent = []  # without a tool-tip: all in one path, for a browser takes most of its time for elements
        for box in group:
            if not (box.tip or rounding or look.hatch):
                silent.append(_outline(box.x, box.y, box.w, box.h))
                continue
            parts.append(
                _titled(
                    "rect",
                    f'x="{box.x}" y="{box.y}" width="{box.w}" height="{box.h}"{rounding}',
                    box.tip,
                )
            )
            if look.hatch:
                strokes = "".join(
                    f"M{a} {b}L{c} {d}"
                    for a, b, c, d in hatching(look.hatch, box.x, box.y, box.w, box.h)
                )
                parts.append(
                    f'<path d="{strokes}" fill="none" stroke="{HATCH}" stroke-width="0.8" pointer-events="none"/>'
                )
        parts.append(f'<path d="{"".join(silent)}"/></g>' if silent else "</g>")
    return parts


def _outline(x: int, y: int, width: int, height: int) -> str:
    return f"M{x} {y}h{width}v{height}h{-width}z"


def _lines(lines: list[Line]) -> list[str]:
    parts = []
    for look, group in by_kind(lines, LINES):
        path = "".join(f"M{line.x1} {line.y1}L{line.x2} {line.y2}" for line in group)
        parts.append(f'<path d="{path}" fill="none"{_stroke(*look)}/>')
    return parts


def _arrows(arrows: list[Arrow]) -> list[str]:
    parts = []
    for look, group in by_kind(arrows, ARROWS):
        parts.append(f'<g fill="none"{_stroke(*look)}>')
        heads = []
        for arrow in group:
            points = arrow.points
            width = f' stroke-width="{arrow.width:g}"' if arrow.width else ""
            d = "M%d %dC" % points[:2] + " ".join(map(str, points[2:]))
            parts.append(f'<path d="{d}"{width}><title>{escape(arrow.tip)}</title></path>')
            if arrow.head:
                heads.append(f"M{points[-2]} {points[-1]}{_HEADS[arrow.head]}")
        parts.append(f'</g><path d="{"".join(heads)}" fill="{look.colour}"/>')
    return parts


def _traces(traces: list[Trace]) -> list[str]:
    parts = []
    for look, group in by_kind(traces, LINES):
        parts.append(f'<g fill="none"{_stroke(*look)}>')
        parts += [
            _titled("path", f'd="M{" ".join(map(str, trace.points))}"', trace.tip)
            for trace in group
        ]
        parts.append("</g>")
    return parts


def _marks(marks: list[Mark]) -> list[str]:
    parts = []
    for (shape, colour), group in by_kind(marks, MARKS):
        filled = SHAPES[shape][0]
        parts.append(
            f'<g fill="{colour}">'
            if filled
            else f'<g fill="none" stroke="{colour}" stroke-width="2">'
        )
        parts += [
            _titled("path", f'd="M{mark.x} {mark.y}{_SHAPES[shape]}"', mark.tip) for mark in group
        ]
        parts.append("</g>")
    return parts


def _labels(labels: list[Label]) -> list[str]:
    parts = []
    for look, group in by_kind(labels, LABELS):
        if look.ground:
            extents = (label.extent() for label in group)
            grounds = "".join(
                _outline(left, top, right - left, bottom - top)
                for left, top, right, bottom in extents
            )
            parts.append(
                f'<path d="{grounds}" fill="{look.ground}" fill-opacity="0.85" pointer-events="none"/>'
            )
        weight = ' font-weight="bold"' if look.bold else ""
        parts.append(f'<g fill="{look.colour}" font-size="{look.size}"{weight}>')
        for label in group:
            anchor = f' text-anchor="{label.anchor}"' if label.anchor != "start" else ""
            # The words keep their room where another font must stand in; odd characters were measured too wide.
            length = f' textLength="{label.width()}"' if label.text.isascii() else ""
            tip = f"<title>{escape(label.tip)}</title>" if label.tip else ""
            parts.append(f'<text x="{label.x}" y="{label.y + look.size * 36 // 100}"{length}{anchor}>'
                         f"{tip}{escape(label.text)}</text>")  # fmt: skip
        parts.append("</g>")
    return parts

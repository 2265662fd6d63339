"""The painter of SVG strings. It only joins strings, so that it is fast enough for a new picture at each
move of a slider."""

from html import escape

from .scene import Scene
from .shapes import Shape, Words, shapes
from .theme import FONT, PAPER


def paint(scene: Scene) -> str:
    """Return a scene as one self-contained `<svg>` element of the scene's size, without ids and style
    sheets, which could clash on a page."""
    width, height = scene.width, scene.height
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" style="background:{PAPER}" role="img" '
        f'font-family="{FONT}, Verdana, sans-serif" aria-label="{escape(scene.alt)}">'
    ]
    for shape in shapes(scene):
        parts += _words(shape) if isinstance(shape, Words) else _paths(shape)
    return "".join([*parts, "</svg>"])


def _paths(shape: Shape) -> list[str]:
    """The elements of paths, with their tooltips. Paths without one share an element, because elements
    are slow in a browser. That element lets the pointer through to elements with tooltips."""
    group = f'<g fill="{shape.fill or "none"}"'
    if shape.stroke:
        colour, width, dash = shape.stroke
        group += f' stroke="{colour}" stroke-width="{width:g}"'
        group += f' stroke-dasharray="{dash[0]} {dash[1]}"' if dash else ""
    group += f' fill-opacity="{shape.opacity:g}"' if shape.opacity < 1 else ""
    parts, silent = [f"{group}>"], ""
    known: dict[int, tuple] = {}  # by path: boxes of the same size share theirs
    for x, y, path, tip in shape.paths:
        if (begun := known.get(id(path))) is None:
            begun = known[id(path)] = *path[0][1:3], path.steps()
        right, down, steps = begun
        d = f"M{x + right} {y + down}{steps}"
        if tip:
            parts.append(f'<path d="{d}"><title>{escape(tip, quote=False)}</title></path>')
        else:
            silent += d
    return [*parts, f'<path d="{silent}" pointer-events="none"/></g>' if silent else "</g>"]


def _words(words: Words) -> list[str]:
    look = words.look
    weight = ' font-weight="bold"' if look.bold else ""
    parts = [f'<g fill="{look.colour}" font-size="{look.size}"{weight}>']
    for label in words.labels:
        anchor = f' text-anchor="{label.anchor}"' if label.anchor != "start" else ""
        # Keeps the width of the text if the browser uses another font. The width of non-ASCII text
        # is overestimated.
        length = f' textLength="{label.width()}"' if label.text.isascii() else ""
        tip = f"<title>{escape(label.tip, quote=False)}</title>" if label.tip else ""
        start = f'<text x="{label.x}" y="{label.y + look.size * 36 // 100}"{length}{anchor}>'
        parts.append(f"{start}{tip}{escape(label.text, quote=False)}</text>")
    return [*parts, "</g>"]

"""A scene painted as an SVG string: only strings are joined, so a slider can ask for a new one at
every move."""

from html import escape

from .scene import Scene
from .shapes import Shape, Words, shapes
from .theme import FONT, PAPER


def paint(scene: Scene) -> str:
    """The scene as one self-contained `<svg>` element of the scene's own size: no ids, no style
    sheet, nothing that could clash on a page."""
    width, height = scene.width, scene.height
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" style="background:{PAPER}" role="img" '
        f'font-family="{FONT}, Verdana, sans-serif" aria-label="{escape(scene.alt)}">'
    ]
    texts = _Texts()
    for shape in shapes(scene):
        parts += _words(shape) if isinstance(shape, Words) else _paths(shape, texts)
    return "".join([*parts, "</svg>"])


class _Texts(dict):
    """The text of a number or a letter: in a picture the same ones come again and again."""

    def __missing__(self, value: str | int) -> str:
        return self.setdefault(value, str(value))


def _paths(shape: Shape, texts: _Texts) -> list[str]:
    """Paths with their tool-tips. Those without one are a single element, for elements are what
    takes a browser its time; and they let the pointer through to what has one."""
    group = f'<g fill="{shape.fill or "none"}"'
    if shape.stroke:
        colour, width, dash = shape.stroke
        group += f' stroke="{colour}" stroke-width="{width:g}"'
        group += f' stroke-dasharray="{dash[0]} {dash[1]}"' if dash else ""
    group += f' fill-opacity="{shape.opacity:g}"' if shape.opacity < 1 else ""
    parts, silent = [f"{group}>"], ""
    for path, tip in shape.paths:
        d = " ".join(map(texts.__getitem__, path))
        if tip:
            parts.append(f'<path d="{d}"><title>{escape(tip)}</title></path>')
        else:
            silent += d
    return [*parts, f'<path d="{silent}" pointer-events="none"/></g>' if silent else "</g>"]


def _words(words: Words) -> list[str]:
    look = words.look
    weight = ' font-weight="bold"' if look.bold else ""
    parts = [f'<g fill="{look.colour}" font-size="{look.size}"{weight}>']
    for label in words.labels:
        anchor = f' text-anchor="{label.anchor}"' if label.anchor != "start" else ""
        # The words keep their room where another font must stand in. Odd characters were measured
        # too wide.
        length = f' textLength="{label.width()}"' if label.text.isascii() else ""
        tip = f"<title>{escape(label.tip)}</title>" if label.tip else ""
        start = f'<text x="{label.x}" y="{label.y + look.size * 36 // 100}"{length}{anchor}>'
        parts.append(f"{start}{tip}{escape(label.text)}</text>")
    return [*parts, "</g>"]

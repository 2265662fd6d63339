"""A scene painted by matplotlib, for saved outputs and papers: one collection per kind, and no pyplot.

Words are drawn as outlines, each letter made once: matplotlib's own text takes longer than all the rest of a picture.
"""

from functools import cache
from io import BytesIO

from .scene import Label, Scene, by_kind
from .theme import (
    ARROWS,
    BOXES,
    FONT,
    HATCH,
    LABELS,
    LINES,
    MARKS,
    PAPER,
    SHAPES,
    hatching,
    palette,
)

DPI = 100  # a scene's pixel is a pixel of the figure; figures are saved at SCALE times that
SCALE = 1.5
_HEADS = {
    "r": ((0, 0), (-8, -4), (-8, 4)),
    "l": ((0, 0), (8, -4), (8, 4)),
    "d": ((0, 0), (-4, -8), (4, -8)),
    "u": ((0, 0), (-4, 8), (4, 8)),
}


def paint(scene: Scene, ax=None):
    """The scene in a new Figure, or in the axes given, which take on its proportions."""
    from matplotlib.figure import Figure
    from matplotlib.transforms import Affine2D

    if ax is None:  # straight on the figure: axes would cost a sixth of the time and show nothing
        figure = Figure(figsize=(scene.width / DPI, scene.height / DPI), dpi=DPI, facecolor=PAPER)
        place = (
            Affine2D().scale(1 / scene.width, -1 / scene.height).translate(0, 1)
            + figure.transFigure
        )
        painter = _Painter(figure, place, 1.0)
    else:
        figure = ax.figure
        ax.set(xlim=(0, scene.width), ylim=(scene.height, 0), aspect="equal")
        ax.set_axis_off()
        box, (width, height) = ax.get_position(original=True), figure.get_size_inches()
        painter = _Painter(
            ax,
            ax.transData,
            min(box.width * width / scene.width, box.height * height / scene.height) * DPI,
        )
    painter.paint(scene)
    return figure


def png(scene: Scene) -> bytes:
    """The scene as a PNG of SCALE times its size, in the palette of the pictures."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image  # matplotlib's own way of writing PNGs

    figure = paint(scene)
    figure.set_dpi(DPI * SCALE)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    colours = Image.new("P", (1, 1))
    saga = any(item.kind in ("compensation", "undo", "final") for item in scene.items())
    colours.putpalette([value for colour in palette(saga, bool(scene.traces)) for value in colour])
    painted = Image.frombuffer(
        "RGBA", canvas.get_width_height(), canvas.buffer_rgba(), "raw", "RGBA", 0, 1
    )
    image = painted.convert("RGB").quantize(palette=colours, dither=Image.Dither.NONE)
    out = BytesIO()
    image.save(out, format="png", compress_level=6)
    return out.getvalue()


class _Painter:
    """Adds the layers of a scene to a figure or to axes, each above the one before."""

    def __init__(self, host, place, scale: float):
        self.host, self.place, self.layer = host, place, 0
        self.points = scale * 72 / DPI  # of a pixel: matplotlib gives line widths in points

    def paint(self, scene: Scene) -> None:
        self.boxes(scene.lanes)
        self.lines(scene.lines)
        self.boxes(scene.spans)
        self.arrows(scene.arrows)
        self.boxes(scene.bars)
        self.traces(scene.traces)
        if scene.cursor:
            self.lines(scene.cursor[:1])
        self.labels(scene.labels)
        self.marks(scene.marks)
        if scene.cursor:
            self.boxes(scene.cursor[1:2])
            self.labels(scene.cursor[2:])

    def add(self, artist) -> None:
        self.layer += 1
        artist.set(zorder=self.layer, transform=self.place)
        self.host.add_artist(artist)

    def paths(
        self,
        paths,
        fill: str = "none",
        edge: str = "none",
        width=0.0,
        dash=None,
        alpha: float | None = None,
    ) -> None:
        """Outlines, filled or drawn; `width` in px, or one for each path."""
        from matplotlib.collections import PathCollection

        if not paths:
            return
        widths = (
            [w * self.points for w in width] if isinstance(width, list) else width * self.points
        )
        unit = width[0] if isinstance(width, list) else width
        style = (
            (0, tuple(length / unit for length in dash)) if dash else "solid"
        )  # dashes count in line widths
        self.add(
            PathCollection(
                paths,
                facecolors=fill,
                edgecolors=edge,
                linewidths=widths,
                linestyles=[style],
                alpha=alpha,
            )
        )

    def strokes(self, lines, colour: str, width: float, dash=None) -> None:
        from matplotlib.path import Path

        self.paths([Path(line) for line in lines], edge=colour, width=width, dash=dash)

    def polygons(self, polygons, colour: str, alpha: float | None = None) -> None:
        from matplotlib.path import Path

        self.paths([Path(polygon) for polygon in polygons], fill=colour, alpha=alpha)

    def boxes(self, boxes) -> None:
        for look, group in by_kind(boxes, BOXES):
            paths = [
                _rounded(box.x, box.y, box.w, box.h, min(look.radius, box.w // 2, box.h // 2))
                for box in group
            ]
            self.paths(paths, look.fill, look.edge or "none", look.width, look.dash)
            if look.hatch:
                lines = [
                    line
                    for box in group
                    for line in hatching(look.hatch, box.x, box.y, box.w, box.h)
                ]
                self.strokes([((a, b), (c, d)) for a, b, c, d in lines], HATCH, 0.8)

    def lines(self, lines) -> None:
        for look, group in by_kind(lines, LINES):
            self.strokes([((line.x1, line.y1), (line.x2, line.y2)) for line in group], *look)

    def arrows(self, arrows) -> None:
        from matplotlib.path import Path

        for look, group in by_kind(arrows, ARROWS):
            curves = [list(zip(arrow.points[::2], arrow.points[1::2])) for arrow in group]
            paths = [
                Path(points, [Path.MOVETO] + [Path.CURVE4] * (len(points) - 1)) for points in curves
            ]
            self.paths(
                paths,
                edge=look.colour,
                width=[arrow.width or look.width for arrow in group],
                dash=look.dash,
            )
            ends = [
                (arrow.points[-2], arrow.points[-1], _HEADS[arrow.head])
                for arrow in group
                if arrow.head
            ]
            self.polygons([[(x + a, y + b) for a, b in head] for x, y, head in ends], look.colour)

    def traces(self, traces) -> None:
        for look, group in by_kind(traces, LINES):
            self.strokes(
                [list(zip(trace.points[::2], trace.points[1::2])) for trace in group], *look
            )

    def marks(self, marks) -> None:
        for (shape, colour), group in by_kind(marks, MARKS):
            filled, outline = SHAPES[shape]
            lines = [
                [(mark.x + x, mark.y + y) for x, y in line] for mark in group for line in outline
            ]
            if filled:
                self.polygons(lines, colour)
            else:
                self.strokes(lines, colour, 2)

    def labels(self, labels) -> None:
        for look, group in by_kind(labels, LABELS):
            if look.ground:
                extents = [label.extent() for label in group]
                self.polygons(
                    [((a, b), (c, b), (c, d), (a, d)) for a, b, c, d in extents], look.ground, 0.85
                )
            self.paths(
                [path for label in group if (path := _outline(label, look))], fill=look.colour
            )


def _rounded(x: int, y: int, w: int, h: int, r: int):
    """The outline of a box with rounded corners."""
    from matplotlib.path import Path

    if r < 1:
        return Path(((x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y)), (1, 2, 2, 2, 79))
    points = (
        (x + r, y), (x + w - r, y), (x + w, y), (x + w, y + r), (x + w, y + h - r), (x + w, y + h), (x + w - r, y + h),
        (x + r, y + h), (x, y + h), (x, y + h - r), (x, y + r), (x, y), (x + r, y), (x + r, y),
    )  # fmt: skip
    return Path(points, (1, 2, 3, 3, 2, 3, 3, 2, 3, 3, 2, 3, 3, 79))


def _outline(label: Label, look):
    """The words as one path, letter beside letter."""
    import numpy
    from matplotlib.path import Path

    letters = [_letter(char, look.bold) for char in label.text]
    width = sum(letter[2] for letter in letters) * look.size
    x = label.x - {"start": 0, "middle": width / 2, "end": width}[label.anchor]
    y, corners, codes = label.y + look.size * 36 // 100, [], []
    for points, kinds, advance in letters:
        if len(points):
            corners.append(points * look.size + (x, y))
            codes.append(kinds)
        x += advance * look.size
    return Path(numpy.concatenate(corners), numpy.concatenate(codes)) if corners else None


@cache
def _font(bold: bool):
    from matplotlib.font_manager import FontProperties, findfont
    from matplotlib.ft2font import FT2Font

    font = FT2Font(findfont(FontProperties(family=FONT, weight="bold" if bold else "normal")))
    font.set_size(1000, 72)
    return font, font.get_charmap()


@cache
def _letter(char: str, bold: bool):
    """A letter's outline, its corners in font sizes, and its advance; a box for one that the font lacks."""
    import numpy
    from matplotlib.ft2font import LoadFlags

    font, known = _font(bold)
    glyph = font.load_char(
        ord(char) if ord(char) in known else ord("□"), flags=LoadFlags.NO_HINTING
    )
    points, codes = font.get_path()
    return numpy.asarray(points) / (1000, -1000), codes, glyph.linearHoriAdvance / 65_536_000

"""A scene painted by matplotlib, for saved outputs and papers: one collection for each kind of
item, and no pyplot."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from io import BytesIO
from itertools import chain

import numpy
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont
from matplotlib.ft2font import FT2Font, LoadFlags
from matplotlib.patches import FancyBboxPatch
from matplotlib.path import Path
from matplotlib.transforms import Affine2D, Transform
from PIL import Image  # what matplotlib itself writes PNGs with

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

DPI = 100  # a scene's pixel is a pixel of the figure; figures are saved at SCALE times that
SCALE = 1.5
Dash = tuple[int, int] | None


def paint(scene: Scene, ax: Axes | None = None) -> Figure:
    """The scene in a new Figure, or in the axes given, which take on its proportions."""
    if ax is None:  # straight on the figure: axes would cost a sixth of the time and show nothing
        figure = Figure(figsize=(scene.width / DPI, scene.height / DPI), dpi=DPI, facecolor=PAPER)
        place = Affine2D().scale(1 / scene.width, -1 / scene.height).translate(0, 1)
        painter = _Painter(figure, place + figure.transFigure, 1.0)
    else:
        figure = ax.get_figure(root=True)
        assert figure is not None
        ax.set(xlim=(0, scene.width), ylim=(scene.height, 0), aspect="equal")
        ax.set_axis_off()
        box, (width, height) = ax.get_position(original=True), figure.get_size_inches()
        size = min(box.width * width / scene.width, box.height * height / scene.height)
        painter = _Painter(ax, ax.transData, size * DPI)
    for look, items in scene.groups():
        _PAINTERS[type(items[0])](painter, look, items)
    return figure


def png(scene: Scene) -> bytes:
    """The scene as a PNG of SCALE times its size. With its commonest 256 colours it takes a third of
    the bytes, in a notebook and in its history."""
    figure = paint(scene)
    figure.set_dpi(DPI * SCALE)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    size = canvas.get_width_height()
    image = Image.frombuffer(
        "RGBA", size, bytes(canvas.buffer_rgba()), "raw", "RGBA", 0, 1
    ).convert("RGB")
    counts = image.getcolors(2**17) or []
    colours = [colour for _, colour in sorted(counts, reverse=True) if isinstance(colour, tuple)]
    palette = Image.new("P", (1, 1))
    palette.putpalette(bytes(chain.from_iterable(_commonest(colours))))
    out = BytesIO()
    image.quantize(palette=palette, dither=Image.Dither.NONE).save(out, "png", compress_level=6)
    return out.getvalue()


def _commonest(colours: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """The first 256 of these colours, but none that is near to one of the very first: Pillow finds
    the nearest colour only roughly, and would take it for the ground of the picture."""
    palette: list[tuple[int, ...]] = []
    for r, g, b in colours:
        if all(abs(r - x) + abs(g - y) + abs(b - z) >= 24 for x, y, z in palette[:24]):
            palette.append((r, g, b))
    return palette[:256]


class _Painter:
    """Adds the items of a scene to a figure or to axes, each kind above the one before."""

    def __init__(self, host: Figure | Axes, place: Transform, scale: float):
        self.host, self.place, self.layer = host, place, 0
        self.points = scale * 72 / DPI  # of a pixel: matplotlib gives line widths in points

    def fill(self, paths: list[Path], colour: str, alpha: float | None = None) -> None:
        self._add(PathCollection(paths, facecolors=colour, edgecolors="none", alpha=alpha))

    def draw(
        self, paths: list[Path], colour: str, widths: Sequence[float], dash: Dash = None
    ) -> None:
        """Draw lines; `widths` in px are one for all, or one for each."""
        style = (0, tuple(length / widths[0] for length in dash)) if dash else "solid"
        points = [width * self.points for width in widths]
        lines = dict(edgecolors=colour, linewidths=points, linestyles=[style])
        self._add(PathCollection(paths, facecolors="none", **lines))

    def _add(self, artist: PathCollection) -> None:
        self.layer += 1
        artist.set(zorder=self.layer, transform=self.place)
        self.host.add_artist(artist)

    def boxes(self, look: BoxLook, boxes: list[Box]) -> None:
        paths = []
        for box in boxes:
            radius = min(look.radius, box.w // 2, box.h // 2)
            style = f"round, pad=0, rounding_size={radius}"
            paths.append(FancyBboxPatch((box.x, box.y), box.w, box.h, boxstyle=style).get_path())
        self.fill(paths, look.fill)
        if look.edge:
            self.draw(paths, look.edge, [look.width], look.dash)
        if look.hatch:
            lines = [hatching(look.hatch, box.x, box.y, box.w, box.h) for box in boxes]
            paths = [Path(((a, b), (c, d))) for a, b, c, d in chain.from_iterable(lines)]
            self.draw(paths, HATCH, [0.8])

    def lines(self, look: StrokeLook, lines: Sequence[Line | Trace]) -> None:
        paths = [Path(_pairs(line.points)) for line in lines]
        self.draw(paths, look.colour, [look.width], look.dash)

    def arrows(self, look: StrokeLook, arrows: list[Arrow]) -> None:
        curves = [_pairs(arrow.points) for arrow in arrows]
        paths = [Path(points, [1] + [4] * (len(points) - 1)) for points in curves]
        self.draw(paths, look.colour, [arrow.width or look.width for arrow in arrows], look.dash)
        ends = [(*arrow.points[-2:], HEADS[arrow.head]) for arrow in arrows if arrow.head]
        self.fill([_moved(head, x, y) for x, y, head in ends], look.colour)

    def marks(self, look: MarkLook, marks: list[Mark]) -> None:
        filled, outline = SHAPES[look.shape]
        paths = [_moved(line, mark.x, mark.y) for mark in marks for line in outline]
        if filled:
            self.fill(paths, look.colour)
        else:
            self.draw(paths, look.colour, [2])

    def labels(self, look: LabelLook, labels: list[Label]) -> None:
        if look.ground:
            extents = [label.extent() for label in labels]
            grounds = [Path(((a, b), (c, b), (c, d), (a, d))) for a, b, c, d in extents]
            self.fill(grounds, look.ground, 0.85)
        self.fill([path for label in labels for path in _letters(label, look)], look.colour)


_PAINTERS: dict[type, Callable[..., None]] = {
    Box: _Painter.boxes,
    Line: _Painter.lines,
    Trace: _Painter.lines,
    Arrow: _Painter.arrows,
    Mark: _Painter.marks,
    Label: _Painter.labels,
}


def _pairs(points: tuple[int, ...]) -> list[tuple[int, int]]:
    return list(zip(points[::2], points[1::2], strict=True))


def _moved(corners: Iterable[tuple[int, int]], x: int, y: int) -> Path:
    return Path([(x + a, y + b) for a, b in corners])


def _letters(label: Label, look: LabelLook) -> list[Path]:
    """The outlines of the letters. Each letter is made once: matplotlib's own text takes longer than
    all the rest of a picture."""
    letters = [_letter(char, look.bold) for char in label.text]
    width = sum(advance for _, _, advance in letters) * look.size
    x = label.x - {"start": 0, "middle": width / 2, "end": width}[label.anchor]
    y, paths = label.y + look.size * 36 // 100, []
    for corners, codes, advance in letters:
        if len(corners):
            paths.append(Path(corners * look.size + (x, y), codes))
        x += advance * look.size
    return paths


@cache
def _font(bold: bool) -> FT2Font:
    font = FT2Font(findfont(FontProperties(family=FONT, weight="bold" if bold else "normal")))
    font.set_size(1000, 72)
    return font


@cache
def _letter(char: str, bold: bool) -> tuple[numpy.ndarray, numpy.ndarray, float]:
    """The corners of a letter's outline in font sizes, their codes, and its advance; a box for a
    letter that the font lacks."""
    font = _font(bold)
    code = ord(char) if ord(char) in font.get_charmap() else ord("□")
    glyph = font.load_char(code, flags=LoadFlags.NO_HINTING)
    points, codes = font.get_path()
    return numpy.asarray(points) / (1000, -1000), codes, glyph.linearHoriAdvance / 65_536_000

"""The painter that uses matplotlib, for saved outputs and papers. It adds one collection for each kind of
item, and does not use pyplot."""

from functools import cache
from io import BytesIO

import numpy
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont
from matplotlib.ft2font import FT2Font, LoadFlags
from matplotlib.path import Path as Outline
from matplotlib.transforms import Affine2D
from PIL import Image  # matplotlib requires it, and writes PNGs with it

from .scene import Label, Scene
from .shapes import Path, Shape, Words, shapes
from .theme import FONT, PAPER, LabelLook

DPI = 100  # pixels of a scene per inch; a PNG has SCALE times as many
SCALE = 1.5
_CODES = {"M": 1, "L": 2, "Q": 3, "C": 4, "Z": 79}  # matplotlib's path codes


def paint(scene: Scene, ax: Axes | None = None) -> Figure:
    """Paint a scene into a new Figure, or into `ax`, which then has the scene's proportions."""
    if ax is None:  # directly on the figure: axes would take a sixth of the time
        figure = Figure(figsize=(scene.width / DPI, scene.height / DPI), dpi=DPI, facecolor=PAPER)
        place = Affine2D().scale(1 / scene.width, -1 / scene.height).translate(0, 1)
        host, transform, scale = figure, place + figure.transFigure, 1.0
    else:
        figure = ax.get_figure(root=True)
        assert figure is not None
        ax.set(xlim=(0, scene.width), ylim=(scene.height, 0), aspect="equal")
        ax.set_axis_off()
        box, (width, height) = ax.get_position(original=True), figure.get_size_inches()
        size = min(box.width * width / scene.width, box.height * height / scene.height)
        host, transform, scale = ax, ax.transData, size * DPI
    for layer, shape in enumerate(shapes(scene), start=1):
        artist = _words(shape) if isinstance(shape, Words) else _paths(shape, scale * 72 / DPI)
        artist.set(zorder=layer, transform=transform)
        host.add_artist(artist)
    return figure


def png(scene: Scene) -> bytes:
    """Return a scene as a PNG of SCALE times its size. It has only 256 colours, which halves the
    bytes in a notebook and in its history."""
    figure = paint(scene)
    figure.set_dpi(DPI * SCALE)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    image = Image.fromarray(numpy.asarray(canvas.buffer_rgba())).convert("RGB")
    few = image.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    out = BytesIO()
    few.save(out, "png", compress_level=6)
    return out.getvalue()


def _paths(shape: Shape, points: float) -> PathCollection:
    """The paths of a shape. `points` is the size of a pixel in points, matplotlib's unit for line widths."""
    paths = [_outline(path) for path, _ in shape.paths]
    looks = dict(facecolors=shape.fill or "none", edgecolors="none")
    if shape.stroke:
        colour, width, dash = shape.stroke
        style = (0, tuple(length / width for length in dash)) if dash else "solid"
        looks |= dict(edgecolors=colour, linewidths=[width * points], linestyles=[style])
    return PathCollection(paths, alpha=shape.opacity if shape.opacity < 1 else None, **looks)


def _outline(path: Path) -> Outline:
    codes: list[int] = []
    numbers: list[int] = []
    code = 0
    for part in path:
        if isinstance(part, str):
            code = _CODES[part]
            if part == "Z":
                codes.append(code)
                numbers += (0, 0)
        else:
            if len(numbers) == 2 * len(codes):  # this is the x of a corner
                codes.append(code)
                code = 2 if code == 1 else code
            numbers.append(part)
    return Outline(numpy.reshape(numbers, (-1, 2)), codes)


def _words(words: Words) -> PathCollection:
    letters = [path for label in words.labels for path in _letters(label, words.look)]
    return PathCollection(letters, facecolors=words.look.colour, edgecolors="none")


def _letters(label: Label, look: LabelLook) -> list[Outline]:
    """The outlines of a label's letters. Each letter is created once, because matplotlib's own text
    takes longer than everything else in a picture."""
    letters = [_letter(char, look.bold) for char in label.text]
    width = sum(advance for _, _, advance in letters) * look.size
    x = label.x - {"start": 0, "middle": width / 2, "end": width}[label.anchor]
    y, paths = label.y + look.size * 36 // 100, []
    for corners, codes, advance in letters:
        if len(corners):
            paths.append(Outline(corners * look.size + (x, y), codes))
        x += advance * look.size
    return paths


@cache
def _font(bold: bool) -> FT2Font:
    font = FT2Font(findfont(FontProperties(family=FONT, weight="bold" if bold else "normal")))
    font.set_size(1000, 72)
    return font


@cache
def _letter(char: str, bold: bool) -> tuple[numpy.ndarray, numpy.ndarray, float]:
    """The corners of a letter's outline in font sizes, their codes, and its advance. A letter that
    the font lacks is a box."""
    font = _font(bold)
    code = ord(char) if ord(char) in font.get_charmap() else ord("□")
    glyph = font.load_char(code, flags=LoadFlags.NO_HINTING)
    points, codes = font.get_path()
    return numpy.asarray(points) / (1000, -1000), codes, glyph.linearHoriAdvance / 65_536_000

"""The painter of matplotlib figures."""

import subprocess
import sys
import warnings
from io import BytesIO

import pytest
from hypothesis import given, settings
from scenes import NASTY, everything, extent, scenes

from edalab.text import clean
from edalab.view import png
from edalab.view.scene import Label, Scene
from edalab.view.theme import LABELS


def drawn(scene: Scene, **options):
    """The figure, drawn once; any warning is an error."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = png.paint(scene, **options)
        FigureCanvasAgg(figure).draw()
    return figure


def extents(figure):
    """What each outline covers, in pixels of the figure from its top left corner."""
    height = figure.bbox.height
    for artist in figure.findobj(lambda artist: hasattr(artist, "get_paths")):
        for path in artist.get_paths():
            box = path.transformed(artist.get_transform()).get_extents()
            yield artist, (box.x0, height - box.y1, box.x1, height - box.y0)


def assert_all_inside(scene: Scene) -> None:
    figure = drawn(scene)
    assert tuple(figure.bbox.size) == (scene.width, scene.height)
    for artist, (left, top, right, bottom) in extents(figure):
        assert (
            left >= -0.5
            and top >= -0.5
            and right <= scene.width + 0.5
            and bottom <= scene.height + 0.5
        ), artist


def test_every_item_of_a_scene_is_painted_inside_the_picture():
    scene = everything()
    assert_all_inside(scene)
    found = [box for _, box in extents(drawn(scene))]

    def painted(wanted, within=1.0):
        return any(
            all(abs(a - b) <= within for a, b in zip(box, wanted, strict=True)) for box in found
        )

    for box in [*scene.lanes, *scene.spans, *scene.bars, scene.cursor[1]]:
        assert painted(box.extent()), box
    for line in scene.lines:
        assert painted(extent(line)), line
    for trace in scene.polylines:
        assert painted(extent(trace)), trace
    for mark in scene.marks:
        left, top, right, bottom = mark.extent()
        assert any(
            a >= left - 1 and b >= top - 1 and c <= right + 1 and d <= bottom + 1
            for a, b, c, d in found
        ), mark
    starts = {
        (round(p.vertices[0][0]), round(p.vertices[0][1]))
        for a in drawn(scene).findobj(lambda a: hasattr(a, "get_paths"))
        for p in a.get_paths()
        if p.codes is not None and 4 in p.codes
    }
    assert {arrow.points[:2] for arrow in scene.arrows} <= starts


def test_words_take_the_room_that_was_measured_for_them():
    for kind, look in LABELS.items():
        for anchor in ("start", "middle", "end"):
            label = Label(400, 50, "OrderPlaced: attempt 2, é×…", kind, anchor)
            left, top, right, bottom = label.extent()
            letters = [path.get_extents() for path in png._letters(label, look)]
            start, end = letters[0].x0, letters[-1].x1
            assert left - 1 <= start and end <= right + 1 and end - start > 0.9 * (right - left)
            assert all(top - 2 <= box.y0 and box.y1 <= bottom + 2 for box in letters)


@settings(max_examples=25)
@given(scenes())
def test_any_scene_is_painted_inside_without_a_warning(scene):
    for item in scene.items():
        if hasattr(item, "text"):
            item.text = clean(item.text, 20)
    assert_all_inside(scene)


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_odd_characters_give_a_picture_and_not_a_word_on_stderr(text, capfd):
    written = png.png(everything(clean(text, 60)))
    assert written.startswith(b"\x89PNG")
    assert capfd.readouterr() == ("", "")


def test_it_paints_into_axes_of_a_figure_beside_others():
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4))
    left, right = figure.subplots(1, 2)
    assert drawn(everything(), ax=left) is figure
    assert right.has_data() is False and left.get_xlim() == (0, 900)
    figure.savefig(BytesIO(), format="pdf")


def test_the_same_scene_gives_the_same_bytes():
    assert png.png(everything()) == png.png(everything())


def test_matplotlib_is_imported_only_to_paint():
    code = """
import sys
from edalab.view import flow, timeline
assert not {"matplotlib", "networkx", "pandas", "numpy", "PIL"} & set(sys.modules), sorted(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)

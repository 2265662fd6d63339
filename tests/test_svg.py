"""The painter of SVG strings."""

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from scenes import NASTY, everything, scenes

from edalab.text import clean
from edalab.view import svg
from edalab.view.scene import Box, Scene
from edalab.view.theme import BOXES, MARKS, SHAPES

NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def painted(scene: Scene) -> ElementTree.Element:
    text = svg.paint(scene)
    text.encode()
    return ElementTree.fromstring(re.sub(r' xmlns="[^"]*"', "", text))


def spots(element: ElementTree.Element) -> list[tuple[float, float]]:
    """Points that an element surely touches."""
    if element.tag == "text":
        return [(float(element.get("x")), float(element.get("y")))]
    if element.tag == "path" and not re.search(
        "[a-z]", element.get("d").replace("z", "")
    ):  # heads and marks are relative
        numbers = [float(n) for n in NUMBER.findall(element.get("d"))]
        return list(zip(numbers[::2], numbers[1::2], strict=True))
    return []


def assert_all_inside(scene: Scene) -> None:
    root = painted(scene)
    assert root.get("viewBox") == f"0 0 {scene.width} {scene.height}"
    for element in root.iter():
        for x, y in spots(element):
            assert 0 <= x <= scene.width and 0 <= y <= scene.height, ElementTree.tostring(element)


def test_every_item_of_a_scene_is_painted_inside_the_picture():
    scene = everything()
    assert_all_inside(scene)
    root = painted(scene)
    boxes = [*scene.lanes, *scene.spans, *scene.bars, scene.cursor[1]]
    texts = {
        (int(text.get("x")), "".join(t for t in [text.text or "", *(c.tail or "" for c in text)]))
        for text in root.iter("text")
    }
    assert {(label.x, label.text) for label in [*scene.labels, scene.cursor[2]]} == texts
    paths = " ".join(path.get("d") for path in root.iter("path"))
    for arrow in scene.arrows:
        assert (
            "M {} {} C {}".format(*arrow.points[:2], " ".join(map(str, arrow.points[2:]))) in paths
        )
    assert paths.count("M") >= len(scene.arrows) + len(scene.marks) + len(scene.lines)
    for box in boxes:
        radius = min(BOXES[box.kind].radius, box.w // 2, box.h // 2)
        assert f"M {box.x + radius} {box.y} " in paths, box
    for trace in scene.polylines:
        assert f"M {' '.join(map(str, trace.points))}" in paths
    for mark in scene.marks:
        x, y = SHAPES[MARKS[mark.kind].shape][1][0][0]
        assert f"M {mark.x + x} {mark.y + y} " in paths
    assert sum(1 for _ in root.iter("title")) >= len(boxes) - 1 + len(scene.arrows) + len(
        scene.marks
    )


@settings(max_examples=25)
@given(scenes())
def test_any_scene_gives_well_formed_xml_that_stays_inside(scene):
    for item in scene.items():
        item.tip = clean(item.tip)
        if hasattr(item, "text"):
            item.text = clean(item.text, 20)
    scene.alt = clean(scene.alt)
    assert_all_inside(scene)


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_text_is_escaped_wherever_it_stands(text):
    said = clean(text)
    scene = everything(said)
    root = painted(scene)
    assert root.get("aria-label") == f"everything, {said}"
    assert {title.text or "" for title in root.iter("title")} <= {said}
    assert not list(root.iter("script"))


def test_nothing_in_it_can_clash_with_the_page_around_it():
    text = svg.paint(everything())
    assert not any(part in text for part in (" id=", "<style", " class=", "url("))


def test_what_has_no_tool_tip_is_one_element_for_a_browser():
    scene = Scene(
        100,
        100,
        bars=[
            *(Box(x, 5, 2, 18, "saved") for x in (10, 20, 30)),
            Box(40, 5, 2, 18, "saved", "told"),
        ],
    )
    text = svg.paint(scene)
    ticks = "".join(f"M {x} 5 {x + 2} 5 {x + 2} 23 {x} 23 Z" for x in (10, 20, 30))
    assert f'd="{ticks}"' in text and text.count("<path") == 2

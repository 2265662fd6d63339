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

PART = re.compile(r"[A-Za-z]|-?\d+(?:\.\d+)?")


def painted(scene: Scene) -> ElementTree.Element:
    text = svg.paint(scene)
    text.encode()
    return ElementTree.fromstring(re.sub(r' xmlns="[^"]*"', "", text))


def spots(element: ElementTree.Element) -> list[tuple[float, float]]:
    """Points that an element surely touches."""
    if element.tag == "text":
        return [(float(element.get("x")), float(element.get("y")))]
    return corners(element.get("d")) if element.tag == "path" else []


def corners(d: str) -> list[tuple[float, float]]:
    """All points of a path, those of its curves too; after a small letter they are counted from the
    end of the line or curve before."""
    found, x, y, start, letter, numbers = [], 0.0, 0.0, (0.0, 0.0), "", []
    for part in PART.findall(d):
        if part in "Zz":
            x, y = start
        elif part.isalpha():
            letter = part
        else:
            numbers.append(float(part))
        if letter in "hv" and numbers:
            numbers.insert(letter == "h", 0.0)
        if letter and len(numbers) == {"M": 2, "L": 2, "Q": 4, "C": 6}.get(letter.upper(), 2):
            by = (x, y) if letter.islower() else (0, 0)
            found += [(a + by[0], b + by[1]) for a, b in zip(*[iter(numbers)] * 2, strict=True)]
            x, y = found[-1]
            if letter in "Mm":
                start = x, y
            numbers.clear()
    assert not numbers, d
    return found


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
    found = [corners(path.get("d")) for path in root.iter("path")]
    painted_at = {corner for each in found for corner in each}
    for arrow in scene.arrows:  # its start, and where each of its curves ends
        points = list(zip(arrow.points[::2], arrow.points[1::2], strict=True))[::3]
        assert any([one for one in each if one in points] == points for each in found), arrow
    assert paths.count("M") >= len(scene.arrows) + len(scene.marks) + len(scene.lines)
    for box in boxes:
        radius = min(BOXES[box.kind].radius, box.w // 2, box.h // 2)
        assert (box.x + radius, box.y) in painted_at, box
    for trace in scene.polylines:
        assert [*zip(trace.points[::2], trace.points[1::2], strict=True)] in found
    for mark in scene.marks:
        x, y = SHAPES[MARKS[mark.kind].shape][1][0][0]
        assert (mark.x + x, mark.y + y) in painted_at
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
    silent = re.search('d="([^"]*)" pointer-events="none"', text)[1]
    ticks = [(x + w, y) for x in (10, 20, 30) for w, y in ((0, 5), (2, 5), (2, 23), (0, 23))]
    assert corners(silent) == ticks and text.count("<path") == 2

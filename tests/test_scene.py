"""Scenes and the words in them."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenes import NASTY, everything, flaws

from edalab.text import clean, counted, seconds, shorten, text_width, wrapped
from edalab.view.scene import Label, Scene
from edalab.view.shapes import hatching


def test_a_scene_says_what_is_wrong_with_it():
    scene = Scene(
        100,
        100,
        labels=[
            Label(10, 10, "one", "handled"),
            Label(12, 12, "two", "handled"),
            Label(90, 50, "three", "handled"),
        ],
    )
    assert len(flaws(scene)) == 2


def test_words_are_never_wider_than_measured():
    from matplotlib.font_manager import FontProperties, findfont
    from matplotlib.ft2font import FT2Font, LoadFlags

    text = "".join(map(chr, range(32, 127))) + "…·×→éÖßΩжא日"
    for bold in (False, True):
        font = FT2Font(
            findfont(FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal"))
        )
        font.set_size(100, 72)
        for char in text:
            if ord(char) in font.get_charmap():
                width = (
                    font.load_char(ord(char), flags=LoadFlags.NO_HINTING).linearHoriAdvance / 65536
                )
                assert width <= text_width(char, 100, bold) + 0.01, char


@given(st.text() | st.sampled_from(NASTY), st.integers(0, 300), st.booleans())
def test_shortened_words_fit_and_say_that_they_are_shortened(text, room, bold):
    text = clean(text)
    short = shorten(text, room, 11, bold)
    assert text_width(short, 11, bold) <= room
    assert short in ("", text) or short.endswith("…")


@given(st.text(st.characters()) | st.sampled_from(NASTY), st.integers(1, 300))
def test_cleaned_words_are_one_line_that_can_be_encoded(text, limit):
    said = clean(text, limit)
    assert len(said) <= limit and len(said.splitlines()) <= 1
    said.encode()
    assert not any(ord(char) < 32 or 0x202A <= ord(char) <= 0x202E for char in said)
    assert clean(said, limit) == said


def test_ten_thousand_characters_are_measured_and_shortened_at_once():
    assert shorten("W" * 10_000, 60, 11) == "WWW…" or len(shorten("W" * 10_000, 60, 11)) < 12
    assert len(clean("x" * 1_000_000)) == 200


def test_words_wrap_into_lines_that_fit():
    lines = wrapped(("the quick brown fox " * 20).split(), " ", 200)
    assert len(lines) > 3 and all(text_width(line, 11) <= 200 for line in lines)


def test_numbers_are_said_as_people_say_them():
    assert [seconds(ms) for ms in (0, 5, 20, 1500, 60_000)] == [
        "0 s",
        "0.005 s",
        "0.02 s",
        "1.5 s",
        "60 s",
    ]
    assert (counted(1, "crash", "crashes"), counted(2_000, "crash", "crashes")) == (
        "1 crash",
        "2,000 crashes",
    )


@pytest.mark.parametrize(
    "layer", ["lanes", "lines", "spans", "arrows", "bars", "polylines", "labels", "marks"]
)
def test_the_digest_changes_with_every_item_that_is_shown(layer):
    digests = {everything().digest}
    for number in range(len(getattr(everything(), layer))):
        scene = everything()
        item = getattr(scene, layer)[number]
        getattr(scene, layer)[number] = dataclasses.replace(item, tip="something else")
        digests.add(scene.digest)
        del getattr(scene, layer)[number]
        digests.add(scene.digest)
    assert len(digests) > len(getattr(everything(), layer)) + 1
    assert everything().digest == everything().digest


def test_hatching_stays_inside_its_box():
    for hatch in ("diagonal", "upright"):
        for w, h in ((1, 18), (5, 18), (200, 18), (40, 90)):
            for x1, y1, x2, y2 in hatching(hatch, 10, 20, w, h):
                assert 10 <= x1 <= x2 <= 10 + w and 20 <= min(y1, y2) <= max(y1, y2) <= 20 + h

"""A panel where no kernel runs: its timeline, with verdicts and code written below it, as one picture."""

from ..claims.claim import SIGNS, Verdict
from ..text import clean, shorten
from ..view import Picture
from ..view.scene import Label
from ..view.theme import LABELS

_KINDS = {"holds": "handled", "broken": "on span", "not exercised": "caption"}
_LINE, _LEFT = 18, 16  # px


def still(picture: Picture, verdicts: list[Verdict], error: str, code: str) -> Picture:
    """The picture, made higher for the lines below it."""
    scene = picture.scene
    lines = [
        (f"{SIGNS[v.outcome]} {v.claim}" + (f": {v.cause}" if v.cause else ""), _KINDS[v.outcome])
        for v in verdicts
    ]
    lines += [(error, "on span")] if error else []
    lines += [(line, "channel") for line in code.splitlines()]
    y = scene.height + _LINE
    for text, kind in lines:
        x = _LEFT + (32 if text.startswith(" ") else 0)  # a line of code goes on
        look = LABELS[kind]
        shown = clean(text, 300).strip()
        scene.labels.append(
            Label(
                x, y, shorten(shown, scene.width - x - _LEFT, look.size, look.bold), kind, tip=shown
            )
        )
        y += _LINE
    scene.height = y
    return Picture(scene)

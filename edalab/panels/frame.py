"""The common frame of panels: their layout, and how they look without a kernel."""

from collections.abc import Mapping, Sequence
from typing import Any

import anywidget
import ipywidgets

from ..claims.claim import SIGNS, Verdict
from ..errors import Text
from ..text import clean, shorten
from ..view import Picture
from ..view.scene import Label
from ..view.theme import CURSOR, DARK, FAULT, LABELS, tinted
from . import html
from .controls import front_end

WIDTH = 690  # px of a picture, which fits next to JupyterLab's side bar at 1366 px
_KINDS = {"holds": "handled", "broken": "on span", "not exercised": "caption"}
_LINE, _LEFT = 18, 16  # px


# Colours that pictures and panels share are in `view.theme`.
_COLOURS = f"--edalab-cursor: {CURSOR}; --edalab-struck: {tinted(FAULT)}; --edalab-dark: {DARK};"


class PanelStyle(anywidget.AnyWidget):
    """The panels' style. Its script also sets the accessible name of each slider and list, which ipywidgets omits (its
    label, or else its tooltip), disables headings in lists, and scrolls a wide picture to its cursor."""

    _esm = front_end("panel.js")
    _css = f".edalab-panel {{ {_COLOURS} }}\n" + front_end("panel.css")


def frame(knobs: Mapping[str, Sequence], right: Sequence, top: Sequence = ()) -> ipywidgets.Widget:
    """The widget of a panel: groups of knobs by heading, the widgets to their right, and those above both."""
    left = []
    for heading, widgets in knobs.items():
        if widgets:
            title = ipywidgets.HTML(html.heading(heading), layout={"margin": "0 2px"})
            left.append(ipywidgets.VBox([title, *widgets]))
            left[-1].add_class(f"edalab-group-{heading.split()[-1]}")
    columns = [ipywidgets.VBox(left), ipywidgets.VBox(right)]
    for column, name in zip(columns, ("edalab-knobs", "edalab-right"), strict=True):
        column.add_class(name)
    columns = ipywidgets.HBox(columns)
    panel = ipywidgets.VBox([*top, columns])
    columns.add_class("edalab-columns")
    panel.add_class("edalab-panel")
    whole = ipywidgets.VBox([PanelStyle(layout={"display": "none"}), panel])
    whole.add_class("edalab-frame")
    return whole


def mimebundle(
    panel: ipywidgets.Widget, summary: Text, picture: Picture | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The MIME bundle of a panel: its widgets or, if no kernel runs, its picture or its summary."""
    image, about = picture._repr_mimebundle_() if picture is not None else ({}, {})
    return {**image, **(panel._repr_mimebundle_() or {}), "text/plain": summary}, about


def still(picture: Picture, verdicts: Sequence[Verdict], error: str, code: str) -> Picture:
    """The picture with the verdicts, the error and the code in lines below it."""
    lines = [
        (f"{SIGNS[v.outcome]} {v.claim}" + (f": {v.cause}" if v.cause else ""), _KINDS[v.outcome])
        for v in verdicts
    ]
    lines += [(error, "on span")] if error else []
    lines += [(line, "channel") for line in code.splitlines()]
    scene = picture.scene
    for text, kind in lines:
        scene.height += _LINE
        x = _LEFT + (32 if text.startswith(" ") else 0)  # indents a continued line of code
        style, whole = LABELS[kind], clean(text, 300).strip()
        line = shorten(whole, scene.width - x - _LEFT, style.size, style.bold)
        scene.labels.append(Label(x, scene.height, line, kind, tip=whole))
    scene.height += _LINE
    return Picture(scene)

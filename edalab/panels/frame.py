"""How a panel is laid out: knobs at the left, and at the right verdicts, pictures, time and code."""

import ipywidgets

from . import html


def frame(knobs: dict[str, list], right: list) -> ipywidgets.Widget:
    """Groups of knobs under their headings, and what stands at their right, from the top."""
    left = []
    for heading, widgets in knobs.items():
        if widgets:
            left += [ipywidgets.HTML(html.heading(heading), layout={"margin": "0 2px"}), *widgets]
    columns = [
        ipywidgets.VBox(left, layout={"flex": "0 0 210px", "width": "210px"}),
        ipywidgets.VBox(
            right,
            layout={
                "flex": "1 1 0",
                "min_width": "0",
                "padding": "0 0 0 8px",
                "overflow": "hidden",
            },
        ),
    ]
    panel = ipywidgets.HBox(columns)
    panel.add_class("edalab-panel")
    return ipywidgets.VBox([ipywidgets.HTML(html.STYLE, layout={"display": "none"}), panel])

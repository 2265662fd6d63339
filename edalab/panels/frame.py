"""How a panel is laid out: knobs above and at the left; at the right verdicts, time, pictures, code."""

import ipywidgets

from . import html


def frame(knobs: dict[str, list], right: list, top: list = ()) -> ipywidgets.Widget:
    """Groups of knobs with headings, what stands at their right, and what stands above both."""
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
    panel = ipywidgets.VBox([*top, ipywidgets.HBox(columns)])
    panel.add_class("edalab-panel")
    return ipywidgets.VBox([ipywidgets.HTML(html.STYLE, layout={"display": "none"}), panel])

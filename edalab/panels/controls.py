"""The base of all controls of panels, and the knobs of a lesson."""

import math
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ipywidgets
from traitlets import validate

from ..errors import Misuse, Unknown, shown
from ..model import TURN
from .call_line import Factory

AUTO = {"width": "auto"}


def front_end(name: str) -> str:
    """The text of a file for the browser, which is in this folder."""
    return Path(__file__).with_name(name).read_text("utf-8")


class Settling:
    """A control that also sets its own widgets. It does not report changes made in `with self.settling():`."""

    _settling = False

    @contextmanager
    def settling(self) -> Generator[None]:
        before, self._settling = self._settling, True
        try:
            yield
        finally:  # even if the learner interrupts a long run
            self._settling = before

    def watch(
        self, react: Callable[[], object], *widgets: ipywidgets.Widget, trait: str = "value"
    ) -> None:
        """Call `react` when one of the widgets changes or is clicked, unless this control changed it itself. If two
        widgets change at once in two threads, the second one waits."""

        def changed(_: object) -> None:
            with TURN:
                if not self._settling:
                    react()

        for widget in widgets:
            if isinstance(widget, ipywidgets.Button):
                widget.on_click(changed)
            else:
                widget.observe(changed, trait)


class Choice(ipywidgets.Dropdown):
    """A drop-down list that raises Unknown, with the available choices, for any other value."""

    @validate("value")
    def _validate_value(self, proposal: Any) -> Any:
        if proposal.value is not None and proposal.value not in self._options_values:
            known = [str(value) for value in self._options_values if value != ""]
            raise Unknown("choice", proposal.value, known)
        return proposal.value


def labelled(name: str) -> dict[str, Any]:
    """The keyword arguments for a widget's label and for its layout in the column of knobs."""
    style = {"description_width": "90px"}
    return {"description": name, "tooltip": name, "style": style, "layout": AUTO}


def lesson_knob(name: str, spec: Any, both: tuple[Factory, Factory]) -> ipywidgets.Widget:
    """The widget of a knob, set to the default of the keyword that it sets.

    `spec` is a list of values to choose from, or (lowest, highest). Raises Misuse for anything else."""
    default = next(f.parameters[name].default for f in both if name in f.parameters)
    common = labelled(name)
    if not isinstance(spec, list | tuple) or not spec:
        wanted = "a list of values or (lowest, highest)"
        raise Misuse(f"the knob {name} takes {wanted}, not {shown(spec)}")
    if not (isinstance(spec, tuple) and len(spec) == 2 and all(map(_is_number, spec))):
        options = [(getattr(value, "__name__", str(value)), value) for value in spec]
        return Choice(options=options, value=default if default in spec else spec[0], **common)
    low, high = spec
    if not -math.inf < low < high < math.inf:
        raise Misuse(f"the knob {name} goes from a lower to a higher number, not {shown(spec)}")
    start = default if isinstance(default, int | float) and low <= default <= high else low
    if isinstance(low, int) and isinstance(high, int):
        return ipywidgets.IntSlider(start, min=low, max=high, **common)
    return ipywidgets.FloatSlider(start, min=low, max=high, step=(high - low) / 20, **common)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

"""The knobs of panels: keywords of a lesson's functions, rates of `Faults`, moments, and a part of a run."""

import math
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import ipywidgets
from traitlets import validate

from ..errors import Misuse, Unknown, shown
from ..sim.run import Run
from ..view.excerpt import Excerpt, choose, story_names
from ..view.picture import check_seconds
from .call_line import Factory

RATES = ("drop", "duplicate", "delay", "crash", "fail", "unconfirmed")
SUGGESTED = 300  # stories on offer
_AUTO = {"width": "auto"}


class Settling:
    """A control that also sets its widgets itself: within `with self.settling():` it reports no change."""

    _settling = False

    @contextmanager
    def settling(self) -> Generator[None]:
        before, self._settling = self._settling, True
        try:
            yield
        finally:  # also when the learner interrupts a long run
            self._settling = before


class Choice(ipywidgets.Dropdown):
    """A drop-down that refuses any other value with a list of those on offer."""

    @validate("value")
    def _validate_value(self, proposal: Any) -> Any:
        if proposal.value is not None and proposal.value not in self._options_values:
            known = [str(value) for value in self._options_values if value != ""]
            raise Unknown("choice", proposal.value, known)
        return proposal.value


class Moments(Settling):
    """A slider over the moments at which something happened. `.value` is the time in seconds; any other
    time is taken to the last moment before it. (An IntSlider: in the browser a SelectionSlider keeps the
    range of its first options.)"""

    def __init__(self, changed: Callable[[], None]):
        self.slider = ipywidgets.IntSlider(
            0, min=0, max=1, readout=False, layout={"flex": "1 1 auto", "width": "auto"}
        )
        self.times: list[Any] = [0.0]  # seconds, or what a subclass takes
        self.index = 0
        self._changed, self._wanted = changed, math.inf
        self.slider.observe(self._moved, "value")

    @property
    def value(self) -> Any:
        return self.times[self.index]

    @value.setter
    def value(self, wanted: Any) -> None:
        self.slider.value = self._find(wanted)

    def move(self, by: int) -> None:
        """Go to a later or an earlier moment, at most to the last or the first one."""
        self.slider.value = min(max(self.index + by, 0), len(self.times) - 1)

    def offer(self, times: list[Any]) -> None:
        """Take on the moments of another run. The slider moves with the next `show`.

        It stays near the time to which the learner moved it, or at the end: near the moment found for the
        last run, it would creep back from run to run.
        """
        self.times = times or [0.0]
        self.index = self._find(self._wanted)

    def show(self) -> None:
        """Move the slider to `index`."""
        with self.settling():
            # In a message of its own: a browser clips a value that comes with a new maximum.
            self.slider.max = max(1, len(self.times) - 1)
            self.slider.value = self.index

    def _find(self, seconds: float) -> int:
        return max(0, sum(time <= seconds for time in self.times) - 1)

    def _moved(self, _: Any) -> None:
        if not self._settling:
            self.index = min(self.slider.value, len(self.times) - 1)
            self._wanted = math.inf if self.index == len(self.times) - 1 else self.times[self.index]
            self._changed()


class PartOfRun:
    """Which part of a run to show: a story, by key or correlation id, and a stretch of time, as text.

    `.asked` holds what is asked for, as keywords of `timeline`.
    """

    def __init__(self):
        self.correlation = ipywidgets.Combobox(
            placeholder="key or correlation id", continuous_update=False, layout=_AUTO
        )
        style = {"description_width": "initial"}
        half = {"flex": "1 1 0", "width": "auto", "min_width": "0"}
        self.start, self.end = (
            ipywidgets.Text(
                description=name, placeholder="s", continuous_update=False, style=style, layout=half
            )
            for name in ("start", "end")
        )
        self.fields = [self.correlation, self.start, self.end]
        self.asked: dict[str, Any] = {}

    def choose(self, run: Run) -> tuple[Excerpt, str]:
        """The part of a run that is asked for. If there is none, what `timeline` shows by itself, and why."""
        self.correlation.options = story_names(run.journal)[:SUGGESTED]
        self.asked = {}
        if story := self.correlation.value.strip():
            self.asked["correlation"] = story
        for field in (self.start, self.end):
            if text := field.value.strip():
                try:
                    self.asked[field.description] = float(text)
                except ValueError:
                    self.asked[field.description] = text
        try:
            check_seconds(start=self.asked.get("start"), end=self.asked.get("end"))
            return choose(run, **self.asked), ""
        except Misuse as misuse:
            self.asked = {}
            return choose(run), str(misuse)


def labelled(name: str) -> dict[str, Any]:
    """The arguments that give a widget its label, and its place in the column of knobs."""
    return {"description": name, "style": {"description_width": "90px"}, "layout": _AUTO}


def lesson_knob(name: str, spec: Any, both: tuple[Factory, Factory]) -> ipywidgets.Widget:
    """The widget of a knob, at the default of the function that it belongs to.

    `spec` is a list of values to choose from, or (lowest, highest). Raises Misuse for any other.
    """
    default = next(f.parameters[name].default for f in both if name in f.parameters)
    common = labelled(name)
    if isinstance(spec, tuple) and len(spec) == 2 and all(map(_is_number, spec)):
        low, high = spec
        if not -math.inf < low < high < math.inf:
            raise Misuse(f"the knob {name} goes from a lower to a higher number, not {shown(spec)}")
        start = default if isinstance(default, int | float) and low <= default <= high else low
        if isinstance(low, int) and isinstance(high, int):
            return ipywidgets.IntSlider(start, min=low, max=high, **common)
        return ipywidgets.FloatSlider(start, min=low, max=high, step=(high - low) / 20, **common)
    if not isinstance(spec, list | tuple) or not spec:
        raise Misuse(
            f"the knob {name} takes a list of values or (lowest, highest), not {shown(spec)}"
        )
    options = [(getattr(value, "__name__", str(value)), value) for value in spec]
    return Choice(options=options, value=default if default in spec else spec[0], **common)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def rate(name: str) -> ipywidgets.FloatSlider:
    """A slider for the rate of a random fault."""
    return ipywidgets.FloatSlider(0, max=1, step=0.05, readout_format=".2f", **labelled(name))

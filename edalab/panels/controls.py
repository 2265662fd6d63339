"""Knobs are keywords one can turn: of a lesson's own functions, of `Faults`, and the words of one exact fault."""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import ipywidgets
from traitlets import validate

from ..errors import Misuse, Unknown, shown
from ..model import System
from ..sim import ACTIONS, Fault, actions_at, points
from ..sim.run import Run
from .call_line import Maker

RATES = ("drop", "duplicate", "delay", "crash", "fail")
STYLE = {"description_width": "76px"}


class Choice(ipywidgets.Dropdown):
    """A drop-down whose refusal of a value lists those there are."""

    @validate("value")
    def _validate_value(self, proposal: Any) -> Any:
        if proposal.value is not None and proposal.value not in self._options_values:
            raise Unknown(
                "choice",
                proposal.value,
                [str(value) for value in self._options_values if value != ""],
            )
        return proposal.value


class Moments:
    """A slider from moment to moment at which something happened. `.value` is the time in seconds; any other time is taken to
    the last moment before it. (An IntSlider: a SelectionSlider in the browser keeps the range of its first options.)"""

    def __init__(self, changed: Callable[[], None]):
        self.slider = ipywidgets.IntSlider(
            0, min=0, max=1, readout=False, layout={"flex": "1 1 auto", "width": "auto"}
        )
        self.times, self.index = [0.0], 0
        self._changed, self._wanted, self._settling = changed, math.inf, False
        self.slider.observe(self._moved, "value")

    @property
    def value(self) -> float:
        return self.times[self.index]

    @value.setter
    def value(self, seconds: float) -> None:
        self.slider.value = self._find(seconds)

    def move(self, by: int) -> None:
        """To a moment later or earlier, as far as there are any."""
        self.slider.value = min(max(self.index + by, 0), len(self.times) - 1)

    def offer(self, times: list) -> None:
        """Take on the moments of another run, and stay where one last moved it, or at the end: not at the moment found
        near that, else it would creep back from run to run. The slider follows when it is told to `show` it."""
        self.times = times or [0.0]
        self.index = self._find(self._wanted)

    def show(self) -> None:
        """Move the slider to where it is."""
        self._settling = True
        self.slider.max = max(
            1, len(self.times) - 1
        )  # sent by itself: together with a value beyond it, the browser clips that
        self.slider.value = self.index
        self._settling = False

    def _find(self, seconds: float) -> int:
        return max(0, sum(time <= seconds for time in self.times) - 1)

    def _moved(self, _: Any) -> None:
        if not self._settling:
            self.index = min(self.slider.value, len(self.times) - 1)
            self._wanted = math.inf if self.index == len(self.times) - 1 else self.times[self.index]
            self._changed()


def lesson_knob(name: str, spec: Any, both: tuple[Maker, Maker]) -> ipywidgets.Widget:
    """The widget of a knob: a list of values to choose from, or (lowest, highest). It starts at the function's own default."""
    defaults = [maker.parameters[name].default for maker in both if name in maker.parameters]
    default = defaults[0]
    common = {"description": name, "style": STYLE, "layout": {"width": "auto"}}
    if (
        isinstance(spec, tuple)
        and len(spec) == 2
        and all(isinstance(n, int | float) and not isinstance(n, bool) for n in spec)
    ):
        low, high = spec
        if not -math.inf < low < high < math.inf:
            raise Misuse(f"the knob {name} goes from a lower to a higher number, not {shown(spec)}")
        number = isinstance(default, int | float) and low <= default <= high
        if isinstance(low, int) and isinstance(high, int):
            return ipywidgets.IntSlider(default if number else low, min=low, max=high, **common)
        return ipywidgets.FloatSlider(
            default if number else low, min=low, max=high, step=(high - low) / 20, **common
        )
    if not isinstance(spec, list | tuple) or not spec:
        raise Misuse(
            f"the knob {name} takes a list of values or (lowest, highest), not {shown(spec)}"
        )
    options = [(getattr(value, "__name__", str(value)), value) for value in spec]
    return Choice(options=options, value=default if default in spec else spec[0], **common)


def rate(name: str) -> ipywidgets.FloatSlider:
    """A slider for the rate of a random fault."""
    return ipywidgets.FloatSlider(
        0,
        min=0,
        max=1,
        step=0.05,
        readout_format=".2f",
        description=name,
        style=STYLE,
        layout={"width": "auto"},
    )


class ExactFault:
    """The point, the action and the count of one exact fault, offered as the system has them."""

    def __init__(self, changed: Callable[[Any], None]):
        # As wide as its longest point: a point that is cut cannot be told from its neighbours.
        self.point = Choice(options=[("at no point", "")], layout={"width": "max-content"})
        self.action = Choice(options=[("", "")], layout={"width": "104px"}, disabled=True)
        self.nth = ipywidgets.BoundedIntText(1, min=1, max=9999, description="nth", disabled=True,
                                             style={"description_width": "26px"}, layout={"width": "88px"})  # fmt: skip
        self._changed, self._settling, self._system = changed, False, None
        self.point.observe(self._choose, "value")
        self.action.observe(self._turned, "value")
        self.nth.observe(self._turned, "value")

    @property
    def fault(self) -> Fault | None:
        return (
            Fault(self.action.value, self.point.value, self.nth.value)
            if self.point.value and self.action.value
            else None
        )

    def choose(self, fault: Fault) -> None:
        """Ask for this fault, in one turn."""
        self._settling = True
        if fault.point not in [tuple(value.split(".")) for _, value in self.point.options if value]:
            self.offer([fault.point])
        self.point.value = fault.at
        self._set_actions()
        self.action.value, self.nth.value = fault.do, fault.nth
        self._settling = False
        self._changed(None)

    def forget_if_gone(self, system: System) -> None:
        """Ask for nothing any more that another system does not have."""
        self._system = system
        if self.point.value and self.action.value not in self._actions(self.point.value):
            self._settling, self.point.value, self._settling = True, "", False
            self._set_actions()

    def offer(self, met: Iterable[tuple[str, str, str]]) -> None:
        """Offer the consumer points of the system, and those of publishing and asking that were reached."""
        chosen = [tuple(self.point.value.split("."))] if self.point.value else []
        sent = [point for point in met if point[1] in ("publish", "ask")]
        ranks = {name: rank for rank, name in enumerate(["client", *self._system.services])}
        found = sorted(
            dict.fromkeys([*points(self._system), *sent, *chosen]),
            key=lambda point: ranks[point[0]],
        )
        options = [
            (f"{service} · {step} {message}", f"{service}.{step}.{message}")
            for service, step, message in found
        ]
        options.insert(0, ("at no point", ""))
        if list(self.point.options) != options:
            was, self._settling = self.point.value, True
            with self.point.hold_sync():
                self.point.options = options
                self.point.value = was
            self._settling = False

    def _actions(self, at: str) -> tuple[str, ...]:
        """The actions that may strike at a point."""
        return actions_at(self._system, tuple(at.split(".")))

    def _choose(self, change: Any) -> None:
        if not self._settling:
            self._set_actions()
            self._settling, self.nth.value, self._settling = True, 1, False
            self._changed(change)

    def _set_actions(self) -> None:
        options = self._actions(self.point.value) if self.point.value else [""]
        self._settling = True
        if list(self.action.options) != options:
            was = self.action.value
            self.action.options = options
            self.action.value = was if was in options else options[0]
        self.action.disabled = self.nth.disabled = not self.point.value
        self._settling = False

    def _turned(self, change: Any) -> None:
        if not self._settling:
            self._changed(change)


def reached(run: Run) -> Counter:
    """How often each point was reached."""
    return Counter(
        (s.service, s.step, s.envelope.type)
        for s in run.journal
        if s.envelope is not None and s.step in ACTIONS
    )

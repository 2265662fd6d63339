"""Sliders over the moments of a run, and over days or the events of a store."""

import math
from bisect import bisect_left
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import ipywidgets

from ..store.instants import as_datetime, to_microseconds
from ..view.calendar import DAY, Calendar
from .controls import Settling

_DAYS = 1_500  # a slider over more days than that would leave none to the hand


class Moments(Settling):
    """A slider over the moments at which something happened, with buttons `.back` and `.forward`.

    `.value` is the time in seconds; any other time is taken to the last moment before it. (An
    IntSlider: in the browser a SelectionSlider keeps the range of its first options.)"""

    def __init__(
        self, changed: Callable[[], None], before: str = "◀", after: str = "▶", label: str = "136px"
    ):
        layout = {"flex": "1 1 auto", "width": "auto"}
        self.slider = ipywidgets.IntSlider(0, min=0, max=1, readout=False, layout=layout)
        self.times: list[Any] = [0.0]  # seconds, or µs since 1970
        self.index = 0
        self._changed, self._wanted = changed, math.inf
        self.slider.tooltip = "moment"
        self.watch(self._moved, self.slider)
        self.back = ipywidgets.Button(description=before, tooltip="to the moment before")
        self.forward = ipywidgets.Button(description=after, tooltip="to the moment after")
        self.back.layout.width = self.forward.layout.width = "72px" if " " in before else "36px"
        self.back.on_click(lambda _: self.step(-1))
        self.forward.on_click(lambda _: self.step(1))
        self._label = ipywidgets.Label(layout={"width": label, "margin": "0 0 0 8px"})
        parts = [self.back, self.slider, self.forward, self._label]
        self.row = ipywidgets.HBox(parts, layout={"align_items": "center"})

    @property
    def value(self) -> Any:
        return self.times[self.index]

    @value.setter
    def value(self, wanted: Any) -> None:
        self.slider.value = self._find(wanted)

    @property
    def label(self) -> str:
        return f"{self.value:g} s"

    def step(self, by: int) -> None:
        """Go to a later or an earlier moment, at most to the last or the first one."""
        self.slider.value = min(max(self.index + by, 0), len(self.times) - 1)

    def offer(self, times: list[Any]) -> None:
        """Take on the moments of another run. The slider moves with the next `show`.

        It stays near the time to which the learner moved it, or at the end: near the moment found
        for the last run, it would creep back from run to run."""
        self.times = times or [0.0]
        self.index = self._find(self._wanted)

    def show(self) -> None:
        """Move the slider to `index`."""
        with self.settling():
            # In a message of its own: a browser clips a value that comes with a new maximum.
            self.slider.max = max(1, len(self.times) - 1)
            self.slider.value = self.index
        self._label.value = self.label

    def _find(self, time: float) -> int:
        return max(0, sum(moment <= time for moment in self.times) - 1)

    def _moved(self) -> None:
        self.index = min(self.slider.value, len(self.times) - 1)
        self._wanted = math.inf if self.index == len(self.times) - 1 else self.times[self.index]
        self._changed()
        self._label.value = self.label


class TimeSlider(Moments):
    """A slider for `until=` or `as_of=`. `.value` is a time as a store takes it; another time moves
    it to the last one before. The buttons go from event to event."""

    def __init__(self, keyword: str, name: str, changed: Callable[[], None]):
        super().__init__(changed)
        self.keyword = keyword
        self.calendar, self._events, self._stops = Calendar([0]), [0], [0]
        self.row.children = [
            ipywidgets.Label(name, layout={"width": "92px"}),
            *self.row.children,
        ]

    @property
    def now(self) -> bool:
        """Whether no event comes later."""
        return self.times[self.index] >= self._events[-1]

    @property
    def value(self) -> str | float:
        """A date, which means its end; else text with the time, or seconds of virtual time."""
        at = self.times[self.index]
        if self.calendar.virtual:
            return (at - to_microseconds(0, "")) / 1_000_000
        if (at + 1) % DAY == 0:
            return f"{as_datetime(at):%Y-%m-%d}"
        return as_datetime(at).isoformat().replace("+00:00", "Z")

    @value.setter
    def value(self, wanted: Any) -> None:
        self.slider.value = self._find(to_microseconds(wanted, f"{self.keyword}.value", bound=True))

    @property
    def label(self) -> str:
        now = " (now)" if self.keyword == "as_of" and self.now else ""
        return self.calendar.words(self.times[self.index]) + now

    def step(self, by: int) -> None:
        """Go to the last event before, or the first one behind."""
        stops = [stop for stop in self._stops if (stop - self.index) * by > 0]
        if stops:
            self.slider.value = stops[0] if by > 0 else stops[-1]

    def offer_events(self, events: list[int], others: list[int], calendar: Calendar) -> None:
        """Take on the moments (µs since 1970) of a stream's events: those of this slider, and those
        of the other one."""
        self.calendar, self._events = calendar, sorted(set(events)) or [0]
        moments = sorted({*events, *others}) or [0]
        first, last = moments[0] // DAY, moments[-1] // DAY
        if not calendar.virtual and 1 < last - first < _DAYS:
            # Days, and what else happened before the last event of a day.
            ends = [day * DAY + DAY - 1 for day in range(first, last + 1)]
            pairs = pairwise(moments)
            earlier = [at for at, after in pairs if at // DAY == after // DAY]
            moments = sorted({*ends, *earlier})
        self._stops = sorted({bisect_left(moments, at) for at in self._events})
        self._renew_slider(len(moments) - 1)
        self.offer(moments)
        self.show()

    def _renew_slider(self, last: int) -> None:
        """Make a slider for each range: in the browser the keys End and Page Up keep to the range
        with which a slider began."""
        if last == self.slider.max:
            return
        old, layout = self.slider, self.slider.layout
        self.slider = ipywidgets.IntSlider(0, max=max(1, last), readout=False, layout=layout)
        self.slider.tooltip = old.tooltip
        self.watch(self._moved, self.slider)
        self.row.children = [self.slider if part is old else part for part in self.row.children]
        old.close()

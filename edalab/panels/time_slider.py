"""A slider over days, or over the moments of events, with buttons from event to event."""

from bisect import bisect_left
from collections.abc import Callable
from typing import Any

import ipywidgets

from ..store.instants import as_datetime, to_microseconds
from ..view.calendar import DAY, Calendar
from .controls import Moments

_DAYS = 1_500  # a slider over more days than that would leave none to the hand


class TimeSlider(Moments):
    """A slider for `until=` or `as_of=`. `.value` is a time as a store takes it; another time moves
    it to the last one before. `.back.click()` and `.forward.click()` go from event to event."""

    def __init__(self, keyword: str, words: str, changed: Callable[[], None]):
        super().__init__(self._turned)
        self.keyword, self._then = keyword, changed
        self.calendar, self._events, self._stops = Calendar([0]), [0], [0]
        self._label = ipywidgets.Label(layout={"width": "136px", "margin": "0 0 0 8px"})
        self.back = self._button("◀", "to the event before", -1)
        self.forward = self._button("▶", "to the event after", 1)
        name = ipywidgets.Label(words, layout={"width": "92px"})
        parts = [name, self.back, self.slider, self.forward, self._label]
        self.row = ipywidgets.HBox(parts, layout={"align_items": "center"})

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

    def offer_events(self, events: list[int], others: list[int], calendar: Calendar) -> None:
        """Take on the moments (µs since 1970) of a stream's events: those of this slider, and those
        of the other one."""
        self.calendar, self._events = calendar, sorted(set(events)) or [0]
        moments = sorted({*events, *others}) or [0]
        first, last = moments[0] // DAY, moments[-1] // DAY
        if not calendar.virtual and 1 < last - first < _DAYS:
            # Days, and what else happened before the last event of a day.
            ends = [day * DAY + DAY - 1 for day in range(first, last + 1)]
            pairs = zip(moments, moments[1:], strict=False)
            earlier = [at for at, after in pairs if at // DAY == after // DAY]
            moments = sorted({*ends, *earlier})
        self._stops = sorted({bisect_left(moments, at) for at in self._events})
        self._make_slider(len(moments) - 1)
        self.offer(moments)
        self.show()
        self._show_label()

    def _make_slider(self, last: int) -> None:
        """Make a slider for each range: in the browser the keys End and Page Up keep to the range
        with which a slider began."""
        if last == self.slider.max:
            return
        old, layout = self.slider, self.slider.layout
        self.slider = ipywidgets.IntSlider(0, max=max(1, last), readout=False, layout=layout)
        self.slider.observe(self._moved, "value")
        self.row.children = [self.slider if part is old else part for part in self.row.children]
        old.close()

    def _button(self, sign: str, tip: str, by: int) -> ipywidgets.Button:
        button = ipywidgets.Button(description=sign, tooltip=tip, layout={"width": "36px"})
        button.on_click(lambda _: self._step(by))
        return button

    def _step(self, by: int) -> None:
        """To the last stop before, or the first one behind."""
        stops = [stop for stop in self._stops if (stop - self.index) * by > 0]
        if stops:
            self.slider.value = stops[0] if by > 0 else stops[-1]

    def _turned(self, _: Any = None) -> None:
        self._show_label()
        self._then()

    def _show_label(self) -> None:
        now = " (now)" if self.keyword == "as_of" and self.now else ""
        self._label.value = self.calendar.words(self.times[self.index]) + now

"""Sliders over the moments of a run, and over the days or events of a store."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import ipywidgets

from ..errors import Misuse, shown
from ..store.instants import as_datetime, to_microseconds
from ..view.calendar import DAY, Calendar
from . import html
from .controls import Settling

_DAYS = 1_500  # at most, so that a single day can be selected by hand


def end_of_day(at: int) -> int:
    return at // DAY * DAY + DAY - 1


class MomentSlider(Settling):
    """A slider over the moments at which something happened, with buttons `.back` and `.forward`.

    `.value` is the time in seconds. Setting another time selects the last moment before it. (It is
    an IntSlider, because a SelectionSlider in the browser keeps the range of its first options.)"""

    def __init__(self, changed: Callable[[], None]):
        layout = {"flex": "1 1 auto", "width": "auto"}
        self.slider = ipywidgets.IntSlider(0, min=0, max=1, readout=False, layout=layout)
        self.slider.tooltip = "moment"
        self.times: list[Any] = [0.0]  # seconds, or µs since 1970
        self.stops: Sequence[int] = [0]  # indices at which the buttons and a player stop
        self.index = 0
        self._changed, self._wanted = changed, math.inf
        self.followers: list[Callable[[], object]] = []  # called when somebody moves the slider
        self.watch(self._moved, self.slider)
        self.back = ipywidgets.Button(description="◀ step", tooltip="to the moment before")
        self.forward = ipywidgets.Button(description="step ▶", tooltip="to the moment after")
        self.back.layout.width = self.forward.layout.width = "72px"
        self.watch(lambda: self.step(-1), self.back)
        self.watch(lambda: self.step(1), self.forward)
        layout = {"width": "60px", "margin": "0 8px"}
        self.time = ipywidgets.Label(layout=layout)
        # In a narrow row, the slider wraps with its buttons, and is at least 150 px wide.
        self._track = ipywidgets.HBox(
            [self.back, self.slider, self.forward],
            layout={"flex": "1 1 318px", "align_items": "center"},
        )
        layout = {"flex_flow": "row wrap", "align_items": "center"}
        self.row = ipywidgets.HBox([self.time, self._track], layout=layout)

    @property
    def value(self) -> Any:
        return self.times[self.index]

    @value.setter
    def value(self, wanted: Any) -> None:
        self.slider.value = self._find(wanted)

    def tell(self, seconds: float) -> None:
        """Write a time beside the slider: of its moment, or one between two that is shown."""
        self.time.value = f"{round(seconds, 3):g} s"

    def step(self, by: int) -> None:
        """Move to the next stop (1) or the previous one (-1), if there is one."""
        stops = [stop for stop in self.stops if (stop - self.index) * by > 0]
        if stops:
            self.slider.value = stops[0] if by > 0 else stops[-1]

    def adopt(self, times: list[Any], stops: Sequence[int] = ()) -> None:
        """Adopt the moments of another run and the indices of its stops, by default all moments. The
        slider moves at the next `show`.

        It stays near the time to which the learner moved it, or at the end. If it stayed near the
        moment found for the last run, it would drift back from run to run."""
        self.times = times or [0.0]
        self.stops = stops or range(len(self.times))
        self.index = self._find(self._wanted)

    def show(self) -> None:
        """Move the slider to `index`."""
        with self.settling():
            # Two messages, because a browser clips a value that arrives with a new maximum.
            self.slider.max = max(1, len(self.times) - 1)
            self.slider.value = self.index
        self._write()

    def _find(self, time: float) -> int:
        return max(0, bisect_right(self.times, time) - 1)

    def _moved(self) -> None:
        self.index = min(self.slider.value, len(self.times) - 1)
        self._wanted = math.inf if self.index == len(self.times) - 1 else self.times[self.index]
        self._write()
        for follow in self.followers:
            follow()
        self._changed()

    def _write(self) -> None:
        self.tell(self.value)


class TimeSlider(MomentSlider):
    """A slider for `until=` or `as_of=`, with a `.field` in which a time can be typed. The buttons move
    from event to event.

    `.value` is a time for a store. If it is set to a time that is not a moment of the slider, the
    slider moves to one by which the same events have happened, or to its nearer end. `.message`
    explains a text in the field that is not a time, and the text remains."""

    def __init__(self, keyword: str, name: str, changed: Callable[[], None]):
        super().__init__(changed)
        self.keyword, self._words = keyword, name
        self.calendar, self._moments, self._last = Calendar([0]), [0], 0
        self.field = ipywidgets.Text(
            continuous_update=False,
            tooltip=f"{name}: a date such as 2025-03-04, or a time such as 2025-03-04T12:15Z",
            layout={"width": "178px", "margin": "0 8px"},
        )
        self._name = ipywidgets.Label(name, layout={"width": "92px"})
        self.message = ipywidgets.HTML(layout={"display": "none", "margin": "0 0 0 4px"})
        self.row.children = [self._name, self.field, self._track]
        self.watch(self._type, self.field)

    @property
    def now(self) -> bool:
        """Whether no event is later."""
        return self.times[self.index] >= self._last

    @property
    def value(self) -> str | float:
        """A date, which means the end of that day, or text with a time, or seconds of virtual time."""
        return self._value_at(self.index)

    @value.setter
    def value(self, wanted: Any) -> None:
        self._go(to_microseconds(wanted, f"{self.keyword}.value", bound=True), wanted)

    @property
    def label(self) -> str:
        return f"{self.value} s" if self.calendar.virtual else str(self.value)

    def adopt_events(
        self, events: list[int], every: list[int], part: tuple[int, int], calendar: Calendar
    ) -> None:
        """Adopt moments (µs since 1970). The buttons stop at `events`. The slider covers all days of
        `part`. In virtual time, or if there are few days or too many, it covers `every` moment in it."""
        self.calendar, self._moments = calendar, sorted(set(every))
        first, last = part[0], max([part[1], *events])
        times = self._moments
        if not calendar.virtual and 1 < last // DAY - first // DAY < _DAYS:
            # Days, and the moments before the last one of each day.
            last = end_of_day(last)
            earlier = [at for at, after in pairwise(times) if at // DAY == after // DAY]
            times = sorted({*earlier, *range(end_of_day(first), last + 1, DAY)})
        times = [at for at in times if first <= at <= last] or [last]
        self._last = max(events, default=times[-1])
        self._renew_slider(len(times) - 1)
        self.adopt(times, sorted({0, *(bisect_left(times, at) for at in events)}))
        self.show()

    def _value_at(self, index: int) -> str | float:
        at = self.times[index]
        if self.calendar.virtual:
            return (at - to_microseconds(0, "")) / 1_000_000
        if (at + 1) % DAY == 0:
            return f"{as_datetime(at):%Y-%m-%d}"
        return as_datetime(at).isoformat().replace("+00:00", "Z")

    def _find(self, time: float) -> int:
        # The last moment of a day is represented by the end of that day.
        count = bisect_right(self._moments, time)
        event = bisect_left(self.times, self._moments[count - 1]) if count else 0
        return min(max(super()._find(time), event), len(self.times) - 1)

    def _type(self) -> None:
        """Move to the time in the field, or show how to write a time."""
        text, wanted = self.field.value.strip(), None
        try:
            given = float(text.removesuffix("s")) if self.calendar.virtual else text
            wanted = to_microseconds(given, "the field", bound=True)
        except (ValueError, Misuse):
            example = "a date such as 2025-03-04, or a time with its zone such as 2025-03-04T12:15Z"
            example = "seconds of virtual time, such as 1.5" if self.calendar.virtual else example
            self._say(f"{shown(text)} cannot be read as a time: write {example}")
            return
        self._go(wanted, text)

    def _go(self, at: int, given: object) -> None:
        """Move to a moment, or else to one with the same events or to the nearer end, with a message."""
        self.slider.value = self._find(at)
        self._write()
        came = bisect_right(self._moments, at)
        if came != bisect_right(self._moments, self.times[self.index]):
            first, last = self._value_at(0), self._value_at(-1)
            self._say(f"{shown(given)} is outside this slider, which goes from {first} to {last}")
        elif at != self.times[self.index]:
            self._say(
                f"{self.label} stands for {shown(given)}: nothing came between the two", False
            )

    def _write(self) -> None:
        with self.settling():
            self.field.value = self.label
        now = " now" if self.keyword == "as_of" and self.now else ""
        self._name.value = self._words + now
        self._say("")

    def _say(self, sentence: str, struck: bool = True) -> None:
        self.message.value = html.error(sentence) if struck else html.hint(sentence)
        self.message.layout.display = "" if sentence else "none"

    def _renew_slider(self, last: int) -> None:
        """Create a new slider if the range changes, because in the browser the keys End and Page Up keep
        the range with which a slider was created."""
        if last == self.slider.max:
            return
        old, layout = self.slider, self.slider.layout
        self.slider = ipywidgets.IntSlider(0, max=max(1, last), readout=False, layout=layout)
        self.slider.tooltip = old.tooltip
        self.watch(self._moved, self.slider)
        self._track.children = [self.back, self.slider, self.forward]
        old.close()

"""The ▶ button: the cursor moves by itself, evenly along a timeline's axis, so a busy time takes longer."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

import anywidget
import traitlets

from ..view.axis import Axis
from .controls import Settling, front_end
from .time_slider import MomentSlider

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)
STEP = 0.75  # s for each moment, if the cursor steps from one to the next
_GAP, _PX = 27, 60  # px of an axis for each pair of moments; px per second


class Player(Settling, anywidget.AnyWidget):
    """A ▶ button that moves a cursor, with a speed and a loop, by mouse or keyboard.

    `.playing`, `.speed` (one of SPEEDS) and `.loop` can be read and set. The browser reports how
    much time has passed. Without a browser, call `.advance(seconds)`. `.seconds` is the time shown,
    which may be between two moments of the cursor. The cursor steps from moment to moment if the
    system prefers reduced motion (`.calm`), or if there are no times between its moments.

    At the end, ▶ starts from the beginning. Moving the cursor by hand stops it. In a new run, it
    continues from the position of the cursor."""

    _esm = front_end("player.js")
    playing = traitlets.Bool(False).tag(sync=True)
    speed = traitlets.Enum(SPEEDS, 1.0).tag(sync=True)
    loop = traitlets.Bool(False).tag(sync=True)
    calm = traitlets.Bool(False).tag(sync=True)
    clock = traitlets.Float(0.0).tag(sync=True)
    # The last `clock`, by which the browser knows that a kernel is running.
    heard = traitlets.Float(0.0).tag(sync=True)
    what = traitlets.Unicode("").tag(sync=True)
    speeds = traitlets.List([*SPEEDS]).tag(sync=True)

    def __init__(
        self, cursor: MomentSlider, changed: Callable[[], None] | None = None, what: str = ""
    ):
        """`changed` is called when the time shown changes and the cursor does not. It is None if there
        are no times between moments. `what` names the player if a panel has several."""
        super().__init__(what=f" {what}" if what else "")
        self.add_class("edalab-player")
        self._cursor, self._changed = cursor, changed
        self._shown: tuple[Any, int, float, float] | None = None  # times, index, place and time
        self._axis: tuple[Any, list[float]] | None = None  # times, and when each is reached (s)
        self._clock = 0.0
        self.watch(self._started_or_stopped, self, trait="playing")
        self.watch(self._ticked, self, trait="clock")
        cursor.followers.append(self._moved)
        # At an end, a button does not move the slider.
        self.watch(lambda: self.set_trait("playing", False), cursor.back, cursor.forward)

    @property
    def seconds(self) -> Any:
        """The time shown: that of the cursor or, during play, one between two moments."""
        return self._cursor.value if (shown := self._at_cursor()) is None else shown[3]

    def advance(self, seconds: float) -> None:
        """Play for `seconds` of real time, multiplied by `.speed`."""
        if not self.playing:
            return
        stops, places, length = self._course()
        shown, index = self._at_cursor(), self._cursor.index
        at = shown[2] if shown else places[bisect_right(stops, index) - 1]
        at += seconds * self.speed
        if at < length or (self.loop and length):
            self._show(at % length)
        else:
            self._show(places[-1])
            self.playing = False

    # -- the cursor

    @property
    def _steps(self) -> bool:
        return self.calm or self._changed is None

    def _at_cursor(self) -> tuple[Any, int, float, float] | None:
        """What was shown last, unless the cursor was moved since or has the moments of another run."""
        shown, cursor = self._shown, self._cursor
        still = shown and shown[0] is cursor.times and shown[1] == cursor.index
        return shown if still else None

    def _course(self) -> tuple[Sequence[int], list[float], float]:
        """The stops of the cursor, when it reaches each, and the length of a round, in seconds. Stops are
        evenly spaced in time, or placed as on the axis of a timeline."""
        times, stops = self._cursor.times, self._cursor.stops
        if self._steps:
            return stops, [STEP * number for number in range(len(stops))], STEP * len(stops)
        if self._axis is None or self._axis[0] is not times:
            axis = Axis({round(time * 1000): 0 for time in times}, 0, _GAP * (len(times) - 1) or 1)
            self._axis = times, [axis.starts[round(time * 1000)] / _PX for time in times]
        places = self._axis[1]
        return stops, places, places[-1]

    def _show(self, at: float) -> None:
        """Show the time that is reached `at` seconds after the start of the play."""
        cursor, (stops, places, _) = self._cursor, self._course()
        number = bisect_right(places, at) - 1
        index = stops[number]
        time = cursor.times[index]
        if number + 1 < len(places) and not self._steps:
            share = (at - places[number]) / (places[number + 1] - places[number])
            time += share * (cursor.times[index + 1] - time)
        self._shown = cursor.times, index, at, time
        with self.settling():
            if index != cursor.index:
                cursor.slider.value = index
            elif self._changed is not None and not self.calm:
                self._changed()

    # -- reactions

    def _started_or_stopped(self) -> None:
        if self.playing and self._cursor.index >= self._cursor.stops[-1]:
            with self.settling():
                self._cursor.slider.value = 0

    def _ticked(self) -> None:
        passed, self._clock = self.clock - self._clock, self.clock
        self.heard = self.clock
        try:
            self.advance(max(0.0, passed))
        except BaseException:  # for example if the learner interrupts a picture
            self.playing = False
            raise

    def _moved(self) -> None:
        if not self._settling:  # by hand
            self.playing = False

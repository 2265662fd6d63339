"""▶: the cursor moves by itself, at the pace of a timeline's axis."""

from bisect import bisect_right
from collections.abc import Callable
from typing import Any

import anywidget
import traitlets

from ..view.axis import Axis
from .controls import Settling
from .time_slider import Moments

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)
STEP = 0.7  # s that a moment stays where the cursor steps from one to the next
_GAP, _PX = 27, 60  # px of an axis for each pair of moments; px that pass in a second


class Player(Settling, anywidget.AnyWidget):
    """A ▶ that moves a cursor, with a speed and a loop; they work by mouse and keyboard.

    `.playing`, `.speed` (one of SPEEDS) and `.loop` can be read and set. The browser tells how much
    time has passed; without one, `.advance(seconds)` does. `.seconds` is the time that is shown,
    which may lie between two moments of the cursor. Where the system asks for reduced motion
    (`.calm`), or the cursor has no times between its moments, it steps from moment to moment.

    Pressed at the end, it begins again. Whoever moves the cursor by hand stops it. In another run it goes on from where the cursor is."""

    _esm = """
    export default () => {
      let last = 0;  // of the model, not of a view: a panel may be shown twice
      function render({ model, el }) {
        // JupyterLab would take Enter and the space bar for its own.
        el.setAttribute("data-lm-suppress-shortcuts", "true");
        el.innerHTML = `<button type="button" class="jupyter-button"></button>
          <select aria-label="speed" title="speed"></select>
          <label title="begin again at the end"><input type="checkbox"> loop</label>`;
        const [button, speed, loop] = ["button", "select", "input"].map((tag) => el.querySelector(tag));
        for (const value of model.get("speeds")) speed.add(new Option(`${value}×`, value));
        const send = (changes) => { model.set(changes); model.save_changes(); };
        const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
        button.onclick = () => send({ playing: !model.get("playing"), calm: calm() });
        speed.onchange = () => send({ speed: Number(speed.value) });
        loop.onchange = () => send({ loop: loop.checked });
        let timer;
        const tick = () => {
          const now = performance.now(), passed = Math.min(now - last, 250) / 1000;
          last = now;
          send({ clock: model.get("clock") + passed });
        };
        const show = () => {
          const playing = model.get("playing");
          const does = playing ? "pause" : "play", what = model.get("what");
          button.title = does + what;  // there, ▶ is what steps on
          button.textContent = what ? does : playing ? "❚❚" : "▶";
          button.setAttribute("aria-label", button.title);
          speed.value = model.get("speed");
          loop.checked = model.get("loop");
          clearInterval(timer);
          if (playing) { last = performance.now(); timer = setInterval(tick, 40); }
        };
        model.on("change:playing change:speed change:loop", show);
        show();
        return () => { clearInterval(timer); model.off(null, show); };
      }
      return { render };
    };
    """
    _css = """
    .edalab-player { display: flex; align-items: center; gap: 4px; flex: none; margin-right: 6px;
      color: var(--jp-ui-font-color1, #1f2933); font-size: 12px; overflow: visible; }
    .edalab-player button { width: auto; min-width: 36px; padding: 0 4px; }
    .edalab-player label { display: flex; align-items: center; gap: 2px; }
    .edalab-player select { height: 26px; color: inherit; border: 1px solid var(--jp-border-color1, #bdbdbd);
      background: var(--jp-layout-color1, #fff); }
    """
    playing = traitlets.Bool(False).tag(sync=True)
    speed = traitlets.Enum(SPEEDS, 1.0).tag(sync=True)
    loop = traitlets.Bool(False).tag(sync=True)
    calm = traitlets.Bool(False).tag(sync=True)
    clock = traitlets.Float(0.0).tag(sync=True)
    what = traitlets.Unicode("").tag(sync=True)
    speeds = traitlets.List([*SPEEDS]).tag(sync=True)

    def __init__(self, cursor: Moments, changed: Callable[[], None] | None = None, what: str = ""):
        """`changed` is called where the time shown changes and the cursor does not: None if it has
        no times between its moments. `what` is what is played, where a panel has several."""
        super().__init__(what=f" {what}" if what else "")
        self.add_class("edalab-player")
        self._cursor, self._changed = cursor, changed
        self._shown: tuple[Any, int, float, float] | None = None  # times, index, place and time
        self._clock = self._waited = 0.0
        self._times: Any = None
        self._places: list[float] = []
        self.watch(self._started_or_stopped, self, trait="playing")
        self.watch(self._ticked, self, trait="clock")
        self.watch(self._moved, cursor.slider)

    @property
    def seconds(self) -> Any:
        """The time that is shown: that of the cursor, or while it plays one between two moments."""
        shown, cursor = self._shown, self._cursor
        if shown and shown[0] is cursor.times and shown[1] == cursor.index:
            return shown[3]
        return cursor.value

    def advance(self, seconds: float) -> None:
        """Play on for so long, in seconds of whoever watches."""
        if not self.playing:
            return
        if self.calm or self._changed is None:
            self._waited += seconds * self.speed
            while self._waited >= STEP and self.playing:
                self._waited -= STEP
                self._step()
            return
        places = self._places_of_moments()
        at = self._place() + seconds * self.speed
        if at >= places[-1] and not (self.loop and places[-1]):
            self._show(places[-1])
            self.playing = False
        else:
            self._show(at % places[-1])

    # -- the cursor

    def _step(self) -> None:
        cursor = self._cursor
        before = cursor.index
        with self.settling():
            cursor.step(1)
            if cursor.index == before and self.loop:
                cursor.slider.value = 0
        if cursor.index == before:
            self.playing = False

    def _show(self, at: float) -> None:
        """Show the time at a place: so many seconds after the beginning of the run."""
        cursor, places = self._cursor, self._places
        index = bisect_right(places, at) - 1
        time = cursor.times[index]
        if index + 1 < len(places):
            share = (at - places[index]) / (places[index + 1] - places[index])
            time += share * (cursor.times[index + 1] - time)
        self._shown = cursor.times, index, at, time
        with self.settling():
            if index != cursor.index:
                cursor.slider.value = index
            elif self._changed is not None:
                self._changed()

    def _place(self) -> float:
        shown, cursor = self._shown, self._cursor
        if shown and shown[0] is cursor.times and shown[1] == cursor.index:
            return shown[2]
        return self._places[cursor.index]

    def _places_of_moments(self) -> list[float]:
        """When each moment is reached, in seconds: as evenly as a cursor runs along a timeline."""
        times = self._cursor.times
        if times is not self._times:
            self._times = times
            axis = Axis({round(time * 1000): 0 for time in times}, 0, _GAP * (len(times) - 1) or 1)
            self._places = [axis.starts[round(time * 1000)] / _PX for time in times]
        return self._places

    # -- what happens to it

    def _started_or_stopped(self) -> None:
        self._waited, before = 0.0, self._cursor.index
        if not self.playing:
            return
        with self.settling():
            if self.calm or self._changed is None:
                self._cursor.step(1)
                at_end = self._cursor.index == before
            else:
                at_end = before == len(self._cursor.times) - 1
            if at_end:
                self._cursor.slider.value = 0

    def _ticked(self) -> None:
        passed, self._clock = self.clock - self._clock, self.clock
        try:
            self.advance(max(0.0, passed))
        except BaseException:  # the learner interrupts a picture, say
            self.playing = False
            raise

    def _moved(self) -> None:
        if not self._cursor._settling:  # by hand, not by another run
            self.playing = False

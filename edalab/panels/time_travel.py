"""Time travel: what a state was and was believed to be, why, and what was learned since."""

import re
import sys
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets

from .. import view
from ..errors import Misuse, Text, shown
from ..sim import Printed, printing, quiet
from ..store.bitemporal import Hindsight, Node, Replay
from ..store.event_store import EventStore
from ..store.instants import to_microseconds
from ..store.stored_event import StoredEvent
from ..stuck import watched
from ..text import counted
from ..view.as_of import drawn_value, part_of_time
from ..view.calendar import Calendar
from ..view.picture import STORE, check_is
from ..view.state_chart import StateChart
from ..view.state_events import event_text
from . import html
from .call_line import NotebookNames
from .controls import Choice, Settling
from .frame import WIDTH, frame, mimebundle, still
from .player import Player
from .time_slider import TimeSlider, end_of_day


class TimeTravel(Settling):
    """A panel for `store.state`, with sliders for `until` and `as_of`. `stream` (None: all streams),
    `fold` and `start` are arguments of `store.state`, and `value` is that of `view.as_of`.

        TimeTravel(store, "account-7", balance, 0, since="2026-03-01", until="2026-03-31")

    `since` and `until` limit the time that the picture shows and the sliders cover, but not what is
    folded, so the state at `since` includes all events before it.

    Every widget is an attribute, and works without a browser: `travel.stream.value = "account-8"`,
    `travel.until.value = "2026-03-22"` (events that happened by then), `travel.as_of.value =
    "2026-03-24"` (events known then), `travel.until.field.value = "2026-03-22"` (as if typed),
    `travel.until.back.click()`, and a ▶ for each, `travel.play["until"].playing`, which moves from
    event to event. The results are `travel.state`, `travel.now` (the same, as known now),
    `travel.code`, `travel.error`, `travel.summary()` and `travel.picture()`. Raises Misuse if
    `since` or `until` is not a time, or if `since` is not before `until`."""

    def __init__(
        self,
        store: EventStore,
        stream: str | None,
        fold: Callable,
        start: Any = None,
        *,
        value: Callable | None = None,
        since: Any = None,
        until: Any = None,
    ):
        check_is("TimeTravel", EventStore, STORE, store)
        self._part = part_of_time(since, until)
        self._notebook = sys._getframe(1).f_globals
        self._store, self._fold, self._start, self._value = store, fold, start, value
        self.state = self.now = None
        self.error, self._learned = "", []
        self._hindsight: Hindsight | None = None
        options = [("all streams", None)] * (stream is None)
        options += [(name, name) for name in sorted(store.streams(), key=_natural)]
        self.stream = Choice(options=options, layout={"width": "auto"})
        self.stream.value = stream
        self.until = TimeSlider("until", "happened by", self._show)
        self.as_of = TimeSlider("as_of", "as known", self._show)
        self._picture, self._states, self._since, self._code, self._why = (
            ipywidgets.HTML(layout={"margin": "0"}) for _ in range(5)
        )
        self.play = {}
        for slider, name in ((self.until, "happened by"), (self.as_of, "as known")):
            self.play[slider.keyword] = player = Player(slider, what=name)
            *beginning, track = slider.row.children
            slider.row.children = [*beginning, player, track]
        both = self.until, self.as_of
        sliders = ipywidgets.VBox([part for one in both for part in (one.row, one.message)])
        left = {"stream": [self.stream], "state": [self._states], "learned since": [self._since]}
        self._panel = frame(left, [sliders, self._picture, self._code, self._why])
        self.watch(self._choose, self.stream)
        self._choose()

    @property
    def code(self) -> str:
        """The code that computes the state on the screen."""
        names, until, known = NotebookNames(self._notebook, "TimeTravel"), self.until, self.as_of
        store = names.of(self._store, "store")
        arguments = [names.of(self.stream.value, "stream"), names.of(self._fold, "fold")]
        arguments += [names.of(self._start, "start")] if self._start is not None else []
        for bound in (until,) if known.now else (until, known):
            arguments.append(f"{bound.keyword}={names.of(bound.value, bound.keyword)}")
        outcome = "refused" if self.error else shown(self.state)
        return names.whole(f"{store}.state({', '.join(arguments)})  # {outcome}")

    def summary(self) -> Text:
        """The code and its results as text. It is equal for equal screens."""
        words = self._calendar.words
        learned = "; ".join(
            f"{event_text(fact)}, happened {words(fact.happened_at)}, recorded {words(fact.recorded_at)}"
            for fact in self._learned
        )
        since = f"; learned since: {learned}" if learned else ""
        return Text(f"{self.code}\n{self.error or f'as known now: {shown(self.now)}{since}'}")

    def picture(self, width: int = view.scene.WIDTH) -> view.Picture:
        """The screen as a still picture."""
        return still(self._draw(width), [], self.error, self.code)

    def _choose(self) -> None:
        """Adopt the moments of another stream."""
        facts = self._store.read(self.stream.value)
        every = [at for fact in facts for at in (fact.happened_at, fact.recorded_at)]
        self._calendar = Calendar(every or [0])
        first, last = self._part
        moments = [*every, *(at for at in self._part if at is not None)] or [0]
        first = min(moments) if first is None else first
        last = end_of_day(max(moments)) if last is None else last
        happened = [fact.happened_at for fact in facts if first <= fact.happened_at <= last]
        known = [fact for fact in facts if fact.happened_at <= end_of_day(last)]
        recorded = [fact.recorded_at for fact in known if fact.recorded_at >= first]
        self.until.adopt_events(happened, every, (first, last), self._calendar)
        self.as_of.adopt_events(recorded, every, (first, last), self._calendar)
        self._show()

    def _show(self) -> None:
        self.error, self.state, self.now, self._learned = "", None, None, []
        try:
            with quiet(), watched(getattr(self._fold, "__name__", "the fold"), patience=6):
                self._ask(self._store.read(self.stream.value))
                self._picture.value = html.picture(self._draw(WIDTH))
        except Exception as error:  # in the learner's fold: shown in the panel, not in a log
            self.error, self._hindsight = html.error_text(error), None
            self._picture.value = html.error(self.error)
            self._states.value = self._since.value = self._why.value = ""
        self._code.value = html.code(self.code)

    def _ask(self, facts: list[StoredEvent]) -> None:
        """Fold the stream once as known now and once as known then, for the table, states and picture."""
        until, known = (
            to_microseconds(bound.value, f"{bound.keyword}=", bound=True)
            for bound in (self.until, self.as_of)
        )
        replay = Replay(self._fold, self._start, drawn_value(self._fold, self._value))
        facts = sorted(facts, key=lambda fact: (fact.happened_at, fact.position))
        happened = [fact for fact in facts if fact.happened_at <= until]
        printed = Printed()
        with printing(printed):  # only the output of this fold is shown
            then = replay.nodes_along([fact for fact in happened if fact.recorded_at <= known])
        self._hindsight = hindsight = Hindsight(facts, replay)
        course = hindsight.nodes
        self.state, self.now = then[-1].state, course[len(happened)].state
        self._learned = [fact for fact in happened if fact.recorded_at > known]
        as_known = f"as known {self._calendar.on(self.as_of.times[self.as_of.index])}"
        states = {as_known: self.state, "as known now": self.now, "at the end": course[-1].state}
        rows = [(name, shown(state, 40)) for name, state in states.items()]
        # In a sheet, with small letters and a scroll bar for long states.
        self._states.value = html.sheet(html.table(("", ""), rows))
        self._since.value = self._learned_since()
        self._why.value = html.in_full(printed) + html.sheet(self._reasons(then))

    def _learned_since(self) -> str:
        """The events that were recorded only after the time `as_of`, for the column next to the picture."""
        count = counted(len(self._learned), "event") if self._learned else "nothing"
        parts = [f"<div>{count} (<code>store.difference</code>)</div>"]
        for fact in self._learned[: html.ROWS]:
            happened, recorded = map(self._calendar.words, (fact.happened_at, fact.recorded_at))
            times = f"happened {happened}, recorded {recorded}" if fact.late else happened
            where = f"{fact.stream}: " if self.stream.value is None else ""
            parts.append(f"<div><b>{escape(where + event_text(fact))}</b><br>{times}</div>")
        return html.sheet(*parts)

    def _reasons(self, then: list[Node]) -> str:
        """The events that led to the state, with the state after each."""
        facts = [(node.fact, node.state) for node in then if node.fact is not None]
        title = f"<div><b>Why</b>: {counted(len(facts), 'event')} (<code>store.table</code>)</div>"
        words, rows, facts = self._calendar.words, [], facts[-html.ROWS :]
        for fact, state in facts:
            name = f"{fact.stream} {fact.version}" if self.stream.value is None else fact.version
            times = words(fact.happened_at), words(fact.recorded_at)
            rows.append((name, event_text(fact), *times, shown(state, 40)))
        late = ["struck" if fact.late else "" for fact, _ in facts]
        return title + html.table(("version", "event", "happened", "recorded", "state"), rows, late)

    def _draw(self, width: int) -> view.Picture:
        if self._hindsight is None:
            raise Misuse(f"there is no picture: {self.error}")
        known = None if self.as_of.now else self.as_of.value
        cursor = self.until.value
        asked = self.stream.value, known, cursor, self._part, width
        return view.Picture(StateChart(self._hindsight, *asked).scene)

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        picture = None if self.error else self.picture()
        return mimebundle(self._panel, self.summary(), picture)

    def __repr__(self) -> str:
        return f"<TimeTravel: {self.code.splitlines()[-1]}>"


def _natural(name: str) -> list[str]:
    """A sort key that puts account-9 before account-13."""
    return [part.zfill(20) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]

"""Time travel: what a state was, what it was believed to be, why, and what was learned since."""

import re
import sys
from collections.abc import Callable
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
from ..view.as_of import draw, drawn_value
from ..view.calendar import Calendar
from ..view.event_marks import event_text
from ..view.picture import STORE, check_is
from . import html
from .call_line import Names
from .controls import Choice, Settling
from .frame import WIDTH, frame, mimebundle, still
from .player import Player
from .time_slider import TimeSlider


class TimeTravel(Settling):
    """A panel over `store.state`: `store`, `stream` (None: all streams), `fold` and `start` are its
    arguments, `value` is that of `view.as_of`.

    Every widget is an attribute that works without a browser: `travel.stream.value = "account-8"`,
    `travel.until.value = "2026-03-22"` (by when things happened), `travel.as_of.value =
    "2026-03-24"` (as it was known), `travel.until.back.click()`, and ▶ beside each,
    `travel.play["until"].playing`, which goes from event to event. The answers are `travel.state`,
    `travel.now` (the same, as known now), `travel.code`, `travel.error`, `travel.summary()` and
    `travel.picture()`."""

    def __init__(
        self,
        store: EventStore,
        stream: str | None,
        fold: Callable,
        start: Any = None,
        *,
        value: Callable | None = None,
    ):
        check_is("TimeTravel", EventStore, STORE, store)
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
        self._picture, self._states, self._code, self._why = (
            ipywidgets.HTML(layout={"margin": "0"}) for _ in range(4)
        )
        self.play = {}
        for slider, name in ((self.until, "happened by"), (self.as_of, "as known")):
            self.play[slider.keyword] = player = Player(slider, what=name)
            slider.row.children = [slider.row.children[0], player, *slider.row.children[1:]]
        sliders = ipywidgets.VBox([self.until.row, self.as_of.row])
        left = {"stream": [self.stream], "state": [self._states]}
        self._panel = frame(left, [sliders, self._picture, self._code, self._why])
        self.watch(self._choose, self.stream)
        self._choose()

    @property
    def code(self) -> str:
        """The line that asks for the state on the screen."""
        names, until, known = Names(self._notebook, "TimeTravel"), self.until, self.as_of
        store = names.of(self._store, "store")
        arguments = [names.of(self.stream.value, "stream"), names.of(self._fold, "fold")]
        arguments += [names.of(self._start, "start")] if self._start is not None else []
        for bound in (until,) if known.now else (until, known):
            arguments.append(f"{bound.keyword}={names.of(bound.value, bound.keyword)}")
        outcome = "refused" if self.error else shown(self.state)
        return names.whole(f"{store}.state({', '.join(arguments)})  # {outcome}")

    def summary(self) -> Text:
        """The question and the answer as text: equal where the same is on the screen."""
        words = self._calendar.words
        learned = "; ".join(
            f"{event_text(fact)}, happened {words(fact.happened_at)}, recorded {words(fact.recorded_at)}"
            for fact in self._learned
        )
        since = f"; learned since: {learned}" if learned else ""
        return Text(f"{self.code}\n{self.error or f'as known now: {shown(self.now)}{since}'}")

    def picture(self, width: int = 900) -> view.Picture:
        """What is on the screen as one still picture."""
        return still(self._draw(width), [], self.error, self.code)

    def _choose(self) -> None:
        """Take on the moments of another stream."""
        facts = self._store.read(self.stream.value)
        happened = [fact.happened_at for fact in facts]
        recorded = [fact.recorded_at for fact in facts]
        self._calendar = Calendar([*happened, *recorded] or [0])
        self.until.offer_events(happened, recorded, self._calendar)
        self.as_of.offer_events(recorded, happened, self._calendar)
        self._show()

    def _show(self) -> None:
        self.error, self.state, self.now, self._learned = "", None, None, []
        try:
            with quiet(), watched(getattr(self._fold, "__name__", "the fold"), patience=6):
                self._ask(self._store.read(self.stream.value))
                self._picture.value = html.picture(self._draw(WIDTH))
        except Exception as error:  # of the learner's fold: the panel shows it, not a log
            self.error, self._hindsight = html.error_text(error), None
            self._picture.value = html.error(self.error)
            self._states.value = self._why.value = ""
        self._code.value = html.code(self.code)

    def _ask(self, facts: list[StoredEvent]) -> None:
        """Fold the stream once for each of the two times; table, states and picture share it."""
        until, known = (
            to_microseconds(bound.value, f"{bound.keyword}=", bound=True)
            for bound in (self.until, self.as_of)
        )
        replay = Replay(self._fold, self._start, drawn_value(self._fold, self._value))
        facts = sorted(facts, key=lambda fact: (fact.happened_at, fact.position))
        happened = [fact for fact in facts if fact.happened_at <= until]
        printed = Printed()
        with printing(printed):  # of all the folds, in that of the state on the screen
            then = replay.course([fact for fact in happened if fact.recorded_at <= known])
        self._hindsight = hindsight = Hindsight(facts, replay)
        course = hindsight.course
        self.state, self.now = then[-1].state, course[len(happened)].state
        self._learned = [fact for fact in happened if fact.recorded_at > known]
        as_known = f"as known {self._calendar.on(self.as_of.times[self.as_of.index])}"
        states = {as_known: self.state, "as known now": self.now, "at the end": course[-1].state}
        rows = [(name, shown(state, 40)) for name, state in states.items()]
        # In small letters, and a long state can be scrolled to.
        self._states.value = html.sheet(html.table(("", ""), rows))
        explained = html.sheet(self._learned_since(), self._reasons(then))
        self._why.value = html.in_full(printed) + explained

    def _learned_since(self) -> str:
        if not self._learned:
            return ""
        count = counted(len(self._learned), "event")
        title = f"<div><b>Learned since</b>: {count} (<code>store.difference</code>)</div>"
        return title + self._table([(fact, "") for fact in self._learned[: html.ROWS]], "")

    def _reasons(self, then: list[Node]) -> str:
        """The events that led to the state, with the state after each."""
        count = len(then) - 1
        title = f"<div><b>Why</b>: {counted(count, 'event')} (<code>store.table</code>)</div>"
        last = then[max(0, count - html.ROWS) + 1 :]
        states = [(node.fact, shown(node.state, 40)) for node in last if node.fact is not None]
        return title + self._table(states, "state")

    def _table(self, facts: list[tuple[StoredEvent, str]], last: str) -> str:
        words, rows = self._calendar.words, []
        for fact, state in facts:
            name = f"{fact.stream} {fact.version}" if self.stream.value is None else fact.version
            times = words(fact.happened_at), words(fact.recorded_at)
            rows.append((name, event_text(fact), *times, state))
        late = ["struck" if fact.late else "" for fact, _ in facts]
        return html.table(("version", "event", "happened", "recorded", last), rows, late)

    def _draw(self, width: int) -> view.Picture:
        if self._hindsight is None:
            raise Misuse(f"there is no picture: {self.error}")
        known = None if self.as_of.now else self.as_of.value
        return draw(self._hindsight, self.stream.value, known, self.until.value, width=width)

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        picture = None if self.error else self.picture()
        return mimebundle(self._panel, self.summary(), picture)

    def __repr__(self) -> str:
        return f"<TimeTravel: {self.code.splitlines()[-1]}>"


def _natural(name: str) -> list[str]:
    """Sorts account-9 before account-13."""
    return [part.zfill(20) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]

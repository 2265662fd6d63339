"""Time travel: what the state was then, what we believed it was, why, and what we have learned since."""

import re
import sys
from collections.abc import Callable
from typing import Any

import ipywidgets

from .. import view
from ..errors import Text, shown
from ..sim import Printed, printing, quiet
from ..store.event_store import EventStore
from ..store.stored_event import StoredEvent
from ..stuck import watched
from ..text import counted
from ..view.calendar import Calendar
from ..view.picture import STORE, check_is
from ..view.marked import in_words
from . import html
from .call_line import Names
from .controls import Choice
from .frame import frame
from .still import still
from .time_slider import Bound

WIDTH = 624  # px of the picture: as in the laboratory


class TimeTravel:
    """A panel over `store.state`: `store`, `stream` (None: all), `fold` and `start` as that takes them, `value` as `as_of` does.

    Every widget is an attribute that works without a browser: `travel.stream.value = "account-8"`, `travel.until.value =
    "2026-03-22"` (by when it happened), `travel.as_of.value = "2026-03-24"` (by when we knew), `travel.until.back.click()`.
    What came of it: `travel.state`, `travel.now` (the same, as known now), `travel.code`, `travel.error`, `travel.summary()`,
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
        options = [("all streams", None)] * (stream is None) + [
            (name, name) for name in sorted(store.streams(), key=_natural)
        ]
        self.stream = Choice(options=options, layout={"width": "auto"})
        self.stream.value = stream
        self.until, self.as_of = (
            Bound("until", "happened by", self._show),
            Bound("as_of", "as known", self._show),
        )
        self._picture, self._states, self._code, self._why = (
            ipywidgets.HTML(layout={"margin": "0"}) for _ in range(4)
        )
        below = ipywidgets.VBox([self._code, self._why])
        sliders = ipywidgets.VBox([self.until.row, self.as_of.row])
        self._panel = frame(
            {"stream": [self.stream], "state": [self._states]}, [sliders, self._picture, below]
        )
        self.stream.observe(self._choose, "value")
        self._choose()

    @property
    def code(self) -> str:
        """The line that asks for the state on the screen."""
        names = Names(self._notebook, "TimeTravel")
        store = names.of(self._store, "store")
        words = [names.of(self.stream.value, "stream"), names.of(self._fold, "fold")]
        words += [names.of(self._start, "start")] if self._start is not None else []
        words += [f"until={names.of(self.until.value, 'until')}"]
        words += [] if self.as_of.now else [f"as_of={names.of(self.as_of.value, 'as_of')}"]
        found = shown(self.state) if not self.error else "refused"
        return names.whole(f"{store}.state({', '.join(words)})  # {found}")

    def summary(self) -> Text:
        """What was asked and found, as text: the same wherever the same is on the screen."""
        learned = "; ".join(f"{in_words(fact)}, happened {when}, recorded {then}"
                            for fact in self._learned for when, then in [self._times(fact)])  # fmt: skip
        since = f"as known now: {shown(self.now)}" + (
            f"; learned since: {learned}" if learned else ""
        )
        return Text(f"{self.code}\n{self.error or since}")

    def picture(self, width: int = 900) -> view.Picture:
        """What is on the screen as one still picture."""
        return still(self._drawing(width), [], self.error, self.code)

    def _choose(self, _: Any = None) -> None:
        """Another stream has other moments."""
        facts = self._store.read(self.stream.value)
        happened, recorded = (
            [fact.happened_at for fact in facts],
            [fact.recorded_at for fact in facts],
        )
        self._calendar = Calendar([*happened, *recorded] or [0])
        self.until.offer_events(happened, recorded, self._calendar)
        self.as_of.offer_events(recorded, happened, self._calendar)
        self._show()

    def _show(self) -> None:
        self.error, self.state, self.now, self._learned = "", None, None, []
        try:
            with quiet(), watched(getattr(self._fold, "__name__", "the fold"), patience=6):
                self._ask()
                drawn = self._drawing(WIDTH).svg()
            self._picture.value = f'<div class="edalab-picture">{drawn}</div>'
        except (
            Exception
        ) as error:  # a learner's fold ran: what it raises is to be read on the panel, not in a log
            self.error = html.told(error)
            self._picture.value, self._states.value, self._why.value = (
                html.error(self.error),
                "",
                "",
            )
        self._code.value = html.code(self.code)

    def _ask(self) -> None:
        """The state then and now, and why."""
        asked, until, known = (
            (self.stream.value, self._fold, self._start),
            self.until.value,
            self.as_of.value,
        )
        changed = self._store.difference(*asked, until=until, as_of=(known, None))
        self.state, self.now, self._learned = changed.before, changed.after, changed.came
        then = f"as known {self._calendar.on(self.as_of.times[self.as_of.index])}"
        states = {
            then: self.state,
            "as known now": self.now,
            "at the end": self._store.state(*asked),
        }
        rows = [(name, shown(state, 40)) for name, state in states.items()]
        self._states.value = html.sheet(
            html.table(("", ""), rows)
        )  # in small letters, and a long state can be scrolled to
        printed = Printed()
        with printing(printed):  # of all the times that the fold is asked, in this one
            why = self._store.table(*asked, until=until, as_of=known)
        facts = {fact.position: fact for fact in self._store.read(self.stream.value)}
        known = [
            (facts[position], shown(state, 40))
            for position, state in zip(why["position"], why["state"])
        ][-html.ROWS :]
        parts = [
            f"<div><b>Why</b>: {counted(len(why), 'event')} (<code>store.table</code>)</div>",
            self._table(known, "state"),
        ]
        if self._learned:
            title = f"<div><b>Learned since</b>: {counted(len(self._learned), 'event')} (<code>store.difference</code>)</div>"
            parts = [
                title,
                self._table([(fact, "") for fact in self._learned[: html.ROWS]], ""),
                *parts,
            ]
        self._why.value = html.in_full(printed) + html.sheet(*parts)

    def _table(self, facts: list[tuple[StoredEvent, str]], last: str) -> str:
        several = self.stream.value is None
        rows = [(f"{fact.stream} {fact.version}" if several else fact.version, in_words(fact), *self._times(fact), state)
                for fact, state in facts]  # fmt: skip
        late = ["struck" if fact.late else "" for fact, _ in facts]
        return html.table(("version", "event", "happened", "recorded", last), rows, late)

    def _times(self, fact: StoredEvent) -> tuple[str, str]:
        return self._calendar.words(fact.happened_at), self._calendar.words(fact.recorded_at)

    def _drawing(self, width: int) -> view.Picture:
        known = None if self.as_of.now else self.as_of.value
        asked = self._store, self.stream.value, self._fold, self._start
        return view.as_of(
            *asked, value=self._value, cursor=self.until.value, as_of=known, width=width
        )

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        bundle, about = self._panel._repr_mimebundle_() | {"text/plain": self.summary()}, {}
        if not self.error:
            picture, about = self.picture()._repr_mimebundle_()
            bundle = picture | bundle
        return bundle, about

    def __repr__(self) -> str:
        return f"<TimeTravel: {self.code.splitlines()[-1]}>"


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Sorts account-9 before account-13."""
    return [
        (word.isdecimal(), int(word) if word.isdecimal() else 0, word)
        for word in re.split(r"(\d+)", name)
    ]

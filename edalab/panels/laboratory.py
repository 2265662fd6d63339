"""The laboratory: turn a knob, and the run is played again, drawn, judged, and written down as the line that plays it."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import ipywidgets

from .. import view
from ..claims.claim import Claim, Verdict, claims_of
from ..claims.explore import Schedule
from ..claims.saga_stories import speaks_of_sagas
from ..errors import Hung, Misuse, Text, shown
from ..model import System
from ..sim import Fault, Faults, Printed, Window, parse_plan, printing, quiet, simulate
from ..sim.run import Run
from ..view.excerpt import choose, story_names
from ..view.picture import check_seconds
from ..view.timeline import draw
from . import html
from .call_line import Names, line, makers
from .controls import RATES, STYLE, ExactFault, Moments, lesson_knob, rate, reached
from .fault_picker import EveryFault
from .frame import frame
from .still import still

SUGGESTED = 300  # stories in the list of those that can be asked for
WIDTH = 624  # px of a picture: what the notebook beside JupyterLab's side bar leaves at 1280
TABS = (
    "Timeline",
    "Flow",
    "Saga",
    "State",
    "Tables",
    "Every fault",
)  # Saga where messages speak of sagas


class Laboratory:
    """A panel over `simulate`: `system` and `workload` as it takes them, or functions of the `knobs` that make them;
    `knobs={"dedup": ["none", "by id"], "subscribers": (1, 8)}` are keywords of these functions, with values to choose from or
    the lowest and highest; `ledger` is what stands beside a saga, as `saga_map` takes it.

    Every widget is an attribute that works without a browser: `lab.drop.value = 0.5`, `lab.seed`, `lab.point`, `lab.action`,
    `lab.nth`, `lab.plan` (more faults, as text), `lab.cursor` (seconds), `lab.back.click()`, `lab.forward.click()`, `lab.tabs.selected_index`, and each knob by its
    name; `lab.correlation`, `lab.start` and `lab.end` (text) are what `timeline` takes. What there is
    to see: `lab.run`, `lab.verdicts`, `lab.error`, `lab.printed` (by handlers and claims), `lab.code`,
    `lab.summary()`, `lab.picture()`."""

    def __init__(
        self,
        system: System | Callable[..., System],
        workload: Callable,
        claims: Iterable[Claim] = (),
        knobs: Mapping[str, list | tuple] | None = None,
        ledger: Callable[[Any], Mapping] | None = None,
    ):
        self._notebook = sys._getframe(1).f_globals
        if not isinstance(knobs or {}, Mapping):
            what = 'knobs= takes a dict such as {"dedup": ["none", "by id"], "subscribers": (1, 8)}'
            raise Misuse(f"{what}, not {shown(knobs)}")
        knobs = dict(knobs or {})
        self._system, self._workload = both = makers(system, workload, knobs)
        self.claims, self._ledger = claims_of(claims, "Laboratory"), ledger
        self.run: Run | None = None
        self.verdicts: list[Verdict] = []
        self.error = self._raised = ""
        self._printed, self._part = Printed(), {}
        self._made, self._calm, self._reached = None, Counter(), Counter()
        self._settling = True
        self._exact = ExactFault(self._play)
        self.point, self.action, self.nth = self._exact.point, self._exact.action, self._exact.nth
        self.plan = ipywidgets.Text(
            placeholder="more faults, as text",
            continuous_update=False,
            layout={"flex": "1 1 120px", "width": "auto"},
        )
        self.correlation = ipywidgets.Combobox(
            placeholder="key or correlation id", continuous_update=False, layout={"width": "auto"}
        )
        self.start, self.end = (
            ipywidgets.Text(
                description=name,
                placeholder="s",
                continuous_update=False,
                style={"description_width": "initial"},
                layout={"flex": "1 1 0", "width": "auto", "min_width": "0"},
            )
            for name in ("start", "end")
        )
        self.seed = ipywidgets.IntSlider(
            0, min=0, max=99, description="seed", style=STYLE, layout={"width": "auto"}
        )
        for name in RATES:
            setattr(self, name, rate(name))
        self.cursor = Moments(self._draw)
        self._when = ipywidgets.Label(layout={"width": "60px", "margin": "0 2px 0 12px"})
        self.back = ipywidgets.Button(
            description="◀ step", layout={"width": "72px"}, tooltip="to the moment before"
        )
        self.forward = ipywidgets.Button(
            description="step ▶", layout={"width": "72px"}, tooltip="to the moment after"
        )
        self.every_fault = EveryFault(self.claims, self._choose, WIDTH) if self.claims else None
        self._sheets = {name: ipywidgets.HTML() for name in TABS[:-1]} | (
            {TABS[-1]: self.every_fault.widget} if self.every_fault else {}
        )
        self._said = ipywidgets.HTML()
        # Below the tabs: it has a line or ten, and what one clicks stays in its place.
        self._pages = {
            name: ipywidgets.VBox([self._said, sheet]) for name, sheet in self._sheets.items()
        }
        self._shown: list[str] = []  # the names of the tabs
        self.tabs = ipywidgets.Tab()
        self._offer_tabs([name for name in self._sheets if name != "Saga"])
        self.knobs: dict[str, ipywidgets.Widget] = {}
        for name, spec in knobs.items():
            if not name.isidentifier() or hasattr(self, name):
                raise Misuse(
                    f"a knob cannot be called {name!r}: the panel has one of its own; choose another keyword"
                )
            self.knobs[name] = lesson_knob(name, spec, both)
        for name, knob in self.knobs.items():
            setattr(self, name, knob)
        self._chips, self._code = (ipywidgets.HTML(layout={"margin": "0"}) for _ in range(2))
        self._hint = ipywidgets.HTML(layout={"margin": "0 0 4px 2px", "height": "16px"})
        heading = ipywidgets.HTML(html.heading("exact fault"), layout={"margin": "0 8px 0 2px"})
        exact = ipywidgets.HBox(
            [heading, self.point, self.action, self.nth, self.plan],
            layout={"flex_flow": "row wrap", "align_items": "center"},
        )
        left = {
            "random faults": [getattr(self, name) for name in RATES],
            "this lesson": [*self.knobs.values()],
            "timing": [self.seed],
            "story": [self.correlation, ipywidgets.HBox([self.start, self.end])],
        }
        moments = ipywidgets.HBox(
            [self.back, self.cursor.slider, self._when, self.forward],
            layout={"align_items": "center"},
        )
        self._panel = frame(
            left, [self._chips, moments, self.tabs, self._code], [exact, self._hint]
        )
        for widget in (
            self.seed,
            self.plan,
            self.correlation,
            self.start,
            self.end,
            *(getattr(self, name) for name in RATES),
            *self.knobs.values(),
        ):
            widget.observe(self._play, "value")
        self.tabs.observe(self._draw, "selected_index")
        self.back.on_click(lambda _: self.cursor.move(-1))
        self.forward.on_click(lambda _: self.cursor.move(1))
        self._settling = False
        self._play()

    # -- what is on the screen, in code

    @property
    def faults(self) -> list[Fault | Faults | Window]:
        """What is asked for, as `simulate` takes it: the exact fault, the plan pasted, and the rates."""
        rates = {
            name: round(getattr(self, name).value, 4) for name in RATES if getattr(self, name).value
        }
        exact = self._exact.fault
        try:
            pasted = parse_plan(self.plan.value)
        except Misuse as misuse:
            self.error, pasted = str(misuse), []
        return ([exact] if exact else []) + pasted + ([Faults(**rates)] if rates else [])

    @property
    def code(self) -> str:
        """The line that makes the run on the screen again, and the one that draws a part of it."""
        values, names = self._values(), Names(self._notebook, "Laboratory")
        said = line(
            self._system.code(values, names),
            self._workload.code(values, names),
            self.seed.value,
            self.faults,
            f"raises {self._raised}" if self._raised else f"digest {self.run.digest}",
        )
        part = ", ".join(f"{name}={names.of(value, name)}" for name, value in self._part.items())
        return names.whole(said + (f"\ntimeline(run, {part})" if part else ""))

    @property
    def printed(self) -> str:
        """What the learner's code printed in the run on the screen, as far as it is kept."""
        return str(self._printed)

    def summary(self) -> Text:
        """The settings, the verdicts and the digest as text, the same wherever the same is on the screen."""
        return Text(
            "\n".join([self.code, *map(str, self.verdicts), *([self.error] if self.error else [])])
        )

    def picture(self) -> view.Picture:
        """What is on the screen as one still picture: the timeline, the verdicts, the line of code."""
        if self.run is None:
            raise Misuse(f"no run was played that could be shown: {self.error}")
        return still(self._timeline(900), self.verdicts, self.error, self.code)

    # -- playing

    def _values(self) -> dict[str, Any]:
        return {name: knob.value for name, knob in self.knobs.items()}

    def _play(self, _: Any = None) -> None:
        """Some knob was turned."""
        if self._settling:
            return
        self._settling, self.error, self._raised, self.verdicts = True, "", "", []
        values, self._printed = self._values(), Printed()
        try:
            with printing(self._printed):
                system, workload = self._system.make(values), self._workload.make(values)
                self._meet(system, workload)
                self.run = simulate(system, workload, seed=self.seed.value, faults=self.faults)
        except (
            Exception
        ) as error:  # a learner's code ran: what it raises is to be read on the panel, not in a log
            self._raised, self.error = type(error).__name__, html.told(error)
            if getattr(error, "run", None) is not None:
                self.run = error.run
            elif self.run is not None:
                self.error += ". The run before is still on the screen"
        finally:
            self._settling = False  # also when the learner interrupts a long run
        if self.run is not None:
            self._show_run()
        try:
            if not self._raised:
                with printing(self._printed):
                    found = map(self._judged, self.claims)
                    self.verdicts = [verdict for verdict in found if verdict is not None]
        finally:  # who interrupts a slow claim sees no verdict, and not that of the run before under the picture of this one
            self._chips.value = html.chips(self.claims, self.verdicts)
            self._said.value = html.said(self.error, self.verdicts, self._printed)
            self._code.value = html.code(self.code)
            self._hint.value = self._about_the_point()

    def _show_run(self) -> None:
        self._offer_tabs(
            [name for name in self._sheets if name != "Saga" or speaks_of_sagas(self.run)]
        )
        if self.every_fault and self.every_fault.tried != (
            *self._made,
            self.seed.value,
        ):  # its number is of another system
            self.tabs.set_title(self._shown.index("Every fault"), "Every fault")
        self._choose_part()
        self.cursor.offer([time / 1000 for time in self._choice.times()])
        self._draw()
        time.sleep(
            0.0005
        )  # the kernel's thread that sends has its turn now: it would wait 5 ms for this one, an eighth of the time
        self.cursor.show()  # after the picture, for which somebody waits: a browser takes one message after the other
        self._reached = reached(self.run)
        self._exact.offer([*self._calm, *self._reached])

    def _choose_part(self) -> None:
        """The story, the stretch of time or both that are asked for; else what `timeline` shows by itself."""
        self.correlation.options = story_names(self.run.journal)[:SUGGESTED]
        self._part = {}
        if wanted := self.correlation.value.strip():
            self._part["correlation"] = wanted
        for name in ("start", "end"):
            if text := getattr(self, name).value.strip():
                try:
                    self._part[name] = float(text)
                except ValueError:
                    self._part[name] = text
        try:
            check_seconds(**{name: self._part.get(name) for name in ("start", "end")})
            self._choice = choose(self.run, **self._part)
        except Misuse as misuse:
            self.error, self._part = self.error or str(misuse), {}
            self._choice = choose(self.run)

    def _offer_tabs(self, names: list[str]) -> None:
        """Show these tabs, and stay with the one that was looked at, if it is still there."""
        if names != self._shown:
            looked_at = self._shown[self.tabs.selected_index or 0] if self._shown else TABS[0]
            settling, self._settling, self._shown = self._settling, True, names
            self.tabs.children = [self._pages[name] for name in names]
            self.tabs.titles = names
            self.tabs.selected_index = names.index(looked_at) if looked_at in names else 0
            self._settling = settling

    def _meet(self, system: System, workload: Callable) -> None:
        """Another system has other points; where it publishes and asks is seen when nothing goes wrong."""
        made = system, getattr(system, "revision", 0), workload
        if made != self._made:
            try:
                with quiet():
                    calm = simulate(system, workload)
            except Misuse as misuse:
                calm = misuse.run
                if calm is None or isinstance(misuse, Hung):  # not waited for a second time
                    raise
            self._exact.forget_if_gone(calm.system)
            self._made, self._calm = made, reached(calm)

    def _judged(self, claim: Claim) -> Verdict | None:
        try:
            return self.run.check(claim)
        except Exception as error:
            self.error = html.told(error)
            return None

    def _about_the_point(self) -> str:
        fault = self._exact.fault
        if fault is None:
            return ""
        times = self._reached.get(fault.point, 0)
        often = (
            "not reached"
            if not times
            else "reached once"
            if times == 1
            else f"reached {times:,} times"
        )
        gone = self.run is not None and fault in self.run.unfired
        return html.hint(
            f"{'Never happened: ' if gone else ''}{fault.at} was {often} in this run.", gone
        )

    # -- showing

    def _draw(self, _: Any = None) -> None:
        """Draw what the visible tab shows, at the cursor."""
        if self._settling or self.run is None:
            return
        number, seconds = self.tabs.selected_index or 0, self.cursor.value
        if self._shown[number] == "Every fault":
            system, _, workload = self._made
            self.every_fault.show(system, workload, self.seed.value)
            self.tabs.set_title(number, self.every_fault.title)
            return
        try:
            with quiet():
                drawn = self._drawn(self._shown[number], seconds)
        except Exception as error:
            drawn = html.error(html.told(error))
        self._sheets[self._shown[number]].value = drawn
        self._when.value = f"{seconds:g} s"
        self.tabs.set_title(self._shown.index("State"), f"State at {seconds:g} s")

    def _drawn(self, tab: str, seconds: float) -> str:
        if tab == "Timeline":
            return f'<div class="edalab-picture">{self._timeline(WIDTH).svg()}</div>'
        if tab == "Flow":
            return f'<div class="edalab-flow">{view.flow(self.run).svg()}</div>'
        if tab == "Saga":
            wanted = self._part.get("correlation")
            drawn = view.saga_map(
                self.run, wanted, ledger=self._ledger, cursor=seconds, width=WIDTH
            )
            return f'<div class="edalab-picture">{drawn.svg()}</div>'
        if tab == "State":
            nodes = [*self.run.at(seconds).services.values()]
            return html.sheet(
                html.states(nodes), html.steps_at(self.run, seconds), html.databases(nodes)
            )
        return html.sheet(
            html.steps(self.run, seconds),
            html.databases(map(self.run._node, self.run.services)),
        )

    def _choose(self, schedule: Schedule) -> None:
        """A run of the matrix was picked: ask for its fault and nothing else, and look at the moment it strikes."""
        self._settling = True
        for name in RATES:
            getattr(self, name).value = 0
        for text in (self.plan, self.correlation, self.start, self.end):
            text.value = ""
        self._settling = False
        fault = schedule.faults[0]
        self._exact.choose(fault)
        struck = [
            row
            for row in self.run.journal
            if row.fault == fault.do
            and row.envelope
            and (row.service, row.step, row.envelope.type) == fault.point
        ]
        if struck:
            if struck[0] not in self._choice.rows:  # of a long run another story is shown
                self.correlation.value = struck[0].envelope.correlation or ""
            self.cursor.value = struck[0].time / 1000
        self.tabs.selected_index = 0

    def _timeline(self, width: int) -> view.Picture:
        return draw(self.run, self._choice, self.cursor.value, width)

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        shown, about = self._panel._repr_mimebundle_() | {"text/plain": self.summary()}, {}
        if self.run is not None:
            picture, about = self.picture()._repr_mimebundle_()
            shown = picture | shown
        return shown, about

    def __repr__(self) -> str:
        return f"<Laboratory: {' '.join(self.code.split())}>"

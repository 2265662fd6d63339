"""The laboratory: each change of a knob simulates the run again, draws it, judges it and shows its code."""

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import ipywidgets

from .. import view
from ..claims.claim import Claim, Verdict, claims_of
from ..claims.exploration import Schedule
from ..errors import Misuse, Text, shown
from ..model import System
from ..sim import AnyFault, Deploy, Printed, printing, simulate
from ..sim.run import Run
from ..view.excerpt import choose, story_names
from ..view.timeline import draw
from . import html
from .call_line import NotebookNames, factories, line, written
from .controls import AUTO, Settling, labelled, lesson_knob
from .fault_picker import TITLE
from .faults_asked import FaultsAsked
from .frame import frame, mimebundle, still
from .kept import KeptRun
from .player import Player
from .tabs import COMPARE, SAGA, Tabs
from .time_slider import MomentSlider

SUGGESTED = 300  # stories offered at most


class Laboratory(Settling):
    """A panel for `simulate`, with widgets for its arguments and pictures of the run.

        Laboratory(shop, three_orders, claims=[charged_once], knobs={"dedup": ["none", "by id"]})

    `system` and `workload` are arguments of `simulate`, or functions that make them from the `knobs`. Each
    knob is a keyword of these functions, with a list of values to choose from or (lowest, highest).
    `ledger` is the argument of `saga_map`. `deploys` are the deploys that `lab.plan` may name, for example
    as "deploy billing at 5 s". Raises Misuse for anything else.

    Every widget is an attribute, and works without a browser: `lab.seed.value = 7`, each knob by its name,
    each rate (`lab.drop`), the exact fault (`lab.point`, `lab.action`, `lab.nth`), more faults as text
    (`lab.plan`), the story shown (`lab.correlation`, a key or a correlation id), the moment in seconds
    (`lab.cursor.value`, `lab.back.click()`, `lab.forward.click()`), `lab.tabs`, and ▶ (`lab.play.playing`,
    `lab.play.speed`, `lab.play.loop`). Without a browser, `lab.play.advance(0.5)` plays for half a second.
    `lab.keep.click()` keeps the run as `lab.kept`, and a tab compares it with the run on the screen.

    The results are `lab.run`, `lab.verdicts`, `lab.error`, `lab.printed`, `lab.code`, `lab.summary()`
    and `lab.picture()`."""

    def __init__(
        self,
        system: System | Callable[..., System],
        workload: Callable,
        claims: Iterable[Claim] = (),
        knobs: Mapping[str, list | tuple] | None = None,
        ledger: Callable[[Any], Mapping] | None = None,
        deploys: Iterable[Deploy] = (),
    ):
        self._notebook = sys._getframe(1).f_globals
        knobs = {} if knobs is None else knobs
        if not isinstance(knobs, Mapping):
            example = '{"dedup": ["none", "by id"], "subscribers": (1, 8)}'
            raise Misuse(f"knobs= takes a dict such as {example}, not {shown(knobs)}")
        for one in (deploys := list(deploys) if isinstance(deploys, Iterable) else [deploys]):
            if not isinstance(one, Deploy):
                takes = 'deploys= takes a list such as [deploy(new.services["billing"])]'
                raise Misuse(f"{takes}, not {shown(one)}")
        self._system, self._workload = both = factories(system, workload, knobs)
        self.claims = claims_of(claims, "Laboratory")
        self.run: Run | None = None
        self.verdicts: list[Verdict] = []
        self.error = self._raised = ""
        self._printed = Printed()
        self._simulated: tuple[Any, ...] = ()  # the system, its revision and the workload
        with self.settling():
            self._make_widgets(ledger, deploys)
            self.knobs: dict[str, Any] = {}
            for name, spec in knobs.items():
                if not name.isidentifier() or hasattr(self, name):
                    mend = "the panel has one of its own; choose another keyword"
                    raise Misuse(f"a knob cannot be called {name!r}: {mend}")
                self.knobs[name] = lesson_knob(name, spec, both)
            vars(self).update(self.knobs)
            self.watch(self._simulate_and_show, self.seed, self.correlation, *self.knobs.values())
            self._panel = self._laid_out()
        self._simulate_and_show()

    def _make_widgets(
        self, ledger: Callable[[Any], Mapping] | None, deploys: Iterable[Deploy]
    ) -> None:
        self._asked = asked = FaultsAsked(self._simulate_and_show, deploys)
        self.point, self.action, self.nth, self.plan = asked.exactly
        vars(self).update(asked.rates)
        self._story: str | None = None  # the requested story, if the run has it
        self.correlation = ipywidgets.Combobox(
            placeholder="key or correlation id", continuous_update=False, layout=AUTO
        )
        self.seed = ipywidgets.IntSlider(0, max=99, **labelled("seed"))
        self.cursor = MomentSlider(self._draw)
        self.back, self.forward = self.cursor.back, self.cursor.forward
        self.play = Player(self.cursor, self._draw_between)
        self._kept = KeptRun(self._on_screen)
        self.keep = self._kept.button
        self._tabs = Tabs(self.claims, ledger, self._kept, self._ask_for, self._draw)
        self.tabs, self.every_fault = self._tabs.widget, self._tabs.every_fault
        self._chips, self._code = (ipywidgets.HTML(layout={"margin": "0"}) for _ in range(2))
        self._hint = ipywidgets.HTML(layout={"margin": "0 0 4px 2px", "height": "16px"})

    def _laid_out(self) -> ipywidgets.Widget:
        heading = ipywidgets.HTML(html.heading("exact fault"), layout={"margin": "0 8px 0 2px"})
        row = {"flex_flow": "row wrap", "align_items": "center"}
        exact = ipywidgets.HBox([heading, *self._asked.exactly], layout=row)
        left = {
            "random faults": [*self._asked.rates.values()],
            "this lesson": [*self.knobs.values()],
            "timing": [self.seed],
            "story": [self.correlation],
            "compare": [self.keep],
        }
        self.cursor.row.children = [self.play, *self.cursor.row.children]
        right = [self._chips, self.cursor.row, self.tabs, self._code]
        return frame(left, right, [exact, self._hint])

    # -- the outcome

    @property
    def faults(self) -> list[AnyFault]:
        """The faults that the widgets request, for `simulate`."""
        return self._asked.read()[0]

    @property
    def kept(self) -> Run | None:
        """The kept run, to compare with the run on the screen, or None."""
        return self._kept.run

    @property
    def code(self) -> str:
        """The code that makes the run on the screen again, and draws its story if one is chosen."""
        names = NotebookNames(self._notebook, "Laboratory")
        code = self._call(names)
        story = f", correlation={names.of(self._story, '')}" if self._story else ""
        if self._tabs.visible == COMPARE:
            code = self._kept.code(code, story)
        elif story:
            picture, ledger = "timeline", self._tabs.ledger
            if self._tabs.visible == SAGA:
                picture = "saga_map"
                story += f", ledger={names.of(ledger, 'ledger')}" if ledger else ""
            code += f"\n{picture}(run{story})"
        return names.whole(code)

    def _call(self, names: NotebookNames) -> str:
        values, outcome = self._values(), f"raises {self._raised}"
        if self.run is not None and not self._raised:
            outcome = f"digest {self.run.digest}"
        both = [factory.code(values, names) for factory in (self._system, self._workload)]
        faults = [written(fault, names, self._asked.deploys) for fault in self.faults]
        return line(f"{', '.join(both)}, seed={self.seed.value}", faults, outcome)

    def _on_screen(self) -> tuple[Run | None, str, dict[str, str]]:
        names = NotebookNames(self._notebook, "")
        knobs = {name: names.of(value, "another") for name, value in self._values().items()}
        return self.run, self._call(names), knobs

    @property
    def printed(self) -> str:
        """The text that handlers and claims printed in the run on the screen. Long text is cut off."""
        return str(self._printed)

    def summary(self) -> Text:
        """The code, the verdicts and the error as text. It is equal for equal screens."""
        return Text("\n".join(filter(None, [self.code, *map(str, self.verdicts), self.error])))

    def picture(self) -> view.Picture:
        """The screen as a still picture: the timeline, the verdicts, the error and the code."""
        if self.run is None:
            raise Misuse(f"there is no run to show: {self.error}")
        timeline = draw(self.run, self._excerpt, self.cursor.value, view.scene.WIDTH)
        return still(timeline, self.verdicts, self.error, self.code)

    # -- simulating and judging

    def _values(self) -> dict[str, Any]:
        return {name: knob.value for name, knob in self.knobs.items()}

    def _simulate_and_show(self) -> None:
        """Simulate with the current settings, show the run and judge it."""
        self._raised, self.verdicts, self._printed = "", [], Printed()
        with self.settling(), printing(self._printed):
            self._simulate()
        if self.run is not None:
            self._adopt_run(self.run)
        late = self._tabs.visible == TITLE  # exploring takes seconds, so verdicts come first
        if not late:
            self._show()
        if self.run is not None:
            self._asked.adopt_run(self.run)
        try:
            if self.run is not None and not self._raised:
                with printing(self._printed):
                    self.verdicts = self._judged(self.run)
        finally:  # even if a claim is interrupted, so that no old verdict remains
            self._chips.value = html.chips(self.claims, self.verdicts)
            self._tabs.message.value = html.messages(self.error, self.verdicts, self._printed)
            self._code.value = html.code(self.code)
            self._hint.value = self._asked.hint(self.run)
        if late:
            self._show()

    def _simulate(self) -> None:
        self.error, values = "", self._values()
        try:
            system, workload = self._system.make(values), self._workload.make(values)
            simulated = system, getattr(system, "revision", 0), workload
            if simulated != self._simulated and isinstance(system, System):
                self._asked.adopt_system(system)
                self._simulated = simulated
            faults, self.error = self._asked.read()
            self.run = simulate(system, workload, seed=self.seed.value, faults=faults)
        except Exception as error:  # in the learner's code: shown in the panel, not in a log
            self._raised, self.error = type(error).__name__, html.error_text(error)
            if (so_far := getattr(error, "run", None)) is not None:
                self.run = so_far
            elif self.run is not None:
                end = "" if self.error.endswith("?") else "."
                self.error += f"{end} The run before is still on the screen"

    def _judged(self, run: Run) -> list[Verdict]:
        verdicts = []
        for claim in self.claims:
            try:
                verdicts.append(run.check(claim))
            except Exception as error:  # in the learner's code
                self.error = html.error_text(error)
        return verdicts

    # -- showing

    def _adopt_run(self, run: Run) -> None:
        """Offer the tabs and stories of a run, and the moments of the story that is shown."""
        self._tabs.adopt_run(run, (*self._simulated, self.seed.value))
        self.correlation.options = story_names(run.journal)[:SUGGESTED]
        self._story = self.correlation.value.strip() or None
        try:
            self._excerpt = choose(run, self._story)
        except Misuse as misuse:
            self._excerpt, self._story = choose(run), None
            self.error = self.error or str(misuse)
        self.cursor.adopt([time / 1000 for time in self._excerpt.times()])

    def _show(self) -> None:
        self._draw()
        time.sleep(0.0005)  # lets the kernel's sending thread run, which otherwise takes 5 ms
        self.cursor.show()  # after the picture, because a browser handles one message at a time

    def _draw(self) -> None:
        """Draw the visible tab at the cursor."""
        if self.run is not None:
            now = self.play.seconds
            self._tabs.draw(self.run, self._excerpt, self.cursor.value, self._story, now)
            self.cursor.tell(now if self._tabs.moves else self.cursor.value)
            self._code.value = html.code(self.code)

    def _draw_between(self) -> None:
        """Draw a time between two moments, if the visible tab shows such times."""
        if self._tabs.moves:
            self._draw()

    def _ask_for(self, schedule: Schedule) -> None:
        """Set the widgets to the fault of a schedule, and move the cursor to the moment at which it strikes."""
        with self.settling():
            self.correlation.value = ""
        fault = schedule.faults[0]
        self._asked.ask_for(fault)
        journal = self.run.journal if self.run is not None else ()
        struck = next((step for step in journal if step.fault == fault.do), None)
        if struck is not None:
            # A long run is not shown in full.
            if struck.envelope and struck not in self._excerpt.steps:
                self.correlation.value = struck.envelope.correlation or ""
            self.cursor.value = struck.time / 1000
        self.tabs.selected_index = 0

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        picture = self.picture() if self.run is not None else None
        return mimebundle(self._panel, self.summary(), picture)

    def __repr__(self) -> str:
        return f"<Laboratory: {' '.join(self.code.split())}>"

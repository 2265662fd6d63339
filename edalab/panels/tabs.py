"""The laboratory's tabs: pictures, states and tables of a run. Only the visible tab is drawn."""

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets

from .. import view
from ..claims.claim import Claim
from ..claims.exploration import Schedule
from ..sim import quiet
from ..sim.run import Run
from ..trace.saga_story import has_sagas
from ..view.excerpt import Excerpt
from ..view.flow_moment import FlowMoments
from ..view.timeline import draw
from . import html
from .controls import Settling
from .fault_picker import TITLE, EveryFault
from .frame import WIDTH
from .kept import KeptRun

SAGA, STATE, COMPARE = "Saga", "State", "Compare"
# Saga only for a run with sagas, Compare only if a run is kept.
TABS = ("Timeline", "Flow", SAGA, STATE, "Tables", COMPARE)


class Tabs(Settling):
    """The tabs, in `.widget`, each with the `.message` of the panel above it. `.names` are those offered.

    `ledger` is the argument of `saga_map`, and `kept` the run to compare with. `changed` is called when
    another tab is opened. `choose` is called with the schedule picked in the tab of every fault, which
    is offered only if there are claims."""

    def __init__(
        self,
        claims: list[Claim],
        ledger: Callable[[Any], Mapping] | None,
        kept: KeptRun,
        choose: Callable[[Schedule], None],
        changed: Callable[[], None],
    ):
        self.ledger, self._kept = ledger, kept
        self._sagas = False
        self._flow: FlowMoments | None = None  # of the run that the tab showed last
        self._wanted: tuple = ()  # system, its revision, workload and seed of the run
        self.every_fault = EveryFault(claims, choose) if claims else None
        self.message = ipywidgets.HTML()
        self.sheets = {name: ipywidgets.HTML() for name in TABS}
        contents: dict[str, ipywidgets.Widget] = dict(self.sheets)
        if self.every_fault:
            contents[TITLE] = self.every_fault.widget
        # The message has one line or ten. Below the row of tabs, it does not move them.
        self._pages = {
            name: ipywidgets.VBox([self.message, content]) for name, content in contents.items()
        }
        self.names: list[str] = []
        self.widget = ipywidgets.Tab()
        self._offer()
        self.watch(changed, self.widget, trait="selected_index")
        self.watch(lambda: (self._offer(), changed()), kept.button)

    @property
    def visible(self) -> str:
        return self.names[self.widget.selected_index or 0]

    def adopt_run(self, run: Run, simulated: tuple) -> None:
        """Offer the tabs of this run, and keep the visible tab if it is among them.

        The number of broken runs is removed from a title if it belongs to another simulation."""
        self._sagas, self._wanted = has_sagas(run), simulated
        self._offer()
        if self.every_fault and self.every_fault.tried != simulated:
            self.widget.set_title(self.names.index(TITLE), TITLE)

    @property
    def moves(self) -> bool:
        """Whether the visible tab also shows times at which nothing happens."""
        return self.visible in ("Timeline", "Flow")

    def draw(
        self, run: Run, excerpt: Excerpt, cursor: float, story: str | None, shown: float
    ) -> None:
        """Draw the visible tab. `cursor` is the time of the cursor, and `shown` the time shown, which is
        the same or later (both in s). `story` is the requested story. The tab of every fault explores
        what was simulated."""
        if self.visible == TITLE and self.every_fault:
            system, _, workload, seed = self._wanted
            self.every_fault.show(system, workload, seed)
            self.widget.set_title(self.names.index(TITLE), self.every_fault.title)
        else:
            try:
                with quiet():
                    content = self._content(run, excerpt, cursor, story, shown)
            except Exception as error:  # for example in a ledger, which is the learner's code
                content = html.error(html.error_text(error))
            self.sheets[self.visible].value = content
        self.widget.set_title(self.names.index(STATE), f"State at {cursor:g} s")

    def _content(
        self, run: Run, excerpt: Excerpt, cursor: float, story: str | None, shown: float
    ) -> str:
        match self.visible:
            case "Timeline":
                return html.picture(draw(run, excerpt, shown, WIDTH))
            case "Flow":
                if self._flow is None or self._flow.run is not run:
                    self._flow = FlowMoments(run)
                # A whole run may end after the last moment, because idle timers are hidden.
                of_run = excerpt.whole and not excerpt.one_story
                over = of_run and cursor >= excerpt.last / 1000
                time = run.end if over else shown * 1000
                return html.picture(self._flow.at(time), "flow")
            case "Saga":
                at = {"ledger": self.ledger, "cursor": cursor, "width": WIDTH}
                return html.picture(view.saga_map(run, story, **at))
            case "Compare":
                return html.picture(self._kept.picture(run, story, cursor, WIDTH))
            case "State":
                services = [*run.at(cursor).services.values()]
                steps = html.steps_at(run, cursor)
                return html.sheet(html.states(services), steps, html.databases(services))
        services = [run._node(name) for name in run.services]
        return html.sheet(html.steps(run, cursor), html.databases(services))

    def _offer(self) -> None:
        offered = {SAGA: self._sagas, COMPARE: self._kept.run is not None}
        names = [name for name in self._pages if offered.get(name, True)]
        if names == self.names:
            return
        before = self.visible if self.names else names[0]
        with self.settling():
            self.names = names
            self.widget.children = [self._pages[name] for name in names]
            self.widget.titles = names
            self.widget.selected_index = names.index(before) if before in names else 0

"""The laboratory's tabs: pictures, states and tables of a run, of which only the visible one is drawn."""

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
from .kept import Kept

SAGA, STATE, COMPARE = "Saga", "State", "Compare"
# Saga for a run with sagas only, Compare once a run is kept.
TABS = ("Timeline", "Flow", SAGA, STATE, "Tables", COMPARE)


class Tabs(Settling):
    """The tabs, in `.widget`, each below the `.message` of the panel; `.names` are those on offer.

    `ledger` is as `saga_map` takes it, `kept` the run to compare with. `changed` is called when another
    tab is looked at, `choose` with a schedule that is picked among all faults, which are on offer only
    if there are claims."""

    def __init__(
        self,
        claims: list[Claim],
        ledger: Callable[[Any], Mapping] | None,
        kept: Kept,
        choose: Callable[[Schedule], None],
        changed: Callable[[], None],
    ):
        self._ledger, self._kept = ledger, kept
        self._sagas = False
        self._flow: FlowMoments | None = None  # of the last run that the tab showed
        self._wanted: tuple = ()  # system, its revision, workload and seed of the run
        self.every_fault = EveryFault(claims, choose) if claims else None
        self.message = ipywidgets.HTML()
        self.sheets = {name: ipywidgets.HTML() for name in TABS}
        contents: dict[str, ipywidgets.Widget] = dict(self.sheets)
        if self.every_fault:
            contents[TITLE] = self.every_fault.widget
        # The message is one line or ten: below the tabs, it moves nothing that one clicks.
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

    def offer_for(self, run: Run, simulated: tuple) -> None:
        """Offer the tabs that this run has, and stay with the visible one if it is among them.

        The number of broken runs in a title goes if it is not that of what was simulated."""
        self._sagas, self._wanted = has_sagas(run), simulated
        self._offer()
        if self.every_fault and self.every_fault.tried != simulated:
            self.widget.set_title(self.names.index(TITLE), TITLE)

    @property
    def moves(self) -> bool:
        """Whether the visible tab shows times at which nothing happens, too."""
        return self.visible in ("Timeline", "Flow")

    def draw(
        self, run: Run, excerpt: Excerpt, seconds: float, story: str | None, now: float
    ) -> None:
        """Draw the visible tab: an excerpt of the run, the state at the cursor, the saga of a story,
        the run that is kept beside this one, or all faults of what was simulated. `story` is the one
        that is asked for, `now` is the time shown, at the cursor or later."""
        if self.visible == TITLE and self.every_fault:
            system, _, workload, seed = self._wanted
            self.every_fault.show(system, workload, seed)
            self.widget.set_title(self.names.index(TITLE), self.every_fault.title)
        else:
            try:
                with quiet():
                    content = self._content(run, excerpt, seconds, story, now)
            except Exception as error:  # of a ledger, say, which is the learner's code
                content = html.error(html.error_text(error))
            self.sheets[self.visible].value = content
        self.widget.set_title(self.names.index(STATE), f"State at {seconds:g} s")

    def _content(
        self, run: Run, excerpt: Excerpt, seconds: float, story: str | None, now: float
    ) -> str:
        match self.visible:
            case "Timeline":
                return html.picture(draw(run, excerpt, now, WIDTH))
            case "Flow":
                if self._flow is None or self._flow.run is not run:
                    self._flow = FlowMoments(run)
                # Of all that happened, the last moment shown may be before the end of the run.
                of_run = excerpt.whole and not excerpt.one_story
                over = of_run and seconds >= excerpt.last / 1000
                time = run.end if over else now * 1000
                return html.flow(self._flow.at(time))
            case "Saga":
                at = {"ledger": self._ledger, "cursor": seconds, "width": WIDTH}
                return html.picture(view.saga_map(run, story, **at))
            case "Compare":
                return html.picture(self._kept.picture(run, story, seconds, WIDTH))
            case "State":
                services = [*run.at(seconds).services.values()]
                steps = html.steps_at(run, seconds)
                return html.sheet(html.states(services), steps, html.databases(services))
        services = [run._node(name) for name in run.services]
        return html.sheet(html.steps(run, seconds), html.databases(services))

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

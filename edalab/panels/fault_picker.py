"""The tab that tries every fault: a click on a mark of the matrix injects that fault."""

from collections.abc import Callable

import anywidget
import ipywidgets
import traitlets

from .. import view
from ..claims.claim import Claim
from ..claims.exploration import Exploration, Schedule
from ..claims.explore import explore
from ..errors import Misuse
from ..model import System
from ..sim import quiet, simulate
from ..view.fault_marks import SURVIVED, UNTESTED, mark, outcome
from . import html
from .controls import Settling, front_end
from .frame import WIDTH

TITLE = "Every fault"
_LEFT_OUT = (
    "Each fault strikes alone. Random faults, and all that is asked for above, are left out."
)
BUDGET, STEPS = 1_000, 500_000  # limits: schedules, and steps in all of them; more takes too long


class Marks(anywidget.AnyWidget):
    """A picture with clickable cells. `cells` are x, y, w, a tooltip, and the runs of each as (fault, mark, outcome).

    A cell with one run puts its fault, as text, into `picked`. A cell with several runs opens a list of them below the
    picture, by mouse or keyboard. A second click or Escape closes it. A cell without runs only has a tooltip."""

    _esm = front_end("marks.js")
    picture = traitlets.Unicode("").tag(sync=True)
    cells = traitlets.List([]).tag(sync=True)
    picked = traitlets.Unicode("").tag(sync=True)


class EveryFault(Settling):
    """A tab that explores when it is opened, and calls `choose` with the schedule that the learner picks."""

    def __init__(self, claims: list[Claim], choose: Callable[[Schedule], None]):
        self.claims, self._choose = claims, choose
        self.result: Exploration | None = None
        self.tried: tuple | None = None  # system, revision, workload and seed explored to the end
        self.title = TITLE
        self.marks = Marks()
        self._matrix = ipywidgets.VBox([self.marks])  # an anywidget cannot change its own classes
        self._matrix.add_class("edalab-marks")
        self._message = ipywidgets.HTML()
        self.widget = ipywidgets.VBox([self._message, self._matrix])
        self.watch(self._pick, self.marks, trait="picked")

    def show(self, system: System, workload: Callable, seed: int) -> None:
        """Try every single fault of this system, unless its matrix is on the screen already."""
        wanted = system, getattr(system, "revision", 0), workload, seed
        if wanted == self.tried:
            return
        self.tried = None  # the learner may interrupt it
        self._message.value = html.hint("Trying every fault …")
        self._matrix.add_class("edalab-stale")
        try:
            with quiet():
                steps = len(simulate(system, workload, seed=seed).journal)
            budget = max(10, min(BUDGET, STEPS // max(steps, 1)))
            self.result = explore(system, workload, self.claims, seeds=[seed], budget=budget)
        except Misuse as misuse:
            self.tried, self.result, self.title = wanted, None, TITLE
            self.marks.cells, self.marks.picture = [], ""
            self._message.value = html.error(str(misuse))
            return
        self._draw(self.result)
        self._matrix.remove_class("edalab-stale")
        self.tried, self._message.value = wanted, html.hint(_LEFT_OUT)

    def _draw(self, result: Exploration) -> None:
        picture = view.matrix(result, WIDTH)

        def run(one: Schedule) -> list[str]:
            letters = mark(result, one)
            sign = {SURVIVED: "✓", UNTESTED: "–"}.get(letters, f"✗ {letters}")
            return [str(one.faults[0]), sign, outcome(result, one)]

        with self.marks.hold_sync():
            self.marks.cells = [
                [*place, [run(one) for one in schedules]] for *place, schedules in picture.cells
            ]
            self.marks.picture = picture.svg()
        self.title = f"{TITLE}: {picture.broke:,} ✗"

    def _pick(self) -> None:
        fault = self.marks.picked
        schedules = self.result.schedules[1:] if self.result else []
        if chosen := [one for one in schedules if str(one.faults[0]) == fault]:
            self._choose(chosen[0])
        else:  # a click on the previous matrix, while this one was explored
            self._message.value = html.hint(f"{fault} cannot strike with these settings.", True)
        with self.settling():
            self.marks.picked = ""  # so that the same mark can be picked again

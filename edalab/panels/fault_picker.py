"""Every fault tried, in a panel: a click on a mark of the matrix, or a choice in a list, asks for that very fault."""

from collections.abc import Callable

import anywidget
import ipywidgets
import traitlets

from .. import view
from ..claims.claim import Claim
from ..claims.explore import Exploration, Schedule, explore
from ..errors import Misuse
from ..model import System
from ..sim import quiet, simulate
from ..view.fault_matrix import SURVIVED, UNTESTED, mark
from . import html
from .controls import Settling
from .frame import WIDTH

TITLE = "Every fault"
_NO_RUN = ("a run to look at …", -1)
BUDGET, STEPS = 1_000, 500_000  # schedules, and steps in all of them: more keeps you waiting


class Marks(anywidget.AnyWidget):
    """A picture whose cells can be clicked: `picked` is the number of the cell, `cells` where they stand (x, y, w, h)."""

    _esm = """
    function render({ model, el }) {
      const draw = () => { el.innerHTML = model.get("picture"); };
      const at = (event) => {
        const svg = el.querySelector("svg");
        if (!svg) return -1;
        const p = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
        return model.get("cells").findIndex(([x, y, w, h]) => p.x >= x && p.x < x + w && p.y >= y && p.y < y + h);
      };
      el.addEventListener("mousemove", (event) => { el.style.cursor = at(event) < 0 ? "" : "pointer"; });
      el.addEventListener("click", (event) => {
        if (at(event) >= 0) { model.set("picked", at(event)); model.save_changes(); }
      });
      model.on("change:picture", draw);
      draw();
    }
    export default { render };
    """
    picture = traitlets.Unicode("").tag(sync=True)
    cells = traitlets.List([]).tag(sync=True)
    picked = traitlets.Int(-1).tag(sync=True)


class EveryFault(Settling):
    """A tab that explores when it is opened. It calls `choose` with the schedule that the learner picks."""

    def __init__(self, claims: list[Claim], choose: Callable[[Schedule], None]):
        self.claims, self._choose = claims, choose
        self.result: Exploration | None = None
        self.tried: tuple | None = None  # what was explored
        self.title = TITLE
        self._schedules: list[Schedule] = []
        self.marks = Marks()
        self.marks.add_class("edalab-marks")
        self.choice = ipywidgets.Dropdown(options=[_NO_RUN], layout={"width": "auto"})
        self._message = ipywidgets.HTML()
        self.widget = ipywidgets.VBox([self._message, self.marks, self.choice])
        self.watch(lambda: self._pick(self.marks.picked), self.marks, trait="picked")
        self.watch(lambda: self._pick(self.choice.value), self.choice)

    def show(self, system: System, workload: Callable, seed: int) -> None:
        """Try every single fault of this system, unless that is what is on the screen."""
        wanted = system, getattr(system, "revision", 0), workload, seed
        if wanted == self.tried:
            return
        self.tried, self._message.value = wanted, html.hint("Trying every fault …")
        self.marks.add_class("edalab-stale")
        try:
            with quiet():
                steps = len(simulate(system, workload, seed=seed).journal)
            budget = max(10, min(BUDGET, STEPS // max(steps, 1)))
            result = explore(system, workload, self.claims, seeds=[seed], budget=budget)
        except Misuse as misuse:
            self.result, self._schedules, self.title = None, [], TITLE
            self.marks.cells, self.marks.picture = [], ""
            self._message.value = html.error(str(misuse))
            return
        self.result, picture = result, view.matrix(result, WIDTH)
        self.title = f"{TITLE}: {picture.broke:,} ✗"
        drawn = [cell.schedule for cell in picture.cells]
        # In a narrow cell not every schedule has a mark; the list has them all.
        self._schedules = list(dict.fromkeys([*drawn, *result.schedules[1:]]))
        self.marks.cells = [[cell.x, cell.y, cell.w, 15] for cell in picture.cells]
        self.marks.picture = picture.svg()
        self.marks.remove_class("edalab-stale")
        self._message.value = ""
        names = [(_listed(result, one), number) for number, one in enumerate(self._schedules)]
        with self.settling():
            self.choice.options = [_NO_RUN, *sorted(names, key=lambda name: "✗" not in name[0])]
        self._forget()

    def _pick(self, number: int) -> None:
        if 0 <= number < len(self._schedules):
            self._choose(self._schedules[number])
            self._forget()

    def _forget(self) -> None:
        """Nothing is picked: so the same mark can be picked again."""
        with self.settling():
            self.choice.value = self.marks.picked = -1


def _listed(result: Exploration, schedule: Schedule) -> str:
    letters = mark(result, schedule)
    sign = {SURVIVED: "✓", UNTESTED: "–"}.get(letters, f"✗ {letters}")
    return f"{sign}  {schedule.faults[0]}"

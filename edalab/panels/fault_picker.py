"""Every fault tried, in a panel: a click on a mark of the matrix, or a choice in a list, asks for that very fault."""

from collections.abc import Callable
from typing import Any

import anywidget
import ipywidgets
import traitlets

from .. import view
from ..claims.claim import Claim
from ..claims.explore import Exploration, Schedule, explore
from ..errors import Misuse
from ..sim import quiet, simulate
from ..view.fault_matrix import mark
from . import html

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


class EveryFault:
    """A tab that explores when it is opened. It calls `choose` with the schedule that the learner picks."""

    def __init__(self, claims: list[Claim], choose: Callable[[Schedule], None], width: int):
        self.claims, self._choose, self._width = claims, choose, width
        self.result = None
        self.tried: tuple | None = None  # what was explored
        self._schedules, self._settling = [], False
        self.marks = Marks()
        self.marks.add_class("edalab-marks")
        self.choice = ipywidgets.Dropdown(options=[_NO_RUN], layout={"width": "auto"})
        self.said = ipywidgets.HTML()
        self.widget = ipywidgets.VBox([self.said, self.marks, self.choice])
        self.marks.observe(lambda change: self._pick(change.new), "picked")
        self.choice.observe(lambda change: self._pick(change.new), "value")

    def show(self, system: Any, workload: Any, seed: int) -> None:
        """Try every single fault of this system, unless that is what is on the screen."""
        made = system, getattr(system, "revision", 0), workload, seed
        if made == self.tried:
            return
        self.tried, self.said.value = made, html.hint("Trying every fault …")
        try:
            with quiet():
                steps = len(simulate(system, workload, seed=seed).journal)
            budget = max(10, min(BUDGET, STEPS // max(steps, 1)))
            self.result = explore(system, workload, self.claims, seeds=[seed], budget=budget)
            picture = view.matrix(self.result, self._width)
        except Misuse as misuse:
            self.result, self._schedules = None, []
            self.marks.cells, self.marks.picture = [], ""
            self.said.value = html.error(str(misuse))
            return
        self.said.value = ""
        self._schedules = [cell.schedule for cell in picture.cells]  # a narrow cell shows no mark
        drawn = {schedule.faults for schedule in self._schedules}
        tried = [schedule for schedule in self.result.schedules if schedule.faults]
        self._schedules += [schedule for schedule in tried if schedule.faults not in drawn]
        self.marks.cells = [[cell.x, cell.y, cell.w, 15] for cell in picture.cells]
        self.marks.picture = picture.svg()
        names = [(_listed(self.result, one), number) for number, one in enumerate(self._schedules)]
        self._settling = True
        self.choice.options = [_NO_RUN, *sorted(names, key=lambda name: "✗" not in name[0])]
        self._settling = False
        self._forget()

    @property
    def title(self) -> str:
        """What the tab is called, with how many of the faults tried break a claim."""
        if self.result is None:
            return "Every fault"
        singles = [schedule for schedule in self.result.schedules if schedule.faults]
        broken = [s for s in singles if s.endless or "broken" in s.outcomes]
        return f"Every fault: {len(broken):,} ✗"

    def _pick(self, number: int) -> None:
        if not self._settling and 0 <= number < len(self._schedules):
            self._choose(self._schedules[number])
            self._forget()

    def _forget(self) -> None:
        """Nothing is picked: so the same mark can be picked again."""
        self._settling = True
        self.choice.value = self.marks.picked = -1
        self._settling = False


def _listed(result: Exploration, schedule: Schedule) -> str:
    letters = mark(result, schedule)
    sign = {"": "✓", "–": "–"}.get(letters, f"✗ {letters}")
    return f"{sign}  {schedule.faults[0]}"

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
_NO_RUN = ("a run to look at …", "")
BUDGET, STEPS = 1_000, 500_000  # schedules, and steps in all of them: more keeps you waiting


class Marks(anywidget.AnyWidget):
    """A picture with cells to click. `cells` are x, y, w, a tool-tip and the runs of each (fault, mark, outcome).

    A cell of one run puts its fault, as text, into `picked`. One of several unfolds below the picture into a list of
    them, by mouse or keyboard; a second click or Escape folds it. A cell without a run only has its tool-tip."""

    _esm = """
    function render({ model, el }) {
      const make = (parent, tag, kind, text = "") => {
        const made = parent.appendChild(document.createElement(tag));
        [made.className, made.textContent] = [kind, text];
        return made;
      };
      const pick = (fault) => { model.set("picked", fault); model.save_changes(); };
      let list, unfolded;
      const fold = () => {
        list.replaceChildren();
        unfolded?.setAttribute("aria-expanded", "false");
        unfolded = null;
      };
      const unfold = (cell, name, runs) => {
        const again = cell === unfolded;
        fold();
        if (again) return;
        unfolded = cell;
        cell.setAttribute("aria-expanded", "true");
        make(list, "div", "edalab-hint edalab-quiet", `${name}. Escape folds them.`);
        for (const [fault, mark, outcome] of runs) {
          const run = make(list, "button", "edalab-run");
          make(run, "b", outcome.startsWith("✗") ? "struck" : "edalab-quiet", mark);
          make(run, "span", "", `${fault}: ${outcome}`);
          run.onclick = () => { fold(); pick(fault); };
        }
        list.querySelector("button").focus();
      };
      const draw = () => {
        el.innerHTML = `<div class="edalab-cells">${model.get("picture")}</div><div class="edalab-runs" role="group"></div>`;
        const [sheet, svg] = [el.firstChild, el.querySelector("svg")];
        [list, unfolded] = [el.lastChild, null];
        const { width, height } = svg ? svg.viewBox.baseVal : {};
        for (const [x, y, w, name, runs] of svg ? model.get("cells") : []) {
          const cell = make(sheet, runs.length ? "button" : "span", "edalab-cell");
          const [left, top, wide, high] = [x / width, y / height, w / width, 15 / height].map((part) => `${100 * part}%`);
          Object.assign(cell.style, { left, top, width: wide, height: high });
          Object.assign(cell, { title: name, ariaLabel: name, tabIndex: runs.length > 1 ? 0 : -1 });
          if (runs.length > 1) cell.setAttribute("aria-expanded", "false");
          cell.onclick = () => runs.length > 1 ? unfold(cell, name, runs) : runs.length && pick(runs[0][0]);
        }
      };
      el.addEventListener("keydown", (event) => {
        if (event.key !== "Escape" || !unfolded) return;
        event.stopPropagation();
        const cell = unfolded;
        fold();
        cell.focus();
      });
      model.on("change:picture", draw);
      draw();
    }
    export default { render };
    """
    picture = traitlets.Unicode("").tag(sync=True)
    cells = traitlets.List([]).tag(sync=True)
    picked = traitlets.Unicode("").tag(sync=True)


class EveryFault(Settling):
    """A tab that explores when it is opened. It calls `choose` with the schedule that the learner picks."""

    def __init__(self, claims: list[Claim], choose: Callable[[Schedule], None]):
        self.claims, self._choose = claims, choose
        self.result: Exploration | None = None
        self.tried: tuple | None = None  # what was explored
        self.title = TITLE
        self._schedules: dict[str, Schedule] = {}  # by the text of their fault
        self.marks = Marks()
        self._matrix = ipywidgets.VBox([self.marks])  # an anywidget does not change its own classes
        self._matrix.add_class("edalab-marks")
        self.choice = ipywidgets.Dropdown(options=[_NO_RUN], layout={"width": "auto"})
        self._message = ipywidgets.HTML()
        self.widget = ipywidgets.VBox([self._message, self._matrix, self.choice])
        self.watch(lambda: self._pick(self.marks.picked), self.marks, trait="picked")
        self.watch(lambda: self._pick(self.choice.value), self.choice)

    def show(self, system: System, workload: Callable, seed: int) -> None:
        """Try every single fault of this system, unless that is what is on the screen."""
        wanted = system, getattr(system, "revision", 0), workload, seed
        if wanted == self.tried:
            return
        self.tried, self._message.value = wanted, html.hint("Trying every fault …")
        self._matrix.add_class("edalab-stale")
        try:
            with quiet():
                steps = len(simulate(system, workload, seed=seed).journal)
            budget = max(10, min(BUDGET, STEPS // max(steps, 1)))
            result = explore(system, workload, self.claims, seeds=[seed], budget=budget)
        except Misuse as misuse:
            self.result, self._schedules, self.title = None, {}, TITLE
            self.marks.cells, self.marks.picture = [], ""
            self._message.value = html.error(str(misuse))
            return
        self.result, picture = result, view.matrix(result, WIDTH)
        self.title = f"{TITLE}: {picture.broke:,} ✗"
        runs = {str(one.faults[0]): one for one in result.schedules[1:]}
        self._schedules = runs
        with self.marks.hold_sync():
            self.marks.cells = [
                [
                    *place,
                    [
                        [str(one.faults[0]), _sign(mark(result, one)), picture.outcome(one)]
                        for one in schedules
                    ],
                ]
                for *place, schedules in picture.places
            ]
            self.marks.picture = picture.svg()
        self._matrix.remove_class("edalab-stale")
        self._message.value = ""
        names = [(f"{_sign(mark(result, one))}  {fault}", fault) for fault, one in runs.items()]
        with self.settling():
            self.choice.options = [_NO_RUN, *sorted(names, key=lambda name: "✗" not in name[0])]
        self._forget()

    def _pick(self, fault: str) -> None:
        if fault in self._schedules:
            self._choose(self._schedules[fault])
        elif fault:  # a click on the matrix of other settings, while this one was tried
            self._message.value = html.hint(f"{fault} cannot strike with these settings.", True)
        self._forget()

    def _forget(self) -> None:
        """Nothing is picked: so the same mark can be picked again."""
        with self.settling():
            self.choice.value = self.marks.picked = ""


def _sign(letters: str) -> str:
    return {SURVIVED: "✓", UNTESTED: "–"}.get(letters, f"✗ {letters}")

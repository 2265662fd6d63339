"""A kept run, to compare with the run on the screen."""

from collections.abc import Callable

import ipywidgets

from ..sim.run import Run
from ..trace.compare import Comparison
from ..view import Picture
from ..view.compare import draw
from .controls import AUTO, Settling

_NAMES = ("kept", "on the screen")


class KeptRun(Settling):
    """The button *keep this run* (`.button`) and the run that it kept (`.run`).

    `screen` returns the run on the screen, the call that makes it, and its knobs as text."""

    def __init__(self, screen: Callable[[], tuple[Run | None, str, dict[str, str]]]):
        self.run: Run | None = None
        self._code, self._knobs, self._screen = "", {}, screen
        self._comparison: Comparison | None = None
        tip = "keep this run, to compare it with another one in the tab Compare"
        self.button = ipywidgets.Button(description="keep this run", tooltip=tip, layout=AUTO)
        self.watch(self._keep, self.button)

    def _keep(self) -> None:
        run, code, knobs = self._screen()
        if run is not None:
            self.run, self._knobs = run, knobs
            self._code = "kept" + code.removeprefix("run").replace("\n ", "\n  ")

    def picture(self, run: Run, story: str | None, seconds: float, width: int) -> Picture:
        """A picture of the kept run above this one, or of one story in both."""
        assert self.run is not None
        comparison = self._comparison
        if comparison is None or comparison.runs != (self.run, run):
            comparison = self._comparison = Comparison(self.run, run)
        return draw(comparison, (story, None, None), self._names(), seconds, width)

    def _names(self) -> tuple[str, str]:
        """The headings of the two runs, with the knobs that differ between them."""
        kept, now = self._knobs, self._screen()[2]
        turned = [name for name in now if kept[name] != now[name]]
        one, other = (", ".join(f"{name}={of[name]}" for name in turned) for of in (kept, now))
        return (f"kept, {one}", f"on the screen, {other}") if turned else _NAMES

    def code(self, run_code: str, arguments: str) -> str:
        """The code of both runs and of their comparison."""
        return f"{self._code}\n{run_code}\ncompare(kept, run{arguments})"

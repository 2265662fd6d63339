"""The ledger next to a saga map: the values in the books before the saga, now, and as they should be."""

from collections.abc import Callable, Mapping
from typing import Any

from ..errors import Misuse, shown
from ..sim.run import Run
from ..stuck import watched
from ..text import clean, shorten, text_width
from .scene import Label, Scene

ROW, GAP, WIDEST = 18, 14, 170  # px: height of a row, gap between columns, widest column
Cell = tuple[str, str, str]  # text, kind of its label, and a sign after it
_WENT_BACK = ("compensated", "refused", "not undone")


class Ledger:
    """The values that `function` returns for a run, or for the world at a moment: a dict such as
    {"stock": 10}, or {"stock": (9, 10)} with the value that should be. Without the latter, the value
    should be as before if the `outcome` is compensated or refused. `end` is the final outcome."""

    title = "Ledger"

    def __init__(
        self, function: Callable, run: Run, before: int, now: int | None, outcome: str, end: str
    ):
        if not callable(function):
            what = 'ledger= takes a function of a run that returns a dict such as {"stock": 10}'
            raise Misuse(f"{what}, not {shown(function)}")
        first = _read(function, run.at(before / 1000))
        then = _read(function, run if now is None else run.at(now / 1000))
        over, judged, described = outcome not in ("under way", "not begun"), end in _WENT_BACK, []
        heads = "", "before", "after" if over else "now", "should be" if over else ""
        rows: list[list[Cell]] = [[(head, "detail", "") for head in heads]]
        for key in dict.fromkeys([*first, *then]):
            was, (value, should) = first.get(key, (None,))[0], then.get(key, (None, None))
            kept = outcome == "not undone" and value != was  # it cannot be undone
            if should is None and outcome in _WENT_BACK and not kept:
                should = was
            judged = judged or should is not None
            if not over:
                should = None
            kind, sign, wrong = "final" if kept else "channel", "", ""
            if value != was and not kept:
                kind = "under way"
            if should is not None:
                kind, sign = ("done", "✓") if value == should else ("failed", "✗")
                wrong = "" if value == should else f" (should be {_text(should)})"
            name, *others = clean(key, 40), _text(was), _text(value), _text(should) if over else ""
            described.append(f"{name} {others[1]}{wrong}")
            row = [(text, "channel", "") for text in (name, *others)]
            row[2] = others[1], kind, sign  # the verdict is next to the actual value
            rows.append(row)
        columns = [list(column) for column in zip(*rows, strict=True)]
        self._columns = columns if judged else columns[:-1]
        self._widths = [
            max(44, *(min(WIDEST, text_width(text, 11, True)) for text, *_ in column))
            for column in self._columns
        ]
        self.width = 24 + sum(self._widths) + GAP * len(self._widths)
        self.height = 4 + ROW * len(rows)
        self.described = "ledger " + ", ".join(described)

    def draw(self, scene: Scene, x: int, top: int) -> int:
        """Draw the ledger with its top left corner at x and `top`. Return the y below."""
        scene.labels.append(Label(x, top, self.title, "node"))
        for number, (column, width) in enumerate(zip(self._columns, self._widths, strict=True)):
            place, anchor = (x + width, "end") if number else (x, "start")
            for line, (text, kind, sign) in enumerate(column):
                text = shorten(text, WIDEST, 11, kind not in ("channel", "detail"))
                y = top + 4 + ROW * (line + 1)
                scene.labels.append(Label(place, y, text, kind, anchor))
                scene.labels += [Label(place + 3, y, sign, kind)] * bool(sign)
            x += width + GAP
        return top + self.height


def _read(function: Callable, world: Any) -> dict[str, tuple[Any, Any]]:
    name = getattr(function, "__name__", "ledger")
    with watched(name, patience=6):
        found = function(world)
    if not isinstance(found, Mapping):
        what = 'a ledger is a dict such as {"stock": 10}, or {"stock": (9, 10)} where 10 is what should be'
        raise Misuse(f"{name} returned {shown(found)}; {what}")
    return {
        str(key): value if isinstance(value, tuple) and len(value) == 2 else (value, None)
        for key, value in found.items()
    }


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else clean(value, 40)

"""The ledger beside a saga: what the books said before it, what they say now, and what they should say."""

from collections.abc import Callable, Mapping
from typing import Any

from ..errors import Misuse, shown
from ..stuck import watched
from ..text import clean, shorten, text_width
from .scene import Label, Scene

ROW = 18


class Ledger:
    """Rows of (name, before, now, should be or None), read by a function of a run or of the world at a moment. It
    returns a dict: {"stock": 10}, or, where it knows, with what should be: {"stock": (9, 10)}. Without that, nothing may
    be left of a saga that `came` to be compensated, or will in the `end`."""

    def __init__(
        self,
        function: Callable[[Any], Mapping],
        run,
        before: int,
        now: int | None,
        came: str,
        end: str,
    ):
        if not callable(function):
            what = 'ledger= takes a function of a run that returns a dict such as {"stock": 10}'
            raise Misuse(f"{what}, not {shown(function)}")
        over = came not in ("under way", "not begun")
        self.later = "after" if over else "now"
        books = [
            _read(function, run.at(before / 1000)),
            _read(function, run if now is None else run.at(now / 1000)),
        ]
        names = dict.fromkeys([*books[0], *books[1]])
        self.rows, judged = [], False
        for name in names:
            was, _ = books[0].get(name, (None, None))
            value, should = books[1].get(name, (None, None))
            if should is None and (
                came in ("compensated", "refused") or came == "not undone" and value == was
            ):
                should = was  # nothing may be left of it
            judged |= should is not None
            self.rows.append(
                (clean(name, 40), was, value, should if over else None)
            )  # on the way, books may say anything
        self.judged = judged or end in ("compensated", "refused", "not undone")
        self.stays = [came == "not undone" and value != was for _, was, value, _ in self.rows]
        self.right = [should is not None and value == should for _, _, value, should in self.rows]
        self.wrong = [should is not None and value != should for _, _, value, should in self.rows]

    @property
    def width(self) -> int:
        return 24 + sum(self._widths()) + 14 * len(self._widths())

    @property
    def height(self) -> int:
        return 4 + ROW * (len(self.rows) + 1)

    def _columns(self) -> list[list[str]]:
        columns = [["", *(row[0] for row in self.rows)]]
        columns.append(["before", *(_said(row[1]) for row in self.rows)])
        columns.append([self.later, *(_said(row[2]) for row in self.rows)])
        if self.judged:
            signs = (" ✓" * right + " ✗" * wrong for right, wrong in zip(self.right, self.wrong))
            columns.append(
                ["should be", *(_said(row[3]) + sign for row, sign in zip(self.rows, signs))]
            )
        return columns

    def _widths(self) -> list[int]:
        return [
            max(44, *(min(170, text_width(text, 11, True)) for text in column))
            for column in self._columns()
        ]

    def draw(self, scene: Scene, x: int, top: int) -> int:
        """Draw it from x and `top`; return where it ends."""
        scene.labels.append(Label(x, top, "Ledger", "node"))
        widths = self._widths()
        for number, column in enumerate(self._columns()):
            x += widths[number] if number else 0
            for line, text in enumerate(column):
                y, anchor = top + 4 + ROW * (line + 1), "end" if number else "start"
                kind = "detail" if line == 0 else "channel"
                if line and number == 3:
                    kind = (
                        "done"
                        if self.right[line - 1]
                        else "failed"
                        if self.wrong[line - 1]
                        else "channel"
                    )
                if line and number == 2:
                    kind = (
                        "failed"
                        if self.wrong[line - 1]
                        else "final"
                        if self.stays[line - 1]
                        else "channel"
                    )
                scene.labels.append(
                    Label(
                        x,
                        y,
                        shorten(text, 170, 11, kind not in ("channel", "detail")),
                        kind,
                        anchor,
                    )
                )
            x += 14 if number else widths[0] + 14
        return top + self.height

    def described(self) -> str:
        return "ledger " + ", ".join(
            f"{name} {_said(value)}" + (f" (should be {_said(should)})" if wrong else "")
            for (name, _, value, should), wrong in zip(self.rows, self.wrong)
        )


def _read(function: Callable, world: Any) -> dict[str, tuple[Any, Any]]:
    name = getattr(function, "__name__", "ledger")
    with watched(name, patience=6):
        found = function(world)
    if not isinstance(found, Mapping):
        what = 'a ledger is a dict such as {"stock": 10}, or {"stock": (9, 10)} where 10 is what should be'
        raise Misuse(f"{name} returned {shown(found)}; {what}")
    pairs = {str(key): value for key, value in found.items()}
    return {
        key: value if isinstance(value, tuple) and len(value) == 2 else (value, None)
        for key, value in pairs.items()
    }


def _said(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else clean(value, 40)

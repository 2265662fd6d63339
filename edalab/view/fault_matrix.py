"""`matrix(result)`: the effect of each single fault, with a row for each point and a column for each action."""

from collections import Counter
from itertools import accumulate, groupby
from typing import NamedTuple

from ..claims.exploration import Exploration, Schedule
from ..model import System
from ..sim import ACTIONS, actions_at
from ..sim.points import Point
from ..text import clean, counted, shorten, text_width
from ..trace.faults import FAULTS
from .fault_marks import ENDLESS, SURVIVED, UNTESTED, added, always_broken, letter, mark, outcome
from .picture import Picture, check_is
from .scene import WIDTH, Box, Label, Line, Mark, Scene

COLUMNS = list(dict.fromkeys(fault.column for fault in FAULTS.values() if fault.column))
_ROW, _MARK, _GAP, _LEAST = 19, 18, 8, 50  # px: row, mark, gap between columns, least column
_APART = 4  # px between two marks
_MOST = 6  # marks in a cell before equal ones share one


def why_empty(system: System, point: Point, column: str) -> str:
    """Why no action of a column was tried at a point, in the words of `docs/faults.md`."""
    service, step, _ = point
    has = [action for action in ACTIONS[step] if action in column.split("/")]
    if not has:
        return f"the step {step} has no {column}, only {', '.join(ACTIONS[step])}"
    if service == "client":
        return "at the client, explore tries only duplicate and delay"
    if has[0] in actions_at(system, point):
        return "not tried: the exploration stopped before"
    if has == ["lose"]:
        return "a publish can be lost only with confirms=False"
    return f"{has[0]} exists only where the topic confirms"


class MatrixCell(NamedTuple):
    """A place in the matrix, in px, and its schedules: for a mark the first one that it represents, for
    a count (`×4`, `+2`) all with this point and action, for an empty cell none."""

    x: int
    y: int
    w: int
    tip: str
    schedules: list[Schedule]


class Matrix(Picture):
    """A picture of the single faults that were tried. `broke` is how many of them broke a claim, or added
    to a broken one. `cells` are its marks, its counts next to marks, and its empty cells."""

    def __init__(self, result: Exploration, width: int):
        super().__init__(Scene(width, 0))
        self.cells: list[MatrixCell] = []
        self._result = result
        self._marks = {
            schedule: mark(result, schedule)
            for schedule in result.schedules
            if len(schedule.plan) == 1 == len(schedule.faults) and schedule.seed == result.seeds[0]
        }
        self.broke = sum(map(_is_red, self._marks.values()))
        times = Counter(number for one in self._marks for number in added(result, one))
        numbered = enumerate(result.claims)
        always = [claim.sentence for number, claim in numbered if always_broken(result, number)]
        self._worse = ("add", "to what is broken") if always else ("break", "a claim")
        y = self._draw_legend(times, self._draw_title(always))
        self._draw_notes(self._draw_grid(y))
        adds = {number: "adds to " * always_broken(result, number) for number in sorted(times)}
        broken = [f"{adds[n]}{result.claims[n].sentence} {times[n]}" for n in adds]
        parts = [f"{self.broke:,} broken ({'; '.join(broken) or 'none'})"]
        parts += [f"without any fault: {sentence}" for sentence in always]
        singles = counted(len(self._marks), "single fault")
        self.scene.shows = f"matrix of {result.system.name}: {singles}, {'; '.join(parts)}"
        self.scene.alt = clean(self.scene.shows, 400)

    def _draw_title(self, always: list[str]) -> int:
        """Draw the title and the claims that are broken without any fault. Return the y below."""
        result, scene = self._result, self.scene
        every = result.coverage.startswith("every single fault")
        tried = "Every single fault" if every else "Single faults"
        verb, what = self._worse
        many = f"{self.broke:,}" if self.broke else "none"
        worse = f"{many} {verb}{'s' * (self.broke < 2)} {what}"
        title = f"{tried}: {len(self._marks):,} tried, {worse}"
        scene.labels.append(Label(2, 12, title, "title"))
        words = ["broken without any fault, so only what a fault adds is marked (+):"]
        words = [*words, *(f"✗ {sentence}" for sentence in always)] if always else []
        return scene.write(2, 31, scene.width - 2, words, "  ") - 17

    def _draw_grid(self, y: int) -> int:
        """Draw the rows and columns from `y` down, the client's rows first. Return the y below."""
        scene, system = self.scene, self._result.system
        cells = self._cells()
        service_names = max([60, *(text_width(name, 12, True) for name in system.services)])
        left = 18 + min(service_names, scene.width * 2 // 7)
        columns = self._columns(cells, left)
        first = min((x for x, _ in columns.values()), default=left)
        bold = all(text_width(name, 12, True) <= w for name, (_, w) in columns.items())
        for name, (x, _) in columns.items():
            scene.labels.append(Label(x, y + 24, name, "node" if bold else "channel", tip=name))
        y += 40
        for service in ("client", *system.services):
            rows = {point: row for point, row in cells.items() if point[0] == service}
            if not rows:
                continue
            scene.lines.append(Line(2, y, scene.width - 2, y, "grid"))
            name = shorten(service, left - 12, 12, True)
            whole = "" if name == service else service
            scene.labels.append(Label(2, y + 12, name, "node", tip=whole))
            for number, (point, row) in enumerate(rows.items()):
                y += _ROW
                if number % 2:  # stripes lead the eye from a mark to its name
                    scene.lanes.append(Box(left - 6, y - 17, scene.width - left + 4, _ROW, "lane"))
                name = _row_name(point)
                label = shorten(name, first - left - 8, 11)
                scene.labels.append(Label(left, y - 7, label, "channel", tip=name))
                for column, (x, w) in columns.items():
                    if column in row:
                        self._draw_cell(row[column], x, y - 7, w)
                    else:
                        why = why_empty(system, point, column)
                        self.cells.append(MatrixCell(x, y - 14, w, why, []))
            y += 6
        scene.lines.append(Line(2, y, scene.width - 2, y, "grid"))
        return y + 16

    def _cells(self) -> dict[Point, dict[str, list[Schedule]]]:
        """Map each point and column to its schedules."""
        cells: dict[Point, dict[str, list[Schedule]]] = {}
        for schedule in self._marks:
            (fault,) = schedule.faults
            row = cells.setdefault(fault.point, {})
            row.setdefault(FAULTS[fault.do].column, []).append(schedule)
        return cells

    def _columns(
        self, cells: dict[Point, dict[str, list[Schedule]]], left: int
    ) -> dict[str, tuple[int, int]]:
        """Map each column, right of the points' names, to its x and the width of its cells. Each has
        room for a mark and a count. Names are shortened for this, down to 100 px."""
        columns = [name for name in COLUMNS if any(name in row for row in cells.values())]
        least, wishes = [], []
        for column in columns:
            cell = [row[column] for row in cells.values() if column in row]
            alike = [self._alike(schedules) for schedules in cell]
            firsts = [self._width(marks[0]) + _rest_width(marks[1:]) for marks in alike]
            least.append(max(_LEAST, text_width(column, 11) + _GAP, *firsts))
            wishes.append(_GAP + max(sum(map(self._width, self._groups(marks))) for marks in cell))
        names = max([100, *(text_width(_row_name(point), 11) + 14 for point in cells)])
        names = min(names, max(100, self.scene.width - left - sum(least)))
        self.scene.width = max(self.scene.width, left + names + sum(least))
        widths = _shared(self.scene.width - left - names, least, wishes)
        starts = accumulate(widths, initial=left + names)
        places = ((x, width - _GAP) for x, width in zip(starts, widths, strict=False))
        return dict(zip(columns, places, strict=True))

    def _alike(self, schedules: list[Schedule]) -> list[list[Schedule]]:
        def key(schedule: Schedule) -> tuple[bool, str]:
            return not _is_red(self._marks[schedule]), self._marks[schedule]

        return [list(group) for _, group in groupby(sorted(schedules, key=key), key=key)]

    def _groups(self, schedules: list[Schedule], room: int = 10_000) -> list[list[Schedule]]:
        """The schedules of a cell, grouped by shared mark: one each if they fit, or else consecutive
        equal ones, or else all equal ones with the red ones first."""
        single = [[schedule] for schedule in schedules]
        runs = [list(group) for _, group in groupby(schedules, key=self._marks.__getitem__)]
        for groups in (single, runs):
            if len(groups) <= _MOST and sum(map(self._width, groups)) <= room:
                return groups
        return self._alike(schedules)

    def _width(self, group: list[Schedule]) -> int:
        """The width in px of a mark, and of its count if several schedules share it."""
        shared = len(group) > 1
        return _mark_width(self._marks[group[0]]) + shared * (text_width(f"×{len(group)}", 10) + 8)

    def _draw_cell(self, schedules: list[Schedule], x: int, y: int, room: int) -> None:
        """Draw the marks of one point and column in the order of the run. If there are many, equal ones
        share a mark, and those without room are counted."""
        labels, end = self.scene.labels, x + room
        fault = schedules[0].faults[0]
        runs = f"{fault.do} {fault.at}: {counted(len(schedules), 'run')}"
        groups = self._groups(schedules, room)
        for number, group in enumerate(groups):
            schedule, kind, wide = group[0], self._marks[group[0]], self._width(group)
            if x + wide - 8 > end - _rest_width(groups[number + 1 :]):
                style = "struck count" if _is_red(kind) else "detail"
                labels.append(Label(x, y, _rest(groups[number:]), style))
                self.cells.append(MatrixCell(x - 3, y - 7, end - x + 6, runs, schedules))
                break
            more = f" and {len(group) - 1} more like it" if len(group) > 1 else ""
            tip = clean(f"{schedule.faults[0]}{more}: {outcome(self._result, schedule)}", 300)
            self._draw_mark(kind, x, y, tip)
            mark_end = x + _mark_width(kind) - _APART
            self.cells.append(MatrixCell(x, y - 7, mark_end - x, tip, [schedule]))
            if more:
                labels.append(Label(mark_end, y, f"×{len(group)}", "detail", tip=tip))
                count_width = x + wide - mark_end - 3
                self.cells.append(MatrixCell(mark_end, y - 7, count_width, runs, schedules))
            x += wide

    def _draw_mark(self, kind: str, x: int, y: int, tip: str = "") -> None:
        if not _is_red(kind):
            shape = "survived" if kind == SURVIVED else "untested"
            self.scene.marks.append(Mark(x + 5, y, shape, tip))
            return
        wide = _mark_width(kind) - _APART
        self.scene.bars.append(Box(x, y - 7, wide, 14, "broken", tip))
        self.scene.labels.append(Label(x + wide // 2, y, kind, "in broken", "middle", tip))

    def _draw_legend(self, times: Counter[int], y: int) -> int:
        """Draw the meanings of the marks below `y`. Return the y of the last line."""
        scene, claims, x = self.scene, self._result.claims, 2
        y += 20
        fine = "adds nothing" if self._worse[0] == "add" else "survived"
        signs = (SURVIVED, fine), (UNTESTED, "nothing tested"), (ENDLESS, "did not end")
        entries = [(*sign, True) for sign in signs if sign[0] in self._marks.values()]
        for number, claim in enumerate(claims):
            verb = "adds to" if (always := always_broken(self._result, number)) else "breaks"
            if times[number] or not always:
                text = shorten(f"{verb} “{claim.sentence}”", scene.width - 80, 11)
                sign = letter(self._result, number)
                entries.append((sign, f"{text}: {times[number]:,}", times[number] > 0))
        for kind, text, there in entries:
            left = max(18, _mark_width(kind))
            wide = text_width(text, 11) + left + 22
            if x > 2 and x + wide > scene.width:
                x, y = 2, y + 20
            if there:
                self._draw_mark(kind, x, y)
            else:
                scene.labels.append(Label(x + 7, y, kind, "detail", "middle"))
            scene.labels.append(Label(x + left, y, text, "caption"))
            x += wide
        return y + 4

    def _draw_notes(self, y: int) -> None:
        scene = self.scene
        counts = {label.text[0] for label in scene.labels if label.text[1:].isdigit()}
        words = ["a mark for each time a point is passed, the first one first"]
        words += ["×2: two alike"] * ("×" in counts)
        words += ["+2: two more than there is room for"] * ("+" in counts)
        words.append(clean(self._result.coverage))
        shown = {self._result.schedules[0], *self._marks}
        others = [one for one in self._result.schedules if one not in shown]
        if red := sum(_is_red(mark(self._result, one)) for one in others):
            words.append(
                f"not in this picture: {counted(len(others), 'run')} with another seed or two faults, "
                f"of which {red:,} {' '.join(self._worse)}"
            )
        scene.height = scene.write(2, y, scene.width - 2, words)


def matrix(result: Exploration, width: int = WIDTH) -> Matrix:
    """A picture of what `explore` found: a mark for each time a point was passed and each action that
    can strike there. A mark is red if the fault adds something to what is broken without any."""
    wanted = "what explore found, such as explore(system, workload, claims)"
    check_is("matrix", Exploration, wanted, result)
    return Matrix(result, width)


def _is_red(kind: str) -> bool:
    return kind not in (SURVIVED, UNTESTED)


def _mark_width(kind: str) -> int:
    return _MARK if len(kind) <= 1 else text_width(kind, 9, True) + 7 + _APART


def _rest(groups: list[list[Schedule]]) -> str:
    return f"+{sum(map(len, groups))}"


def _rest_width(groups: list[list[Schedule]]) -> int:
    """The width in px of the count of these groups."""
    return text_width(_rest(groups), 11, True) + 6 if groups else 0


def _shared(room: int, widths: list[int], wishes: list[int]) -> list[int]:
    """The widths of columns, at least `widths`. The remaining px go to the narrowest with unmet wishes."""
    widths = list(widths)
    for _ in range(room - sum(widths) if widths else 0):
        lacking = [(width >= wish, width) for width, wish in zip(widths, wishes, strict=True)]
        widths[lacking.index(min(lacking))] += 1
    return widths


def _row_name(point: Point) -> str:
    _, step, message = point
    return shorten(f"{step} {message}", 230, 11)

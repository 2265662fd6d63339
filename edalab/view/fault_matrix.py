"""`matrix(result)`: what each single fault breaks; points in the order of the run, actions across."""

from collections import Counter
from itertools import accumulate, chain, groupby
from typing import NamedTuple

from ..claims.explore import Exploration, Schedule
from ..text import clean, counted, shorten, text_width
from ..trace.faults import FAULTS
from .empty_cell import Point, why_empty
from .picture import Picture, check_is
from .scene import Box, Label, Line, Mark, Scene

_NAMES = dict.fromkeys(fault.column for fault in FAULTS.values() if fault.column)
COLUMNS = [tuple(name.split("/")) for name in _NAMES]  # the actions of each
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ENDLESS, UNTESTED, SURVIVED = "∞", "–", ""
_ROW, _MARK, _GAP, _LEAST = 19, 17, 8, 50  # px: of a row, a mark, between columns, and of a column
_MOST = 6  # marks in a cell before equal ones share one


class Cell(NamedTuple):
    """A mark of the matrix: where it stands, and the first of the schedules that it stands for."""

    schedule: Schedule
    x: int
    y: int
    w: int
    mark: str
    tip: str


class Place(NamedTuple):
    """Where a count of marks (`+2`, `×4`) stands, with all schedules of its cell; or an empty cell."""

    x: int
    y: int
    w: int
    tip: str
    schedules: list[Schedule]


class Matrix(Picture):
    """A picture of the single faults that were tried: its `cells`, and how many faults `broke` a claim.
    `folds` are the counts of marks that stand there for want of room, `empty` the cells without a mark."""

    def __init__(self, result: Exploration, width: int):
        super().__init__(Scene(width, 0))
        self.cells: list[Cell] = []
        self.folds: list[Place] = []
        self.empty: list[Place] = []
        self._result = result
        singles = [
            schedule
            for schedule in result.schedules
            if len(schedule.faults) == 1 and schedule.seed == result.seeds[0]
        ]
        self._marks = {schedule: mark(result, schedule) for schedule in singles}
        self.broke = sum(map(_is_red, self._marks.values()))
        times = Counter(number for one in singles for number in broken_by(result, one))
        pairs = zip(result.claims, result.schedules[0].outcomes, strict=True)
        always = [claim.sentence for claim, outcome in pairs if outcome == "broken"]
        y = self._draw_grid(singles, self._draw_title(always))
        self._draw_legend(sorted(times), y)
        broken = [f"{result.claims[number].sentence} {times[number]}" for number in sorted(times)]
        without = "".join(f"; without any fault: {sentence}" for sentence in always)
        self.scene.shows = (
            f"matrix of {result.system.name}: {counted(len(singles), 'single fault')}, "
            f"{self.broke:,} broken ({'; '.join(broken) or 'none'}){without}"
        )
        self.scene.alt = clean(self.scene.shows, 400)

    def _draw_title(self, always: list[str]) -> int:
        """Draw the title, and what is broken without any fault. Return where that ends."""
        result, scene = self._result, self.scene
        every = result.coverage.startswith("every single fault")
        tried = "Every single fault" if every else "Single faults"
        breaks = "none breaks" if not self.broke else f"{self.broke:,} break"
        title = f"{tried}: {counted(len(self._marks), 'run')}, {breaks}{'s' * (self.broke == 1)} a claim"
        scene.labels.append(Label(2, 12, title, "title"))
        sentences = [f"✗ {sentence}" for sentence in always]
        words = ["broken without any fault:", *sentences] if always else []
        return scene.write(2, 31, scene.width - 2, words, "  ") - 17

    def _draw_grid(self, singles: list[Schedule], y: int) -> int:
        """Draw the rows and columns below `y`, the client's rows first. Return where they end."""
        scene, services = self.scene, self._result.system.services
        cells: dict[Point, dict[tuple[str, ...], list[Schedule]]] = {}
        for schedule in singles:
            (fault,) = schedule.faults
            column = next(column for column in COLUMNS if fault.do in column)
            cells.setdefault(fault.point, {}).setdefault(column, []).append(schedule)
        for cell in chain.from_iterable(row.values() for row in cells.values()):
            cell.sort(key=lambda schedule: _rank(self._marks[schedule]))
        columns = [name for name in COLUMNS if any(name in row for row in cells.values())]
        left = 18 + max([60, *(text_width(service, 12, True) for service in services)])
        names = max([100, *(text_width(_row_name(point), 11) + 14 for point in cells)])
        wishes = [
            max(sum(map(self._width, self._groups(row.get(column, [])))) for row in cells.values())
            for column in columns
        ]
        heads = ["/".join(column) for column in columns]
        least = [max(_LEAST, text_width(head, 11) + _GAP) for head in heads]
        first = left + max(100, min(names, scene.width - left - sum(least)))
        widths = _shared(scene.width - first, least, wishes)
        starts = accumulate(widths[:-1], initial=first)
        places = [*zip(columns, starts, widths, strict=True)] if columns else []
        fits = [
            text_width(head, 12, True) + _GAP <= width
            for head, width in zip(heads, widths, strict=True)
        ]
        kind, size = ("node", 12) if all(fits) else ("channel", 11)
        y += 24
        for head, (_, x, width) in zip(heads, places, strict=True):
            name = shorten(head, width - _GAP, size, kind == "node")
            scene.labels.append(Label(x, y, name, kind, tip=head))
        y += 16
        for service in ("client", *services):
            rows = {point: row for point, row in cells.items() if point[0] == service}
            if not rows:
                continue
            scene.lines.append(Line(2, y, scene.width - 2, y, "grid"))
            name = shorten(service, left - 18, 12, True)
            scene.labels.append(Label(2, y + 12, name, "node"))
            for point, row in rows.items():
                y += _ROW
                name = _row_name(point)
                label = shorten(name, first - left - 8, 11)
                scene.labels.append(Label(left, y - 7, label, "channel", tip=name))
                for column, x, width in places:
                    if column in row:
                        self._draw_cell(row[column], x, y - 7, width - _GAP)
                    else:
                        why = why_empty(self._result.system, point, column)
                        self.empty.append(Place(x, y - 14, width - _GAP, why, []))
            y += 6
        scene.lines.append(Line(2, y, scene.width - 2, y, "grid"))
        return y + 16

    def _groups(self, schedules: list[Schedule], room: int = 10_000) -> list[list[Schedule]]:
        """The schedules of a cell that share a mark: where there are many, those that are alike."""
        alike = [list(group) for _, group in groupby(schedules, key=self._marks.__getitem__)]
        single = [[schedule] for schedule in schedules]
        return single if len(single) <= _MOST and sum(map(self._width, single)) <= room else alike

    def _width(self, group: list[Schedule]) -> int:
        """The width in px of a mark, and of the count beside it if several share it."""
        shared = len(group) > 1
        return _mark_width(self._marks[group[0]]) + shared * (text_width(f"×{len(group)}", 10) + 8)

    def _draw_cell(self, schedules: list[Schedule], x: int, y: int, room: int) -> None:
        """Draw the marks of one point and column, the red ones first. Where they are many, equal
        ones share a mark; those without room are counted."""
        labels, end, left = self.scene.labels, x + room, len(schedules)
        fault = schedules[0].faults[0]
        runs = f"{fault.do} {fault.at}: {counted(left, 'run')}"
        for group in self._groups(schedules, room):
            schedule, kind, wide = group[0], self._marks[group[0]], self._width(group)
            mark_end, counts = x + _mark_width(kind) - 3, len(group) > 1
            rest = f"+{left}"
            if counts and left == len(schedules) and x + wide - 8 > end - 24 * (left > len(group)):
                counts, wide = False, _mark_width(kind)  # its tool-tip still says how many
            left -= len(group)
            if x + wide - 8 > end - (text_width(rest, 11, True) + 6) * (left > 0):
                labels.append(Label(x, y, rest, "struck count" if _is_red(kind) else "detail"))
                self.folds.append(Place(x - 3, y - 7, end - x + 6, runs, schedules))
                return
            more = f" and {len(group) - 1} more like it" if len(group) > 1 else ""
            tip = clean(f"{schedule.faults[0]}{more}: {self.outcome(schedule)}", 300)
            self._draw_mark(kind, x, y, tip)
            self.cells.append(Cell(schedule, x, y - 7, mark_end - x, kind, tip))
            if counts:
                labels.append(Label(mark_end, y, f"×{len(group)}", "detail", tip=tip))
                self.folds.append(Place(mark_end, y - 7, x + wide - mark_end - 3, runs, schedules))
            elif len(group) > 1 and not left:
                self.folds.append(Place(x, y - 7, wide, runs, schedules))
            x += wide

    def _draw_mark(self, kind: str, x: int, y: int, tip: str = "") -> None:
        if not _is_red(kind):
            shape = "survived" if kind == SURVIVED else "untested"
            self.scene.marks.append(Mark(x + 5, y, shape, tip))
            return
        wide = _mark_width(kind) - 3
        self.scene.bars.append(Box(x, y - 7, wide, 14, "broken", tip))
        self.scene.labels.append(Label(x + wide // 2, y, kind, "in broken", "middle", tip))

    def outcome(self, schedule: Schedule) -> str:
        """What came of a schedule, in words."""
        claims, broken = self._result.claims, broken_by(self._result, schedule)
        spared = "not exercised" if self._marks[schedule] == UNTESTED else "survived"
        sentences = [f"✗ {claims[number].sentence}" for number in broken]
        return schedule.endless or "; ".join(sentences) or spared

    def _draw_legend(self, broken: list[int], y: int) -> None:
        scene, claims, x = self.scene, self._result.claims, 2
        entries = [(SURVIVED, "survived"), (UNTESTED, "nothing tested")]
        entries += [(_letter(number), f"broken: {claims[number].sentence}") for number in broken]
        entries.append((ENDLESS, "did not end"))
        seen = {*self._marks.values(), *"".join(self._marks.values())}
        for kind, text in (entry for entry in entries if entry[0] in seen):
            text = shorten(text, scene.width - 40, 11)
            wide = text_width(text, 11) + 40
            if x > 2 and x + wide > scene.width:
                x, y = 2, y + 20
            self._draw_mark(kind, x, y)
            scene.labels.append(Label(x + 18, y, text, "caption"))
            x += wide
        counts = {label.text[0] for label in scene.labels if label.text[1:].isdigit()}
        words = ["a mark for each time a point is passed, broken ones first"]
        words += ["×2: two alike"] * ("×" in counts)
        words += ["+2: two more than there is room for"] * ("+" in counts)
        words.append(clean(self._result.coverage))
        scene.height = scene.write(2, y + 22, scene.width - 2, words)


def matrix(result: Exploration, width: int = 900) -> Matrix:
    """A picture of what `explore` found: a mark for each time a point was passed and each action
    that could strike there. Only what a fault breaks is red, not what is broken without any."""
    wanted = "what explore found, such as explore(system, workload, claims)"
    check_is("matrix", Exploration, wanted, result)
    return Matrix(result, width)


def broken_by(result: Exploration, schedule: Schedule) -> list[int]:
    """The numbers of the claims that the faults of a schedule broke."""
    outcomes = zip(schedule.outcomes, result.schedules[0].outcomes, strict=True)
    numbered = enumerate(outcomes)
    return [n for n, (now, calm) in numbered if now == "broken" and calm != "broken"]


def mark(result: Exploration, schedule: Schedule) -> str:
    """The letters of the claims that the faults of a schedule broke; or that it did not end, that
    it tested nothing, or that it survived."""
    if schedule.endless:
        return ENDLESS
    untested = all(outcome == "not exercised" for outcome in schedule.outcomes)
    letters = "".join(map(_letter, broken_by(result, schedule)))
    return letters or (UNTESTED if untested else SURVIVED)


def _letter(claim: int) -> str:
    return LETTERS[claim % len(LETTERS)]


def _is_red(kind: str) -> bool:
    return kind not in (SURVIVED, UNTESTED)


def _rank(kind: str) -> tuple[bool, str]:
    return not _is_red(kind), kind


def _mark_width(kind: str) -> int:
    return _MARK if len(kind) <= 1 else text_width(kind, 9, True) + 10


def _shared(room: int, least: list[int], wishes: list[int]) -> list[int]:
    """The widths of columns in a room: alike if that is wide enough for what each wishes. Else each
    has its least, and the narrowest of those that wish for more get the rest."""
    if sum(least) > room:
        return [each * room // sum(least) for each in least]
    widths = list(least)
    for _ in range(room - sum(least) if least else 0):
        lacking = [(width >= wish, width) for width, wish in zip(widths, wishes, strict=True)]
        widths[lacking.index(min(lacking))] += 1
    return widths


def _row_name(point: Point) -> str:
    _, step, message = point
    return shorten(f"{step} {message}", 230, 11)

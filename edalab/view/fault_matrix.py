"""`matrix(result)`: every single fault that was tried, survived or not: points in the order of the story, actions across."""

from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from ..claims.explore import Exploration, Schedule
from ..text import clean, counted, shorten, text_width
from ..trace.faults import FAULTS
from .picture import Picture, check_is
from .scene import Box, Label, Line, Mark, Scene

_NAMES = dict.fromkeys(fault.column for fault in FAULTS.values() if fault.column)
COLUMNS = [tuple(name.split("/")) for name in _NAMES]  # the actions of each
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ENDLESS = "∞"
_WIDTH, _ROW, _MARK, _MOST = 900, 19, 17, 6  # px; marks in a cell before equal neighbours share one


class Cell(NamedTuple):
    """One mark of the matrix: a schedule, where it stands, and what it says: "", "–", or the letters of broken claims."""

    schedule: Schedule
    x: int
    y: int
    w: int
    said: str


class Matrix(Picture):
    """A picture whose `cells` know their schedules."""

    def __init__(self, scene: Scene, cells: list[Cell]):
        super().__init__(scene)
        self.cells = cells


def matrix(result: Exploration, width: int = _WIDTH) -> Matrix:
    """A picture of what `explore` found: a mark for each time a point was passed and each action that could strike there."""
    found = "what explore found, such as explore(system, workload, claims)"
    check_is("matrix", Exploration, found, result)
    singles = [
        schedule
        for schedule in result.schedules
        if len(schedule.faults) == 1 and schedule.seed == result.seeds[0]
    ]
    scene, cells = Scene(width, 0), []
    columns = [column for column in COLUMNS if any(s.faults[0].do in column for s in singles)]
    left = (
        2 + max([60, *(text_width(service, 12, True) for service in result.system.services)]) + 16
    )
    first = left + max([100, *(text_width(_row_name(s), 11) for s in singles)]) + 24
    step = (width - first) // max(1, len(columns))
    scene.labels.append(Label(2, 12, _title(result, singles), "title"))
    for number, column in enumerate(columns):
        name = shorten("/".join(column), step - 8, 12, True)
        scene.labels.append(Label(first + step * number, 38, name, "node"))
    y = 54
    for service, group in _by_service(result, singles):
        scene.lines.append(Line(2, y, width - 2, y, "grid"))
        scene.labels.append(Label(2, y + 12, shorten(service, left - 18, 12, True), "node"))
        for name, row in group:
            y += _ROW
            scene.labels.append(Label(left, y - 7, name, "channel"))
            for number, column in enumerate(columns):
                in_cell = [s for s in row if s.faults[0].do in column]
                cells += _cell(scene, result, in_cell, first + step * number, y - 7, step - 8)
        y += 6
    scene.lines.append(Line(2, y, width - 2, y, "grid"))
    broken = {
        claim.sentence: sum(s.outcomes[n] == "broken" for s in singles)
        for n, claim in enumerate(result.claims)
    }
    y = _legend(scene, result, singles, broken, y + 16, width)
    scene.height = y
    named = "; ".join(f"{sentence} {times}" for sentence, times in broken.items() if times)
    scene.shows = (
        f"matrix of {result.system.name}: {counted(len(singles), 'single fault')}, "
        f"{sum(mark(result, s) not in ('', '–') for s in singles)} broken ({named or 'none'})"
    )
    scene.alt = clean(scene.shows, 400)
    return Matrix(scene, cells)


def _title(result: Exploration, singles: list[Schedule]) -> str:
    broken = sum(mark(result, schedule) not in ("", "–") for schedule in singles)
    breaks = (
        "none breaks a claim"
        if not broken
        else f"{broken:,} break{'s' if broken == 1 else ''} a claim"
    )
    tried = (
        "every single fault"
        if result.coverage.startswith("every single fault")
        else "single faults"
    )
    return f"{tried[0].upper()}{tried[1:]}: {counted(len(singles), 'run')}, {breaks}"


def _row_name(schedule: Schedule) -> str:
    _, step, message = schedule.faults[0].point
    return shorten(f"{step} {message}", 230, 11)


def _by_service(
    result: Exploration, singles: list[Schedule]
) -> Iterator[tuple[str, list[tuple[str, list[Schedule]]]]]:
    """The client, then the services as declared; their points in the order of the story."""
    for service in ("client", *result.system.services):
        rows: dict[tuple, list[Schedule]] = {}
        for schedule in singles:
            if schedule.faults[0].point[0] == service:
                rows.setdefault(schedule.faults[0].point, []).append(schedule)
        if rows:
            yield service, [(_row_name(row[0]), row) for row in rows.values()]


def mark(result: Exploration, schedule: Schedule) -> str:
    """The letters of the claims that a schedule broke; "–" if it tested none, "" if it survived."""
    letters = "".join(
        LETTERS[n % 26] for n, outcome in enumerate(schedule.outcomes) if outcome == "broken"
    )
    if schedule.endless:
        return ENDLESS
    if not letters and all(outcome == "not exercised" for outcome in schedule.outcomes):
        return "–"
    return letters


def _cell(
    scene: Scene, result: Exploration, schedules: list[Schedule], x: int, y: int, room: int
) -> list[Cell]:
    """The marks of one point and column: one for each time the point was passed, or for a run of equal ones."""
    said = [(schedule, mark(result, schedule)) for schedule in schedules]
    runs = [list(group) for _, group in groupby(said, key=lambda pair: pair[1])]
    if sum(_mark_width(word) for _, word in said) <= room and len(said) <= _MOST:
        runs = [[pair] for pair in said]
    cells, end = [], x + room
    for number, run in enumerate(runs):
        schedule, word = run[0]
        times = f"×{len(run)}" if len(run) > 1 else ""
        wide = _mark_width(word)
        rest = f"+{sum(map(len, runs[number:]))}"
        last = number == len(runs) - 1
        if x + wide + (text_width(times, 10) if times else 0) > end - (
            0 if last else text_width(rest, 11, True) + 6
        ):
            hides_broken = any(word not in ("", "–") for run in runs[number:] for _, word in run)
            scene.labels.append(Label(x, y, rest, "struck count" if hides_broken else "detail"))
            break
        tip = _tip(result, schedule, word, len(run))
        if word in ("", "–"):
            scene.marks.append(Mark(x + 5, y, "survived" if word == "" else "untested", tip))
        else:
            scene.bars.append(Box(x, y - 7, wide - 3, 14, "broken", tip))
            scene.labels.append(Label(x + (wide - 3) // 2, y, word, "in broken", "middle", tip))
        cells.append(Cell(schedule, x, y - 7, wide, word))
        x += wide
        if times:
            scene.labels.append(Label(x - 3, y, times, "detail"))
            x += text_width(times, 10) + 8
    return cells


def _mark_width(word: str) -> int:
    return _MARK if len(word) <= 1 or word == "–" else text_width(word, 9, True) + 10


def _tip(result: Exploration, schedule: Schedule, word: str, times: int) -> str:
    broken = [
        claim.sentence
        for claim, outcome in zip(result.claims, schedule.outcomes)
        if outcome == "broken"
    ]
    what = (
        schedule.endless
        or ("; ".join(f"✗ {sentence}" for sentence in broken))
        or ("not exercised" if word == "–" else "survived")
    )
    more = f" and {times - 1} more like it" if times > 1 else ""
    return clean(f"{schedule.faults[0]}{more}: {what}", 300)


def _legend(
    scene: Scene,
    result: Exploration,
    singles: list[Schedule],
    broken: dict[str, int],
    y: int,
    width: int,
) -> int:
    """What the marks mean, in as many lines as it takes."""
    x = 2
    said = {mark(result, schedule) for schedule in singles}

    def put(draw, text: str) -> None:
        nonlocal x, y
        text = shorten(text, width - 40, 11)
        wide = 18 + text_width(text, 11) + 22
        if x + wide > width and x > 2:
            x, y = 2, y + 20
        draw(x, y)
        scene.labels.append(Label(x + 18, y, text, "caption"))
        x += wide

    put(lambda x, y: scene.marks.append(Mark(x + 6, y, "survived")), "survived")
    if "–" in said:
        put(lambda x, y: scene.marks.append(Mark(x + 6, y, "untested")), "nothing tested")

    def key(letter: str):
        def draw(x: int, y: int) -> None:
            scene.bars.append(Box(x, y - 7, 14, 14, "broken"))
            scene.labels.append(Label(x + 7, y, letter, "in broken", "middle"))

        return draw

    for number, (sentence, times) in enumerate(broken.items()):
        if times:
            put(key(LETTERS[number % 26]), f"broken: {sentence}")
    if ENDLESS in said:
        put(key(ENDLESS), "did not end")
    for sign, text in (
        ("×2", "alike, one after the other"),
        ("+2", "more than there is room for; in red: not all survived"),
    ):
        if any(label.text[:1] == sign[0] and label.text[1:].isdigit() for label in scene.labels):
            put(lambda x, y: scene.labels.append(Label(x, y, sign, "detail")), text)
    words = f"a mark for each time a point is passed · {result.coverage}"
    scene.labels.append(Label(2, y + 22, shorten(clean(words), width - 4, 11), "caption"))
    return y + 36

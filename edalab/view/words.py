"""Where the words of a timeline stand: what went wrong speaks first, what is healthy where room is left."""

from ..text import shorten, text_width
from .rows import Row
from .story import Handling, Point
from .theme import LABELS

_SIDE_BY_SIDE = 30  # px between equal marks


def place_words(plan) -> None:
    """What went wrong speaks first; what is healthy is said where there is room left; the rest is in the tool-tips."""
    marks = _together(
        [
            (point, row)
            for point, row in plan.marks
            if point.words and not _said_already(plan, point)
        ]
    )
    for handling in plan.story.handlings:
        if handling.struck:
            _say_bar(plan, handling, "struck")
    for span in plan.story.spans:
        if span.words and span.service in plan.lane_of and plan.within(span):
            x, row = span.x + 6, plan.rows[span.service, span.replica][0]
            _try(
                plan, row, "struck", [span.words], [(level, x, "start") for level in (0, 1, -1, 2)]
            )
    for point, row, words in marks:
        if point.what not in ("takeover", "note"):
            _say_mark(plan, point, row, words, "struck")
    for passage in plan.story.passages:
        if passage.words and plan.row(passage.source).lane >= 0:
            x = passage.source.x
            places = (
                (-1, x + 26, "start"),
                (-1, x - 7, "end"),
                (1, x + 4, "end"),
                (-2, x, "start"),
                (1, x, "start"),
            )
            _try(
                plan,
                plan.row(passage.source),
                "remark" if passage.stop == "unheard" else "struck",
                [passage.words],
                places,
            )
    for point, row, words in marks:
        if point.what in ("takeover", "note"):
            _say_mark(plan, point, row, words, "remark")
    for handling in plan.story.handlings:
        if not handling.struck:
            _say_bar(plan, handling, "handled")


def _together(marks: list[tuple[Point, Row]]) -> list[tuple[Point, Row, str]]:
    """Marks with their words; of equal ones side by side, all outside of a handling, the last speaks for all: "3× lost"."""
    told: list[tuple[Point, Row, str]] = []
    times: list[int] = []
    latest: dict[tuple, int] = {}
    for point, row in marks:
        key = id(row), point.what, point.words
        number = latest.get(key)
        if (
            point.handling is None
            and number is not None
            and abs(point.x - told[number][0].x) <= _SIDE_BY_SIDE
        ):
            times[number] += 1
            told[number] = point, row, f"{times[number]}× {point.words}"
            continue
        latest[key] = len(told)
        told.append((point, row, point.words))
        times.append(1)
    return told


def _said_already(plan, point: Point) -> bool:
    """Whether its words would only repeat others: an error after its cause, the same error once more."""
    handling = point.handling
    if point.what != "failed" or handling is None:
        return False
    key = (handling.service, handling.id, point.words)
    again = key in plan.spoken
    plan.spoken.add(key)
    return again or any(other.what in ("no answer", "dead letter") for other in handling.inner)


def _say_mark(plan, point: Point, row: Row, words: str, kind: str) -> None:
    x, handling = point.x, point.handling
    beside = x
    if handling:  # words beside it begin behind its handling and what else is marked there
        beside = max(
            [handling.x + handling.w, *(other.x for other in handling.inner if other.words)]
        )
    places = [(0, beside + 11, "start")]
    places += [(-1, x - 5, "start"), (-1, x, "middle"), (-1, x + 6, "end")]
    places += [
        (level, x + shift, anchor)
        for level in (1, 2, -2, 3)
        for shift, anchor in ((-5, "start"), (6, "end"))
    ]
    if point.what == "takeover":
        places = [
            place for place in places if -2 < place[0] < 2
        ]  # there can be many, and they are no trouble
    _try(plan, row, kind, [shorten(words, 300, 11, True)], places)


def _say_bar(plan, handling: Handling, kind: str) -> None:
    row, x, name = plan.row(handling), handling.x, handling.type
    if handling.words:
        texts = [f"{name}: {handling.words}", handling.words]
    else:
        texts = (
            [f"{name} {handling.subject}", name]
            if handling.subject and len(handling.subject) <= 12
            else [name]
        )
    ends = ((x, "start"), (x + 12, "start"), (x + handling.w, "end"))
    levels = (1, -1, 2, -2) if kind == "struck" else (1, -1)
    _try(plan, row, kind, texts, [(level, at, anchor) for level in levels for at, anchor in ends])


def _try(plan, row: Row, kind: str, texts: list[str], places) -> None:
    """Put the first text that fits at the first place where it does; what is healthy gets out of the way of arrows."""
    look, first, last = LABELS[kind], plan.left + 4, plan.right - 5
    sizes = [(number, text_width(text, look.size, look.bold)) for number, text in enumerate(texts)][
        ::-1
    ]
    fits = []  # where which text fits between other words, with how good that is: the least is the best
    for level, x, anchor in places:
        for number, width in sizes:  # from the shortest: where it does not fit, no other does
            left = x if anchor == "start" else x - width if anchor == "end" else x - width // 2
            if (
                left < first
                or left + width > last
                or not row.free(level, left - 3, left + width + 3)
            ):
                break
            wired = not row.unwired(level, left - 3, left + width + 3)
            order = (number, wired) if kind == "struck" else (wired, number)
            fits.append((order, len(fits), level, left, texts[number], width))
    if fits:
        _, _, level, left, text, width = min(fits)
        return _put(plan, row, level, left, text, kind, width)
    for level, x, anchor in places:  # shortened, at the first place where it says anything
        if anchor == "start":
            end = min(row.free_until(level, x - 3, x + 110), last)
            for space in (110, 80, 50):
                if x + space <= end:
                    text = shorten(texts[-1], space - 3, look.size, look.bold)
                    if text:
                        return _put(
                            plan, row, level, x, text, kind, text_width(text, look.size, look.bold)
                        )
                    break


def _put(plan, row: Row, level: int, x: int, text: str, kind: str, width: int) -> None:
    row.take(level, x, x + width)
    plan.words.append((row, level, x, text, kind))

"""A row is a ratio: edalab's cost over that of a peer or a limit, in turns in the same run. Lower is better."""

import gc
from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter, process_time
from typing import NamedTuple


class Row(NamedTuple):
    """`ours` is edalab's cost, in words; `ratios` are those of the rounds; `most` is the target for
    their median, and `met` whether a target that is not a ratio (`wanted`, in words) is met."""

    what: str
    ours: str
    beside: str
    ratios: list[float]
    most: float | None = None
    wanted: str = ""
    met: bool = True

    @property
    def ratio(self) -> float:
        return median(self.ratios)

    @property
    def reached(self) -> bool:
        return self.met and (self.most is None or self.ratio <= self.most)

    def cells(self) -> list[str]:
        low, high = min(self.ratios), max(self.ratios)
        wanted = ", ".join(
            filter(None, [f"≤ {number(self.most)}" if self.most else "", self.wanted])
        )
        verdict = "" if not wanted else f"{wanted} {'✓' if self.reached else '✗'}"
        return [
            self.what,
            self.ours,
            self.beside,
            f"**{number(self.ratio)}** ({number(low)} to {number(high)})",
            verdict,
        ]


HEAD = ["what", "edalab", "beside", "ratio (spread)", "target"]


def number(value: float) -> str:
    """A number with about three significant digits."""
    return (
        f"{value:.0f}"
        if value >= 100
        else f"{value:.1f}"
        if value >= 10
        else f"{value:.2f}"
        if value >= 0.1
        else f"{value:.3f}"
    )


def in_turns(sides: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """The cost of each side in each of `rounds` rounds. The side that goes first changes each round."""
    took: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds):
        names = list(sides)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            took[name].append(sides[name]())
    return took


def seconds(play: Callable[[], object], clock: Callable[[], float] = process_time) -> float:
    """The duration of a call in processor time (the default), which other work disturbs least."""
    gc.collect()
    start = clock()
    play()
    return clock() - start


def wall(play: Callable[[], object]) -> float:
    """The wall-clock duration, for work that waits for disks, processes and browsers."""
    return seconds(play, perf_counter)


def ratios(mine: list[float], theirs: list[float]) -> list[float]:
    return sorted(a / b for a, b in zip(mine, theirs, strict=True))


def table(head: list[str], rows: list[list[str]]) -> Iterator[str]:
    """A table in Markdown."""
    yield "| " + " | ".join(head) + " |"
    yield "| " + " | ".join("---" for _ in head) + " |"
    for row in rows:
        yield "| " + " | ".join(row) + " |"

"""A row is a ratio: what edalab takes over what a peer or a limit takes, in turns in the same run. Lower is better."""

import gc
from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter, process_time
from typing import NamedTuple


class Row(NamedTuple):
    """`ours` is what edalab takes, in words; `ratios` are those of the rounds; `most` is the target for their median, and
    `met` whether a target that is no ratio (`wanted`, in words) is met."""

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
    """Three digits that matter."""
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
    """What each side takes, in each of so many rounds; who goes first changes from round to round."""
    took: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds):
        names = list(sides)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            took[name].append(sides[name]())
    return took


def seconds(play: Callable[[], object], clock: Callable[[], float] = process_time) -> float:
    """How long a call takes; by the processor's clock, which other work on the machine disturbs least."""
    gc.collect()
    start = clock()
    play()
    return clock() - start


def wall(play: Callable[[], object]) -> float:
    """The same by the clock on the wall, for what waits for disks, processes and browsers."""
    return seconds(play, perf_counter)


def ratios(mine: list[float], theirs: list[float]) -> list[float]:
    return sorted(a / b for a, b in zip(mine, theirs, strict=True))


def table(head: list[str], rows: list[list[str]]) -> Iterator[str]:
    """A table as Markdown."""
    yield "| " + " | ".join(head) + " |"
    yield "| " + " | ".join("---" for _ in head) + " |"
    for row in rows:
        yield "| " + " | ".join(row) + " |"

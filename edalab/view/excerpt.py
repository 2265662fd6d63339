"""What to show of a run that is too large for one picture: a story, the worst that happened, or a part of it."""

from bisect import bisect_left
from typing import NamedTuple

from ..errors import Unknown
from ..text import seconds
from .story import named

MOST = 40  # handlings in one picture, where nobody asked for more
LARGEST = 300  # and where somebody did
# Steps of a service, not of a message.
LIFE = frozenset({"crash", "restart", "takeover", "pause", "resume", "cut", "heal"})
_GRAVE = {"dead_letter": 0, "lost": 1, "failure": 2, "timeout": 3, "crash": 4}


class Choice(NamedTuple):
    """Rows of a journal: what they are, from when to when (ms), whether nothing that belongs to them comes
    later, and whether they are those of one story only."""

    rows: list
    about: str
    first: int
    last: int
    whole: bool = True
    one_story: bool = False

    def times(self) -> list[int]:
        """The moments (ms) at which something happened."""
        return sorted({row.time for row in self.rows if self.first <= row.time <= self.last})


def choose(
    run, correlation: str | None = None, start: float | None = None, end: float | None = None
) -> Choice:
    """The rows of a story, of a stretch of time (s), or of both; else all, or those of the story that went worst."""
    idle = _idle_ticks(run.journal)
    journal = (
        [row for number, row in enumerate(run.journal) if number not in idle]
        if idle
        else run.journal
    )
    rows, about = journal, "all but ticks that did nothing" if idle else ""
    if correlation is not None:
        rows, about = _story(journal, correlation), f"the story of {correlation}"
        if not rows:
            known = dict.fromkeys(row.envelope.correlation for row in journal if row.envelope)
            raise Unknown("correlation", correlation, filter(None, known))
        about = _named(rows)
    if start is not None or end is not None:
        first, last = round((start or 0) * 1000), run.end if end is None else round(end * 1000)
        # What became of services before still shows: they may be down.
        rows = [row for row in rows if row.time <= last and (row.time >= first or row.step in LIFE)]
        about = ", ".join(
            filter(None, [about if correlation else "", f"{seconds(first)} to {seconds(last)}"])
        )
        return _first_handlings(
            Choice(rows, about, first, max(first, last), last >= run.end, correlation is not None)
        )
    if correlation is None and _handlings(rows) > MOST:
        return _worst(rows)
    times = [row.time for row in rows if row.envelope or correlation is None] or [0]
    return _first_handlings(
        Choice(rows, about, min(times), max(times), True, correlation is not None)
    )


def _handlings(rows) -> int:
    return sum(row.step == "handle" for row in rows)


def _first_handlings(choice: Choice) -> Choice:
    """The choice up to the largest picture that can still be read by zooming in."""
    starts = [number for number, row in enumerate(choice.rows) if row.step == "handle"]
    if len(starts) <= LARGEST:
        return choice
    rows = choice.rows[: starts[LARGEST]]
    about = f"{choice.about}{', ' if choice.about else ''}the first {LARGEST} handlings"
    return Choice(
        rows, about, choice.first, max(choice.first, rows[-1].time), False, choice.one_story
    )


def _worst(journal: list) -> Choice:
    """The story of the gravest thing that happened, and of that what is near to it."""
    troubles = [(_GRAVE.get(row.step, _GRAVE.get(row.fault or "", 5)), number) for number, row in enumerate(journal)
                if row.step in _GRAVE or row.step in LIFE or row.step == "retry" or row.fault]  # fmt: skip
    row = journal[min(troubles)[1] if troubles else 0]
    if row.step == "crash":  # the step before it was the one that was struck
        before = reversed(journal[: journal.index(row)])
        row = next(
            (other for other in before if other.fault == "crash" and other.service == row.service),
            row,
        )
    rows, about = journal, f"what happened around {seconds(row.time)}"
    if row.envelope and row.envelope.correlation:
        rows = _story(journal, row.envelope.correlation)
        about = _named(rows)
    starts = [number for number, other in enumerate(rows) if other.step == "handle"]
    whole = len(starts) <= MOST
    if not whole:
        here = next(number for number, other in enumerate(rows) if other is row)
        first = max(0, min(bisect_left(starts, here) - MOST // 3, len(starts) - MOST))
        until = starts[first + MOST] if first + MOST < len(starts) else len(rows)
        rows = rows[starts[first] if first else 0 : until]
        about += f", near {seconds(row.time)}" if rows is not journal else ""
    times = [other.time for other in rows if other.envelope] or [row.time]
    return Choice(rows, about, min(times), max(times), whole, rows is not journal)


def _story(journal: list, correlation: str) -> list:
    """The rows of one story, and what its services went through meanwhile."""
    own = [row for row in journal if row.envelope and row.envelope.correlation == correlation]
    told, last = {row.service for row in own}, own[-1].time if own else -1
    return [row for row in journal if row.envelope and row.envelope.correlation == correlation
            or row.step in LIFE and row.service in told and row.time <= last]  # fmt: skip


def _named(rows: list) -> str:
    return f"the story of {named(next(row for row in rows if row.envelope).envelope)}"


def _idle_ticks(journal: list) -> set[int]:
    """The places in the journal of ticks that began and ended and did nothing else."""
    began: dict[str, list[int]] = {}
    for number, row in enumerate(journal):
        envelope = row.envelope
        if envelope is None:
            continue
        if envelope.data is None:
            began.setdefault(envelope.id, []).append(number)
    pairs = [
        places
        for places in began.values()
        if len(places) == 2 and journal[places[1]].step == "done"
    ]
    return {number for one, other in pairs if other == one + 1 for number in (one, other)}

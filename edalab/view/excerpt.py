"""The excerpt of a run that a picture shows: all of it, one story, or a part of the worst story."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from ..errors import Misuse, Unknown
from ..sim.clock import milliseconds
from ..sim.run import Run
from ..sim.steps import Step
from ..text import counted, seconds
from ..trace.spans import Trace
from ..trace.transfers import named

MOST, LARGEST = 40, 300  # spans in a picture, by default and at most
# Steps that concern a service, not a message.
LIFE = frozenset({
    "crash", "restart", "takeover", "pause", "resume", "cut", "heal", "skew", "join", "leave", "deploy", "restore",
    "subscribe", "rewind",
})  # fmt: skip
_GRAVE = {
    "dead_letter": 0, "lost": 1, "expired": 1, "discarded": 1, "rejected": 2, "failure": 2, "timeout": 3, "busy": 3,
    "crash": 4,
}  # fmt: skip


@dataclass(frozen=True)
class Excerpt:
    """The steps of a run that are shown, by their numbers in the journal.

    `first` and `last` are the times shown, in ms. `whole`: nothing later was left out. `one_story`:
    only one story is shown."""

    run: Run
    numbers: list[int]
    about: str
    first: int
    last: int
    whole: bool = True
    one_story: bool = False

    @cached_property
    def steps(self) -> list[Step]:
        """The steps that are shown."""
        return [self.run.journal[number] for number in self.numbers]

    def times(self) -> list[int]:
        """The times (ms) of the steps that are shown."""
        return sorted({step.time for step in self.steps if self.first <= step.time <= self.last})

    def size(self) -> str:
        """The number of steps shown, such as "7 of 12 steps"."""
        return f"{len(self.numbers):,} of {counted(len(self.run.journal), 'step')}"


def choose(
    run: Run,
    correlation: str | None = None,
    start: float | None = None,
    end: float | None = None,
) -> Excerpt:
    """Choose an excerpt: one story, the time from `start` to `end` (s), or both. By default it is the
    whole run, or the story that went worst if the run is large."""
    first = milliseconds(float(start or 0), "start=")
    last = run.end if end is None else milliseconds(float(end), "end=")
    if first > min(last, run.end):
        before = f"end={end:g}" if last < run.end else f"the run ends, at {run.end / 1000:g} s"
        raise Misuse(f"start={start or 0:g} is later than {before}; give an earlier one")
    journal, numbers = run.journal, _shown_steps(run)
    timed, one_story = start is not None or end is not None, correlation is not None
    if not (timed or one_story) and is_large(run):
        return _worst(run, numbers)
    about = "all but timers that did nothing" if len(numbers) < len(journal) else ""
    if correlation is not None:
        ids = _correlations(journal, str(correlation))
        numbers = _story(journal, numbers, ids)
        several = f"the {len(ids)} stories of {correlation}"
        about = _about(journal, numbers) if len(ids) == 1 else several
    if timed:
        if first > 0 or last < run.end:
            numbers = [n for n in numbers if journal[n].time <= last]
            # An outage that began before may still last.
            numbers = [n for n in numbers if journal[n].time >= first or journal[n].step in LIFE]
        when = f"{seconds(first)} to {seconds(last)}"
        about = f"{about}, {when}" if one_story else when
    else:
        first, last = _span(journal, numbers, messages_only=one_story)
    whole = not timed or last >= run.end
    starts = _starts(journal, numbers)
    if len(starts) > LARGEST:  # too many to read, even if zoomed in
        numbers, whole = numbers[: starts[LARGEST]], False
        last = max(first, journal[numbers[-1]].time)
        about = ", ".join(filter(None, [about, f"the first {LARGEST} handlings"]))
    return Excerpt(run, numbers, about, first, last, whole, one_story)


def is_large(run: Run) -> bool:
    """Whether a run is too large for one picture."""
    return len(_starts(run.journal, _shown_steps(run))) > MOST


def story_names(journal: list[Step]) -> list[str]:
    """The names by which a story can be requested: the keys of the messages, then the correlation ids."""
    envelopes = [row.envelope for row in journal if row.envelope]
    names = [*(e.subject for e in envelopes), *(e.correlation for e in envelopes)]
    return [*filter(None, dict.fromkeys(names))]


def _shown_steps(run: Run) -> list[int]:
    """The numbers of a run's steps, except those of timers that did nothing."""
    ticks = [span for span in Trace.of(run).spans if span.envelope.data is None]
    idle = [span for span in ticks if span.ended_by == "done" and span.last == span.first + 1]
    hidden = {number for span in idle for number in (span.first, span.first + 1)}
    every = range(len(run.journal))
    return [number for number in every if number not in hidden] if hidden else [*every]


def _starts(journal: list[Step], numbers: list[int]) -> list[int]:
    """The positions in `numbers` of the steps that start a span."""
    return [place for place, number in enumerate(numbers) if journal[number].step == "handle"]


def _span(journal: list[Step], numbers: Iterable[int], messages_only: bool) -> tuple[int, int]:
    """The first and the last time of some steps. With `messages_only`, only messages and deploys count,
    because a deploy decides which messages a service can read."""
    steps = [journal[number] for number in numbers]
    times = [s.time for s in steps if s.envelope or s.step == "deploy" or not messages_only] or [0]
    return min(times), max(times)


def _worst(run: Run, numbers: list[int]) -> Excerpt:
    """The story of the gravest step, or the part of that story around this step."""
    journal = run.journal
    troubles = [
        (_GRAVE.get(step.step, _GRAVE.get(step.fault or "", 5)), number)
        for number, step in ((number, journal[number]) for number in numbers)
        if step.step in (*_GRAVE, *LIFE, "retry") or step.fault
    ]
    worst = min(troubles)[1] if troubles else numbers[0]
    # For a crash, use the step that it prevented.
    worst = Trace.of(run).traffic.prevented_by.get(worst, worst)
    envelope, when = journal[worst].envelope, seconds(journal[worst].time)
    about, near = f"what happened around {when}", ""
    if envelope:
        numbers = _story(journal, numbers, {envelope.correlation})
        about, near = _about(journal, numbers), f", near {when}"
    starts = _starts(journal, numbers)
    whole = len(starts) <= MOST
    if not whole:
        here = bisect_left(starts, bisect_left(numbers, worst))
        first = max(0, min(here - MOST // 3, len(starts) - MOST))
        ends = [*starts, len(numbers)]
        numbers = numbers[starts[first] if first else 0 : ends[first + MOST]]
        about += near
    first, last = _span(journal, [*numbers, worst], messages_only=bool(envelope))
    return Excerpt(run, numbers, about, first, last, whole, bool(envelope))


def _correlations(journal: list[Step], wanted: str) -> set[str]:
    """The wanted correlation id, or the ids of all messages with that key. Raises Unknown if none."""
    envelopes = [row.envelope for row in journal if row.envelope]
    ids = {one.correlation for one in envelopes if wanted in (one.correlation, one.subject)}
    if not ids:
        raise Unknown("story", wanted, story_names(journal))
    return {wanted} if wanted in ids else ids


def _story(journal: list[Step], numbers: list[int], ids: set[str]) -> list[int]:
    """The steps with these correlation ids, and the outages of their services up to the last one."""
    envelopes = [(number, journal[number].envelope) for number in numbers]
    own = {number for number, envelope in envelopes if envelope and envelope.correlation in ids}
    services, last = {journal[number].service for number in own}, journal[max(own)].time

    def is_outage(step: Step) -> bool:
        return step.step in LIFE and step.service in services and step.time <= last

    return [number for number in numbers if number in own or is_outage(journal[number])]


def _about(journal: list[Step], numbers: list[int]) -> str:
    envelopes = (journal[number].envelope for number in numbers)
    return f"the story of {named(next(filter(None, envelopes)))}"

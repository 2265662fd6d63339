"""What to show of a run that is too large for one picture: one story, the worst, or a part of it."""

from bisect import bisect_left
from typing import NamedTuple

from ..errors import Misuse, Unknown
from ..sim.clock import milliseconds
from ..sim.run import Run
from ..sim.steps import Step
from ..text import seconds
from ..trace.spans import Trace
from ..trace.transfers import named

MOST = 40  # spans in one picture, where nobody asked for more
LARGEST = 300  # and where somebody did
# Steps of a service, not of a message.
LIFE = frozenset({"crash", "restart", "takeover", "pause", "resume", "cut", "heal"})
_GRAVE = {"dead_letter": 0, "lost": 1, "failure": 2, "timeout": 3, "crash": 4}


class Excerpt(NamedTuple):
    """The steps of a run that are shown, by their numbers in the journal.

    `first` and `last` are the times shown, in ms. `whole` says that no later step belongs to what
    is shown, `one_story` that it is one story only."""

    run: Run
    numbers: list[int]
    about: str
    first: int
    last: int
    whole: bool = True
    one_story: bool = False

    @property
    def rows(self) -> list[Step]:
        """The steps themselves."""
        return [self.run.journal[number] for number in self.numbers]

    def times(self) -> list[int]:
        """The moments (ms) at which something happened."""
        return sorted({row.time for row in self.rows if self.first <= row.time <= self.last})


def choose(
    run: Run,
    correlation: str | None = None,
    start: float | None = None,
    end: float | None = None,
) -> Excerpt:
    """An excerpt of one story, of a stretch of time (s), or of both. Where neither is asked for, it
    is the whole run, or of a large run the story that went worst."""
    first = milliseconds(float(start or 0), "start=")
    last = run.end if end is None else milliseconds(float(end), "end=")
    if first > min(last, run.end):
        before = f"end={end:g}" if last < run.end else f"the run ends, at {run.end / 1000:g} s"
        raise Misuse(f"start={start or 0:g} is later than {before}; give an earlier one")
    journal, numbers = run.journal, shown_steps(run)
    idle, one_story = len(numbers) < len(journal), correlation is not None
    about = "all but ticks that did nothing" if idle else ""
    if one_story:
        ids = _correlations(journal, str(correlation))
        numbers = _story(journal, numbers, ids)
        many = f"the {len(ids)} stories of {correlation}"
        about = _about(journal, numbers) if len(ids) == 1 else many
    if start is not None or end is not None:
        # An outage that began before still shows.
        numbers = [
            number
            for number in numbers
            if journal[number].time <= last
            and (journal[number].time >= first or journal[number].step in LIFE)
        ]
        when = f"{seconds(first)} to {seconds(last)}"
        about = ", ".join(filter(None, [about if one_story else "", when]))
        return _readable(Excerpt(run, numbers, about, first, last, last >= run.end, one_story))
    if not one_story and len(_starts(journal, numbers)) > MOST:
        return _worst(run, numbers)
    steps = map(journal.__getitem__, numbers)
    times = [step.time for step in steps if step.envelope or not one_story] or [0]
    return _readable(Excerpt(run, numbers, about, min(times), max(times), True, one_story))


def shown_steps(run: Run) -> list[int]:
    """The steps of a run by their numbers, but for those of ticks that did nothing."""
    idle = _idle_ticks(run)
    return [number for number in range(len(run.journal)) if number not in idle]


def is_large(run: Run) -> bool:
    """Whether a run is too large for one picture."""
    return len(_starts(run.journal, shown_steps(run))) > MOST


def _starts(journal: list[Step], numbers: list[int]) -> list[int]:
    """The places in `numbers` of the steps that start a span."""
    return [place for place, number in enumerate(numbers) if journal[number].step == "handle"]


def _readable(excerpt: Excerpt) -> Excerpt:
    """The excerpt up to the largest picture that can still be read by zooming in."""
    starts = _starts(excerpt.run.journal, excerpt.numbers)
    if len(starts) <= LARGEST:
        return excerpt
    numbers = excerpt.numbers[: starts[LARGEST]]
    until = max(excerpt.first, excerpt.run.journal[numbers[-1]].time)
    about = ", ".join(filter(None, [excerpt.about, f"the first {LARGEST} handlings"]))
    return excerpt._replace(numbers=numbers, about=about, last=until, whole=False)


def _worst(run: Run, every: list[int]) -> Excerpt:
    """The story of the gravest thing that happened, or that part of it which is near."""
    journal = run.journal
    troubles = [
        (_GRAVE.get(row.step, _GRAVE.get(row.fault or "", 5)), number)
        for number, row in ((number, journal[number]) for number in every)
        if row.step in (*_GRAVE, *LIFE, "retry") or row.fault
    ]
    worst = min(troubles)[1] if troubles else every[0]
    # Of a crash it is the step that the crash prevented.
    worst = Trace.of(run).traffic.prevented_by.get(worst, worst)
    envelope = journal[worst].envelope
    return around(run, every, worst, envelope.correlation if envelope else None)


def around(run: Run, every: list[int], at: int, story: str | None) -> Excerpt:
    """An excerpt of the story with this correlation id, or of all steps: that part of it which is
    near the step number `at`."""
    journal, numbers = run.journal, every
    when = seconds(journal[at].time)
    about = f"what happened around {when}"
    if story:
        numbers = _story(journal, every, {story})
        about = _about(journal, numbers)
    starts = _starts(journal, numbers)
    whole = len(starts) <= MOST
    if not whole:
        here = bisect_left(numbers, at)
        first = max(0, min(bisect_left(starts, here) - MOST // 3, len(starts) - MOST))
        until = starts[first + MOST] if first + MOST < len(starts) else len(numbers)
        numbers = numbers[starts[first] if first else 0 : until]
        about += f", near {when}" if story else ""
    times = [journal[number].time for number in numbers if journal[number].envelope]
    times = times or [journal[at].time]
    return Excerpt(run, numbers, about, min(times), max(times), whole, bool(story))


def story_names(journal: list[Step]) -> list[str]:
    """What a story can be asked for by: the keys of the messages, then the correlation ids."""
    envelopes = [row.envelope for row in journal if row.envelope]
    names = [*(e.subject for e in envelopes), *(e.correlation for e in envelopes)]
    return [*filter(None, dict.fromkeys(names))]


def _correlations(journal: list[Step], wanted: str) -> set[str]:
    """The correlation id that is wanted, or those of all messages with that key."""
    envelopes = [row.envelope for row in journal if row.envelope]
    if any(envelope.correlation == wanted for envelope in envelopes):
        return {wanted}
    found = {envelope.correlation for envelope in envelopes if envelope.subject == wanted}
    if not found:
        raise Unknown("story", wanted, story_names(journal))
    return found


def _story(journal: list[Step], numbers: list[int], ids: set[str]) -> list[int]:
    """The steps with these correlation ids, and the outages of their services meanwhile."""
    own = {
        number
        for number in numbers
        if (envelope := journal[number].envelope) and envelope.correlation in ids
    }
    services, last = {journal[number].service for number in own}, journal[max(own)].time

    def belongs(number: int, step: Step) -> bool:
        outage = step.step in LIFE and step.service in services and step.time <= last
        return outage or number in own

    return [number for number in numbers if belongs(number, journal[number])]


def _about(journal: list[Step], numbers: list[int]) -> str:
    envelopes = (journal[number].envelope for number in numbers)
    return f"the story of {named(next(filter(None, envelopes)))}"


def _idle_ticks(run: Run) -> set[int]:
    """The steps of ticks that began and ended and did nothing else."""
    ticks = [span for span in Trace.of(run).spans if span.envelope.data is None]
    idle = [span for span in ticks if span.ended_by == "done" and span.last == span.first + 1]
    return {number for span in idle for number in (span.first, span.first + 1)}

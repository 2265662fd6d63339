"""`saga_map(run)`: what became of a saga: what was done, refused, compensated, is in doubt or cannot be undone; and when."""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from ..errors import Misuse
from ..proof.saga_outcome import OUTCOMES, Outcome, outcome
from ..proof.saga_story import NONE, SagaStory, stories, story_of
from .ledger import Ledger
from .picture import Picture
from .saga_chart import MARGIN, SagaChart, kind_of
from .scene import Box, Label, Line, Scene
from .text import clean, counted, seconds, shorten, text_width, wrapped
from .waterfall import waterfall


class SagaMap(Picture):
    """A picture of a saga. `graph` is a networkx.DiGraph of its steps, each with its `state`; `outcome` a word, and
    `outcomes` a DataFrame of all sagas of the run."""

    def __init__(self, scene: Scene, story: SagaStory, came: Outcome, states: dict):
        super().__init__(scene)
        self.story, self.outcome, self._states = story, came.word, states

    @cached_property
    def graph(self):
        """The steps by name, with service, kind, state, words, start, end (s), tries; an edge from what led to what."""
        import networkx

        graph = networkx.DiGraph(saga=self.story.correlation)
        for step, state in self._states.items():
            times = [m.time / 1000 for m in step.moments]
            kind = "final" if step.final else "compensation" if step.undoes else "end" if step.settles and step.event else "step"
            graph.add_node(step.name, service=step.service, kind=kind, state=state.name, words=state.words,
                           compensates=step.undoes and step.undoes.name, tries=step.tries(10**15),
                           start=min(times, default=None), end=max(times, default=None))  # fmt: skip
        for step in self._states:
            if step.before is not None:
                graph.add_edge(step.before.name, step.name, kind="undo" if step.undoes else "next")
        return graph

    @property
    def outcomes(self):
        """A row a saga of the run: saga (its correlation), about, outcome, words, start, end (s), steps."""
        import pandas

        rows = []
        for story in stories(self.story.record.run):
            came = outcome(story)
            rows.append((story.correlation, story.subject, came.word, came.sentence, story.start / 1000, story.end / 1000, len(story.steps)))
        return pandas.DataFrame(rows, columns=["saga", "about", "outcome", "words", "start", "end", "steps"])


def saga_map(
    run,
    correlation: str | None = None,
    *,
    ledger: Callable[[Any], Mapping] | None = None,
    cursor: float | None = None,
    width: int = 900,
) -> SagaMap:
    """A picture of one saga: that of a `correlation` id (or of a key, such as "o2"), else the one that went worst; where a
    run has several, with a table of what became of all.

    `cursor` (seconds) shows it as it stood at that moment. `ledger` is a function of a run, or of the world at a moment,
    that returns a dict of what the books say, {"stock": 10}, or, with what they should say, {"stock": (9, 10)}."""
    told = stories(run)
    if not told:
        raise Misuse(NONE)
    now = None if cursor is None else round(cursor * 1000)
    several = correlation is None and len(told) > 1
    if correlation is not None:
        story = story_of(run, correlation)
    else:  # as it ended, not as it stood at the cursor: else another one would be drawn from moment to moment
        story = min(told, key=lambda one: OUTCOMES.index(outcome(one).word))
    came, end = outcome(story, now), outcome(story)
    # With a cursor, there is room for what will be said at any moment: nothing jumps when it is moved.
    moments = [] if now is None else story.times
    until = run.end if now is None else now
    over = story.ended and until >= story.end
    states = {step: step.state(until, over) for step in story.steps}
    scene, y = Scene(width, 0), 16
    if several:
        y = _table(scene, {one: outcome(one, now) for one in told}, story, y)
    at = f" at {seconds(until)}" if now is not None else ""
    for number, line in enumerate(_title(story, at, came, width)):
        scene.labels.append(Label(MARGIN, y + 20 * number, line, "title"))
    y += 20 * max(len(_title(story, f" at {seconds(time)}" * (now is not None), one, width))
                  for time, one in [(until, came), (until, end), *((time, outcome(story, time)) for time in moments)])  # fmt: skip
    chart = SagaChart(scene, story, states, came, end, now is not None, y + 4)
    y = chart.bottom + 28
    books = None
    if ledger is not None:
        words = [one.word if len(told) == 1 or one.word in ("under way", "not begun") else "done" for one in (came, end)]
        books = Ledger(ledger, run, max(0, story.start - 1), now, *words)  # among several it is not this one's alone
    beside = books is not None and width - books.width >= 360
    right = width - MARGIN - (books.width if beside else 0)
    bottom = waterfall(scene, story, states, until, y, right)
    scene.times = story.times
    scene.height = _legend(scene, story, bottom + 30, right) + 4
    if now is not None:
        x = max(scene.axis.x(story.start), min(right, scene.axis.x(now)))
        half = text_width(seconds(now), 11, True) // 2 + 8
        scene.cursor = Line(x, y + 10, x, bottom, "cursor"), Box(x - half, y - 10, 2 * half, 18, "pill"), Label(x, y - 1, seconds(now), "pill", "middle")
    if books is not None:
        end = books.draw(scene, right + 24 if beside else MARGIN, y if beside else scene.height + 14)
        scene.height = max(scene.height, end + 16)
    _say(scene, run, story, states, came, books, len(told), at)
    return SagaMap(scene, story, came, states)


def _title(story: SagaStory, at: str, came: Outcome, width: int) -> list[str]:
    return wrapped(clean(f"{story.title}{at}: {came.sentence}").split(" "), " ", (width - 2 * MARGIN) * 6 // 7, 14)


def _legend(scene: Scene, story: SagaStory, y: int, right: int) -> int:
    """How to read the rows; return where that ends."""
    happened = {moment.what for step in story.steps for moment in step.moments}
    words = ["bar: at work"] + [words for what, words in _LEGEND if happened & set(what.split(","))]
    words += ["double line: time cut short"] * bool(scene.axis.cuts) + ["time stretched where much happens"] * scene.axis.stretched
    for line in wrapped(words, " · ", right - MARGIN, 11):
        scene.labels.append(Label(MARGIN, y, line, "caption"))
        y += 16
    return y


_LEGEND = (("asked,sent", "grey line: waited for"), ("done", "black tick: done"), ("no answer", "hourglass: no answer in time"))
_KIND = {"inconsistent": "failed", "stuck": "failed", "in doubt": "in doubt", "under way": "under way", "not undone": "final",
         "compensated": "compensation", "refused": "compensation", "done": "done", "not begun": "not yet"}  # fmt: skip


def _table(scene: Scene, came: dict[SagaStory, Outcome], drawn: SagaStory, y: int) -> int:
    """A line for each outcome: how many sagas, as a bar, and which."""
    scene.labels.append(Label(MARGIN, y, f"{counted(len(came), 'saga')} of this run", "node"))
    groups: dict[str, list[SagaStory]] = {word: [] for word in OUTCOMES}
    for story, outcome_ in came.items():
        groups[outcome_.word].append(story)
    groups = {word: group for word, group in groups.items() if group}
    most = max(map(len, groups.values()))
    y += 22
    for word, group in groups.items():
        scene.labels.append(Label(112, y, word, "channel", "end"))
        wide = max(3, len(group) * 200 // most)
        scene.bars.append(Box(122, y - 6, wide, 12, _KIND[word], f"{counted(len(group), 'saga')} {word}"))
        scene.labels.append(Label(130 + wide, y, f"{len(group):,}", "under way"))
        names = ", ".join(story.subject or story.correlation for story in sorted(group, key=lambda one: one is not drawn)[:40])
        x = 342 + text_width(f"{len(group):,}", 11, True)
        scene.labels.append(Label(x, y, shorten(clean(names), scene.width - x - MARGIN, 10), "detail"))
        y += 18
    return y + 16


def _say(scene: Scene, run, story: SagaStory, states, came: Outcome, books: Ledger | None, sagas: int, at: str) -> None:
    by_state: dict[str, list[str]] = {}
    for step, state in states.items():
        said = "cannot be undone" if kind_of(step, state)[0] == "final" else state.name
        by_state.setdefault(said, []).append(step.name)
    parts = [f"{name}: {', '.join(steps)}" for name, steps in by_state.items()]
    parts += [books.said()] if books else []
    of = f" (1 of {sagas:,} sagas)" if sagas > 1 else ""
    scene.shows = clean(f"saga map of {run.system.name}, {story.title}{of}{at}: {came.sentence}; {'; '.join(parts)}", 400)
    told = ". ".join(f"{step.name}, {step.service}: {state.words or state.name}" for step, state in states.items())
    scene.alt = clean(f"Saga map. {story.title}{at}: {came.sentence}. {told}.", 900)

"""`saga_map(run)`: what became of a saga: what was done, refused, compensated, is in doubt or cannot be undone; and when."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from ..claims.saga_outcome import OUTCOMES, Outcome, outcome
from ..claims.saga_stories import NONE, stories, story_of
from ..claims.saga_story import SagaStory
from ..errors import Misuse, needed_for
from ..text import clean, seconds, text_width, wrapped
from .picture import Picture, check_run, check_seconds
from .ledger import Ledger
from .saga_arrows import MARGIN
from .saga_chart import SagaChart, kind_of
from .saga_table import table
from .scene import Box, Label, Line, Scene
from .waterfall import waterfall

FEW = 20  # sagas whose outcomes are known beforehand for every moment of one of them


class SagaMap(Picture):
    """A picture of a saga. `graph` is a networkx.DiGraph of its steps, each with its `state`; `outcome` a word, and
    `outcomes` a DataFrame of all sagas of the run."""

    def __init__(self, scene: Scene, story: SagaStory, came: Outcome, states: dict):
        super().__init__(scene)
        self.story, self.outcome, self._states = story, came.word, states

    @cached_property
    def graph(self):
        """The steps by name, with service, kind, state, words, start, end (s), tries; an edge from what led to what."""
        with needed_for("saga_map(run).graph"):
            import networkx

        graph = networkx.DiGraph(saga=self.story.correlation)
        for step, state in self._states.items():
            times = [m.time / 1000 for m in step.moments]
            end = "end" if step.settles and step.event else "step"
            kind = "final" if step.final else "compensation" if step.undoes else end
            graph.add_node(
                step.name, service=step.service, kind=kind, state=state.name, words=state.words,
                compensates=step.undoes and step.undoes.name, tries=step.tries(self.story.trace.run.end),
                start=min(times, default=None), end=max(times, default=None),
            )  # fmt: skip
        for step in self._states:
            if step.before is not None:
                graph.add_edge(step.before.name, step.name, kind="undo" if step.undoes else "next")
        return graph

    @property
    def outcomes(self):
        """A row a saga of the run: saga (its correlation), about, outcome, words, start, end (s), steps."""
        with needed_for("saga_map(run).outcomes"):
            import pandas

        rows = []
        for story in stories(self.story.trace.run):
            came = outcome(story)
            row = came.word, came.sentence, story.start / 1000, story.end / 1000, len(story.steps)
            rows.append((story.correlation, story.subject, *row))
        return pandas.DataFrame(
            rows, columns=["saga", "about", "outcome", "words", "start", "end", "steps"]
        )


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
    check_run("saga_map", run, "pass the run, and cursor={}")
    check_seconds(cursor=cursor)
    told = stories(run)
    if not told:
        raise Misuse(NONE)
    now = None if cursor is None else round(cursor * 1000)
    if correlation is not None:
        story = story_of(run, correlation)
    else:  # as it ended, not as it stood at the cursor: else another one would be drawn from moment to moment
        story = min(told, key=lambda one: OUTCOMES.index(outcome(one).word))
    came = outcome(story, now)
    until = run.end if now is None else now
    states = {step: step.state(until, story.ended and until >= story.end) for step in story.steps}
    scene, y = Scene(width, 0, times=story.times), 16
    if correlation is None and len(told) > 1:
        moments = (
            story.times if now is not None and len(told) <= FEW else []
        )  # so that nothing jumps
        lines = max((len({outcome(one, time).word for one in told}) for time in moments), default=0)
        y = table(scene, {one: outcome(one, now) for one in told}, story, y, lines)
    y = _headline(scene, story, came, now, y)
    y = SagaChart(scene, story, states, came, outcome(story), now is not None, y + 4).bottom + 28
    books = (
        None
        if ledger is None
        else Ledger(ledger, run, max(0, story.start - 1), now, *_judged(told, story, now))
    )
    beside = books is not None and width - books.width >= 320
    right = width - MARGIN - (books.width if beside else 0)
    bottom = waterfall(scene, story, states, until, y, right)
    in_the_way = beside and y + books.height > bottom + 18
    scene.height = _legend(scene, story, bottom + 30, right if in_the_way else width - MARGIN) + 4
    if now is not None:
        scene.cursor = _cursor(scene, story, now, y, bottom, right)
    if books is not None:
        ends = books.draw(
            scene, right + 24 if beside else MARGIN, y if beside else scene.height + 14
        )
        scene.height = max(scene.height, ends + 16)
    _say(scene, story, states, came, books, len(told), now)
    return SagaMap(scene, story, came, states)


def _headline(scene: Scene, story: SagaStory, came: Outcome, now: int | None, y: int) -> int:
    """What became of the saga; return where that ends. With a cursor there is room for what will be said at any moment:
    nothing jumps when it is moved."""
    for number, line in enumerate(_title(story, came, now, scene.width)):
        scene.labels.append(Label(MARGIN, y + 20 * number, line, "title"))
    moments = [] if now is None else [(time, outcome(story, time)) for time in story.times]
    titles = [
        _title(story, one, time, scene.width)
        for time, one in [(now, came), (now, outcome(story)), *moments]
    ]
    return y + 20 * max(map(len, titles))


def _title(story: SagaStory, came: Outcome, now: int | None, width: int) -> list[str]:
    words = clean(f"{story.title}{_at(now)}: {came.sentence}").split(" ")
    return wrapped(words, " ", (width - 2 * MARGIN) * 6 // 7, 14)


def _at(now: int | None) -> str:
    return "" if now is None else f" at {seconds(now)}"


def _judged(told: list[SagaStory], story: SagaStory, now: int | None) -> tuple[str, str]:
    """What the ledger is to know of the outcome, now and in the end. Of several sagas the books are not one's alone."""
    if len(told) == 1:
        return outcome(story, now).word, outcome(story).word
    return "under way" if any(
        outcome(one, now).word == "under way" for one in told
    ) else "done", "done"


def _cursor(
    scene: Scene, story: SagaStory, now: int, y: int, bottom: int, right: int
) -> tuple[Line, Box, Label]:
    x = max(scene.axis.x(story.start), min(right, scene.axis.x(now)))
    half = text_width(seconds(now), 11, True) // 2 + 8
    pill = Box(x - half, y - 10, 2 * half, 18, "pill")
    return (
        Line(x, y + 10, x, bottom, "cursor"),
        pill,
        Label(x, y - 1, seconds(now), "pill", "middle"),
    )


def _legend(scene: Scene, story: SagaStory, y: int, right: int) -> int:
    """How to read the rows; return where that ends."""
    happened = {moment.what for step in story.steps for moment in step.moments}
    words = ["bar: at work"] + [words for what, words in _LEGEND if happened & set(what.split(","))]
    words += ["dot: published"] * any(
        not step.bars and step.times("done", story.end) for step in story.steps
    )
    words += ["double line: time cut short"] * bool(scene.axis.cuts)
    words += ["time stretched where much happens"] * scene.axis.stretched
    for line in wrapped(words, " · ", right - MARGIN, 11):
        scene.labels.append(Label(MARGIN, y, line, "caption"))
        y += 16
    return y


_LEGEND = (  # what happened, and what a reader may need told about how it is drawn
    ("asked,sent", "grey line: waited for"), ("done", "black tick: done"), ("saved", "black tick, never said: saved"),
    ("crash", "cross: crash"), ("failed", "triangle: failed"), ("given up", "square: dead letter"),
    ("refused", "barred ring: refused"), ("no answer", "hourglass: no answer in time"),
    ("lost,answer lost", "small cross: lost on the way"), ("never", "struck ring: never came"), ("again", "two dots: done again"),
)  # fmt: skip


def _say(
    scene: Scene,
    story: SagaStory,
    states,
    came: Outcome,
    books: Ledger | None,
    sagas: int,
    now: int | None,
) -> None:
    """What the picture shows, in one line, and for those who cannot see it."""
    by_state: dict[str, list[str]] = {}
    for step, state in states.items():
        said = "cannot be undone" if kind_of(step, state)[0] == "final" else state.name
        by_state.setdefault(said, []).append(step.name)
    parts = [f"{name}: {', '.join(steps)}" for name, steps in by_state.items()]
    parts += [books.said()] if books else []
    of = f" (1 of {sagas:,} sagas)" if sagas > 1 else ""
    scene.shows = clean(
        f"saga map of {story.trace.system.name}, {story.title}{of}{_at(now)}: {came.sentence}; {'; '.join(parts)}",
        400,
    )
    told = ". ".join(
        f"{step.name}, {step.service}: {state.words or state.name}"
        for step, state in states.items()
    )
    scene.alt = clean(f"Saga map. {story.title}{_at(now)}: {came.sentence}. {told}.", 900)

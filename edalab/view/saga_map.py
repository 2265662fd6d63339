"""`saga_map(run)`: the outcome of a saga, and what happened at each step and when."""

from collections.abc import Callable, Mapping
from typing import Any

from ..claims.saga_outcome import OUTCOMES, Outcome, outcome
from ..errors import Misuse
from ..sim.run import Run
from ..text import clean, counted, seconds, shorten, text_width, wrapped
from ..trace.saga_story import NONE, SagaStory, stories, story_of
from .ledger import Ledger
from .picture import Picture, check_run, check_seconds
from .saga_chart import MARGIN, MARK_OF, DrawnMoment, SagaChart, kind_of
from .scene import WIDTH, Box, Label, Scene
from .waterfall import BAR, waterfall

_LEGEND = (  # kinds of items, and their meaning
    ("row", "bar: at work"), ("idle", "grey bar: nothing done"), ("waiting", "grey line: waited for"), ("saved", "tick: done or saved"), ("crash", "cross: crash"),
    ("failed", "triangle: failed"), ("dead letter", "square: dead letter"), ("refused", "barred ring: refused"),
    ("no answer", "hourglass: no answer in time"), ("lost", "struck ring: lost or too late"),
    ("doubled", "two dots: done again"), ("published", "dot: published"),
    ("break", "dashed gap: time left out"), ("stretched", "thick line below: time stretched"),
)  # fmt: skip

_KIND = {"inconsistent": "failed", "stuck": "failed", "in doubt": "in doubt", "under way": "under way", "not undone": "final",
         "compensated": "compensation", "refused": "compensation", "done": "done", "not begun": "not yet"}  # fmt: skip


class SagaMap(Picture):
    """A picture of a saga: its `story` at a `moment`. `outcome` is a word such as "compensated"."""

    def __init__(self, scene: Scene, moment: DrawnMoment):
        super().__init__(scene)
        self.moment, self.story, self.outcome = moment, moment.story, moment.outcome.word


def saga_map(
    run: Run,
    correlation: str | None = None,
    *,
    ledger: Callable[[Any], Mapping] | None = None,
    cursor: float | None = None,
    width: int = WIDTH,
) -> SagaMap:
    """A picture of one saga: that of a `correlation` id or of a key, such as "o2". By default it is
    the one that went worst, preferably one that a fault struck. If the run has several sagas, a
    table then shows the outcomes of all.

    `cursor` (seconds) shows the saga at that moment. `ledger` is a function of a run, or of the
    world at a moment, that returns values such as {"stock": 10}, or with the value that should be,
    {"stock": (9, 10)}. Raises Misuse if the run has no saga, and Unknown for any other id."""
    check_run("saga_map", run, "pass the run, and cursor={}")
    check_seconds(cursor=cursor)
    sagas = stories(run)
    if not sagas:
        raise Misuse(NONE)
    now = None if cursor is None else round(cursor * 1000)
    if correlation is not None:
        story = story_of(run, correlation)
    else:  # the worst at the end, not at the cursor, so that it is the same at each moment
        struck = {step.envelope.correlation for step in run.journal if step.fault and step.envelope}
        story = min(
            sagas,
            key=lambda one: (
                OUTCOMES.index(outcome(one).word),
                struck.isdisjoint(one.correlations),
            ),
        )
    moment = DrawnMoment(story, now)
    scene, y = Scene(width, 0, times=story.times), 16
    if correlation is None and len(sagas) > 1:
        # With a cursor, reserve room for several outcomes, so that nothing jumps when it moves.
        lines = 0 if now is None else min(len(sagas), 5)
        y = _draw_table(scene, {one: outcome(one, now) for one in sagas}, story, y, lines)
    y = _headline(scene, moment, y)
    top = SagaChart(scene, moment, y + 4).bottom + 28
    books, right = None, width - MARGIN
    if ledger is not None:
        before = max(0, story.start - 1 if now is None else min(story.start - 1, now))
        books = Ledger(ledger, run, before, now, *_judged(sagas, story, now))
        if len(sagas) > 1:
            books.title = "Ledger of all sagas"
    beside = books is not None and width - books.width >= 320
    if beside:
        right -= books.width
    bottom = waterfall(scene, moment, top, right)
    under = beside and top + books.height > bottom + 18  # the ledger ends below the rows
    edge = right if under else width - MARGIN
    scene.write(MARGIN, bottom + 30, edge, _legend(scene, top))
    lines = wrapped(_legend(scene, top, moment), " · ", edge - MARGIN)
    scene.height = bottom + 34 + 16 * len(lines)
    if books is not None:
        place = (right + 24, top) if beside else (MARGIN, scene.height + 14)
        scene.height = max(scene.height, books.draw(scene, *place) + 16)
    _describe(scene, moment, books, len(sagas))
    return SagaMap(scene, moment)


def _draw_table(
    scene: Scene, outcomes: dict[SagaStory, Outcome], drawn: SagaStory, y: int, lines: int
) -> int:
    """Draw a line for each outcome: how many sagas, as a bar, and which. Return the y below, with room
    for at least `lines`."""
    scene.labels.append(Label(MARGIN, y, f"{counted(len(outcomes), 'saga')} of this run", "node"))
    stories = sorted(outcomes, key=lambda story: story is not drawn)
    groups = {word: [s for s in stories if outcomes[s].word == word] for word in OUTCOMES}
    groups = {word: group for word, group in groups.items() if group}
    y += 22
    for word, group in groups.items():
        count = f"{len(group):,}"
        wide = max(3, len(group) * 200 // max(map(len, groups.values())))
        tip = f"{counted(len(group), 'saga')} {word}"
        scene.bars.append(Box(122, y - 6, wide, 12, _KIND[word], tip))
        names = clean(", ".join(story.subject or story.correlation for story in group[:40]))
        x = 342 + text_width(count, 11, True)
        scene.labels += [
            Label(112, y, word, "channel", "end"),
            Label(130 + wide, y, count, "under way"),
            Label(x, y, shorten(names, scene.width - x - MARGIN, 10), "detail"),
        ]
        y += 18
    return y + 18 * max(0, lines - len(groups)) + 16


def _headline(scene: Scene, moment: DrawnMoment, y: int) -> int:
    """Write the outcome of the saga. Return the y below, with room for the headline of any moment."""
    room, titles = (scene.width - 2 * MARGIN) * 6 // 7, []
    for now, found in moment.outcomes_ever:
        words = clean(f"{moment.story.title}{_at(now)}: {found.sentence}").split(" ")
        titles.append(wrapped(words, " ", room, 14))
    for number, line in enumerate(titles[0]):
        scene.labels.append(Label(MARGIN, y + 20 * number, line, "title"))
    return y + 20 * max(map(len, titles))


def _at(now: int | None) -> str:
    return "" if now is None else f" at {seconds(now)}"


def _judged(sagas: list[SagaStory], story: SagaStory, now: int | None) -> tuple[str, str]:
    """The outcomes that decide what a ledger should be, now and at the end. Several sagas share one ledger."""
    if len(sagas) == 1:
        return outcome(story, now).word, outcome(story).word
    under_way = any(outcome(one, now).word == "under way" for one in sagas)
    return "under way" if under_way else "done", "done"


def _legend(scene: Scene, top: int, moment: DrawnMoment | None = None) -> list[str]:
    """The meanings of the rows, which begin at `top`, and of the marks in boxes. With the `moment` of a
    cursor, also those that other cursors need, to reserve room so that nothing jumps."""
    kinds = {item.kind for item in (*scene.lines, *scene.spans, *scene.marks)}
    for bar in scene.bars:
        if bar.y > top:
            idle = {"idle"} if bar.kind == "idle" else set()
            kinds |= {"row", *idle} if bar.h == BAR else {bar.kind}
    if moment is not None and moment.now is not None:
        events = (e for one in moment.story.at().histories.values() for e in one.events)
        kinds |= {"row", "idle", "waiting", "saved", "published"} | {
            MARK_OF.get(e.what, "") for e in events
        }
    return [words for kind, words in _LEGEND if kind in kinds]


def _describe(scene: Scene, moment: DrawnMoment, books: Ledger | None, sagas: int) -> None:
    """Set the picture's description in one line and its alternative text."""
    by_state: dict[str, list[str]] = {}
    for step, state in moment.states.items():
        final = kind_of(step, state)[0] == "final"
        by_state.setdefault("cannot be undone" if final else state.name, []).append(step.name)
    parts = [f"{name}: {', '.join(steps)}" for name, steps in by_state.items()]
    parts += [books.described] if books else []
    story = moment.story
    of = f" (1 of {sagas:,} sagas)" if sagas > 1 else ""
    headline = f"{_at(moment.now)}: {moment.outcome.sentence}"
    shows = f"saga map of {story.trace.system.name}, {story.title}{of}{headline}"
    scene.shows = clean(f"{shows}; {'; '.join(parts)}", 400)
    steps = ". ".join(
        f"{step.name}, {step.service}: {state.words or state.name}"
        for step, state in moment.states.items()
    )
    scene.alt = clean(f"Saga map. {story.title}{headline}. {steps}.", 900)

"""`timeline(run)`: who handled what and when, what passed between them, and where it went wrong, on lanes over time."""

from collections import Counter

from ..text import clean, counted, seconds, text_width, wrapped
from .excerpt import Choice, choose
from .given import check_run, check_seconds
from .layout import Layout
from .picture import Picture
from .scene import Box, Label, Line, Scene
from .story import Story

_LEGEND = (  # kinds of items, and what a reader may need told about them
    ("handled struck", "bar: handling"), ("saved", "tick: saved"), ("message", "arrow: published to handled"),
    ("again", "dashed: delivered again"), ("question", "dotted: question and answer"), ("down", "hatched: down"),
    ("pause", "striped: standing still"), ("break", "double line: time cut short"),
)  # fmt: skip
_WRONG = {
    "crash": ("crash", "crashes"), "failed": ("failure", "failures"), "dead letter": ("dead letter", "dead letters"),
    "no answer": ("question unanswered", "questions unanswered"), "stopped": ("message stopped", "messages stopped"),
    "refused": ("commit refused", "commits refused"), "doubled": ("message doubled", "messages doubled"),
    "lost": ("loss", "losses"),
}  # fmt: skip


def timeline(
    run,
    correlation: str | None = None,
    *,
    cursor: float | None = None,
    start: float | None = None,
    end: float | None = None,
    width: int = 900,
) -> Picture:
    """A picture of a run, or of one story in it: the messages that share a `correlation` id.

    `start` and `end` (seconds) show that part only; `cursor` (seconds) marks a moment. A run of more than 40 handlings
    shows the story that went worst, unless told otherwise. What is hidden is said below the picture."""
    check_run("timeline", run, "pass the run, and cursor={}")
    check_seconds(cursor=cursor, start=start, end=end)
    return draw(run, choose(run, correlation, start, end), cursor, width)


def draw(run, choice: Choice, cursor: float | None, width: int) -> Picture:
    """The timeline of what was chosen of a run."""
    services = run.system.services.values()
    story = Story(
        choice.rows,
        choice.whole,
        frozenset(type_ for service in services for type_, _ in service.handlers),
    )
    told = {row.service for row in choice.rows}
    # Where all is shown, a lane on which nothing happened says something too.
    everyone = choice.first == 0 and choice.last >= run.end and not choice.one_story
    lanes = ["client"] * ("client" in told) + [
        name for name in run.services if everyone or name in told
    ]
    scene = Scene(width, 0)
    layout = Layout(
        story, lanes, (choice.first, choice.last), scene, 24 if cursor is not None else 4
    )
    scene.axis = layout.axis
    scene.times = choice.times()
    scene.height = _captions(scene, layout, _caption(run, choice)) + 6
    if cursor is not None:
        scene.cursor = _cursor(layout, round(cursor * 1000))
    _say(
        scene,
        run,
        choice,
        story,
        lanes,
        [point for point, _ in layout.marks if point.what in _WRONG],
    )
    return Picture(scene)


def _caption(run, choice: Choice) -> str:
    steps, hidden = len(run.journal), len(run.journal) - len(choice.rows)
    said = (
        f"Shown: {choice.about or 'everything'}; {hidden:,} of {counted(steps, 'step')} hidden. "
        if hidden
        else ""
    )
    faults = [str(fault) for fault in run.faults]
    if len(faults) > 3 and choice.one_story:
        said += f"In the whole run {len(faults):,} faults struck."
    elif faults:
        said += (
            "Struck: "
            + "; ".join(faults[:3])
            + (f" and {len(faults) - 3:,} more" if len(faults) > 3 else "")
            + "."
        )
    return clean(said, 400)


def _captions(scene: Scene, layout: Layout, caption: str) -> int:
    """Write what is hidden, what struck and how to read the picture below it; return where that ends."""
    kinds = {item.kind for item in scene.items()}
    legend = [words for names, words in _LEGEND if kinds & set(names.split())]
    legend += ["time stretched where much happens"] if layout.axis.stretched else []
    y, room = layout.bottom + 36, layout.right - layout.left
    for line in wrapped(caption.split(" "), " ", room) + wrapped(legend, " · ", room):
        scene.labels.append(Label(layout.left, y, line, "caption"))
        y += 16
    return y - 8


def _cursor(layout: Layout, time: int) -> tuple[Line, Box, Label]:
    x = max(layout.left, min(layout.right, layout.axis.x(time)))
    half = text_width(seconds(time), 11, True) // 2 + 8
    middle = max(half, min(layout.scene.width - half, x))
    pill = Box(middle - half, 3, 2 * half, 18, "pill")
    return (
        Line(x, 20, x, layout.bottom, "cursor"),
        pill,
        Label(middle, 12, seconds(time), "pill", "middle"),
    )


def _say(scene: Scene, run, choice: Choice, story: Story, lanes: list[str], struck: list) -> None:
    """What the picture shows, in one line, and for those who cannot see it."""
    again = sum(passage.kind == "again" for passage in story.passages)
    wrong = Counter(point.what for point in struck)
    parts = [counted(len(lanes), "lane"), counted(len(story.handlings), "handling")]
    parts += [
        counted(len(story.passages), "arrow"),
        *(counted(wrong[what], *_WRONG[what]) for what in sorted(wrong)),
    ]
    parts += [f"{again} delivered again"] if again else []
    at = f" at {scene.cursor[2].text}" if scene.cursor else ""
    when = f"{seconds(choice.first)} to {seconds(choice.last)}"
    steps = f"{len(choice.rows):,} of {counted(len(run.journal), 'step')}"
    scene.shows = f"timeline of {run.system.name}{at}: {', '.join(parts)}; {steps}; {when}"
    trouble = "; ".join(
        f"{point.service}: {point.words} at {seconds(point.time)}" for point in struck[:8]
    )
    said = f"{counted(len(story.handlings), 'handling')}. {trouble or 'Nothing went wrong'}."
    scene.alt = clean(
        f"Timeline of {run.system.name}, {when}. Lanes: {', '.join(lanes)}. {said}", 600
    )

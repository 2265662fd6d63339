"""`timeline(run)`: who handled what and when, what passed between them, and where it went wrong, on lanes from left to right."""

from bisect import bisect_left, bisect_right
from collections import Counter

from ..errors import Unknown
from .layout import Layout
from .picture import Picture
from .scene import Box, Label, Line, Scene
from .story import Story, named
from .text import clean, counted, seconds, text_width, wrapped

MOST = 40  # handlings that one picture holds without being asked for more
LIFE = frozenset(
    {"crash", "restart", "takeover", "pause", "resume", "cut", "heal"}
)  # steps of a service, not of a message
_GRAVE = {"dead_letter": 0, "lost": 1, "failure": 2, "timeout": 3}
_LEGEND = (  # kinds of items, and what a reader may need told about them
    ("handled struck", "bar: handling"), ("saved", "tick: saved"), ("message", "arrow: published to handled"), ("again", "dashed: delivered again"),
    ("question", "dotted: question and answer"), ("down", "hatched: down"), ("pause", "striped: standing still"), ("break", "double line: time cut short"),
)  # fmt: skip

_WRONG = {
    "crash": ("crash", "crashes"), "failed": ("failure", "failures"), "no answer": ("question unanswered", "questions unanswered"),
    "stopped": ("message stopped", "messages stopped"), "dead letter": ("dead letter", "dead letters"), "lost": ("loss", "losses"),
    "refused": ("commit refused", "commits refused"), "doubled": ("message doubled", "messages doubled"),
}  # fmt: skip


def timeline(run, correlation: str | None = None, *, cursor: float | None = None, start: float | None = None,
             end: float | None = None, width: int = 900) -> Picture:  # fmt: skip
    """A picture of a run, or of one story in it: all messages that share a `correlation` id.

    `start` and `end` (seconds) show that part only; `cursor` (seconds) marks a moment. A run with more than 40 handlings
    shows the story that went worst unless told otherwise; what is hidden is said below the picture."""
    rows, about, whole = _chosen(run, correlation, start, end)
    story = Story(rows, whole)
    times = [row.time for row in rows if row.envelope or not about] or [row.time for row in rows] or [0]
    window = (_ms(start) if start is not None else min(times), _ms(end) if end is not None else max(times))
    told = {row.service for row in rows}
    everyone = correlation is None and whole and len(rows) == len(run.journal)
    lanes = [name for name in run.services if everyone or name in told]
    if "client" in told:
        lanes.insert(0, "client")
    scene = Scene(width, 0)
    layout = Layout(story, lanes, window, scene, 24 if cursor is not None else 4)
    scene.axis, scene.times = layout.axis, sorted({row.time for row in rows if window[0] <= row.time <= window[1]})
    y = _captions(scene, layout, _caption(run, rows, about))
    scene.height = y + 6
    if cursor is not None:
        scene.cursor = _cursor(layout, _ms(cursor))
    struck = [point for point, _ in layout.marks if point.words and point.what not in ("note", "unheard", "takeover")]
    _say(scene, run, rows, story, window, lanes, struck)
    return Picture(scene)


def _ms(value: float) -> int:
    return round(value * 1000)


def _chosen(run, correlation, start, end):
    """The rows to show, a phrase that says which, and whether nothing after them that belongs to them is left out."""
    journal = run.journal
    if start is not None or end is not None:
        first, last = _ms(start or 0), _ms(end) if end is not None else run.end
        rows = [row for row in journal if row.time <= last and (row.time >= first or row.step in LIFE)]
        about = f"{seconds(first)} to {seconds(last)}"
        if correlation is None:
            return rows, about, last >= run.end
        return _story(journal, rows, correlation), f"the story of {correlation} from {about}", last >= run.end
    if correlation is not None:
        rows = _story(journal, journal, correlation)
        if not rows:
            known = dict.fromkeys(
                row.envelope.correlation for row in journal if row.envelope and row.envelope.correlation
            )
            raise Unknown("correlation", correlation, known)
        return rows, _named(rows), True
    idle = _idle_ticks(journal)
    rows = [row for number, row in enumerate(journal) if number not in idle] if idle else journal
    if sum(row.step == "handle" for row in rows) <= MOST:
        return rows, "all but ticks that did nothing" if idle else "", True
    worst = min((_GRAVE.get(row.step, 4 if row.fault == "crash" else 5), number) for number, row in enumerate(rows)
                if row.step in _GRAVE or row.step == "retry" or row.fault or row.step in LIFE or number == 0)[1]  # fmt: skip
    row = rows[worst]
    if row.envelope and row.envelope.correlation:
        rows = _story(journal, rows, row.envelope.correlation)
        about = _named(rows)
    else:
        about = f"what happened around {seconds(row.time)}"
    handled = [number for number, other in enumerate(rows) if other.step == "handle"]
    if len(handled) <= MOST:
        return rows, about, True
    at = bisect_left(handled, next(number for number, other in enumerate(rows) if other is row))
    first = max(0, min(at - MOST // 3, len(handled) - MOST))
    begin = handled[first] if first else 0
    last = handled[first + MOST] if first + MOST < len(handled) else len(rows)
    return rows[begin:last], about + f", around {seconds(row.time)}", last == len(rows)


def _story(journal, rows, correlation: str) -> list:
    """The rows of one story, and what its services went through meanwhile."""
    own = [row for row in rows if row.envelope and row.envelope.correlation == correlation]
    if not own:
        return []
    told, last = {row.service for row in own}, own[-1].time
    return [row for row in rows if row.envelope and row.envelope.correlation == correlation
            or row.step in LIFE and row.service in told and row.time <= last]  # fmt: skip


def _named(rows) -> str:
    first = next(row for row in rows if row.envelope)
    return f"the story of {named(first.envelope)}"


def _idle_ticks(journal) -> set[int]:
    """The places in the journal of ticks that began and ended and did nothing else."""
    began: dict[str, list[int]] = {}
    for number, row in enumerate(journal):
        if row.envelope is not None and row.envelope.data is None:
            began.setdefault(row.envelope.id, []).append(number)
        elif row.envelope is not None and row.envelope.causation in began:
            began[row.envelope.causation] = []
    pairs = [places for places in began.values() if len(places) == 2 and journal[places[1]].step == "done"]
    return {number for places in pairs for number in places}


def _caption(run, rows, about: str) -> str:
    hidden = len(run.journal) - len(rows)
    said = (
        f"Shown: {about or 'everything'}; {hidden:,} of {counted(len(run.journal), 'step')} hidden." if hidden else ""
    )
    struck = [str(fault) for fault in run.faults]
    if struck:
        said += (
            (" " if said else "")
            + "Struck: "
            + "; ".join(struck[:3])
            + (f" and {len(struck) - 3:,} more" if len(struck) > 3 else "")
            + "."
        )
    return clean(said, 400)


def _captions(scene: Scene, layout: Layout, caption: str) -> int:
    kinds = {item.kind for item in scene.items()}
    legend = [words for names, words in _LEGEND if kinds & set(names.split())]
    legend += ["time stretched where much happens"] if layout.axis.stretched else []
    y = layout.bottom + 36
    for line in wrapped(caption.split(" "), " ", layout.right - layout.left) + wrapped(
        legend, " · ", layout.right - layout.left
    ):
        scene.labels.append(Label(layout.left, y, line, "caption"))
        y += 16
    return y - 8


def _cursor(layout: Layout, time: int):
    x = max(layout.left, min(layout.right, layout.axis.x(time)))
    text = seconds(time)
    half = text_width(text, 11, True) // 2 + 8
    middle = max(half, min(layout.scene.width - half, x))
    return (
        Line(x, 20, x, layout.bottom, "cursor"),
        Box(middle - half, 3, 2 * half, 18, "pill"),
        Label(middle, 12, text, "pill", "middle"),
    )


def _say(scene: Scene, run, rows, story: Story, window, lanes, struck) -> None:
    """What the picture shows, in one line and for those who cannot see it."""
    again = sum(passage.kind == "again" for passage in story.passages)
    wrong = Counter(point.what for point in struck)
    parts = [
        counted(len(lanes), "lane"),
        counted(len(story.handlings), "handling"),
        counted(len(story.passages), "arrow"),
    ]
    parts += [counted(number, *_WRONG[what]) for what, number in sorted(wrong.items())]
    parts += [f"{again} delivered again"] if again else []
    of = f"{len(rows):,} of {counted(len(run.journal), 'step')}"
    at = f" at {scene.cursor[2].text}" if scene.cursor else ""
    scene.shows = (
        f"timeline of {run.system.name}{at}: {', '.join(parts)}; {of}; {seconds(window[0])} to {seconds(window[1])}"
    )
    trouble = "; ".join(f"{point.service}: {point.words} at {seconds(point.time)}" for point in struck[:8])
    scene.alt = clean(f"Timeline of {run.system.name} from {seconds(window[0])} to {seconds(window[1])}. Lanes: {', '.join(lanes)}. "
                      f"{counted(len(story.handlings), 'handling')}. {trouble + '.' if trouble else 'Nothing went wrong.'}", 600)  # fmt: skip

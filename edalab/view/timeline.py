"""`timeline(run)`: the handlings of each service over time, the messages between them, and the faults."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..claims.claim import SIGNS, Verdict
from ..sim.run import Run
from ..sim.simulate import garbage_seldom
from ..text import clean, counted, seconds
from .drawn import PUBLISHED_AGAIN, Drawn
from .excerpt import Excerpt, choose
from .layout import Layout
from .picture import Picture, check_run, check_seconds
from .scene import WIDTH, Scene

LEGEND = (  # kinds of items, and their meaning
    ("handled, struck, compensating", "bar: handling"),
    ("struck", "red: struck, repeated, late or older"),
    ("saved", "tick: saved"),
    ("undone save", "hollow tick: undone by a restore"),
    ("published", "dot: sent by the client"),
    ("sent", "dot: sent outside a bar"),
    ("message", "arrow: published to handled"),
    ("again", "dashed: the same message again"),
    ("late, stopped", "red arrow: late or stopped"),
    ("compensating", "yellow: refusal and compensation"),
    ("question, answer, struck question", "dotted: question and answer"),
    ("replica", "numbers: replicas"),
    ("waiting", "grey: waiting for an answer"),
    ("down", "hatched: down"),
    ("pause", "striped: standing still"),
    ("cut", "dotted frame: cut off"),
    ("cut from", "dotted frame, not filled: cut off from one service"),
    ("break", "dashed gap: time left out"),
    ("stretched", "thick line below: time stretched"),
    ("crash", "cross: crash"),
    ("failed", "triangle: failure"),
    ("no answer", "hourglass: no answer in time"),
    ("unconfirmed", "open hourglass: not confirmed"),
    ("evicted", "open square: too slow for its group"),
    ("dead letter", "square: dead letter"),
    ("refused", "barred ring: refused"),
    ("lost", "struck ring: lost or too late"),
    ("doubled", "two dots: published twice"),
    ("unheard", "ring: reached nobody yet"),
    ("deduplicated", "grey struck ring: not stored again"),
    ("takeover", "pointed: takes over"),
    ("in progress", "stroke: still in progress"),
    ("deploy", "diamond: deploy"),
    ("join", "diamond: joins or leaves"),
    ("restore", "diamond: restored"),
    ("rewind", "diamond: goes back"),
    ("skew", "diamond: clock set"),
    ("note", "diamond: note"),
)
_VERDICTS = {"holds": "done", "broken": "failed", "not exercised": "not yet"}
_WRONG = {
    "crash": ("crash", "crashes"),
    "failed": ("failure", "failures"),
    "dead letter": ("dead letter", "dead letters"),
    "no answer": ("question unanswered", "questions unanswered"),
    "unconfirmed": ("publish unconfirmed", "publishes unconfirmed"),
    "evicted": ("eviction", "evictions"),
    "refused": ("refusal", "refusals"),
    "doubled": ("message doubled", "messages doubled"),
    "lost": ("loss", "losses"),
}


@garbage_seldom(old=1_000_000)  # what it makes stays until the picture is ready
def timeline(
    run: Run,
    correlation: str | None = None,
    *,
    cursor: float | None = None,
    start: float | None = None,
    end: float | None = None,
    claims: Sequence[Any] = (),
    width: int = WIDTH,
) -> Picture:
    """A picture of a run, or of one story in it: the messages of a `correlation` id, or of a key such
    as "o2".

    `start` and `end` (seconds) limit the time shown, and `cursor` (seconds) marks a moment. If the
    run has more than 40 handlings, the story that went worst is shown by default. If more than 100
    handlings are shown, only the repeated, late and outdated ones have a name, and a tooltip at their
    arrow. The caption reports how much is hidden, and the verdicts of the `claims`."""
    check_run("timeline", run, "pass the run, and cursor={}")
    check_seconds(cursor=cursor, start=start, end=end)
    verdicts = [run.check(claim) for claim in claims]
    return draw(run, choose(run, correlation, start, end), cursor, width, verdicts)


def draw(
    run: Run, excerpt: Excerpt, cursor: float | None, width: int, verdicts: Sequence[Verdict] = ()
) -> Picture:
    """The timeline of an excerpt of a run, above the verdicts."""
    scene = Scene(width, 0)
    top = 24 if cursor is not None else 4
    layout = Layout(Drawn(excerpt), lanes_of([excerpt]), scene, top)
    scene.axis, scene.times = layout.axis, excerpt.times()
    legend = scene.legend(LEGEND)
    caption = caption_of(run, excerpt).split(" ")
    y = scene.write(layout.left, layout.bottom + 36, layout.right, caption, glue=" ")
    for one in verdicts:
        cause = f": {one.cause}" if one.cause else ""
        words = clean(f"{SIGNS[one.outcome]} {one.claim}{cause}", 300).split(" ")
        y = scene.write(layout.left, y, layout.right, words, " ", _VERDICTS[one.outcome])
    scene.height = scene.write(layout.left, y, layout.right, legend) - 2
    if cursor is not None:
        mark_cursor(layout, scene, cursor, 20)
    _describe(scene, excerpt, layout)
    return Picture(scene)


def lanes_of(excerpts: Sequence[Excerpt]) -> list[str]:
    """The services that have a lane: those with a step. If a whole run is shown, all services have a
    lane, because an empty lane is informative."""
    active = {step.service for excerpt in excerpts for step in excerpt.steps}
    services = [name for excerpt in excerpts for name in excerpt.run.services]
    for excerpt in excerpts:
        if excerpt.first == 0 and excerpt.last >= excerpt.run.end and not excerpt.one_story:
            active |= set(excerpt.run.services)
    return [name for name in dict.fromkeys(("client", *services)) if name in active]


def mark_cursor(layout: Layout, scene: Scene, cursor: float, top: int) -> None:
    """Mark a moment (s) with a line from `top` to the bottom of a layout."""
    time, (first, last) = round(cursor * 1000), layout.window
    x = max(layout.left, min(layout.right, layout.axis.x(time)))
    if first <= time <= last:
        scene.set_cursor(x, top, layout.bottom, seconds(time))
    else:
        scene.name_cursor(x, top, seconds(time))


def caption_of(run: Run, excerpt: Excerpt) -> str:
    steps, hidden = len(run.journal), len(run.journal) - len(excerpt.numbers)
    caption = ""
    if hidden or excerpt.one_story:
        another = "; correlation= shows another" if hidden and excerpt.one_story else ""
        of = f"{hidden:,} of {counted(steps, 'step')} hidden" if hidden else "no step is hidden"
        caption = f"Shown: {excerpt.about or 'everything'}; {of}{another}. "
    faults = [str(fault) for fault in run.faults]
    if len(faults) > 3 and excerpt.one_story:
        caption += f"In the whole run {len(faults):,} faults struck."
    elif faults:
        more = f" and {len(faults) - 3:,} more" if len(faults) > 3 else ""
        caption += f"Struck: {'; '.join(faults[:3])}{more}."
    return clean(caption, 400)


def _describe(scene: Scene, excerpt: Excerpt, layout: Layout) -> None:
    """Set the picture's description in one line and its alternative text."""
    name, drawn, lanes = excerpt.run.system.name, layout.drawn, layout.services
    struck = [(e.time, e.service, e.what, e.words) for e in layout.marks if e.what in _WRONG]
    stopped = [hop for hop in drawn.hops if hop.stop in _WRONG and hop.words]
    struck += [(one.source.time, one.source.service, one.stop, one.words) for one in stopped]
    again = [hop.target for hop in drawn.hops if hop.kind == "again"]
    published = sum(bar is not None and bar.words == PUBLISHED_AGAIN for bar in again)
    wrong = Counter(what for _, _, what, _ in struck)
    spans = counted(len(drawn.bars), "handling")
    parts = [counted(len(lanes), "lane"), spans, counted(len(drawn.hops), "arrow")]
    parts += [counted(wrong[what], *_WRONG[what]) for what in sorted(wrong)]
    parts += [f"{len(again) - published} delivered again"] * (len(again) > published)
    parts += [f"{published} {PUBLISHED_AGAIN}"] * (published > 0)
    at = f" at {scene.cursor[2].text}" if scene.cursor else ""
    when = f"{seconds(excerpt.first)} to {seconds(excerpt.last)}"
    name += f", {excerpt.about}" if excerpt.one_story else ""
    scene.shows = f"timeline of {name}{at}: {', '.join(parts)}; {excerpt.size()}; {when}"
    troubles = [f"{where}: {words} at {seconds(at)}" for at, where, _, words in sorted(struck)[:8]]
    faults = [f"{fault} struck" for fault in excerpt.run.faults[:3]]
    trouble = f"{spans}. {'; '.join(troubles or faults) or 'Nothing went wrong'}."
    scene.alt = clean(f"Timeline of {name}, {when}. Lanes: {', '.join(lanes)}. {trouble}", 600)

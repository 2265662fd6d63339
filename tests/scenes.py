"""Scenes for the tests of pictures, and what can be wrong with one: items outside of it, words that overlap."""

import networkx
from hypothesis import strategies as st

from edalab.view.scene import Arrow, Box, Extent, Label, Line, Mark, Polyline, Scene
from edalab.view.theme import ARROWS, BOXES, LABELS, LINES, MARKS

NASTY = [
    '<script>alert("1")</script>', "quotes \" ' & ampersand", "$x^2$ is no formula", "party 🎉👩‍👩‍👧 \U0001fae8",
    "日本語 مرحبا", "a\nb\tc\x00\x1b[31m", "half \ud83c of a pair", "turned \u202e round", "é ß Ω → ×", "W" * 10_000, "]]><!--", "",
]  # fmt: skip


def everything(text: str = "words") -> Scene:
    """A scene with an item of every kind."""
    scene = Scene(900, 900, shows="everything", alt=f"everything, {text}")
    scene.lanes = [Box(100, 10 + 40 * n, 700, 34, "lane", text) for n in range(3)]
    scene.lines = [
        Line(110 + 30 * n, 10, 110 + 30 * n, 600, kind, text)
        for n, kind in enumerate(LINES)
        if kind != "cursor"
    ]
    kinds = [kind for kind in BOXES if kind not in ("lane", "pill")]
    scene.spans = [Box(110 + 20 * n, 150, 18, 18, kind, text) for n, kind in enumerate(kinds)]
    scene.bars = [Box(110 + 20 * n, 180, 18, 18, kind, text) for n, kind in enumerate(kinds)]
    paths = [
        (110, 220, 110, 260, 130, 260, 150, 260),
        (110, 220, 110, 240, 110, 240, 120, 240, 130, 240, 130, 250, 130, 260),
    ]
    for n, kind in enumerate(ARROWS):
        for m, head in enumerate(["r", "l", "u", "d", ""]):
            points = tuple(
                v + (60 * n if i % 2 == 0 else 10 * m) for i, v in enumerate(paths[m % 2])
            )
            scene.arrows.append(Arrow(points, kind, head, text, 2.5 * (m == 0)))
    scene.polylines = [
        Polyline((110 + 60 * n, 290, 150 + 60 * n, 290, 150 + 60 * n, 310), kind, text, str(n))
        for n, kind in enumerate(LINES)
    ]
    scene.marks = [Mark(120 + 24 * n, 350, kind, text) for n, kind in enumerate(MARKS)]
    scene.labels = [
        Label(450, 380 + 16 * n, text[:40], kind, ("start", "middle", "end")[n % 3], text)
        for n, kind in enumerate(LABELS)
        if kind != "pill"
    ]
    scene.cursor = (
        Line(500, 20, 500, 600, "cursor", text),
        Box(470, 2, 60, 18, "pill", text),
        Label(500, 11, "3 s", "pill", "middle", text),
    )
    return scene


def scenes() -> st.SearchStrategy[Scene]:
    """Scenes of boxes, arrows, marks and words anywhere on a sheet of paper."""
    x, y = st.integers(20, 800), st.integers(20, 500)
    words = st.text(max_size=30) | st.sampled_from(NASTY)
    box = st.builds(
        Box, x, y, st.integers(1, 90), st.integers(1, 40), st.sampled_from(list(BOXES)), words
    )
    points = st.integers(1, 3).flatmap(
        lambda n: st.lists(st.tuples(x, y), min_size=3 * n + 1, max_size=3 * n + 1)
    )
    arrow = st.builds(
        lambda p, kind, head, tip: Arrow(tuple(v for point in p for v in point), kind, head, tip),
        points,
        st.sampled_from(list(ARROWS)),
        st.sampled_from(["r", "l", "u", "d", ""]),
        words,
    )
    mark = st.builds(Mark, x, y, st.sampled_from(list(MARKS)), words)
    trace = st.builds(
        lambda p, kind, tip: Polyline(tuple(v for point in p for v in point), kind, tip),
        st.lists(st.tuples(x, y), min_size=2, max_size=9),
        st.sampled_from(list(LINES)),
        words,
    )
    label = st.builds(
        Label,
        st.integers(300, 500),
        y,
        words.map(lambda text: text[:20]),
        st.sampled_from(list(LABELS)),
        st.sampled_from(["start", "middle", "end"]),
        words,
    )
    lists = {
        "bars": box,
        "spans": box,
        "arrows": arrow,
        "polylines": trace,
        "marks": mark,
        "labels": label,
    }
    return st.builds(
        Scene,
        st.just(900),
        st.just(560),
        words,
        words,
        **{name: st.lists(item, max_size=8) for name, item in lists.items()},
    )


def flaws(scene: Scene) -> list[str]:
    return outside(scene) + overlaps(scene)


def outside(scene: Scene) -> list[str]:
    found = []
    for item in scene.items():
        left, top, right, bottom = extent(item)
        if left < 0 or top < 0 or right > scene.width or bottom > scene.height:
            found.append(f"{item} is not within {scene.width} x {scene.height}")
    return found


def extent(item) -> Extent:
    """What an item covers, from left to right and from top to bottom."""
    if isinstance(item, Line | Polyline | Arrow):
        xs, ys = item.points[::2], item.points[1::2]
        return min(xs), min(ys), max(xs), max(ys)
    return item.extent()


def overlaps(scene: Scene) -> list[str]:
    """Words on words, and words on marks."""
    placed = [(label.extent(), label.text) for label in scene.labels]
    marks = [(mark.extent(), mark.kind) for mark in scene.marks]
    return [
        f"{one!r} {a} and {other!r} {b} overlap"
        for number, (a, one) in enumerate(placed)
        for b, other in placed[:number] + marks
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
    ]


def graph_of(picture) -> networkx.DiGraph:
    """The steps of a saga's picture by name, with what is known of each; an edge leads from each
    step to what it led to."""
    graph, moment = networkx.DiGraph(), picture.moment
    for step, state in moment.states.items():
        history, undoes = moment.shown[step], step.compensates
        times = [event.time / 1000 for event in history.events]
        end = "end" if step.settles and step.is_event else "step"
        graph.add_node(
            step.name, service=step.service,
            kind="final" if step.final else "compensation" if undoes else end,
            state=state.name, words=state.words,
            compensates=undoes and undoes.name, tries=history.tries,
            start=min(times, default=None), end=max(times, default=None),
        )  # fmt: skip
    for step in moment.states:
        if step.before is not None:
            kind = "undo" if step.compensates else "next"
            graph.add_edge(step.before.name, step.name, kind=kind)
    return graph

"""`compare(run, other)`: two runs, one above the other, with their first difference and the
differences between their tables at the end."""

from dataclasses import replace

from ..errors import Misuse, shown
from ..sim.run import Run
from ..text import clean, counted, seconds, shorten, text_width, wrapped
from ..trace.compare import Comparison, TableDifference, words_of
from .drawn import Drawn
from .excerpt import MOST, Excerpt, choose, is_large, story_names
from .layout import Layout
from .picture import Picture, check_run, check_seconds
from .scene import WIDTH, Label, Line, Scene
from .theme import LABELS
from .timeline import LEGEND, caption_of, lanes_of, mark_cursor

MARGIN = 16
Part = tuple[str | None, float | None, float | None]  # story, start and end, as `choose` takes them
_TABLES, _ROWS = 6, 4  # at most shown: tables that differ, and rows of each run
# s before and after the first difference; the next if too much is in it
_REACHES = (1, 0.3, 0.1, 0.03)
_LISTS = ("lanes", "lines", "spans", "arrows", "bars", "labels", "marks")


def compare(
    run: Run,
    other: Run,
    correlation: str | None = None,
    *,
    names: tuple[str, str] = ("", ""),
    cursor: float | None = None,
    start: float | None = None,
    end: float | None = None,
    width: int = WIDTH,
) -> Picture:
    """A picture that compares two runs of one workload, for example without and with a fault, or
    before and after a fix. It shows their timelines one above the other, with a line at the first
    difference, and below them the differences between the tables at the end.

        compare(simulate(shop, orders), simulate(shop, orders, faults=[fault]))
        compare(old, new, names=("before", "after"))

    `names` appear in the headings. `correlation`, `start`, `end` and `cursor` have the same meaning
    as for `timeline`. If a run is large, only the story that differs first is shown. Raises Misuse
    for anything that is not a run."""
    for one in (run, other):
        check_run("compare", one, "pass the run")
    check_seconds(cursor=cursor, start=start, end=end)
    if not (isinstance(names, tuple | list) and len(names) == 2):
        raise Misuse(f'names= takes two names, ("before", "after"), not {shown(names)}')
    return draw(Comparison(run, other), (correlation, start, end), names, cursor, width)


def draw(
    comparison: Comparison,
    part: Part,
    names: tuple[str, str],
    cursor: float | None,
    width: int,
) -> Picture:
    """The picture of a comparison, limited to the `part` that `choose` would select."""
    excerpts = _excerpts(comparison, part)
    scene = Scene(width, 0)
    y = _write_sentences(scene, comparison)
    lanes, both = lanes_of(excerpts), [Drawn(excerpt) for excerpt in excerpts]
    layouts: list[Layout] = []
    for which, (drawn, excerpt) in enumerate(zip(both, excerpts, strict=True)):
        y = _write_heading(scene, which, names[which], excerpt, y)
        top = y - 4
        if which == 0:
            top += 22 * (comparison.first is not None) + 22 * (cursor is not None)
        sub = Scene(width, 0)
        layout = Layout(drawn, lanes, sub, top, [both[1 - which]])
        layouts.append(layout)
        for name in _LISTS:
            getattr(scene, name).extend(getattr(sub, name))
        if not excerpt.steps:
            _write_empty(scene, layout, excerpt)
        y = layout.bottom + 38
    scene.axis, scene.times = layouts[0].axis, sorted({*excerpts[0].times(), *excerpts[1].times()})
    first = comparison.first
    if first and excerpts[0].first <= first.time <= excerpts[0].last:
        above = 42 if cursor is not None else 22
        _mark_difference(scene, first.time, layouts, layouts[0].top - above)
    y = _write_tables(scene, comparison.tables, y)
    legend = scene.legend(LEGEND)
    scene.height = scene.write(MARGIN, y, width - MARGIN, legend) - 2
    if cursor is not None:
        mark_cursor(layouts[1], scene, cursor, layouts[0].top - 10)
    _describe(scene, comparison, excerpts)
    return Picture(scene)


# -- what is shown


def _excerpts(comparison: Comparison, part: Part) -> list[Excerpt]:
    """The excerpts of the same part of both runs. Of large runs it is the story that differs first, or
    if a run lacks that story, the time around the first difference."""
    first, parts, runs = comparison.first, [part], comparison.runs
    if part == (None, None, None) and first and any(map(is_large, runs)):
        near = first.time / 1000
        parts = [(None, max(0, near - reach), near + reach) for reach in _REACHES]
        if first.story and all(first.story in story_names(run.journal) for run in runs):
            parts = [(first.story, None, None)]
    pair = _pair(runs, parts[0])
    for part in parts[1:]:
        if max(sum(step.step == "handle" for step in each.steps) for each in pair) > MOST:
            pair = _pair(runs, part)
    shown = [each for each in pair if each.steps] or pair
    times = min(each.first for each in shown), max(each.last for each in shown)
    return [replace(each, first=times[0], last=times[1]) for each in pair]


def _pair(runs: tuple[Run, Run], part: Part) -> list[Excerpt]:
    """A part of both runs, and nothing of one that does not have it. Raises Misuse if neither does."""
    found, misuses = [], []
    for run in runs:
        try:
            found.append(choose(run, *part))
        except Misuse as misuse:  # one of the runs may lack that story
            misuses.append(misuse)
            ended = part[1] is not None and part[1] * 1000 > run.end
            why = f"ended at {seconds(run.end)}" if ended else "has no such story"
            found.append(Excerpt(run, [], f"nothing, for this run {why}", 0, 0))
    if len(misuses) == 2:
        raise misuses[0]
    return found


# -- words and marks


def _write_sentences(scene: Scene, comparison: Comparison) -> int:
    """Write the seeds if they differ, and the first difference. Return the y below."""
    y, room = 18, scene.width - 2 * MARGIN
    title = f"{comparison.seeds} {comparison.sentence}".strip()
    for line in wrapped(title.split(" "), " ", room * 6 // 7, 14):
        scene.labels.append(Label(MARGIN, y, line, "title"))
        y += 20
    for line in wrapped(_outcome(comparison).split(" "), " ", room, 12):
        scene.labels.append(Label(MARGIN, y, line, "channel"))
        y += 16
    return y + 8


def _outcome(comparison: Comparison) -> str:
    """A sentence about the tables at the end."""
    lasting = comparison.lasting
    if lasting is not None:
        return f"From {seconds(lasting.time)} on a table differs: {lasting.sentence}."
    if comparison.tables:
        return "At the end their tables differ."
    return "At the end their tables are the same." if comparison.first else ""


def _write_heading(scene: Scene, which: int, name: str, excerpt: Excerpt, y: int) -> int:
    """Write which run it is, its faults, and how much is hidden. Return the y below."""
    title = ("First run", "Second run")[which] + (f": {clean(name, 60)}" if name else "")
    short = shorten(title, scene.width - 2 * MARGIN, 12, True)
    tip = title * (short != title)
    scene.labels.append(Label(MARGIN, y, short, "node", tip=tip))
    x = MARGIN + text_width(short, 12, True) + 12
    if x > scene.width * 2 // 3:  # what follows has the next line
        x, y = MARGIN, y + 16
    struck = "" if excerpt.run.faults else " No fault struck."
    words = f"{caption_of(excerpt.run, excerpt)}{struck}".split()
    return scene.write(x, y, scene.width - MARGIN, words, glue=" ")


def _write_empty(scene: Scene, layout: Layout, excerpt: Excerpt) -> None:
    """Say in the lanes of a run why they are empty."""
    _, lacks, why = excerpt.about.partition("nothing, for ")
    words = why if lacks else "nothing happened here"
    middle = (layout.left + layout.right) // 2, (layout.top + layout.bottom) // 2
    scene.labels.append(Label(*middle, words, "caption", "middle"))


def _mark_difference(scene: Scene, time: int, layouts: list[Layout], top: int) -> None:
    """Draw a line through both timelines at the first difference, with its text at the top."""
    text, x = f"first difference, {seconds(time)}", layouts[0].axis.x(time)
    pill, label = scene.pill(x, top, text, "difference")
    pill.tip = text
    scene.bars.append(pill)
    scene.labels.append(label)
    for begin, layout in zip((top, layouts[1].top), layouts, strict=True):
        scene.lines.append(Line(x, begin, x, layout.bottom, "difference", text))


def _write_tables(scene: Scene, tables: list[TableDifference], y: int) -> int:
    """Write the rows that only one run has. Return the y below."""
    if not tables:
        return y
    width = (scene.width - 2 * MARGIN) // 3
    columns = [MARGIN + n * width for n in range(3)]
    heads = ["Tables at the end", "only in the first run", "only in the second run"]
    if width < text_width(heads[2], 12, True):
        heads[1:] = "first run only", "second run only"
    scene.labels += [Label(x, y, head, "node") for x, head in zip(columns, heads, strict=True)]
    y += 18
    for table in (_brief(table, width - 12) for table in tables[:_TABLES]):
        fields = table.missing or ", ".join(clean(name, 40) for name in table.columns)
        texts = [[clean(table.name, 80), fields], *(_rows(rows, table) for rows in table.rows)]
        for x, lines in zip(columns, texts, strict=True):
            for n, line in enumerate(lines):
                kind = "detail" if n and x == MARGIN else "channel"
                short = shorten(line, width - 12, LABELS[kind].size)
                scene.labels.append(Label(x, y + 15 * n, short, kind, tip=line))
        y += 15 * max(map(len, texts)) + 5
    if len(tables) > _TABLES:
        more = f"{counted(len(tables) - _TABLES, 'more table')} differ"
        scene.labels.append(Label(MARGIN, y, more, "detail"))
        y += 18
    return y + 6


def _brief(table: TableDifference, room: int) -> TableDifference:
    """The table with only its first column and those that differ, if its rows are too long."""
    (one, other), number = table.rows, len(table.columns)
    long = any(text_width(words_of(row), 11) > room for row in one + other)
    alike = {len(row) for row in one + other} == {number} and not table.shared & {*one, *other}
    if not (long and alike and one and other):
        return table
    pairs = [*zip(one, other, strict=False)]
    kept = [n for n in range(number) if n == 0 or any(a[n] != b[n] for a, b in pairs)]
    mine, theirs = ([tuple(row[n] for n in kept) for row in rows] for rows in table.rows)
    return table._replace(columns=[table.columns[n] for n in kept], rows=(mine, theirs))


def _rows(rows: list, table: TableDifference) -> list[str]:
    """The lines of text for the rows that one run has and the other lacks."""
    lines = [words_of(row) + " (once more)" * (row in table.shared) for row in rows[:_ROWS]]
    more = [f"and {counted(len(rows) - _ROWS, 'more row')}"] if len(rows) > _ROWS else []
    return [*lines, *more] or ["–"]


def _describe(scene: Scene, comparison: Comparison, excerpts: list[Excerpt]) -> None:
    """Set the picture's description in one line and its alternative text."""
    when = f"{seconds(excerpts[0].first)} to {seconds(excerpts[0].last)}"
    at = f" at {scene.cursor[2].text}" if scene.cursor else ""
    words = " ".join(filter(None, (comparison.seeds, comparison.sentence, _outcome(comparison))))
    steps = " and ".join(each.size() for each in excerpts)
    system = comparison.runs[0].system.name
    scene.shows = f"two runs of {system}{at}: {words} {steps}; {when}"
    about = f"Two runs of {system}, one above the other, {when}. {words}"
    tables = []
    for table in comparison.tables[:_TABLES]:
        sides = [" and ".join(map(words_of, rows[:_ROWS])) or "nothing" for rows in table.rows]
        only = "{}: only in the first run {}, only in the second run {}"
        tables.append(only.format(table.name, *sides))
    if tables:
        about += f" Tables at the end: {'; '.join(tables)}."
    scene.alt = clean(about, 900)

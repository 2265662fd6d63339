"""The wait before anything appears: the import, and the first picture of a run in a fresh process."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from .rows import Row, in_turns, ratios, wall

ROUNDS = 9
IMPORT = 0.25  # s, on a warm disk
FIRST = 60  # ms, of a timeline of 300 arrows

_FIRST = """
from time import perf_counter
from benchmarks.flow import in_arrows
from edalab import simulate
from edalab.view import timeline
import matplotlib.figure, matplotlib.backends.backend_agg

def empty():
    figure = matplotlib.figure.Figure((9, 4), dpi=144)
    matplotlib.backends.backend_agg.FigureCanvasAgg(figure)
    figure.text(0.5, 0.5, "A")
    import io
    figure.savefig(io.BytesIO(), format="png")

empty()  # fonts and what else matplotlib finds at its first picture
shop, order = in_arrows(300)
run = simulate(shop, order)
start = perf_counter()
picture = timeline(run, start=0, end=run.end / 1000)
svg = picture.svg()
drawn = perf_counter()
png = timeline(run, start=0, end=run.end / 1000).png()
done = perf_counter()
empty()
print(len(picture.scene.arrows), drawn - start, done - drawn, perf_counter() - done)
"""


def _python(code: str) -> str:
    """The output of code in a fresh process that finds compiled bytecode, as a learner's does."""
    warm = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    course = Path(__file__).parents[1]  # `_FIRST` imports this folder
    return subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env=warm,
        cwd=course,
    ).stdout


def rows(small: bool) -> Iterator[Row]:
    rounds = 3 if small else ROUNDS
    _python(_FIRST)
    sides = {name: lambda code=code: wall(lambda: _python(code)) for name, code in
             {"edalab": "import edalab", "pydantic": "import pydantic; pydantic.BaseModel", "nothing": "pass"}.items()}  # fmt: skip
    took = in_turns(sides, rounds)
    mine, theirs = (
        [a - b for a, b in zip(took[name], took["nothing"], strict=True)]
        for name in ("edalab", "pydantic")
    )
    beside = f"`import pydantic`, which it needs: {median(theirs) * 1000:.0f} ms"
    wanted = f"at most {IMPORT * 1000:.0f} ms"
    yield Row(
        "`import edalab`",
        f"{median(mine) * 1000:.0f} ms",
        beside,
        ratios(mine, theirs),
        None,
        wanted,
        median(mine) <= IMPORT,
    )

    drawn = [list(map(float, _python(_FIRST).split())) for _ in range(rounds)]
    assert {arrows for arrows, *_ in drawn} == {300}
    svg, png, empty = ([times[n] for times in drawn] for n in (1, 2, 3))
    beside = f"an empty matplotlib figure as PNG: {median(empty) * 1000:.0f} ms"
    for name, mine in (("SVG", svg), ("PNG", png)):
        wanted, met = f"at most {FIRST} ms", median(mine) * 1000 <= FIRST
        what = f"first picture of a run, timeline of 300 arrows, {name}"
        yield Row(
            what, f"{median(mine) * 1000:.0f} ms", beside, ratios(mine, empty), None, wanted, met
        )

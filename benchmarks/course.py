"""The course: every lesson executed, two at a time, against as many notebooks with one cell; and
the time from opening a lesson to its first picture, against opening an empty notebook."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import nbformat

from tools import store
from tools.browser import chromium, jupyterlab, laptop

from .rows import Row, in_turns, ratios, wall

LESSON = "01-event-notification.ipynb"


def executed(notebooks: list) -> None:
    with ThreadPoolExecutor(2) as kernels:
        list(kernels.map(lambda notebook: store.run(notebook, store.ROOT / "notebooks"), notebooks))


def rows(small: bool) -> Iterator[Row]:
    rounds = 1 if small else 2
    lessons = [
        nbformat.read(path, as_version=4)
        for path in sorted((store.ROOT / "notebooks").glob("*.ipynb"))
    ]
    empty = [nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")]) for _ in lessons]
    took = in_turns(
        {
            "lessons": lambda: wall(lambda: executed(lessons)),
            "empty": lambda: wall(lambda: executed(empty)),
        },
        rounds,
    )
    beside = f"as many with one cell: {median(took['empty']):.0f} s"
    yield Row(
        f"all {len(lessons)} notebooks executed",
        f"{median(took['lessons']):.0f} s",
        beside,
        ratios(took["lessons"], took["empty"]),
    )

    with jupyterlab() as lab, chromium() as browser:
        cell = nbformat.v4.new_code_cell(
            "1 + 1",
            outputs=[
                nbformat.v4.new_output("execute_result", {"text/plain": "2"}, execution_count=1)
            ],
        )
        nbformat.write(
            nbformat.v4.new_notebook(cells=[cell]), lab.folder / "notebooks" / "empty.ipynb"
        )

        def opened(name: str, sign: str) -> None:
            with laptop(browser) as page:
                page.goto(lab.address(name))
                page.locator(sign).first.wait_for(timeout=60_000)

        sides = {
            "lesson": lambda: wall(lambda: opened(LESSON, ".jp-OutputArea img")),
            "empty": lambda: wall(lambda: opened("empty.ipynb", ".jp-OutputArea pre")),
        }
        for side in sides.values():
            side()
        took = in_turns(sides, rounds)
    ours, beside = (
        f"{median(took['lesson']):.1f} s",
        f"an empty notebook: {median(took['empty']):.1f} s",
    )
    yield Row(
        "lesson 01 opened in the browser, to its first picture",
        ours,
        beside,
        ratios(took["lesson"], took["empty"]),
    )

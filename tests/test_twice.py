"""A learner runs cells again, and wherever they like: what a cell shows must not depend on whether it ran before, nor on the
folder that its kernel runs in."""

import copy

import nbformat
import pytest

from tools import store

NOTEBOOKS = store.notebooks()


def each_cell_twice(cells):
    return [cell for cell in cells for _ in range(2)]


def all_cells_then_all_again(cells):
    return [*cells, *cells]


def runs(notebook, order, folder) -> list[list[list]]:
    """What each code cell showed, for each time it ran, in a folder."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    where = order(list(range(len(cells))))
    twice = copy.deepcopy(notebook)
    twice.cells = [copy.deepcopy(cells[number]) for number in where]
    ran = store.run(twice, folder).cells
    return [
        [seen(ran[at]) for at, n in enumerate(where) if n == number] for number in range(len(cells))
    ]


def seen(cell) -> list:
    """What a cell shows, in a form that compares: text as it is, pictures by their bytes."""
    return [
        (output.output_type, output.get("text") or sorted(output.get("data", {}).items()))
        for output in cell.outputs
    ]


@pytest.mark.parametrize(
    "order", [each_cell_twice, all_cells_then_all_again], ids=lambda order: order.__name__
)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_cell_run_again_and_elsewhere_shows_the_same(path, order, tmp_path):
    elsewhere = tmp_path / "Übungen von Ada"
    elsewhere.mkdir()
    notebook = nbformat.read(path, as_version=4)
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    for source, (first, second) in zip(sources, runs(notebook, order, elsewhere), strict=True):
        assert second == first, f"{path.name}: shows something else when run again:\n{source}"


def test_a_cell_that_counts_its_runs_is_found(tmp_path):
    sources = ["seen = globals().get('seen', 0) + 1", "seen"]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in sources]
    )
    first, second = runs(notebook, all_cells_then_all_again, tmp_path)[1]
    assert first != second

"""The learner's notebooks are the teacher's without solutions, notes and hidden tests, and are held up to date."""

import nbformat
import pytest

from tools import derive, store

CELL = '''def charge(event, ctx):
    """Charge it."""
    ### BEGIN SOLUTION
    if event.total:
        return PaymentCharged(order_id=event.order_id)
    ### END SOLUTION
'''


def notebook(*cells):
    return nbformat.v4.new_notebook(cells=list(cells))


def test_a_solution_becomes_a_stub_that_says_so():
    assert derive.source(CELL) == (
        'def charge(event, ctx):\n    """Charge it."""\n    # YOUR CODE HERE\n    raise NotImplementedError()'
    )


def test_hidden_tests_and_what_is_for_teachers_are_left_out():
    note = nbformat.v4.new_markdown_cell("Ten minutes.", metadata={"tags": ["teacher"]})
    graded = nbformat.v4.new_code_cell(
        '### BEGIN HIDDEN TESTS\nassert check(charge, "05.2").correct\n### END HIDDEN TESTS\ncheck(charge, "05.2")'
    )
    learners = derive.derived(notebook(note, graded))
    assert [cell.source for cell in learners.cells] == ['check(charge, "05.2")']


def test_what_nbgrader_needs_to_know_of_a_cell_is_kept():
    cell = nbformat.v4.new_code_cell(
        CELL, metadata={"nbgrader": {"grade_id": "answer-05-2"}, "scrolled": True}
    )
    assert derive.derived(notebook(cell)).cells[0].metadata == {
        "nbgrader": {"grade_id": "answer-05-2"}
    }


@pytest.mark.parametrize("path", derive.lessons(), ids=lambda path: path.name)
def test_the_learners_notebook_is_made_from_the_teachers(path):
    made = derive.derived(nbformat.read(path, as_version=4))
    learners = nbformat.read(derive.LEARNER / path.name, as_version=4)
    assert [(c.cell_type, c.source, c.metadata) for c in learners.cells] == [
        (c.cell_type, c.source, c.metadata) for c in made.cells
    ], f"make it again: uv run python tools/derive.py teacher/{path.name}"


@pytest.mark.parametrize("path", derive.lessons(), ids=lambda path: path.name)
def test_no_solution_is_left_in_a_learners_notebook(path):
    learners = (derive.LEARNER / path.name).read_text(encoding="utf-8")
    assert "### BEGIN" not in learners and "### END" not in learners


def test_every_lesson_with_exercises_has_its_source_among_the_teachers():
    for path in store.ROOT.glob("notebooks/[0-9]*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        number = path.name[:2]
        exercises = any(f', "{number}.1")' in cell.source for cell in cells)
        assert exercises == (derive.TEACHER / path.name).exists(), path.name

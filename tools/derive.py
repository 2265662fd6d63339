"""Make the learner's notebooks from the teacher's: the one source of a lesson is the notebook in `teacher/`.

    uv run python tools/derive.py                            all lessons
    uv run python tools/derive.py teacher/05-choreographed-saga.ipynb

Code between `### BEGIN SOLUTION` and `### END SOLUTION` becomes a stub. Hidden tests and the cells tagged
`teacher` (timing, talking points) are left out. The markers and the metadata are those of nbgrader. Then
`tools/store.py` writes the outputs of both.
"""

import copy
import re
import sys
from pathlib import Path

import nbformat

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tools import store

TEACHER, LEARNER = store.ROOT / "teacher", store.ROOT / "notebooks"
STUB = "# YOUR CODE HERE\nraise NotImplementedError()"  # what nbgrader puts there
SOLUTION = re.compile(
    r"^([ \t]*)### BEGIN SOLUTION\n.*?### END SOLUTION[ \t]*\n?", re.DOTALL | re.MULTILINE
)
HIDDEN = re.compile(
    r"^[ \t]*### BEGIN HIDDEN TESTS\n.*?### END HIDDEN TESTS[ \t]*\n?", re.DOTALL | re.MULTILINE
)


def lessons() -> list[Path]:
    """The teacher's notebooks."""
    return sorted(TEACHER.glob("*.ipynb"))


def source(text: str) -> str:
    """A cell's source as the learner gets it."""
    text = SOLUTION.sub(
        lambda found: "".join(f"{found[1]}{line}\n" for line in STUB.splitlines()), text
    )
    return HIDDEN.sub("", text).rstrip("\n")


def derived(teachers):
    """The learner's notebook, without outputs."""
    notebook = copy.deepcopy(teachers)
    notebook.cells = [
        cell for cell in notebook.cells if "teacher" not in cell.metadata.get("tags", [])
    ]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source, cell.outputs, cell.execution_count = source(cell.source), [], None
    return store.tidy(notebook)


def main(arguments: list[str]) -> int:
    paths = [Path(argument) for argument in arguments] or lessons()
    for path in paths:
        learners = derived(nbformat.read(path, as_version=4))
        (LEARNER / path.name).write_text(store.text(learners), encoding="utf-8", newline="\n")
    return store.main([str(each) for path in paths for each in (path, LEARNER / path.name)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

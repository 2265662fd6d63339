"""The course in nbgrader: `uv run --with nbgrader python tests/grading.py` makes an assignment of each lesson from its source in
`teacher/`, grades a right, a mostly wrong and an empty submission of each, and compares the scores. nbgrader is no
dependency: the sources carry its markers and metadata."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from tools import derive  # noqa: E402
from tools.home import own_home  # noqa: E402

CONFIG = """c = get_config()
c.CourseDirectory.course_id = "edalab"
c.ExecutePreprocessor.timeout = 300
c.ClearSolutions.code_stub = {"python": %r}
"""


def run(course: Path, *words: str) -> str:
    """What a call of this Python says, in the course's folder."""
    path = os.pathsep.join(
        [str(Path(sys.executable).parent), os.environ["PATH"]]
    )  # nbgrader calls its tools by name
    environment = {**os.environ, "PATH": path, "EDALAB_PROGRESS": "", "JUPYTER_NO_CONFIG": "1"}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=course,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        sys.exit(f"{' '.join(words)}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


def hand_in(course: Path, who: str, lesson: Path, solved: list[str], otherwise: str = "") -> float:
    """A submission that has the teacher's answers to some exercises, and to the others the stub, or what is given instead
    of it; and the points that it should get."""
    teachers = {
        id_of(cell): cell for cell in nbformat.read(lesson, as_version=4).cells if id_of(cell)
    }
    released = nbformat.read(course / "release" / lesson.stem / lesson.name, as_version=4)
    due = 0.0
    for cell in released.cells:
        exercise = id_of(cell).partition("-")[2]
        if id_of(cell).startswith("answer") and exercise in solved:
            cell.source = re.sub(
                r"^\s*### (BEGIN|END) SOLUTION\n",
                "",
                teachers[id_of(cell)].source,
                flags=re.MULTILINE,
            )
        elif id_of(cell).startswith("answer") and otherwise:
            cell.source = cell.source.replace("raise NotImplementedError()", otherwise)
        if id_of(cell).startswith("check") and exercise in solved:
            due += cell.metadata.nbgrader.points
    where = course / "submitted" / who / lesson.stem
    where.mkdir(parents=True)
    nbformat.write(released, where / lesson.name)
    return due


def id_of(cell) -> str:
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


def main(arguments: list[str]) -> int:
    lessons = [Path(argument).resolve() for argument in arguments] or derive.lessons()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        course = Path(folder)
        os.environ |= own_home(course / "home")
        (course / "nbgrader_config.py").write_text(CONFIG % derive.STUB, encoding="utf-8")
        for lesson in lessons:
            source = course / "source" / lesson.stem
            source.mkdir(parents=True)
            (source / lesson.name).write_text(lesson.read_text(encoding="utf-8"), encoding="utf-8")
            run(course, "-m", "nbgrader", "generate_assignment", lesson.stem, "--create", "--force")
            exercises = [
                id_of(cell).partition("-")[2]
                for cell in nbformat.read(lesson, as_version=4).cells
                if id_of(cell).startswith("check")
            ]
            due = {
                "ada": hand_in(course, "ada", lesson, exercises),
                "bob": hand_in(course, "bob", lesson, exercises[:1], otherwise="return 0"),
                "eve": hand_in(course, "eve", lesson, []),
            }
            run(course, "-m", "nbgrader", "autograde", lesson.stem)
            got = scores(course, lesson.stem)
            wrong += got != due
            print(f"{lesson.stem}: {got}" + ("" if got == due else f", and it should be {due}"))
    return 1 if wrong or not lessons else 0


def scores(course: Path, assignment: str) -> dict[str, float]:
    code = (
        "import json, sys; from nbgrader.api import Gradebook\n"
        "with Gradebook('sqlite:///gradebook.db', course_id='edalab') as book:\n"
        "    print(json.dumps({s.student_id: s.score for s in book.assignment_submissions(sys.argv[1])}))"
    )
    said = run(course, "-c", code, assignment)
    return json.loads(said.strip().splitlines()[-1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

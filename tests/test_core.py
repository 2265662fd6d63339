"""The core requires pydantic, cloudpickle and tqdm alone, in plain Python and in WebAssembly; what requires
a library of the extra `course` names it where it is missing.

Two tests fetch packages, by pip and npm, and keep those for WebAssembly in `.cache/`. Without node or the network
they skip and say what is missing; with EDALAB_CORE_REQUIRED=1 they fail."""

import ast
import json
import os
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from packaging.requirements import Requirement

from edalab.errors import NotInstalled, needed_for

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CORE = [Requirement(line).name for line in PROJECT["project"]["dependencies"]]
COURSE = [Requirement(line).name for line in PROJECT["project"]["optional-dependencies"]["course"]]
EXPECTED = json.loads((HERE / "digests.json").read_text(encoding="utf-8"))
# Python in WebAssembly, from npm, and the platform of the wheels that fit it.
PYODIDE = "314.0.7"
WHEELS = (
    "--python-version 3.14 --implementation cp --abi cp314 --platform pyemscripten_2026_0_wasm32"
)
ALL = "import json, representative as r; print(json.dumps([r.digests(), r.explorations()]))"


def explored_here() -> dict[str, str]:
    """In a process of its own: here, classes of other tests may have the names of those that are explored."""
    return json.loads(process(sys.executable, ALL, cwd=HERE))[1]


# -- what requires a library says so

# In a process of its own, in which the libraries named cannot be imported.
WITHOUT = """
import sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {libraries}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Without())
sys.path[:0] = [{tests!r}, {root!r}]
"""
ASK = """
import json
from accounts import account_7
from planted import PAIRS
from edalab import explore, read_table
from edalab.practice import classroom, predict
from edalab.view import flow, matrix, saga_map, timeline
from edalab.doctor import doctor

pair = PAIRS["a forgotten compensation"]
run = explore(pair.build(False), pair.workload, [pair.claim], faults=0).smallest(pair.claim)
picture = timeline(run)

def panel():
    from edalab.panels import Laboratory

def handed_in():
    from edalab.practice.classroom import Classroom
    return Classroom({}, [])

asked = {
    "run.steps": lambda: run.steps,
    "store.table": lambda: account_7().table("account-7"),
    "read_table": lambda: read_table([], "type", "subject", "time"),
    "classroom": lambda: handed_in().outcomes,
    "flow.graph": lambda: flow(run).graph,
    "png": picture.png,
    "figure": picture.figure,
    "save": lambda: picture.save("timeline.png"),
    "panel": panel,
    "predict": lambda: predict("How many?", [1, 2], 2)._repr_mimebundle_(),
}
said = {}
for name, ask in asked.items():
    try:
        said[name] = f"it worked: {ask()}"
    except ImportError as error:
        said[name] = str(error)
said["shown"], said["text"] = list(picture._repr_mimebundle_()[0]), repr(picture)
said["doctor"] = []
doctor(said["doctor"].append)
print(json.dumps(said))
"""


def process(python: str, code: str, **options) -> str:
    """What the code prints."""
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    ran = subprocess.run(
        [python, "-c", code], env=environment, capture_output=True, encoding="utf-8", **options
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def without(*libraries: str) -> str:
    return WITHOUT.format(libraries=libraries, tests=str(HERE), root=str(ROOT))


@pytest.fixture(scope="module")
def said():
    return json.loads(
        process(sys.executable, without(*COURSE, "numpy", "PIL", "IPython", "packaging") + ASK)
    )


NEEDS = {
    "run.steps": "run.steps needs pandas",
    "store.table": "EventStore.table needs pandas",
    "read_table": "read_table needs pandas",
    "classroom": "classroom needs pandas",
    "flow.graph": "flow(run).graph needs networkx",
    "png": "a picture as PNG needs matplotlib",
    "figure": "a picture as a figure needs matplotlib",
    "save": "a picture as PNG needs matplotlib",
    "panel": "a panel such as Laboratory needs ipywidgets",
    "predict": "a prediction that can be clicked needs ipywidgets",
}


@pytest.mark.parametrize("what", NEEDS)
def test_what_needs_a_library_names_it_and_how_to_install_it(said, what):
    assert said[what] == f'{NEEDS[what]}: pip install "edalab[course]"'


def test_a_picture_without_matplotlib_shows_itself_as_svg_and_says_the_same(said):
    from planted import PAIRS

    from edalab import simulate
    from edalab.view import timeline

    assert said["shown"] == ["image/svg+xml", "text/plain"]
    pair = PAIRS["a forgotten compensation"]
    assert said["text"] == repr(timeline(simulate(pair.build(False), pair.workload)))


def test_the_doctor_names_every_library_that_is_missing(tmp_path):
    hidden = f"""
import sys
from importlib import metadata
version = metadata.version
def hide(name):
    if name in {COURSE}:
        raise metadata.PackageNotFoundError(name)
    return version(name)
metadata.version = hide
from edalab.doctor import doctor
doctor()
"""
    told = process(sys.executable, without(*COURSE, "packaging") + hidden, cwd=tmp_path)
    wrong = [line.split()[1] for line in told.splitlines() if line.startswith("✗")]
    wrong = [
        name for name in wrong if name != "editables"
    ]  # of an editable install, which asks for it
    assert wrong == [*sorted(COURSE), "packaging"]


PANELS = {
    "Laboratory": "Laboratory(office(), saying(Posted()))",
    "TimeTravel": "TimeTravel(account_7(), 'account-7', balance, 0)",
}


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_without_matplotlib_carries_its_picture_as_svg(panel):
    code = f"""
from accounts import account_7, balance
from postoffice import Posted, office, saying
from edalab.panels import Laboratory, TimeTravel
data, about = {PANELS[panel]}._repr_mimebundle_()
print(*sorted(data), *about)
"""
    shown = process(sys.executable, without("matplotlib", "PIL") + code).split()
    assert shown[-3:] == ["image/svg+xml", "text/plain", "image/svg+xml"] and len(shown) == 4


def test_a_module_of_our_own_that_is_missing_is_not_taken_for_a_library():
    with pytest.raises(ModuleNotFoundError, match="^No module named 'edalab.nowhere'$"):
        with_needed_for("edalab.nowhere")
    with pytest.raises(
        NotInstalled, match=r'^a panel needs nowhere: pip install "edalab\[course\]"$'
    ):
        with_needed_for("nowhere.at.all")


def with_needed_for(library: str) -> None:
    with needed_for("a panel"):
        import_module(library)


GUARDED = {  # files that are imported only where another file has found the library, or by a program that brings it
    "panels/": "panels/__init__.py",
    "view/png.py": "view/picture.py",
    "doctor.py": "itself: it finds out what is missing",
}


def unguarded(source: str) -> list[str]:
    """Libraries beyond the core that a file imports without `with needed_for(…)` around."""
    tree = ast.parse(source)
    guarded = set()
    for node in ast.walk(tree):
        test = ast.unparse(node.test) if isinstance(node, ast.If) else ""
        items = [ast.unparse(item) for item in node.items] if isinstance(node, ast.With) else []
        if test == "TYPE_CHECKING" or any(item.startswith("needed_for(") for item in items):
            guarded |= set(ast.walk(node))
    names = []
    for node in set(ast.walk(tree)) - guarded:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.append(node.module)
    known = sys.stdlib_module_names | {*CORE, "pydantic_core", "IPython"}  # IPython: where it shows
    return sorted({name.partition(".")[0] for name in names} - known)


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "edalab").rglob("*.py")),
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_every_library_of_the_course_is_imported_where_its_absence_is_explained(path):
    inside = path.relative_to(ROOT / "edalab").as_posix()
    if not inside.startswith(tuple(GUARDED)):
        assert unguarded(path.read_text(encoding="utf-8")) == []


def test_an_import_that_nothing_explains_is_found():
    assert unguarded("def steps():\n    import pandas") == ["pandas"]
    assert unguarded("from matplotlib.figure import Figure\nimport numpy as np") == [
        "matplotlib",
        "numpy",
    ]
    assert unguarded("with needed_for('x'):\n    import pandas\nimport pydantic, json") == []


# -- the core alone, installed


def fetched(*command: str) -> None:
    """Run a command that needs the network."""
    program = shutil.which(command[0])
    if program is None:
        missing(f"{command[0]} is not installed")
    done = subprocess.run(
        [program, *command[1:]], capture_output=True, encoding="utf-8", errors="replace"
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "error" in line.lower()]
        missing(f"{' '.join([Path(program).stem, *command[1:3]])} failed: {said[:1]}")


def missing(why: str) -> None:
    (pytest.fail if os.environ.get("EDALAB_CORE_REQUIRED") == "1" else pytest.skip)(why)


def pins(*names: str) -> list[str]:
    known = map(Requirement, PROJECT["tool"]["uv"]["constraint-dependencies"])
    return [str(pin) for pin in known if pin.name in names]


def test_installed_without_the_course_it_simulates_explores_and_draws_the_same(tmp_path):
    fetched(sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv"))
    python = str(tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python")
    pip = "-m", "pip", "--python", python, "install", "--retries", "1"
    fetched(sys.executable, *pip, str(ROOT), *pins(*CORE))
    # Away from the sources, so that it is the installed edalab that they import.
    tests = shutil.copytree(HERE, tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    digests, explorations = json.loads(process(python, ALL, cwd=tests))
    assert digests == EXPECTED and explorations == explored_here()
    told = process(python, ASK, cwd=tests)
    assert {name: json.loads(told)[name].partition(":")[0] for name in NEEDS} == NEEDS
    packages = process(
        python, "from importlib.metadata import distributions as d; print(*{p.name for p in d()})"
    )
    assert {*CORE, "edalab"} < {*packages.split()} and not {*COURSE} & {*packages.split()}


# -- the core in WebAssembly

PLAY = """
import { pathToFileURL } from "node:url";
const [pyodide, cache, course, code] = process.argv.slice(1);
const { loadPyodide } = await import(pathToFileURL(pyodide));
const env = { HOME: "/home/pyodide", PYTHONHASHSEED: "random", PYTHONPYCACHEPREFIX: "/cache/pycache" };
const python = await loadPyodide({ env });
python.mountNodeFS("/cache", cache);
python.mountNodeFS("/course", course);
try {
    python.runPython(code);
} catch (error) {
    console.error(error.message);
    process.exit(1);
}
"""


def kept(name: str, *command: str) -> Path:
    """A folder in `.cache/` that a command fills, once: its last word is the folder."""
    folder = ROOT / ".cache" / name
    if not folder.is_dir():
        folder.parent.mkdir(exist_ok=True)
        with TemporaryDirectory(dir=folder.parent) as new:
            fetched(*command, str(Path(new) / name))
            (Path(new) / name).rename(folder)
    return folder


def test_in_webassembly_it_simulates_explores_and_draws_the_same():
    node = shutil.which("node") or missing("node is not installed")
    npm = f"npm install pyodide@{PYODIDE} --ignore-scripts --prefer-offline --fetch-retries 1"
    own = ["--cache", str(ROOT / ".cache/npm")]  # without a home, npm has no place for its own
    pyodide = kept(f"pyodide-{PYODIDE}", *npm.split(), *own, "--prefix")
    pyodide = pyodide / "node_modules/pyodide/pyodide.mjs"
    needed = pins(*CORE)
    pip = [sys.executable, *"-m pip install --retries 1 --no-compile --only-binary=:all:".split()]
    site = kept("wheels " + " ".join(needed), *pip, *WHEELS.split(), *needed, "--target")
    code = f"""
import sys
sys.dont_write_bytecode = False  # it goes to /cache/pycache: the next run starts sooner
sys.path[:0] = ["/cache/{site.name}", "/course", "/course/tests"]
{ALL}
"""
    words = ["--input-type=module", "--eval", PLAY, pyodide, site.parent, ROOT, code]
    ran = subprocess.run([node, *map(str, words)], capture_output=True, encoding="utf-8")
    assert ran.returncode == 0, ran.stderr
    digests, explorations = json.loads(ran.stdout)
    assert digests == EXPECTED and explorations == explored_here()

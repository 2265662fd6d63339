"""The rooms of the package, and the arrows between them: downwards only."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import edalab.sim

PACKAGE = Path(__file__).resolve().parent.parent / "edalab"
DECISIONS = PACKAGE.parent / "docs" / "decisions"
# From the ground up; rooms on one floor do not know each other.
FLOORS = [
    {"errors"},
    {"text", "stuck"},
    {"model"},
    {"sim", "store"},
    {"trace"},
    {"claims"},
    {"view"},
    {"panels", "practice"},
    {"exercises"},
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# `edalab/__init__.py` gathers what lessons import; pictures and panels are imported by name, they are heavy.
FLOOR["__init__"] = FLOOR["claims"] + 0.5
FLOOR["doctor"] = FLOOR["errors"]  # it needs nothing, for it finds out what is missing
FLOOR["__main__"] = len(FLOORS)
# What is read in an evening: one message from `publish` to the verdict and to the picture.
CORE_ROOMS = {"errors", "text", "stuck", "model", "sim"}
CORE_FILES = {
    *("__init__", "trace.__init__", "trace.faults", "trace.spans", "trace.identity"),
    "trace.transfers",
    *(
        "claims.__init__",
        "claims.claim",
        "claims.observed_run",
        "claims.deploys",
        "claims.exploration",
        "claims.explore",
        "claims.delivery",
    ),
    *("view.__init__", "view.scene", "view.shapes", "view.theme", "view.svg", "view.picture"),
    *("view.axis", "view.arrows", "view.excerpt", "view.timeline"),
    *(
        "view.items",
        "view.drawn",
        "view.layout",
        "view.labels",
        "view.bar_names",
        "view.timeline_labels",
    ),
}
# Lines at 100 columns, of today. They may fall. A rise needs a reason, and most often a better place.
LINES = {"core": 11705, "library": 24476, "exercises": 6131}
LONGEST = 320
FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def rooms_imported(path: Path, source: str):
    """(line, room) for each import of another room, wherever in the file it stands."""
    inside = ["edalab", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(source)):
        targets = []
        if isinstance(node, ast.Import):
            targets = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            stem = inside[: len(inside) - node.level + 1] if node.level else []
            module = [*stem, *(node.module.split(".") if node.module else [])]
            targets = (
                [[*module, alias.name] for alias in node.names]
                if module == ["edalab"]
                else [module]
            )
        for target in targets:
            if target[0] == "edalab":
                yield node.lineno, target[1] if len(target) > 1 else "__init__"


def arrows_up(path: Path, source: str) -> list[str]:
    home = room_of(path)
    return [
        f"{path.relative_to(PACKAGE.parent).as_posix()}:{line} ({home}) imports {room}"
        for line, room in rooms_imported(path, source)
        if room != home and FLOOR.get(room, FLOOR["__init__"]) >= FLOOR[home]
    ]


def test_every_file_is_in_a_room():
    strangers = sorted({room_of(path) for path in FILES} - set(FLOOR))
    assert not strangers, f"no such rooms: {strangers}; rooms: {sorted(FLOOR)}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_arrows_point_downwards(path):
    assert arrows_up(path, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("home", "source", "up"),
    [
        ("sim/kernel.py", "from ..view import scene", True),
        ("sim/kernel.py", "from edalab.view.scene import Scene", True),
        ("sim/kernel.py", "import edalab.panels", True),
        ("sim/kernel.py", "def f():\n    from edalab import simulate", True),
        ("sim/kernel.py", "from .. import view", True),
        (
            "sim/kernel.py",
            "from ..model import Event\nfrom . import logs\nfrom ..errors import Misuse",
            False,
        ),
        ("panels/laboratory.py", "from ..practice import predict", True),
        ("panels/laboratory.py", "from ..view import timeline\nimport edalab.sim", False),
        ("__init__.py", "from .claims.claim import Claim\nfrom .sim import simulate", False),
        ("__init__.py", "from .view import timeline", True),
        ("errors.py", "from .model import Event", True),
    ],
)
def test_an_arrow_upwards_is_found(home, source, up):
    assert bool(arrows_up(PACKAGE / home, source)) == up


def test_importing_edalab_loads_nothing_heavy():
    heavy = {"matplotlib", "ipywidgets", "pandas", "numpy", "networkx", "IPython"}
    code = f"import sys, edalab; print(*sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == []


def module(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def imported(path: Path) -> set[str]:
    """The modules of the package that a file imports when it is loaded."""
    inside = path.relative_to(PACKAGE).parent.parts
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        stem = [*inside[: len(inside) - node.level + 1], *(node.module or "").split(".")]
        stem = [part for part in stem if part]
        for alias in node.names:
            for parts in ([*stem, alias.name], stem, [*stem, "__init__"]):
                if parts and PACKAGE.joinpath(*parts).with_suffix(".py").is_file():
                    found.add(".".join(parts))
                    break
    return found


ARROWS = {module(path): imported(path) for path in FILES}


def in_core(name: str) -> bool:
    return name in CORE_FILES or name.split(".")[0] in CORE_ROOMS


def circle_from(name: str, arrows: dict[str, set[str]]) -> list[str]:
    """A way along the arrows from a module back to itself, or []."""
    ways, seen = [[name]], set()
    while ways:
        way = ways.pop()
        for target in arrows.get(way[-1], ()):
            if target == name:
                return [*way, name]
            if target not in seen:
                seen.add(target)
                ways.append([*way, target])
    return []


def test_no_module_imports_itself_in_a_circle():
    # A package's own file gathers what stands in the files below it, so it is left out.
    arrows = {
        name: {target for target in targets if not target.endswith("__init__")}
        for name, targets in ARROWS.items()
    }
    circles = [circle for name in sorted(arrows) if (circle := circle_from(name, arrows))]
    assert not circles, "move what both need below both: " + " -> ".join(circles[0])


def test_a_circle_is_found():
    assert circle_from("a", {"a": {"b"}, "b": {"c"}, "c": {"a"}}) == ["a", "b", "c", "a"]
    assert circle_from("a", {"a": {"b"}, "b": set()}) == []


def test_no_core_file_imports_a_leaf():
    gathered = {"__init__", "claims.__init__", "view.__init__"}
    leaves = [
        f"{name} imports {target}"
        for name in ARROWS
        if in_core(name) and name not in gathered
        for target in sorted(ARROWS[name])
        if not in_core(target)
    ]
    assert not leaves, f"turn the arrow round, the core knows no leaf: {leaves}"


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_the_package_stays_within_its_budgets():
    sizes = dict.fromkeys(LINES, 0)
    for path in FILES:
        name = module(path)
        sizes["exercises" if name.startswith("exercises.") else "library"] += lines(path)
        sizes["core"] += lines(path) if in_core(name) else 0
    over = {
        part: f"{sizes[part]} lines of {LINES[part]}" for part in LINES if sizes[part] > LINES[part]
    }
    assert not over, (
        f"{over}. What an exercise asks belongs in exercises/, what one view needs in its leaf; "
        "delete something, or use what is there."
    )


@pytest.mark.parametrize("path", FILES, ids=module)
def test_no_file_is_too_long(path):
    assert lines(path) <= LONGEST, (
        f"more than {LONGEST} lines hold more than one concept: part them"
    )


@pytest.mark.parametrize(
    "text",
    [edalab.sim.__doc__, (DECISIONS / "0010-spans-and-refusals.md").read_text(encoding="utf-8")],
    ids=["sim", "decision"],
)
def test_the_way_of_a_message_names_what_exists(text):
    named = re.findall(r"`([A-Z]\w+)\.(\w+)`", text)
    classes = {
        name: thing
        for module in list(sys.modules.values())
        if getattr(module, "__name__", "").startswith("edalab.sim.")
        for name, thing in vars(module).items()
    }
    missing = [(cls, name) for cls, name in named if not hasattr(classes.get(cls), name)]
    assert len(named) > 5 and not missing

"""The rooms of the package, and the arrows between them: downwards only."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "edalab"
# From the ground up; rooms on one floor do not know each other.
FLOORS = [{"errors"}, {"model"}, {"history"}, {"sim"}, {"proof"}, {"view"}, {"panels", "practice"}]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# `edalab/__init__.py` gathers what lessons import; the pictures and the panel are imported by name, they are heavy.
FLOOR["__init__"] = FLOOR["proof"] + 0.5
FLOOR |= {
    "doctor": FLOOR["errors"],
    "__main__": len(FLOORS),
}  # the doctor needs nothing, for it finds out what is missing
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
            "from ..history import Step\nfrom . import logs\nfrom ..errors import Misuse",
            False,
        ),
        ("panels/laboratory.py", "from ..practice import predict", True),
        ("panels/laboratory.py", "from ..view import timeline\nimport edalab.sim", False),
        ("__init__.py", "from .proof import Claim\nfrom .sim import simulate", False),
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

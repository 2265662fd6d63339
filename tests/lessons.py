"""What the cells of a lesson define, for the tests that hold its text against its runs."""

import ast
from types import SimpleNamespace

import nbformat

from tools import store


def read(name: str):
    return nbformat.read(store.ROOT / "notebooks" / f"{name}.ipynb", as_version=4)


def prose(name: str) -> str:
    return "\n".join(cell.source for cell in read(name).cells if cell.cell_type == "markdown")


def definitions(name: str, shown: str = "nothing") -> SimpleNamespace:
    """The names that a lesson's cells give to things; what a cell shows at its end is left out, but for what calls
    `shown`."""
    found = {"__name__": f"lesson {name}"}
    for cell in read(name).cells:
        if cell.cell_type == "code":
            tree = ast.parse(cell.source)
            last = tree.body[-1]
            if isinstance(last, ast.Expr) and f"{shown}(" not in ast.unparse(last):
                tree.body.pop()
            exec(compile(tree, f"lesson {name}", "exec"), found)
    return SimpleNamespace(**found)

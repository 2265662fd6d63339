"""A solution with one small thing wrong: a line left out, two swapped, a condition turned round, a constant changed."""

import ast
import copy
import re
from collections.abc import Iterator

COMPARED = {
    ast.Gt: (ast.GtE, ast.Lt),
    ast.Lt: (ast.LtE, ast.Gt),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.LtE: (ast.Lt, ast.Gt),
}
IN_SQL = [  # what is changed in a statement, wherever it stands
    (r" where .*", ""),
    (r" on conflict.*", ""),
    (r"insert or (ignore|replace)", "insert"),
    (r"(?<![<>=]) > ", " >= "),
    (r"(?<![<>=]) < ", " <= "),
    (r" > ", " < "),
    (r" < ", " > "),
    (r" and ", " or "),
    (r" desc\b", ""),
]


def mutants(source: str) -> Iterator[tuple[str, str]]:
    """Every mutant of the function in `source`: what was done to it, and its source."""
    for what, tree in _changed(ast.parse(source)):
        mutant = ast.unparse(ast.fix_missing_locations(tree))
        if mutant != ast.unparse(ast.parse(source)):
            yield what, mutant


def _changed(tree: ast.Module) -> Iterator[tuple[str, ast.Module]]:
    for number, node in enumerate(ast.walk(tree)):
        for what, change in _changes(node):
            again = copy.deepcopy(tree)
            change(list(ast.walk(again))[number])
            yield what, again


def _changes(node: ast.AST) -> Iterator[tuple[str, object]]:
    """What can be done to a node: in words, and the function that does it."""
    for field in ("body", "orelse", "handlers", "finalbody"):
        lines = getattr(node, field, None)
        if isinstance(lines, list) and not isinstance(node, ast.Module):
            first = (
                1
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                and ast.get_docstring(node)
                else 0
            )
            for at in range(first, len(lines)):
                yield f"without: {_said(lines[at])}", lambda n, f=field, at=at: _drop(n, f, at)
                if at + 1 < len(lines):
                    yield (
                        f"swapped: {_said(lines[at])} | {_said(lines[at + 1])}",
                        lambda n, f=field, at=at: _swap(n, f, at),
                    )
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        yield f"not: {_said(node.test)}", _negate
    if isinstance(node, ast.BoolOp):
        yield f"and/or: {_said(node)}", _and_or
    if isinstance(node, ast.Compare):
        for other in COMPARED.get(type(node.ops[0]), ()):
            yield (
                f"{other.__name__}: {_said(node)}",
                lambda n, other=other: n.ops.__setitem__(0, other()),
            )
    if isinstance(node, ast.Constant):
        for what, value in _other_constants(node.value):
            yield what, lambda n, value=value: setattr(n, "value", value)


def _other_constants(value: object) -> Iterator[tuple[str, object]]:
    others = []
    if isinstance(value, bool):
        others = [not value]
    elif isinstance(value, int | float):
        others = [value + 1, value - 1, 0]
    elif isinstance(value, str) and re.match(r"\s*(select|insert|update|delete|replace) ", value):
        plain = " ".join(value.split())
        for pattern, instead in IN_SQL:
            for found in re.finditer(pattern, plain):
                around = (
                    re.search(r"(\S+)?$", plain[: found.start()])[0],
                    re.match(r"\S*", plain[found.end() :])[0],
                )
                what = f"{found[0].join(around)} -> {instead.join(around)}".strip()
                yield what, plain[: found.start()] + instead + plain[found.end() :]
    elif isinstance(value, str) and len(value) == 1:
        others = [letter for letter in "abcd" if letter != value]
    elif isinstance(value, str) and len(value) < 20:
        others = [value + "x"]
    for other in others:
        yield f"{value!r} -> {other!r}", other


def _drop(node: ast.AST, field: str, at: int) -> None:
    lines = getattr(node, field)
    del lines[at]
    if not lines and field == "body":
        lines.append(ast.Pass())


def _swap(node: ast.AST, field: str, at: int) -> None:
    lines = getattr(node, field)
    lines[at], lines[at + 1] = lines[at + 1], lines[at]


def _negate(node: ast.If) -> None:
    node.test = ast.UnaryOp(ast.Not(), node.test)


def _and_or(node: ast.BoolOp) -> None:
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()


def _said(node: ast.AST) -> str:
    return ast.unparse(node).splitlines()[0].strip()

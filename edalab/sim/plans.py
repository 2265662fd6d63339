"""A fault plan travels as one line: what `print(faults)` shows can be pasted into `simulate`, and into a panel."""

import ast

from ..errors import Misuse, shown
from .faults import Fault, Faults, Window, cut, parse, pause

_CALLS = {"Fault": Fault, "Faults": Faults, "cut": cut, "pause": pause}


def parse_plan(text: str) -> list[Fault | Faults | Window]:
    """The faults of a line: a list as Python prints it, or the text forms with ; between them. Runs nothing of it."""
    text = text.strip().removeprefix("faults=")
    if not text.startswith(("[", "Fault", "cut(", "pause(", "'", '"')):
        return [parse(part) for part in text.replace("\n", ";").split(";") if part.strip()]
    try:
        written = ast.parse(text.rstrip(","), mode="eval").body
        parts = written.elts if isinstance(written, ast.List | ast.Tuple) else [written]
        return [_read(part) for part in parts]
    except (
        SyntaxError,
        ValueError,
        KeyError,
        AttributeError,
        TypeError,
        RecursionError,
        MemoryError,
    ):
        raise Misuse(
            f"{shown(text)} is no list of faults; write ['crash payments.commit.OrderPlaced #2', Faults(delay=0.1)], "
            "or the texts with ; between them"
        ) from None


def _read(part: ast.expr) -> Fault | Faults | Window:
    if isinstance(part, ast.Call):
        values = [ast.literal_eval(value) for value in part.args]
        return _CALLS[part.func.id](
            *values, **{word.arg: ast.literal_eval(word.value) for word in part.keywords}
        )
    return parse(ast.literal_eval(part))

"""Why a cell of the fault matrix is empty: what cannot strike at its point, or was not tried there."""

from ..model import System
from ..sim import ACTIONS, actions_at

Point = tuple[str, str, str]  # service, step, type of the message


def why_empty(system: System, point: Point, column: str) -> str:
    """Why none of the actions of a column was tried at a point, in the words of `docs/faults.md`."""
    service, step, _ = point
    has = [action for action in ACTIONS[step] if action in column.split("/")]
    if not has:
        return f"the step {step} has no {column}, only {', '.join(ACTIONS[step])}"
    if service == "client":
        return "at the client, explore tries only duplicate and delay"
    if has[0] in actions_at(system, point):
        return "not tried: the exploration stopped before"
    if has == ["lose"]:
        return "a publish can be lost only with confirms=False"
    return f"{has[0]} exists only where the topic confirms"

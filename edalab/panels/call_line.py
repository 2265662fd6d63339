"""The same in code: the line that makes the run on the screen, with the functions and keywords of the lesson."""

import ast
import inspect
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import Misuse, Unknown, shown
from ..model import System
from ..sim import Fault, Faults, simulate
from ..stuck import watched
from ..view import timeline

LINE = 82  # characters that fit below a picture
_CALLS = (("edalab", simulate), ("edalab", Faults), ("edalab.view", timeline))


class Names:
    """What things are called in the notebook that made a panel; `missing` have no name there."""

    def __init__(self, variables: Mapping[str, Any], panel: str):
        self.variables, self.panel, self.missing = variables, panel, []

    def of(self, thing: Any, otherwise: str) -> str:
        """Plain data as it is written, all else by its name, or by one it has to be given first."""
        text = json.dumps(thing, ensure_ascii=False) if isinstance(thing, str) else repr(thing)
        try:
            if ast.literal_eval(text) == thing:
                return text
        except (ValueError, SyntaxError):
            pass
        for name, value in self.variables.items():
            if value is thing and not name.startswith("_"):
                return name
        self.missing.append(otherwise)
        return otherwise

    def whole(self, code: str) -> str:
        """The code below what it needs first: imports, and a remark on names to be given."""
        lines = [
            f"from {module} import {call.__name__}"
            for module, call in _CALLS
            if f"{call.__name__}(" in code and self.variables.get(call.__name__) is not call
        ]
        if given := ", ".join(f"{name} = …" for name in dict.fromkeys(self.missing)):
            lines.append(f"# First name what you gave to {self.panel}: {given}")
        return "\n".join([*lines, code])


class Maker:
    """A system or a workload, or the function of knobs that makes one; and what it is called where the panel was made."""

    def __init__(self, thing: Any, ready: bool, otherwise: str):
        self.thing, self.ready, self.otherwise = thing, ready, otherwise
        self.name = getattr(thing, "__name__", otherwise)
        self.parameters = {} if ready else inspect.signature(thing).parameters
        self._made: tuple[dict, Any] = ({}, None)

    def takes(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The knobs that are keywords of the function."""
        return {name: values[name] for name in self.parameters if name in values}

    def make(self, values: Mapping[str, Any]) -> Any:
        """The thing, made anew only where one of its knobs was turned."""
        if self.ready:
            return self.thing
        taken = self.takes(values)
        if self._made[1] is None or self._made[0] != taken:
            with watched(self.name):
                self._made = taken, self.thing(**taken)
            if self._made[1] is None:
                raise Misuse(f"{self.name} returned nothing; end it with a return")
        return self._made[1]

    def code(self, values: Mapping[str, Any], names: Names) -> str:
        """The expression that makes it."""
        name = names.of(self.thing, self.otherwise)
        if self.ready:
            return name
        taken = self.takes(values).items()
        return f"{name}({', '.join(f'{knob}={names.of(value, knob)}' for knob, value in taken)})"


def makers(system: Any, workload: Any, knobs: Mapping[str, Any]) -> tuple[Maker, Maker]:
    """System and workload, with the knobs that each takes. Raises Misuse for a knob nobody takes and a keyword nobody sets."""
    if not isinstance(system, System) and not callable(system):
        raise Misuse(
            f"Laboratory takes a system, or a function that makes one from knobs, not {shown(system)}"
        )
    if not callable(workload):
        raise Misuse(
            f"Laboratory takes a workload, `async def three_orders(ctx)`, or a function that makes one, not {shown(workload)}"
        )
    plays = inspect.iscoroutinefunction(workload) or inspect.iscoroutinefunction(
        getattr(workload, "__call__", None)
    )
    both = Maker(system, isinstance(system, System), "system"), Maker(workload, plays, "workload")
    for maker in both:
        if "ctx" in maker.parameters:
            raise Misuse(
                f"{maker.name} takes ctx and is no coroutine; "
                f"a workload is `async def {maker.name.strip('<>')}(ctx):`"
            )
        for name, parameter in maker.parameters.items():
            if (
                parameter.default is parameter.empty
                and parameter.kind.name.endswith("KEYWORD")
                and name not in knobs
            ):
                raise Misuse(
                    f"{maker.name} needs {name}, and there is no such knob; give Laboratory(knobs={{{name!r}: [...]}})"
                )
    for name in knobs:
        if not any(name in maker.parameters for maker in both):
            known = [parameter for maker in both for parameter in maker.parameters]
            raise Unknown("keyword of system or workload for the knob", name, known)
    return both


def line(
    system: str, workload: str, seed: int, faults: Iterable[Fault | Faults], outcome: str
) -> str:
    """The call of `simulate`, in one line where it fits; its outcome is a remark at the end."""
    begin = f"run = simulate({system}, {workload}, seed={seed}"
    words = [repr(fault) if isinstance(fault, Faults) else f'"{fault}"' for fault in faults]
    listed = ", ".join(words)
    whole = begin + (f", faults=[{listed}])" if words else ")") + f"  # {outcome}"
    if len(whole) <= LINE or not words:
        return whole
    if len(listed) > LINE - 25:
        listed = f",\n{' ' * 23}".join(words)
    return f"{begin},\n{' ' * 15}faults=[{listed}])  # {outcome}"

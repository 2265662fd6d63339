"""The same in code: the line that makes the run on the screen, with the functions and keywords of the lesson."""

import inspect
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ..claims.claim import Claim
from ..errors import Misuse, Unknown
from ..model import System
from ..sim import Fault, Faults

LINE = 82  # characters that fit below a picture


class Maker:
    """A system or a workload, or the function of knobs that makes one; and what it is called where the panel was made."""

    def __init__(self, thing: Any, ready: bool, variables: Mapping[str, Any]):
        self.thing, self.ready = thing, ready
        named = [
            name for name, value in variables.items() if value is thing and not name.startswith("_")
        ]
        self.name = named[0] if named else getattr(thing, "__name__", getattr(thing, "name", "?"))
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
            self._made = taken, self.thing(**taken)
        return self._made[1]

    def code(self, values: Mapping[str, Any]) -> str:
        """The expression that makes it."""
        if self.ready:
            return self.name
        return f"{self.name}({', '.join(f'{name}={literal(value)}' for name, value in self.takes(values).items())})"


def makers(
    system: Any, workload: Any, knobs: Mapping[str, Any], variables: Mapping[str, Any]
) -> tuple[Maker, Maker]:
    """System and workload, with the knobs that each takes. Raises Misuse for a knob nobody takes and a keyword nobody sets."""
    if not isinstance(system, System) and not callable(system):
        raise Misuse(
            f"Laboratory takes a system, or a function that makes one from knobs, not {system!r}"
        )
    if not callable(workload):
        raise Misuse(
            f"Laboratory takes a workload, `async def three_orders(ctx)`, or a function that makes one, not {workload!r}"
        )
    plays = inspect.iscoroutinefunction(workload) or inspect.iscoroutinefunction(
        getattr(workload, "__call__", None)
    )
    both = Maker(system, isinstance(system, System), variables), Maker(workload, plays, variables)
    for maker in both:
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


def claims_of(claims: Any) -> list[Claim]:
    """One claim or several, as a list. Raises Misuse for what is none."""
    claims = [claims] if isinstance(claims, Claim) else list(claims)
    for claim in claims:
        if not isinstance(claim, Claim):
            name = getattr(claim, "__name__", repr(claim))
            raise Misuse(
                f'Laboratory(claims=[...]) takes claims, and {name} is none; write @Claim("...") above its function'
            )
    return claims


def line(
    system: str, workload: str, seed: int, faults: Iterable[Fault | Faults], came_of_it: str
) -> str:
    """The call of `simulate`, in one line where it fits; what came of it is a remark at the end."""
    begin = f"run = simulate({system}, {workload}, seed={seed}"
    words = [repr(fault) if isinstance(fault, Faults) else literal(str(fault)) for fault in faults]
    listed = ", ".join(words)
    whole = begin + (f", faults=[{listed}])" if words else ")") + f"  # {came_of_it}"
    if len(whole) <= LINE or not words:
        return whole
    if len(listed) > LINE - 25:
        listed = f",\n{' ' * 23}".join(words)
    return f"{begin},\n{' ' * 15}faults=[{listed}])  # {came_of_it}"


def literal(value: Any) -> str:
    return (
        json.dumps(value, ensure_ascii=False)
        if isinstance(value, str)
        else getattr(value, "__name__", repr(value))
    )


class Summary(str):
    """Text that a notebook shows as it is, without quotes."""

    def __repr__(self) -> str:
        return str(self)

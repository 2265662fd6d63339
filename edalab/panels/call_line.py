"""The run on the screen as a line of code, with the names that the notebook uses."""

import ast
import inspect
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from ..errors import Misuse, Unknown, shown
from ..model import System
from ..sim import AnyFault, Deploy, Faults, simulate
from ..stuck import watched
from ..view import compare, timeline

LINE = 82  # characters that fit below a picture
_SYSTEM = "a system, or a function that makes one from knobs"
_WORKLOAD = "a workload, `async def three_orders(ctx)`, or a function that makes one"
_CALLS = {"edalab": (simulate, Faults), "edalab.view": (timeline, compare)}


class NotebookNames:
    """The names of objects in the notebook that created a panel. `.missing` are those without a name."""

    def __init__(self, variables: Mapping[str, Any], panel: str):
        self.variables, self.panel = variables, panel
        self.missing: list[str] = []

    def of(self, thing: Any, otherwise: str) -> str:
        """The code of an object: a literal, or its name in the notebook, or else `otherwise`."""
        text = json.dumps(thing, ensure_ascii=False) if isinstance(thing, str) else repr(thing)
        with suppress(ValueError, SyntaxError):
            if ast.literal_eval(text) == thing:
                return text
        for name, value in self.variables.items():
            if value is thing and not name.startswith("_"):
                return name
        self.missing.append(otherwise)
        return otherwise

    def whole(self, code: str) -> str:
        """The code with the imports it needs, and a comment on objects that have no name yet."""
        lines = [
            f"from {module} import {call.__name__}"
            for module, calls in _CALLS.items()
            for call in calls
            if f"{call.__name__}(" in code and self.variables.get(call.__name__) is not call
        ]
        if missing := ", ".join(f"{name} = …" for name in dict.fromkeys(self.missing)):
            lines.append(f"# First name what you gave to {self.panel}: {missing}")
        return "\n".join([*lines, code])


class Factory:
    """A system or a workload (`kind`), either `ready` or made by a function of knobs."""

    def __init__(self, thing: Any, ready: bool, kind: str):
        self.thing, self.ready, self.kind = thing, ready, kind
        self.name = getattr(thing, "__name__", kind)
        self.parameters = {} if ready else dict(inspect.signature(thing).parameters)
        self._made: tuple[dict, Any] = ({}, None)

    def arguments(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values of the knobs that are keywords of the function."""
        return {name: values[name] for name in self.parameters if name in values}

    def make(self, values: Mapping[str, Any]) -> Any:
        """Return the system or workload, made anew only if one of its knobs has changed."""
        if self.ready:
            return self.thing
        arguments = self.arguments(values)
        if self._made[1] is None or self._made[0] != arguments:
            with watched(self.name):
                self._made = arguments, self.thing(**arguments)
            if self._made[1] is None:
                raise Misuse(f"{self.name} returned nothing; end it with a return")
        return self._made[1]

    def code(self, values: Mapping[str, Any], names: NotebookNames) -> str:
        """The expression that makes the system or workload."""
        name = names.of(self.thing, self.kind)
        if self.ready:
            return name
        arguments = self.arguments(values).items()
        return f"{name}({', '.join(f'{knob}={names.of(v, knob)}' for knob, v in arguments)})"


def factories(system: Any, workload: Any, knobs: Mapping[str, Any]) -> tuple[Factory, Factory]:
    """The factories of the system and the workload.

    Raises Misuse for a knob that neither takes, and for a keyword that no knob sets."""
    for thing, right, wanted in (
        (system, isinstance(system, System) or callable(system), _SYSTEM),
        (workload, callable(workload), _WORKLOAD),
    ):
        if not right:
            raise Misuse(f"Laboratory takes {wanted}, not {shown(thing)}")
    called = getattr(workload, "__call__", None)  # noqa: B004 (a workload may be an object)
    is_workload = any(map(inspect.iscoroutinefunction, (workload, called)))
    ready = isinstance(system, System)
    both = Factory(system, ready, "system"), Factory(workload, is_workload, "workload")
    for factory in both:
        name = factory.name
        if "ctx" in factory.parameters:
            mend = f"a workload is `async def {name.strip('<>')}(ctx):`"
            raise Misuse(f"{name} takes ctx and is not a coroutine; {mend}")
        for keyword, parameter in factory.parameters.items():
            needed = parameter.default is parameter.empty and keyword not in knobs
            if needed and parameter.kind.name.endswith("KEYWORD"):
                mend = f"give Laboratory(knobs={{{keyword!r}: [...]}})"
                raise Misuse(f"{name} needs {keyword}, and there is no such knob; {mend}")
    known = [parameter for factory in both for parameter in factory.parameters]
    for knob in knobs:
        if knob not in known:
            raise Unknown("keyword of system or workload for the knob", knob, known)
    return both


def written(fault: AnyFault, names: NotebookNames, deploys: Iterable[Deploy]) -> str:
    """The code of a fault. A deploy has the name of the one that was given to the panel."""
    if isinstance(fault, Deploy):
        given = next(one for one in deploys if one.new is fault.new)
        return f"{names.of(given, f'deploy_{fault.service}')}.at({fault.start:g})"
    return repr(fault) if isinstance(fault, Faults) else f'"{fault}"'


def line(call: str, items: list[str], outcome: str) -> str:
    """The call of `simulate`, on one line if it fits, with the outcome in a comment at the end."""
    listed = ", ".join(items)
    begin = f"run = simulate({call}"
    whole = begin + (f", faults=[{listed}])" if items else ")") + f"  # {outcome}"
    if len(whole) <= LINE or not items:
        return whole
    if len(listed) > LINE - 25:
        listed = f",\n{' ' * 23}".join(items)
    return f"{begin},\n{' ' * 15}faults=[{listed}])  # {outcome}"

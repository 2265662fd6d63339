"""A fault plan: the faults that a run is asked for. It travels as one line, such as `print(run.faults)` shows."""

import ast
import re
from collections.abc import Iterable

from ..errors import Misuse, Unknown, listed, shown
from ..model import System, message_types
from .faults import ACTIONS, ORDER, Fault, Faults, Window, cut, parse, pause
from .points import SENT, Point, actions_at, points

AnyFault = Fault | Faults | Window
_CALLS = {"Fault": Fault, "Faults": Faults, "cut": cut, "pause": pause}


def parse_plan(text: str) -> list[AnyFault]:
    """The faults of a line: a list as Python prints it, or their texts with ; or , between them. Runs no code of it."""
    text = text.strip().removeprefix("faults=")
    if not text.startswith(("[", "Fault", "cut(", "pause(", "'", '"')):
        return [parse(part) for part in re.split("[;,\n]", text) if part.strip()]
    try:
        written = ast.parse(text.rstrip(","), mode="eval").body
        parts = written.elts if isinstance(written, ast.List | ast.Tuple) else [written]
        return [_read(part) for part in parts]
    except (
        SyntaxError,
        ValueError,
        LookupError,
        AttributeError,
        TypeError,
        RecursionError,
        MemoryError,
    ):
        raise Misuse(
            f"{shown(text)} is no list of faults; write ['crash payments.commit.OrderPlaced #2', Faults(delay=0.1)], "
            "or the texts with ; between them"
        ) from None


def _read(part: ast.expr) -> AnyFault:
    if isinstance(part, ast.Call) and isinstance(part.func, ast.Name):
        values = [ast.literal_eval(value) for value in part.args]
        options = {str(word.arg): ast.literal_eval(word.value) for word in part.keywords}
        return _CALLS[part.func.id](*values, **options)
    return parse(ast.literal_eval(part))


class Plan:
    """The faults of one run: the `requested` ones, how often each of their points was reached, and those that `struck`.

    Raises Misuse where a fault could never strike this system."""

    def __init__(self, faults: Iterable[AnyFault | str], system: System, seed: int):
        if isinstance(faults, str | AnyFault):
            raise Misuse(f"faults= takes a list: faults=[{shown(faults)}]")
        if not isinstance(faults, Iterable):
            what = f"not {shown(faults)}; faults=[] for none"
            raise Misuse(f"faults= takes a list of faults, {what}")
        self.requested = [parse(fault) if isinstance(fault, str) else fault for fault in faults]
        self.system, self.seed = system, seed
        self.exact: dict[Point, dict[int, list[Fault]]] = {}
        self.random: dict[str, list[tuple[str, Faults]]] = {}  # step -> actions that have a rate
        self.windows: list[Window] = []
        self.counts: dict[Point, int] = {}
        self.struck: list[Fault | Window] = []
        for fault in self.requested:
            if isinstance(fault, Fault):
                if fault.do not in actions_at(system, fault.point):
                    raise _impossible(fault, system)
                self.exact.setdefault(fault.point, {}).setdefault(fault.nth, []).append(fault)
            elif isinstance(fault, Faults):
                for step, actions in ACTIONS.items():
                    if rated := [(action, fault) for action in actions if fault.rate(action)]:
                        self.random.setdefault(step, []).extend(rated)
            elif isinstance(fault, Window):
                _check_window(fault, system)
                self.windows.append(fault)
            else:
                taken = "Fault, its text, Faults, pause and cut"
                raise Misuse(f"faults= takes {taken}, not {shown(fault)}")

    def concerns(self, service: str) -> bool:
        """Whether a fault may strike at this service; all others go on as in a run without faults."""
        named = {point[0] for point in self.exact} | {window.service for window in self.windows}
        return bool(self.random) or service in named

    def fault_at(self, point: Point, ineffective: bool = False) -> Fault | None:
        """Count one more visit to a point; return the fault that strikes on it, or None.

        ineffective: the step has no effect anyway (cut off, fenced), so that only a crash can strike."""
        exact, random = self.exact.get(point), self.random.get(point[1], ())
        if exact is None and not random:
            return None
        nth = self.counts[point] = self.counts.get(point, 0) + 1
        struck = list(exact.get(nth, ())) if exact else []
        struck += [
            Fault(action, ".".join(point), nth)
            for action, rates in random
            if rates.strikes(self.seed, point, action, nth)
            and action in actions_at(self.system, point)
        ]
        if ineffective:
            struck = [fault for fault in struck if fault.do == "crash"]
        if not struck:
            return None
        fault = min(struck, key=lambda f: ORDER.index(f.do))
        self.struck.append(fault)
        return fault

    def unfired(self) -> list[Fault | Window]:
        """The faults that were asked for by name and did not happen."""
        left = list(self.struck)
        missing = []
        for fault in self.requested:
            if fault in left:
                left.remove(fault)
            elif not isinstance(fault, Faults):
                missing.append(fault)
        return missing


def _impossible(fault: Fault, system: System) -> Misuse:
    """The error for a fault that could never strike: it names the reason."""
    service, step, message = fault.point
    types = message_types()
    if service not in system.services and service != "client":
        return Unknown("service", service, ["client", *system.services])
    if step in SENT and message not in types:
        return Unknown("message", message, types)
    if service == "client" and fault.do == "crash":
        why = f"the client, which plays the outside world, does not crash; crash one of {listed(system.services)}"
    elif step not in SENT:
        known = points(system)
        here = [".".join(point) for point in known if point[0] == service]
        return Unknown("point", fault.at, here or map(".".join, known))
    elif step == "publish" and not issubclass(types[message], SENT[step]):
        why = f"{message} is a query, which is never published"
    elif not issubclass(types[message], SENT[step]):
        why = f"{message} is an event, which is never asked"
    elif fault.do == "lose":
        why = "a publish is lost silently only in a topic declared with confirms=False; here it can `fail`"
    else:
        why = "a topic declared with confirms=False does not say that a publish failed; here it can `lose`"
    return Misuse(f"{fault}: {why}")


def _check_window(window: Window, system: System) -> None:
    if window.service == "client":
        services = listed(system.services)
        raise Misuse(f"{window}: the client plays the outside world; {window.do} one of {services}")
    if window.service not in system.services:
        raise Unknown("service", window.service, system.services)
    replicas = system.services[window.service].replicas
    if (window.replica or 1) > replicas:
        there = f"{replicas} replica{'s' if replicas > 1 else ''}, counted from 1"
        raise Misuse(f"{window}: {window.service} has {there}")

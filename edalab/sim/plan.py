"""A fault plan: the faults that a run is asked for. It travels as one line, such as `print(run.faults)` shows."""

import ast
from collections.abc import Iterable

from ..errors import Misuse, Unknown, listed, shown
from ..model import System, message_types
from .faults import ACTIONS, ORDER, Fault, Faults, Window, cut, parse, pause
from .points import SENT, Point, actions_at, points

_UNREADABLE = (
    *(SyntaxError, ValueError, KeyError, AttributeError, TypeError, RecursionError, MemoryError),
)
_CALLS = {"Fault": Fault, "Faults": Faults, "cut": cut, "pause": pause}


def parse_plan(text: str) -> list[Fault | Faults | Window]:
    """The faults of a line: a list as Python prints it, or their texts with ; between them. Runs no code of it."""
    text = text.strip().removeprefix("faults=")
    if not text.startswith(("[", "Fault", "cut(", "pause(", "'", '"')):
        return [parse(part) for part in text.replace("\n", ";").split(";") if part.strip()]
    try:
        written = ast.parse(text.rstrip(","), mode="eval").body
        parts = written.elts if isinstance(written, ast.List | ast.Tuple) else [written]
        return [_read(part) for part in parts]
    except _UNREADABLE:
        raise Misuse(
            f"{shown(text)} is no list of faults; write ['crash payments.commit.OrderPlaced #2', Faults(delay=0.1)], "
            "or the texts with ; between them"
        ) from None


def _read(part: ast.expr) -> Fault | Faults | Window:
    if isinstance(part, ast.Call):
        values = [ast.literal_eval(value) for value in part.args]
        options = {word.arg: ast.literal_eval(word.value) for word in part.keywords}
        return _CALLS[part.func.id](*values, **options)
    return parse(ast.literal_eval(part))


class Plan:
    """The faults of one run: the `requested` ones, how often each of their points was reached, and those that `struck`.

    Raises Misuse where a fault could never strike this system."""

    def __init__(self, faults: Iterable, system: System, seed: int):
        if isinstance(faults, str | Fault | Faults | Window):
            raise Misuse(f"faults= takes a list: faults=[{shown(faults)}]")
        try:
            self.requested = [parse(f) if isinstance(f, str) else f for f in faults]
        except TypeError:
            raise Misuse(
                f"faults= takes a list of faults, not {shown(faults)}; faults=[] for none"
            ) from None
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
                raise Misuse(
                    f"faults= takes Fault, its text, Faults, pause and cut, not {shown(fault)}"
                )

    def concerns(self, service: str) -> bool:
        """Whether a fault may strike at this service; all others go on as in a run without faults."""
        if self.random or any(window.service == service for window in self.windows):
            return True
        return any(point[0] == service for point in self.exact)

    def strike(
        self, service: str, step: str, message: str, ineffective: bool = False
    ) -> Fault | None:
        """Count one more visit to a point; return the fault that strikes on it, or None.

        ineffective: the step has no effect anyway (cut off, fenced), so that only a crash can strike."""
        point = service, step, message
        exact, random = self.exact.get(point), self.random.get(step, ())
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
    if service not in system.services and service != "client":
        return Unknown("service", service, ["client", *system.services])
    if service == "client" and fault.do == "crash":
        return Misuse(
            f"{fault}: the client, which plays the outside world, does not crash; crash one of {listed(system.services)}"
        )
    if step not in SENT:
        known = points(system)
        here = [".".join(p) for p in known if p[0] == service] or [".".join(p) for p in known]
        return Unknown("point", fault.at, here)
    types = message_types()
    if message not in types:
        return Unknown("message", message, types)
    if not issubclass(types[message], SENT[step]):
        never = (
            "a query, which is never published"
            if step == "publish"
            else "an event, which is never asked"
        )
        return Misuse(f"{fault}: {message} is {never}")
    return Misuse(
        f"{fault}: a publish is lost silently only in a topic declared with confirms=False; here it can `fail`"
        if fault.do == "lose"
        else f"{fault}: a topic declared with confirms=False does not say that a publish failed; here it can `lose`"
    )


def _check_window(window: Window, system: System) -> None:
    if window.service == "client":
        raise Misuse(
            f"{window}: the client plays the outside world, which stands for many; {window.do} one of {listed(system.services)}"
        )
    if window.service not in system.services:
        raise Unknown("service", window.service, system.services)
    replicas = system.services[window.service].replicas
    if window.replica is not None and not 1 <= window.replica <= replicas:
        raise Misuse(
            f"{window}: {window.service} has {replicas} replica{'s' if replicas > 1 else ''}, counted from 1"
        )

"""The points of a system, `service.step.Message`, and the actions that may strike at each."""

from functools import lru_cache

from ..model import Command, Event, Handler, Message, Query, System, message_types
from .faults import ACTIONS, Fault
from .routes import place_of
from .run import Run
from .steps import rows_of

Point = tuple[str, str, str]  # service, step, type of the message
SENT = {"publish": (Event, Command), "ask": (Command, Query)}  # what a service can send
# People press a button twice and networks are slow; the rest of the outside world is not explored.
_EXPLORED_AT_CLIENT = ("duplicate", "delay")


def points(system: System) -> list[Point]:
    """The points at which the declared handlers and ticks consume messages, in the order of declaration.

    They leave out the points at which a service publishes or asks, which only a run shows."""
    found: list[Point] = []
    for name, service in system.services.items():
        for handler in service.handlers.values():
            found += [(name, step, handler.type) for step in _consumer_steps(system, handler)]
        if service.captures is not None:
            found += [(name, step, service.captures[1]) for step in ("handle", "commit")]
        for tick in service.ticks.values():
            found += [(name, step, tick.name) for step in ("handle", "save")]
    return list(dict.fromkeys(found))


def _consumer_steps(system: System, handler: Handler) -> tuple[str, ...]:
    if handler.kind is Query:
        return "handle", "save", "reply"
    if handler.kind is Message:  # a dead letter
        return "deliver", "handle", "save", "ack"
    if handler.kind is Command:
        return "deliver", "handle", "save", "ack", "reply"
    _, is_queue = place_of(system, message_types().get(handler.type, handler.message))
    return "deliver", "handle", "save", "ack" if is_queue else "commit"


def actions_at(system: System, point: Point) -> tuple[str, ...]:
    """The actions of a point's step (`ACTIONS`) that may strike there; () if there is no such point.

    The client does not crash. A topic with `confirms=False` loses a publish, and any other fails to confirm it."""
    return _actions_at(system, point, system.revision, Message.__count__)


@lru_cache(maxsize=2_000)  # called for each fault of each run; the last two arguments expire it
def _actions_at(system: System, point: Point, _revision: object, _count: int) -> tuple[str, ...]:
    service, step, message = point
    if step not in SENT:
        return ACTIONS[step] if point in points(system) else ()
    cls = message_types().get(message)
    if cls is None or not issubclass(cls, SENT[step]):
        return ()
    if service != "client" and service not in system.services:
        return ()
    topic = system.topics.get(place_of(system, cls)[0])
    impossible = {"lose"} if topic is None or topic.confirms else {"fail", "unconfirmed"}
    if service == "client":
        impossible.add("crash")
    return tuple(action for action in ACTIONS[step] if action not in impossible)


def enumerate_faults(run: Run, after: Fault | None = None) -> list[Fault]:
    """Every single fault that could strike a run, in the order in which the run reached its points.

    after: a fault of the run. Only the faults that could strike after it are returned.

    For the client's publishes and asks, only `duplicate` and `delay` are included. Pauses and cuts are not included."""
    found: list[Fault] = []
    counts: dict[Point, int] = {}
    last = after and (after.point, after.nth)
    begun = last is None
    for _, step, (service, _), envelope, *_ in rows_of(run._record):
        if step not in ACTIONS or envelope is None:
            continue
        point = service, step, envelope.type
        nth = counts[point] = counts.get(point, 0) + 1
        if begun:
            at = ".".join(point)
            actions = actions_at(run.system, point)
            explored = _EXPLORED_AT_CLIENT if service == "client" else actions
            found += [_fault(action, at, nth) for action in actions if action in explored]
        elif (point, nth) == last:
            begun = True
    return found


_fault = lru_cache(maxsize=10_000)(Fault)  # an exploration makes the same ones in run after run

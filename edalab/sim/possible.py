"""What could go wrong in a run: a fault for every point it reached and every action the point's step has."""

from .faults import ACTIONS, Fault
from .run import Run
from .steps import WIDTH

_OF_CLIENT = (
    "duplicate",
    "delay",
)  # people do press twice; the rest of the outside world is not ours to break


def possible(run: Run, after: Fault | None = None) -> list[Fault]:
    """Every single fault that could strike this run, in the order of its story; with `after`, only what could strike
    once that fault has. The client's points have no faults but `duplicate` and `delay`; pauses and cuts are not among them."""
    found, counts = [], {}
    begun = after is None
    columns = [iter(run._record)] * WIDTH
    for _, step, (service, _), envelope, *_ in zip(*columns, strict=True):
        if step not in ACTIONS or envelope is None:
            continue
        point = service, step, envelope.type
        nth = counts[point] = counts.get(point, 0) + 1
        if begun:
            at = f"{service}.{step}.{envelope.type}"
            found += [Fault(action, at, nth) for action in _actions(run, service, step, envelope)]
        elif after.point == point and after.nth == nth:
            begun = True
    return found


def _actions(run: Run, service: str, step: str, envelope) -> tuple[str, ...]:
    if service == "client":
        return tuple(action for action in ACTIONS[step] if action in _OF_CLIENT)
    if step == "publish":
        topic = run.system.topics.get(envelope.topic)
        return tuple(
            action
            for action in ACTIONS[step]
            if action != "lose" or topic is not None and not topic.confirms
        )
    return ACTIONS[step]

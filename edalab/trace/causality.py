"""The facts that a service knew at a step of a saga: its own, and those that the senders of its messages knew.

This is Lamport's happened-before relation, limited to the messages of one saga.
"""

from collections.abc import Hashable

from .identity import says_the_same
from .saga import Occurrence, Saga


def facts_known_at(
    saga: Saga, facts: dict[int, set[Hashable]], numbers: set[int]
) -> dict[int, frozenset]:
    """The facts that the service of each step in `numbers` knew at that step. `facts` maps a step
    of the record to the facts that it established."""
    found: dict[int, frozenset] = {}
    known: dict[str, set[Hashable]] = {}
    sent: dict[str, frozenset] = {}
    replied: dict[str, frozenset] = {}
    for number in sorted({*saga.record, *facts, *numbers}):
        step = saga.trace.journal[number]
        mine, id = known.setdefault(step.service, set()), saga.envelope(number).id
        if step.step == "handle":
            mine |= sent.get(id, frozenset())
        elif saga.trace.answered.get(id) == number:  # the answer was in time
            mine |= replied.get(id, frozenset())
        if number in numbers:
            found[number] = frozenset(mine)
        mine |= facts.get(number, frozenset())
        if step.step in ("publish", "ask"):
            sent.setdefault(id, frozenset(mine))
        elif step.step == "reply":
            replied[id] = frozenset(mine)
    return found


def dependent_compensations(saga: Saga) -> list[tuple[Occurrence, Occurrence]]:
    """Pairs of compensated steps in which the second step depends on the first."""
    steps = saga.compensated_steps
    if len(steps) < 2:
        return []
    begun = {step: _began(saga, step) for step in steps}
    facts: dict[int, set[Hashable]] = {saga.done_steps[step]: {step} for step in steps}
    known = facts_known_at(saga, facts, set(begun.values()))
    return [
        (base, later)
        for base in steps
        for later in steps
        if base is not later and base in known[begun[later]]
    ]


def _began(saga: Saga, step: Occurrence) -> int:
    """The first step of the record that tried to send a saga step, even if a fault prevented it."""
    mine = (number for number in saga.numbers if saga.envelope(number).type == step.type)
    return next(n for n in mine if says_the_same(saga.envelope(n), step.message))

"""Lamport's happened-before, within one saga: a service knows a fact that it made, or that the sender of a message or an
answer knew."""

from collections.abc import Hashable

from .saga import Saga


def facts_known_at(
    saga: Saga, facts: dict[int, set[Hashable]], steps: set[int]
) -> dict[int, frozenset]:
    """The facts that the service of each of these steps knew by then. Steps are given by their number in the journal.

    facts: by the step that made them."""
    found: dict[int, frozenset] = {}
    knows: dict[str, set[Hashable]] = {}
    sent: dict[str, frozenset] = {}
    replied: dict[str, frozenset] = {}
    for number in sorted({*saga.numbers(), *facts, *steps}):
        step = saga.trace.journal[number]
        mine, id = knows.setdefault(step.service, set()), step.envelope.id
        if step.step == "handle":
            mine |= sent.get(id, frozenset())
        elif saga.trace.answered.get(id) == number:  # in time
            mine |= replied.get(id, frozenset())
        if number in steps:
            found[number] = frozenset(mine)
        mine |= facts.get(number, frozenset())
        if step.step in ("publish", "ask"):
            sent.setdefault(id, frozenset(mine))
        elif step.step == "reply":
            replied[id] = frozenset(mine)
    return found

"""What happened before what: a service knows of something when it did it, or when a message or an answer came that was sent
by who knew. (Lamport's order, within the messages of one saga.)"""

from collections.abc import Hashable

from .saga import Saga


def known(saga: Saga, facts: dict[int, set[Hashable]], moments: set[int]) -> dict[int, frozenset]:
    """For each of some `moments`, steps by their number, the `facts` that the service of that step knew by then. Facts are
    given by the number of the step at which they came to be."""
    found: dict[int, frozenset] = {}
    knows: dict[str, set[Hashable]] = {}
    sent: dict[str, frozenset] = {}
    replied: dict[str, frozenset] = {}
    for number in sorted({*saga.numbers(), *facts, *moments}):
        step = saga.trace.journal[number]
        mine, id = knows.setdefault(step.service, set()), step.envelope.id
        if step.step == "handle":
            mine |= sent.get(id, frozenset())
        elif saga.trace.answered.get(id) == number:  # not too late
            mine |= replied.get(id, frozenset())
        if number in moments:
            found[number] = frozenset(mine)
        mine |= facts.get(number, frozenset())
        if step.step in ("publish", "ask"):
            sent.setdefault(id, frozenset(mine))
        elif step.step == "reply":
            replied[id] = frozenset(mine)
    return found

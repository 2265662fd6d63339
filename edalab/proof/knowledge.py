"""What happened before what: a service knows of something when it did it, or when a message or an answer came that was sent
by who knew. (Lamport's order, within the messages of one saga.)"""

from collections.abc import Hashable

from ..history import WIDTH
from .saga import Saga


def known(saga: Saga, facts: dict[int, set[Hashable]], moments: set[int]) -> dict[int, frozenset]:
    """For each of some `moments`, steps by their number, the `facts` that the service of that step knew by then. Facts are
    given by the number of the step at which they came to be."""
    found: dict[int, frozenset] = {}
    knows: dict[str, set[Hashable]] = {}
    sent: dict[str, frozenset] = {}
    replied: dict[str, frozenset] = {}
    keys = saga.keys() - {None}
    columns = [iter(saga.record.run._record)] * WIDTH
    for number, (_, step, actor, envelope, *_) in enumerate(zip(*columns, strict=True)):
        if envelope is None:
            continue
        mine = knows.setdefault(actor[0], set())
        if step == "handle":
            mine |= sent.get(envelope.id, frozenset())
        elif step == "answer":
            mine |= replied.get(envelope.id, frozenset())
        if number in moments:
            found[number] = frozenset(mine)
        mine |= facts.get(number, frozenset())
        if step == "reply":
            replied[envelope.id] = frozenset(mine)
        elif step in ("publish", "ask") and (envelope.correlation in saga.stories or envelope.subject in keys):
            sent.setdefault(envelope.id, frozenset(mine))
    return found

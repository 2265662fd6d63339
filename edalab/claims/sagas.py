"""The sagas of a run, told by what message classes say of themselves and by whose story a message belongs to."""

from ..model import Envelope
from ..trace.identity import UNSENT, says_the_same
from ..trace.spans import Trace
from .saga import Saga


def sagas(trace: Trace, begins: str | None = None) -> list[Saga]:
    """The sagas of a run, in the order they began. A correlation is one; but what begins later about the key of a saga,
    by a tick or by another message of the client, goes on with it. Each message of the type `begins` begins one."""
    known = vars(trace).setdefault("_sagas", {})
    if begins in known:
        return known[begins]
    words = trace.system.saga_roles
    parts = (
        set(words) | {target for word in words.values() for target in word[:2] if target} | {begins}
    )
    sagas: dict[str, Saga] = {}
    home: dict[str, str] = {}
    of_key: dict[str | None, str] = {}
    for number in trace.sends:
        step = trace.journal[number]
        envelope, story = step.envelope, step.envelope.correlation
        if envelope.type not in parts or step.fault in UNSENT:
            continue
        if story not in home:
            home[story] = _home(trace, envelope, home, of_key)
            if home[story] == story:
                of_key[envelope.subject] = story
        of_key.setdefault(envelope.subject, home[story])
        saga = sagas.get(home[story])
        if saga is None:
            saga = sagas[home[story]] = Saga(trace)
            saga.first = number
        saga.last = number
        saga.stories[story] = None
        saga.said.setdefault(envelope.type, []).append(number)
    known[begins] = list(sagas.values())
    return known[begins]


def _home(
    trace: Trace, envelope: Envelope, home: dict[str, str], of_key: dict[str | None, str]
) -> str:
    """The story that a new one goes on with, or its own."""
    story = envelope.correlation
    earlier = of_key.get(envelope.subject) if envelope.subject is not None else None
    if trace.unanswered and trace.logical_id.get(story, story) in home:
        return home[trace.logical_id[story]]  # the client asked again
    if earlier is None:
        return story
    root, first = trace.messages.get(story), trace.messages.get(earlier)
    likewise = (
        root is not None
        and first is not None
        and root.type == first.type
        and root.source == "client"
    )
    return story if likewise and not says_the_same(root, first) else earlier

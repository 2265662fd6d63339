"""The stories of all sagas of a run."""

from ..errors import Misuse, Unknown
from ..model import Query, System
from ..sim.run import Run
from .saga import Saga
from .saga_index import saga_of, sagas
from .saga_story import SagaStory
from .spans import Trace

NONE = (
    "this run has no saga: no message was sent that says compensates=, refuses=, final= or settles= where its class is "
    "declared, or that another one compensates or refuses"
)


def stories(run: Run) -> list[SagaStory]:
    """The sagas of a run, in the order they began. Raises Misuse where no message class declares a role in sagas."""
    known = vars(run).get("_stories")
    if known is None:
        if not run.system.saga_roles:
            raise Misuse(
                "saga_map() finds no message that belongs to a saga; declare the classes first, with compensates=, "
                "refuses=, final= or settles=: class ReleaseStock(Command, compensates=ReserveStock)"
            )
        trace = Trace.of(run)
        sent: dict[str, list[int]] = {}
        for number in trace.sends:
            sent.setdefault(trace.journal[number].envelope.correlation, []).append(number)
        found = [
            SagaStory(saga, ids, sorted(n for id in ids for n in sent[id]))
            for saga, ids in _with_beginnings(trace, sent)
        ]
        known = run._stories = sorted(found, key=lambda story: story.sent[0])
    return known


def _with_beginnings(trace: Trace, sent: dict[str, list[int]]) -> list[tuple[Saga, list[str]]]:
    """The sagas, each with its correlations; those too that the client began about the same key, or as it began other
    sagas, and that ended before a message with a role was sent."""
    found = [(saga, list(saga.correlations)) for saga in sagas(trace)]
    taken = {correlation for _, ids in found for correlation in ids}
    roots = [trace.messages.get(ids[0]) for _, ids in found]
    begun_by_client = {root.type for root in roots if root is not None and root.source == "client"}
    of_key = {
        key: (root, ids)
        for (saga, ids), root in zip(found, roots, strict=True)
        for key in saga.keys()
    }
    fresh = not found and _handles_roles(trace.system)
    for correlation, numbers in sent.items():
        root = trace.messages.get(correlation)
        if correlation in taken or root is None or root.source != "client":
            continue
        if isinstance(root.data, Query):
            continue
        first, ids = of_key.get(root.subject, (None, None))
        if ids and (first is None or first.source != "client" or first.type == root.type):
            ids.append(correlation)
        elif fresh or root.type in begun_by_client:
            found.append((saga_of(trace, [correlation]), [correlation]))
    return found


def has_sagas(run: Run) -> bool:
    """Whether a message that the run's system handles, or that was sent in the run, has a role in sagas."""
    roles = run.system.saga_roles
    return _handles_roles(run.system) or any(
        e.type in roles for e in Trace.of(run).messages.values()
    )


def _handles_roles(system: System) -> bool:
    names = {name for service in system.services.values() for name, _ in service.handlers}
    return not names.isdisjoint(system.saga_roles)


def story_of(run: Run, correlation: str) -> SagaStory:
    """The saga with a correlation id, or of a key such as "o2"."""
    found = stories(run)
    for story in found:
        if correlation in story.correlations:
            return story
    for story in found:
        if correlation == story.subject:
            return story
    if not found:
        raise Misuse(NONE)
    by_id = str(correlation).startswith(found[0].correlation.partition("-")[0])
    names = [one.correlation if by_id else one.subject or one.correlation for one in found]
    raise Unknown("saga", correlation, names)

"""The sagas of a run, each with its story: found by what message classes say of themselves."""

from ..errors import Misuse, Unknown
from ..model import Query, System
from ..sim.run import Run
from ..trace.spans import Trace
from .saga_moments import answers_of
from .saga_story import SagaStory
from ..trace.saga import Saga
from ..trace.saga_index import sagas

NONE = (
    "this run has no saga: no message was sent that says compensates=, refuses=, final= or settles= where its class is "
    "declared, or that another one compensates or refuses"
)


def stories(run: Run) -> list[SagaStory]:
    """The sagas of a run, in the order they began. Raises Misuse where no message class speaks of sagas."""
    known = vars(run).get("_stories")
    if known is None:
        if not run.system.saga_roles:
            raise Misuse(
                "saga_map() finds no message that belongs to a saga; declare the classes first, with compensates=, "
                "refuses=, final= or settles=: class ReleaseStock(Command, compensates=ReserveStock)"
            )
        trace = Trace.of(run)
        said: dict[str, list[int]] = {}
        for number in trace.sends:
            said.setdefault(trace.journal[number].envelope.correlation, []).append(number)
        found = _all(trace, said)
        answers = answers_of(trace)
        told = [
            SagaStory(saga, ids, sorted(n for id in ids for n in said[id]), answers)
            for saga, ids in found
        ]
        known = run._stories = sorted(told, key=lambda story: story._said[0])
    return known


def _all(trace: Trace, said: dict[str, list[int]]) -> list[tuple[Saga, list[str]]]:
    """The sagas, each with its correlations; with what the client began about the same key, and with those that began as
    others did and came to nothing before a word of sagas was said."""
    found = [(saga, list(saga.correlations)) for saga in sagas(trace)]
    told = {correlation for _, correlations in found for correlation in correlations}
    roots = [trace.messages.get(correlations[0]) for _, correlations in found]
    begun_by_client = {root.type for root in roots if root is not None and root.source == "client"}
    of_key = {
        key: (root, ids)
        for (saga, ids), root in zip(found, roots, strict=True)
        for key in saga.keys()
        if key is not None
    }
    fresh = not found and _handles(trace.system)
    for correlation, numbers in said.items():
        root = trace.messages.get(correlation)
        if (
            correlation in told
            or root is None
            or root.source != "client"
            or isinstance(root.data, Query)
        ):
            continue
        first, correlations = of_key.get(root.subject, (None, None))
        if correlations and (first is None or first.source != "client" or first.type == root.type):
            correlations.append(correlation)
        elif fresh or root.type in begun_by_client:
            saga = Saga(trace)
            saga.first = saga.last = numbers[0]
            saga.correlations[correlation] = None
            found.append((saga, [correlation]))
    return found


def speaks_of_sagas(run: Run) -> bool:
    """Whether messages that the system of a run handles, or that were sent in it, say something of sagas."""
    roles = run.system.saga_roles
    return _handles(run.system) or any(e.type in roles for e in Trace.of(run).messages.values())


def _handles(system: System) -> bool:
    return any(
        name in system.saga_roles
        for service in system.services.values()
        for name, _ in service.handlers
    )


def story_of(run: Run, correlation: str) -> SagaStory:
    """The saga with a correlation id (or, as people call it, of a key: "o2")."""
    told = stories(run)
    for story in told:
        if correlation in story.correlations:
            return story
    for story in told:
        if correlation == story.subject:
            return story
    if not told:
        raise Misuse(NONE)
    by_id = str(correlation).startswith(told[0].correlation.partition("-")[0])
    raise Unknown(
        "saga",
        correlation,
        [story.correlation if by_id else story.subject or story.correlation for story in told],
    )

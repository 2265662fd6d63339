"""Anomalies between a publisher and its handlers: lost messages, duplicate effects, wrong order, endless retries."""

from ..errors import shortened
from ..trace.identity import UNSENT
from ..trace.spans import Span, Trace

# Pieces of evidence, each a sentence and its steps by number; or why nothing was tested.
Found = list[tuple[str, list[int]]] | str


def find_lost(trace: Trace, name: str) -> Found:
    """The messages of a type that were published, and that a subscribing service never finished handling."""
    published = trace.published(name)
    if not published:
        return f"no {name} was published"
    services = list(dict.fromkeys(handler.service for handler in trace.system.handlers(name)))
    if not services:
        return f"no service subscribes to {name}"
    if trace.journal[published[0]].envelope.topic in trace.system.queues:
        services = [" or ".join(services)]  # one of them gets each message
    done: dict[str, set[str]] = {}  # id -> the services that finished with it
    for handling in trace.spans_of(name):
        if handling.finished:
            service = services[0] if " " in services[0] else handling.service
            done.setdefault(handling.envelope.id, set()).add(service)
    found, seen = [], set()
    for number in published:
        id = trace.journal[number].envelope.id
        missing = [service for service in services if service not in done.get(id, ())]
        if not missing or id in seen:
            continue
        seen.add(id)
        # Its producer may have run twice.
        again = [other for other, fact in trace.logical_id.items() if fact == trace.logical_id[id]]
        for service in missing:
            if not any(service in done.get(other, ()) for other in again):
                how = _how_lost(trace, service, number)
                if how:
                    found.append((f"{_message(trace, number)} {how[0]}", [number, *how[1]]))
    return found


def _how_lost(trace: Trace, service: str, number: int) -> tuple[str, list[int]] | None:
    envelope = trace.journal[number].envelope
    for name in service.split(" or "):
        end = trace.given_up.get((name, envelope.id))
        if end is not None:
            step = trace.journal[end]
            did = "dead-lettered" if step.step == "dead_letter" else "lost"
            why = shortened(step.detail or "", 60)
            return f"was {did} by {name} {trace.when(end)} ({why})", [end]
    if trace.journal[number].fault == "lose":
        return "never reached the broker, which does not say so", []
    if not trace.ended:
        return None  # it may still come
    handled = [h for h in trace.spans_of(envelope.type) if h.envelope.id == envelope.id]
    here = service.split(" or ")
    crashes = [h.last for h in handled if h.ended_by == "crash" and h.service in here]
    if crashes:
        when = trace.when(crashes[-1])
        return f"was in hand when {service} crashed {when}, and did not come again", [crashes[-1]]
    return f"was never handled by {service}", []


def find_duplicate_effects(trace: Trace, name: str) -> Found:
    """Two handlings of one fact by one service, each with an effect."""
    handlings = trace.spans_of(name)
    if not handlings:
        return f"no {name} was handled"
    if not any(h.commits or h.sent for h in handlings):
        return f"no handling of {name} saved or published anything"
    return [
        (f"{first.service} handled {_two(first, later)} twice, {_effect(trace, one)} {trace.when(one)} "
         f"and again {trace.when(other)}",
         [first.first, one, later.first, other])
        for same in by_fact(trace, handlings)
        if (proof := trace.duplicate_effect(same))
        for first, one, later, other in [proof]
    ]  # fmt: skip


def by_fact(trace: Trace, handlings: list[Span]) -> list[list[Span]]:
    """The handlings of each fact that a service handled more than once."""
    if not trace.repeats and len({(h.service, h.envelope.id) for h in handlings}) == len(handlings):
        return []
    groups: dict[tuple[str, str], list[Span]] = {}
    for handling in handlings:
        id = handling.envelope.id
        fact = handling.service, trace.logical_id.get(id, id)
        groups.setdefault(fact, []).append(handling)
    return [group for group in groups.values() if len(group) > 1]


def find_out_of_order(trace: Trace, name: str) -> Found:
    """The effects of an older event of a key that a service had after those of a newer one."""
    published: dict[str, int] = {}  # id -> the first publish of it
    for number in trace.published(name, unsent=(*UNSENT, "lose")):
        published.setdefault(trace.journal[number].envelope.id, number)
    # id -> its first offset in the partition of its key; a queue has none, and orders by publishing.
    place: dict[str, int] = {}
    keys: dict[tuple[str, str], list[Span]] = {}
    for handling in trace.spans_of(name):
        id, offset = handling.envelope.id, trace.journal[handling.first].offset
        if handling.envelope.subject is not None and id in published:
            at = published[id] if offset is None else offset
            place[id] = min(at, place.get(id, at))
            keys.setdefault((handling.service, handling.envelope.subject), []).append(handling)
    several = {key: group for key, group in keys.items() if len({h.envelope.id for h in group}) > 1}
    if not several:
        return f"no service handled two {name} of one key"
    if not any(h.commits or h.sent for group in several.values() for h in group):
        return f"no handling of {name} saved or published anything"
    found = []
    for (service, key), group in several.items():
        commits = [(n, h) for h in group for n in h.commits]
        sent = [(n, h) for h in group for n in h.sent]
        for effects in (commits, sent):
            newest = None
            for number, handling in sorted(effects, key=lambda effect: effect[0]):
                if newest is None or place[handling.envelope.id] >= place[newest[1].envelope.id]:
                    newest = number, handling
                elif trace.journal[number].step == "publish" or trace.changed(number):
                    older, newer = handling.envelope, newest[1].envelope
                    found.append((
                        f"{service} {_effect(trace, number)} for {name} {older.id} of {key} {trace.when(number)}, "
                        f"after it had for the newer {newer.id} {trace.when(newest[0])}",
                        [published[older.id], published[newer.id], newest[0], number],
                    ))  # fmt: skip
                    break
    return found


def find_endless_retries(trace: Trace, most: int) -> Found:
    """The messages that were handled more than `most` times, and the one that kept the run from ending."""
    misuse = trace.run._world.misuse
    tries: dict[tuple[str, str], list[Span]] = {}
    for handling in trace.spans:
        if handling.envelope.data is not None:
            tries.setdefault((handling.service, handling.envelope.id), []).append(handling)
    worst = [group for group in tries.values() if len(group) > most]
    found = [
        (f"{group[0].service} was given {_one(group[0])} {len(group):,} times, "
         f"the last time {trace.when(group[-1].first)}",
         [group[0].first, group[-1].first])
        for group in worst
    ]  # fmt: skip
    if misuse is not None and not found:
        return [(str(misuse), [len(trace.journal) - 1] if trace.journal else [])]
    if not any(len(group) > 1 for group in tries.values()) and not any(
        h.ended_by in ("failure", "lost", "dead_letter") for h in trace.spans
    ):
        return "no message was tried a second time"
    return found


def _message(trace: Trace, number: int) -> str:
    envelope = trace.journal[number].envelope
    return f"{envelope.type} {envelope.id}, published {trace.when(number)},"


def _one(handling: Span) -> str:
    return f"{handling.envelope.type} {handling.envelope.id}"


def _two(first: Span, later: Span) -> str:
    one, other = first.envelope, later.envelope
    if one.id == other.id:
        return _one(first)
    return f"one {one.type} (told twice, as {one.id} and {other.id})"


def _effect(trace: Trace, number: int) -> str:
    step = trace.journal[number]
    return "saved" if step.step == "save" else f"published {step.envelope.type}"

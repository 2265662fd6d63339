"""Anomalies between a publisher and its handlers: lost messages, duplicate effects, wrong order, endless retries."""

from collections.abc import Iterator
from itertools import pairwise

from ..errors import shortened
from ..model import Envelope
from ..sim.logs import Log
from ..sim.steps import WIDTH
from ..trace.faults import NOT_ARRIVED
from ..trace.spans import Span, Trace

# Pieces of evidence, each a sentence and the numbers of its steps; or the reason why nothing was tested.
Found = list[tuple[str, list[int]]] | str
Effect = tuple[int, Span]  # a save or a publish, and the span that did it


def find_lost(trace: Trace, name: str) -> Found:
    """The messages of a type that were published, and that a subscribing service never finished handling."""
    published = trace.published(name)
    if not published:
        return f"no {name} was published"
    services = trace.subscribers(name)
    if not services:
        return f"no service subscribes to {name}"
    # Each message of a queue goes to one service.
    queued = trace.envelope(published[0]).topic in trace.system.queues
    groups = [services] if queued else [[service] for service in services]
    done = {(s.service, s.envelope.id) for s in trace.spans_of(name) if s.finished}
    found = []
    for id, number in _first_published(trace, published).items():
        for group in groups:
            if any((service, id) in done for service in group):
                continue
            fact = trace.logical_id[id]  # its producer may have run twice
            if any(s in group and trace.logical_id.get(other) == fact for s, other in done):
                continue
            if how := _how_lost(trace, group, number):
                sentence = f"{name} {id}, published {trace.when(number)}, {how[0]}"
                found.append((sentence, [number, *how[1]]))
    return found


def _first_published(trace: Trace, published: list[int]) -> dict[str, int]:
    """Message ids -> the step that first published each."""
    first: dict[str, int] = {}
    for number in published:
        first.setdefault(trace.envelope(number).id, number)
    return first


def _joined_later(trace: Trace, services: list[str], number: int) -> bool:
    """Whether all of these services subscribed after a message was published, and began at the latest one."""
    time, declared = trace.run._record[number * WIDTH], trace.system.services
    late = [declared[name] for name in services if declared[name].starts_at == "latest"]
    return all(time < service.joins * 1000 for service in late) and len(late) == len(services)


def _how_lost(trace: Trace, services: list[str], number: int) -> tuple[str, list[int]] | None:
    if _joined_later(trace, services, number):
        return None
    envelope = trace.envelope(number)
    for name in (*services, envelope.source):  # a queue records its losses at the sender
        if end := trace.given_up.get((name, envelope.id)):
            kind, why = trace.kind(end), shortened(trace.journal[end].detail or "", 60)
            if kind in ("expired", "discarded", "rejected"):
                was, who = "was " * (kind != "expired") + kind, " or ".join(services)
                return f"{was} before {who} got it {trace.when(end)} ({why})", [end]
            if name not in services:
                continue
            did = "dead-lettered" if kind == "dead_letter" else "lost"
            return f"was {did} by {name} {trace.when(end)} ({why})", [end]
    if trace.fault(number) == "lose":
        return "never reached the broker, which does not say so", []
    if not trace.over:
        return None  # it may still be handled
    service = " or ".join(services)
    for span in reversed(trace.by_message.get(envelope.id, [])):
        if span.ended_by == "crash" and span.last and span.service in services:
            when = trace.when(span.last)
            return f"was in hand when {service} crashed {when}, and did not come again", [span.last]
    return f"was never handled by {service}", []


def find_dead_letters(trace: Trace, name: str) -> Found:
    """The dead letters of a type that were neither handled nor redriven."""
    if not trace.published(name):
        return f"no {name} was published"
    found = []
    for letter in trace.run._world.dead_letters.letters:
        if letter.died.type == name and letter.state == "waiting":
            did = f"was dead-lettered by {letter.source} {trace.when(letter.number)}"
            why = f"({shortened(letter.reason, 60)}) and waits in {letter.topic}"
            found.append((f"{name} {letter.died.id} {did} {why}", [letter.number]))
    return found


def find_duplicate_effects(trace: Trace, name: str) -> Found:
    """Two handlings of one fact by one service that have the same effect."""
    spans = trace.spans_of(name)
    if not spans:
        return f"no {name} was handled"
    effective = [span for span in spans if span.saves or span.sent]
    if not effective:
        return f"no handling of {name} saved or published anything"
    # Two messages that state one fact have the same source and key. In most runs no two handlings do.
    alike = {(span.service, span.envelope.source, span.envelope.subject) for span in effective}
    if len(alike) == len(effective):
        return []
    handlings: dict[tuple[str, str], list[Span]] = {}
    for span in spans:
        handlings.setdefault((span.service, trace.fact(span.envelope)), []).append(span)
    found = []
    for (service, _), same in handlings.items():
        if len(same) > 1 and (effects := _repeated_effect(trace, same)):
            (one, first), (other, later) = effects
            again = f"{_effect(trace, one)} {trace.when(one)} and again {trace.when(other)}"
            sentence = f"{service} handled {_two(first, later)} twice, {again}"
            found.append((sentence, [first.first, one, later.first, other]))
    return found


def _repeated_effect(trace: Trace, spans: list[Span]) -> tuple[Effect, Effect] | None:
    """The first effect that a later span repeated, and its repetition: saves, or the same logical message."""
    effects = [(n, span) for span in spans for n in span.saves]
    if len({span.first for _, span in effects}) > 1:
        effects = _effective(trace, effects)
    effects += [(n, span) for span in spans for n in span.sent]
    first: dict[str, Effect] = {}
    for number, span in effects:
        effect = "save" if trace.kind(number) == "save" else trace.fact(trace.envelope(number))
        before = first.setdefault(effect, (number, span))
        if before[1] is not span:
            return before, (number, span)
    return None


def _effective(trace: Trace, effects: list[Effect]) -> list[Effect]:
    """The effects without the saves that changed nothing."""
    return [(n, span) for n, span in effects if trace.kind(n) != "save" or trace.changed(n)]


def find_out_of_order(trace: Trace, name: str) -> Found:
    """The effects of an older event that a service had after those of a newer event with the same key."""
    published = _first_published(trace, trace.published(name, NOT_ARRIVED))
    # id -> its first offset in the partition of its key. A queue has no offsets, so publishing decides, as in
    # a topic that got more partitions: a key that moved has offsets in two of them.
    moved = any(fault.do == "repartition" for fault in trace.run.faults)
    place: dict[str, int] = {}
    keys: dict[tuple[str, str], list[Span]] = {}
    for span in trace.spans_of(name):
        id, offset = span.envelope.id, trace.offset(span.first)
        if span.envelope.subject is not None and id in published:
            at = published[id] if offset is None or moved else offset
            place[id] = min(at, place.get(id, at))
            keys.setdefault((span.service, span.envelope.subject), []).append(span)
    several = {key: group for key, group in keys.items() if len({s.envelope.id for s in group}) > 1}
    if not several:
        return f"no service handled two {name} of one key"
    if not any(span.saves or span.sent for group in several.values() for span in group):
        return f"no handling of {name} saved or published anything"
    found = []
    for (service, key), group in several.items():
        saves = [(n, span) for span in group for n in span.saves]
        for effects in (saves, [(n, span) for span in group for n in span.sent]):
            # Most often nothing was overtaken, so which saves changed something is read only afterwards.
            overtaken = _overtaken(effects, place) and _overtaken(_effective(trace, effects), place)
            if overtaken:
                (before, newer), (late, older) = overtaken
                old, new, deed = older.envelope.id, newer.envelope.id, _effect(trace, late)
                sentence = (
                    f"{service} {deed} for {name} {old} of {key} {trace.when(late)}, "
                    f"after it had for the newer {new} {trace.when(before)}"
                )
                found.append((sentence, [published[old], published[new], before, late]))
    return found


def find_published_late(trace: Trace, name: str) -> Found:
    """The first event of each key that the broker stored after an event whose envelope was saved later."""
    sent = _first_published(trace, trace.published(name, frozenset()))
    saved = _saved_envelopes(trace)
    made = {id: saved.get(id, number) for id, number in sent.items()}
    published = _first_published(trace, trace.published(name, NOT_ARRIVED))
    keys: dict[str, list[str]] = {}
    for id in _as_stored(trace, name, published):
        subject = trace.envelope(published[id]).subject
        if subject is not None:
            keys.setdefault(subject, []).append(id)
    if all(len(ids) == 1 for ids in keys.values()):
        return f"no two {name} of one key were published"
    found = []
    for key, ids in keys.items():
        for before, late in pairwise(ids):
            if made[late] < made[before]:
                sentence = (
                    f"{name} {late} of {key}, made {trace.when(made[late])}, was published "
                    f"{trace.when(published[late])}, after the newer {before}"
                )
                steps = [made[late], made[before], published[before], published[late]]
                found.append((sentence, steps))
                break
    return found


def _saved_envelopes(trace: Trace) -> dict[str, int]:
    """Envelope ids -> the first save that stored each."""
    saved: dict[str, int] = {}
    for service in trace.run._world.services.values():
        database = vars(service).get("database")  # made when first used
        for save, statements in database.saves.items() if database else ():
            for *_, parameters in statements:
                for envelope in _envelopes_in(parameters):
                    saved[envelope.id] = min(save, saved.get(envelope.id, save))
    return saved


def _envelopes_in(parameters: object) -> Iterator[Envelope]:
    if isinstance(parameters, Envelope):
        yield parameters
    elif isinstance(parameters, list | tuple | dict):
        for one in parameters.values() if isinstance(parameters, dict) else parameters:
            yield from _envelopes_in(one)


def _as_stored(trace: Trace, name: str, published: dict[str, int]) -> list[str]:
    """The ids in the order in which the broker stored them. Within each key, this order is exact."""
    topic = next((trace.envelope(number).topic for number in published.values()), "")
    log = trace.run._world.channels.get(topic)
    if not isinstance(log, Log) or any(fault.do == "repartition" for fault in trace.run.faults):
        return list(published)
    ids = [e.id for records in log.partitions for e in records if e.type == name]
    return [id for id in dict.fromkeys(ids) if id in published]


def _overtaken(effects: list[Effect], place: dict[str, int]) -> tuple[Effect, Effect] | None:
    """The first effect that came after one of a newer message: (the effect of the newer message, this effect)."""
    newest: Effect | None = None
    for number, span in sorted(effects, key=lambda effect: effect[0]):
        if newest is not None and place[span.envelope.id] < place[newest[1].envelope.id]:
            return newest, (number, span)
        newest = number, span
    return None


def find_endless_retries(trace: Trace, most: int) -> Found:
    """The messages that a service handled more than `most` times, or else what kept the run from ending."""
    misuse = trace.run._world.misuse
    tries: dict[tuple[str, str], list[Span]] = {}
    for spans in trace.by_message.values():
        if len(spans) > 1 and spans[0].envelope.data is not None:
            for span in spans:
                tries.setdefault((span.service, span.envelope.id), []).append(span)
    found = []
    for (service, _), spans in sorted(tries.items(), key=lambda item: item[1][0].first):
        if len(spans) > most:
            first, last = spans[0].first, spans[-1].first
            often = f"{len(spans):,} times, the last time {trace.when(last)}"
            found.append((f"{service} was given {spans[0].message} {often}", [first, last]))
    if misuse is not None and not found:
        return [(str(misuse), [len(trace.journal) - 1] if trace.journal else [])]
    again = any(len(spans) > 1 for spans in tries.values())
    if not again and not any(s.ended_by in ("failure", "lost", "dead_letter") for s in trace.spans):
        return "no message was tried a second time"
    return found


def _two(first: Span, later: Span) -> str:
    one, other = first.envelope, later.envelope
    if one.id == other.id:
        return first.message
    return f"one {one.type} (told twice, as {one.id} and {other.id})"


def _effect(trace: Trace, number: int) -> str:
    kind = trace.kind(number)
    return "saved" if kind == "save" else f"published {trace.envelope(number).type}"

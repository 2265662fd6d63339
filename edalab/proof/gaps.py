"""Where two places that should say the same do not: what a service saved and what it published, what it answers and
what it has been told."""

from ..model import Event
from .deliveries import Found, _one
from .facts import UNSENT
from .handlings import Handling, Handlings


def dual_write_gap(record: Handlings, service: str) -> Found:
    """One of saving and publishing was done and the other kept from it, for good."""
    record.run._node(service)  # raises Unknown
    here = [handling for handling in record.all if handling.service == service]
    if not any(h.saves for h in here) or not any(_steps(record, h, "publish") for h in here):
        return f"{service} did not both save and publish"
    found = []
    for handling in here:
        missed = _missed(record, handling, here)
        if missed is None:
            continue
        number, word, name = missed
        if (
            word == "publish"
            and handling.saves
            and not _published_later(record, handling, number, name)
        ):
            done = handling.saves[0]
            found.append(
                (
                    f"{service} saved for {_one(handling)} {record.when(done)}, and never published the {name}",
                    [done, number],
                )
            )
        elif (
            word == "save"
            and handling.sent
            and not any(h.saves for h in here if _alike(record, h, handling))
        ):
            done = handling.sent[0]
            what = record.journal[done].envelope
            found.append(
                (
                    f"{service} published {what.type} {what.id} {record.when(done)}, "
                    "and what belongs to it was never saved",
                    [done, number],
                )
            )
    return found


def _missed(
    record: Handlings, handling: Handling, here: list[Handling]
) -> tuple[int, str, str] | None:
    """What a fault or an exception kept a handling from: (where, "publish" or "save", the message)."""
    if not handling.inside:
        return None
    journal = record.journal
    for number in handling.inside:
        step = journal[number]
        struck = (
            step.fault in (*UNSENT, "lose")
            if step.step == "publish"
            else step.step == "save" and step.fault
        )
        if struck and (
            handling.saves and handling.saves[0] < number
            if step.step == "publish"
            else handling.sent and handling.sent[0] < number
        ):
            return number, step.step, step.envelope.type
    if handling.finished or handling.last is None:
        return None
    # Nothing was struck but the handling itself: one that did the same and went on shows what would have come next.
    begun = [_kind(journal[number]) for number in handling.inside]
    for other in here:
        if (
            other.finished
            and other.envelope.type == handling.envelope.type
            and len(other.inside) > len(begun)
        ):
            kinds = [_kind(journal[number]) for number in other.inside]
            if kinds[: len(begun)] == begun:
                for word, name in kinds[len(begun) :]:
                    if word == ("publish" if handling.saves else "save"):
                        return handling.last, word, name
    return None


def _kind(step) -> tuple[str, str]:
    return step.step, step.envelope.type


def _steps(record: Handlings, handling: Handling, word: str) -> list[int]:
    return [number for number in handling.inside if record.journal[number].step == word]


def _published_later(record: Handlings, handling: Handling, number: int, name: str) -> bool:
    """Whether the message went out after all: by another attempt, or from an outbox."""
    struck = record.journal[number].envelope if record.journal[number].step == "publish" else None
    for other in record.published(name, unsent=(*UNSENT, "lose")):
        envelope = record.journal[other].envelope
        if envelope.source != handling.service or other < handling.saves[0]:
            continue
        if struck is None:
            if record.fact.get(envelope.causation) == record.fact.get(handling.envelope.id, ""):
                return True
        elif record.fact[envelope.id] == record.fact[struck.id]:
            return True
    return False


def _alike(record: Handlings, one: Handling, other: Handling) -> bool:
    """Whether two handlings are of one fact, or two runs of one tick."""
    if other.envelope.data is None:
        return one.envelope.type == other.envelope.type
    return record.fact.get(one.envelope.id, one.envelope.id) == record.fact.get(
        other.envelope.id, other.envelope.id
    )


def stale_read(record: Handlings, name: str) -> Found:
    """A query answered without an event about its key that was there before the question."""
    answered = [
        h
        for h in record.of_type(name)
        if h.ending == "reply" and record.journal[h.last].fault in (None, "delay")
    ]
    if not answered:
        return f"no {name} was answered"
    asked = {
        record.journal[number].envelope.id: number
        for number in record.said
        if record.journal[number].step == "ask"
    }
    found, tested = [], False
    for handling in answered:
        key, question = handling.envelope.subject, asked[handling.envelope.id]
        for number in record.said:
            if number > question or key is None:
                break
            step = record.journal[number]
            event = step.envelope
            if (
                step.step != "publish"
                or event.subject != key
                or not isinstance(event.data, Event)
                or event.source == handling.service
            ):
                continue
            if step.fault in UNSENT or event.topic in record.system.queues:
                continue
            knows = _knows(record, handling, event, number)
            tested = tested or knows is not None
            if knows is False:
                found.append((
                    f"{handling.service} answered {_one(handling)} about {key} {record.when(handling.last)} without "
                    f"{event.type} {event.id}, published {record.when(number)}",
                    [number, question, handling.first, handling.last],
                ))  # fmt: skip
    return (
        found if tested else f"no event about the key of a {name} was published before the question"
    )


def _knows(record: Handlings, answering: Handling, event, published: int) -> bool | None:
    """Whether a service, answering, had heard of an event or a newer one of its kind; None where it need not."""
    service, end = answering.service, answering.last
    if any(handler.service == service for handler in record.system.handlers(event.type)):
        alike = (number for number in record.published(event.type) if number >= published)
        newer = {
            e.id
            for number in alike
            if (e := record.journal[number].envelope).subject == event.subject
        }
        heard = [
            h for h in record.of_type(event.type) if h.service == service and h.envelope.id in newer
        ]
        return any(h.saves and h.saves[0] < end or h.finished and h.last < end for h in heard)
    asks = [
        number
        for number in record.said
        if number < end
        and (step := record.journal[number]).step == "ask"
        and (step.service, step.envelope.topic, step.envelope.subject)
        == (service, event.source, event.subject)
        and step.envelope.id not in record.unanswered
    ]
    return asks[-1] > published if asks else None  # what it remembers of an earlier answer is older

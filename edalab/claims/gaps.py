"""Where two places that should say the same do not: what a service saved and what it published, what it answers and
what it has been told."""

from ..model import Event
from ..trace.identity import UNSENT
from ..trace.spans import Span, Trace
from .delivery import Found, _one


def dual_write_gap(trace: Trace, service: str) -> Found:
    """One of saving and publishing was done and the other kept from it, for good."""
    trace.run._node(service)  # raises Unknown
    here = [handling for handling in trace.spans if handling.service == service]
    if not any(h.commits for h in here) or not any(_steps(trace, h, "publish") for h in here):
        return f"{service} did not both save and publish"
    found = []
    for handling in here:
        missed = _missed(trace, handling, here)
        if missed is None:
            continue
        number, word, name = missed
        if (
            word == "publish"
            and handling.commits
            and not _published_later(trace, handling, number, name)
        ):
            done = handling.commits[0]
            found.append(
                (
                    f"{service} saved for {_one(handling)} {trace.when(done)}, and never published the {name}",
                    [done, number],
                )
            )
        elif (
            word == "save"
            and handling.sent
            and not any(h.commits for h in here if _alike(trace, h, handling))
        ):
            done = handling.sent[0]
            what = trace.journal[done].envelope
            found.append(
                (
                    f"{service} published {what.type} {what.id} {trace.when(done)}, "
                    "and what belongs to it was never saved",
                    [done, number],
                )
            )
    return found


def _missed(trace: Trace, handling: Span, here: list[Span]) -> tuple[int, str, str] | None:
    """What a fault or an exception kept a handling from: (where, "publish" or "save", the message)."""
    if not handling.events:
        return None
    journal = trace.journal
    for number in handling.events:
        step = journal[number]
        struck = (
            step.fault in (*UNSENT, "lose")
            if step.step == "publish"
            else step.step == "save" and step.fault
        )
        if struck and (
            handling.commits and handling.commits[0] < number
            if step.step == "publish"
            else handling.sent and handling.sent[0] < number
        ):
            return number, step.step, step.envelope.type
    if handling.finished or handling.last is None:
        return None
    # Nothing was struck but the handling itself: one that did the same and went on shows what would have come next.
    begun = [_kind(journal[number]) for number in handling.events]
    for other in here:
        if (
            other.finished
            and other.envelope.type == handling.envelope.type
            and len(other.events) > len(begun)
        ):
            kinds = [_kind(journal[number]) for number in other.events]
            if kinds[: len(begun)] == begun:
                for word, name in kinds[len(begun) :]:
                    if word == ("publish" if handling.commits else "save"):
                        return handling.last, word, name
    return None


def _kind(step) -> tuple[str, str]:
    return step.step, step.envelope.type


def _steps(trace: Trace, handling: Span, word: str) -> list[int]:
    return [number for number in handling.events if trace.journal[number].step == word]


def _published_later(trace: Trace, handling: Span, number: int, name: str) -> bool:
    """Whether the message went out after all: by another attempt, or from an outbox."""
    struck = trace.journal[number].envelope if trace.journal[number].step == "publish" else None
    for other in trace.published(name, unsent=(*UNSENT, "lose")):
        envelope = trace.journal[other].envelope
        if envelope.source != handling.service or other < handling.commits[0]:
            continue
        if struck is None:
            if trace.logical_id.get(envelope.causation) == trace.logical_id.get(
                handling.envelope.id, ""
            ):
                return True
        elif trace.logical_id[envelope.id] == trace.logical_id[struck.id]:
            return True
    return False


def _alike(trace: Trace, one: Span, other: Span) -> bool:
    """Whether two handlings are of one fact, or two runs of one tick."""
    if other.envelope.data is None:
        return one.envelope.type == other.envelope.type
    return trace.logical_id.get(one.envelope.id, one.envelope.id) == trace.logical_id.get(
        other.envelope.id, other.envelope.id
    )


def stale_read(trace: Trace, name: str) -> Found:
    """A query answered without an event about its key that was there before the question."""
    answered = [
        h
        for h in trace.spans_of(name)
        if h.ended_by == "reply" and trace.journal[h.last].fault in (None, "delay")
    ]
    if not answered:
        return f"no {name} was answered"
    asked = {
        trace.journal[number].envelope.id: number
        for number in trace.sends
        if trace.journal[number].step == "ask"
    }
    found, tested = [], False
    for handling in answered:
        key, question = handling.envelope.subject, asked[handling.envelope.id]
        for number in trace.sends:
            if number > question or key is None:
                break
            step = trace.journal[number]
            event = step.envelope
            if (
                step.step != "publish"
                or event.subject != key
                or not isinstance(event.data, Event)
                or event.source == handling.service
            ):
                continue
            if step.fault in UNSENT or event.topic in trace.system.queues:
                continue
            knows = _knows(trace, handling, event, number)
            tested = tested or knows is not None
            if knows is False:
                found.append((
                    f"{handling.service} answered {_one(handling)} about {key} {trace.when(handling.last)} without "
                    f"{event.type} {event.id}, published {trace.when(number)}",
                    [number, question, handling.first, handling.last],
                ))  # fmt: skip
    return (
        found if tested else f"no event about the key of a {name} was published before the question"
    )


def _knows(trace: Trace, answering: Span, event, published: int) -> bool | None:
    """Whether a service, answering, had heard of an event or a newer one of its kind; None where it need not."""
    service, end = answering.service, answering.last
    if any(handler.service == service for handler in trace.system.handlers(event.type)):
        alike = (number for number in trace.published(event.type) if number >= published)
        newer = {
            e.id
            for number in alike
            if (e := trace.journal[number].envelope).subject == event.subject
        }
        heard = [
            h for h in trace.spans_of(event.type) if h.service == service and h.envelope.id in newer
        ]
        return any(h.commits and h.commits[0] < end or h.finished and h.last < end for h in heard)
    asks = [
        number
        for number in trace.sends
        if number < end
        and (step := trace.journal[number]).step == "ask"
        and (step.service, step.envelope.topic, step.envelope.subject)
        == (service, event.source, event.subject)
        and step.envelope.id not in trace.in_doubt
    ]
    return asks[-1] > published if asks else None  # what it remembers of an earlier answer is older

"""What a service does at a step, in words, and two steps contrasted in one sentence."""

from typing import Any, NamedTuple

from ..model import Envelope
from ..sim.faults import ACTIONS
from ..sim.steps import Step
from ..text import clean

_VERBS = {
    "publish": "publishes", "deliver": "receives", "handle": "handles", "save": "saves at", "commit": "commits",
    "ack": "acknowledges", "ask": "asks", "reply": "answers", "answer": "gets the answer to", "done": "is done with",
    "timeout": "gets no answer in time to", "retry": "fails and will retry", "failure": "fails at",
    "dead_letter": "dead-letters", "lost": "loses", "crash": "crashes at", "restart": "restarts", "note": "notes",
    "takeover": "takes over partitions", "pause": "stands still", "resume": "goes on", "cut": "is cut off",
    "heal": "is connected again",
}  # fmt: skip
_STRUCK = {  # what a fault does at a step, where its service does something
    "crash": "crashes at {step} of {message}",
    "fail": "fails at {step} of {message}",
    "unconfirmed": "gets no confirmation at {step} of {message}",
    "lose": "loses the {step} of {message}",
}
_PASSIVE = {"drop": "dropped", "duplicate": "doubled", "delay": "delayed", "cut": "cut off", "fenced": "refused"}  # fmt: skip
_PLACE = ("attempt", "partition", "offset", "replica")


class Doing(NamedTuple):
    """A step in words, `subject` and `predicate`; `verb` is what the service does where no fault strikes."""

    step: Step
    subject: str
    predicate: str
    verb: str

    @property
    def sentence(self) -> str:
        return f"{self.subject} {self.predicate}"


def doing(journal: list[Step], number: int) -> Doing:
    """The step with this number in words. A message is counted as faults count: `OrderPlaced #2`
    is the second at this point."""
    step = journal[number]
    subject, verb = step.service, _VERBS.get(step.step, step.step)
    message = _message(journal, number)
    predicate = f"{verb} {message}" if message else verb.removesuffix(" at")
    if step.fault in _STRUCK and step.step in ACTIONS:
        predicate = _STRUCK[step.fault].format(step=step.step, message=message)
    elif step.fault in _PASSIVE and step.step in ACTIONS:
        subject = f"the {step.step} of {message} at {step.service}"
        predicate = f"is {_PASSIVE[step.fault]}"
    elif step.step == "crash" and step.detail:
        predicate = f"crashes ({clean(step.detail, 80)})"
    elif step.step == "note":
        predicate = f"notes “{clean(step.detail or '', 60)}”"
    return Doing(step, subject, predicate, verb.removesuffix(" at"))


def _message(journal: list[Step], number: int) -> str:
    """The message of a step, such as "OrderPlaced #2 (o2)"."""
    envelope, point = journal[number].envelope, _point(journal[number])
    if envelope is None:
        return ""
    nth = sum(_point(step) == point for step in journal[: number + 1])
    subject = f" ({clean(envelope.subject, 40)})" if envelope.subject is not None else ""
    return f"{clean(envelope.type, 60)} #{nth}{subject}"


def _point(step: Step) -> tuple[str, str, str] | None:
    return (step.service, step.step, step.envelope.type) if step.envelope else None


def contrast(one: Doing, other: Doing) -> str:
    """A sentence of what the first and the second run do where they differ."""
    first, second = one.step, other.step
    same_point = _point(first) == _point(second) and first.step == second.step
    if same_point and first.fault != second.fault:
        struck, calm, here, there = (
            (other, one, "second", "first") if second.fault else (one, other, "first", "second")
        )
        sentence = f"{struck.sentence} in the {here} run"
        if calm.step.fault:
            again = calm.predicate if calm.subject == struck.subject else calm.sentence
            return f"{sentence}, and {again} in the {there}"
        if struck.subject == calm.subject:
            return f"{sentence}, and {calm.verb} in the {there}"
        return f"{sentence}, and not in the {there}"
    if same_point:
        mine, theirs = _difference(first, second)
        return f"{other.sentence}{theirs} in the second run, and{mine} in the first"
    again = one.predicate if one.subject == other.subject else one.sentence
    return f"{other.sentence} in the second run, and {again} in the first"


def _difference(one: Step, other: Step) -> tuple[str, str]:
    """What differs between two steps of one point: words for the first, and for the second."""
    a, b = one.envelope, other.envelope
    data, theirs = _data(a), _data(b)
    for name in {**data, **theirs}:
        if data.get(name) != theirs.get(name):
            return _with(name, data.get(name)), _with(name, theirs.get(name))
    for name in _PLACE:
        if getattr(one, name) != getattr(other, name):
            return _with(name, getattr(one, name)), _with(name, getattr(other, name))
    if one.detail != other.detail:
        mine, theirs_ = (f" ({clean(step.detail or 'nothing noted', 60)})" for step in (one, other))
        return mine, theirs_
    mine, theirs_ = (f" as {e.id}" if e else "" for e in (a, b))
    return mine, theirs_


def _data(envelope: Envelope | None) -> dict[str, Any]:
    return dict(vars(envelope.data)) if envelope is not None and envelope.data is not None else {}


def _with(name: str, value: object) -> str:
    return f" with {name}={clean(repr(value), 60)}"

"""A step in words, and two steps contrasted in one sentence."""

from typing import NamedTuple

from ..model import Envelope
from ..sim.faults import ACTIONS
from ..sim.steps import Step
from ..text import clean

_VERBS = {
    "publish": "publishes", "deliver": "receives", "handle": "handles", "save": "saves at", "commit": "commits",
    "ack": "acknowledges", "ask": "asks", "reply": "answers", "answer": "gets the answer to", "done": "is done with",
    "timeout": "gets no answer in time to", "retry": "fails and will retry", "failure": "fails at",
    "dead_letter": "dead-letters", "lost": "loses", "crash": "crashes at", "restart": "restarts", "note": "notes",
    "takeover": "takes over", "pause": "stands still", "resume": "goes on", "cut": "is cut off",
    "heal": "is connected again", "deduplicated": "is told that the broker has",
    "in_progress": "asks for more time for", "evicted": "is evicted while it handles",
    "skew": "has a wrong clock", "join": "joins its group", "leave": "leaves its group", "restore": "is restored", "expired": "passes over the expired",
    "subscribe": "subscribes", "rewind": "goes back in its partitions", "discarded": "loses the discarded", "rejected": "cannot store",
    "deploy": "is deployed",
    "waiting": "has no worker yet for", "busy": "turns away",
}  # fmt: skip
_STRUCK = {  # verbs for a step that a fault struck
    "crash": "crashes at",
    "fail": "fails at",
    "unconfirmed": "gets no confirmation at",
    "lose": "loses the",
}
_PASSIVE = {"drop": "dropped", "duplicate": "doubled", "delay": "delayed", "cut": "cut off", "fenced": "refused", "too large": "refused as too large"}  # fmt: skip


class Doing(NamedTuple):
    """A step in words: its `subject` and `predicate`. `verb` is that of the same step without a fault."""

    step: Step
    subject: str
    predicate: str
    verb: str

    @property
    def sentence(self) -> str:
        return f"{self.subject} {self.predicate}"


def doing(journal: list[Step], number: int) -> Doing:
    """The step with this number in words. Messages are counted as faults count them: `OrderPlaced #2`
    is the second one at this point."""
    step = journal[number]
    verb = _VERBS.get(step.step, step.step)
    message = _message(journal, number)
    subject, predicate = step.service, f"{verb} {message}" if message else verb.removesuffix(" at")
    if step.fault in _STRUCK and step.step in ACTIONS:
        predicate = f"{_STRUCK[step.fault]} {step.step} of {message}"
    elif step.fault in _PASSIVE and step.step in ACTIONS:
        subject = f"the {step.step} of {message} at {step.service}"
        predicate = f"is {_PASSIVE[step.fault]}"
    elif step.step == "crash" and step.detail:
        predicate = f"crashes ({clean(step.detail, 80)})"
    elif step.step == "takeover":
        predicate = f"takes over {clean(step.detail or '', 80)}"
    elif step.step in ("cut", "heal", "skew", "restore") and step.detail:
        predicate = f"{verb} ({clean(step.detail, 80)})"
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


def _point(step: Step) -> tuple:
    return step.service, step.step, step.envelope and step.envelope.type


def contrast(one: Doing, other: Doing) -> str:
    """A sentence that contrasts a step of the first run with one of the second."""
    begins, ends = (other, "second"), (one, "first")
    same_point = _point(one.step) == _point(other.step)
    if same_point and one.step.fault and not other.step.fault:
        begins, ends = ends, begins  # the struck step is named first
    (told, here), (rest, there) = begins, ends
    again = rest.predicate if rest.subject == told.subject else rest.sentence
    mine = theirs = ""
    if same_point and told.step.fault == rest.step.fault:
        again, mine, theirs = "", *_difference(told.step, rest.step)
    elif same_point and not rest.step.fault:
        again = rest.verb if rest.subject == told.subject else "not"
    return f"{told.sentence}{mine} in the {here} run, and{again and ' ' + again}{theirs} in the {there}"


def _difference(one: Step, other: Step) -> tuple[str, str]:
    """The difference between two steps of one point, in words for each of them."""
    mine, theirs = _named(one), _named(other)
    names = (name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name))
    name = next(names, "id")
    first, second = (f" with {name}={clean(repr(each.get(name)), 60)}" for each in (mine, theirs))
    return first, second


def _named(step: Step) -> dict[str, object]:
    """The values that may differ: the data of the message first, then its place, detail and id."""
    envelope: Envelope | None = step.envelope
    data = vars(envelope.data) if envelope is not None and envelope.data is not None else {}
    place = {name: getattr(step, name) for name in ("attempt", "partition", "offset", "replica")}
    return {**data, **place, "detail": step.detail, "id": envelope and envelope.id}

"""What is wrong with answers about versions of an event: decided from what is billed, and from what is read."""

from copy import deepcopy
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_json

from ..errors import InvalidMessage, listed, shown
from ..model import declared_in
from ..practice.answer import Answer
from ..practice.exercise import TO_BE_JUDGED, Anomaly
from . import lesson_10_shop as shop

# -- 10.1

FIRST = {
    "any": (True, True),
    "readers": (True, False),
    "writers": (False, True),
    "neither": (False, False),
}
REASONS = "abcd"


def changes(variant: int) -> dict[str, list[dict[str, Any]]]:
    """The eight changes of a learner."""
    eight = enumerate(shop.edits(variant), 1)
    return {
        "changes": [
            {"change": n, "billing reads": e.readers, "before": e.before, "after": e.after}
            for n, e in eight
        ]
    }


def sort_changes(answer: Answer, variant: int) -> Anomaly | str:
    if answer.again is None:
        with declared_in(""):  # if a learner simulates in it, the notebook's messages are meant
            returned = answer.call()
        pairs = returned if isinstance(returned, list | tuple) else ()
        try:
            # str's own methods make plain texts also of what only looks like one.
            answer.last = [tuple(str.lower(str.strip(p, " ().")) for p in pair) for pair in pairs]
        except TypeError:
            answer.last = []
        if [*map(len, answer.last)] != [2] * 8:
            return Anomaly("not as asked for", f"{answer.name} returned {shown(returned)}")
        for words, known in zip(zip(*answer.last, strict=True), (FIRST, REASONS), strict=True):
            if others := {*words} - {*known}:
                evidence = f"{shown(min(others))} is none of {listed(known)}"
                return Anomaly("not as asked for", evidence)
        if answer.is_apart:
            return TO_BE_JUDGED
    said = answer.again or answer.last
    for n, ((first, reason), edit) in enumerate(zip(said, shop.edits(variant), strict=True), 1):
        for backward, works in zip((True, False), FIRST[first], strict=True):
            run, wrong = shop.tried(edit, variant, backward)
            who = "new readers read old messages" if backward else "old readers read new messages"
            if works and wrong:
                name = "cannot be read" if wrong.startswith("billing") else "a wrong bill"
                return Anomaly(name, f"change {n}: you say {first}, but when {who}, {wrong}", run)
            if not works and not wrong:
                evidence = f"change {n}: you say {first}, but when {who}, each bill is right"
                return Anomaly("a false alarm", evidence, run)
        if reason != edit.reason:
            return Anomaly("another reason", f"change {n}: {first} is right, and ({reason}) is not why")  # fmt: skip
    return "eight changes, each with new readers of old messages and old readers of new ones"


# -- 10.2

WRONG = {"cents": "a wrong amount", "channel": "invented", "order_id": "lost"}
WRONG |= dict.fromkeys(("customer", "first_name", "last_name"), "a wrong name")


def read_stored(answer: Answer, variant: int) -> Anomaly | str:
    """Stored orders of three versions, upcast step by step."""
    steps = answer.call()
    if not isinstance(steps, dict) or {*steps} != {1, 2} or not all(map(callable, steps.values())):
        return Anomaly("not as asked for", f"{answer.name} returned {shown(steps)}")
    for version, data, means in shop.stored(variant):
        told = f"{means['order_id']}, stored as version {version}"
        for step in range(version, 3):
            before = deepcopy(data)
            after = steps[step](data)
            if data != before:
                return Anomaly("changes its argument", f"{told}: step {step} made {shown(before)} into {shown(data)}")  # fmt: skip
            if wrong := _wrong(after, shop.FORMS[step], means):
                name, why = wrong
                return Anomaly(name, f"{told} with {shown(before)}: after step {step} {why}")
            data = after
    return f"{len(shop.stored(variant))} stored orders of two older versions"


def _wrong(data: Any, form: Any, means: dict[str, Any]) -> tuple[str, str] | None:
    """What a version reads wrongly in the data of an order, and the evidence."""
    if not isinstance(data, dict):
        return "cannot be read", f"there is {shown(data)} and no dict"
    try:
        known = {name: value for name, value in data.items() if name in form.model_fields}
        read = dict(form.model_validate_json(to_json(known)))
    except (InvalidMessage, ValidationError, PydanticSerializationError) as error:
        return "cannot be read", f"{shown(data)} cannot be read: {error}"
    for name, value in read.items():
        if value != means[name]:
            default = "invented" if means[name] is None else "lost"
            return WRONG.get(name, default), f"{name} is {value!r}, and should be {means[name]!r}"
    return None

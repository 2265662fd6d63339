"""What is wrong with answers about versions of an event: decided from what is billed, and from what is read."""

import re
from copy import deepcopy
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_json

from ..errors import InvalidMessage, listed, shown
from ..model import Event, declared_in
from ..practice.answer import Answer
from ..practice.exercise import TO_BE_JUDGED, Anomaly
from ..sim.run import Run
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
        for step in range(version, 3):
            before = deepcopy(data)
            after = steps[step](data)
            if data != before:
                evidence = f"step {step} made {shown(before)} into {shown(data)}"
                return Anomaly("changes its argument", evidence)
            if wrong := _wrong(after, shop.FORMS[step], means):
                name, why = wrong
                return Anomaly(name, f"after step {step} of {shown(before, 120)} {why}")
            data = after
    return f"{len(shop.stored(variant))} stored orders of two older versions"


def _wrong(data: Any, form: Any, means: dict[str, Any]) -> tuple[str, str] | None:
    """What a version reads wrongly in the data of an order, and the evidence."""
    if not isinstance(data, dict):
        return "cannot be read", f"there is {shown(data)}, which is no dict"
    try:
        known = {name: value for name, value in data.items() if name in form.model_fields}
        read = dict(form.model_validate_json(to_json(known)))
    except (InvalidMessage, ValidationError, PydanticSerializationError) as error:
        return "cannot be read", str(error)
    for name, value in read.items():
        if value != means[name]:
            default = "invented" if means[name] is None else "lost"
            return WRONG.get(name, default), f"{name} is {value!r}, and should be {means[name]!r}"
    return None


# -- 10.3


def roll_out(answer: Answer, variant: int) -> Anomaly | str:
    """The learner's steps, in every order that they allow and at several moments."""
    steps = answer.call()
    try:
        plans = [*shop.rollouts(_steps(steps), variant)]
    except (TypeError, ValueError):
        return Anomaly("not as asked for", f"{answer.name} returned {shown(steps)}")
    for number, (plan, many) in enumerate(plans):
        if answer.again in (None, number):
            answer.last = number
            run, costs = shop.rolled_out(plan, many, variant)
            if wrong := _wrong_rollout(run, costs):
                return Anomaly(*wrong, run)
    return f"{len(plans)} rollouts, in every order that your steps allow"


def _steps(steps: Any) -> shop.Steps:
    """The steps, if they can be deployed. Raises TypeError or ValueError otherwise."""
    found = [[step] if isinstance(step, tuple) and isinstance(step[0], str) else [*step] for step in steps]  # fmt: skip
    for step in found:
        services = {service for service, _ in step}
        forms = [(form.__wire__, form.__declared__.topic) for _, form in step if issubclass(form, Event)]  # fmt: skip
        if not services <= {*shop.OLD} or not len(services) == len(step) == forms.count(("OrderPlaced", "orders")):  # fmt: skip
            raise ValueError(step)
    if len(found) > 6:
        raise ValueError(found)
    return found


def _wrong_rollout(run: Run, costs: dict[str, int]) -> tuple[str, str] | None:
    """The first order that a service cannot write or read, or reads wrongly, and what is left of the old field."""
    failed = {f.message.data.order_id: f for f in run.failures if f.message and f.message.data}
    for order_id, failure in failed.items():
        if failure.handler == "place":
            return "cannot be written", f"orders cannot write {order_id}: {failure.error}"
    for service in ("billing", "mail"):
        bills = dict(run.rows(service, "select order_id, cents from bills"))
        for order_id, cents in costs.items():
            if (billed := bills.get(order_id)) == cents:
                continue
            if billed is not None:
                evidence = f"{service} has {order_id} with {billed:,} cents, not {cents:,}"
                return "a wrong bill", evidence
            why = (
                str(failed[order_id].error) if order_id in failed else f"{service} lacks {order_id}"
            )
            written, known = map(int, re.findall(r" version (\d+) with", why)[:2] or (0, 0))
            return f"{'an old' if written < known else 'a new'} message is unreadable", why
    sent = [step.envelope for step in run.journal if step.step == "publish"]
    last = [envelope.data for envelope in sent if envelope and envelope.source == "orders"][-1]
    if "total" in type(last).model_fields:
        return "the old field is still there", f"the last message is {last}"
    return None

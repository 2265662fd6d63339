"""Mistakes in answers about versions of an event, found from what is billed and what is read."""

import re
from copy import deepcopy
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_json

from ..errors import InvalidMessage, Misuse, listed, shown
from ..model import Event
from ..practice.answer import Answer
from ..practice.exercise import Anomaly
from ..sim.run import Run
from . import lesson_10_system as shop
from .general import steps

# -- 10.1

# Do new readers read old messages, and old readers new ones?
FIRST = {"any": (True, True), "readers": (True, False), "writers": (False, True), "neither": (False, False)}  # fmt: skip
REASONS = "abcd"


def changes(variant: int) -> dict[str, list[dict[str, Any]]]:
    """The eight changes of a learner."""
    columns = "change", "billing reads", "before", "after"
    eight = [(n, *edit[2:]) for n, edit in enumerate(shop.edits(variant), 1)]
    return {"changes": [dict(zip(columns, row, strict=True)) for row in eight]}


def sort_changes(pairs: list[tuple[str, str]], variant: int) -> Anomaly | str:
    for n, ((first, reason), edit) in enumerate(zip(pairs, shop.edits(variant), strict=True), 1):
        ways = zip((True, False), FIRST[first], strict=True)
        # A failure is reported before a false alarm.
        for backward, works in sorted(ways, key=lambda way: not way[1]):
            wrong = shop.tried(edit, variant, backward)
            if works == bool(wrong):
                readers = "new readers read old" if backward else "old readers read new"
                evidence = f"change {n}: you say {first}, but when {readers} messages, "
                kind = "cannot be read" if wrong.startswith("billing") else "a wrong bill"
                name = kind if wrong else "a false alarm"
                return Anomaly(name, evidence + (wrong or "each bill is right"))
        if reason != edit.reason:
            evidence = f"change {n}: {first} is right, and ({reason}) is not why"
            return Anomaly("another reason", evidence)
    return "eight changes, each with new readers of old messages and old readers of new ones"


# -- 10.2

WRONG = {"cents": "a wrong amount", "channel": "invented", "order_id": "lost"}
WRONG |= dict.fromkeys(("customer", "first_name", "last_name"), "a wrong name")


def read_stored(answer: Answer, variant: int) -> Anomaly | str:
    """The verdict on upcasters, from stored orders of two older versions, upcast step by step."""
    steps = answer.call()
    if not isinstance(steps, dict) or {*steps} != {1, 2} or not all(map(callable, steps.values())):
        return Anomaly("not as asked for", f"{answer.name} returned {shown(steps)}")
    for version, data, means in shop.stored(variant):
        for step in range(version, 3):
            before = deepcopy(data)
            try:
                after = steps[step](data)
            except Exception as error:  # of the learner's
                where = answer.where_raised(error) or f"{type(error).__name__}: {error}"
                return Anomaly("raises", f"step {step} of {shown(before, 120)}: {where}")
            if data != before:
                evidence = f"step {step} made {shown(before)} into {shown(data)}"
                return Anomaly("changes its argument", evidence)
            name, why = _wrong(after, shop.FORMS[step], means)
            if name:
                return Anomaly(name, f"after step {step} of {shown(before, 120)} {why}")
            data = after
    return f"{len(shop.stored(variant))} stored orders of two older versions"


def _wrong(data: Any, form: Any, means: dict[str, Any]) -> tuple[str, str]:
    """The name of what a version reads wrongly in the data of an order, and the evidence."""
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
    return "", ""


# -- 10.3


MOST_STEPS = 6


def roll_out(answer: Answer, variant: int) -> Anomaly | str:
    """The verdict on the learner's steps, in the orders that they allow and at several moments."""
    steps = answer.call()
    try:
        found = _steps(steps)
        plans = [*shop.rollouts(found, variant)]
    except Misuse as wrong:
        return Anomaly("not as asked for", str(wrong))
    except (TypeError, ValueError, LookupError):
        return Anomaly("not as asked for", f"{answer.name} returned {shown(steps)}")
    deploys = [pair for step in found for pair in step]
    if unlike := _unlike([form for _, form in deploys]):
        return unlike
    for number, (plan, many) in enumerate(plans):
        if answer.again in (None, number):
            answer.last = number
            run, costs = shop.rolled_out(plan, many, variant)
            if wrong := _wrong_rollout(run, costs, deploys):
                return wrong
    few = ". Two steps are enough, because the new readers also read version 1" * (len(steps) == 2)
    return f"{len(plans)} rollouts, in every order that your steps allow{few}"


def _unlike(forms: list[type[Event]]) -> Anomaly | None:
    """The anomaly of a class that is another event, or has the version of another class."""
    known: dict[int, type[Event]] = {1: shop.OrderPlacedInEuros}
    for form in forms:
        wire, topic, version = form.__wire__, form.__declared__.topic, form.__declared__.version
        if (wire, topic) != ("OrderPlaced", "orders"):
            evidence = f"{form.__name__} is the event {wire} in the topic {topic}, and billing and mail wait for OrderPlaced in orders"
            return Anomaly("another event", evidence)
        other = known.setdefault(version, form)
        if {*other.model_fields} != {*form.model_fields}:
            evidence = f"{other.__name__} and {form.__name__} are both version {version} of OrderPlaced, with other fields"
            return Anomaly("a version is used twice", evidence)
    return None


def _steps(steps: Any) -> shop.Steps:
    """The steps, if they can be deployed. Raises Misuse, TypeError, ValueError or LookupError otherwise."""
    found = []
    for number, step in enumerate(steps, 1):
        single = isinstance(step, tuple) and isinstance(step[0], str)
        services, forms = zip(*([step] if single else step), strict=True)
        if others := {*services} - {*shop.OLD}:
            raise Misuse(f"step {number}: {shown(min(others))} is none of {listed(shop.OLD)}")
        if twice := [name for name in services if services.count(name) > 1]:
            raise Misuse(f"step {number} deploys {twice[0]} twice; make it two steps")
        if len(found) == MOST_STEPS:
            raise Misuse(f"there are more than {MOST_STEPS} steps, and three are enough")
        if not all(issubclass(form, Event) for form in forms):
            raise ValueError(forms)
        found.append([*zip(services, forms, strict=True)])
    return found


def _wrong_rollout(
    run: Run, costs: dict[str, int], deploys: list[tuple[str, type[Event]]]
) -> Anomaly | None:
    """The anomaly of the first order that a service cannot write or read, or reads wrongly, or else
    of the old field in the last message."""
    sent = [step.envelope for step in steps(run, "publish")]
    story = {envelope.data.order_id: envelope.correlation for envelope in sent}
    events = [envelope for envelope in sent if envelope.source == "orders"]
    wrote = {envelope.data.order_id: envelope.data for envelope in events}
    failed = {f.message.data.order_id: f for f in run.failures if f.message and f.message.data}
    errors = {order_id: str(failure.error) for order_id, failure in failed.items()}
    for order_id, failure in failed.items():
        if failure.handler == "place":
            evidence = f"orders cannot write {order_id}: {failure.error}"
            return Anomaly("cannot be written", evidence, run, story[order_id])
    for service in ("billing", "mail"):
        bills = dict(run.rows(service, "select order_id, cents from bills"))
        for order_id, cents in costs.items():
            if order_id not in bills:
                why = errors.get(order_id, f"{service}: no {order_id}")
                written, known = map(int, re.findall(r" version (\d+) with", why)[:2] or (0, 0))
                name = f"{'an old' if written < known else 'a new'} message is unreadable"
                readers = [form.__declared__ for name, form in deploys if name == service]
                if any(form.version == known and written in form.upcasts for form in readers):
                    name = "an upcast message is unreadable"
                if " has no field " in why:
                    name = "a strict reader refuses a field"
                return Anomaly(name, why, run, story[order_id])
            if bills[order_id] != cents:
                found = f"{service} has it with {bills[order_id]:,} cents, not {cents:,}"
                evidence = f"orders wrote {wrote[order_id]}, and {found}"
                return Anomaly("a wrong bill", evidence, run, story[order_id])
    last = events[-1]
    if "total" in type(last.data).model_fields:
        evidence = f"the last message is {last.data}"
        return Anomaly("the old field is still there", evidence, run, last.correlation)
    return None

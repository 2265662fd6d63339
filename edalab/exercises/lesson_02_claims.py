"""Mistakes in the copy that shipping keeps, found from the newest event of each customer and field."""

from typing import Any

from ..claims.claim import Claim
from ..model import Event
from ..sim.run import Run
from .general import Mistakes, dead_letters, slips
from .lesson_02_system import AddressChanged, ContactChanged

ROWS: dict[type[Event], str] = {  # customer, field and value of each copy
    AddressChanged: "select customer, 'address', coalesce(nullif(address, ''), 'an empty row') from addresses",
    ContactChanged: """select customer, 'address', address from contacts where address is not null
                       union select customer, 'phone', phone from contacts where phone is not null""",
}


def part(event: Any) -> tuple[str, str]:
    """The customer and the field that an event is about."""
    return event.customer, getattr(event, "field", "address")


def value(event: Any) -> str | None:
    return event.address if isinstance(event, AddressChanged) else event.value


def copied(at: Any, kind: type[Event]) -> dict[tuple[str, str], str]:
    """The content of the copy, at the end of a run or at a moment in it."""
    return {(who, field): has for who, field, has in at.rows("shipping", ROWS[kind])}


def mistakes(run: Run, kind: type[Event]) -> Mistakes:
    """The mistake and the evidence for each difference between the copy and the newest event."""
    done = run.rows("customers", "select event from done")
    events = [kind.model_validate_json(event) for (event,) in done]
    newest = {part(event): event for event in sorted(events, key=lambda event: event.version)}
    copy = copied(run, kind)
    for who, field in newest | copy:
        event, have = newest.get((who, field)), copy.get((who, field))
        owned = event and value(event)
        if (have or None) != owned:
            others = {value(e) for e in events if e.customer == who and part(e)[1] != field}
            anybodys = {value(e) for e in events if part(e)[1] == field}
            swapped = have in others or (event is None and have not in anybodys)
            so = f"{who}'s {field} is {owned or 'gone'}" if event else f"{who} has no {field} yet"
            found = "a value in the wrong field" if swapped else mistake(run, event)
            yield found, f"{so}, but the copy says {have or 'nothing'}"


def mistake(run: Run, event: Any) -> str:
    """Why the copy lacks the value of this event, the newest one about its part."""
    if event is None:
        return "another value is wiped out"
    steps: list[Any] = [s for s in run.journal if s.service == "shipping"]
    handled = [(n, s.envelope.data) for n, s in enumerate(steps) if s.step == "handle"]
    times = [n for n, other in handled if other == event]
    if not times:
        return "the copy does not follow"
    before = [other for n, other in handled if n < times[0] and other.customer == event.customer]
    after = {e.version for n, e in handled if n > times[-1] and part(e) == part(event)}
    rest = steps[times[-1] :]
    over = next((step.time for step in rest if step.step == "commit"), run.end)
    if copied(run.at(over / 1000), type(event)).get(part(event)) == value(event):
        if any(step.step == "crash" for step in rest):
            return "forgotten in a crash"
        if value(event) is None:
            return "an old event changes gone" if len(after) > 1 else "an address comes back"
        return "an older event wins" if after else "another value is wiped out"
    if len(times) > 1:
        return "noted too early"
    if any(s.step == "save" and s.fault and s.envelope.data == event for s in rest):
        return "a failed save is hidden"
    if value(event) is None:
        return "an address is not forgotten"
    if any(other.version > event.version for other in before):
        return "a late field is ignored"
    back = None in map(value, before) and len(before) == event.version - 1  # with none late
    return "nobody comes back" if back else "the copy does not follow"


def follows(kind: type[Event]) -> Claim:
    """The claim about a copy that is made from such events."""

    @Claim("the copy agrees with customers", about=kind)
    def agrees(run: Run) -> Mistakes:
        yield from slips(run)
        yield from dead_letters(run)
        yield from mistakes(run, kind)

    return agrees

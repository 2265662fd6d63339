"""The shop of lesson 02's exercises: `customers` owns the data and `shipping` keeps copies of it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ..claims.claim import Claim
from ..model import Command, Event, System
from ..practice.exercise import nothing_dead
from ..sim.run import Run
from .general import no_slips


class ChangeAddress(Command):
    customer: str
    address: str | None


class AddressChanged(Event, topic="customers", key="customer"):
    customer: str
    address: str | None
    version: int


class ChangeContact(Command):
    customer: str
    field: str
    value: str


class ContactChanged(Event, topic="contacts", key="customer"):
    customer: str
    field: str
    value: str
    version: int


class Repeat(Command):
    event: AddressChanged


OWNED = """create table versions (customer text primary key, version integer);
           create table done (command text primary key, event text);
           insert into versions values ('dan', 9);"""
ADDRESSES = """create table addresses (customer text primary key, address text, version integer);
               create table gone (customer text primary key, version integer);
               insert into addresses values ('dan', 'Elm Street', 9);"""
CONTACTS = """create table contacts (customer text primary key, address text, phone text);
              create table versions (customer text, field text, version integer,
                                     primary key (customer, field));
              insert into contacts values ('dan', 'Elm Street', null); insert into versions values ('dan', 'address', 9);"""
COUNTED = """insert into versions values (?, 1) on conflict (customer) do update
             set version = version + 1 returning version"""


async def change(command, ctx):
    """Number a change and publish its event, at least once and always the same for a command."""
    kind = AddressChanged if isinstance(command, ChangeAddress) else ContactChanged
    find = "select event from done where command = ?"
    with ctx.database as db:
        if not db.execute(find, (ctx.message.id,)).fetchone():
            [(version,)] = db.execute(COUNTED, (command.customer,))
            event = kind(**command.model_dump(), version=version)
            row = ctx.message.id, event.model_dump_json()
            db.execute("insert into done values (?, ?)", row)
        [(recorded,)] = db.execute(find, (ctx.message.id,))
    return kind.model_validate_json(recorded)


def sent(commands: Sequence[tuple[float, Command]]) -> Callable:
    """A workload that sends each command after a pause in seconds."""

    async def people(ctx):
        for pause, command in commands:
            await ctx.sleep(pause)
            await ctx.send(command)

    return people


def leaving(keep: Callable, variant: int) -> tuple[System, Callable]:
    """Bob comes, leaves, returns and moves. Cleo comes and leaves twice. O'Hara and Dan move."""
    ohara, bob, cleo = (f"{name}-{variant}" for name in ("o'hara", "bob", "cleo"))
    changes = [
        (bob, f"Elm Street {variant}"),
        (bob, None),
        (bob, f"Fir Street {variant}"),
        (bob, f"Yew Street {variant}"),
        (cleo, "Ash Street"),
        (cleo, None),
        (cleo, "4 O'Connell Street"),
        (cleo, None),
        (ohara, f"Elm Street {variant}"),
        (ohara, f"Oak Street {variant}"),
        ("dan", f"Oak Street {variant}"),
    ]
    shop = System("shop")
    shop.service("customers", schema=OWNED).handles(ChangeAddress)(change)
    shop.service("shipping", schema=ADDRESSES).on(AddressChanged)(keep)
    return shop, sent([(0.1, ChangeAddress(customer=who, address=to)) for who, to in changes])


def contacted(keep: Callable, variant: int) -> tuple[System, Callable]:
    """O'Hara changes both fields twice, Bob his phone and then, three times, his address."""
    ohara, bob, cleo = (f"{name}-{variant}" for name in ("o'hara", "bob", "cleo"))
    changes = [
        (ohara, "address", f"Elm Street {variant}"),
        (ohara, "address", f"Oak Street {variant}"),
        (ohara, "phone", f"555-{variant}"),
        (ohara, "phone", f"556-{variant}"),
        (bob, "phone", f"555-{variant}"),
        (bob, "address", f"Elm Street {variant}"),
        (bob, "address", f"Oak Street {variant}"),
        (bob, "address", f"Fir Street {variant}"),
        (cleo, "address", f"{variant} O'Connell Street"),
        ("dan", "address", f"Oak Street {variant}"),
    ]
    shop = System("shop")
    shop.service("customers", schema=OWNED).handles(ChangeContact)(change)
    shop.service("shipping", schema=CONTACTS).on(ContactChanged)(keep)
    return shop, sent([(0.1, ChangeContact(customer=c, field=f, value=v)) for c, f, v in changes])


# -- what went wrong with the copy

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


def mistakes(run: Run, kind: type[Event]) -> Iterator[tuple[str, str]]:
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


def claims(kind: type[Event], names: Iterable[str]) -> dict[str, Claim]:
    """A claim for each named mistake in a copy that is made from such events."""

    def without(name: str) -> Claim:
        if name == "a dead letter":
            return nothing_dead("shipping", kind)
        return Claim("the copy agrees with customers", about=kind)(
            lambda run: [evidence for found, evidence in mistakes(run, kind) if found == name]
        )

    return {"raises": no_slips(kind)} | {name: without(name) for name in names}

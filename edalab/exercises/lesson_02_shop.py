"""The shop of lesson 02's exercises: `customers` owns the data and `shipping` keeps copies of it."""

from collections.abc import Callable, Sequence

from ..claims.claim import Claim
from ..model import Command, Event, System
from ..sim.run import Run


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
    event: str


OWNED = """create table customers (customer text primary key, address text, version integer);
           create table done (command text primary key, event text);"""
COPY = """create table addresses (customer text primary key, address text, version integer);
          create table gone (customer text primary key, version integer);"""
CONTACTS = """create table contacts (customer text primary key, address text, phone text);
              create table versions (customer text, field text, version integer,
                                     primary key (customer, field));"""
COUNTED = """insert into customers values (?, ?, 1) on conflict (customer) do update
             set address = excluded.address, version = version + 1 returning version"""
AGAIN = ["lose customers.ack.ChangeAddress #1", "crash shipping.handle.AddressChanged #9"]
SAME_FIELD = ["lose customers.ack.ChangeContact #2", "crash shipping.handle.ContactChanged #7"]


def _once(db, command_id: str, change: Callable[[], Event]) -> str:
    """The event that a command led to, as text; a command that comes again leads to the same one."""
    find = "select event from done where command = ?"
    if not db.execute(find, (command_id,)).fetchone():
        row = command_id, change().model_dump_json()
        db.execute("insert into done values (?, ?)", row)
    return db.execute(find, (command_id,)).fetchone()[0]


async def change_address(command, ctx):
    with ctx.database as db:

        def change():
            [(version,)] = db.execute(COUNTED, (command.customer, command.address))
            return AddressChanged(**command.model_dump(), version=version)

        event = _once(db, ctx.message.id, change)
    await ctx.publish(AddressChanged.model_validate_json(event))


async def change_contact(command, ctx):
    with ctx.database as db:

        def change():
            [(version,)] = db.execute(COUNTED, (command.customer, None))
            key = command.customer, command.field, command.value
            db.execute("insert or replace into contacts values (?, ?, ?)", key)
            return ContactChanged(**command.model_dump(), version=version)

        event = _once(db, ctx.message.id, change)
    await ctx.publish(ContactChanged.model_validate_json(event))


def _sent(commands: Sequence[tuple[float, Command]]) -> Callable:
    async def people(ctx):
        for pause, command in commands:
            await ctx.sleep(pause)
            await ctx.send(command)

    return people


def copied(
    keep: Callable, changes: Sequence[tuple[float, str, str | None]], known: str = ""
) -> tuple[System, Callable]:
    """`customers` owns addresses, and `shipping` keeps copies by the function `keep`.

    Each of the `changes` is seconds to wait, a customer and an address. Both services may already know one
    customer.
    """
    shop = System("shop")
    row = f"insert into {{}} values ('{known}', 'Ash Street', 1)" if known else ""
    customers = shop.service("customers", schema=OWNED + row.format("customers"))
    customers.handles(ChangeAddress)(change_address)
    shop.service("shipping", schema=COPY + row.format("addresses")).on(AddressChanged)(keep)
    return shop, _sent(
        [(pause, ChangeAddress(customer=who, address=to)) for pause, who, to in changes]
    )


def both(run: Run) -> tuple[dict[str, str], dict[str, str | None]]:
    """The addresses that `customers` owns, and the rows that `shipping` has."""
    owned = "select customer, address from customers where address is not null"
    rows = run.rows("shipping", "select customer, address from addresses")
    return dict(run.rows("customers", owned)), dict(rows)


def older_came_last(run: Run, customer: str) -> bool:
    """Whether the last event of a customer that `shipping` handled was not the newest."""
    steps = [s for s in run.journal if (s.service, s.step) == ("shipping", "handle")]
    events = [step.envelope.data for step in steps if step.envelope]
    versions = [event.version for event in events if event.customer == customer]
    return bool(versions) and versions[-1] < max(versions)


def differences(run: Run, late: bool) -> list[str]:
    owned, copy = both(run)
    return [
        f"{who} lives in {there}, the copy says {copy.get(who, 'nothing')}"
        for who, there in owned.items()
        if copy.get(who) != there and older_came_last(run, who) == late
    ]


@Claim("the copy agrees with customers", about=AddressChanged)
def follows(run):
    return differences(run, late=False)


@Claim("an older event changes nothing", about=AddressChanged)
def never_goes_back(run):
    return differences(run, late=True)


@Claim("shipping has no address of somebody who has left", about=AddressChanged)
def forgets(run):
    owned, copy = both(run)
    return [
        f"{who} has left, and the row is still there: {copy[who]}"
        for who in copy
        if who not in owned and (copy[who] is None or not older_came_last(run, who))
    ]


@Claim("what was forgotten does not come back", about=AddressChanged)
def stays_forgotten(run):
    owned, copy = both(run)
    return [
        f"{who} has left, the copy says {copy[who]} again"
        for who in copy
        if who not in owned and copy[who] is not None and older_came_last(run, who)
    ]


FIELDS = ("address", "phone")


@Claim("each contact ends with the newest value of each field", about=ContactChanged)
def newest_of_each(run):
    return [what for late, what in _contacts(run) if not late]


@Claim("an older value of a field changes nothing", about=ContactChanged)
def no_older_value(run):
    return [what for late, what in _contacts(run) if late]


def _contacts(run: Run) -> list[tuple[bool, str]]:
    """Where `shipping` differs, and whether its value is an older one of that field."""
    changed = [
        ContactChanged.model_validate_json(e)
        for (e,) in run.rows("customers", "select event from done")
    ]
    rows = run.rows("shipping", "select customer, address, phone from contacts")
    have = {(who, f): v for who, *values in rows for f, v in zip(FIELDS, values, strict=True)}
    newest = {(e.customer, e.field): e.value for e in sorted(changed, key=lambda e: e.version)}
    older = {(e.customer, e.field, e.value) for e in changed}
    return [
        (
            (*key, have.get(key)) in older,
            f"{key[0]}'s {key[1]} is {value}, the copy says {have.get(key)}",
        )
        for key, value in newest.items()
        if have.get(key) != value
    ]

"""The shop of lesson 02's exercises: `customers` owns the data and `shipping` keeps copies of it."""

from collections.abc import Callable

from ..model import Command, Event, System
from .general import sent


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


def shop_of(
    keep: Callable, change_: type[Command], changed: type[Event], copies: str, changes: list[tuple]
) -> tuple[System, Callable]:
    """A shop in which `shipping` keeps copies, and a workload with the values of each change."""
    shop = System("shop")
    shop.service("customers", schema=OWNED).handles(change_)(change)
    shop.service("shipping", schema=copies).on(changed)(keep)
    story = [change_(**dict(zip(change_.model_fields, values, strict=True))) for values in changes]
    return shop, sent(0.1, *story, pause=0.1)


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
    return shop_of(keep, ChangeAddress, AddressChanged, ADDRESSES, changes)


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
    return shop_of(keep, ChangeContact, ContactChanged, CONTACTS, changes)

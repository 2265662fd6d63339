"""The shop of lesson 10's exercises: OrderPlaced is written in one version and read in another."""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice, permutations, product
from typing import Any, Literal, NamedTuple

from pydantic import create_model

from ..errors import InvalidMessage
from ..model import Command, Event, Message, System
from ..model.versions import read
from ..sim import cut, deploy, pause, simulate
from ..sim.run import Run
from .general import mixed, sent

BILLS = "create table bills (order_id text, cents int)"


# -- 10.1

# Who is deployed first and why, how readers read, and the field before and after. The first four change a meaning.
CHANGES = """
neither;c;tolerant;total: float  # euros;total: float  # cents
neither;c;tolerant;total: float  # cents;total: float  # euros
neither;c;tolerant;total: float  # euros;total: float  # euros, without 20 % tax
neither;c;tolerant;discount: int  # per cent;discount: int  # euros
readers;c;tolerant;;discount: int = 0  # per cent
writers;c;tolerant;discount: int = 0  # per cent;
readers;c;tolerant;;pieces: int = 1  # total is now for one piece
writers;c;tolerant;;cents: int = 0  # the same as total
readers;c;tolerant;cents: int = 0  # the same as total;
writers;a;tolerant;;customer: str
readers;a;tolerant;customer: str;
neither;a;tolerant;total: float  # euros;euros: float  # instead of total
any;d;tolerant;;note: str = ""
any;d;tolerant;note: str = "";
any;d;strict;note: str = "";note: str = "none"
readers;b;strict;;note: str = ""
writers;b;strict;note: str = "";
readers;b;tolerant;weight: int;weight: float
writers;b;tolerant;weight: float;weight: int
readers;b;tolerant;state: Literal["new", "paid"];state: Literal["new", "paid", "gift"]
writers;b;tolerant;state: Literal["new", "paid", "gift"];state: Literal["new", "paid"]
readers;b;tolerant;note: str;note: str | None
writers;b;tolerant;note: str | None;note: str
neither;b;tolerant;table: int;table: Literal["A1", "B2"]
""".split("\n")[1:-1]
MEANINGS = 4
FIELD = re.compile(r"^(\w+): (.+?)(?: = (.+?))?(?:  # (.+))?$")  # name, type, default, comment
# Each type with the values that orders have.
TYPES: dict[str, tuple[Any, list]] = {
    "float": (float, [12.5, 19.99, 0.5]),
    "int": (int, [2, 3, 4]),
    "str": (str, ["green", "black", "white"]),
    "str | None": (str | None, ["green", None, "white"]),
    'Literal["new", "paid"]': (Literal["new", "paid"], ["new", "paid", "new"]),
    'Literal["new", "paid", "gift"]': (Literal["new", "paid", "gift"], ["new", "paid", "gift"]),
    'Literal["A1", "B2"]': (Literal["A1", "B2"], ["A1", "B2", "A1"]),
}


class Edit(NamedTuple):
    """A change of one field, with the right answer about it."""

    first: str
    reason: str
    readers: str
    before: str
    after: str


def edits(variant: int) -> list[Edit]:
    """Eight changes that differ in the right answer, or in how readers read. They include each
    side, each reason, and a change of a meaning."""
    order = [Edit(*change.split(";")) for change in mixed(CHANGES, variant)]
    meanings = [Edit(*change.split(";")) for change in CHANGES[:MEANINGS]]
    eight = [edit for edit in order if edit in meanings][:1]
    for word in ("a", "b", "d", "readers", "writers", "", ""):
        left = [edit for edit in order if edit[:3] not in [one[:3] for one in eight]]
        eight.append(next(edit for edit in left if not word or word in edit[:2]))
    return mixed(eight, variant)


def _fields(edit: Edit, field: str) -> list[tuple[str, str, str, str]]:
    """The fields of a version: names, types, defaults, comments."""
    total = [] if edit.before.startswith("total") else ["total: float  # euros"]
    return [FIELD.findall(text)[0] for text in ["order_id: str", *total, *filter(None, [field])]]


@lru_cache(maxsize=64)
def version_of(edit: Edit, field: str) -> type[Event]:
    """The class before or after a change, the one that has this field."""
    fields: dict[str, Any] = {}
    for name, kind, default, _ in _fields(edit, field):
        value = int(default) if default.isdigit() else default.strip('"')
        fields[name] = TYPES[kind][0], value if default else ...
    number = 1 if field == edit.before else 2
    words = {"name": "OrderPlaced", "version": number, "topic": "orders", "reads": edit.readers}
    bases: dict[str, Any] = {"__base__": Event, "__module__": __name__, "__cls_kwargs__": words}
    return create_model(f"OrderPlaced{'Before' if number == 1 else 'After'}", **bases, **fields)


def owed(edit: Edit, field: str, order: Message) -> int:
    """What one version of billing charges for an order, in cents."""
    units = {name: comment for name, _, _, comment in _fields(edit, field)}
    data = dict(order)
    amount = data.get("total", data.get("euros")) * (1 if units.get("total") == "cents" else 100)
    amount = data.get("cents", amount) * (1.2 if "tax" in units.get("total", "") else 1)
    off = data.get("discount", 0)
    amount -= off * 100 if units.get("discount") == "euros" else amount * off / 100
    return round(amount * data.get("pieces", 1))


@lru_cache(maxsize=64)
def tried(edit: Edit, variant: int, backward: bool) -> str:
    """What goes wrong if new readers read old messages (`backward`) or the reverse; or ""."""
    written, known = (edit.before, edit.after) if backward else (edit.after, edit.before)
    for n in range(3):
        data = {name: TYPES[kind][1][n] for name, kind, *_ in _fields(edit, written)}
        data |= {"order_id": f"order-{variant % 50 + n}"}
        data |= {"cents": round(data["total"] * 100)} if "cents" in data else {}
        order = version_of(edit, written)(**data)
        try:
            event = read(order, version_of(edit, known))
        except InvalidMessage as why:
            return f"billing cannot read {order!r}: {why}"
        billed, means = owed(edit, known, event), owed(edit, written, order)
        if billed != means:
            return f"{order.order_id} is billed {billed:,} cents, not {means:,}"
    return ""


# -- 10.2


class OrderPlacedV1(Event, name="OrderPlaced", topic="orders"):
    order_id: str
    total: float  # euros
    customer: str
    note: str | None = None


class OrderPlacedV2(Event, name="OrderPlaced", version=2, topic="orders"):
    order_id: str
    cents: int
    customer: str
    note: str | None = None


class OrderPlacedV3(Event, name="OrderPlaced", version=3, topic="orders"):
    order_id: str
    cents: int
    first_name: str
    last_name: str
    channel: Literal["web", "phone", "unknown"]
    note: str | None = None


FORMS = (OrderPlacedV1, OrderPlacedV2, OrderPlacedV3)
TOTALS = {19.99: 1999, 2.01: 201, 0.1 + 0.2: 30, 20: 2000, -4.35: -435, 1136.1: 113610, 0.0: 0}
NAMES = "Ada Lovelace", "Mary Ann Evans", "Cher", "Bob Fox", "Ludwig van Beethoven", "Anna-Lena Ay"


def stored(variant: int) -> list[tuple[int, dict[str, Any], dict[str, Any]]]:
    """Stored orders: the version, the data, and their meaning in all versions."""
    found = []
    names = mixed(NAMES, variant)
    for n, (total, cents) in enumerate([*TOTALS.items()] * 2):
        version, name = 1 + n // len(TOTALS), names[n % len(names)]
        first, _, last = name.rpartition(" ")
        note = f"for {names[n % 5]}" if n % 3 else None
        means = {"order_id": f"order-{variant % 90 + n}", "total": total, "cents": cents, "note": note}  # fmt: skip
        means |= {"customer": name, "first_name": first, "last_name": last, "channel": "unknown"}
        data = {field: means[field] for field in FORMS[version - 1].model_fields}
        found.append((version, {f: v for f, v in data.items() if v is not None}, means))
    return found


# -- 10.3


class PlaceOrder(Command):
    order_id: str
    cents: int


class OrderPlacedInEuros(Event, name="OrderPlaced", topic="orders"):
    order_id: str
    total: float


OLD: dict[str, type[Event]] = dict.fromkeys(("orders", "billing", "mail"), OrderPlacedInEuros)
OUTBOX = "create table outbox (number integer primary key, event text)"
ROLLING = 1  # s
Steps = list[list[tuple[str, type[Event]]]]


def shop_of(forms: dict[str, type[Event]]) -> System:
    """`orders`, which has an outbox, `billing` and `mail`, each with its own form of the event."""
    shop = System("shop")
    orders = shop.service("orders", replicas=2, schema=OUTBOX)

    @orders.handles(PlaceOrder)
    def place(command, ctx):
        values = {"order_id": command.order_id, "total": command.cents / 100, "cents": command.cents}  # fmt: skip
        form = forms["orders"]
        event = form(**{name: value for name, value in values.items() if name in form.model_fields})
        with ctx.database as db:
            db.execute("insert into outbox (event) values (?)", (ctx.envelope(event),))

    @orders.every(0.2)
    async def relay(ctx):
        with ctx.database as db:
            rows = db.execute("select number, event from outbox order by number").fetchall()
        for number, event in rows:
            await ctx.publish(event)
            with ctx.database as db:
                db.execute("delete from outbox where number = ?", (number,))

    for name in ("billing", "mail"):

        @shop.service(name, replicas=2, schema=BILLS).on(forms[name])
        def bill(event, ctx):
            cents = getattr(event, "cents", None)
            with ctx.database as db:
                row = event.order_id, round(event.total * 100) if cents is None else cents
                db.execute("insert into bills values (?, ?)", row)

    return shop


def rollouts(steps: Steps, variant: int) -> Iterator[tuple[list, int]]:
    """Up to 24 sequences of the deploys, each at several moments, with the number of orders."""
    for ways in islice(product(*map(permutations, steps)), 24):
        for moment in (0, 0.07, 0.14):
            at, plan = 1 + moment + variant % 9 / 10, []
            for way in ways:
                for name, form in way:
                    new = shop_of({**OLD, name: form}).services[name]
                    plan.append(deploy(new, at=round(at, 2), rolling=ROLLING))
                    at += 0.9  # longer than all attempts at a message
                at += ROLLING
            yield plan, int(at / 0.25) + 5
        # If nobody reads, or nothing leaves the outbox, until then, new readers get old messages.
        still = [pause(name, 0.9, at, n) for name in ("billing", "mail") for n in (1, 2)]
        yield [*plan, *still], int(at / 0.25) + 5
        yield [*plan, cut("orders", 0.9, at)], int(at / 0.25) + 5


def rolled_out(plan: list, many: int, variant: int) -> tuple[Run, dict[str, int]]:
    """A run with these deploys, and the amount of each order."""
    odd = [cents for cents in range(1000, 5000) if int(cents / 100 * 100) < cents]
    costs = {f"order-{n}": cents for n, cents in enumerate(mixed(odd, variant)[:many], 1)}
    orders = [PlaceOrder(order_id=order_id, cents=cents) for order_id, cents in costs.items()]
    return simulate(shop_of(OLD), sent(*orders, pause=0.25), faults=plan), costs

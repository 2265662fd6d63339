"""The shop of lesson 07's exercises: `web` shows prices and stock from late and repeated events."""

from collections.abc import Callable
from itertools import count
from zlib import crc32

from ..model import Command, Event, System
from .general import sent


class PriceChanged(Event, topic="prices", key="product"):
    product: str
    price: int
    version: int


class StockMoved(Event, topic="moves", key="product"):
    product: str
    by: int
    number: int


class ChangePrice(Command, key="product"):
    product: str
    price: int
    version: int


class MoveStock(Command, key="product"):
    product: str
    by: int
    number: int


EVENTS: dict[type[Command], type[Event]] = {ChangePrice: PriceChanged, MoveStock: StockMoved}
TABLES = """create table products (product text primary key, price int, version int, stock int, number int);
            create table moves (product text, number int, by int, primary key (product, number));
            create table missing (product text, number int);"""
# The price, its version, the stock and the number of its last move. Only tea is new, and little of it is left.
START = {"tea": (10, 1, 5, 0), "milk": (7, 9, 20, 9), "rice": (7, 9, 20, 2)}


def start(product: str) -> tuple[int, int, int, int]:
    return START[product.partition("-")[0]]


def announce(command):
    """Publish at least once: a redelivered command is published again, with a new id."""
    return EVENTS[type(command)](**command.model_dump())


def prices(product: str, many: int) -> list[Command]:
    price, version, *_ = start(product)
    return [
        ChangePrice(product=product, price=price + up, version=version + n)
        for n, up in enumerate((30, 10, 20)[:many], 1)
    ]


def moves(product: str, many: int, variant: int) -> list[Command]:
    """Moves by powers of three: a stock shows how often each of them counts, up to twice."""
    unit, (*_, number) = 1 + variant % 5, start(product)
    by = [unit * 3 ** (many - n) * (1 if n % 2 else -1) for n in range(1, many + 1)]
    return [MoveStock(product=product, by=b, number=number + n) for n, b in enumerate(by, 1)]


def shop_of(keep: Callable, *products: str) -> System:
    rows = [str((product, *start(product))) for product in products]
    shop = System("shop")
    owner = shop.service("catalogue")
    for command in EVENTS:
        owner.handles(command)(announce)
    web = shop.service(
        "web", replicas=3, schema=f"{TABLES} insert into products values {', '.join(rows)};"
    )
    web.on(StockMoved)(keep)
    return shop


def both(keep: Callable, variant: int) -> tuple[System, Callable]:
    """Prices and moves of two products, in queues that the replicas of `web` share."""
    tea, rice = f"tea-{variant}", f"rice-{variant}"
    shop = shop_of(keep, tea, rice)
    shop.queue("prices")
    shop.queue("moves")
    shop.service("web").on(PriceChanged)(keep)
    teas, bags = moves(tea, 4, variant), moves(rice, 3, variant)  # a picture names them by amount
    story = [*prices(tea, 2), teas[0], *prices(rice, 2), bags[0], *teas[1:3], bags[1], teas[3]]
    return shop, sent(*story, *prices(tea, 3)[2:], pause=0.1)


def in_order(keep: Callable, variant: int) -> tuple[System, Callable]:
    """Moves of two products by key, without confirmations. A third partition gets both keys."""

    def name(product: str) -> str:
        names = (f"{product}-{number}" for number in count(100 * variant))
        return next(name for name in names if crc32(name.encode()) % 6 == 2)  # partition 0 or 2

    tea, milk = name("tea"), name("milk")
    shop = shop_of(keep, tea, milk)
    shop.topic("moves", partitions=2, confirms=False)
    teas, milks = moves(tea, 6, variant), moves(milk, 3, variant)
    story = [*teas[:2], milks[0], teas[2], milks[1], teas[3], milks[2], *teas[4:]]
    return shop, sent(*story, pause=0.3)

"""The shop of lesson 06's exercises: its coordinator asks the learner's function for the next step."""

from collections.abc import Callable
from inspect import isawaitable
from sqlite3 import IntegrityError

from ..errors import Misuse, Refused, Unanswered, listed, shown
from ..model import Command, Event, System


class Order(Command):
    order_id: str
    customer: str
    pieces: int
    total: int


class PlaceOrder(Order, key="order_id"): ...


class ReserveInventory(Order, key="order_id"): ...


class ChargePayment(Order, key="order_id"): ...


class ShipOrder(Order, key="order_id", final=True): ...


class RefundPayment(Order, key="order_id", compensates=ChargePayment): ...


class ReleaseInventory(Order, key="order_id", compensates=ReserveInventory): ...


class OrderCompleted(Event, topic="outcomes", key="order_id", settles=True):
    order_id: str


class OrderCancelled(Event, topic="outcomes", key="order_id", settles=True, refuses=PlaceOrder):
    order_id: str


class Continue(Command, key="order_id"):
    order_id: str


STEPS = {
    "inventory": {
        ReserveInventory: "update stock set pieces = pieces - :pieces",
        ReleaseInventory: "update stock set pieces = pieces + :pieces",
    },
    "payments": {
        ChargePayment: "update accounts set money = money - :total where customer = :customer",
        RefundPayment: "update accounts set money = money + :total where customer = :customer",
    },
    "shipping": {ShipOrder: "insert into parcels values (:order_id, :pieces)"},
}
UNDO: dict[type, type] = {ReserveInventory: ReleaseInventory, ChargePayment: RefundPayment}
COMMANDS = {command.__name__: command for steps in STEPS.values() for command in steps}
ENDS = {"OrderCompleted": OrderCompleted, "OrderCancelled": OrderCancelled}
NAMES = COMMANDS | ENDS
TABLES = {
    "inventory": "create table stock (pieces int check (pieces >= 0)); insert into stock values (10);",
    "payments": """create table accounts (customer text, money int check (money >= 0));
                   insert into accounts values ('ada', 100), ('bob', 10);""",
    "shipping": "create table parcels (order_id text, pieces int check (pieces <= 5));",
}
DONE = "create table done (order_id text, step text, primary key (order_id, step));"
SAGAS = """create table sagas (order_id text primary key, placed text);
           create table log (number integer primary key, order_id text, step text, answer text);"""
MOST = 60  # questions about one order


def carried_out(sql: str, command: type) -> Callable:
    """A handler that carries out a step once per order, and refuses it if it was undone before."""
    undone_by = UNDO.get(command)
    undoes = next((step for step, undo in UNDO.items() if undo is command), None)

    def step(asked, ctx):
        name, done = command.__name__, "select step from done where order_id = ?"
        try:
            with ctx.database as db:
                noted = {row[0] for row in db.execute(done, (asked.order_id,))}
                if name in noted:
                    return "done"
                if undone_by and undone_by.__name__ in noted:
                    return Refused("it was undone before it came")
                db.execute("insert into done values (?, ?)", (asked.order_id, name))
                if undoes is None or undoes.__name__ in noted:
                    db.execute(sql, dict(asked))
        except IntegrityError as error:
            return Refused(str(error))
        return "done"

    return step


def shop_of(coordinator: Callable[[System], None]) -> System:
    shop = System("shop")
    coordinator(shop)
    for name, steps in STEPS.items():
        service = shop.service(name, schema=TABLES[name] + DONE)
        for command, sql in steps.items():
            service.handles(command)(carried_out(sql, command))
    return shop


def in_memory(shop: System, timeout: float) -> None:
    """The lesson's first coordinator, which takes silence for a refusal."""

    async def ask_in_turn(order, ctx):
        to_ask, undo, end = [ReserveInventory, ChargePayment, ShipOrder], [], OrderCompleted
        while to_ask:
            step = to_ask.pop(0)
            try:
                answer = await ctx.ask(step(**dict(order)), timeout=timeout)
            except Unanswered:
                answer = None
            if answer != "done" and end is OrderCompleted:
                to_ask, end = undo, OrderCancelled
            elif step in UNDO:
                undo.insert(0, UNDO[step])
        return end(order_id=order.order_id)

    shop.service("orders").handles(PlaceOrder, delivery="at-most-once")(ask_in_turn)


def begin(order, ctx):
    insert = "insert or ignore into sagas (order_id, placed) values (?, ?)"
    with ctx.database as db:
        db.execute(insert, (order.order_id, order.model_dump_json()))
    return Continue(order_id=order.order_id)


def led_by(shop: System, next_step: Callable, shows_doubt: bool, answered: dict) -> None:
    """A coordinator with a saga log: `next_step(log)` returns the step to ask for, or the end.

    A step is logged before it is asked for, at first as "no answer". With `shows_doubt`, the function sees
    such lines; otherwise the coordinator asks again. `answered` has the function's first answers.
    """

    async def follow_the_log(command, ctx):
        order_id = command.order_id
        answers = "select step, answer from log where order_id = ? order by number"
        while True:
            with ctx.database as db:
                [(placed,)] = db.execute("select placed from sagas where order_id = ?", (order_id,))
                log = list(db.execute(answers, (order_id,)))
            if len(log) >= MOST:
                return ctx.note("asked too often")
            log = tuple(line for line in log if shows_doubt or line[1] != "no answer")
            step = next_step([*log])
            step = _name(await step if isawaitable(step) else step, next_step)
            answered.setdefault(log, step)
            if step in ENDS:
                break
            insert = "insert into log (order_id, step, answer) values (?, ?, 'no answer')"
            with ctx.database as db:
                number = db.execute(insert, (order_id, step)).lastrowid
            try:
                answer = await ctx.ask(COMMANDS[step](**dict(Order.model_validate_json(placed))))
            except Unanswered:
                await ctx.send(command, after=1)
                return
            answer = "refused" if isinstance(answer, Refused) else answer
            with ctx.database as db:
                db.execute("update log set answer = ? where number = ?", (answer, number))
        await ctx.publish(ENDS[step](order_id=order_id))

    orders = shop.service("orders", schema=SAGAS)
    orders.handles(PlaceOrder, max_attempts=10)(begin)
    orders.handles(Continue, max_attempts=10)(follow_the_log)


def _name(returned: object, function: Callable) -> str:
    """The name of the step that the learner's function returned, as text or as a class."""
    name = getattr(returned, "__name__", returned)
    if isinstance(name, str) and name in NAMES:
        return name
    raise Misuse(f"{function.__name__} returned {shown(returned)}; it returns {listed(NAMES)}")


def orders_of(variant: int) -> list[PlaceOrder]:
    """An order that nobody refuses, and one for each service that refuses it."""
    wanted = [("ada", 2, 20), ("bob", 3, 30), ("ada", 8, 80), ("ada", 11, 90)]
    orders = []
    for number, (who, pieces, price) in enumerate(wanted):
        id, total = f"order-{16 + variant + number}", price + variant % 10
        orders.append(PlaceOrder(order_id=id, customer=who, pieces=pieces, total=total))
    return orders

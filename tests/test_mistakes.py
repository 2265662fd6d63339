"""What a learner can get wrong: each mistake gets one clear sentence that names the thing, lists what exists or says
what to do, and what was computed before it is kept."""

import asyncio
import datetime
import itertools
import json
import os
import pickle
import random
import re
import signal
import sqlite3
import sys
import threading
import time
import uuid
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import nullcontext
from html import unescape
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import Field, ValidationError, field_validator
from weddings import choreographed, one_announced

import edalab
from edalab import (
    Claim,
    Command,
    Event,
    EventStore,
    Fault,
    Faults,
    Misuse,
    Query,
    System,
    cut,
    explore,
    pause,
    simulate,
    stuck,
)
from edalab.errors import Endless, Hung, InvalidMessage, Unknown
from edalab.view import timeline

OURS = os.path.join(Path(edalab.__file__).parent, "")  # in the path of each file of the package


class OrderPlaced(Event, topic="orders", key="order_id"):
    order_id: str
    total: float = 1.0


class Charged(Event):
    order_id: str
    items: list[str] = []


class Charge(Command):
    order_id: str


class Ship(Command):
    order_id: str


class Stock(Query):
    sku: str


class Price(Query):
    sku: str


PLACED = OrderPlaced(order_id="o1")


async def orders(ctx):
    await ctx.publish(PLACED)


def make_shop():
    shop = System("shop")
    shop.topic("orders", partitions=2)
    shop.service("payments", schema="create table charges (order_id text, total real)")
    shop.service("stock")
    return shop


def play(handler=None, workload=orders, **keywords):
    """The run of a shop whose payments handle an order so."""
    shop = keywords.pop("shop", None) or make_shop()
    if handler is not None:
        shop.services["payments"].on(OrderPlaced)(handler)
    return simulate(shop, workload, **keywords)


def tell(error, *words):
    """The error is one sentence of bearable length, without addresses, and says all of this: `one … another`."""
    text = str(error)
    assert "\n" not in text and len(text) < 500 and " at 0x" not in text, text
    for word in " … ".join(words).split(" … "):
        assert word in text, f"{word!r} is not in: {text}"


def refused(function, *words, error=Misuse):
    """Calling the function raises this error, and says all of this."""
    with pytest.raises(error) as caught:
        function()
    tell(caught.value, *words)
    return caught.value


def refused_in_a_run(
    handler, *words, steps=("publish", "deliver", "handle"), error=Misuse, **keywords
):
    """The handler stops the run; the error has the record so far, and that can be drawn."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mistake = refused(lambda: play(handler, **keywords), *words, error=error)
    assert [s.step for s in mistake.run.journal][: len(steps)] == list(steps)
    assert mistake.run.digest and "\n" not in repr(mistake.run)
    assert timeline(mistake.run).svg().startswith("<svg")
    return mistake


def failed(handler, *words, error=Exception, **keywords):
    """The handler raises, which is part of the run: tried again, then dead-lettered. The failure says all of this."""
    run = play(handler, **keywords)
    assert "raised" in repr(run) and "\n" not in repr(run)
    failure = run.failures[0]
    assert isinstance(failure.error, error)
    tell(failure.error, *words)
    assert "Traceback" in failure.traceback and OURS not in failure.traceback
    assert "dead_letter" in [s.step for s in run.journal] or failure.service == "client"
    return run


MODULES = {module.__name__: module for module in (datetime, itertools, random, re, sys, uuid)}


def handler(body, kind="async def"):
    """A handler `charge` with this body, which may use all names of this file."""
    names = {**globals(), **MODULES}
    exec(f"{kind} charge(event, ctx):\n    " + body.replace("\n", "\n    "), names)
    return names["charge"]


def publishes(*messages):
    """A workload that publishes these."""

    async def work(ctx):
        for message in messages:
            await ctx.publish(message)

    return work


# -- messages


def test_an_event_is_not_changed():
    refused(
        lambda: setattr(PLACED, "total", 3),
        "OrderPlaced.total",
        "events are facts",
        "publish a new one",
    )
    refused(lambda: delattr(PLACED, "total"), "OrderPlaced.total cannot be changed")
    refused(lambda: setattr(Charge(order_id="1"), "order_id", 3), "send a new one")
    refused(lambda: setattr(Stock(sku="1"), "sku", 3), "ask a new question")


class Sold(Event):
    order: OrderPlaced | None = None
    weight: int | str = 1
    size: int = Field(1, lt=5)
    colour: Literal["red", "green", "blue"] = "red"

    @field_validator("colour")
    @classmethod
    def in_stock(cls, colour):
        if colour == "blue":
            raise ValueError("we are out of blue")
        return colour


WRONG_FIELDS_ARE_REFUSED = [
    (lambda: OrderPlaced(orderid="o1"), "OrderPlaced has no field 'orderid'; fields: order_id, total. Did you mean 'order_id'?"),
    (lambda: OrderPlaced(order_id="o1", colour=3), "OrderPlaced has no field 'colour'; fields: order_id, total"),
    (lambda: OrderPlaced(), "OrderPlaced needs order_id"),
    (lambda: OrderPlaced(order_id=3), "OrderPlaced.order_id should be a valid string, not 3"),
    (lambda: OrderPlaced(order_id="o1", total="much"), "OrderPlaced.total should be a valid number, not 'much'"),
    (lambda: Charge(id=3), "Charge has no field 'id'; fields: order_id; Charge needs order_id"),
    (lambda: Stock(sku=None), "Stock.sku should be a valid string, not None"),
    (lambda: Sold(weight=[1]), "Sold.weight should be a valid integer or a valid string, not [1]"),
    (lambda: Sold(size=5), "Sold.size should be less than 5, not 5"),
    (lambda: Sold(colour="x"), "Sold.colour should be 'red', 'green' or 'blue', not 'x'"),
    (lambda: Sold(colour="blue"), "Sold.colour: we are out of blue"),
    (lambda: Sold(order={"id": 1}), "Sold.order has no field 'id'; Sold.order needs order_id"),
    (lambda: Charged(order_id="1", items=["a", 2]), "Charged.items.1 should be a valid string, not 2"),
    (lambda: PLACED.model_copy(update={"totl": 3}), "OrderPlaced has no field 'totl'; fields: order_id, total. Did you mean 'total'?"),
    (lambda: OrderPlaced.model_validate({}), "OrderPlaced needs order_id"),
    (lambda: OrderPlaced.model_validate_json("{}"), "OrderPlaced needs order_id"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "sentence"), WRONG_FIELDS_ARE_REFUSED)
def test_wrong_fields_are_refused_in_a_sentence_with_pydantics_error_behind_it(make, sentence):
    mistake = refused(make, error=InvalidMessage)
    assert str(mistake) == sentence and isinstance(mistake.__cause__, ValidationError)


def test_an_event_is_copied_with_another_value():
    assert PLACED.model_copy(update={"total": 2}) == OrderPlaced(order_id="o1", total=2.0)
    assert PLACED.model_copy() == PLACED.model_copy(deep=True) == PLACED


def test_fields_are_given_by_name():
    refused(
        lambda: OrderPlaced("o1", 2.0),
        "OrderPlaced takes its fields by name: OrderPlaced(order_id=..., total=...)",
    )


CLASS_KEYWORD_THAT_IS = [
    ({"topik": "x"}, str, "class Wrong … 'topik' … keywords: topic, key, version, compensates"),
    ({"key": "orderid"}, str, "class Wrong … key='orderid' is not a field; fields: order_id"),
    ({"key": ["order_id"]}, str, "key=['order_id'] is not a field … fields: order_id"),
    ({"topic": 3}, str, "class Wrong: topic= takes words … such as 'orders' … not 3"),
    ({"topic": "my orders"}, str, "class Wrong: topic= takes words … not 'my orders'"),
    ({"topic": "orders.dlq"}, str, "class Wrong: topic= 'orders.dlq' … write 'orders'"),
    ({"version": 0}, str, "class Wrong … version= … from 1 … not 0"),
    ({"refuses": "Charge"}, str, "class Wrong … refuses= takes a message class, not 'Charge'"),
    ({}, set[str], "class Wrong … order_id is a set … use a list or a tuple"),
    ({}, dict[str, frozenset[int]] | None, "class Wrong … order_id is a set"),
]  # fmt: skip


@pytest.mark.parametrize(("keywords", "annotation", "words"), CLASS_KEYWORD_THAT_IS)
def test_a_class_keyword_that_is_wrong(keywords, annotation, words):
    body = {"__annotations__": {"order_id": annotation}, "__module__": __name__}
    refused(lambda: type(Event)("Wrong", (Event,), body, **keywords), words)


# -- declarations


SYSTEM_DECLARED_WRONGLY = [
    (lambda shop: shop.service("my payments"), "service's name … one word … 'my payments'"),
    (lambda shop: shop.service("client"), "'client' … the outside world … choose another name"),
    (lambda shop: shop.service(""), "service's name … not ''"),
    (lambda shop: shop.service(3), "service's name … not 3"),
    (lambda shop: System("my shop"), "system's name … 'my shop'"),
    (lambda shop: shop.topic("my orders"), "shop.topic takes words … 'my orders'"),
    (lambda shop: shop.queue("a..b"), "shop.queue takes words … 'a..b'"),
    (lambda shop: shop.topic("a.dlq"), "shop.topic 'a.dlq' ends in .dlq … dead letters"),
    (lambda shop: shop.queue("a.dlq"), "shop.queue 'a.dlq' ends in .dlq … write 'a'"),
    (lambda shop: shop.queue("a.commands"), "ends in .commands … the commands of a service"),
    (lambda shop: shop.service("a.b"), "service's name … one word … 'a.b'"),
    (lambda shop: shop.service("x", replicas=0), "service 'x' … replicas= … from 1 … not 0"),
    (lambda shop: shop.service("x", replicas=1.5), "replicas= … whole number … not 1.5"),
    (lambda shop: shop.topic("x", partitions=-1), "topic 'x' … partitions= … not -1"),
    (lambda shop: shop.queue("x", max_attempts="3"), "queue 'x' … max_attempts= … not '3'"),
    (lambda shop: shop.service("x", schema="create tabel a (b)"), 'schema of x … near "tabel" … syntax error'),
    (lambda shop: shop.service("x", schema=["a"]), "schema of x … must be str, not list"),
]  # fmt: skip


@pytest.mark.parametrize(("declare", "words"), SYSTEM_DECLARED_WRONGLY)
def test_a_system_declared_wrongly(declare, words):
    refused(lambda: declare(make_shop()), words)


def bare(event):
    pass


HANDLER_DECLARED_FOR_THE = [
    (lambda pay: pay.on(), "payments.on takes a message class … write @payments.on(OrderPlaced)"),
    (lambda pay: pay.on(bare), "payments.on takes a message class, not a function (bare) … @payments.on(OrderPlaced)"),
    (lambda pay: pay.on("orders"), "payments.on takes a message class, not 'orders'"),
    (lambda pay: pay.on(PLACED), "a message class, not OrderPlaced(order_id='o1' … write @payments.on(OrderPlaced)"),
    (lambda pay: pay.on(Event), "of your own, not Event itself"),
    (lambda pay: pay.on(Charge), "Charge is not an Event; use @payments.handles(Charge)"),
    (lambda pay: pay.on(Stock), "Stock is not an Event; use @payments.answers(Stock)"),
    (lambda pay: pay.handles(OrderPlaced), "OrderPlaced is not a Command; use @payments.on(OrderPlaced)"),
    (lambda pay: pay.answers(Charge), "Charge is not a Query; use @payments.handles(Charge)"),
    (lambda pay: pay.on(OrderPlaced, delivery="exactly-once"), "'exactly-once' … at-least-once, at-most-once"),
    (lambda pay: pay.on(OrderPlaced, max_attempts=0), "payments.on … max_attempts= … from 1 … not 0"),
    (lambda pay: pay.every(), "payments.every takes seconds … not None … @payments.every(1)"),
    (lambda pay: pay.every(bare), "payments.every takes seconds … a function (bare) … @payments.every(1)"),
    (lambda pay: pay.every(0), "payments.every takes seconds of at least 0.001, not 0"),
    (lambda pay: pay.on(OrderPlaced)(lambda event: None), "a lambda … write `def charge(event):`"),
    (lambda pay: pay.on(OrderPlaced)(Charged), "a handler of payments is a function, not Charged"),
]  # fmt: skip


@pytest.mark.parametrize(("declare", "words"), HANDLER_DECLARED_FOR_THE)
def test_a_handler_declared_for_the_wrong_thing(declare, words):
    refused(lambda: declare(make_shop().services["payments"]), words)


WRONG_PARAMETERS = {
    "def charge(event): yield": "payments.charge has a `yield` … await ctx.publish(...)",
    "def charge(): pass": "payments.charge takes () … (event) or (event, ctx)",
    "def charge(event, ctx, db): pass": "payments.charge takes (event, ctx, db) … (event) or (event, ctx)",
    "def charge(ctx): pass": "payments.charge takes (ctx) … (event) or (event, ctx)",
    "def charge(ctx, event): pass": "payments.charge takes (ctx, event) … in this order",
    "def charge(event, *, ctx): pass": "payments.charge takes (event, *, ctx)",
}  # fmt: skip


@pytest.mark.parametrize(("code", "words"), WRONG_PARAMETERS.items())
def test_a_handler_with_wrong_parameters(code, words):
    exec(code, names := {})
    refused(lambda: make_shop().services["payments"].on(OrderPlaced)(names["charge"]), words)


def test_a_command_and_a_query_have_one_handler():
    shop = make_shop()
    payments, stock = shop.services.values()
    payments.handles(Charge)(handler("pass"))
    stock.answers(Stock)(bare)
    words = "Charge already goes to payments.charge … one handler … build a new system"
    refused(lambda: payments.handles(Charge)(bare), words)
    assert refused(lambda: stock.handles(Charge)(bare), words).run is None
    words = "Stock already goes to stock.bare … a query has one handler"
    refused(lambda: payments.answers(Stock)(bare), words)


# -- clocks, dice and ids: told when the handler is declared


FOREIGN = {
    "asyncio.sleep(1)": "asyncio.sleep … await ctx.sleep(seconds)",
    "time.sleep(1)": "time.sleep … real time … await ctx.sleep(seconds)",
    "return time.time()": "time.time … ctx.now",
    "return datetime.datetime.now()": "datetime.datetime.now … every run differ … ctx.now",
    "return datetime.date.today()": "datetime.date.today … ctx.now",
    "return random.random()": "random.random … every run differ … ctx.random",
    "from random import choice\nreturn choice('ab')": "choice … ctx.random",
    "return uuid.uuid4()": "uuid.uuid4 … ctx.new_id()",
    "await asyncio.gather(ctx.sleep(1), ctx.sleep(2))": "asyncio.gather … one `await` after the other",
    "async with asyncio.TaskGroup() as group:\n    group.create_task(ctx.sleep(1))": "asyncio.TaskGroup … asyncio's loop",
    "return hash(event.order_id) % 3": "uses hash … zlib.crc32",
    "return input('how much? ')": "uses input … workload",
    "return naps()": "payments.charge uses time.sleep",
}  # fmt: skip


@pytest.mark.parametrize(("body", "words"), FOREIGN.items())
def test_a_clock_dice_or_ids_of_its_own_are_told_when_declared(body, words):
    charge = handler(body)
    charge.__globals__["naps"] = handler("time.sleep(1)")
    refused(lambda: make_shop().services["payments"].on(OrderPlaced)(charge), words)

    async def work(ctx):
        charge(None, ctx)

    refused(lambda: play(workload=work), "the workload work uses", words.split(" … ")[-1].removeprefix("payments.charge uses"))  # fmt: skip


def test_what_was_mended_beside_a_workload_is_not_held_against_it():
    names = {"sleep": time.sleep}
    exec("def nap(): sleep(1)\nasync def work(ctx): nap()", names)
    refused(lambda: play(workload=names["work"]), "the workload work uses sleep")
    exec("def nap(): pass", names)
    play(workload=names["work"])


class Watch:
    """Hides a clock where reading a handler's code does not find it."""

    def now(self):
        return time.perf_counter_ns()

    async def sleep(self, seconds):
        await asyncio.sleep(seconds)


watch = Watch()


def test_a_hidden_clock_is_told_when_the_run_is_played_again():
    run = play(handler("ctx.note(str(watch.now()))"))
    where = "payments.note.OrderPlaced of client-1 at 0.02 s differs"
    refused(lambda: run.at(1), "cannot be played again", where, "ctx.now")


def test_a_hidden_sleep_is_told_where_a_loop_runs_too_as_in_a_notebook():
    async def cell():
        play(handler("await watch.sleep(1)"))

    words = "payments.charge awaits <Future … the lab does not know … ctx.sleep"
    refused(lambda: asyncio.run(cell()), words)


# -- what a handler does wrong


async def tell_all(event, ctx):
    await ctx.publish(Charged(order_id=event.order_id))


IN_A_HANDLER = {
    "event.total = 0": "OrderPlaced.total cannot be changed … publish a new one",
    "await watch.sleep(0.01)": "payments.charge … asyncio's event loop … await ctx.sleep",
    "await watch.sleep(0)": "payments.charge awaits None … the lab does not know … ctx.sleep",
    # forgotten awaits
    "ctx.publish(Charged(order_id='1'))": "payments.charge forgot to await: `await ctx.publish(Charged(...))`",
    "ctx.sleep(1)\nawait ctx.publish(Charged(order_id='1'))": "forgot to await: `await ctx.sleep(...)`",
    "if ctx.ask(Stock(sku='a'))['level'] > 2:\n    await ctx.sleep(1)": "forgot to await: `await ctx.ask(Stock(...))`",
    "ctx.send(Charge(order_id='1'))": "forgot to await: `await ctx.send(Charge(...))`",
    "return ctx.publish(Charged(order_id='1'))": "forgot to await: `await ctx.publish(Charged(...))`",
    "while True:\n    ctx.sleep(1)": "forgot to await: `await ctx.sleep(...)`",
    "while True:\n    await ctx.sleep(1)\n    ctx.ask(Stock(sku='a'))": "forgot to await: `await ctx.ask(Stock(...))`",
    "tell_all(event, ctx)": "forgot to await: `await tell_all(...)`",
    "kept = tell_all(event, ctx)\nawait ctx.sleep(1)\ndel kept": "forgot to await: `await tell_all(...)`",
    "kept = tell_all(event, ctx)\nawait ctx.sleep(1)": "forgot to await: `await tell_all(...)`",
    "return tell_all(event, ctx)": "coroutine that nobody awaits … `return await tell_all(...)`",
    # what it returns
    "return 'ok'": "payments.charge returned 'ok' … None, a message or a list of them",
    "return {'order_id': '1'}": "returned {'order_id': '1'} … None, a message or a list of them",
    "return True": "returned True",
    "return Charged": "returned Charged",
    "return [Charged(order_id='1'), 'ok']": "returned 'ok'",
    "return (Charged(order_id=i) for i in 'ab')": "returned a generator",
    # the end of the notebook, and a bare except
    "sys.exit()": "payments.charge calls sys.exit() … `return` or raise an exception",
    "await ctx.sleep(1)\nexec('exit(1)', {'exit': sys.exit})": "payments.charge calls sys.exit()",
    "while True:\n    try:\n        await ctx.publish({'a': 1})\n    except:\n        await ctx.sleep(1)": "payments.charge publishes {'a': 1}",
    # transactions
    "ctx.database.execute('select 1')": "database.execute outside a transaction … `with ctx.database as db:`",
    "with ctx.database as db:\n    pass\ndb.execute('select 1')": "database.execute outside a transaction",
    "with ctx.database, ctx.database:\n    pass": "opens a transaction inside another … end the first `with ctx.database`",
    "ctx.database.__enter__().execute('delete from charges')": "ended inside a transaction … `with ctx.database as db:`",
    "with ctx.database:\n    await ctx.sleep(1)": "awaits ctx.sleep(...) inside a transaction … end the `with` first",
    "with ctx.database:\n    await ctx.ask(Stock(sku='a'))": "awaits ctx.ask(Stock(...)) inside a transaction",
    "with ctx.database as db:\n    db.commit()": "by hand … `with ctx.database as db:` commits at its end … rolls back",
}  # fmt: skip
IN_A_DEF = {
    "ctx.publish(Charged(order_id='1'))": "plain `def` … return the message, or write `async def`",
    "tell_all(event, ctx)": "payments.charge forgot to await: `await tell_all(...)`",
    "sys.exit()": "payments.charge calls sys.exit() … `return` or raise an exception",
}
IN_HANDLERS = [("async def", *row) for row in IN_A_HANDLER.items()]
IN_HANDLERS += [("def", *row) for row in IN_A_DEF.items()]


@pytest.mark.parametrize(("kind", "body", "words"), IN_HANDLERS)
def test_a_mistake_in_a_handler_ends_the_run_with_a_sentence(kind, body, words, capfd):
    mistake = refused_in_a_run(handler(body, kind), words)
    assert mistake.run.rows("payments", "select * from charges") == []
    assert capfd.readouterr().err == ""


def test_python_still_warns_of_a_coroutine_that_is_no_handlers():
    play()
    with pytest.warns(RuntimeWarning, match="tell_all.* was never awaited"):
        tell_all(None, None)


# -- what the workload does wrong


IN_A_WORKLOAD = {
    "await ctx.publish(Charge(order_id='1'))": "publishes Charge(order_id='1'), which is not an event … `await ctx.send(Charge(...))`",
    "await ctx.publish(Stock(sku='1'))": "which is not an event … `await ctx.ask(Stock(...))`",
    "await ctx.send(PLACED)": "sends OrderPlaced … which is not a command … `await ctx.publish(OrderPlaced(...))`",
    "await ctx.send(Stock(sku='1'))": "which is not a command … `await ctx.ask(Stock(...))`",
    "await ctx.ask(PLACED)": "asks OrderPlaced … a query or a command can be asked, an event is published",
    "await ctx.ask(Stock)": "asks Stock … make one: Stock(...)",
    "await ctx.publish(OrderPlaced)": "publishes OrderPlaced, which is not an event … make one: OrderPlaced(...)",
    "await ctx.publish({'order_id': '1'})": "publishes {'order_id': '1'} … declare a class … (Event)",
    "await ctx.publish('OrderPlaced')": "publishes 'OrderPlaced' … publish a message",
    "await ctx.publish(None)": "publishes None … forget a `return`",
    "await ctx.publish([PLACED])": "publishes [OrderPlaced … one after the other",
    "await ctx.publish('x' * 10_000)": "publishes 'xxx … ...",
    "ctx.envelope(Stock(sku='1'))": "asks for an envelope of Stock … only events and commands have one",
    "ctx.publish(PLACED)": "forgot to await: `await ctx.publish(OrderPlaced(...))`",
    "ctx.database": "uses ctx.database … ask a service",
    "ctx.state": "uses ctx.state … ask a service",
    "ctx.message": "uses ctx.message … ask a service",
}  # fmt: skip


@pytest.mark.parametrize(("body", "words"), IN_A_WORKLOAD.items())
def test_a_mistake_in_the_workload_ends_the_run_with_a_sentence(body, words):
    act = handler(body)

    async def work(ctx):
        await ctx.publish(PLACED)
        await act(None, ctx)

    refused_in_a_run(None, "the workload", words, workload=work, steps=["publish"])


def test_a_context_kept_for_later():
    kept = []

    async def charge(event, ctx):
        kept.append(ctx)

    async def work(ctx):
        await ctx.publish(PLACED)
        await ctx.sleep(1)
        await kept[0].publish(PLACED)

    words = "the workload awaits ctx.publish(OrderPlaced(...)) of another message's ctx"
    refused_in_a_run(charge, words, workload=work)


# -- what nobody takes, and what no wire carries


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("send(Charge(order_id='1'))", "no service handles Charge … @service.handles(Charge) … : Ship"),
        ("ask(Stock(sku='1'))", "no service answers Stock … @service.answers(Stock) … : Price"),
    ],
)  # fmt: skip
def test_what_nobody_takes_is_an_error_even_where_it_is_swallowed(call, words):
    shop = make_shop()
    shop.services["stock"].handles(Ship)(bare)
    shop.services["stock"].answers(Price)(bare)
    charge = handler(f"try:\n    await ctx.{call}\nexcept:\n    pass")
    refused_in_a_run(charge, words, shop=shop)


def test_a_command_that_returns_data_and_is_sent_and_a_tick_that_returns_data():
    shop = make_shop()
    shop.services["stock"].handles(Charge)(handler("return {'ok': True}"))

    async def work(ctx):
        await ctx.send(Charge(order_id="1"))

    words = "stock.charge returned {'ok': True} … data only if somebody asked for it"
    refused(lambda: simulate(shop, work), words)

    @shop.services["stock"].every(1)
    def look():
        return 3

    refused(lambda: simulate(shop, orders), "stock.look returned 3")


class Level:
    pass


NO_DATA = {
    "an object": object(),
    "a class": Level,
    "a function": lambda: 1,
    "a list of objects": [Level()],
    "a cursor": sqlite3.connect(":memory:").execute("select 1"),
    "a generator": (i for i in "ab"),
    "bytes": b"\xff",
    "a set": {"a", "b"},
    "no number": {"level": float("nan")},
    "half of a character": "half of a \ud83d",
    "half of a name": {"\ud83d": 1},
}


@pytest.mark.parametrize("answer", NO_DATA.values(), ids=NO_DATA.keys())
def test_an_answer_that_is_not_data(answer):
    shop = make_shop()

    @shop.services["stock"].answers(Stock)
    def level(query):
        return answer

    async def work(ctx):
        await ctx.ask(Stock(sku="a"))

    steps = "ask", "handle"
    refused_in_a_run(None, "stock.level answers … answer", shop=shop, workload=work, steps=steps)


def test_a_field_that_no_wire_can_carry():
    class Shown(Event):
        what: Any

    with pytest.raises(ValueError, match="what=a function .* cannot go on the wire: .* JSON has"):
        Shown(what=lambda: 1)

    async def work(ctx):
        event = Shown(what=[])
        await ctx.publish(event)
        event.what.append(lambda: 1)
        await ctx.publish(event)

    words = "the workload sends off Shown, which has changed since it was made"
    more = "cannot go on the wire … use what JSON has"
    refused_in_a_run(None, words, more, workload=work, steps=["publish"])


# -- handlers that fail


def deeper(number):
    return deeper(number + 1)


FAILING = {
    "deeper(1)": (RecursionError, "maximum recursion depth"),
    "return Charged(orderid='1')": (InvalidMessage, "Charged has no field 'orderid' … Did you mean"),
    "event.orderid": (AttributeError, "OrderPlaced has no 'orderid'; fields: order_id, total. Did you mean 'order_id'?"),
    "ctx.emit(PLACED)": (AttributeError, "ctx has no 'emit'; it has publish, send, ask, sleep"),
    "ctx.now = 3": (AttributeError, "property 'now' of 'Context' object has no setter"),
    "ctx.state = {}": (AttributeError, "property 'state' of 'Context' object has no setter"),
    "with ctx.database as db:\n    db.cursor()": (AttributeError, "a transaction has no 'cursor'; it has execute, executemany"),
}  # fmt: skip
FAILING |= {
    "with ctx.database():\n    pass": (TypeError, "'Transaction' object is not callable"),
    "async with ctx.database:\n    pass": (TypeError, "'Transaction' object does not support the asynchronous context manager"),
}  # fmt: skip
FAILING_SQL = {
    "'insert into charge values (1, 2)'": "no such table: charge … tables of payments: charges(order_id, total)",
    "'select totl from charges'": "no such column: totl … charges(order_id, total)",
    "'selct 1'": 'near "selct": syntax error',
    "'insert into charges values (?, ?)', ('o1',)": "uses 2, and there are 1 supplied",
    "'insert into charges values (?, 1)', 'o11'": "uses 1, and there are 3 supplied … a tuple: ('o11',)",
    "'insert into charges values (?, 1)', (PLACED,)": "'OrderPlaced' is not supported … store its fields",
}  # fmt: skip
FAILING |= {
    f"with ctx.database as db:\n    db.execute({call})": (sqlite3.Error, words)
    for call, words in FAILING_SQL.items()
}


@pytest.mark.parametrize(("body", "outcome"), FAILING.items())
def test_a_handler_that_fails_is_tried_again_and_the_failure_says_why(body, outcome):
    error, words = outcome
    run = failed(handler(body), words, error=error)
    assert [s.step for s in run.journal].count("retry") == 2
    assert len(run.failures[0].traceback) < 2_000


def test_tables_are_not_missed_where_there_are_none():
    shop = make_shop()
    insert = handler("with ctx.database as db:\n    db.execute('insert into counts values (1)')")
    shop.services["stock"].on(OrderPlaced)(insert)
    words = "no such table: counts … tables of stock: none … schema="
    tell(simulate(shop, orders).failures[0].error, words)


def test_a_workload_that_raises_keeps_what_was_done():
    async def work(ctx):
        await ctx.publish(PLACED)
        raise KeyError("o2")

    run = failed(None, "o2", error=KeyError, workload=work)
    assert run.journal[0].step == "publish"
    assert "client.work raised KeyError" in repr(run)
    assert "KeyError in line 3 of work: 'o2', see run.failures[0].traceback" in repr(run)


def test_a_name_that_nobody_knows_is_told_with_its_line_in_every_place():
    async def charge(event, ctx):
        await ctx.sleep(0.1)
        return chargd(event)  # noqa: F821

    def in_a_helper(event):
        return json.loads(event.order_id)

    def in_a_comprehension(event):
        return [json.loads(text) for text in [event.order_id]]

    async def work(ctx):
        await ctx.publish(PLACED)
        await ctx.publish(ordr)  # noqa: F821

    run = play(charge, work)
    said = "client.work raised NameError, payments.charge raised NameError 3 times; OrderPlaced"
    why = "NameError in line 3 of work: name 'ordr' is not defined, see run.failures[0].traceback>"
    assert said in repr(run) and repr(run).endswith(why)
    assert [f.line for f in run.failures] == ["line 3 of work"] + ["line 3 of charge"] * 3
    for failure, code in zip(run.failures, ["publish(ordr)", "chargd(event)"], strict=False):
        assert code in failure.traceback
    words = "NameError (line 3): name 'chargd' is not defined"
    details = {s.step: s.detail for s in run.journal if s.detail}
    assert details["retry"].startswith(words) and words in unescape(timeline(run).svg())
    assert play(in_a_helper).failures[0].line == "line 2 of in_a_helper"
    assert play(in_a_comprehension).failures[0].line == "line 2 of in_a_comprehension"


def test_the_digest_does_not_know_the_line():
    later = handler("assert event\nraise ValueError")
    assert play(handler("raise ValueError")).digest == play(later).digest


def test_what_the_world_does_to_a_handler_needs_no_line():
    charge = handler("await ctx.publish(Charged(order_id='o1'))")
    faults = ["fail payments.publish.Charged", "fail payments.handle.OrderPlaced #2"]
    run = play(charge, faults=faults)
    assert [f.name for f in run.failures] == ["PublishFailed", "HandlerFailed"]
    assert "traceback" not in repr(run)


def test_an_interrupted_kernel_passes_through_with_the_record_so_far():
    with pytest.raises(KeyboardInterrupt) as caught:
        play(handler("await ctx.sleep(1)\nraise KeyboardInterrupt"))
    assert [s.step for s in caught.value.run.journal] == ["publish", "deliver", "handle"]


def test_a_bare_except_does_not_keep_a_crashed_replica_alive(capfd):
    shop = make_shop()
    shop.services["payments"].answers(Stock)(handler("return 3"))
    charge = handler("while True:\n    try:\n        await ctx.sleep(1)\n    except:\n        pass")

    async def work(ctx):
        await ctx.publish(PLACED)
        await ctx.sleep(1)
        await ctx.ask(Stock(sku="a"))

    how = {"shop": shop, "workload": work, "faults": ["crash payments.reply.Stock"], "until": 9}
    refused_in_a_run(charge, "payments.charge goes on … `except Exception:`", **how)
    assert capfd.readouterr().err == ""


def test_a_finally_that_awaits_is_silent_when_the_run_is_cut_short(capfd):
    finally_publishes = "finally:\n    await ctx.publish(Charged(order_id='1'))"
    run = play(handler(f"try:\n    await ctx.sleep(5)\n{finally_publishes}"), until=1)
    assert "Charged" not in {s.envelope.type for s in run.journal}
    del run
    assert capfd.readouterr().err == ""


def test_names_that_a_handler_deletes_or_rebinds_are_its_own():
    charge = handler("ctx.publish = None\ndel event, ctx")
    run = play(charge, workload=publishes(PLACED, PLACED))
    assert not run.failures and [s.step for s in run.journal].count("commit") == 2


# -- numbers


@pytest.mark.parametrize(
    "seconds", [-1, 1e12, float("inf"), float("nan"), "1", None, True, 10**400]
)
def test_a_time_that_is_none(seconds):
    for word, call in {
        "sleep": lambda ctx: ctx.sleep(seconds),
        "send(after=)": lambda ctx: ctx.send(Charge(order_id="1"), after=seconds),
        "ask(timeout=)": lambda ctx: ctx.ask(Stock(sku="a"), timeout=seconds),
    }.items():

        async def work(ctx, call=call):
            await ctx.publish(PLACED)
            await call(ctx)

        refused_in_a_run(None, f"{word} takes seconds", workload=work, steps=["publish"])
    run = play()
    refused(lambda: run.at(seconds), "run.at takes seconds")
    refused(lambda: pause("payments", seconds, 2e9), "takes seconds")
    if seconds is not None:
        refused(lambda: play(until=seconds), "until= takes seconds")
        crash = lambda: Fault("crash", at="payments.commit.OrderPlaced", seconds=seconds)  # noqa: E731
        refused(crash, "seconds= takes seconds")


# -- faults


FAULT_THAT_CANNOT_BE = [
    ("crash payment.commit.OrderPlaced", "no service 'payment' … client, payments, stock … Did you mean 'payments'"),
    ("crash payments.comit.OrderPlaced", "no step 'comit' … publish, deliver, handle, save … Did you mean 'commit'"),
    ("crash payments.commit.OrderPlacd", "no point 'payments.commit.OrderPlacd' … Did you mean 'payments.commit.OrderPlaced'"),
    ("fail payments.publish.Chargd", "no message 'Chargd' … Did you mean 'Charged'"),
    ("drop payments.commit.OrderPlaced", "no action 'drop' at commit; actions at commit: crash, lose"),
    ("crash payments.ack.OrderPlaced", "no point 'payments.ack.OrderPlaced' … payments.commit.OrderPlaced"),
    ("crash payments.commit.OrderPlaced #0", "nth= takes a whole number from 1, not 0"),
    ("crash payments commit OrderPlaced", "is not a fault; write 'crash payments.commit.OrderPlaced #2'"),
    ("", "'' is not a fault; write"),
    ("?" * 10_000, "is not a fault; write"),
    ("crash client.publish.OrderPlaced", "the client … does not crash … payments, stock"),
    ("lose client.publish.OrderPlaced", "confirms=False … `fail`"),
    ("fail client.publish.Stock", "Stock is a query, which is never published"),
    ("drop client.ask.OrderPlaced", "OrderPlaced is an event, which is never asked"),
    ("cut payments from 3 s to 1 s", "cut('payments', 3.0, 1.0) … a start before its end"),
    ("pause payments/9 from 1 s to 3 s", "payments has 1 replica"),
    ("cut client from 1 s to 3 s", "the client … cut one of payments, stock"),
    (0.1, "Fault, its text, Faults, pause, cut, repartition, scale, skew, restore, rewind and deploy, not 0.1"),
    (["crash payments.commit.OrderPlaced"], "not ['crash payments.commit.OrderPlaced']"),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "words"), FAULT_THAT_CANNOT_BE)
def test_a_fault_that_cannot_be(fault, words):
    refused(lambda: play(bare, faults=[fault]), words)


FAULT_MADE_OR_GIVEN = [
    (lambda: Fault("crash payments.commit.OrderPlaced"), "goes into faults= as it is"),
    (lambda: Fault("payments.commit.OrderPlaced", "crash"), "takes an action and a point"),
    (lambda: Fault("crash", at="payments.commit"), "service.step.Message … 'payments.commit' is not a point"),
    (lambda: Fault("crash", at=OrderPlaced), "service.step.Message … OrderPlaced is not a point"),
    (lambda: Fault("delay", at="payments.commit.OrderPlaced"), "no action 'delay' at commit … crash, lose"),
    (lambda: Fault("crash", at="payments.commit.OrderPlaced", nth=0), "nth= takes a whole number from 1, not 0"),
    (lambda: Fault("lose", at="payments.commit.OrderPlaced", seconds=1), "seconds= goes with delay and crash only"),
    (lambda: Faults(drop=1.5), "Faults(drop=) … from 0 to 1 … not 1.5"),
    (lambda: Faults(crash=-0.1), "Faults(crash=) … not -0.1"),
    (lambda: Faults(delay="10%"), "Faults(delay=) … not '10%'"),
    (lambda: Faults(fail=float("nan")), "Faults(fail=) … not nan"),
    (lambda: pause("payments", 3, 1), "pause('payments', 3, 1) … a start before its end"),
    (lambda: pause(make_shop().services["payments"], 1, 3), "pause takes the name of a service … <Service payments"),
    (lambda: pause("payments", 1, 3, replica="a"), "replica= takes a whole number from 1, not 'a'"),
    (lambda: play(faults=[pause("payments", 1, 3, replica=2)]), "payments has 1 replica, counted from 1"),
    (lambda: play(faults=[cut("payment", 1, 3)]), "no service 'payment' … payments, stock"),
    (lambda: play(faults="crash payments.commit.OrderPlaced"), "faults=['crash payments.commit.OrderPlaced']"),
    (lambda: play(faults=Faults(drop=0.1)), "faults=[Faults(drop=0.1)]"),
    (lambda: play(faults=None), "faults= takes a list … faults=[] for none"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "words"), FAULT_MADE_OR_GIVEN)
def test_a_fault_made_or_given_wrongly(make, words):
    refused(make, words)


# -- simulate


def workload(code):
    """A workload that is no proper one."""
    exec(code, names := {})
    return names["work"]


SIMULATION_STARTED_WRONGLY = [
    (lambda shop: simulate(shop, None), "a workload is a function `async def orders(ctx)`, not None"),
    (lambda shop: simulate(shop, orders(None)), "pass the function, without ()"),
    (lambda shop: simulate(shop, workload("def work(ctx): pass")), "the workload work is not a coroutine … `async def work(ctx):`"),
    (lambda shop: simulate(shop, workload("async def work(): pass")), "work takes () … `async def work(ctx):`"),
    (lambda shop: simulate(shop, workload("async def work(ctx, n): pass")), "work takes (ctx, n) … only the context"),
    (lambda shop: simulate(shop, workload("async def work(ctx): yield")), "work has a `yield` … await ctx.publish"),
    (lambda shop: simulate(shop, lambda ctx: ctx.publish(PLACED)), "is not a coroutine … async def"),
    (lambda shop: simulate(shop, PLACED), "a workload is a function … not OrderPlaced(order_id='o1'"),
    (lambda shop: simulate(orders, shop), "simulate takes a System first … swapped … simulate(shop, three_orders)"),
    (lambda shop: simulate(System, orders), "simulate takes a System first, not the class System … System('shop')"),
    (lambda shop: simulate(shop.services["payments"], orders), "not <Service payments … simulate(shop, three_orders)"),
    (lambda shop: simulate(shop, orders, seed=1.5), "seed= takes a whole number, not 1.5"),
    (lambda shop: simulate(shop, orders, max_steps=0), "max_steps= takes a whole number from 1, not 0"),
]  # fmt: skip


@pytest.mark.parametrize(("start", "words"), SIMULATION_STARTED_WRONGLY)
def test_a_simulation_started_wrongly(start, words):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refused(lambda: start(make_shop()), words)


# -- reading a run


INSERT = "with ctx.database as db:\n    db.execute(\"insert into charges values ('o1', 1)\")"
RUN_READ_WRONGLY = [
    (lambda run: run.rows("payment", "select 1"), Unknown, "no service 'payment'; services: payments, stock … Did you mean 'payments'?"),
    (lambda run: run.rows("client", "select 1"), Unknown, "no service 'client'; services: payments, stock"),
    (lambda run: run.rows("select 1", "payments"), Unknown, "no service 'select 1'; services: payments, stock"),
    (lambda run: run.database("payment"), Unknown, "no service 'payment'"),
    (lambda run: run.at(1).rows("payment", "select 1"), Unknown, "no service 'payment'; services: payments, stock"),
    (lambda run: run.at(1).services["payment"], Unknown, "no service 'payment'; services: payments, stock"),
    (lambda run: run.rows("payments", "select * from charge"), sqlite3.OperationalError, "no such table: charge … charges(order_id, total)"),
    (lambda run: run.at(1).rows("payments", "select 1 from charge"), sqlite3.OperationalError, "tables of payments: charges(order_id, total)"),
    (lambda run: run.rows("payments", "delete from charges"), Misuse, "rows only reads … 'delete from charges' … a select"),
    (lambda run: run.rows("stock", "select * from charges"), sqlite3.OperationalError, "tables of stock: none"),
]  # fmt: skip


@pytest.mark.parametrize(("read", "error", "words"), RUN_READ_WRONGLY)
def test_a_run_read_wrongly(read, error, words):
    run = play(handler(INSERT))
    refused(lambda: read(run), words, error=error)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        run.database("payments").execute("delete from charges")
    assert run.rows("payments", "select * from charges") == [("o1", 1.0)]


# -- what does not end


FOREVER = "while True:\n    "
PUBLISHES_FOREVER = FOREVER + "await ctx.publish(Charged(order_id='1'))"


def pong(event):
    return OrderPlaced(order_id=event.order_id)


async def never_ends(ctx):
    while True:
        await ctx.publish(PLACED)
        await ctx.sleep(1)


ENDLESS = [
    ({"handler": "raise ValueError", "max_attempts": 10**9}, "OrderPlaced client-1 came to payments.charge over 1,000 times"),
    ({"handler": "pass", "faults": [Faults(drop=1)]}, "OrderPlaced to payments is dropped again and again"),
    ({"handler": "pass", "faults": [Faults(crash=1)]}, "OrderPlaced client-1 came to payments.charge over 1,000 times"),
    ({"handler": "pass", "faults": [Faults(duplicate=1)]}, "OrderPlaced client-1 came to payments.charge over 1,000 times"),
    ({"handler": "return pong(event)"}, "OrderPlaced causes OrderPlaced (in payments.charge) … over 1,000 messages"),
    ({"handler": "return Charged(order_id='1')", "pong": pong}, "causes … OrderPlaced … Charged … over 1,000 messages"),
    ({"handler": "return [Charged(order_id='1')] * 2", "pong": pong}, "client-1 set off over 10,000 messages … OrderPlaced, Charged"),
    ({"handler": PUBLISHES_FOREVER}, "client-1 set off over 10,000 messages and notes (OrderPlaced, Charged) … now payments.charge waits"),
    ({"handler": PUBLISHES_FOREVER, "pong": bare}, "client-1 set off over 10,000 messages and notes … payments.charge"),
    ({"handler": "with ctx.database:\n    " + PUBLISHES_FOREVER.replace("\n", "\n    ")}, "now payments.charge waits"),
    ({"handler": FOREVER + "await ctx.sleep(0)"}, "payments.charge waits for no time … at 0.02 s"),
    ({"handler": FOREVER + "await ctx.sleep(1)"}, "payments.charge waits again and again … nothing happens"),
    ({"handler": FOREVER + "try:\n        return await ctx.ask(Stock(sku='a'))\n    except TimeoutError:\n        pass"}, "now payments.charge … Stock"),
    ({"handler": FOREVER + "ctx.note('still here')\n    await ctx.sleep(1)"}, "now payments.charge waits … notes"),
    ({"handler": FOREVER + "ctx.note('without an await')"}, "client-1 set off over 10,000 messages and notes"),
    ({"handler": "pass", "workload": never_ends, "max_steps": 1_000_000}, "the workload runs for ever … until= … max_steps="),
    ({"tick": "ctx.note('x')"}, "the tick stock.look always has something to do … until="),
    ({"tick": PUBLISHES_FOREVER}, "stock.look"),
    ({"tick": FOREVER + "await ctx.sleep(1)"}, "stock.look waits again and again"),
    ({"workload": publishes(PLACED, PLACED), "handler": "pass", "max_steps": 3}, "over max_steps=3 steps … larger max_steps="),
]  # fmt: skip


@pytest.mark.parametrize(("what", "words"), ENDLESS)
def test_a_run_that_would_not_end_is_stopped_and_says_what_kept_going(what, words):
    shop = make_shop()
    stock, options = shop.services["stock"], dict(what)
    workload, attempts = options.pop("workload", orders), options.pop("max_attempts", 3)
    if body := options.pop("handler", None):
        shop.services["payments"].on(OrderPlaced, max_attempts=attempts)(handler(body))
    if other := options.pop("pong", None):
        stock.on(Charged)(other)
    if body := options.pop("tick", None):
        tick = handler(body)

        @stock.every(1)
        async def look(ctx):
            await tick(None, ctx)

    @stock.answers(Stock)
    async def level(query, ctx):
        await ctx.sleep(60)

    run = lambda: simulate(shop, workload, **options)  # noqa: E731
    mistake = refused(run, "this run does not end", words, error=Endless)
    assert mistake.run.end >= 0 and len(mistake.run._record) < 9 * 700_000


def test_a_tick_whose_work_always_makes_work_is_stopped():
    shop = make_shop()

    @shop.services["stock"].every(0.01)
    async def look(ctx):
        await ctx.publish(PLACED)

    @shop.services["payments"].on(OrderPlaced)
    async def charge(event, ctx):
        await ctx.sleep(0.001)

    refused(
        lambda: simulate(shop, orders),
        "the tick stock.look always has something to do",
        error=Endless,
    )


def test_a_long_quiet_time_with_a_tick_is_no_endless_run():
    shop = make_shop()

    @shop.services["stock"].every(1)
    def look():
        pass

    async def work(ctx):
        await ctx.sleep(1.5 * 86_400)

    assert simulate(shop, work).end == 1.5 * 86_400_000 - 1_000


def test_a_larger_budget_lets_a_long_workload_through():
    async def work(ctx):
        for _ in range(101_000):
            ctx.note("x")
            await ctx.sleep(0.001)

    refused(
        lambda: play(workload=work, max_steps=1_000_000),
        "the workload runs for ever",
        error=Endless,
    )
    assert len(play(workload=work).journal) == 101_000


# -- code that runs for ever without an await


@pytest.fixture
def impatient(monkeypatch):
    """The limit is short, for a test."""
    monkeypatch.setattr(stuck, "SECONDS", 0.2)
    monkeypatch.setattr(stuck, "PROBE_EVERY", 0.1)


def _impatient():
    stuck.SECONDS, stuck.PROBE_EVERY = 0.2, 0.1


def spins(event):
    while True:
        pass


async def a_workload_that_spins(ctx):
    while True:
        bare(ctx)


IN_C = "assert event\nre.match('(a+)+$', 'a' * 60 + 'b')"
SPINNING = {
    FOREVER + "pass": "payments.charge runs for ever without an await: line 2 of charge, for over 0.2 s",
    "await ctx.sleep(1)\nfor _ in 'once':\n    while ctx.now:\n        bare(event)\n        bare(event)": "line 4 of charge,",
    FOREVER + "try:\n        bare(event)\n    except:\n        pass": "line 2 of charge,",
    "try:\n    spins(event)\nexcept BaseException:\n    raise ValueError('another') from None": "line 2 of spins,",
    "try:\n    raise ValueError\nfinally:\n    for _ in itertools.count():\n        bare(event)": "line 5 of charge,",
    "return any(n < 0 for n in itertools.count())": "line 2 of charge,",
    IN_C: "line 3 of charge,",
    None: "the workload runs for ever without an await: line 2 of a_workload_that_spins,",
}  # fmt: skip


@pytest.mark.skipif(sys.platform == "emscripten", reason="neither signals nor threads")
@pytest.mark.parametrize("in_a_thread", [False, True])
@pytest.mark.parametrize(("body", "line"), SPINNING.items())
def test_code_that_goes_on_and_on_is_stopped_with_its_line(impatient, body, line, in_a_thread):
    def stopped():
        words = "this run does not end", line, "make its loop end"
        if body is None:
            refused_in_a_run(None, *words, error=Hung, workload=a_workload_that_spins, steps=[])
        else:
            refused_in_a_run(handler(body), *words, error=Hung)

    if not in_a_thread:
        stopped()
    elif body != IN_C:  # one line in C is stopped by a signal only, which goes to the main thread
        with ThreadPoolExecutor(1) as thread:
            thread.submit(stopped).result()


def test_a_tick_that_goes_on_and_on_is_stopped(impatient):
    shop = make_shop()

    @shop.services["stock"].every(1)
    def look():
        while True:
            pass

    refused(lambda: simulate(shop, orders), "stock.look runs for ever", "of look", error=Hung)


def test_a_claim_that_goes_on_and_on_is_stopped(impatient):
    @Claim("each order is charged once")
    def charged_once(run):
        while True:
            if run.rows("stock", "select 1 where false"):
                yield "stock"

    run = play(bare)
    words = "'each order is charged once' cannot be checked: charged_once runs for ever: line 3 of"
    for judge in (run.check, lambda claim: explore(run.system, orders, [claim])):
        refused(lambda: judge(charged_once), words, "for over 1.2 s", error=Hung)


def test_a_function_of_a_panel_that_goes_on_and_on_is_stopped_and_the_panel_says_so(impatient):
    from edalab.panels import Laboratory, TimeTravel
    from edalab.view import saga_map

    def made(size):
        while size > 1:
            pass
        return make_shop()

    lab = Laboratory(made, orders, knobs={"size": [1, 2]})
    assert lab.error == ""
    lab.size.value = 2
    assert lab.error.startswith("made runs for ever: line 2 of made, for over 0.2 s")

    def fold(state, fact):
        while True:
            pass

    store = EventStore(":memory:")
    store.append("o1", [PLACED], recorded="2026-01-02")
    error = TimeTravel(store, "o1", fold, 0).error
    assert error.startswith("fold runs for ever: line 2 of fold, for over 1.2 s")

    def ledger(run):
        while True:
            pass

    run = simulate(choreographed(2), one_announced)
    refused(lambda: saga_map(run, ledger=ledger), "ledger runs for ever: line 2", error=Hung)


def spins_the_second_time(event, ctx):
    while ctx.message.attempt > 1:
        pass


@pytest.mark.parametrize("workers", [None, ThreadPoolExecutor, ProcessPoolExecutor])
def test_an_exploration_ends_at_the_first_run_that_goes_on_and_on(impatient, workers):
    shop = make_shop()
    shop.services["payments"].on(OrderPlaced)(spins_the_second_time)
    told = Claim("told")(lambda run: [])
    pool = nullcontext() if workers is None else workers(1, initializer=_impatient)
    with pool as executor:
        mistake = refused(
            lambda: explore(shop, orders, [told], executor=executor),
            "payments.spins_the_second_time runs for ever",
            "line 2 of spins_the_second_time",
            "(under faults=['duplicate payments.deliver.OrderPlaced #1'])",
            error=Hung,
        )
    assert len(mistake.result.schedules) >= 1


def test_a_long_run_of_short_calls_is_not_stopped(impatient):
    def works(event):
        assert sum(n for n in range(400_000))

    async def work(ctx):
        for _ in range(200):
            await ctx.publish(PLACED)

    began = time.process_time()
    assert len(play(works, work).journal) == 800
    assert time.process_time() - began > 2 * stuck.SECONDS


def test_who_interrupts_a_loop_finds_the_run_so_far():
    # A shell that starts the tests in the background lets them ignore the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Timer(0.3, lambda: signal.raise_signal(signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt) as caught:
            play(spins)
    finally:
        signal.signal(signal.SIGINT, before)
    assert [s.step for s in caught.value.run.journal] == ["publish", "deliver", "handle"]


def test_an_error_comes_back_of_a_worker_process_as_it_was():
    for error in (Unknown("service", "payment", ["payments"]), Endless("on and on"), Misuse("x")):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), again.run) == (type(error), str(error), None)


# -- cells run again


def test_a_handler_declared_again_is_replaced():
    shop = make_shop()

    def declare(note):
        @shop.services["payments"].on(OrderPlaced)
        async def charge(event, ctx):
            ctx.note(note)

    declare("first")
    kept = simulate(shop, orders)
    declare("second")
    assert [s.detail for s in simulate(shop, orders).journal if s.step == "note"] == ["second"]
    assert [s.detail for s in kept.journal if s.step == "note"] == ["first"]
    kept.at(1)  # plays the system as it was: another one would be told


def declared_again(cls, defaults=(), **fields):
    """A class of this name, as a cell that is run again declares it."""
    body = {"__annotations__": fields, "__module__": __name__, **dict(defaults)}
    return type(Event)(cls.__name__, cls.__bases__, body, topic=cls.__declared__.topic)


def warned(shop, message) -> list[str]:
    """The warnings, in this file, of a run in which the client sends this message twice."""

    async def work(ctx):
        for _ in range(2):
            await (ctx.ask(message) if isinstance(message, Query) else ctx.publish(message))

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run = simulate(shop, work)
    assert [s.step for s in run.journal].count("handle") == 2
    assert {warning.filename for warning in caught} <= {__file__}
    return [str(warning.message) for warning in caught]


def test_a_class_declared_again_reaches_its_handlers_and_other_fields_are_told():
    shop = make_shop()
    payments = shop.services["payments"]
    for cls, declare in ((OrderPlaced, payments.on), (Charged, payments.on), (Stock, payments.answers)):  # fmt: skip
        declare(cls)(bare)
    same = declared_again(OrderPlaced, order_id=str, total=float)
    assert warned(shop, same(order_id="o1", total=1)) == []
    fee = {"items": [], "fee": 0}
    more = declared_again(Charged, fee, order_id=str, items=list[str], fee=int)
    assert warned(shop, more(order_id="o1")) == []  # with a default nobody needs to know it
    [said] = warned(shop, declared_again(Stock, article=str)(article="a"))
    assert said.startswith("the class Stock was declared again: payments.bare")
    other = declared_again(OrderPlaced, order_id=str, pay=int | None)
    assert warned(shop, other(order_id="o1", pay=1)) == [
        "the class OrderPlaced was declared again: payments.bare expects one with the fields "
        "order_id: str, total: float, and gets one with order_id: str, pay: int | None; "
        "run the cell of payments.bare again, and those that make one"
    ]
    payments.on(other)(bare)  # what the warning says to do
    assert warned(shop, other(order_id="o1", pay=1)) == []


def test_a_service_is_looked_up_by_its_name_and_declared_anew_by_a_keyword():
    shop = make_shop()
    mail = shop.service("mail", replicas=3, schema="create table sent (id text)")
    mail.on(OrderPlaced)(bare)
    revision = shop.revision
    assert shop.service("mail") is mail and shop.revision == revision
    assert (mail.replicas, mail.schema) == (3, "create table sent (id text)")
    assert shop.service("mail", replicas=2) is mail
    assert (mail.replicas, mail.schema) == (2, "") and mail.handlers
    assert shop.service("mail", schema="create table sent (id text)").replicas == 1
    assert (shop.service("new").replicas, shop.services["new"].schema) == (1, "")


def test_a_service_and_a_topic_declared_again_are_changed_and_keep_their_handlers():
    shop = make_shop()
    shop.services["payments"].on(OrderPlaced)(bare)
    kept = simulate(shop, orders)
    shop.service("payments", replicas=2)
    shop.topic("orders", partitions=7)
    changed = simulate(shop, orders)
    assert [s.step for s in changed.journal] == [s.step for s in kept.journal]
    replicas = [len(run.at(1).services["payments"].replicas) for run in (kept, changed)]
    partitions = [run.system.topics["orders"].partitions for run in (kept, changed)]
    assert replicas == [1, 2] and partitions == [2, 7]


# -- texts


NASTY = "<script>alert('\"&😀\n</script>" * 400


def test_nasty_and_long_texts_stay_out_of_errors_and_reprs():
    def charge(event):
        raise ValueError(NASTY)

    async def work(ctx):
        await ctx.publish(OrderPlaced(order_id=NASTY))
        ctx.note(NASTY)

    run = play(charge, work)
    for thing in (run, run.failures[0], run.at(1)):
        assert len(repr(thing)) < 500 and "\n" not in repr(thing)
    assert run.journal[0].envelope.data.order_id == NASTY and any(
        s.detail == NASTY for s in run.journal
    )
    svg = timeline(run).svg()
    assert "<script" not in svg and len(svg) < 200_000
    assert "\n" not in repr(timeline(run))


def test_the_repr_of_a_run_is_one_short_line_whatever_failed():
    shop = System("shop")

    def failing(number):
        def charge(event):
            raise type(f"Error{number}", (ValueError,), {})(object())

        charge.__name__ = f"charge{number}"
        return charge

    for number in range(40):
        shop.service(f"payments{number}").on(OrderPlaced)(failing(number))

    async def work(ctx):
        for number in range(25):
            await ctx.publish(OrderPlaced(order_id=str(number)))
            await ctx.publish(Charged(order_id=str(number)))

    run = simulate(
        shop, work, faults=[f"crash payments1.commit.OrderPlaced #{n}" for n in range(1, 100)]
    )
    assert len(run.failures) > 1_000
    assert len(repr(run)) < 700 and "\n" not in repr(run) and " at 0x" not in repr(run)
    assert "and 37 more" in repr(run) and "25 Charged published to nobody" in repr(run)


def test_an_address_in_a_text_does_not_make_two_runs_differ():
    def charge(event, ctx):
        ctx.note(object())
        raise ValueError(object())

    first, second = play(charge), play(charge)
    assert first.digest == second.digest and "<object object>" in first.failures[0].__repr__()

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
    PublishFailed,
    Query,
    System,
    Unanswered,
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
    """The error is one sentence of bearable length, without addresses, and says all of this."""
    text = str(error)
    assert "\n" not in text and len(text) < 500 and " at 0x" not in text, text
    for word in words:
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


def test_an_event_changed_in_a_handler_ends_the_run():
    async def charge(event, ctx):
        event.total = 0

    refused_in_a_run(charge, "OrderPlaced.total cannot be changed", "publish a new one")


def test_an_item_added_to_an_events_list_is_seen_by_no_other_reader():
    shop, seen, charged = make_shop(), [], Charged(order_id="o1")

    async def work(ctx):
        await ctx.publish(charged)

    @shop.services["payments"].on(Charged)
    def add(event):
        event.items.append("mine")

    @shop.services["stock"].on(Charged)
    async def look(event, ctx):
        await ctx.sleep(1)
        seen.append(event.items)

    run = simulate(shop, work)
    assert (
        seen == [[]]
        and charged.items == []
        and '"items":[]' in run.cloudevents().replace(" ", "").replace("\n", "")
    )


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


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: OrderPlaced(orderid="o1"),
            "OrderPlaced has no field 'orderid'; fields: order_id, total. Did you mean 'order_id'?",
        ),
        (
            lambda: OrderPlaced(order_id="o1", colour=3),
            "OrderPlaced has no field 'colour'; fields: order_id, total",
        ),
        (lambda: OrderPlaced(), "OrderPlaced needs order_id"),
        (lambda: OrderPlaced(order_id=3), "OrderPlaced.order_id should be a valid string, not 3"),
        (
            lambda: OrderPlaced(order_id="o1", total="much"),
            "OrderPlaced.total should be a valid number, not 'much'",
        ),
        (lambda: Charge(id=3), "Charge has no field 'id'; fields: order_id; Charge needs order_id"),
        (lambda: Stock(sku=None), "Stock.sku should be a valid string, not None"),
        (
            lambda: Sold(weight=[1]),
            "Sold.weight should be a valid integer or a valid string, not [1]",
        ),
        (lambda: Sold(size=5), "Sold.size should be less than 5, not 5"),
        (lambda: Sold(colour="x"), "Sold.colour should be 'red', 'green' or 'blue', not 'x'"),
        (lambda: Sold(colour="blue"), "Sold.colour: we are out of blue"),
        (
            lambda: Sold(order={"id": 1}),
            "Sold.order has no field 'id'; Sold.order needs order_id",
        ),
        (
            lambda: Charged(order_id="1", items=["a", 2]),
            "Charged.items.1 should be a valid string, not 2",
        ),
        (
            lambda: PLACED.model_copy(update={"totl": 3}),
            "OrderPlaced has no field 'totl'; fields: order_id, total. Did you mean 'total'?",
        ),
        (lambda: OrderPlaced.model_validate({}), "OrderPlaced needs order_id"),
        (lambda: OrderPlaced.model_validate_json("{}"), "OrderPlaced needs order_id"),
    ],
)
def test_wrong_fields_are_refused_in_a_sentence_with_pydantics_error_behind_it(make, sentence):
    mistake = refused(make, error=InvalidMessage)
    assert str(mistake) == sentence and isinstance(mistake.__cause__, ValidationError)


def test_an_event_is_copied_with_another_value():
    assert PLACED.model_copy(update={"total": 2}) == OrderPlaced(order_id="o1", total=2.0)
    assert PLACED.model_copy() == PLACED.model_copy(deep=True) == PLACED


def test_wrong_fields_in_a_handler_are_a_failure_of_that_handler_and_do_not_end_the_run():
    def charge(event):
        return Charged(orderid=event.order_id)

    run = failed(charge, "Charged has no field 'orderid'", "Did you mean", error=InvalidMessage)
    assert [s.step for s in run.journal].count("retry") == 2


def test_fields_are_given_by_name():
    refused(
        lambda: OrderPlaced("o1", 2.0),
        "OrderPlaced takes its fields by name: OrderPlaced(order_id=..., total=...)",
    )


def test_a_field_that_a_message_does_not_have_is_told_with_those_it_has():
    def charge(event):
        return Charged(order_id=event.orderid)

    words = "OrderPlaced has no 'orderid'; fields: order_id, total. Did you mean 'order_id'?"
    failed(charge, words, error=AttributeError)


@pytest.mark.parametrize(
    ("keywords", "annotation", "words"),
    [
        (
            {"topik": "x"},
            str,
            ["class Wrong", "'topik'", "keywords: topic, key, version, compensates"],
        ),
        ({"key": "orderid"}, str, ["class Wrong", "key='orderid' is no field; fields: order_id"]),
        ({"key": ["order_id"]}, str, ["key=['order_id'] is no field", "fields: order_id"]),
        ({"topic": 3}, str, ["class Wrong: topic= takes words", "such as 'orders'", "not 3"]),
        ({"topic": "my orders"}, str, ["class Wrong: topic= takes words", "not 'my orders'"]),
        ({"topic": "orders.dlq"}, str, ["class Wrong: topic= 'orders.dlq'", "write 'orders'"]),
        ({"version": 0}, str, ["class Wrong", "version=", "from 1", "not 0"]),
        (
            {"refuses": "Charge"},
            str,
            ["class Wrong", "refuses= takes a message class, not 'Charge'"],
        ),
        ({}, set[str], ["class Wrong", "order_id is a set", "use a list or a tuple"]),
        ({}, dict[str, frozenset[int]] | None, ["class Wrong", "order_id is a set"]),
    ],
)
def test_a_class_keyword_that_is_wrong(keywords, annotation, words):
    refused(
        lambda: type(Event)(
            "Wrong",
            (Event,),
            {"__annotations__": {"order_id": annotation}, "__module__": __name__},
            **keywords,
        ),
        *words,
    )


# -- declarations


@pytest.mark.parametrize(
    ("declare", "words"),
    [
        (lambda shop: shop.service("my payments"), ["service's name", "one word", "'my payments'"]),
        (
            lambda shop: shop.service("client"),
            ["'client'", "the outside world", "choose another name"],
        ),
        (lambda shop: shop.service(""), ["service's name", "not ''"]),
        (lambda shop: shop.service(3), ["service's name", "not 3"]),
        (lambda shop: System("my shop"), ["system's name", "'my shop'"]),
        (lambda shop: shop.topic("my orders"), ["shop.topic takes words", "'my orders'"]),
        (lambda shop: shop.queue("a..b"), ["shop.queue takes words", "'a..b'"]),
        (lambda shop: shop.topic("a.dlq"), ["shop.topic 'a.dlq' ends in .dlq", "dead letters"]),
        (lambda shop: shop.queue("a.dlq"), ["shop.queue 'a.dlq' ends in .dlq", "write 'a'"]),
        (lambda shop: shop.queue("a.commands"), ["ends in .commands", "the commands of a service"]),
        (lambda shop: shop.service("a.b"), ["service's name", "one word", "'a.b'"]),
        (
            lambda shop: shop.service("x", replicas=0),
            ["service 'x'", "replicas=", "from 1", "not 0"],
        ),
        (lambda shop: shop.service("x", replicas=1.5), ["replicas=", "whole number", "not 1.5"]),
        (lambda shop: shop.topic("x", partitions=-1), ["topic 'x'", "partitions=", "not -1"]),
        (lambda shop: shop.queue("x", max_attempts="3"), ["queue 'x'", "max_attempts=", "not '3'"]),
        (
            lambda shop: shop.service("x", schema="create tabel a (b)"),
            ["schema of x", 'near "tabel"', "syntax error"],
        ),
        (lambda shop: shop.service("x", schema=["a"]), ["schema of x", "must be str, not list"]),
    ],
)
def test_a_system_declared_wrongly(declare, words):
    refused(lambda: declare(make_shop()), *words)


def bare(event):
    pass


@pytest.mark.parametrize(
    ("declare", "words"),
    [
        (
            lambda pay: pay.on(),
            ["payments.on takes a message class", "write @payments.on(OrderPlaced)"],
        ),
        (
            lambda pay: pay.on(bare),
            [
                "payments.on takes a message class, not a function (bare)",
                "@payments.on(OrderPlaced)",
            ],
        ),
        (lambda pay: pay.on("orders"), ["payments.on takes a message class, not 'orders'"]),
        (
            lambda pay: pay.on(PLACED),
            ["a message class, not OrderPlaced(order_id='o1'", "write @payments.on(OrderPlaced)"],
        ),
        (lambda pay: pay.on(Event), ["of your own, not Event itself"]),
        (lambda pay: pay.on(Charge), ["Charge is not an Event; use @payments.handles(Charge)"]),
        (lambda pay: pay.on(Stock), ["Stock is not an Event; use @payments.answers(Stock)"]),
        (
            lambda pay: pay.handles(OrderPlaced),
            ["OrderPlaced is not a Command; use @payments.on(OrderPlaced)"],
        ),
        (lambda pay: pay.answers(Charge), ["Charge is not a Query; use @payments.handles(Charge)"]),
        (
            lambda pay: pay.on(OrderPlaced, delivery="exactly-once"),
            ["'exactly-once'", "at-least-once, at-most-once"],
        ),
        (
            lambda pay: pay.on(OrderPlaced, max_attempts=0),
            ["payments.on", "max_attempts=", "from 1", "not 0"],
        ),
        (
            lambda pay: pay.every(),
            ["payments.every takes seconds", "not None", "@payments.every(1)"],
        ),
        (
            lambda pay: pay.every(bare),
            ["payments.every takes seconds", "a function (bare)", "@payments.every(1)"],
        ),
        (lambda pay: pay.every(0), ["payments.every takes seconds of at least 0.001, not 0"]),
        (
            lambda pay: pay.on(OrderPlaced)(lambda event: None),
            ["a lambda", "write `def charge(event):`"],
        ),
        (
            lambda pay: pay.on(OrderPlaced)(Charged),
            ["a handler of payments is a function, not Charged"],
        ),
    ],
)
def test_a_handler_declared_for_the_wrong_thing(declare, words):
    refused(lambda: declare(make_shop().services["payments"]), *words)


def generator(event):
    yield Charged(order_id="o1")


def no_parameters():
    pass


def three_parameters(event, ctx, db):
    pass


def only_context(ctx):
    pass


def context_first(ctx, event):
    pass


def context_by_keyword(event, *, ctx):
    pass


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (generator, ["payments.generator has a `yield`", "await ctx.publish(...)"]),
        (no_parameters, ["payments.no_parameters takes ()", "(event) or (event, ctx)"]),
        (
            three_parameters,
            ["payments.three_parameters takes (event, ctx, db)", "(event) or (event, ctx)"],
        ),
        (only_context, ["payments.only_context takes (ctx)", "(event) or (event, ctx)"]),
        (context_first, ["payments.context_first takes (ctx, event)", "in this order"]),
        (context_by_keyword, ["payments.context_by_keyword takes (event, *, ctx)"]),
    ],
)
def test_a_handler_with_wrong_parameters(handler, words):
    refused(lambda: make_shop().services["payments"].on(OrderPlaced)(handler), *words)


def test_two_handlers_for_one_command():
    shop = make_shop()

    @shop.services["payments"].handles(Charge)
    def charge(command):
        pass

    def take(command):
        pass

    for service in shop.services.values():
        mistake = refused(
            lambda: service.handles(Charge)(take),
            "Charge already goes to payments.charge",
            "one handler",
            "make the system anew",
        )
        assert mistake.run is None


def test_two_answers_to_one_query():
    shop = make_shop()
    shop.services["stock"].answers(Stock)(bare)
    refused(
        lambda: shop.services["payments"].answers(Stock)(bare),
        "Stock already goes to stock.bare",
        "a query has one handler",
    )


# -- clocks, dice and ids: told when the handler is declared


def asyncio_sleep(event, ctx):
    asyncio.sleep(1)


def time_sleep(event, ctx):
    time.sleep(1)


def time_time(event, ctx):
    return time.time()


def datetime_now(event, ctx):
    return datetime.datetime.now()


def date_today(event, ctx):
    return datetime.date.today()


def random_random(event, ctx):
    return random.random()


def imported_choice(event, ctx):
    from random import choice

    return choice("ab")


def uuid_uuid4(event, ctx):
    return uuid.uuid4()


async def asyncio_gather(event, ctx):
    await asyncio.gather(ctx.sleep(1), ctx.sleep(2))


async def asyncio_task_group(event, ctx):
    async with asyncio.TaskGroup() as group:
        group.create_task(ctx.sleep(1))


def builtin_hash(event, ctx):
    return hash(event.order_id) % 3


def builtin_input(event, ctx):
    return input("how much? ")


def by_way_of_a_function(event, ctx):
    return time_sleep(event, ctx)


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (asyncio_sleep, ["asyncio.sleep", "await ctx.sleep(seconds)"]),
        (time_sleep, ["time.sleep", "real time", "await ctx.sleep(seconds)"]),
        (time_time, ["time.time", "ctx.now"]),
        (datetime_now, ["datetime.datetime.now", "every run differ", "ctx.now"]),
        (date_today, ["datetime.date.today", "ctx.now"]),
        (random_random, ["random.random", "every run differ", "ctx.random"]),
        (imported_choice, ["choice", "ctx.random"]),
        (uuid_uuid4, ["uuid.uuid4", "ctx.new_id()"]),
        (asyncio_gather, ["asyncio.gather", "one `await` after the other"]),
        (asyncio_task_group, ["asyncio.TaskGroup", "asyncio's loop"]),
        (builtin_hash, ["uses hash", "zlib.crc32"]),
        (builtin_input, ["uses input", "workload"]),
        (by_way_of_a_function, ["payments.by_way_of_a_function", "uses time.sleep"]),
    ],
)
def test_a_clock_dice_or_ids_of_its_own_are_told_when_declared(handler, words):
    refused(lambda: make_shop().services["payments"].on(OrderPlaced)(handler), *words)
    if asyncio.iscoroutinefunction(handler):
        return

    async def work(ctx):
        handler(None, ctx)

    refused(lambda: play(workload=work), "the workload work uses", words[-1])


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

    async def nap(self):
        await asyncio.sleep(0.01)

    async def blink(self):
        await asyncio.sleep(0)


watch = Watch()


def test_a_hidden_clock_is_told_when_the_run_is_played_again():
    async def charge(event, ctx):
        ctx.note(str(watch.now()))

    run = play(charge)
    refused(
        lambda: run.at(1),
        "cannot be played again",
        "payments.note.OrderPlaced of client-1 at 0.02 s differs",
        "ctx.now",
    )


def test_a_hidden_asyncio_sleep_is_told_at_once():
    async def charge(event, ctx):
        await watch.nap()

    refused_in_a_run(charge, "payments.charge", "asyncio's event loop", "await ctx.sleep")


def test_it_is_told_where_a_loop_runs_too_as_in_a_notebook():
    async def charge(event, ctx):
        await watch.nap()

    async def cell():
        play(charge)

    refused(
        lambda: asyncio.run(cell()),
        "payments.charge awaits <Future",
        "not of this world",
        "ctx.sleep",
    )


def test_a_foreign_awaitable_is_told_at_once():
    async def charge(event, ctx):
        await watch.blink()

    refused_in_a_run(charge, "payments.charge awaits None", "not of this world", "ctx.sleep")


# -- forgotten awaits


async def forgets_publish(event, ctx):
    ctx.publish(Charged(order_id=event.order_id))


async def forgets_sleep(event, ctx):
    ctx.sleep(1)
    await ctx.publish(Charged(order_id=event.order_id))


async def forgets_ask(event, ctx):
    if ctx.ask(Stock(sku="a"))["level"] > 2:
        await ctx.sleep(1)


async def forgets_send(event, ctx):
    ctx.send(Charge(order_id=event.order_id))


async def returns_a_call(event, ctx):
    return ctx.publish(Charged(order_id=event.order_id))


async def never_awaits(event, ctx):
    while True:
        ctx.sleep(1)


def plain(event, ctx):
    ctx.publish(Charged(order_id=event.order_id))


async def tell_all(event, ctx):
    await ctx.publish(Charged(order_id=event.order_id))


async def forgets_own(event, ctx):
    tell_all(event, ctx)


async def forgets_own_and_keeps_it(event, ctx):
    told = tell_all(event, ctx)
    await ctx.sleep(1)
    del told


async def forgets_own_at_the_end(event, ctx):
    told = tell_all(event, ctx)  # noqa: F841
    await ctx.sleep(1)


async def returns_own(event, ctx):
    return tell_all(event, ctx)


def forgets_own_in_a_def(event, ctx):
    tell_all(event, ctx)


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (forgets_publish, ["forgot to await: `await ctx.publish(Charged(...))`"]),
        (forgets_sleep, ["forgot to await: `await ctx.sleep(...)`"]),
        (forgets_ask, ["forgot to await: `await ctx.ask(Stock(...))`"]),
        (forgets_send, ["forgot to await: `await ctx.send(Charge(...))`"]),
        (returns_a_call, ["forgot to await: `await ctx.publish(Charged(...))`"]),
        (never_awaits, ["forgot to await: `await ctx.sleep(...)`"]),
        (plain, ["plain `def`", "return the message, or write `async def`"]),
        (forgets_own, ["forgot to await: `await tell_all(...)`"]),
        (forgets_own_and_keeps_it, ["forgot to await: `await tell_all(...)`"]),
        (forgets_own_at_the_end, ["forgot to await: `await tell_all(...)`"]),
        (returns_own, ["coroutine that nobody awaits", "`return await tell_all(...)`"]),
        (forgets_own_in_a_def, ["forgot to await: `await tell_all(...)`"]),
    ],
)
def test_a_forgotten_await(handler, words, capfd):
    refused_in_a_run(handler, f"payments.{handler.__name__}", *words)
    assert capfd.readouterr().err == ""


def test_a_forgotten_await_in_the_workload():
    async def work(ctx):
        await ctx.publish(PLACED)
        ctx.publish(PLACED)

    refused_in_a_run(
        None,
        "the workload forgot to await: `await ctx.publish(OrderPlaced(...))`",
        workload=work,
        steps=["publish"],
    )


def test_python_still_warns_of_a_coroutine_that_is_no_handlers():
    play()
    with pytest.warns(RuntimeWarning, match="tell_all.* was never awaited"):
        tell_all(None, None)


# -- what handlers publish, send, ask, return and answer


@pytest.mark.parametrize(
    ("word", "thing", "words"),
    [
        (
            "publish",
            Charge(order_id="1"),
            ["publishes Charge(order_id='1'), which is no event", "`await ctx.send(Charge(...))`"],
        ),
        ("publish", Stock(sku="1"), ["which is no event", "`await ctx.ask(Stock(...))`"]),
        (
            "send",
            PLACED,
            ["sends OrderPlaced", "which is no command", "`await ctx.publish(OrderPlaced(...))`"],
        ),
        ("send", Stock(sku="1"), ["which is no command", "`await ctx.ask(Stock(...))`"]),
        (
            "ask",
            PLACED,
            ["asks OrderPlaced", "a query or a command can be asked, an event is published"],
        ),
        ("ask", Stock, ["asks Stock", "make one: Stock(...)"]),
        (
            "publish",
            OrderPlaced,
            ["publishes OrderPlaced, which is no event", "make one: OrderPlaced(...)"],
        ),
        (
            "publish",
            {"order_id": "1"},
            ["publishes {'order_id': '1'}", "declare a class", "(Event)"],
        ),
        ("publish", "OrderPlaced", ["publishes 'OrderPlaced'", "publish a message"]),
        ("publish", None, ["publishes None", "`return` forgotten"]),
        ("publish", [PLACED], ["publishes [OrderPlaced", "one after the other"]),
        ("publish", "x" * 10_000, ["publishes 'xxx", "..."]),
        (
            "envelope",
            Stock(sku="1"),
            ["wants an envelope for Stock", "events and commands have one"],
        ),
    ],
)
def test_the_wrong_thing_published_sent_or_asked(word, thing, words):
    async def work(ctx):
        await ctx.publish(PLACED)
        await getattr(ctx, word)(thing)

    refused_in_a_run(None, "the workload", *words, workload=work, steps=["publish"])


@pytest.mark.parametrize(
    "thing", [Charge(order_id="1"), Stock(sku="1")], ids=["a command", "a query"]
)
def test_what_nobody_takes_is_an_error_even_where_it_is_swallowed(thing):
    shop = make_shop()
    shop.services["stock"].handles(Ship)(bare)
    shop.services["stock"].answers(Price)(bare)

    async def charge(event, ctx):
        try:
            await (ctx.send(thing) if isinstance(thing, Command) else ctx.ask(thing))
        except:  # noqa: E722
            pass

    word, taken = ("handles", "Ship") if isinstance(thing, Command) else ("answers", "Price")
    name = type(thing).__name__
    refused_in_a_run(
        charge, f"no service {word} {name}", f"@service.{word}({name})", f": {taken}", shop=shop
    )


def test_a_message_published_to_nobody_is_said_and_no_error():
    run = play()
    assert (
        "1 OrderPlaced published to nobody: no service subscribes" in repr(run) and not run.failures
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("ok", ["returned 'ok'", "None, a message or a list of them"]),
        ({"order_id": "1"}, ["returned {'order_id': '1'}", "None, a message or a list of them"]),
        (True, ["returned True"]),
        (Charged, ["returned Charged"]),
        ([Charged(order_id="1"), "ok"], ["returned 'ok'"]),
        ((Charged(order_id=i) for i in "ab"), ["returned a generator"]),
    ],
)
def test_a_handler_that_returns_no_message(answer, words):
    def charge(event):
        return answer

    refused_in_a_run(charge, "payments.charge", *words)


def test_a_command_that_returns_data_and_is_sent():
    shop = make_shop()

    @shop.services["stock"].handles(Charge)
    def take(command):
        return {"ok": True}

    async def work(ctx):
        await ctx.send(Charge(order_id="1"))

    refused(
        lambda: simulate(shop, work),
        "stock.take returned {'ok': True}",
        "data only to who asks for it",
    )


def test_a_tick_that_returns_no_message():
    shop = make_shop()

    @shop.services["stock"].every(1)
    def look():
        return 3

    refused(lambda: simulate(shop, orders), "stock.look returned 3")


class Level:
    pass


@pytest.mark.parametrize(
    "answer",
    [
        object(),
        Level,
        lambda: 1,
        [Level()],
        sqlite3.connect(":memory:").execute("select 1"),
        (i for i in "ab"),
        b"\xff",
        {"a", "b"},
        {"level": float("nan")},
        "half of a \ud83d",
        {"\ud83d": 1},
    ],
    ids=[
        "an object",
        "a class",
        "a function",
        "a list of objects",
        "a cursor",
        "a generator",
        "bytes",
        "a set",
        "no number",
        "half of a character",
        "half of a name",
    ],
)
def test_an_answer_that_is_not_data(answer):
    shop = make_shop()

    @shop.services["stock"].answers(Stock)
    def level(query):
        return answer

    async def work(ctx):
        await ctx.ask(Stock(sku="a"))

    refused_in_a_run(
        None, "stock.level answers", "answer", shop=shop, workload=work, steps=["ask", "handle"]
    )


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

    refused_in_a_run(
        None,
        "the workload sends off Shown, which was changed since it was made",
        "cannot go on the wire",
        "give it what JSON has",
        workload=work,
        steps=["publish"],
    )


# -- handlers that fail


def test_a_handler_that_raises_is_part_of_the_run():
    def charge(event):
        raise ValueError("no money")

    run = failed(charge, "no money", error=ValueError)
    assert "payments.charge raised ValueError 3 times; OrderPlaced client-1 dead-lettered" in repr(
        run
    )
    assert (
        repr(run.failures[0])
        == "<payments.charge raised ValueError (line 2): no money on OrderPlaced client-1, attempt 1>"
    )
    assert 'raise ValueError("no money")' in run.failures[0].traceback


def test_a_name_that_is_not_defined():
    def charge(event):
        return Chraged(order_id="1")  # noqa: F821

    failed(charge, "Chraged", error=NameError)


def test_endless_recursion_is_a_failure_like_any_other():
    def deeper(number):
        return deeper(number + 1)

    def charge(event):
        return deeper(1)

    run = failed(charge, error=RecursionError)
    assert len(run.failures[0].traceback) < 2_000


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda ctx: ctx.emit(PLACED), ["ctx has no 'emit'; it has publish, send, ask, sleep"]),
        (lambda ctx: setattr(ctx, "now", 3), ["ctx.now cannot be set"]),
        (lambda ctx: setattr(ctx, "state", {}), ["ctx.state cannot be set"]),
    ],
)
def test_what_the_context_does_not_have(attempt, words):
    def charge(event, ctx):
        attempt(ctx)

    failed(charge, *words, error=AttributeError)


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
    details = {s.step: s.detail for s in run.journal if s.detail}
    assert details["retry"].startswith("NameError (line 3): name 'chargd' is not defined;")
    svg = timeline(run).svg()
    words = "NameError (line 3): name 'chargd' is not defined"
    assert "NameError (line 3): name" in svg and words in svg
    assert play(in_a_helper).failures[0].line == "line 2 of in_a_helper"


def test_the_digest_does_not_know_the_line():
    def charge(event):
        raise ValueError

    def charge_later(event):
        assert event
        raise ValueError

    charge_later.__name__ = "charge"
    assert play(charge).digest == play(charge_later).digest


def test_what_the_world_does_to_a_handler_needs_no_line():
    async def charge(event, ctx):
        await ctx.publish(Charged(order_id="o1"))

    faults = ["fail payments.publish.Charged", "fail payments.handle.OrderPlaced #2"]
    run = play(charge, faults=faults)
    assert [f.name for f in run.failures] == ["PublishFailed", "HandlerFailed"]
    assert "traceback" not in repr(run)


@pytest.mark.parametrize(
    "leave", [sys.exit, lambda: exec("exit(1)", {"exit": sys.exit})], ids=["sys.exit", "exit"]
)
def test_a_handler_that_would_end_the_notebook(leave):
    def charge(event):
        leave()

    async def charge_slowly(event, ctx):
        await ctx.sleep(1)
        leave()

    refused_in_a_run(charge, "payments.charge calls sys.exit()", "`return`, or raise an exception")
    refused_in_a_run(charge_slowly, "payments.charge_slowly calls sys.exit()")


def test_an_interrupted_kernel_passes_through_with_the_record_so_far():
    async def charge(event, ctx):
        await ctx.sleep(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        play(charge)
    assert [s.step for s in caught.value.run.journal] == ["publish", "deliver", "handle"]


def test_a_bare_except_does_not_hide_a_mistake():
    async def charge(event, ctx):
        while True:
            try:
                await ctx.publish({"a": 1})
            except:  # noqa: E722
                await ctx.sleep(1)

    refused_in_a_run(charge, "payments.charge publishes {'a': 1}")


def test_a_bare_except_does_not_keep_a_crashed_replica_alive(capfd):
    async def charge(event, ctx):
        while True:
            try:
                await ctx.sleep(1)
            except:  # noqa: E722
                pass

    @(shop := make_shop()).services["payments"].answers(Stock)
    def level(query):
        return 3

    async def work(ctx):
        await ctx.publish(PLACED)
        await ctx.sleep(1)
        await ctx.ask(Stock(sku="a"))

    faults = ["crash payments.reply.Stock"]
    refused_in_a_run(
        charge,
        "payments.charge goes on",
        "`except Exception:`",
        shop=shop,
        workload=work,
        faults=faults,
        until=9,
    )
    assert capfd.readouterr().err == ""


def test_a_finally_that_awaits_is_silent_when_the_run_is_cut_short(capfd):
    async def charge(event, ctx):
        try:
            await ctx.sleep(5)
        finally:
            await ctx.publish(Charged(order_id="1"))

    run = play(charge, until=1)
    assert "Charged" not in {s.envelope.type for s in run.journal}
    del run
    assert capfd.readouterr().err == ""


def test_a_context_kept_for_later():
    kept = []

    async def charge(event, ctx):
        kept.append(ctx)

    async def work(ctx):
        await ctx.publish(PLACED)
        await ctx.sleep(1)
        await kept[0].publish(PLACED)

    refused_in_a_run(
        charge,
        "the workload awaits ctx.publish(OrderPlaced(...)) of another message's ctx",
        workload=work,
    )


def test_names_that_a_handler_deletes_or_rebinds_are_its_own():
    async def charge(event, ctx):
        ctx.publish = None
        del event, ctx

    run = play(charge, workload=two_orders)
    assert not run.failures and [s.step for s in run.journal].count("commit") == 2


async def two_orders(ctx):
    await ctx.publish(PLACED)
    await ctx.publish(PLACED)


# -- the database


def in_a_transaction(sql, *parameters):
    def charge(event, ctx):
        with ctx.database as db:
            db.execute(sql, *parameters)

    return charge


@pytest.mark.parametrize(
    ("sql", "parameters", "words"),
    [
        (
            "insert into charge values (1, 2)",
            (),
            ["no such table: charge", "tables of payments: charges(order_id, total)"],
        ),
        ("select totl from charges", (), ["no such column: totl", "charges(order_id, total)"]),
        ("selct 1", (), ['near "selct": syntax error']),
        ("insert into charges values (?, ?)", (("o1",),), ["uses 2, and there are 1 supplied"]),
        (
            "insert into charges values (?, 1)",
            ("o11",),
            ["uses 1, and there are 3 supplied", "a tuple: ('o11',)"],
        ),
        (
            "insert into charges values (?, 1)",
            ((PLACED,),),
            ["'OrderPlaced' is not supported", "store its fields"],
        ),
    ],
)
def test_sql_that_sqlite_refuses(sql, parameters, words):
    failed(in_a_transaction(sql, *parameters), *words, error=sqlite3.Error)


def test_tables_are_not_missed_where_there_are_none():
    shop = make_shop()

    @shop.services["stock"].on(OrderPlaced)
    def count(event, ctx):
        with ctx.database as db:
            db.execute("insert into counts values (1)")

    tell(
        simulate(shop, orders).failures[0].error,
        "no such table: counts",
        "tables of stock: none",
        "schema=",
    )


def commits(db):
    db.commit()


def rolls_back(db):
    db.rollback()


def runs_a_script(db):
    db.executescript("select 1; select 2")


def says_commit(db):
    db.execute("COMMIT")


def says_begin(db):
    db.execute("begin")


@pytest.mark.parametrize("act", [commits, rolls_back, runs_a_script, says_commit, says_begin])
def test_a_transaction_ended_by_hand(act):
    def charge(event, ctx):
        with ctx.database as db:
            db.execute("insert into charges values ('o1', 1)")
            act(db)

    mistake = refused_in_a_run(
        charge,
        "payments",
        "`with ctx.database as db:`",
        "commits at its end",
        "rolls back on an exception",
    )
    assert mistake.run.rows("payments", "select * from charges") == []


def outside(event, ctx):
    ctx.database.execute("select 1")


def after_its_end(event, ctx):
    with ctx.database as db:
        pass
    db.execute("select 1")


def nested(event, ctx):
    with ctx.database, ctx.database:
        pass


def left_open(event, ctx):
    ctx.database.__enter__().execute("insert into charges values ('o1', 1)")


def called(event, ctx):
    with ctx.database():
        pass


async def asynchronous(event, ctx):
    async with ctx.database:
        pass


async def sleeps_inside(event, ctx):
    with ctx.database:
        await ctx.sleep(1)


async def asks_inside(event, ctx):
    with ctx.database:
        await ctx.ask(Stock(sku="a"))


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (outside, ["database.execute outside a transaction", "`with ctx.database as db:`"]),
        (after_its_end, ["database.execute outside a transaction", "`with ctx.database as db:`"]),
        (nested, ["opens a transaction inside another", "one `with ctx.database` at a time"]),
        (left_open, ["ended inside a transaction", "`with ctx.database as db:`"]),
        (called, ["opens the database in another way", "`with ctx.database as db:`"]),
        (asynchronous, ["opens the database in another way", "`with ctx.database as db:`"]),
        (sleeps_inside, ["awaits ctx.sleep(...) inside a transaction", "end the `with` first"]),
        (asks_inside, ["awaits ctx.ask(Stock(...)) inside a transaction", "end the `with` first"]),
    ],
)
def test_a_transaction_opened_or_used_wrongly(handler, words):
    mistake = refused_in_a_run(handler, f"payments.{handler.__name__}", *words)
    assert mistake.run.rows("payments", "select * from charges") == []


def test_a_transaction_has_no_cursor():
    def charge(event, ctx):
        with ctx.database as db:
            db.cursor()

    failed(
        charge, "a transaction has no 'cursor'; it has execute, executemany", error=AttributeError
    )


@pytest.mark.parametrize("name", ["database", "state", "message"])
def test_the_workload_has_no_memory_of_its_own(name):
    async def work(ctx):
        await ctx.publish(PLACED)
        getattr(ctx, name)

    refused_in_a_run(
        None, f"the workload uses ctx.{name}", "ask a service", workload=work, steps=["publish"]
    )


# -- numbers


@pytest.mark.parametrize(
    "seconds", [-1, 1e12, float("inf"), float("nan"), "1", None, True, 10**400]
)
def test_a_time_that_is_none(seconds):
    async def sleeps(event, ctx):
        await ctx.sleep(seconds)

    refused_in_a_run(sleeps, "sleep takes seconds", "not ")

    async def sends(ctx):
        await ctx.publish(PLACED)
        await ctx.send(Charge(order_id="1"), after=seconds)

    refused_in_a_run(None, "send(after=) takes seconds", workload=sends, steps=["publish"])

    async def asks(ctx):
        await ctx.publish(PLACED)
        await ctx.ask(Stock(sku="a"), timeout=seconds)

    refused_in_a_run(None, "ask(timeout=) takes seconds", workload=asks, steps=["publish"])
    run = play()
    refused(lambda: run.at(seconds), "run.at takes seconds")
    refused(lambda: pause("payments", seconds, 2e9), "takes seconds")
    if seconds is not None:
        refused(lambda: play(until=seconds), "until= takes seconds")
        refused(
            lambda: Fault("crash", at="payments.commit.OrderPlaced", seconds=seconds),
            "seconds= takes seconds",
        )


# -- faults


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            "crash payment.commit.OrderPlaced",
            ["no service 'payment'", "client, payments, stock", "Did you mean 'payments'"],
        ),
        (
            "crash payments.comit.OrderPlaced",
            ["no step 'comit'", "publish, deliver, handle, save", "Did you mean 'commit'"],
        ),
        (
            "crash payments.commit.OrderPlacd",
            ["no point 'payments.commit.OrderPlacd'", "Did you mean 'payments.commit.OrderPlaced'"],
        ),
        ("fail payments.publish.Chargd", ["no message 'Chargd'", "Did you mean 'Charged'"]),
        (
            "drop payments.commit.OrderPlaced",
            ["no action 'drop' at commit; actions at commit: crash, lose"],
        ),
        (
            "crash payments.ack.OrderPlaced",
            ["no point 'payments.ack.OrderPlaced'", "payments.commit.OrderPlaced"],
        ),
        ("crash payments.commit.OrderPlaced #0", ["nth= counts from 1", "not 0"]),
        (
            "crash payments commit OrderPlaced",
            ["is no fault; write 'crash payments.commit.OrderPlaced #2'"],
        ),
        ("", ["'' is no fault; write"]),
        ("?" * 10_000, ["is no fault; write"]),
        ("crash client.publish.OrderPlaced", ["the client", "does not crash", "payments, stock"]),
        ("lose client.publish.OrderPlaced", ["confirms=False", "`fail`"]),
        ("fail client.publish.Stock", ["Stock is a query, which is never published"]),
        ("drop client.ask.OrderPlaced", ["OrderPlaced is an event, which is never asked"]),
        ("cut payments from 3 s to 1 s", ["cut('payments', 3.0, 1.0)", "a start before its end"]),
        ("pause payments/9 from 1 s to 3 s", ["payments has 1 replica"]),
        ("cut client from 1 s to 3 s", ["the client", "cut one of payments, stock"]),
        (0.1, ["Fault, its text, Faults, pause and cut, not 0.1"]),
        (["crash payments.commit.OrderPlaced"], ["not ['crash payments.commit.OrderPlaced']"]),
    ],
)
def test_a_fault_that_cannot_be(fault, words):
    refused(lambda: play(bare, faults=[fault]), *words)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: Fault("crash payments.commit.OrderPlaced"),
            ["goes into faults= as it is"],
        ),
        (lambda: Fault("payments.commit.OrderPlaced", "crash"), ["takes an action and a point"]),
        (
            lambda: Fault("crash", at="payments.commit"),
            ["service.step.Message", "'payments.commit' is no point"],
        ),
        (
            lambda: Fault("crash", at=OrderPlaced),
            ["service.step.Message", "OrderPlaced is no point"],
        ),
        (
            lambda: Fault("delay", at="payments.commit.OrderPlaced"),
            ["no action 'delay' at commit", "crash, lose"],
        ),
        (
            lambda: Fault("crash", at="payments.commit.OrderPlaced", nth=0),
            ["nth= counts from 1", "not 0"],
        ),
        (
            lambda: Fault("lose", at="payments.commit.OrderPlaced", seconds=1),
            ["seconds= goes with delay and crash only"],
        ),
        (lambda: Faults(drop=1.5), ["Faults(drop=)", "from 0 to 1", "not 1.5"]),
        (lambda: Faults(crash=-0.1), ["Faults(crash=)", "not -0.1"]),
        (lambda: Faults(delay="10%"), ["Faults(delay=)", "not '10%'"]),
        (lambda: Faults(fail=float("nan")), ["Faults(fail=)", "not nan"]),
        (lambda: pause("payments", 3, 1), ["pause('payments', 3, 1)", "a start before its end"]),
        (
            lambda: pause(make_shop().services["payments"], 1, 3),
            ["pause takes the name of a service", "<Service payments"],
        ),
        (lambda: pause("payments", 1, 3, replica="a"), ["replica= takes a number from 1, not 'a'"]),
        (
            lambda: play(faults=[pause("payments", 1, 3, replica=2)]),
            ["payments has 1 replica, counted from 1"],
        ),
        (lambda: play(faults=[cut("payment", 1, 3)]), ["no service 'payment'", "payments, stock"]),
        (
            lambda: play(faults="crash payments.commit.OrderPlaced"),
            ["faults=['crash payments.commit.OrderPlaced']"],
        ),
        (lambda: play(faults=Faults(drop=0.1)), ["faults=[Faults(drop=0.1)]"]),
        (lambda: play(faults=None), ["faults= takes a list", "faults=[] for none"]),
    ],
)
def test_a_fault_made_or_given_wrongly(make, words):
    refused(make, *words)


def test_a_fault_that_never_happened_is_said():
    run = play(bare, faults=["crash payments.commit.OrderPlaced #99"])
    assert "never happened: crash payments.commit.OrderPlaced #99" in repr(run)


# -- simulate


def no_coroutine(ctx):
    pass


async def no_context():
    pass


async def two_parameters(ctx, number):
    pass


async def a_generator(ctx):
    yield 1


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (
            lambda shop: simulate(shop, None),
            ["a workload is a function `async def orders(ctx)`, not None"],
        ),
        (lambda shop: simulate(shop, orders(None)), ["pass the function, without ()"]),
        (
            lambda shop: simulate(shop, no_coroutine),
            ["the workload no_coroutine is no coroutine", "`async def no_coroutine(ctx):`"],
        ),
        (
            lambda shop: simulate(shop, no_context),
            ["no_context takes ()", "`async def no_context(ctx):`"],
        ),
        (
            lambda shop: simulate(shop, two_parameters),
            ["two_parameters takes (ctx, number)", "the context alone"],
        ),
        (
            lambda shop: simulate(shop, a_generator),
            ["a_generator has a `yield`", "await ctx.publish"],
        ),
        (
            lambda shop: simulate(shop, lambda ctx: ctx.publish(PLACED)),
            ["is no coroutine", "async def"],
        ),
        (
            lambda shop: simulate(shop, PLACED),
            ["a workload is a function", "not OrderPlaced(order_id='o1'"],
        ),
        (
            lambda shop: simulate(orders, shop),
            ["simulate takes a System first", "swapped", "simulate(shop, three_orders)"],
        ),
        (
            lambda shop: simulate(System, orders),
            ["simulate takes a System first, not the class System", "System('shop')"],
        ),
        (
            lambda shop: simulate(shop.services["payments"], orders),
            ["not <Service payments", "simulate(shop, three_orders)"],
        ),
        (lambda shop: simulate(shop, orders, seed=1.5), ["seed= takes a whole number, not 1.5"]),
        (
            lambda shop: simulate(shop, orders, max_steps=0),
            ["max_steps= takes a whole number from 1, not 0"],
        ),
    ],
)
def test_a_simulation_started_wrongly(start, words):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refused(lambda: start(make_shop()), *words)


# -- reading a run


@pytest.mark.parametrize(
    ("read", "error", "words"),
    [
        (
            lambda run: run.rows("payment", "select 1"),
            Unknown,
            ["no service 'payment'; services: payments, stock", "Did you mean 'payments'?"],
        ),
        (
            lambda run: run.rows("client", "select 1"),
            Unknown,
            ["no service 'client'; services: payments, stock"],
        ),
        (
            lambda run: run.rows("select 1", "payments"),
            Unknown,
            ["no service 'select 1'; services: payments, stock"],
        ),
        (lambda run: run.database("payment"), Unknown, ["no service 'payment'"]),
        (
            lambda run: run.at(1).rows("payment", "select 1"),
            Unknown,
            ["no service 'payment'; services: payments, stock"],
        ),
        (
            lambda run: run.at(1).services["payment"],
            Unknown,
            ["no service 'payment'; services: payments, stock"],
        ),
        (
            lambda run: run.rows("payments", "select * from charge"),
            sqlite3.OperationalError,
            ["no such table: charge", "charges(order_id, total)"],
        ),
        (
            lambda run: run.at(1).rows("payments", "select 1 from charge"),
            sqlite3.OperationalError,
            ["tables of payments: charges(order_id, total)"],
        ),
        (
            lambda run: run.rows("payments", "delete from charges"),
            Misuse,
            ["rows only reads", "'delete from charges'", "a select"],
        ),
        (
            lambda run: run.rows("stock", "select * from charges"),
            sqlite3.OperationalError,
            ["tables of stock: none"],
        ),
    ],
)
def test_a_run_read_wrongly(read, error, words):
    run = play(in_a_transaction("insert into charges values ('o1', 1)"))
    refused(lambda: read(run), *words, error=error)
    assert run.rows("payments", "select * from charges") == [("o1", 1.0)]


def test_the_database_of_a_run_cannot_be_changed():
    run = play(in_a_transaction("insert into charges values ('o1', 1)"))
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        run.database("payments").execute("delete from charges")


# -- what does not end


def again(event, ctx):
    raise ValueError("again")


async def publishes_forever(event, ctx):
    while True:
        await ctx.publish(Charged(order_id="1"))


async def publishes_forever_in_a_transaction(event, ctx):
    with ctx.database:
        while True:
            await ctx.publish(Charged(order_id="1"))


async def waits_for_no_time(event, ctx):
    while True:
        await ctx.sleep(0)


async def waits_forever(event, ctx):
    while True:
        await ctx.sleep(1)


async def asks_forever(event, ctx):
    while True:
        try:
            return await ctx.ask(Stock(sku="a"))
        except Unanswered:
            pass


async def notes_forever(event, ctx):
    while True:
        ctx.note("still here")
        await ctx.sleep(1)


def ping(event):
    return Charged(order_id=event.order_id)


def pings_twice(event):
    return [Charged(order_id=event.order_id)] * 2


def pong(event):
    return OrderPlaced(order_id=event.order_id)


async def never_ends(ctx):
    while True:
        await ctx.publish(PLACED)
        await ctx.sleep(1)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (
            {"handler": again, "max_attempts": 10**9},
            ["OrderPlaced client-1 came to payments.again over 1,000 times"],
        ),
        (
            {"handler": bare, "faults": [Faults(drop=1)]},
            ["OrderPlaced to payments is dropped again and again"],
        ),
        (
            {"handler": bare, "faults": [Faults(crash=1)]},
            ["OrderPlaced client-1 came to payments.bare over 1,000 times"],
        ),
        (
            {"handler": bare, "faults": [Faults(duplicate=1)]},
            ["OrderPlaced client-1 came to payments.bare over 1,000 times"],
        ),
        (
            {"handler": pong},
            ["OrderPlaced causes OrderPlaced (in payments.pong)", "over 1,000 messages"],
        ),
        (
            {"handler": ping, "pong": pong},
            ["causes", "OrderPlaced", "Charged", "over 1,000 messages"],
        ),
        (
            {"handler": pings_twice, "pong": pong},
            ["client-1 set off over 50,000 messages", "OrderPlaced, Charged"],
        ),
        (
            {"handler": publishes_forever},
            [
                "client-1 set off over 50,000 messages and notes (OrderPlaced, Charged)",
                "now payments.publishes_forever waits",
            ],
        ),
        (
            {"handler": publishes_forever, "pong": bare},
            ["client-1 set off over 50,000 messages and notes", "payments.publishes_forever"],
        ),
        (
            {"handler": publishes_forever_in_a_transaction},
            ["now payments.publishes_forever_in_a_transaction waits"],
        ),
        (
            {"handler": waits_for_no_time},
            ["payments.waits_for_no_time waits for no time", "at 0.02 s"],
        ),
        (
            {"handler": waits_forever},
            ["payments.waits_forever waits again and again", "nothing happens"],
        ),
        ({"handler": asks_forever}, ["now payments.asks_forever", "Stock"]),
        ({"handler": notes_forever}, ["now payments.notes_forever waits", "notes"]),
        (
            {"handler": bare, "workload": never_ends, "max_steps": 1_000_000},
            ["the workload goes on and on", "until=", "max_steps="],
        ),
        (
            {"tick": lambda ctx: ctx.note("x")},
            ["the tick stock.look always has something to do", "until="],
        ),
        ({"tick": publishes_forever}, ["stock.look"]),
        ({"tick": waits_forever}, ["stock.look waits again and again"]),
        (
            {"workload": two_orders, "handler": bare, "max_steps": 3},
            ["over max_steps=3 steps", "larger max_steps="],
        ),
    ],
)
def test_a_run_that_would_not_end_is_stopped_and_says_what_kept_going(what, words):
    shop = make_shop()
    if "handler" in what:
        shop.services["payments"].on(OrderPlaced, max_attempts=what.get("max_attempts", 3))(
            what["handler"]
        )
    if "pong" in what:
        shop.services["stock"].on(Charged)(what["pong"])
    if "tick" in what:

        @shop.services["stock"].every(1)
        async def look(ctx):
            done = (
                what["tick"](ctx)
                if what["tick"].__code__.co_argcount == 1
                else what["tick"](None, ctx)
            )
            await done if done is not None else None

    @shop.services["stock"].answers(Stock)
    async def level(query, ctx):
        await ctx.sleep(60)

    began = time.process_time()
    keywords = {name: what[name] for name in ("faults", "max_steps") if name in what}
    mistake = refused(
        lambda: simulate(shop, what.get("workload", orders), **keywords),
        "this run does not end",
        *words,
        error=Endless,
    )
    assert time.process_time() - began < 3
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
        "the workload goes on and on",
        error=Endless,
    )
    assert len(play(workload=work).journal) == 101_000


# -- code that goes on and on without an await


@pytest.fixture
def impatient(monkeypatch):
    """The limit is short, for a test."""
    monkeypatch.setattr(stuck, "SECONDS", 0.2)
    monkeypatch.setattr(stuck, "LOOK", 0.1)


def _impatient():
    stuck.SECONDS, stuck.LOOK = 0.2, 0.1


def spins(event):
    while True:
        pass


async def spins_at_last(event, ctx):
    await ctx.sleep(1)
    for _ in "once":
        while ctx.now:
            bare(event)
            bare(event)


def spins_and_swallows(event):
    while True:
        try:
            bare(event)
        except:  # noqa: E722
            pass


def spins_and_raises_another(event):
    try:
        spins(event)
    except BaseException:
        raise ValueError("another") from None


def spins_at_its_end(event):
    try:
        raise ValueError
    finally:
        for _ in itertools.count():
            bare(event)


def spins_in_an_expression(event):
    return any(n < 0 for n in itertools.count())


def spins_in_one_line(event):
    assert event
    re.match("(a+)+$", "a" * 60 + "b")


async def a_workload_that_spins(ctx):
    while True:
        bare(ctx)


def in_the_main_thread(function):
    return function()


def in_another_thread(function):
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(function).result()


ENDLESS = [
    (spins, "payments.spins goes on and on without an await: line 2 of spins, for over 0.2 s"),
    (spins_at_last, "line 4 of spins_at_last,"),
    (spins_and_swallows, "line 2 of spins_and_swallows,"),
    (spins_and_raises_another, "line 2 of spins,"),
    (spins_at_its_end, "line 5 of spins_at_its_end,"),
    (spins_in_an_expression, "line 2 of spins_in_an_expression,"),
    (spins_in_one_line, "line 3 of spins_in_one_line,"),
    (None, "the workload goes on and on without an await: line 2 of a_workload_that_spins,"),
]


@pytest.mark.skipif(sys.platform == "emscripten", reason="neither signals nor threads")
@pytest.mark.parametrize(
    ("where", "handler", "line"),
    [
        (where, handler, line)
        for where in (in_the_main_thread, in_another_thread)
        for handler, line in ENDLESS
        # One line in C is stopped by a signal only, and those go to the main thread.
        if not (handler is spins_in_one_line and where is in_another_thread)
    ],
)
def test_code_that_goes_on_and_on_is_stopped_with_its_line(impatient, where, handler, line):
    workload = orders if handler else a_workload_that_spins
    steps = ["publish", "deliver", "handle"] if handler else []
    where(
        lambda: refused_in_a_run(
            handler,
            "this run does not end",
            line,
            "let its loop end",
            error=Hung,
            workload=workload,
            steps=steps,
        )
    )


def test_a_tick_that_goes_on_and_on_is_stopped(impatient):
    shop = make_shop()

    @shop.services["stock"].every(1)
    def look():
        while True:
            pass

    refused(lambda: simulate(shop, orders), "stock.look goes on and on", "of look", error=Hung)


def test_a_claim_that_goes_on_and_on_is_stopped(impatient):
    @Claim("each order is charged once")
    def charged_once(run):
        while True:
            if run.rows("stock", "select 1 where false"):
                yield "stock"

    run = play(bare)
    words = "'each order is charged once' cannot be checked: charged_once goes on and on: line 3 of"
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
    assert lab.error.startswith("made goes on and on: line 2 of made, for over 0.2 s")

    def fold(state, fact):
        while True:
            pass

    store = EventStore(":memory:")
    store.append("o1", [PLACED], recorded="2026-01-02")
    error = TimeTravel(store, "o1", fold, 0).error
    assert error.startswith("fold goes on and on: line 2 of fold, for over 1.2 s")

    def ledger(run):
        while True:
            pass

    run = simulate(choreographed(2), one_announced)
    refused(lambda: saga_map(run, ledger=ledger), "ledger goes on and on: line 2", error=Hung)


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
            "payments.spins_the_second_time goes on and on",
            "line 2 of spins_the_second_time",
            "(under faults=['duplicate payments.deliver.OrderPlaced #1'])",
            error=Hung,
        )
    assert len(mistake.result.schedules) >= 1


def test_a_long_run_of_short_calls_is_not_stopped(impatient):
    def works(event):
        assert sum(n for n in range(100_000))

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


def test_notes_without_end_and_without_an_await_do_not_fill_the_memory():
    def charge(event, ctx):
        while True:
            ctx.note("still here")

    mistake = refused(
        lambda: play(charge), "find the loop that does not end; now payments.charge", error=Endless
    )
    assert len(mistake.run.journal) < 70_000


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


def declared_again(cls, **fields):
    """A class of this name, as a cell that is run again declares it."""
    body = {"__annotations__": fields, "__module__": __name__}
    return type(Event)(cls.__name__, cls.__bases__, body, topic=cls.__declared__.topic)


@pytest.mark.parametrize("same", [True, False])
def test_a_message_class_declared_again_reaches_its_handlers_and_other_fields_are_told(same):
    shop = make_shop()
    shop.services["payments"].on(OrderPlaced)(bare)
    anew = declared_again(
        OrderPlaced, order_id=str, **({"total": float} if same else {"pay": int | None})
    )

    async def work(ctx):
        for _ in range(2):
            await ctx.publish(anew(order_id="o1", **({"total": 1} if same else {"pay": 1})))

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run = simulate(shop, work)
    assert [s.step for s in run.journal].count("commit") == 2
    said = [str(warning.message) for warning in caught]
    assert (
        said == []
        if same
        else said
        == [
            "the class OrderPlaced was declared again: payments.bare was declared for one with the fields "
            "order_id: str, total: float, and gets one with order_id: str, pay: int | None; "
            "run the cell of payments.bare again, and those that make one"
        ]
    )
    assert same or caught[0].filename == __file__

    shop.services["payments"].on(anew)(bare)  # what the warning says to do
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        simulate(shop, work)


def test_a_field_more_that_has_a_default_changes_nothing_for_who_does_not_know_it():
    shop = make_shop()
    shop.services["stock"].on(Charged)(bare)
    anew = type(Event)(
        "Charged",
        (Event,),
        {
            "__annotations__": {"order_id": str, "items": list[str], "fee": int},
            "__module__": __name__,
            "items": [],
            "fee": 0,
        },
    )

    async def work(ctx):
        await ctx.publish(anew(order_id="o1"))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        simulate(shop, work)


def test_a_query_class_declared_again_with_other_fields_is_told():
    shop = make_shop()
    shop.services["stock"].answers(Stock)(bare)
    anew = declared_again(Stock, article=str)

    async def work(ctx):
        await ctx.ask(anew(article="a"))

    with pytest.warns(UserWarning, match="Stock was declared again: stock.bare"):
        simulate(shop, work)


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
    assert (
        len(changed.at(1).services["payments"].replicas) == 2
        and len(kept.at(1).services["payments"].replicas) == 1
    )
    assert (
        changed.system.topics["orders"].partitions == 7
        and kept.system.topics["orders"].partitions == 2
    )


def test_simulating_twice_gives_the_same_run():
    shop = make_shop()
    shop.services["payments"].on(OrderPlaced)(
        in_a_transaction("insert into charges values ('o1', 1)")
    )
    first, second = simulate(shop, orders), simulate(shop, orders)
    assert first.digest == second.digest and second.rows(
        "payments", "select count(*) from charges"
    ) == [(1,)]


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

    async def wrong(ctx):
        await ctx.publish(PLACED)
        await ctx.publish(NASTY)

    refused_in_a_run(None, "the workload publishes", "...", workload=wrong, steps=["publish"])


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


def test_what_a_handler_may_catch_is_no_mistake():
    async def work(ctx):
        try:
            await ctx.publish(PLACED)
        except PublishFailed as error:
            tell(error, "did not confirm OrderPlaced to orders")
            ctx.note("told")

    run = play(bare, work, faults=["fail client.publish.OrderPlaced"])
    assert [s.detail for s in run.journal if s.step == "note"] == ["told"] and not run.failures

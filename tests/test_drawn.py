"""What a timeline draws of each fault: every action, at every step that has it, is seen."""

import pytest

from edalab import Command, Event, Query, System, Unanswered, simulate
from edalab.sim import ACTIONS
from edalab.view.drawn import Drawn
from edalab.view.excerpt import choose

DRAWN = {  # the words in the timeline; "attempt 2" and "late" stand at the bar of the handling
    "publish": {
        "crash": "crash before publish", "fail": "not confirmed", "unconfirmed": "stored, not confirmed",
        "lose": "lost silently", "duplicate": "published twice", "delay": "late",
    },
    "deliver": {"drop": "dropped", "duplicate": "attempt 2", "delay": "late"},
    "handle": {"crash": "crash before handling", "fail": "fail before handling"},
    "save": {"crash": "crash before save", "fail": "fail at save"},
    "commit": {"crash": "crash before commit", "lose": "commit lost"},
    "ack": {"crash": "crash before ack", "lose": "ack lost"},
    "ask": {"crash": "crash before ask", "drop": "question dropped", "delay": "late"},
    "reply": {"crash": "crash before reply", "drop": "answer lost", "delay": "answer too late"},
}  # fmt: skip
AT = {"publish": "orders.publish.Paid", "ask": "orders.ask.Price", "reply": "prices.reply.Price"}
AT["ack"] = "cards.ack.Pay"  # the other steps are those of orders and Placed


class Placed(Event, topic="placed"): ...


class Paid(Event, topic="paid"): ...


class Pay(Command): ...


class Price(Query): ...


def shop(confirms):
    system = System("shop")
    system.topic("paid", confirms=confirms)

    @system.service("orders", schema="create table orders (n int)").on(Placed)
    async def place(event, ctx):
        try:
            await ctx.ask(Price(), timeout=1)
        except Unanswered:
            ctx.note("goes on")
        with ctx.database as db:
            db.execute("insert into orders values (1)")
        await ctx.publish(Paid())

    @system.service("prices").answers(Price)
    def price(query):
        return 5

    @system.service("cards").handles(Pay)
    def pay(command): ...

    @system.service("mail").on(Paid)
    def thank(event): ...

    return system


async def one_order(ctx):
    await ctx.publish(Placed())
    await ctx.send(Pay())


def words(faults, confirms):
    drawn = Drawn(choose(simulate(shop(confirms), one_order, faults=faults)))
    return {thing.words for thing in [*drawn.all_events(), *drawn.hops, *drawn.bars]}


def test_the_table_above_has_every_action_of_every_step():
    assert {step: {*drawn} for step, drawn in DRAWN.items()} == {
        step: {*actions} for step, actions in ACTIONS.items()
    }, "say in edalab/view/drawn.py how the fault looks, and here which words show it"


@pytest.mark.parametrize(
    ("step", "action"), [(step, action) for step in ACTIONS for action in ACTIONS[step]]
)
def test_the_timeline_shows_it(step, action):
    confirms = (step, action) != ("publish", "lose")
    fault = f"{action} {AT.get(step, f'orders.{step}.Placed')}"
    assert DRAWN[step][action] in words([fault], confirms) - words([], confirms)

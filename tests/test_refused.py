"""A command is refused by an answer that says why."""

import pytest

from edalab import Command, Event, Misuse, Query, Refused, System, Unanswered, simulate


class ChargePayment(Command, key="order_id"):
    order_id: str
    total: float = 5.0


class GetPrice(Query):
    item: str


class OrderPlaced(Event, topic="orders"):
    order_id: str


def shop(handler, kind="handles", message=ChargePayment):
    system = System("shop")
    payments = system.service("payments", schema="create table notes (what text)")
    getattr(payments, kind)(message)(handler)
    return system


def asked(handler, kind="handles", message=None, **options):
    """What a client gets that asks for a payment, and the run."""
    answers = []

    async def client(ctx):
        try:
            answers.append(await ctx.ask(message or ChargePayment(order_id="o1")))
        except Unanswered as error:
            answers.append(error)

    system = shop(handler, kind, type(message) if message else ChargePayment)
    run = simulate(system, client, **options)
    return answers[0], run


def returns(command, ctx):
    with ctx.database as db:
        db.execute("insert into notes values ('refused')")
    return Refused("not enough money")


def raises(command, ctx):
    with ctx.database as db:
        db.execute("insert into notes values ('refused')")
        raise Refused("not enough money")


def test_the_asker_gets_a_refusal_with_its_reason_and_it_is_false():
    answer, run = asked(returns)
    assert isinstance(answer, Refused) and answer.reason == "not enough money" and not answer
    assert [s.detail for s in run.journal if s.step == "reply"] == ["refused: not enough money"]
    assert not run.failures


def test_returned_it_keeps_what_was_saved_and_raised_in_a_transaction_it_rolls_back():
    assert asked(returns)[1].rows("payments", "select * from notes") == [("refused",)]
    answer, run = asked(raises)
    assert answer.reason == "not enough money"
    assert run.rows("payments", "select * from notes") == []


@pytest.mark.parametrize("handler", [returns, raises])
def test_a_command_that_was_sent_is_acknowledged_and_not_tried_again(handler):
    async def client(ctx):
        await ctx.send(ChargePayment(order_id="o1"))

    run = simulate(shop(handler), client)
    steps = [(s.step, s.detail) for s in run.journal if s.service == "payments"]
    assert [step for step, _ in steps].count("handle") == 1
    assert steps[-1] == ("ack", "refused: not enough money")
    assert not run.failures


def test_a_refusal_that_is_lost_on_its_way_leaves_the_asker_in_doubt():
    answer, _ = asked(returns, faults=["drop payments.reply.ChargePayment #1"])
    assert isinstance(answer, Unanswered)


def test_a_query_may_be_answered_by_a_refusal():
    def price(query, ctx):
        return Refused("not for sale")

    answer, _ = asked(price, "answers", GetPrice(item="tea"))
    assert answer.reason == "not for sale"


def test_an_event_cannot_be_refused():
    def on_order(event):
        return Refused("no")

    async def client(ctx):
        await ctx.publish(OrderPlaced(order_id="o1"))

    with pytest.raises(Misuse, match=r"on_order refuses \(no\), and only a command or a query can"):
        simulate(shop(on_order, "on", OrderPlaced), client)


def test_a_tick_cannot_refuse():
    system = System("shop")

    @system.service("payments").every(1)
    def remind(ctx):
        raise Refused("tired")

    async def client(ctx):
        await ctx.sleep(2)

    with pytest.raises(Misuse, match="only a command or a query"):
        simulate(system, client)


def test_the_workload_cannot_refuse():
    async def client(ctx):
        raise Refused("closed")

    with pytest.raises(Misuse, match="only a command or a query"):
        simulate(shop(returns), client)


def test_the_class_itself_is_no_refusal():
    def returned(command, ctx):
        return Refused

    def raised(command, ctx):
        raise Refused

    with pytest.raises(Misuse, match="returned the class Refused; give the reason"):
        asked(returned)
    with pytest.raises(Misuse, match="takes the reason in words"):
        asked(raised)


@pytest.mark.parametrize("reason", [None, "", 3, ["no"]])
def test_a_refusal_has_a_reason_in_words(reason):
    with pytest.raises(Misuse, match="takes the reason in words"):
        Refused(reason)

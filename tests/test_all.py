"""Several calls at once: answers in the order of the calls, and nothing is cancelled."""

import pytest

from edalab import Event, Misuse, PublishFailed, Query, System, Unanswered, simulate


class GetPrice(Query, key="item"):
    item: str


class PriceAsked(Event, topic="prices", key="item"):
    item: str


def market():
    system = System("market")

    @system.service("prices").answers(GetPrice)
    async def price(query, ctx):
        await ctx.sleep({"tea": 0.5, "cake": 0.1}.get(query.item, 5))
        return query.item.upper()

    return system


def client_of(workload, **options):
    """What a workload returns, and the run."""
    found = []

    async def client(ctx):
        found.append(await workload(ctx))

    run = simulate(market(), client, **options)
    return (found[0] if found else None), run


def ask(ctx, item):
    return ctx.ask(GetPrice(item=item))


def test_the_answers_come_in_the_order_of_the_calls_after_the_slowest():
    async def both(ctx):
        answers = await ctx.all(ask(ctx, "tea"), ask(ctx, "cake"))
        return answers, ctx.now

    (answers, now), _ = client_of(both)
    assert answers == ["TEA", "CAKE"] and 0.5 < now < 0.6


def test_one_that_fails_is_an_exception_among_the_answers_and_cancels_nothing():
    async def three(ctx):
        return await ctx.all(
            ask(ctx, "nothing"), ctx.publish(PriceAsked(item="tea")), ctx.sleep(2), ask(ctx, "cake")
        )

    answers, run = client_of(three, faults=["fail client.publish.PriceAsked #1"])
    assert isinstance(answers[0], Unanswered) and isinstance(answers[1], PublishFailed)
    assert answers[2:] == [None, "CAKE"]
    assert not run.failures


def test_none_at_all_gives_an_empty_list():
    async def none(ctx):
        return await ctx.all()

    assert client_of(none)[0] == []


def test_calls_may_be_nested():
    async def nested(ctx):
        return await ctx.all(ctx.all(ask(ctx, "tea"), ask(ctx, "cake")), ask(ctx, "cake"))

    assert client_of(nested)[0] == [["TEA", "CAKE"], "CAKE"]


def test_the_run_can_be_played_again():
    async def both(ctx):
        return await ctx.all(ask(ctx, "tea"), ask(ctx, "cake"))

    _, run = client_of(both, seed=3)
    assert run.at(0.2).services["prices"].up


def in_a_service(faults=()):
    system = market()
    shop = system.service("shop", schema="create table answers (text text)")

    @shop.on(PriceAsked)
    async def ask_both(event, ctx):
        answers = await ctx.all(ask(ctx, "tea"), ask(ctx, "cake"))
        with ctx.database as db:
            db.execute("insert into answers values (?)", (repr(answers),))

    async def client(ctx):
        await ctx.publish(PriceAsked(item="tea"))

    return simulate(system, client, faults=faults)


@pytest.mark.parametrize("number", [1, 2])
def test_a_crash_at_one_of_the_calls_ends_the_handling_and_it_is_handled_again(number):
    run = in_a_service([f"crash shop.ask.GetPrice #{number}"])
    assert run.rows("shop", "select * from answers") == [("['TEA', 'CAKE']",)]
    handled = [s.attempt for s in run.journal if (s.service, s.step) == ("shop", "handle")]
    assert handled == [1, 2] and not run.failures


def test_a_dropped_question_is_one_unanswered_among_the_answers():
    run = in_a_service(["drop shop.ask.GetPrice #1"])
    ((text,),) = run.rows("shop", "select * from answers")
    assert text.startswith("[Unanswered(") and text.endswith("'CAKE']")


@pytest.mark.parametrize(
    ("calls", "says"),
    [
        (lambda ctx: [[ask(ctx, "tea")]], r"ctx\.all\(\*calls\)"),
        (lambda ctx: [5], "takes calls that are not awaited yet"),
        (lambda ctx: [call := ask(ctx, "tea"), call], "is awaited already"),
    ],
)
def test_what_is_no_call_is_refused(calls, says):
    async def wrong(ctx):
        await ctx.all(*calls(ctx))

    with pytest.raises(Misuse, match=says):
        client_of(wrong)


def test_forgetting_to_await_it_is_named():
    async def forgets(ctx):
        ctx.all(ask(ctx, "tea"))

    with pytest.raises(Misuse, match="forgot to await"):
        client_of(forgets)

"""Every order in which services can be deployed, tried at moments at which they do something."""

from concurrent.futures import ThreadPoolExecutor
from itertools import combinations_with_replacement, permutations

import pytest

from edalab import Claim, Command, Event, Misuse, System, claims, deploy, explore, simulate
from edalab.view import matrix


class PaidV1(Event, name="Paid", version=1, topic="paid", key="number"):
    number: int
    euros: int


class PaidV2(Event, name="Paid", version=2, topic="paid", key="number"):
    number: int
    cents: int


class Pay(Command):
    number: int


def shop(version: int) -> System:
    """A till that says what was paid, and two who read it: in version 2 in cents, and only those."""
    system = System("shop")

    @system.service("till").handles(Pay)
    async def pay(command, ctx):
        event = PaidV1(number=command.number, euros=3)
        if version == 2:
            event = PaidV2(number=command.number, cents=300)
        await ctx.publish(event)

    paid = PaidV1 if version == 1 else PaidV2
    for name in ("books", "mail"):
        service = system.service(name, schema="create table seen (number integer primary key)")

        @service.on(paid, delivery="at-most-once")
        def see(event, ctx):
            with ctx.database as db:
                db.execute("insert into seen values (?)", (event.number,))

    return system


async def three_payments(ctx):
    for number in range(3):
        await ctx.send(Pay(number=number))
        await ctx.sleep(0.1)


@Claim("the books have every payment")
def booked(run):
    return [] if len(run.rows("books", "select * from seen")) == 3 else ["a payment is missing"]


@Claim("mail knows every payment")
def mailed(run):
    return [] if len(run.rows("mail", "select * from seen")) == 3 else ["a payment is missing"]


NEW = shop(2)
ALL = [deploy(NEW.services[name]) for name in ("till", "books", "mail")]


def explored(names=("till", "books"), **options):
    deploys = [one for one in ALL if one.service in names]
    return explore(shop(1), three_payments, [booked, mailed], deploys=deploys, **options)


def test_each_order_is_tried_at_every_choice_of_moments_and_nothing_else():
    result, system = explored(budget=100_000), shop(1)
    plain = simulate(system, three_payments)
    took_part = {s.time for s in plain.journal if s.service in ("till", "books")}
    moments = sorted(took_part | {max(took_part) + 1})
    expected = {}
    for one, other in permutations(ALL[:2]):
        for first, second in combinations_with_replacement(moments, 2):
            plan = [one.at(first / 1000), other.at(second / 1000)]
            run = simulate(system, three_payments, faults=plan)
            expected[tuple(map(str, plan))] = tuple(
                run.check(claim).outcome for claim in (booked, mailed)
            )
    tried = {tuple(map(str, one.deploys)): one.outcomes for one in result.schedules[1:]}
    assert tried == expected and len(result.schedules) == len(expected) + 1
    assert not result.schedules[0].deploys and result.schedules[0].outcomes == ("holds", "holds")
    assert result.coverage == (
        "every order of 2 deploys, at every choice of moments; timing of seed 0 only; no faults, pauses or cuts"
    )


def test_the_orders_are_counted_from_the_schedules():
    result = explored(("till", "books", "mail"), budget=600)
    assert len(result.orders) == 6 * 2
    for row in result.orders:
        number = [booked.sentence, mailed.sentence].index(row.claim)
        of_order = [
            one for one in result.schedules if tuple(d.service for d in one.deploys) == row.order
        ]
        broken = [one for one in of_order if one.outcomes[number] == "broken"]
        assert (row.tried, row.broken) == (len(of_order), len(broken)) and row.tried == 100
        assert row.smallest == (broken[0] if broken else None)
        assert row.outcome == ("broken" if broken else "holds")
    breaks = [row.broken for row in result.orders if row.claim == booked.sentence]
    assert breaks == sorted(breaks)


def test_who_reads_both_is_safe_in_one_order_and_the_repr_says_so():
    tolerant = shop(2)

    class PaidBoth(Event, name="Paid", version=2, topic="paid", upcasts={1: to_cents}):
        number: int
        cents: int

    tolerant.services["books"].handlers.clear()

    @tolerant.service("books").on(PaidBoth, delivery="at-most-once")
    def see(event, ctx):
        with ctx.database as db:
            db.execute("insert into seen values (?)", (event.number,))

    deploys = [deploy(NEW.services["till"]), deploy(tolerant.services["books"])]
    result = explore(shop(1), three_payments, [booked], deploys=deploys)
    text = repr(result)
    assert "schedules of deploys in shop (every order of 2 deploys, at every choice" in text
    safe, unsafe = result.orders
    assert (safe.order, safe.outcome) == (("books", "till"), "holds")
    assert (unsafe.order, unsafe.outcome) == (("till", "books"), "broken")
    assert f"    ✓ books, till: holds in {safe.tried}\n" in text
    assert f"    ✗ till, books: broken in {unsafe.broken} of {unsafe.tried}" in text
    run = result.smallest(booked)
    assert [fault.service for fault in run.faults] == ["till", "books"]
    assert not simulate(shop(1), three_payments, faults=run.faults).check(booked)


def to_cents(old):
    return {"number": old["number"], "cents": old["euros"] * 100}


def test_choices_far_apart_come_first_and_a_budget_is_said():
    result = explored(budget=9)
    times = [tuple(one.start for one in each.deploys) for each in result.schedules[1:]]
    moments = sorted({time for both in times for time in both})
    every = sorted({t for each in explored().schedules for d in each.deploys for t in [d.start]})
    assert len(times) == 8 and times[::2] == times[1::2]  # each choice in both orders
    assert {every[0], every[-1]} <= set(moments)
    many = len(every) * (len(every) + 1) // 2
    assert f"every order of 2 deploys, at 4 of {many:,} choices of moments" in result.coverage
    few = explored(("till", "books", "mail"), budget=4)
    assert "4 of 6 orders of 3 deploys, at 1 of" in few.coverage


def test_two_deploys_of_one_service_keep_their_order():
    third = System("third")
    third.service("till").handles(Pay)(lambda_free)
    deploys = [*ALL[:2], deploy(third.services["till"])]
    result = explore(shop(1), three_payments, [booked], deploys=deploys, budget=30)
    assert {row.order for row in result.orders} == {
        ("till", "books", "till 2"),
        ("till", "till 2", "books"),
        ("books", "till", "till 2"),
    }


def lambda_free(command): ...


def test_faults_come_after_the_deploys_if_they_are_asked_for():
    alone = explored(budget=100_000)
    result = explored(budget=len(alone.schedules) + 199, faults=1)
    assert result.schedules[: len(alone.schedules)] == alone.schedules
    faulty = result.schedules[len(alone.schedules) :]
    assert len(faulty) == 200 and all(len(one.faults) == 1 for one in faulty)
    assert "of deploys and faults in shop" in repr(result) and "single faults" in result.coverage
    run = result.run(next(one for one in faulty if one.deploys))
    assert {type(one).__name__ for one in run.faults} == {"Deploy", "Fault"}
    singles = explore(shop(1), three_payments, [booked, mailed])
    assert len(matrix(result).cells) == len(matrix(singles).cells)  # without deploys


def test_an_executor_finds_the_same_and_seeds_are_tried_in_turn():
    one = explored(seeds=[0, 3], budget=40)
    with ThreadPoolExecutor(2) as executor:
        other = explored(seeds=[0, 3], budget=40, executor=executor)
    assert repr(one) == repr(other) and list(map(str, one.schedules)) == list(
        map(str, other.schedules)
    )
    assert [each.seed for each in one.schedules[:6]] == [0, 3, 0, 3, 0, 3]


def test_without_deploys_nothing_changes():
    result = explore(shop(1), three_payments, [booked, claims.no_event_lost(PaidV1)])
    assert result.orders == [] and result.coverage.startswith("every single fault; timing")


@pytest.mark.parametrize(
    ("deploys", "says"),
    [
        (NEW.services["till"], "deploys= takes a list such as"),
        ([NEW.services["till"]], "is not a deploy"),
        ("deploy till", "deploys= takes a list such as"),
        ([deploy(System("s").service("tilt"))], "Did you mean 'till'"),
        (ALL * 3, "at most 6 deploys, not 9"),
    ],
)
def test_wrong_deploys_are_refused(deploys, says):
    with pytest.raises(Misuse) as error:
        explore(shop(1), three_payments, [booked], deploys=deploys)
    assert says in str(error.value)


def test_a_migration_that_fails_names_the_deploys():
    bad = [deploy(NEW.services["books"], migration="alter table nope add column x")]
    with pytest.raises(Misuse, match=r"migration of books .*under faults=\[<deploy"):
        explore(shop(1), three_payments, [booked], deploys=bad)

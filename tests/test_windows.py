"""What happens to a run at a time: a topic that gets more partitions. (`pause` and `cut`: test_faults.py.)"""

from zlib import crc32

import pytest

from edalab import Event, Misuse, System, claims, repartition, simulate
from edalab.sim import parse_plan


class PriceChanged(Event, topic="prices", key="product"):
    product: str
    price: int


def shop(replicas=1, seconds=0.0, partitions=2):
    system = System("shop")
    system.topic("prices", partitions=partitions)
    schema = "create table prices (product text primary key, price integer)"
    web = system.service("web", replicas=replicas, schema=schema)

    @web.on(PriceChanged)
    async def show(event, ctx):
        await ctx.sleep(seconds)
        with ctx.database as db:
            row = event.product, event.price
            db.execute("insert or replace into prices values (?, ?)", row)

    return system


def changes(count, apart, products=("tea",)):
    async def workload(ctx):
        for number in range(count):
            for product in products:
                await ctx.publish(PriceChanged(product=product, price=10 * (number + 1)))
            await ctx.sleep(apart)

    return workload


def handled(run):
    return [(s.partition, s.envelope.data.price) for s in run.journal if s.step == "handle"]


def partition_of(product, many):
    return crc32(product.encode()) % many


MOVED = next(name for name in "abcdefgh" if partition_of(name, 2) != partition_of(name, 3))


def test_from_its_time_on_a_key_goes_to_the_partition_that_the_new_number_gives():
    run = simulate(shop(), changes(4, 1, [MOVED]), faults=[repartition("prices", 3, at=1.5)])
    old, new = partition_of(MOVED, 2), partition_of(MOVED, 3)
    assert handled(run) == [(old, 10), (old, 20), (new, 30), (new, 40)]
    assert run.faults == [repartition("prices", 3, at=1.5)] and not run.unfired
    takes = [s for s in run.journal if s.step == "takeover"]
    assert [(s.time, s.service, s.detail) for s in takes] == [(1500, "web", "prices partition 2")]


def test_a_key_that_moved_while_older_events_waited_is_handled_out_of_order():
    system = shop(replicas=3, seconds=1)
    fault = repartition("prices", 3, at=0.25)
    in_order = claims.in_order_per_key(PriceChanged)
    calm = simulate(system, changes(4, 0.1, [MOVED]))
    moved = simulate(system, changes(4, 0.1, [MOVED]), faults=[fault])
    assert calm.check(in_order).outcome == "holds"
    assert moved.check(in_order).outcome == "broken"
    assert calm.rows("web", "select price from prices") == [(40,)]
    assert moved.rows("web", "select price from prices") == [(30,)]
    assert claims.no_event_lost(PriceChanged).check(moved).outcome == "holds"


def test_a_topic_that_nobody_has_used_yet_has_the_new_number_when_it_is():
    async def late(ctx):
        await ctx.sleep(2)
        await changes(1, 0, [MOVED])(ctx)

    run = simulate(shop(), late, faults=[repartition("prices", 3, at=1)])
    assert handled(run) == [(partition_of(MOVED, 3), 10)] and len(run.faults) == 1


def test_one_after_the_end_of_the_run_never_happens_and_one_that_adds_nothing_does_not_strike():
    later, more = repartition("prices", 4, at=9), repartition("prices", 5, at=0.5)
    run = simulate(shop(), changes(3, 0.4), faults=[later, more, repartition("prices", 4, at=0.6)])
    assert run.faults == [more] and run.unfired == [later, repartition("prices", 4, at=0.6)]


def test_the_world_at_a_moment_and_the_same_run_again_have_it_too():
    faults = [repartition("prices", 3, at=1.5)]
    run = simulate(shop(), changes(4, 1, [MOVED]), faults=faults)
    assert run.at(3.5).rows("web", "select price from prices") == [(40,)]
    assert len(run.at(3.5).channels["prices"].partitions) == 3
    assert len(run.at(1.4).channels["prices"].partitions) == 2
    again = simulate(shop(), changes(4, 1, [MOVED]), faults=list(map(str, run.faults)))
    assert again.digest == run.digest


def test_it_travels_as_text():
    fault = repartition("prices", 3, at=1.5)
    assert str(fault) == "repartition prices to 3 at 1.5 s"
    assert parse_plan(f"{fault}; crash web.handle.PriceChanged #1")[0] == fault


def test_without_faults_at_a_service_the_rest_of_a_run_is_as_it_was():
    calm = simulate(shop(), changes(3, 1))
    late = simulate(shop(), changes(3, 1), faults=[repartition("prices", 9, at=2.9)])
    lines = [line for line in late.lines() if "takeover" not in line]
    assert lines == calm.lines()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: repartition("prices", 2, at=1), "it has 2, and a topic can only get more"),
        (lambda: repartition("offers", 4, at=1), "no topic 'offers'"),
        (lambda: repartition(7, 4, at=1), "takes the name of a topic"),
        (lambda: repartition("prices", 2.5, at=1), "partitions="),
        (lambda: repartition("prices", 4, at=-1), "takes seconds"),
        (lambda: "repartition prices to 4", "is not a fault"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(make, says):
    with pytest.raises(Misuse) as error:
        simulate(shop(), changes(1, 1), faults=[make()])
    assert says in str(error.value)

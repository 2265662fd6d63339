"""Flow graphs: what they count, and how they stand on paper."""

import itertools
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import flaws
from systems import story
from test_saga_map import crosses
from test_timeline import customers, shop

from edalab import Event, Faults, Misuse, System, simulate
from edalab.view import flow
from edalab.view.flow import Links


def test_the_graph_counts_messages_by_type():
    graph = flow(simulate(shop(), customers(3))).graph
    assert set(graph.nodes) == {
        "client",
        "orders",
        "payments",
        "topic Placed",
        "queue payments.commands",
        "topic Paid",
    }
    assert graph.edges["client", "topic Placed"] == {
        "kind": "publish",
        "count": 3,
        "types": {"Placed": 3},
        "faults": {},
    }
    assert graph.edges["topic Placed", "orders"]["kind"] == "deliver"
    assert graph.edges["payments", "orders"] == {
        "kind": "ask",
        "count": 3,
        "types": {"Price": 3},
        "faults": {},
    }
    assert not list(graph.successors("topic Paid"))


def test_faults_are_counted_on_the_edge_where_they_struck():
    faults = ["crash orders.commit.Placed #3", "drop payments.ask.Price #2"]
    picture = flow(simulate(shop(broken="o2"), customers(3), faults=faults))
    graph = picture.graph
    assert graph.nodes["orders"]["crashes"] == 1
    assert graph.edges["topic Placed", "orders"]["faults"] == {"again": 1}
    assert graph.edges["payments", "orders"]["faults"] == {"unanswered": 1}
    assert (
        graph.edges["payments", "dead letters payments.commands.dlq"]["count"] == 2
    )  # o2 was taken twice
    assert {"stopped", "struck question"} <= {arrow.kind for arrow in picture.scene.arrows}
    assert any(box.kind == "struck service" for box in picture.scene.bars)
    assert (
        "1 unanswered" in repr(picture)
        and "1 crash" in repr(picture)
        and "2 dead letters" in repr(picture)
    )


def test_counts_stand_beside_their_arrows():
    texts = [label.text for label in flow(simulate(shop(), customers(3))).scene.labels]
    assert texts.count("×3") == 6


def chain(length: int) -> System:
    system = System("chain")
    stages = [
        type(f"Stage{n}Done", (Event,), {"__annotations__": {"n": int}, "__module__": __name__})
        for n in range(length + 1)
    ]
    for number in range(length):
        following = stages[number + 1]

        def hand_on(event, *, following=following):
            return following(n=event.n)

        system.service(f"stage{number}").on(stages[number])(hand_on)
    system.first = stages[0]
    return system


def star(subscribers: int) -> System:
    system = System("star")

    class Rang(Event):
        n: int

    for number in range(subscribers):

        @system.service(f"listener{number}").on(Rang)
        def listen(event):
            pass

    system.first = Rang
    return system


@pytest.mark.parametrize("make", [chain, star])
@pytest.mark.parametrize("services", range(1, 9))
def test_from_one_to_eight_services_nothing_overlaps_and_boxes_stand_apart(make, services):
    system = make(services)

    async def once(ctx):
        await ctx.publish(system.first(n=1))

    scene = flow(simulate(system, once)).scene
    assert not flaws(scene) and scene.width <= 840
    for number, one in enumerate(scene.bars):
        for other in scene.bars[:number]:
            a, b = one.extent(), other.extent()
            assert not (a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]), (one, other)


@pytest.mark.parametrize("subscribers", range(2, 9))
def test_at_each_of_many_subscribers_stand_its_count_and_its_faults_in_full(subscribers):
    system = star(subscribers)

    async def often(ctx):
        for number in range(300):
            await ctx.publish(system.first(n=number))

    faults = [Faults(drop=0.05, duplicate=0.05, delay=0.05)]
    links = [*Links(simulate(system, often, faults=faults))]
    picture = flow(simulate(system, often, faults=faults))
    texts = sorted(label.text for label in picture.scene.labels if label.kind == "struck count")
    assert texts == sorted(line for link in links for line in link.edge().lines)
    assert len(texts) > 3 * subscribers and not flaws(picture.scene)
    boxes = {box.tip: box for box in picture.scene.bars}
    counts = {label.tip: label for label in picture.scene.labels if label.text.startswith("×")}
    for link in links[1:]:
        box, count = boxes[link.target], counts[link.tip()]
        assert box.y < count.y < box.y + box.h and count.extent()[2] < box.x  # beside its own box


def test_the_two_ends_of_an_order_are_read_in_full_on_their_topic():
    class OrderCompleted(Event, topic="outcomes"):
        pass

    class OrderCancelled(Event, topic="outcomes"):
        pass

    async def end(ctx):
        await ctx.publish(OrderCompleted())
        await ctx.publish(OrderCancelled())

    texts = [label.text for label in flow(simulate(System("ends"), end)).scene.labels]
    assert "OrderCompleted, OrderCancelled" in texts


def test_counts_are_left_out_where_each_is_one():
    system = chain(2)

    async def once(ctx):
        await ctx.publish(system.first(n=1))

    texts = [label.text for label in flow(simulate(system, once)).scene.labels]
    assert not any("×" in text for text in texts)


@pytest.mark.parametrize(("services", "rows"), [(1, 1), (3, 2), (5, 3), (8, 4)])
def test_a_long_chain_is_folded_into_straight_rows_and_no_arrow_runs_through_a_box(services, rows):
    async def twice(ctx):
        for number in (1, 2):
            await ctx.publish(system.first(n=number))

    system = chain(services)
    scene = flow(simulate(system, twice)).scene
    heights = sorted({box.y * 2 + box.h for box in scene.bars})
    assert sum(b - a > 2 for a, b in itertools.pairwise(heights)) == rows - 1  # halves of odd ones
    assert scene.height <= 420 and scene.width <= 840
    assert not [arrow.tip for arrow in scene.arrows for box in scene.bars if crosses(arrow, box)]
    ends = [(arrow.points[-2] - arrow.points[-4], arrow.head) for arrow in scene.arrows]
    assert all(head in "lr" for _, head in ends) and len({head for _, head in ends}) == min(rows, 2)


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from([0, 1, 3, 10]))
def test_graphs_of_any_system_have_no_flaws(number, faults):
    system, workload, seed, plan = story(Random(number), faults)
    try:
        run = simulate(system, workload, seed=seed, faults=plan, max_steps=5_000)
    except Misuse as error:
        run = error.run
    picture = flow(run)
    assert not flaws(picture.scene)
    assert set(picture.graph.nodes) >= set(run.services)
    assert sum(count for *_, count in picture.graph.edges.data("count")) == sum(
        (row.step in ("publish", "ask") and row.fault != "crash")
        or row.step == "dead_letter"
        or (
            row.step == "handle"
            and row.envelope.data is not None
            and row.envelope.id not in asked(run)
        )
        for row in run.journal
    )


def asked(run) -> set[str]:
    return {row.envelope.id for row in run.journal if row.step == "ask"}


class Sold(Event, topic="sales"):
    n: int


class Booked(Event, topic="books"):
    n: int


class Told(Event, topic="talk"):
    n: int


def test_of_what_is_captured_too_no_arrow_runs_through_a_box():
    system = System("market")
    shop = system.service("shop", schema="create table outbox (id integer primary key, e text)")
    books = system.service("books")
    system.capture("shop.outbox")

    @shop.on(Sold)
    async def sell(event, ctx):
        with ctx.database as db:
            row = (ctx.envelope(Booked(n=event.n)),)
            db.execute("insert into outbox (e) values (?)", row)
        await ctx.publish(Told(n=event.n))

    @books.on(Booked)
    @books.on(Told)
    def book(event):
        pass

    async def one(ctx):
        await ctx.publish(Sold(n=1))

    scene = flow(simulate(system, one)).scene
    assert not [arrow.tip for arrow in scene.arrows for box in scene.bars if crosses(arrow, box)]

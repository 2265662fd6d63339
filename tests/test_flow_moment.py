"""The flow at a moment: what moves, what waits, who is at work or down, and what never changes its place."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from scenes import flaws
from systems import story
from test_timeline import Placed, customers, shop

from edalab import Command, Event, Misuse, System, cut, pause, simulate
from edalab.view import flow
from edalab.view.flow_moment import FlowMoments

MOVING = ("moving", "moving again", "moving answer", "lost")


def words(picture, kind):
    return [label.text for label in picture.scene.labels if label.kind == kind]


def tips(picture):
    return [mark.tip for mark in picture.scene.marks]


def kinds(picture):
    return {box.tip.split(":")[0]: box.kind for box in picture.scene.bars}


def test_a_message_moves_from_the_client_to_the_topic_and_on_to_the_service():
    run = simulate(shop(), customers(1))
    places = []
    for at, way in [
        (0.002, "from client to topic Placed"),
        (0.008, "from client to topic Placed"),
        (0.012, "from topic Placed to orders"),
    ]:
        picture = flow(run, at=at)
        (mark,) = picture.scene.marks
        assert mark.tip == f"Placed client-1 (o0) on its way {way}"
        places.append((mark.x, mark.y))
    assert len(set(places)) == 3
    assert repr(flow(run, at=0.002)).startswith("flow of shop at 0.002 s: 1 on the way; ")


def test_at_the_end_it_shows_all_that_happened():
    faults = ["crash orders.commit.Placed #3", "drop payments.ask.Price #2"]
    run = simulate(shop(broken="o2"), customers(3), faults=faults)
    whole, end = flow(run), flow(run, at=run.end / 1000)
    for kind in ("count", "struck count"):
        assert sorted(words(whole, kind)) == sorted(words(end, kind))
    assert not end.scene.marks and "at the end of the run: nothing under way" in repr(end)
    assert "struck service" in kinds(end).values() and "1 crash" in words(end, "detail")
    assert {arrow.kind for arrow in whole.scene.arrows} == {a.kind for a in end.scene.arrows}


def test_what_is_at_work_has_a_thick_frame_which_is_not_called_an_edge_as_arrows_are_thick_too():
    picture = flow(simulate(shop(), customers(3)), at=0.045)
    assert "busy" in kinds(picture).values()
    said = " ".join(words(picture, "caption"))
    assert "thick frame: at work" in said and "edge" not in said


class Opened(Event):
    n: int


class Closed(Event):
    n: int


def test_an_arrow_is_not_thicker_than_one_that_more_messages_have_passed_by_then():
    def note(event): ...

    async def days(ctx):
        for n, kind in enumerate([Opened] * 3 + [Closed] * 9):
            await ctx.publish(kind(n=n))
            await ctx.sleep(0.1)

    system = System("shop")
    for name, kind in (("doors", Opened), ("tills", Closed)):
        system.service(name).on(kind)(note)
    run = simulate(system, days)
    early, late = (FlowMoments(run).at(time).scene.arrows for time in (350, run.end))
    assert [arrow.tip[-8:] for arrow in early] == ["3 Opened"] * 2 + ["1 Closed"] * 2
    assert len({arrow.width for arrow in early}) == 1
    assert early[0].width == late[0].width < late[-1].width
    assert [arrow.width for arrow in late] == [arrow.width for arrow in flow(run).scene.arrows]


def test_at_the_beginning_nothing_has_passed():
    picture = flow(simulate(shop(), customers(3)), at=0)
    assert words(picture, "count") == ["×1"]
    assert [arrow.kind for arrow in picture.scene.arrows].count("not yet") > 3


def test_what_waits_is_counted_for_each_partition_and_each_group():
    system = System("post")
    system.topic("Placed", partitions=3)

    @system.service("slow").on(Placed)
    async def slowly(event, ctx):
        await ctx.sleep(1)

    @system.service("quick").on(Placed)
    def quickly(event):
        pass

    async def many(ctx):
        for _ in range(6):
            await ctx.publish(Placed(order="o1"))

    picture = flow(simulate(system, many), at=0.5)
    waiting = [box.tip for box in picture.scene.bars if "waiting" in box.tip]
    assert [tip.split(": ")[1] for tip in waiting[3:]] == ["0 waiting for quick"] * 3
    assert sorted(tip.split(": ")[1] for tip in waiting[:3]) == [
        "0 waiting for slow",
        "0 waiting for slow",
        "5 waiting for slow",
    ]
    assert kinds(picture)["slow"] == "busy" and words(picture, "in waiting") == ["5"]


@pytest.mark.parametrize(
    ("fault", "kind", "state"),
    [
        ("crash orders.handle.Placed #1", "down", "down"),
        (pause("orders", 0.015, 3), "pause", "still"),
        (cut("orders", 0.015, 3), "cut", "cut off"),
    ],
)
def test_a_service_that_is_out_of_reach_is_seen_to_be_and_comes_back(fault, kind, state):
    run = simulate(shop(), customers(2), faults=[fault])
    during = flow(run, at=0.5)
    assert kinds(during)["orders"] == kind and words(during, "on span") == [state]
    assert kinds(flow(run, at=3.5)).get("orders") in ("service", "busy", "struck service")


def test_a_replica_that_stands_still_is_not_at_work_and_the_other_one_may_be():
    system = System("post")
    system.topic("Placed", partitions=2)

    @system.service("slow", replicas=2).on(Placed)
    async def slowly(event, ctx):
        await ctx.sleep(1)

    async def two(ctx):
        for order in ("o1", "o2", "o3", "o4"):
            await ctx.publish(Placed(order=order))

    run = simulate(system, two, faults=[pause("slow", 0.2, 5)])
    both = "slow (replica 2) at work; slow (replica 1) standing still"
    assert both in repr(flow(run, at=0.5))
    assert "at work" not in repr(flow(run, at=4.5))


def test_a_message_that_is_lost_ends_in_a_struck_ring_half_way():
    run = simulate(shop(), customers(1), faults=["drop payments.ask.Price #1"])
    asked = next(step.time for step in run.journal if step.step == "ask")
    kinds_seen = [
        mark.kind
        for time in range(asked, asked + 10)
        for mark in flow(run, at=time / 1000).scene.marks
        if "Price" in mark.tip
    ]
    assert kinds_seen[:5] == ["moving"] * 5 and kinds_seen[5:] == ["lost"] * 5


@pytest.mark.parametrize("wrong", ["soon", -1, float("nan")])
def test_a_moment_is_given_in_seconds(wrong):
    with pytest.raises(Misuse, match="at="):
        flow(simulate(shop(), customers(1)), at=wrong)


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10**6), st.sampled_from([0, 1, 3, 10]), st.floats(0, 1))
def test_at_any_moment_of_any_system_nothing_overlaps_and_nothing_but_messages_moves(
    number, faults, share
):
    system, workload, seed, plan = story(Random(number), faults)
    try:
        run = simulate(system, workload, seed=seed, faults=plan, max_steps=5_000)
    except Misuse as error:
        run = error.run
    moments, places = FlowMoments(run), set()
    for time in (0, run.end * share, run.end):
        scene = moments.at(time).scene
        still = [mark for mark in scene.marks if mark.kind not in MOVING]
        assert not flaws(replace(scene, marks=still))
        assert not [flaw for flaw in flaws(replace(scene, labels=[])) if "not within" in flaw]
        boxes = [(box.x, box.y, box.w, box.h) for box in scene.bars]
        arrows = [arrow.points for arrow in scene.arrows]
        places.add((scene.width, scene.height, *boxes, *arrows))
    assert len(places) == 1


def failing(system, kind):
    """A service that fails at a message at first, on a topic or a queue."""
    service = system.service("orders")

    async def fail(message, ctx):
        if ctx.now < 0.2 and message.order == "o1":
            raise ValueError("not yet")

    (service.on if kind is Placed else service.handles)(kind)(fail)

    async def send(ctx):
        for order in ("o1", "o2"):
            await (ctx.publish if kind is Placed else ctx.send)(kind(order=order))

    return send


class Pack(Command):
    order: str


@pytest.mark.parametrize("kind", [Placed, Pack])
def test_a_service_that_waits_for_its_next_attempt_says_when_that_is(kind):
    system = System("post")
    run = simulate(system, failing(system, kind))
    assert words(flow(run, at=0.2), "channel")[-1] == "tries again at 0.32 s"
    assert "orders tries again at 0.32 s" in repr(flow(run, at=0.2))
    assert words(flow(run, at=1), "detail")[-1] == "idle"


def test_a_service_says_that_it_tries_again_where_the_run_ends_before():
    system = System("post")
    run = simulate(system, failing(system, Placed), until=0.2)
    assert "orders tries again later;" in repr(flow(run, at=0.2))


@pytest.mark.parametrize(
    ("kind", "fault", "at", "state"),
    [
        (Placed, "drop orders.deliver.Placed #2", 0.4, "again at 0.83 s"),
        (Pack, "drop orders.deliver.Pack #2", 2, "again at 5.04 s"),
        (Pack, "lose orders.ack.Pack #1", 2, "again at 5.04 s"),
        (Pack, "crash orders.handle.Pack #2", 2, "again at 5.04 s"),
    ],
)
def test_a_service_without_work_says_when_the_broker_hands_a_message_out_again(
    kind, fault, at, state
):
    system = System("post")
    send = failing(system, kind)
    run = simulate(system, send, faults=[fault])
    assert words(flow(run, at=at), "channel")[-1] == state


def test_a_service_without_work_says_when_a_command_is_due_and_when_its_group_joins():
    system = System("post")

    def take(message):
        pass

    system.service("packers").handles(Pack)(take)
    system.service("late", joins=1).on(Placed)(take)

    async def later(ctx):
        await ctx.send(Pack(order="o1"), after=2)
        await ctx.publish(Placed(order="o1"))

    run = simulate(system, later)
    states = words(flow(run, at=0.5), "channel")
    assert "next at 2.02 s" in states and "joins at 1 s" in states
    assert words(flow(run, at=1.5), "detail")[-1] == "idle"


def test_what_is_handled_and_not_yet_committed_does_not_wait():
    system = System("post")

    async def slowly(event, ctx):
        await ctx.sleep(0.1)

    system.service("slow").on(Placed, commit_every=4)(slowly)

    async def three(ctx):
        await ctx.all(*(ctx.publish(Placed(order=order)) for order in ("o1", "o2", "o3")))

    run = simulate(system, three, faults=["crash slow.handle.Placed #3"])
    waiting = [words(flow(run, at=at), "in waiting") for at in (0.1, 0.2, 0.3, 1.5)]
    assert waiting == [["2"], ["1"], ["3"], []]


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10**6), st.sampled_from([1, 3, 10]), st.floats(0, 1))
@example(1351, 1, 0.328125)  # at most once, a message every 20 ms
def test_no_service_is_idle_while_what_it_takes_later_waits(number, faults, share):
    system, workload, seed, plan = story(Random(number), faults)
    try:
        run = simulate(system, workload, seed=seed, faults=plan, max_steps=5_000)
    except Misuse as error:
        run = error.run
    time = run.end * share
    scene, stored, first = FlowMoments(run).at(time).scene, {}, {}
    for step in run.journal:
        if step.step == "publish" and step.envelope:
            stored[step.envelope.id] = step.time
        elif step.step == "handle" and step.partition is not None:
            comes = first.setdefault(step.service, {})
            comes.setdefault((step.partition, step.envelope.id), step.time)
    moving = {mark.tip.split()[1] for mark in scene.marks}
    for name in (box.tip.split(":")[0] for box in scene.bars if ": idle" in box.tip):
        comes = [
            when
            for (_, id), when in first.get(name, {}).items()
            if stored[id] + 50 < time < when and id not in moving
        ]
        assert not comes, (name, comes)

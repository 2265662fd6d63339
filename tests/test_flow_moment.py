"""The flow at a moment: what moves, what waits, who is at work or down, and what never changes its place."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scenes import flaws
from systems import story
from test_timeline import Placed, customers, shop

from edalab import Misuse, System, cut, pause, simulate
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

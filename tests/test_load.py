"""What a service is asked and what comes of it, second by second: counted from the record alone."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from scenes import flaws
from test_capacity import LIMITS, TRAFFIC, WINDOWS, at_once, scales, traffic_of, weighings

from edalab import Busy, Command, Event, Faults, Misuse, System, Unanswered, cut, pause, simulate
from edalab.panels import html
from edalab.view import flow, load, timeline


class OrderPlaced(Event, topic="orders"):
    n: int


class ChargePayment(Command):
    n: int


def black_friday(slow=(5, 10), tries=3, **limits):
    """Orders, each of which asks a provider of 0.2 s; it needs a whole second while it is slow."""
    shop = System("shop")
    shop.queue("orders", prefetch=1000, ack_wait=600)
    billing, payments = shop.service("billing"), shop.service("payments", **limits)

    @payments.handles(ChargePayment)
    async def charge(command, ctx):
        await ctx.sleep(1 if slow[0] <= ctx.now < slow[1] else 0.2)

    @billing.on(OrderPlaced)
    async def bill(event, ctx):
        for _ in range(tries):
            try:
                return await ctx.ask(ChargePayment(n=event.n))
            except (Busy, Unanswered):
                pass

    return shop


def orders(each_second: int, seconds: int):
    async def orders_come(ctx):
        for n in range(each_second * seconds):
            await ctx.publish(OrderPlaced(n=n), wait=False)
            await ctx.sleep(1 / each_second)

    return orders_come


def storm(each_second=15, seconds=30, **options):
    return simulate(black_friday(**options), orders(each_second, seconds))


def test_a_storm_of_retries_stays_when_its_cause_is_gone():
    table = load(storm(workers=4), "payments").table
    assert set(table.in_time[1:5]) == {15}  # well before
    assert table.in_time[6:].sum() == 0  # never well again, although the cause is gone at 10 s
    assert set(table.too_late[11:30]) == {20} and set(table.at_work[6:30]) == {4}  # at 100 %
    assert table.asked[12:30].min() >= 44 and table.waiting[29] > 600


def test_without_a_limit_nobody_sees_it_and_a_bounded_line_gets_well():
    for limits in ({}, {"workers": 4, "waiting": 10}):
        table = load(storm(**limits), "payments").table
        assert set(table.in_time[7:9]) == {0} and set(table.in_time[14:28]) <= {14, 15}
        assert (table.busy.sum() > 0) == bool(limits)


def test_goodput_collapses_above_capacity_and_holds_with_a_bounded_line():
    def goodput(rate, **limits):
        run = storm(rate, seconds=12, slow=(0, 0), workers=4, **limits)
        return load(run, "payments").table.in_time[6:12].mean()

    assert [round(goodput(rate)) for rate in (10, 15, 30)] == [10, 15, 0]
    assert [round(goodput(rate, waiting=10)) for rate in (10, 15, 30)] == [10, 15, 20]


def counted_again(run, service):
    """The table, by another way: each question by itself."""
    steps = {}
    for s in run.journal:
        if s.envelope is not None:
            steps.setdefault(s.envelope.id, []).append(s)
    table = {name: Counter() for name in ("asked", "in_time", "too_late", "busy")}
    for those in steps.values():
        first = those[0]
        if first.step != "ask" or first.fault == "crash" or first.envelope.topic != service:
            continue
        at = {s.step: s for s in those}
        table["asked"][first.time // 1000] += 1
        answer = at.get("answer")
        good = answer and answer.fault is None and answer.detail not in ("too late", "busy")
        if "busy" in at:
            table["busy"][at["busy"].time // 1000] += 1
        elif good:
            table["in_time"][answer.time // 1000] += 1
        elif "reply" in at:
            table["too_late"][at["reply"].time // 1000] += 1
    seconds = range(run.end // 1000 + 1)
    return {name: [counts[second] for second in seconds] for name, counts in table.items()}


@settings(max_examples=25, deadline=None)
@given(TRAFFIC, LIMITS, WINDOWS)
def test_the_numbers_are_those_of_the_record_and_the_picture_has_no_flaw(traffic, limits, windows):
    workers, waiting, replicas = limits
    system = scales(0.07, workers=workers, waiting=waiting, replicas=replicas)
    faults = [*windows, Faults(drop=0.1, crash=0.05, delay=0.1)]
    run = simulate(system, traffic_of(traffic), faults=faults)
    picture = load(run, "scale")
    table = picture.table.to_dict("list")
    assert {name: table[name] for name in ("asked", "in_time", "too_late", "busy")} == (
        counted_again(run, "scale")
    )
    assert max(table["at_work"]) <= workers * max(replicas, 2)
    assert not flaws(picture.scene)


def test_the_most_at_work_and_in_line_at_once():
    run = simulate(scales(0.6, workers=1), at_once(*weighings(4)))
    table = load(run, "scale").table
    assert list(table.at_work) == [1, 1, 1] and list(table.waiting) == [3, 2, 0]
    assert list(table.in_time) == [1, 0, 0] and list(table.too_late) == [0, 2, 1]


def test_what_it_shows_in_words():
    run = simulate(scales(workers=1, waiting=1), at_once(*weighings(3)))
    shown = repr(load(run, "scale"))
    assert shown.startswith(
        "load of scale in town: 3 asked, 2 answered in time, 1 turned away, at most 1 at work (of 1), at most 1 in line;"
    ), shown
    svg = load(run, "scale").svg()
    assert "shaded: no worker is free · dotted: last message of the client, 0 s" in svg
    assert "3 asked · 2 answered in time · 1 turned away" in svg


def test_a_number_is_drawn_over_its_second_and_a_line_stands_where_the_client_stops():
    scene = load(storm(workers=4, seconds=8), "payments").scene
    for line in scene.polylines:
        corners = [*zip(line.points[::2], line.points[1::2], strict=True)]
        assert all(x == u or y == v for (x, y), (u, v) in pairwise(corners))
    last = [line.x1 for line in scene.lines if line.kind == "last"]
    assert len(last) == 2 and len({*last}) == 1 and last[0] < scene.width * 2 / 3


def test_with_many_in_line_it_leaves_out_how_many_are_at_work():
    run = simulate(scales(workers=1), at_once(*weighings(30)))
    assert list(load(run, "scale").table.waiting)[0] > 10
    picture = load(run, "scale").svg()
    assert "in line" in picture and "shaded" in picture and "at work (of 1)" not in picture


def test_a_moment_of_the_flow_says_how_many_are_in_line():
    run = simulate(scales(workers=1, waiting=1), at_once(*weighings(3)))
    assert "scale at work; scale with a line" in repr(flow(run, at=0.1))
    assert "1 in line" in flow(run, at=0.1).svg()
    assert "1 busy" in flow(run).svg() and "in line" not in flow(run, at=0.3).svg()


def test_the_state_in_a_panel_says_how_many_are_in_line():
    run = simulate(scales(workers=1), at_once(*weighings(3)))
    assert "<td>up, 2 in line</td>" in html.states(run.at(0.1).services.values())
    assert "in line" not in html.states(run.at(9).services.values())


def test_a_timeline_marks_who_was_turned_away():
    run = simulate(scales(workers=1, waiting=0), at_once(*weighings(2)))
    assert "1 refusal" in repr(timeline(run)) and "busy, scale at 0.01 s" in timeline(run).svg()


def test_of_what_there_is_no_load():
    run = storm(seconds=1)
    with pytest.raises(Misuse, match="billing answers no question.*: payments"):
        load(run, "billing")
    with pytest.raises(Misuse, match="no service 'payment'; services: billing, payments"):
        load(run, "payment")
    with pytest.raises(Misuse, match="load takes a run"):
        load(7, "payments")


@pytest.mark.parametrize("width", [600, 900])
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (pause("payments", 5, 8), "standing still"),
        (cut("payments", 5, 8), "cut off"),
        ("crash payments.handle.ChargePayment #40", "down"),
    ],
)
def test_the_times_in_which_the_service_was_out_of_reach_are_marked(fault, words, width):
    run = simulate(black_friday(slow=(0, 0)), orders(15, 20), faults=[fault])
    picture = load(run, "payments", width=width)
    assert len(picture.scene.spans) == 2 and f"{words} from " in repr(picture)
    assert words in [label.text for label in picture.scene.labels] and not flaws(picture.scene)

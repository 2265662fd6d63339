"""Timelines: stories written by hand, runs of the real simulator, and whole systems at random."""

import os
import subprocess
import sys
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lessons import definitions
from scenes import NASTY, flaws
from systems import story

from edalab import (
    Command,
    Event,
    Misuse,
    PublishFailed,
    Query,
    Refused,
    System,
    cut,
    pause,
    simulate,
)
from edalab.errors import Unknown
from edalab.sim.steps import Step
from edalab.view import timeline
from edalab.view.axis import Axis
from edalab.view.drawn import Drawn
from edalab.view.excerpt import choose
from edalab.view.timeline import LEGEND


class Letter(SimpleNamespace):
    """An envelope by hand."""

    __hash__ = object.__hash__  # one for each time it is published, as envelopes are

    def __init__(self, id, type="OrderPlaced", cause=None, story="client-1", subject=None, data=1):
        super().__init__(
            id=id,
            type=type,
            causation=cause,
            correlation=story,
            subject=subject,
            data=data,
            topic="orders",
            redrives=0,
        )


FIELDS = ("time", "step", "service", "envelope")


def told(*rows, faults=()):
    """A run as timelines see it, from rows (ms, step, service, envelope, more)."""
    empty = dict.fromkeys(Step._fields) | {"replica": 1, "offset": 0}
    steps = [
        Step(**empty | dict(zip(FIELDS, row[:4], strict=True)) | dict(*row[4:])) for row in rows
    ]
    record = [value for step in steps for value in (*step[:2], step[2:4], *step[4:])]
    return SimpleNamespace(
        journal=steps,
        _record=record,
        services=["orders", "payments"],
        end=steps[-1].time if steps else 0,
        faults=list(faults),
        system=SimpleNamespace(name="shop", services={}, queues={}),
    )


def words(picture) -> list[str]:
    return [
        label.text
        for label in picture.scene.labels
        if label.kind not in ("axis", "lane", "caption")
    ]


def kinds(items) -> list[str]:
    return [item.kind for item in items]


A, B = Letter("client-1", subject="o1"), Letter("orders-1", "Paid", "client-1", subject="o1")
HEALTHY = [
    (0, "publish", "client", A),
    (20, "handle", "orders", A, {"attempt": 1}),
    (120, "save", "orders", A),
    (120, "publish", "orders", B),
    (130, "commit", "orders", A),
    (140, "handle", "payments", B, {"attempt": 1}),
    (140, "commit", "payments", B),
]


def test_a_healthy_story_is_quiet():
    picture = timeline(told(*HEALTHY))
    scene = picture.scene
    assert kinds(scene.arrows) == ["message", "message"] and kinds(scene.marks) == ["published"]
    assert kinds(scene.bars) == ["handled", "saved", "handled"] and scene.bars[0].tip.endswith(
        ", saved at 0.12 s"
    )
    assert words(picture) == ["OrderPlaced o1", "Paid o1"]
    assert "Nothing went wrong" in scene.alt
    assert repr(picture).startswith(
        "timeline of shop: 3 lanes, 2 handlings, 2 arrows; 7 of 7 steps; 0 s to 0.14 s; "
    )


def test_in_words_too_a_fault_that_nobody_noticed_is_a_fault():
    system = System("shop")

    class Paid(Event):
        pass

    @system.service("mail").on(Paid)
    def write(event):
        pass

    async def pay(ctx):
        await ctx.publish(Paid())

    scene = timeline(simulate(system, pay, faults=["delay client.publish.Paid #1"])).scene
    assert "delay client.publish.Paid #1 struck" in scene.alt and "Nothing" not in scene.alt


def test_a_crash_says_before_which_step_and_what_comes_again():
    picture = timeline(
        told(
            *HEALTHY[:4],
            (130, "commit", "orders", A, {"fault": "crash"}),
            (130, "crash", "orders", None, {"fault": "crash"}),
            (1130, "restart", "orders", None),
            (1150, "handle", "orders", A, {"attempt": 2}),
            (1160, "commit", "orders", A),
            faults=["crash orders.commit.OrderPlaced #1"],
        )
    )
    assert {"crash before commit", "OrderPlaced: attempt 2, nothing saved"} <= set(words(picture))
    assert "crash" in kinds(picture.scene.marks) and "again" in kinds(picture.scene.arrows)
    assert "down" in kinds(picture.scene.spans)
    assert any(
        "Struck: crash orders.commit.OrderPlaced #1." in label.text
        for label in picture.scene.labels
    )


def test_a_question_goes_there_and_back_and_the_one_unanswered_says_how_long_it_waited():
    asked, again = Letter("client-1", "GetUser"), Letter("client-2", "GetUser", story="client-2")
    picture = timeline(
        told(
            (0, "ask", "client", asked),
            (10, "handle", "orders", asked, {"attempt": 1}),
            (10, "reply", "orders", asked, {"detail": "1"}),
            (20, "answer", "client", asked, {"detail": "1"}),
            (30, "ask", "client", again, {"fault": "drop"}),
            (1030, "timeout", "client", again),
        )
    )
    assert kinds(picture.scene.arrows) == ["question", "answer", "struck question"]
    assert {"no answer after 1 s", "question dropped"} <= set(words(picture))
    assert kinds(picture.scene.spans) == ["waiting", "waiting"]


def test_retries_end_in_a_dead_letter():
    rows = [(0, "publish", "client", A)]
    for attempt, time in enumerate((20, 120, 320), start=1):
        rows += [(time, "handle", "orders", A, {"attempt": attempt})]
        step = "retry" if attempt < 3 else "dead_letter"
        rows += [
            (
                time,
                step,
                "orders",
                A,
                {"attempt": attempt, "detail": "ValueError: no card; again in 0.1 s"},
            )
        ]
    picture = timeline(told(*rows))
    assert {
        "ValueError: no card",
        "OrderPlaced o1: attempt 2",
        "dead-lettered after 3 attempts",
    } <= set(words(picture))
    assert words(picture).count("ValueError: no card") == 1, "said once, not at every attempt"


HANDLED = (20, "handle", "orders", A)
ASKED = Letter("client-1", "GetUser")


@pytest.mark.parametrize(
    ("rows", "text", "mark"),
    [
        ([(20, "deliver", "orders", A, {"fault": "drop"})], "dropped", "lost"),
        ([HANDLED, (20, "lost", "orders", A, {"detail": "KeyError: x"})], "lost: KeyError: x", "lost"),
        ([HANDLED, (20, "commit", "orders", A, {"fault": "fenced"})], "late commit refused", "refused"),
        ([HANDLED, (20, "ack", "orders", A, {"fault": "lose"})], "ack lost", "lost"),
        ([HANDLED, (20, "failure", "orders", A, {"detail": "KeyError: 1"})], "KeyError: 1", "failed"),
        ([(20, "takeover", "orders", None, {"detail": "p 1 from replica 2"})], "takes over p 1", "takeover"),
        ([(20, "note", "orders", A, {"detail": "seen twice"})], "seen twice", "note"),
        ([(100, "pause", "orders", None), (900, "resume", "orders", None)], "stands still for 0.8 s", "pause"),
        ([(200, "cut", "payments", None), (1700, "heal", "payments", None)], "cut off for 1.5 s", "cut"),
        (
            [
                (0, "ask", "client", ASKED),
                (10, "handle", "orders", ASKED),
                (1000, "timeout", "client", ASKED),
                (1500, "reply", "orders", ASKED),
                (1510, "answer", "client", ASKED, {"detail": "too late"}),
            ],
            "answer too late",
            "no answer",
        ),
    ],
)  # fmt: skip
def test_what_happened_has_words_a_shape_of_its_own_and_is_explained(rows, text, mark):
    scene = (picture := timeline(told((0, "publish", "client", A), *rows))).scene
    assert text in words(picture) and mark in kinds(scene.marks + scene.spans)
    legend = " ".join(label.text for label in scene.labels if label.kind == "caption")
    meanings = {kind: meaning for kinds, meaning in LEGEND for kind in kinds.split(", ")}
    assert meanings[mark] in legend and "dead letter" not in legend


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("fail", "not confirmed"),
        ("lose", "lost silently"),
        ("cut", "cut off"),
        ("duplicate", "published twice"),
        (None, "reached nobody"),
    ],
)
def test_a_message_that_does_not_leave_ends_in_a_stub(fault, said):
    assert said in words(timeline(told((0, "publish", "client", A, {"fault": fault}))))


def test_arrows_of_different_messages_run_beside_each_other():
    up, down = Letter("orders-1", "Paid"), Letter("payments-1", "Sent")
    third = Letter("client-2", "Left")
    rows = [
        (0, "publish", "client", A),
        (0, "publish", "client", third),
        (20, "handle", "orders", A),
        (20, "handle", "payments", third),
        (20, "publish", "orders", up),
        (20, "publish", "payments", down),
        (50, "handle", "payments", up),
        (50, "handle", "orders", down),
    ]
    first, second = timeline(told(*rows)).scene.arrows[2:]
    assert abs(first.points[0] - second.points[0]) >= 4


def test_words_are_not_shortened_while_there_is_room_and_stand_at_what_they_name():
    detail = {"attempt": 1, "detail": "ValueError: a card that was stolen on the twelfth of May"}
    failure = (20, "failure", "orders", A, detail)
    picture = timeline(told((0, "publish", "client", A), (20, "handle", "orders", A), failure))
    assert detail["detail"] in words(picture)
    (label,) = [label for label in picture.scene.labels if label.text == "OrderPlaced o1"]
    bar = picture.scene.bars[0]
    assert label.extent()[0] >= bar.x and abs(label.y - bar.y) < 40


def test_handlings_that_overlap_stand_below_each_other():
    letters = [Letter(f"client-{n}") for n in range(4)]
    rows = [(n, "handle", "orders", letter) for n, letter in enumerate(letters)]
    rows += [(300 + n, "commit", "orders", letter) for n, letter in enumerate(letters)]
    bars = timeline(told(*rows)).scene.bars
    assert len({bar.y for bar in bars if bar.kind == "handled"}) == 4


def test_handlings_at_one_instant_stand_beside_each_other():
    letters = [Letter(f"client-{n}") for n in range(6)]
    rows = [(20, step, "orders", letter) for letter in letters for step in ("handle", "commit")]
    bars = timeline(told((0, "publish", "client", letters[0]), *rows)).scene.bars
    assert len({bar.y for bar in bars}) == 1 and len({bar.x for bar in bars}) == 6


def test_long_waiting_is_cut_short_and_marked_so():
    other = Letter("orders-2")
    late = [
        (9_140, "publish", "orders", other),
        (9_160, "handle", "payments", other),
        (9_170, "done", "payments", other),
    ]
    scene = timeline(told(*HEALTHY, *late)).scene
    assert scene.axis.x(9_140) - scene.axis.x(140) < 200 < scene.axis.x(140) - scene.axis.x(0)
    slit = next(bar for bar in scene.bars if bar.kind == "break")
    assert scene.axis.x(140) < slit.x < slit.x + slit.w < scene.axis.x(9_140)
    assert any("dashed gap: time left out" in label.text for label in scene.labels)
    assert "9 s left out" in [label.text for label in scene.labels if label.kind == "axis"]
    xs = [scene.axis.x(ms) for ms in range(0, 9_200, 7)]
    assert xs == sorted(xs)


def test_time_is_linear_where_that_keeps_all_moments_apart():
    axis = timeline(told(*HEALTHY)).scene.axis
    first, last = axis.x(0), axis.x(140)
    assert all(abs(axis.x(ms) - first - (last - first) * ms / 140) <= 1 for ms in range(0, 141, 5))
    assert axis.stretched == axis.cuts == []


def test_a_cut_goes_through_all_that_lasts_meanwhile():
    pause = [(200, "pause", "orders", None), (9_000, "resume", "orders", None)]
    scene = timeline(told(*HEALTHY, *pause)).scene
    slit = next(bar for bar in scene.bars if bar.kind == "break")
    (span,) = [span for span in scene.spans if span.kind == "pause"]
    assert span.x < slit.x < span.x + span.w
    assert slit.y < span.y and slit.y + slit.h > span.y + span.h


def test_stretched_time_is_marked_on_the_axis_with_its_ends_and_explained():
    answer = [
        (0, "ask", "client", ASKED),
        (10, "handle", "orders", ASKED, {"attempt": 1}),
        (2000, "reply", "orders", ASKED),
        (3000, "answer", "client", ASKED),
    ]
    scene = timeline(told(*answer)).scene
    assert scene.axis.stretched == [(0, 10)] and not scene.axis.cuts
    (line,) = [box for box in scene.spans if box.kind == "stretched"]
    assert (line.x, line.x + line.w) == (scene.axis.x(0) + 1, scene.axis.x(10) - 1)
    assert any("thick line below: time stretched" in label.text for label in scene.labels)
    plain = timeline(told(*HEALTHY)).scene
    assert not any("stretched" in label.text for label in plain.labels)


def test_a_line_of_stretched_time_has_one_scale_and_a_part_of_the_axis_has_none():
    axis = Axis(dict.fromkeys([0, 10, 20, 30, 500, 1000, 1500, 2000], 0), 0, 700)
    widths = {gap: axis.x(gap[1]) - axis.x(gap[0]) for gap in pairwise(axis.times)}
    scales = {gap: width / (gap[1] - gap[0]) for gap, width in widths.items()}
    assert axis.stretched and (1000, 1500) not in axis.stretched
    for start, end in axis.stretched:
        inside = [scale for gap, scale in scales.items() if start <= gap[0] and gap[1] <= end]
        assert max(inside) < 1.5 * min(inside) and min(inside) > 1.1 * min(scales.values())


def test_a_moment_in_time_that_is_left_out_stands_in_the_gap():
    axis = Axis(dict.fromkeys([0, 10, 20, 60_000, 60_010], 0), 0, 700)
    assert axis.cuts == [(20, 60_000)]
    assert {axis.x(1000), axis.x(59_000)} == set(axis.slits())


def test_the_cursor_stands_at_its_time_and_changes_nothing_else():
    plain, marked = timeline(told(*HEALTHY)), timeline(told(*HEALTHY), cursor=0.12)
    line, _, label = marked.scene.cursor
    assert (line.x1, label.text) == (marked.scene.axis.x(120), "0.12 s")
    assert [bar.x for bar in plain.scene.bars] == [bar.x for bar in marked.scene.bars]
    assert plain.scene.digest != marked.scene.digest
    assert not flaws(timeline(told(*HEALTHY), cursor=99).scene)


def test_an_empty_run_is_an_empty_picture():
    assert "0 handlings" in repr(timeline(told()))
    assert timeline(told()).png()


class Placed(Event, key="order"):
    order: str


class Paid(Event, key="order"):
    order: str


class Pay(Command, key="order"):
    order: str


class Price(Query):
    order: str


def shop(replicas=1, broken=""):
    system = System("shop")
    orders, payments = (
        system.service("orders", schema="create table o (id text)"),
        system.service("payments", replicas=replicas),
    )

    @orders.on(Placed)
    async def take(event, ctx):
        with ctx.database as db:
            db.execute("insert into o values (?)", (event.order,))
        await ctx.send(Pay(order=event.order))

    @orders.answers(Price)
    def price(question):
        return 9

    @payments.handles(Pay)
    async def pay(command, ctx):
        if command.order == broken:
            raise ValueError("no such card")
        await ctx.ask(Price(order=command.order))
        await ctx.sleep(0.05)
        return Paid(order=command.order)

    return system


def customers(number):
    async def buy(ctx):
        for n in range(number):
            await ctx.publish(Placed(order=f"o{n}"))
            await ctx.sleep(0.1)

    return buy


def test_a_large_run_shows_the_story_that_went_worst_and_says_what_it_hides():
    run = simulate(shop(broken="o30"), customers(100), faults=["drop orders.deliver.Placed #3"])
    picture = timeline(run)
    assert "dead-lettered after 3 attempts" in words(picture)
    hidden = len(run.journal) - int(repr(picture).split("; ")[1].split(" of ")[0].replace(",", ""))
    caption = " ".join(label.text for label in picture.scene.labels if label.kind == "caption")
    assert (
        f"{hidden:,} of {len(run.journal):,} steps hidden" in caption
        and "the story of Placed client-" in caption
    )
    assert not flaws(picture.scene)


class Moved(Event, key="who"):
    who: str
    version: int
    street: str
    note: str = "the same"


class Parcel(Event, topic="packing"):
    number: int


class Withdraw(Command):
    who: str
    amount: int


def moved(*messages, apart=0.4):
    house = System("house")

    def ignore(message): ...

    house.service("mail").on(Moved)(ignore)
    house.service("bank").handles(Withdraw)(ignore)

    async def workload(ctx):
        for message in messages:
            await (ctx.send if isinstance(message, Command) else ctx.publish)(message)
            await ctx.sleep(apart)

    return timeline(simulate(house, workload))


def test_the_fields_in_which_messages_of_a_type_differ_stand_at_their_bars():
    elm, oak = (Moved(who="ada", version=n, street=s) for n, s in ((1, "Elm"), (2, "Oak")))
    assert words(moved(elm, oak)) == ["Moved Elm, v1", "Moved Oak, v2"]
    oak_again = Moved(who="ada", version=3, street="Oak")
    three = words(moved(elm, Moved(who="bob", version=1, street="Oak"), oak_again))
    assert three == ["Moved ada, v1", "Moved bob, v1", "Moved ada, v3"], "the version stands last"
    bob = Moved(who="bob", version=1, street="Elm")
    assert words(moved(elm, bob)) == ["Moved ada", "Moved bob"], "the keys suffice"
    long = Moved(who="ada", version=1, street="a street of more than sixteen letters")
    assert set(words(moved(elm, long))) == {"Moved", "Moved Elm"}
    withdrawals = [Withdraw(who="ada", amount=n) for n in (20, 40)]
    assert words(moved(*withdrawals)) == ["Withdraw 20", "Withdraw 40"]
    pairs = (("ada", "Elm"), ("bob", "Elm"), ("ada", "Oak"))
    three = [Moved(who=who, version=1, street=street) for who, street in pairs]
    names = ["Moved ada, Elm", "Moved bob, Elm", "Moved ada, Oak"]
    assert words(moved(*three)) == names, "the key is also a field, and stands there once"


def test_no_name_of_a_bar_is_lost_or_cut_for_the_fields_of_others():
    alike = words(moved(*[Moved(who="ada", version=1, street="Elm")] * 12, apart=0.03))
    crowd = [Moved(who="ada", version=n, street=f"Street {n}") for n in range(12)]
    texts = words(moved(*crowd, apart=0.03))
    assert len(texts) == len(alike) and not any("…" in text for text in texts)
    assert len(alike) > 5 and {text.split()[1][0] for text in texts} == {"v"}


def test_a_message_has_the_same_name_in_all_lanes_and_none_stands_over_another_bar_of_its_row():
    def home(*services, crowd=0):
        house = System("home")

        def ignore(message): ...

        for name in services:
            house.service(name).on(Moved)(ignore)

        async def workload(ctx):
            for number in range(4 + crowd):
                await ctx.publish(Moved(who="ada", version=number, street=f"{number} Oak Street"))
                await ctx.sleep(0.02 if number == 1 else 1)

        return timeline(simulate(house, workload))

    picture = home("mail", "shipping")
    names = words(picture)
    assert sorted(names) == sorted(2 * list(dict.fromkeys(names)))  # each once in each lane
    bars = [bar for bar in picture.scene.bars if bar.kind == "handled"]
    for label in picture.scene.labels:
        if label.kind == "handled":
            left, _, right, _ = label.extent()
            under = [
                bar
                for bar in bars
                if abs(bar.y + 9 - label.y) < 40 and bar.x < right and left < bar.x + bar.w
            ]
            assert len(under) <= 1, label.text


def test_a_redelivery_begins_at_the_attempt_before_it_and_a_second_publish_at_its_publisher():
    def ways(*last):
        first = [
            (0, "publish", "client", A),
            (20, "handle", "orders", A),
            (25, "save", "orders", A),
            (26, "done", "orders", A),
        ]
        return timeline(told(*first, *last)).scene.arrows

    again = (5_020, "handle", "orders", A, {"attempt": 2})
    first, redelivery = ways(again)
    assert redelivery.kind == "again" and redelivery.points[0] > first.points[-2]
    first, second = ways((5_000, "publish", "client", A), (5_020, "handle", "orders", A))
    assert second.points[0] > first.points[0] and second.points[1] == first.points[1]


def test_an_arrow_leaves_its_bar_after_the_save_before_it_though_others_pass_there():
    other, told_too = Letter("client-2", story="client-2"), Letter("orders-2", "Told", "client-2")
    second = {"replica": 2}
    scene = timeline(
        told(
            (0, "publish", "client", A),
            (10, "publish", "client", other),
            (20, "handle", "orders", A, second),
            (40, "save", "orders", A, second),
            (59, "handle", "orders", other),
            (59, "save", "orders", other),
            (59, "save", "orders", other),
            (59, "publish", "orders", told_too),  # its arrow passes the bar of replica 2
            (60, "save", "orders", A, second),
            (60, "publish", "orders", B, second),
            (60, "ack", "orders", A, second),
            (80, "handle", "payments", told_too),
            (90, "ack", "orders", other),
            (120, "handle", "payments", B),
        )
    ).scene
    [paid] = [arrow for arrow in scene.arrows if arrow.tip.startswith("Paid")]
    bar = next(bar for bar in scene.bars if bar.tip.startswith("orders replica 2"))
    saved = [tick.x for tick in scene.bars if tick.kind == "saved" and tick.y == bar.y]
    assert saved[-1] + 1 < paid.points[0] < bar.x + bar.w


def test_an_attempt_that_saved_nothing_says_so_where_its_service_saves_at_all():
    handled = [(0, "publish", "client", A), (20, "handle", "orders", A), (25, "done", "orders", A)]
    again = [(5_020, "handle", "orders", A, {"attempt": 2}), (5_030, "commit", "orders", A)]
    saved = [*handled[:2], (24, "save", "orders", A), handled[2]]
    assert not any("nothing saved" in text for text in words(timeline(told(*handled, *again))))
    assert any("attempt 2, nothing saved" in text for text in words(timeline(told(*saved, *again))))
    twice = [again[0], (5_025, "save", "orders", A), again[1]]
    assert not any("nothing saved" in text for text in words(timeline(told(*saved, *twice))))


def test_an_event_after_a_newer_version_of_its_key_says_so():
    first, second = (Moved(who="ada", version=n, street=f"{n} Oak") for n in (1, 2))
    other = Moved(who="bob", version=1, street="1 Oak")
    assert any("older than v2" in text for text in words(moved(first, second, first)))
    assert not any("older" in text for text in words(moved(first, second, other)))


def test_refusals_and_compensations_have_a_colour_and_the_refusing_bar_its_sign():
    class Bought(Event):
        pass

    class Paid(Event):
        pass

    class NoMoney(Event, refuses=Paid):
        pass

    shop = System("till")

    @shop.service("bank").on(Bought)
    def refuse(event):
        return NoMoney()

    @shop.service("till").on(NoMoney)
    def undo(event): ...

    async def workload(ctx):
        await ctx.publish(Bought())

    scene = timeline(simulate(shop, workload)).scene
    assert kinds(scene.bars) == ["compensating", "compensating"]
    assert kinds(scene.arrows) == ["message", "compensating"]
    assert "refused" in kinds(scene.marks)


def test_a_service_is_down_from_the_crash_on_and_not_before_its_work():
    crash = [
        (130, "commit", "orders", A, {"fault": "crash"}),
        (130, "crash", "orders", None, {"fault": "crash"}),
        (1130, "restart", "orders", None),
    ]
    scene = timeline(told(*HEALTHY[:4], *crash)).scene
    (down,) = [span for span in scene.spans if span.kind == "down"]
    (cross,) = [mark for mark in scene.marks if mark.kind == "crash"]
    assert down.x == cross.x


def test_a_refusal_stands_behind_its_bar_with_the_whole_reason():
    bank, reason = System("bank"), "there is not enough money in the account"

    @bank.service("accounts").handles(Withdraw)
    def refuse(command):
        return Refused(reason)

    async def workload(ctx):
        await ctx.ask(Withdraw(who="ada", amount=9))

    picture = timeline(simulate(bank, workload))
    assert f"refused: {reason}" in words(picture) and "1 refusal" in repr(picture)
    (bar,) = [bar for bar in picture.scene.bars if bar.kind == "handled"]
    (mark,) = [mark for mark in picture.scene.marks if mark.kind == "refused"]
    assert mark.extent()[0] > bar.x + bar.w


def test_a_story_can_be_asked_for_by_a_key():
    run = simulate(shop(), customers(60))
    assert timeline(run, "o41").scene.shows == timeline(run, "client-42").scene.shows
    assert {text.split()[-1] for text in words(timeline(run, "o41"))} <= {
        "o41",
        "Placed",
        "Pay",
        "Price",
        "nobody",
    }
    with pytest.raises(Unknown, match="no story 'o99'; stories: o9, .*Did you mean 'o9'"):
        timeline(run, "o99")


def test_a_repeated_publish_is_called_published_again_and_a_redelivery_delivered_again():
    def said(*last):
        first = [
            (0, "publish", "client", A),
            (20, "handle", "orders", A),
            (25, "done", "orders", A),
        ]
        return words(timeline(told(*first, *last)))

    again = (60, "handle", "orders", A)
    assert "OrderPlaced o1: delivered again" in said(again)
    assert "OrderPlaced o1: published again" in said((40, "publish", "client", A), again)
    assert "OrderPlaced o1: published again" in said((*again, {"offset": 1}))


def test_all_stories_of_a_key_are_shown_together():
    async def twice(ctx):
        await ctx.publish(Placed(order="o1"))
        await ctx.publish(Placed(order="o2"))
        await ctx.publish(Placed(order="o1"))

    picture = timeline(simulate(shop(), twice), "o1")
    caption = " ".join(label.text for label in picture.scene.labels if label.kind == "caption")
    assert "Shown: the 2 stories of o1; " in caption and "correlation= shows another" in caption
    assert not any(" o2" in text for text in words(picture))


def test_a_stretch_of_time_in_which_nothing_can_be_is_refused():
    run = simulate(shop(), customers(3))
    for given, said in [
        ({"start": 0.2, "end": 0.1}, "start=0.2 is later than end=0.1; give an earlier one"),
        ({"start": 100}, "start=100 is later than the run ends, at 0.34 s"),
        ({"start": 100, "end": 200}, "start=100 is later than the run ends, at 0.34 s"),
        ({"start": -1}, "start= takes seconds from 0"),
        ({"end": -1}, "end= takes seconds from 0"),
        ({"end": 1e300}, "end= takes seconds from 0"),
    ]:
        with pytest.raises(Misuse, match=said):
            timeline(run, **given)
    assert timeline(run, start=0.34) and timeline(run, start=0, end=0)


def test_what_was_on_its_way_when_the_run_ended_is_not_said_to_have_reached_nobody():
    said = words(timeline(simulate(shop(), customers(3), until=0.225)))
    assert (
        said.count("not handled yet") == 1 and said.count("reached nobody") == 2
    )  # nobody subscribes to Paid
    assert "reached nobody" in words(timeline(simulate(shop(), customers(1))))


def test_a_stretch_of_time_shows_that_only_and_at_most_what_can_be_read():
    run = simulate(shop(), customers(200))
    picture = timeline(run, start=1.0, end=1.5)
    assert picture.scene.times[0] >= 1000 and picture.scene.times[-1] <= 1500
    assert "300 handlings" in repr(timeline(run, start=0, end=100))


def test_of_a_crowd_only_what_was_struck_is_named_and_the_rest_in_its_tool_tip():
    run = simulate(shop(), customers(200), faults=["delay orders.deliver.Placed #7"])
    picture = timeline(run, start=0, end=100)
    assert words(picture) and all("late" in text for text in words(picture))
    assert "orders: Placed client-2" in picture.svg()
    # Hundreds of tips more would slow a browser down.
    assert {arrow.kind for arrow in picture.scene.arrows if arrow.tip} == {"answer", "late"}


def test_a_name_is_whole_below_its_bar_where_there_is_no_room_above():
    outage = definitions("01-event-notification").outage
    assert not [label.text for label in timeline(outage).scene.labels if "…" in label.text]


def test_a_long_name_of_a_service_is_whole_in_a_wide_picture():
    shop, name = System("shop"), "lager-und-logistik"

    @shop.service(name).on(Placed)
    def pack(event): ...

    picture = timeline(simulate(shop, customers(1)))
    assert name in [label.text for label in picture.scene.labels if label.kind == "lane"]


def test_where_moments_have_a_fifth_of_their_room_arrows_are_straight_and_leave_at_their_moment():
    scene = timeline(simulate(shop(), customers(150)), start=0, end=100, width=400).scene
    assert scene.axis.shrunk < 0.2
    for arrow in scene.arrows:
        corners = [*zip(arrow.points[::2], arrow.points[1::2], strict=True)]
        starts, ends = corners[::3][:-1], corners[3::3]
        assert corners[1::3] == starts and corners[2::3] == ends
    published = {mark.x for mark in scene.marks if mark.kind == "published"}
    assert published and published <= {arrow.points[0] for arrow in scene.arrows}


def test_a_service_that_is_down_before_the_part_shown_is_shown_down():
    run = simulate(shop(), customers(3), faults=["crash orders.handle.Placed #1"])
    assert "down" in kinds(timeline(run, start=0.5, end=0.9).scene.spans)


@pytest.mark.parametrize("replicas", [1, 3])
@pytest.mark.parametrize(
    "faults",
    [
        [],
        [pause("payments", 0.1, 3.0)],
        [cut("orders", 0.05, 1.5)],
        ["crash payments.ask.Price #1"],
    ],
)
def test_pictures_of_real_runs_have_no_flaws(faults, replicas):
    run = simulate(shop(replicas), customers(6), faults=faults)
    for options in ({}, {"cursor": 0.3}, {"width": 700}, {"start": 0.2, "end": 0.6}):
        assert not flaws(timeline(run, **options).scene)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.sampled_from([0, 1, 3, 10]))
def test_pictures_of_any_system_have_no_flaws(number, faults):
    system, workload, seed, plan = story(Random(number), faults)
    try:
        run = simulate(system, workload, seed=seed, faults=plan, max_steps=5_000)
    except Misuse as error:
        run = error.run
    for options in ({}, {"cursor": 0.5}, {"start": min(0.1, run.end / 1000), "end": 2.0}):
        picture = timeline(run, **options)
        assert not flaws(picture.scene)
        assert len(repr(picture)) < 500


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.sampled_from([1, 3, 10]))
def test_the_legend_explains_every_sign_that_is_there(number, faults):
    system, workload, seed, plan = story(Random(number), faults)
    try:
        run = simulate(system, workload, seed=seed, faults=plan, max_steps=5_000)
    except Misuse as error:
        run = error.run
    scene = timeline(run).scene
    legend = " ".join(label.text for label in scene.labels if label.kind == "caption")
    meanings = {kind: meaning for kinds, meaning in LEGEND for kind in kinds.split(", ")}
    signs = {item.kind for item in (*scene.spans, *scene.bars, *scene.arrows, *scene.marks)}
    assert meanings.keys() >= signs
    assert all(meanings[sign] in legend for sign in signs)


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_odd_text_in_events_is_shortened_and_escaped(text):
    letter = Letter("client-1", subject=text)
    picture = timeline(
        told(
            (0, "publish", "client", letter),
            (20, "handle", "orders", letter),
            (20, "note", "orders", letter, {"detail": text}),
            (30, "retry", "orders", letter, {"detail": f"ValueError: {text}"}),
        )
    )
    assert not flaws(picture.scene)
    assert "<script" not in picture.svg() and len(picture.svg()) < 20_000
    assert picture.png() and len(repr(picture)) < 500


def test_what_is_shown_is_the_same_under_every_hash_seed():
    code = """
from test_timeline import customers, shop, simulate, timeline
from edalab.view import flow
run = simulate(shop(2), customers(9), seed=3, faults=["crash payments.ask.Price #2", "drop orders.deliver.Placed #3"])
print(timeline(run), flow(run), timeline(run).svg(), flow(run).svg())
"""
    here, seen = Path(__file__).parent, set()
    for seed in ("0", "1", "4711"):
        path = os.pathsep.join([str(here), str(here.parent)])
        env = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": path,
            "PYTHONIOENCODING": "utf-8",
        }
        seen.add(
            subprocess.run(
                [sys.executable, "-c", code], capture_output=True, check=True, env=env
            ).stdout
        )
    assert len(seen) == 1 and len(seen.pop()) > 5_000


def test_a_message_that_is_handed_out_while_another_handling_goes_on_comes_from_the_broker():
    home = System("home")
    home.queue("packing", ack_wait=1)

    async def pack(event, ctx):
        with ctx.database as db:
            db.execute("create table if not exists packed (who text)")
        await ctx.sleep(1.5)

    home.service("home", replicas=2).on(Parcel)(pack)

    async def workload(ctx):
        await ctx.publish(Parcel(number=1))

    sent, again = Drawn(choose(simulate(home, workload))).hops
    assert again.kind == "again" and again.source is sent.source


@pytest.mark.parametrize("width", [1, 60, 200])
def test_a_picture_too_narrow_for_what_it_shows_is_drawn(width):
    run = simulate(shop(2), customers(3), faults=["crash payments.ask.Price #2"])
    assert timeline(run, width=width).svg().endswith("</svg>")


def test_the_digest_changes_when_what_is_shown_changes_and_not_with_where_it_stands():
    def shown(*more, **options):
        return repr(timeline(told(*HEALTHY, *more), **options))

    note = (150, "note", "payments", B, {"detail": "done"})
    assert len({shown(), shown(note), shown(cursor=0.01)}) == 3
    assert shown() == shown(width=700)


def at(picture, text):
    """The label with a text."""
    (label,) = [label for label in picture.scene.labels if label.text == text]
    return label


def bars_under(picture, label, kind="handled"):
    """The bars near a label over or under which it stands."""
    left, _, right, _ = label.extent()
    bars = [bar for bar in picture.scene.bars if bar.kind == kind and abs(bar.y - label.y) < 70]
    return [bar for bar in bars if bar.x < right - 8 and left + 8 < bar.x + bar.w]


def tries(first, letter, last=3):
    """The rows of a message that fails as often, 40 ms apart, and then is given up."""
    rows = []
    for attempt in range(1, last + 1):
        time, what = first + 40 * attempt, "retry" if attempt < last else "dead_letter"
        rows += [(time, "handle", "orders", letter, {"attempt": attempt})]
        rows += [(time, what, "orders", letter, {"attempt": attempt, "detail": "ValueError: no"})]
    return rows


def test_a_dead_letter_and_the_attempts_are_named_where_they_are_and_not_over_what_comes_next():
    rows = [(0, "publish", "client", A), *tries(0, A)]
    for n in range(4):
        letter = Letter(f"client-{n + 2}", subject=f"o{n + 2}")
        rows += [
            (122 + 12 * n, "handle", "orders", letter),
            (130 + 12 * n, "commit", "orders", letter),
        ]
    picture = timeline(told(*rows), width=520)
    said = [label for label in picture.scene.labels if label.kind == "struck"]
    assert "3rd" in words(picture)
    assert not [label.text for label in said if bars_under(picture, label)]


def test_the_mark_that_stands_last_at_a_bar_has_the_words_behind_it():
    desk = System("desk")
    asking, knowing = desk.service("asking"), desk.service("knowing")

    def answer(question):
        return 1

    async def ask(event, ctx):
        await ctx.ask(Price(order=event.order))

    knowing.answers(Price)(answer)
    asking.on(Placed, max_attempts=1)(ask)

    async def workload(ctx):
        await ctx.publish(Placed(order="o1"))

    picture = timeline(simulate(desk, workload, faults=["crash knowing.reply.Price"]))
    (square,) = [mark for mark in picture.scene.marks if mark.kind == "dead letter"]
    label = at(picture, "dead-lettered after 1 attempt")
    assert label.y == square.y and 0 < label.extent()[0] - square.x < 20
    assert at(picture, "no answer after 1 s").y != square.y


def test_two_turns_at_one_time_are_both_said_in_full():
    turns = [
        (200, "restore", "orders", None, {"detail": "to 0.05 s"}),
        (200, "rewind", "orders", None, {"detail": "orders partition 0 from offset 7"}),
    ]
    again = [(210 + 9 * n, "handle", "orders", A, {"attempt": 1}) for n in range(3)]
    picture = timeline(told(*HEALTHY, *turns, *again))
    said = ("restore", "restored to 0.05 s"), ("rewind", "rewinds orders partition 0 from offset 7")
    for kind, text in said:
        (mark,) = [mark for mark in picture.scene.marks if mark.kind == kind]
        left, _, right, _ = at(picture, text).extent()
        assert left - 12 <= mark.x <= right + 12
    assert "undone save" in kinds(picture.scene.bars)
    assert any("saved at 0.12 s, undone" in bar.tip for bar in picture.scene.bars)
    said = " ".join(label.text for label in picture.scene.labels)
    assert "diamond: restored" in said and "diamond: goes back" in said and "note" not in said


def test_the_words_of_a_turn_are_rather_brief_than_under_the_next_one():
    turns = [
        (200, "restore", "orders", None, {"detail": "to 0.05 s"}),
        (225, "rewind", "orders", None, {"detail": "orders partition 0 from offset 7"}),
    ]
    again = [(230 + 9 * n, "handle", "orders", A, {"attempt": 1}) for n in range(6)]
    for width in range(500, 900, 20):
        picture = timeline(told(*HEALTHY, *turns, *again), width=width)
        (second,) = [mark for mark in picture.scene.marks if mark.kind == "rewind"]
        (label,) = [one for one in picture.scene.labels if one.text.startswith("restored")]
        left, _, right, _ = label.extent()
        assert not left < second.x < right, (width, label)


def test_a_dot_is_said_to_be_sent_by_the_client_where_all_are():
    said = " ".join(label.text for label in timeline(told(*HEALTHY)).scene.labels)
    assert "dot: sent by the client" in said
    relayed = (10, "publish", "payments", B)
    said = " ".join(label.text for label in timeline(told(*HEALTHY[:1], relayed)).scene.labels)
    assert "dot: sent outside a bar" in said and "client ·" not in said


def test_a_bar_is_striped_while_its_replica_stands_still():
    rows = [(0, "publish", "client", A), (20, "handle", "orders", A, {"attempt": 1})]
    rows += [
        (40, "pause", "orders", None),
        (900, "resume", "orders", None),
        (920, "commit", "orders", A),
    ]
    scene = timeline(told(*rows)).scene
    bar, still = [box for box in scene.bars if box.kind in ("handled", "still")]
    assert bar.x < still.x < still.x + still.w < bar.x + bar.w and bar.y < still.y


def test_what_is_published_twice_is_said_at_its_dots():
    rows = [(0, "publish", "client", A), (20, "handle", "orders", A, {"attempt": 1})]
    rows += [(22, "publish", "orders", B, {"fault": "duplicate"}), (900, "commit", "orders", A)]
    rows += [(40, "handle", "payments", B), (910, "handle", "payments", B, {"offset": 1})]
    rows.sort(key=lambda row: row[0])
    picture = timeline(told(*rows))
    (dots,) = [mark for mark in picture.scene.marks if mark.kind == "doubled"]
    assert abs(at(picture, "published twice").extent()[0] - dots.x) < 40


def test_a_shortened_name_keeps_what_tells_it_apart():
    data = [SimpleNamespace(order=f"o{n}") for n in range(9)]
    letters = [Letter(f"client-{n}", "OrderPlacedByAda", data=data[n]) for n in range(9)]
    rows = [
        (9 * n, step, "orders", one)
        for n, one in enumerate(letters)
        for step in ("handle", "commit")
    ]
    said = words(timeline(told(*rows), width=300))
    assert said and all(any(f"o{n}" in text for n in range(9)) for text in said)


@pytest.mark.parametrize("number", [1, 3])
def test_the_story_that_is_asked_for_is_named_in_the_caption_and_in_the_line(number):
    picture = timeline(simulate(shop(), customers(number)), "o0")
    caption = " ".join(label.text for label in picture.scene.labels if label.kind == "caption")
    assert "Shown: the story of Placed client-1 (o0); " in caption
    assert repr(picture).startswith("timeline of shop, the story of Placed client-1 (o0): ")
    assert picture.scene.alt.startswith("Timeline of shop, the story of Placed client-1 (o0), ")


def test_the_legend_explains_no_bar_where_there_are_only_words_in_the_colour_of_one():
    system = System("post")

    @system.service("mail").on(Placed)
    def post(event):
        pass

    async def one(ctx):
        with suppress(PublishFailed):
            await ctx.publish(Placed(order="o1"))

    picture = timeline(simulate(system, one, faults=["fail client.publish.Placed #1"]))
    caption = " ".join(label.text for label in picture.scene.labels if label.kind == "caption")
    assert "triangle: failure" in caption and "bar:" not in caption and "red:" not in caption

"""A broker keeps its word: what it has confirmed has its place, and a publisher waits until it knows."""

import pytest
from postoffice import Posted, office, play, told

from edalab import Command, Event, Misuse, PublishFailed, System, claims, cut, pause, simulate
from edalab.sim import ACTIONS, Fault
from edalab.sim import faults as table


class Printed(Event, topic="sheets", key="book"):
    book: str = "b"
    n: int = 0


class Print(Command, key="book"):
    book: str = "b"
    n: int = 0


def records(run, topic: str) -> list[str]:
    """The ids in a log, in the order of their offsets."""
    return [e.id for partition in run._world.channels[topic].partitions for e in partition]


def press(work, **topic):
    """A service that does `work(command, ctx)` for each Print."""
    system = System("works")
    system.topic("sheets", **topic)
    service = system.service("press", schema="create table pages (n integer)")
    service.handles(Print)(work)

    @service.every(0.1)  # whose points crash the press while it waits
    def look_round():
        pass

    return system


def filed(system):
    """The same with an archive that keeps what is printed."""

    @system.service("archive", schema="create table pages (n integer)").on(Printed)
    def file(event, ctx):
        with ctx.database as db:
            db.execute("insert into pages values (?)", (event.n,))

    return system


async def print_two(command, ctx):
    await ctx.publish(Printed(n=1))
    ctx.note("first confirmed")
    await ctx.publish(Printed(n=2))


async def one_print(ctx):
    await ctx.send(Print())


def printing(work=print_two, faults=(), **topic):
    return simulate(press(work, **topic), one_print, faults=faults)


# -- delay, duplicate, unconfirmed


@pytest.mark.parametrize(
    ("fault", "confirmed", "ids"),
    [
        ("delay press.publish.Printed", 1030, ["press-1", "press-2"]),
        ("delay press.publish.Printed for 3 s", 3030, ["press-1", "press-2"]),
        ("duplicate press.publish.Printed", 530, ["press-1", "press-1", "press-2"]),
        ("unconfirmed press.publish.Printed", 140, ["press-1", "press-2", "press-3"]),
        ("fail press.publish.Printed", 140, ["press-2", "press-3"]),
    ],
)
def test_a_confirming_topic_holds_its_publisher_up_and_keeps_the_order(fault, confirmed, ids):
    run = printing(faults=[fault])
    assert told(run, "note") == [f"{confirmed} press.note Print/{1 + (ids[-1] == 'press-3')}"]
    assert records(run, "sheets") == ids


@pytest.mark.parametrize("down", ["", " for 0.1 s"])
def test_a_replica_that_crashes_before_the_resend_leaves_one_record(down):
    faults = ["duplicate press.publish.Printed", f"crash press.handle.look_round #1{down}"]
    assert records(printing(faults=faults), "sheets") == ["press-1", "press-2", "press-3"]


def test_one_that_is_cut_off_before_the_resend_is_in_doubt():
    run = printing(faults=["duplicate press.publish.Printed", cut("press", 0.3, 0.9)])
    assert records(run, "sheets") == ["press-1", "press-2", "press-3"]
    assert [type(failure.error) for failure in run.failures] == [PublishFailed]
    assert [failure.time for failure in run.failures] == [530]


def test_one_that_stands_still_sends_again_when_it_goes_on():
    run = printing(faults=["duplicate press.publish.Printed", pause("press", 0.3, 3)])
    assert told(run, "note") == ["3010 press.note Print/1"]
    assert records(run, "sheets") == ["press-1", "press-1", "press-2"]


def test_no_confirmation_of_a_delayed_message_reaches_one_that_is_cut_off():
    run = printing(faults=["delay press.publish.Printed", cut("press", 0.5, 1.5)])
    assert [(failure.time, type(failure.error)) for failure in run.failures] == [
        (1030, PublishFailed)
    ]
    assert "press-1" in records(run, "sheets")


def test_a_crash_after_the_hand_over_takes_no_delayed_message_back():
    faults = ["delay press.publish.Printed", "crash press.handle.look_round #1"]
    run = printing(faults=faults)
    assert records(run, "sheets") == ["press-1", "press-2", "press-3"]


def test_a_delayed_timer_is_due_as_long_after_it_was_stored():
    async def remind(ctx):
        await ctx.send(Print(), after=5)

    run = simulate(press(print_two), remind, faults=["delay client.publish.Print"])
    assert told(run, "deliver") == ["6020 press.deliver Print/1"]


def test_a_returned_message_that_is_not_confirmed_has_all_of_them_published_again():
    def both(command):
        return [Printed(n=1), Printed(n=2)]

    run = printing(both, ["unconfirmed press.publish.Printed #2"])
    assert records(run, "sheets") == [f"press-{n}" for n in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("do", "outcome"), [("fail", "holds"), ("unconfirmed", "broken"), ("duplicate", "broken")]
)
def test_claims_count_what_was_stored_and_know_a_second_publish_of_one_fact(do, outcome):
    async def print_until_confirmed(command, ctx):
        for _ in range(2):
            try:
                return await ctx.publish(Printed())
            except PublishFailed:
                pass

    system = filed(press(print_until_confirmed))
    run = simulate(system, one_print, faults=[f"{do} press.publish.Printed"])
    assert run.check(claims.handled_once(Printed)).outcome == outcome
    assert run.check(claims.no_event_lost(Printed)).outcome == "holds"


def test_the_order_of_events_is_that_of_their_offsets_and_not_of_their_hand_over():
    async def print_one(command, ctx):
        await ctx.publish(Printed(n=2))

    async def print_and_publish(ctx):
        await ctx.send(Print())
        await ctx.publish(Printed(n=1))

    system = filed(press(print_one))
    run = simulate(system, print_and_publish, faults=["delay client.publish.Printed"])
    assert [s.envelope.data.n for s in run.journal if s.envelope.type == "Printed"][:2] == [1, 2]
    assert run.rows("archive", "select n from pages") == [(2,), (1,)]
    assert run.check(claims.in_order_per_key(Printed)).outcome == "holds"


# -- who does not wait


async def print_in_a_transaction(command, ctx):
    with ctx.database as db:
        try:
            await ctx.publish(Printed(n=1))
        except PublishFailed as error:
            ctx.note(str(error))
        await ctx.publish(Printed(n=2))
        db.execute("insert into pages values (1)")


@pytest.mark.parametrize(
    ("do", "ids", "notes"),
    [
        ("delay", ["press-2", "press-1"], 0),
        ("duplicate", ["press-1", "press-2", "press-1"], 0),
        ("unconfirmed", ["press-1", "press-2"], 1),
        ("fail", ["press-2"], 1),
    ],
)
def test_a_publish_in_a_transaction_is_not_waited_for(do, ids, notes):
    run = printing(print_in_a_transaction, [f"{do} press.publish.Printed"])
    assert told(run, "publish", "save", "note", service="press") == [
        f"20 press.publish Printed {do}",
        *["20 press.note Print/1"] * notes,
        "20 press.publish Printed",
        "20 press.save Print/1",
    ]
    assert records(run, "sheets") == ids


@pytest.mark.parametrize(
    ("do", "ids"),
    [
        ("delay", ["press-2", "press-1"]),
        ("duplicate", ["press-1", "press-2", "press-1"]),
        ("lose", ["press-2"]),
    ],
)
def test_a_topic_that_does_not_confirm_is_not_waited_for(do, ids):
    run = printing(faults=[f"{do} press.publish.Printed"], confirms=False)
    assert told(run, "note") == ["20 press.note Print/1"] and records(run, "sheets") == ids


def test_a_cut_loses_silently_what_nobody_confirms():
    system = System("works")
    system.topic("sheets", confirms=False)

    @system.service("press").handles(Print, delivery="at-most-once")
    async def print_later(command, ctx):
        await ctx.sleep(0.1)
        await print_two(command, ctx)

    @system.service("archive").on(Printed)
    def file(event):
        pass

    run = simulate(system, one_print, faults=[cut("press", 0.05, 0.5)])
    assert told(run, "publish", service="press") == ["120 press.publish Printed lose"] * 2
    assert not run.failures and [str(f) for f in run.faults] == ["cut press from 0.05 s to 0.5 s"]
    assert run.check(claims.no_event_lost(Printed)).outcome == "broken"


# -- several publishes in flight


async def print_without_waiting(command, ctx):
    await ctx.publish(Printed(n=1), wait=False)
    ctx.note("on its way")
    await ctx.publish(Printed(n=2), wait=False)


def test_publishes_in_flight_may_overtake_each_other_and_the_handling_ends_after_the_last():
    run = printing(print_without_waiting)
    assert told(run, "note", "ack") == ["20 press.note Print/1", "30 press.ack Print/1"]
    assert records(run, "sheets") == ["press-1", "press-2"]
    late = printing(print_without_waiting, ["delay press.publish.Printed #1"])
    assert told(late, "note", "ack") == ["20 press.note Print/1", "1030 press.ack Print/1"]
    assert records(late, "sheets") == ["press-2", "press-1"]


@pytest.mark.parametrize(
    ("do", "ids"),
    [
        ("fail", ["press-2", "press-3", "press-4"]),
        ("unconfirmed", [f"press-{n}" for n in (1, 2, 3, 4)]),
    ],
)
def test_one_in_flight_that_fails_fails_the_handling(do, ids):
    run = printing(print_without_waiting, [f"{do} press.publish.Printed #1"])
    assert records(run, "sheets") == ids
    assert told(run, "retry", "ack") == ["30 press.retry Print/1", "140 press.ack Print/2"]


def test_one_in_flight_that_fails_also_fails_a_handler_that_returns_or_raises():
    async def and_return(command, ctx):
        await ctx.publish(Printed(n=1), wait=False)
        return Printed(n=2)

    async def and_raise(command, ctx):
        await ctx.publish(Printed(n=1), wait=False)
        raise ValueError

    run = printing(and_return, ["fail press.publish.Printed #1"])
    assert records(run, "sheets") == ["press-2", "press-3"]
    raised = printing(and_raise, ["delay press.publish.Printed #1"]).failures[0]
    assert (raised.time, type(raised.error)) == (1030, ValueError)


def test_a_crash_or_a_pause_meets_publishes_in_flight_like_any_others():
    slow = "delay press.publish.Printed #1"
    run = printing(print_without_waiting, [slow, "crash press.handle.look_round #1"])
    assert records(run, "sheets") == ["press-2", "press-1", "press-3", "press-4"]
    run = printing(print_without_waiting, [slow, pause("press", 0.5, 3)])
    assert told(run, "ack") == ["3000 press.ack Print/1"]


def test_publishes_may_be_among_several_calls_at_once():
    async def all_at_once(command, ctx):
        calls = ctx.publish(Printed(n=1), wait=False), ctx.publish(Printed(n=2)), ctx.sleep(0.1)
        ctx.note(str(await ctx.all(*calls)))

    run = printing(all_at_once, ["delay press.publish.Printed #1"])
    assert records(run, "sheets") == ["press-2", "press-1"]
    assert told(run, "note", "ack") == ["120 press.note Print/1", "1030 press.ack Print/1"]


# -- actions


def test_a_topic_has_the_faults_of_its_kind():
    silent, loud = press(print_two, confirms=False), press(print_two)
    for do in ("fail", "unconfirmed"):
        with pytest.raises(Misuse, match="confirms=False does not say that a publish failed"):
            simulate(silent, one_print, faults=[f"{do} press.publish.Printed"])
    with pytest.raises(Misuse, match="declared with confirms=False; here it can `fail`"):
        simulate(loud, one_print, faults=["lose press.publish.Printed"])


@pytest.mark.parametrize("step", [step for step in ACTIONS if step not in ("ask", "reply")])
def test_a_step_takes_no_action_that_it_does_not_know_for_another(step, monkeypatch):
    monkeypatch.setitem(table.ACTIONS, step, (*ACTIONS[step], "melt"))
    monkeypatch.setattr("edalab.sim.plan.ORDER", ("melt",))
    at = {"publish": "post.publish.Stamped", "ack": "press.ack.Print"}
    fault = Fault("melt", at.get(step, f"post.{step}.Posted"))
    with pytest.raises(Misuse, match="melt"):
        printing(faults=[fault]) if step == "ack" else play(office(), Posted(), faults=[fault])

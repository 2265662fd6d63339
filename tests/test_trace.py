"""What the trace of a run says of messages on their way and of services out of reach."""

import pytest
from test_timeline import Paid, Pay, Placed, Price, customers, shop

from edalab import Event, PublishFailed, System, cut, pause, simulate
from edalab.sim.faults import ACTIONS
from edalab.trace.faults import FAULTS
from edalab.trace.spans import Trace
from edalab.view import timeline
from edalab.view.drawn import Drawn
from edalab.view.excerpt import choose


class Seen(Event, topic="seen", key="order"):
    order: str


def traffic(faults=(), number=1, system=None):
    return Trace.of(simulate(system or shop(), customers(number), faults=list(faults))).traffic


def of_type(found, type_):
    return [transfer for transfer in found.transfers if transfer.envelope.type == type_.__name__]


def test_every_action_has_a_meaning_and_a_column():
    actions = {action for actions in ACTIONS.values() for action in actions}
    rows = {name for name, fault in FAULTS.items() if fault.column}
    assert actions == rows, "give it a row in FAULTS, in edalab/trace/faults.py"


def arrivals(found, transfer):
    return [at for number, at in found.arrival_at.items() if found.of_step[number] is transfer]


def test_a_message_is_one_transfer_from_its_sender_to_the_spans_that_handle_it():
    found = traffic()
    (placed,), (pay,), (price,) = (of_type(found, type_) for type_ in (Placed, Pay, Price))
    (sender,), span_of = arrivals(found, placed), found.trace.sent_in
    assert span_of[placed.sent] is None and span_of[pay.sent] is sender.span
    assert price.question and span_of[price.sent] is arrivals(found, pay)[0].span
    ((heard, answered),) = found.answer_at.items()
    assert found.of_step[heard] is found.of_step[answered] is price
    assert of_type(found, Paid)[0].unreceived and not placed.unreceived


@pytest.mark.parametrize(
    ("fault", "reached"),
    [("fail", False), ("delay", True), ("duplicate", True)],
)
def test_a_fault_on_publishing_says_whether_the_message_reached_the_broker(fault, reached):
    found = traffic([f"{fault} client.publish.Placed #1"])
    (placed,) = of_type(found, Placed)
    assert placed.fault == fault and placed.reached_broker == reached
    assert bool(arrivals(found, placed)) == reached


def test_a_publish_that_a_crash_prevented_is_no_transfer():
    found = traffic(["crash orders.publish.Pay #1"])
    (crash,) = found.prevented_by
    journal = found.trace.run.journal
    assert (journal[crash].step, journal[found.prevented_by[crash]].step) == ("crash", "publish")
    assert found.span_of[crash].envelope.type == "Placed"
    assert len(of_type(found, Pay)) == 1, "that of the second attempt"


def test_a_message_that_comes_again_arrives_twice():
    found = traffic(["crash orders.commit.Placed #1"])
    first, second = arrivals(found, of_type(found, Placed)[0])
    assert (first.again, second.again, second.previous) == (False, True, first.span)
    found = traffic(["delay orders.deliver.Placed #1"])
    assert [arrival.late for arrival in arrivals(found, of_type(found, Placed)[0])] == [True]


@pytest.mark.parametrize("queue", [False, True])
def test_a_message_that_is_published_again_before_it_arrives_is_two_transfers(queue):
    system = System("shop")
    (system.queue if queue else system.topic)("seen")
    mail = system.service("mail")

    @system.service("orders").on(Placed)
    async def announce(event, ctx):
        envelope = ctx.envelope(Seen(order=event.order))
        try:
            await ctx.publish(envelope)
        except PublishFailed:
            await ctx.publish(envelope)

    @mail.on(Seen)
    def tell(event):
        """One mail."""

    found = traffic(["unconfirmed orders.publish.Seen #1"], system=system)
    first, second = of_type(found, Seen)
    assert first.envelope.id == second.envelope.id and first.fault == "unconfirmed"
    (early,), (late,) = arrivals(found, first), arrivals(found, second)
    assert (early.again, late.again, late.previous) == (False, True, early.span)
    drawn = Drawn(choose(found.trace.run))
    ways = [hop for hop in drawn.hops if hop.target and hop.target.service == "mail"]
    assert len({(link.source.time, link.target.start) for link in ways}) == 2
    assert [link.source.time for link in ways] == sorted({link.source.time for link in ways})


def test_a_dropped_delivery_is_a_loss_and_the_next_one_comes_again():
    found = traffic(["drop orders.deliver.Placed #1"])
    (placed,) = of_type(found, Placed)
    assert [found.trace.run.journal[number].step for number in placed.losses] == ["deliver"]
    assert [(arrival.again, arrival.previous) for arrival in arrivals(found, placed)] == [
        (True, None)
    ]


def test_outages_say_when_a_replica_was_down_stood_still_or_was_cut_off():
    faults = [pause("payments", 0.05, 0.4), cut("orders", 0.5, 0.7)]
    found = traffic([*faults, "crash payments.ack.Pay #1"], number=9)
    outages = list(found.outages.values())
    assert [(outage.kind, outage.service) for outage in outages] == [
        ("pause", "payments"),
        ("down", "payments"),
        ("cut", "orders"),
    ]
    assert [(outage.start, outage.end) for outage in outages][::2] == [(50, 400), (500, 700)]
    run = simulate(shop(), customers(9), faults=["crash payments.ack.Pay #1"], until=0.5)
    assert [outage.end for outage in Trace.of(run).traffic.outages.values()] == [None]


class Saved(Event, key="order"):
    order: str


def saves_and_crashes():
    """A run in which a save is followed by a crash before the publish."""
    system = System("shop")
    store = system.service("store", schema="create table o (id text primary key)")

    @store.on(Placed)
    async def keep(event, ctx):
        with ctx.database as db:
            db.execute("insert or ignore into o values (?)", (event.order,))
        await ctx.sleep(0.01)
        await ctx.publish(Saved(order=event.order))

    faults = ["crash store.publish.Saved #1"]
    return simulate(system, customers(1), faults=faults)


def test_a_save_before_a_crash_is_drawn_whatever_the_cursor():
    run = saves_and_crashes()
    times = [0, *sorted({step.time / 1000 for step in run.journal}), run.end / 1000 + 1]
    for time in times:
        scene = timeline(run, cursor=time).scene
        assert [bar.kind for bar in scene.bars].count("saved") == 1, time
        assert "crash" in [mark.kind for mark in scene.marks]


def test_a_part_of_a_run_draws_a_save_before_a_crash_whatever_comes_later():
    run = saves_and_crashes()
    saved = next(step.time for step in run.journal if step.step == "save")
    for time in sorted({step.time for step in run.journal if step.time >= saved}):
        scene = timeline(run, start=0, end=time / 1000).scene
        assert "saved" in [bar.kind for bar in scene.bars], time

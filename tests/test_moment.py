"""A moment of a run, as the flow shows it: what is on its way, what waits, and how the services are."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from systems import story
from test_timeline import customers, shop

from edalab import simulate
from edalab.errors import Endless
from edalab.sim.context import Context
from edalab.text import counted
from edalab.trace.flights import Flights
from edalab.trace.moment import WorldMoments
from edalab.trace.spans import Trace
from edalab.view.flow_moment import FlowMoments


@pytest.fixture(autouse=True, scope="module")
def no_delayed_commands():
    """One sent with `after=` waits until it is due, in a moment as in the picture of it."""
    send = Context.send
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Context, "send", lambda self, command, after=0: send(self, command))
        yield


def run_of(number: int, seed: int):
    system, workload, _, plan = story(Random(number))
    try:
        return simulate(system, workload, seed=seed, faults=plan)
    except Endless as endless:
        return endless.run


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10**6), st.integers(0, 5), st.lists(st.floats(0, 1), min_size=2, max_size=4))
def test_flow_and_state_agree_at_every_moment(number, seed, shares):
    run = run_of(number, seed)
    flow = FlowMoments(run)
    times = sorted({step.time for step in run.journal})
    found = (times[int(share * (len(times) - 1))] for share in shares)
    for time in (one + more for one in found for more in (0, 3)):
        boxes = {box.tip.split(":")[0]: box for box in flow.at(time).scene.bars}
        for name, service in run.at(time / 1000).services.items():
            tip, where = boxes[name].tip, (number, seed, time, name)
            assert tip.endswith(f", {counted(service.lag, 'message')} not committed"), where
            assert (boxes[name].kind == "down") == any(not one.up for one in service.replicas)
            at_work = [
                e.type
                for one in service.handling()
                if not one.replica.paused
                for e in [one.envelope]
            ]
            if boxes[name].kind == "busy":
                words = at_work[0] if len(at_work) == 1 else f"{len(at_work)} at work"
                assert words in tip or f"{service.in_line:,} in line" in tip, where


def test_messages_are_seen_on_each_way_they_make():
    run = simulate(shop(), customers(1))
    found, times = WorldMoments(run), [step.time for step in run.journal]
    seen = {
        (flight.kind, flight.source, flight.target)
        for time in range(times[-1])
        for flight in found.at(time).flights
    }
    assert {
        ("publish", "client", None),
        ("deliver", None, "orders"),
        ("publish", "orders", None),
        ("deliver", None, "payments"),
        ("ask", "payments", "orders"),
        ("reply", "orders", "payments"),
    } <= seen


def test_a_message_is_half_way_at_half_of_the_time_and_one_that_is_lost_stays_there():
    run = simulate(shop(), customers(1), faults=["drop payments.ask.Price #1"])
    flights = Flights(Trace.of(run)).every
    placed = flights[0]
    assert (placed.start, placed.end, placed.share(placed.start + 5)) == (0, 10, 0.5)
    (asked, *_) = (flight for flight in flights if flight.kind == "ask")
    assert asked.stopped and asked.share(asked.end - 1) == 0.5

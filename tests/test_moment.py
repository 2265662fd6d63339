"""The world at a moment as it is looked up in a trace, against the world that is played to that moment."""

from collections import Counter
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from systems import story
from test_timeline import customers, shop

from edalab import simulate
from edalab.errors import Endless
from edalab.sim.clock import PUBLISH
from edalab.sim.context import Context
from edalab.trace.flights import Flights
from edalab.trace.moment import Moments
from edalab.trace.spans import Trace

SMALL = 2_000  # steps: longer runs are not played again for each moment


@pytest.fixture(autouse=True, scope="module")
def no_delayed_commands():
    """One sent with `after=` waits until it is due, in a moment as in the picture of it."""
    send = Context.send
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Context, "send", lambda self, command, after=0: send(self, command))
        yield


def run_of(number: int):
    system, workload, seed, plan = story(Random(number))
    try:
        return simulate(system, workload, seed=seed, faults=plan)
    except Endless as endless:
        return endless.run


def moments(run, shares):
    """Some moments of a run, those at which something happened and those between."""
    times = sorted({step.time for step in run.journal})
    for share in shares:
        time = times[int(share * (len(times) - 1))]
        yield from (time, time + 3)


def check_services(run, shares):
    """Compare the services, and return how far the lag of each is off."""
    found, off = Moments(run), []
    for time in moments(run, shares):
        world, moment = run.at(time / 1000), found.at(time)
        sent = [
            flight
            for flight in Flights(Trace.of(run)).every
            if flight.kind == "publish" and flight.start <= time < flight.end + 3 * PUBLISH
        ]
        for name, service in world.services.items():
            state, where = moment.services[name], (time, name)
            assert state.down == {one.number for one in service.replicas if not one.up}, where
            assert state.paused == {one.number for one in service.replicas if one.paused}, where
            assert state.cut == service.cut, where
            handled = Counter(span.envelope.id for span in state.handling)
            assert handled == Counter(envelope.id for envelope in service.in_flight), where
            off.append((abs(state.lag - service.lag), len(sent)))
    return off


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10**6), st.lists(st.floats(0, 1), min_size=1, max_size=3))
def test_a_moment_is_as_the_world_was_then(number, shares):
    run = run_of(number)
    if len(run.journal) < SMALL:
        for off, sent in check_services(run, shares):
            # With another seed the record does not say when exactly the broker stored a message.
            assert off <= (sent if run.seed else 0)


def test_messages_are_seen_on_each_way_they_make():
    run = simulate(shop(), customers(1))
    found, times = Moments(run), [step.time for step in run.journal]
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

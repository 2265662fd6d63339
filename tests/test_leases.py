"""A tick with a lease: one leader, another one when the lease has run out, and two at once when the first wakes up."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edalab import Event, Faults, Misuse, System, pause, scale, simulate
from edalab.view import timeline


class Sent(Event, topic="sent"):
    n: int


SCHEMA = "create table outbox (n integer primary key, sent bool default false);"
SCHEMA += "create table fence (token int); insert into fence values (0)"


def relays(lease=3, replicas=2, fenced=False, rows=3, wait=0.5):
    """Several replicas whose relay sends the rows of an outbox, one after the other, and waits between two."""
    system = System("shop")
    rows = f"insert into outbox (n) values {', '.join(f'({n})' for n in range(1, rows + 1))}"
    orders = system.service("orders", replicas=replicas, schema=f"{SCHEMA}; {rows}")

    def is_newest(ctx):
        with ctx.database as db:
            sql = "update fence set token = ? where token <= ?"
            return db.execute(sql, (ctx.lease, ctx.lease)).rowcount

    @orders.every(1, lease=lease)
    async def relay(ctx):
        token = ctx.lease
        with ctx.database as db:
            waiting = db.execute("select n from outbox where not sent order by n").fetchall()
        for (n,) in waiting:
            await ctx.sleep(wait)
            assert ctx.lease == token
            ctx.note(f"lease {token}")
            if fenced and not is_newest(ctx):
                return
            await ctx.publish(Sent(n=n))
            with ctx.database as db:
                db.execute("update outbox set sent = true where n = ?", (n,))

    return system


async def nothing(ctx):
    await ctx.sleep(12)


def sent(run):
    return [(s.replica, s.envelope.data.n) for s in run.journal if s.step == "publish"]


def takeovers(run):
    return [(s.time, s.replica, s.detail) for s in run.journal if s.step == "takeover"]


def test_a_leader_that_stands_still_loses_its_lease_and_two_runs_are_under_way_at_once():
    run = simulate(relays(), nothing, faults=[pause("orders", 1.7, 6.2)])
    assert takeovers(run) == [(5000, 2, "relay from replica 1")]
    # The first replica wakes up and publishes what it read before.
    assert sent(run) == [(1, 1), (2, 2), (2, 3), (1, 2), (1, 3)]


def test_a_fence_stops_the_old_leader():
    run = simulate(relays(fenced=True), nothing, faults=[pause("orders", 1.7, 6.2)])
    assert sent(run) == [(1, 1), (2, 2), (2, 3)]


def test_a_short_pause_and_a_crash_that_is_soon_over_change_no_leader():
    faults = [pause("orders", 1.7, 4.6), "crash orders.publish.Sent #2"]
    run = simulate(relays(), nothing, faults=faults)
    assert takeovers(run) == [] and {replica for replica, _ in sent(run)} == {1}


def test_a_leader_that_is_down_for_long_is_replaced_after_the_lease():
    run = simulate(relays(), nothing, faults=["crash orders.handle.relay #2 for 9 s"])
    crash = next(s.time for s in run.journal if s.step == "crash")
    assert takeovers(run) == [(crash + 3000, 2, "relay from replica 1")]


def test_a_leader_that_leaves_gives_its_lease_back_when_its_run_has_ended():
    run = simulate(relays(), nothing, faults=[scale("orders", 3, at=0.1), pause("orders", 0.2, 5)])
    assert [s.replica for s in run.journal if s.step == "handle"][:3] == [2, 2, 2]
    system = relays(replicas=3)
    faults = [pause("orders", 0.2, 9, replica=1), pause("orders", 0.2, 9, replica=2)]
    run = simulate(system, nothing, faults=[*faults, scale("orders", 1, at=1.1)])
    left = next(s.time for s in run.journal if s.step == "leave")
    assert [s.replica for s in run.journal if s.step == "handle" and s.time > left][:1] == [1]
    assert takeovers(run) == [(9000, 1, "relay from replica 3")]


def test_without_others_a_paused_leader_keeps_its_lease():
    run = simulate(relays(replicas=1), nothing, faults=[pause("orders", 1.7, 6.2)])
    assert takeovers(run) == [] and sent(run) == [(1, 1), (1, 2), (1, 3)]


@given(
    st.integers(1, 3),
    st.sampled_from([0.5, 1, 2.5]),
    st.lists(st.tuples(st.integers(1, 3), st.floats(0, 8), st.floats(0.1, 6)), max_size=3),
    st.integers(0, 3),
    st.floats(0, 0.2),
)
def test_the_record_shows_who_had_the_lease(replicas, lease, pauses, seed, rate):
    """Read again: who is up and goes on, since when the others do not, and who may run the tick."""
    windows = [
        pause("orders", start, start + lasts, replica=one)
        for one, start, lasts in pauses
        if one <= replicas
    ]
    faults = [*windows, Faults(crash=rate, fail=rate)]
    run = simulate(relays(lease, replicas), nothing, seed=seed, faults=faults)
    stopped, leader, token, running = {}, None, 0, {}
    for s in run.journal:
        if s.step in ("crash", "pause"):
            stopped[s.replica] = s.time
        elif s.step in ("restart", "resume"):
            stopped.pop(s.replica)
        if s.step == "crash":
            running = {id: one for id, one in running.items() if one[0] != s.replica}
        if s.step == "takeover":
            assert s.time - stopped[leader] >= lease * 1000 and s.replica not in stopped
            assert s.detail == f"relay from replica {leader}"
            leader, token = s.replica, token + 1
        elif s.step == "handle":
            leader, token = leader or s.replica, token or 1
            assert s.replica == leader
            assert token not in [one[1] for one in running.values()]  # one run of each lease
            running[s.envelope.id] = s.replica, token
        elif s.step == "note":
            assert s.detail == f"lease {running[s.envelope.id][1]}"
        elif s.step in ("done", "failure"):
            assert running.pop(s.envelope.id)[0] == s.replica
    assert {n for _, n in sent(run)} == {1, 2, 3} or run.failures


def test_the_timeline_shows_who_takes_over_and_the_trace_of_the_run_can_be_exported():
    run = simulate(relays(), nothing, faults=[pause("orders", 1.7, 6.2)])
    assert "takes over relay" in timeline(run).svg() and '"takeover"' in run.otlp()
    assert run.digest == simulate(relays(), nothing, faults=[pause("orders", 1.7, 6.2)]).digest


@pytest.mark.parametrize("lease", [0, -1, "3", True, 2e9])
def test_a_wrong_lease_is_refused(lease):
    says = re.escape("orders.every: lease= takes seconds of at least 0.001")
    with pytest.raises(Misuse, match=says):
        relays(lease)


def test_a_tick_without_a_lease_has_no_token():
    with pytest.raises(Misuse, match=r"ctx.lease, .* write @orders.every\(1, lease=3\)"):
        simulate(relays(None), nothing)

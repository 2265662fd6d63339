"""What topics and queues share: a message that expires before it is handed over is passed over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edalab import Command, Event, Faults, Misuse, PublishFailed, System, claims, simulate
from edalab.view import flow, lag, timeline


class Offered(Event, topic="offers", key="product"):
    product: str
    seconds: float | None = None


class Parcel(Event, topic="parcels"):
    seconds: float | None = None


class Call(Command):
    after: float
    seconds: float | None = None


def shop(commit_every=1):
    system = System("shop")
    system.topic("offers", partitions=2)
    system.queue("parcels")
    for name, delivery in (("web", "at-least-once"), ("till", "at-most-once")):
        service = system.service(name, replicas=2)
        often = {"commit_every": commit_every} if name == "web" else {}

        @service.on(Offered, delivery=delivery, **often)
        async def show(event, ctx):
            await ctx.sleep(0.2)

        @service.on(Parcel)
        async def carry(event, ctx):
            await ctx.sleep(0.2)

    @system.services["web"].handles(Call)
    async def call(command, ctx):
        await ctx.sleep(0.2)

    return system


def workload(messages):
    async def all_of_them(ctx):
        for message in messages:
            try:
                if isinstance(message, Call):
                    await ctx.send(message, after=message.after, expires=message.seconds)
                else:
                    await ctx.publish(message, expires=message.seconds)
            except PublishFailed:
                ctx.note("not confirmed")

    return all_of_them


SECONDS = st.none() | st.integers(0, 30).map(lambda tenths: tenths / 10)
MESSAGES = st.lists(
    st.builds(Offered, product=st.sampled_from("abc"), seconds=SECONDS)
    | st.builds(Parcel, seconds=SECONDS)
    | st.builds(Call, after=st.sampled_from([0.0, 0.5]), seconds=SECONDS),
    min_size=1,
    max_size=12,
)
RATES = st.sampled_from([0, 0.1, 0.3])


@given(MESSAGES, st.integers(0, 3), RATES, st.sampled_from([1, 3]))
def test_what_is_handed_over_is_in_time_and_what_expires_is_not(messages, seed, rate, every):
    faults = [Faults(drop=rate, delay=rate, duplicate=rate, crash=rate / 2, fail=rate)]
    run = simulate(shop(every), workload(messages), seed=seed, faults=faults)
    deadline, gone, expired, finished = {}, set(), set(), set()
    for s in run.journal:
        if s.envelope is None or s.envelope.data is None:
            continue
        data, id = s.envelope.data, s.envelope.id
        place = (s.service, s.partition, s.offset) if s.partition is not None else id
        if s.step == "publish" and data.seconds is not None:
            seconds = data.seconds + getattr(data, "after", 0)
            deadline[id] = s.time + round(seconds * 1000)
        elif s.step == "deliver":
            assert s.time <= deadline.get(id, s.time) and place not in gone, s
        elif s.step == "expired":
            late = s.time - deadline[id]
            assert late > 0 and s.fault is None and place not in gone, s
            assert s.detail == f"{late / 1000:g} s too late"
            expired.add((s.service, id))
            if s.partition is not None or not rate:  # a queue may hold a message twice
                gone.add(place)
        elif s.step in ("commit", "ack", "done") and s.fault is None:
            finished.add((s.service, id))
    if not rate:
        assert all(service.lag == 0 for service in run._world.services.values())
    verdict = run.check(claims.no_event_lost(Offered))
    if lost := {pair for pair in expired - finished if pair[1] in offers(run)}:
        assert verdict.outcome == "broken"
    if not rate and offers(run):
        assert (verdict.outcome == "broken") == bool(lost)
        assert ("expired before" in str(verdict)) == bool(lost)


def offers(run):
    return {s.envelope.id for s in run.journal if s.envelope and s.envelope.type == "Offered"}


def steps(run, *names):
    return [(s.time, s.service, s.step, s.offset, s.detail) for s in run.journal if s.step in names]


def test_a_log_goes_on_behind_a_message_that_expired_and_a_queue_removes_it():
    offered = [Offered(product="a", seconds=seconds) for seconds in (None, 0.1, None)]
    run = simulate(shop(), workload(offered))
    web = [s for s in steps(run, "deliver", "expired") if s[1] == "web"]
    assert web == [
        (20, "web", "deliver", 0, None),
        (230, "web", "expired", 1, "0.12 s too late"),
        (240, "web", "deliver", 2, None),
    ]
    calls = simulate(
        shop(), workload([Call(after=0.5, seconds=seconds) for seconds in (1, 0.3, 0.1, 0.3)])
    )
    assert [step for _, _, step, *_ in steps(calls, "deliver", "expired")] == [
        "deliver",
        "deliver",
        "expired",
        "deliver",
    ]
    assert not calls._world.channels["web.commands"].open


def test_one_that_was_handed_over_is_tried_again_in_a_log_however_late():
    faults = ["fail web.handle.Offered #1", "fail web.handle.Offered #2"]
    run = simulate(shop(), workload([Offered(product="a", seconds=0.05)]), faults=faults)
    assert [s.time for s in run.journal if s.step == "commit" and s.service == "web"] == [520]
    again = simulate(
        shop(),
        workload([Offered(product="a", seconds=0.05)]),
        faults=["crash web.handle.Offered #1"],
    )
    assert (1030, "web", "expired", 0, "0.98 s too late") in steps(again, "expired")


def test_without_expires_a_run_is_as_it_was_and_a_long_time_changes_nothing():
    messages = [Offered(product=p) for p in "abcabc"] + [Parcel()] * 3
    calm = simulate(shop(), workload(messages))
    far = [type(m)(**{**m.model_dump(), "seconds": 1e9}) for m in messages]
    late = simulate(shop(), workload(far))
    assert not steps(late, "expired")
    assert steps(late, "deliver", "handle", "commit", "ack") == steps(
        calm, "deliver", "handle", "commit", "ack"
    )


def test_pictures_and_lag_know_it():
    offered = [Offered(product="a", seconds=0.1)] * 3
    run = simulate(shop(), workload(offered))
    assert "4 expired" in repr(flow(run))
    assert "expired: 0.12 s too late" in timeline(run).svg()
    assert "0 left at the end" in repr(lag(run, "web"))
    assert "2 waiting" not in repr(flow(run, at=run.end / 1000))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("10", "publish(expires=) takes seconds, a number, not '10'"),
        (-1, "publish(expires=) takes seconds from 0"),
        (True, "publish(expires=) takes seconds, a number"),
    ],
)
def test_expires_takes_seconds(wrong, says):
    async def offer(ctx):
        await ctx.publish(Offered(product="a"), expires=wrong)

    with pytest.raises(Misuse) as error:
        simulate(shop(), offer)
    assert says in str(error.value)

"""What a broker does not keep: a queue that is full, and a topic whose messages grow old."""

from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edalab import Command, Event, Faults, Misuse, PublishFailed, System, claims, simulate
from edalab.trace.spans import Trace
from edalab.view import compare, flow, lag, timeline


class Ordered(Event, topic="orders", key="product"):
    product: str = "tea"
    takes: float = 0.0


class Pack(Command, topic="parcels"):
    takes: float = 0.0
    nested: bool = False


def shop(retention=None, most=None, overflow=None, replicas=1, partitions=1, prefetch=1):
    system = System("shop")
    system.topic("orders", retention=retention, partitions=partitions)
    system.queue("parcels", max_length=most, overflow=overflow, prefetch=prefetch)
    web = system.service("web", replicas=replicas, schema="create table seen (id text)")

    @web.on(Ordered)
    @web.handles(Pack)
    async def handle(message, ctx):
        await ctx.sleep(message.takes)
        with ctx.database as db:
            db.execute("insert into seen values (?)", (ctx.message.id,))

    return system


def sends(messages, gaps=()):
    async def workload(ctx):
        for number, message in enumerate(messages):
            try:
                await (ctx.send if isinstance(message, Command) else ctx.publish)(message)
            except PublishFailed as error:
                ctx.note(f"{error}{'!' * error.full}")
            if number < len(gaps):
                await ctx.sleep(gaps[number])

    return workload


def steps(run, *names):
    return [(s.time, s.service, s.envelope.id, s.detail) for s in run.journal if s.step in names]


def test_a_full_queue_rejects_and_its_publisher_knows_for_certain():
    run = simulate(shop(most=1), sends([Pack(takes=1)] * 4, [0.05] * 4))
    full = "parcels is full"
    assert steps(run, "rejected") == [
        (130, "client", "client-3", full),
        (190, "client", "client-4", full),
    ]
    notes = [s.detail for s in run.journal if s.step == "note"]
    assert notes == ["the broker rejected Pack: parcels is full!"] * 2
    assert run.rows("web", "select * from seen") == [("client-1",), ("client-2",)]
    assert run.check(claims.no_event_lost(Pack)).outcome == "holds"
    assert not run._world.channels["parcels"].open


@pytest.mark.parametrize(("first", "handled"), [(0, True), (1, False)])
def test_a_doubled_message_is_published_unless_both_copies_are_rejected(first, handled):
    """One place, and a message that takes 3 s before it: then there is room for its first copy, or for none."""
    before = [Pack(takes=3)] * (1 + first)
    faults = [f"duplicate client.publish.Pack #{len(before) + 1}"]
    run = simulate(shop(most=1), sends([*before, Pack()], [0.1] * 3), faults=faults)
    doubled = f"client-{len(before) + 1}"
    rejected = [id for _, _, id, _ in steps(run, "rejected") if id == doubled]
    assert len(rejected) == (1 if handled else 2)
    assert (doubled in [id for _, _, id, _ in steps(run, "handle")]) == handled
    trace = Trace.of(run)
    published = [trace.envelope(number).id for number in trace.published("Pack")]
    assert (doubled in published) == handled
    (transfer,) = [one for one in trace.traffic.transfers if one.envelope.id == doubled]
    assert transfer.reached_broker == handled


def test_drop_oldest_discards_the_one_that_waits_longest_and_nobody_is_told():
    run = simulate(shop(most=1, overflow="drop-oldest"), sends([Pack(takes=1)] * 4, [0.05] * 4))
    full = "parcels is full"
    assert steps(run, "discarded") == [
        (130, "client", "client-2", full),
        (190, "client", "client-3", full),
    ]
    assert run.rows("web", "select * from seen") == [("client-1",), ("client-4",)]
    verdict = run.check(claims.no_event_lost(Pack))
    assert len(verdict.evidence) == 2 and (
        "Pack client-2, published at 0.06 s, was discarded before web got it at 0.13 s (parcels is full)"
        in str(verdict)
    )


def test_in_a_transaction_nobody_hears_of_a_rejection_and_the_claim_does():
    system = shop(most=1)

    class Begin(Command):
        pass

    desk = system.service("desk", schema="create table begun (n integer)")

    @desk.handles(Begin)
    async def begin(command, ctx):
        with ctx.database as db:
            db.execute("insert into begun values (1)")
            for _ in range(3):
                await ctx.send(Pack(takes=1))

    run = simulate(system, sends([Begin()]))
    ((_, service, id, detail),) = steps(run, "rejected")
    assert (service, detail) == ("desk", "parcels is full, and its sender does not hear of it")
    verdict = run.check(claims.no_event_lost(Pack))
    assert f"Pack {id}" in str(verdict) and "was rejected before web got it" in str(verdict)
    later = simulate(shop(most=1), delayed)
    assert steps(later, "rejected")[0][3].endswith("does not hear of it")


async def delayed(ctx):
    for _ in range(3):
        await ctx.send(Pack(takes=1), after=1)


def test_a_redrive_into_a_full_queue_fails_and_the_dead_letter_stays():
    system = System("shop")
    system.queue("parcels", max_length=1, max_attempts=1)
    web = system.service("web")

    @web.handles(Pack)
    async def handle(message, ctx):
        if not message.takes:
            raise ValueError("broken")
        await ctx.sleep(message.takes)

    @web.dead_letters(Pack)
    async def again(message, ctx):
        await ctx.sleep(0.1)
        await ctx.redrive()

    run = simulate(system, sends([Pack(), *[Pack(takes=3)] * 2]))
    assert list(run.dead_letters.state) == ["waiting"]
    assert [s.detail for s in run.journal if s.step == "failure"] == [
        "PublishFailed: the broker rejected Pack: parcels is full; stays in parcels.dlq"
    ]


def test_a_group_that_comes_too_late_loses_what_a_topic_no_longer_keeps():
    run = simulate(shop(retention=1), sends([Ordered(takes=2), *[Ordered()] * 3], [0.5, 0.4, 1]))
    assert steps(run, "discarded") == [
        (2030, "web", "client-2", "removed after 1 s, 1 of 2"),
        (2030, "web", "client-3", "removed after 1 s, 2 of 2"),
    ]
    assert run.rows("web", "select * from seen") == [("client-1",), ("client-4",)]
    (reader,) = run._world.services["web"].readers
    assert reader.committed == 4 and run._world.services["web"].lag == 0
    verdict = run.check(claims.no_event_lost(Ordered))
    assert "client-2" in str(verdict) and "(removed after 1 s, 1 of 2)" in str(verdict)


def test_a_retry_has_its_message_and_a_crash_does_not():
    orders = [Ordered()]
    failed = simulate(
        shop(retention=0.15),
        sends(orders),
        faults=["fail web.handle.Ordered", "fail web.handle.Ordered #2"],
    )
    assert failed.rows("web", "select * from seen") == [("client-1",)]
    crashed = simulate(shop(retention=0.15), sends(orders), faults=["crash web.handle.Ordered"])
    assert steps(crashed, "discarded") == [
        (1030, "web", "client-1", "removed after 0.15 s, 1 of 1")
    ]


def test_without_bounds_a_run_is_as_it_was():
    messages = [Ordered(takes=0.1), Pack(takes=0.1)] * 4
    calm = simulate(shop(), sends(messages))
    wide = simulate(shop(retention=1e6, most=1000, overflow="drop-oldest"), sends(messages))
    assert calm.digest == wide.digest


def test_pictures_know_it():
    kept = simulate(shop(most=1), sends([Pack(takes=1)] * 4))
    lost = simulate(shop(most=1, overflow="drop-oldest"), sends([Pack(takes=1)] * 4))
    late = simulate(shop(retention=1), sends([Ordered(takes=2), *[Ordered()] * 3]))
    assert "2 rejected" in repr(flow(kept)) and "2 discarded" in repr(flow(lost))
    assert "rejected: parcels is full" in timeline(kept).svg()
    assert "discarded: parcels is full" in timeline(lost).svg()
    assert "1 waiting" in repr(flow(kept, at=0.1)) and "1 waiting" in repr(flow(lost, at=0.1))
    assert "waiting" not in repr(flow(kept, at=9)) + repr(flow(lost, at=9)) + repr(flow(late, at=9))
    assert "3 discarded" in repr(flow(late)) and "0 left at the end" in repr(lag(late, "web"))
    assert "parcels" in repr(compare(kept, lost)) or compare(kept, lost)
    for run in (kept, lost, late):
        run.otlp(), run.steps, run.cloudevents()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda s: s.queue("q", max_length=0), "queue 'q': max_length= takes a whole number"),
        (
            lambda s: s.queue("q", max_length=5, overflow="drop"),
            "no overflow 'drop'; overflows: reject, drop-oldest",
        ),
        (
            lambda s: s.queue("q", overflow="reject"),
            "queue 'q': overflow= goes with max_length=, such as",
        ),
        (lambda s: s.topic("t", retention=0), "topic 't': retention= takes seconds from 0.001"),
        (lambda s: s.topic("t", retention="1 day"), "topic 't': retention= takes seconds"),
    ],
)
def test_bounds_are_checked(wrong, says):
    with pytest.raises(Misuse) as error:
        wrong(System("shop"))
    assert says in str(error.value)


# -- an independent reading of the record

TENTHS = st.integers(0, 10).map(lambda tenths: tenths / 10)


@given(
    st.lists(st.tuples(TENTHS, TENTHS), min_size=1, max_size=12),
    st.integers(1, 3),
    st.sampled_from(["reject", "drop-oldest"]),
    st.integers(1, 2),
    st.integers(1, 3),
)
def test_a_queue_never_has_more_that_wait_and_refuses_or_discards_only_where_it_is_full(
    plan, most, overflow, replicas, prefetch
):
    messages, gaps = [Pack(takes=takes) for takes, _ in plan], [gap for _, gap in plan]
    run = simulate(
        shop(most=most, overflow=overflow, replicas=replicas, prefetch=prefetch),
        sends(messages, gaps),
    )
    stored = {s.envelope.id: s.time + 10 for s in run.journal if s.step == "publish"}
    taken = {s.envelope.id: s.time - 10 for s in run.journal if s.step == "deliver"}
    gone = {s.envelope.id: s.time for s in run.journal if s.step in ("rejected", "discarded")}
    assert set(taken) | set(gone) == set(stored) and not set(taken) & set(gone)
    assert {s.step for s in run.journal} & {"rejected", "discarded"} <= {
        "rejected" if overflow == "reject" else "discarded"
    }
    refused = set(gone) if overflow == "reject" else set()
    leaves = {id: taken.get(id, gone.get(id)) for id in stored if id not in refused}
    for id, now in stored.items():
        others = {one: when for one, when in leaves.items() if one != id and stored[one] < now}
        surely = [one for one, when in others.items() if when > now]
        perhaps = [one for one, when in others.items() if when >= now]  # taken at that moment
        if id in refused:
            assert gone[id] == now and len(perhaps) >= most
        elif overflow == "reject":
            assert len(surely) < most
        else:
            victim = [one for one, when in gone.items() if when == now and one in perhaps]
            assert len(surely) - len([v for v in victim if v in surely]) < most
            for one in victim:  # the oldest of those that wait
                assert len(perhaps) >= most and all(stored[one] <= stored[o] for o in surely)
    lost = run.check(claims.no_event_lost(Pack))
    assert (lost.outcome == "broken") == (overflow != "reject" and bool(gone))


RATES = st.sampled_from([0, 0.1, 0.3])


@given(
    st.lists(st.tuples(TENTHS, TENTHS, st.sampled_from("abc")), min_size=1, max_size=12),
    st.sampled_from([0.2, 0.5, 1.0]),
    st.integers(1, 2),
    RATES,
)
def test_what_is_delivered_is_kept_and_what_is_discarded_was_never_read(
    plan, retention, partitions, rate
):
    messages = [Ordered(takes=takes, product=product) for takes, _, product in plan]
    faults = [Faults(crash=rate / 2, fail=rate, drop=rate)]
    run = simulate(
        shop(retention=retention, partitions=partitions),
        sends(messages, [gap for _, gap, _ in plan]),
        faults=faults,
    )
    stored = {
        s.envelope.id: s.time + 10 for s in run.journal if s.step == "publish" and not s.fault
    }
    ends, jumps = Counter(), defaultdict(list)
    committed = defaultdict(int)
    for s in run.journal:
        if s.partition is None:
            continue
        age = s.time - stored[s.envelope.id]
        if s.step == "deliver":
            assert age <= retention * 1000 and s.offset >= committed[s.partition], s
        elif s.step == "discarded":
            assert (
                age > retention * 1000 and s.offset >= committed[s.partition] and s.attempt is None
            )
            committed[s.partition] = s.offset + 1
            ends[s.envelope.id] += 1
            jumps[s.time, s.partition].append(s.detail.split(", ")[1])
        elif s.step == "commit" and s.fault is None:
            committed[s.partition] = s.offset + 1
            ends[s.envelope.id] += 1
    for texts in jumps.values():
        assert texts == [f"{n} of {len(texts)}" for n in range(1, len(texts) + 1)]
    assert set(ends) == set(stored) and set(ends.values()) <= {1}
    assert run._world.services["web"].lag == 0

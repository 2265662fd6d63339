"""What a log can do and a queue cannot: a group that joins late, and one that goes back."""

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edalab import Command, Event, Faults, Misuse, Query, System, claims, rewind, simulate
from edalab.sim import parse_plan
from edalab.view import compare, flow, lag, timeline


class Sold(Event, topic="sales", key="product"):
    product: str = "tea"
    takes: float = 0.0


class Returned(Event, topic="sales", key="product"):
    product: str = "tea"


class Count(Query):
    pass


class Print(Command):
    pass


def shop(partitions=1, retention=None, **late):
    system = System("shop")
    system.topic("sales", partitions=partitions, retention=retention)
    system.service("stock").on(Sold)(ignore)
    reports = system.service("reports", schema="create table seen (id text)", **late)

    @reports.on(Sold)
    async def add(event, ctx):
        await ctx.sleep(event.takes)
        with ctx.database as db:
            db.execute("insert into seen values (?)", (ctx.message.id,))

    @reports.answers(Count)
    def count(query, ctx):
        with ctx.database as db:
            return db.execute("select count(*) from seen").fetchone()[0]

    reports.handles(Print)(ignore)
    return system


def ignore(message):
    """A handler to which nothing happens."""


def sells(count=5, apart=0.5, **fields):
    async def workload(ctx):
        for _ in range(count):
            await ctx.publish(Sold(**fields))
            await ctx.sleep(apart)

    return workload


def seen(run):
    return [int(id.removeprefix("client-")) for (id,) in run.rows("reports", "select id from seen")]


@pytest.mark.parametrize(
    ("starts_at", "read"), [("earliest", [1, 2, 3, 4, 5]), ("latest", [4, 5]), (None, [4, 5])]
)
def test_a_group_that_joins_late_begins_where_it_says(starts_at, read):
    run = simulate(shop(joins=1.2, starts_at=starts_at), sells())
    (step,) = [s for s in run.journal if s.step == "subscribe"]
    assert (step.time, step.service, step.detail) == (
        1200,
        "reports",
        f"from the {starts_at or 'latest'}",
    )
    assert seen(run) == read
    assert not [s for s in run.journal if s.service == "reports" and s.time < 1200]
    assert run.check(claims.no_event_lost(Sold)).outcome == "holds"
    assert run._world.services["reports"].lag == 0 and not run._world.unhandled_events


def test_before_it_joins_a_service_answers_and_its_commands_wait():
    async def workload(ctx):
        await ctx.publish(Sold())
        await ctx.send(Print())
        ctx.note(await ctx.ask(Count()))
        await ctx.sleep(3)
        ctx.note(await ctx.ask(Count()))

    run = simulate(shop(joins=2, starts_at="earliest"), workload)
    assert [s.detail for s in run.journal if s.step == "note"] == ["0", "1"]
    assert [s.time for s in run.journal if s.step == "deliver" and s.service == "reports"] == [
        2010,
        2020,
    ]
    lonely = simulate(shop(joins=9), sells(1))
    assert lonely.end == 9000  # the run waits for it


def test_earliest_is_what_retention_has_kept():
    run = simulate(shop(joins=2.2, starts_at="earliest", retention=1), sells())
    assert seen(run) == [4, 5] and not [s for s in run.journal if s.step == "discarded"]


def test_a_group_goes_back_and_handles_again_what_is_kept():
    run = simulate(shop(), sells(), faults=[rewind("reports", at=20, to=1)])
    assert seen(run) == [1, 2, 3, 4, 5, 3, 4, 5]
    (step,) = [s for s in run.journal if s.step == "rewind"]
    assert (step.time, step.partition, step.offset) == (20_000, 0, 2)
    assert step.detail == "sales partition 0 from offset 5"
    assert [s.service for s in run.journal if s.time > 19_000 and s.step == "handle"] == [
        "reports"
    ] * 3
    assert {s.attempt for s in run.journal if s.step == "handle"} == {1}
    verdict = run.check(claims.handled_once(Sold))
    assert verdict.outcome == "broken" and "client-3 twice" in str(verdict)
    kept = simulate(shop(retention=19), sells(), faults=[rewind("reports", at=20)])
    assert seen(kept) == [1, 2, 3, 4, 5, 3, 4, 5] and "rewind reports to 0 s at 20 s" in repr(kept)


def test_a_message_in_hand_is_finished_first_and_a_retry_is_not():
    busy = simulate(shop(), sells(2, takes=1.0), faults=[rewind("reports", at=0.3)])
    (step,) = [s for s in busy.journal if s.step == "rewind"]
    assert step.time == 1020 and seen(busy) == [1, 1, 2]
    faults = ["fail reports.handle.Sold #2", "rewind reports to 0 s at 0.55 s"]
    retried = simulate(shop(), sells(2), faults=faults)
    (step,) = [s for s in retried.journal if s.step == "rewind"]
    assert step.time == 550 and seen(retried) == [1, 1, 2]
    assert [
        s.attempt for s in retried.journal if s.step == "handle" and s.service == "reports"
    ] == [1, 1, 1, 1]
    crashed = simulate(
        shop(),
        sells(2, takes=1.0),
        faults=["crash reports.save.Sold #1", "rewind reports to 0 s at 0.3 s"],
    )
    assert seen(crashed) == [1, 2] and not crashed.unfired


def test_nothing_to_go_back_to_is_said():
    run = simulate(shop(), sells(1), faults=[rewind("reports", at=5, to=4)])
    assert str(run.unfired) == "['rewind reports to 4 s at 5 s']"
    assert not [s for s in run.journal if s.step == "rewind"]


def test_its_text_form_is_read_as_it_prints():
    fault = rewind("reports", at=20.5, to=3)
    assert str(fault) == "rewind reports to 3 s at 20.5 s" and parse_plan(str(fault)) == [fault]
    text = simulate(shop(), sells(), faults=["rewind reports to 1 s at 20 s"])
    assert text.digest == simulate(shop(), sells(), faults=[rewind("reports", 20, 1)]).digest


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: rewind("reports", at=5, to=5), "it goes back to an earlier time"),
        (lambda: rewind(3, 20), "rewind takes the name of a service, such as 'payments', not 3"),
        (lambda: rewind("reports", "late"), "rewind reports: at= takes seconds, a number"),
        (lambda: rewind("reports", 20, -1), "rewind reports: to= takes seconds from 0"),
        (lambda: simulate(shop(), sells(), faults=[rewind("report", 20)]), "no service 'report'"),
        (
            lambda: simulate(shop(), sells(), faults=[rewind("client", 20)]),
            "the client plays the outside",
        ),
        (lambda: shop(joins=-1), "service 'reports': joins= takes seconds"),
        (
            lambda: shop(joins=1, starts_at="first"),
            "no starts_at 'first'; starts_ats: earliest, latest",
        ),
        (
            lambda: shop(starts_at="latest"),
            "service 'reports': starts_at= goes with joins=, such as",
        ),
    ],
)
def test_they_are_checked(wrong, says):
    with pytest.raises(Misuse) as error:
        wrong()
    assert says in str(error.value)


def test_pictures_know_them():
    late = simulate(shop(joins=1.2, starts_at="earliest"), sells())
    back = simulate(shop(), sells(), faults=[rewind("reports", at=20, to=1)])
    assert "subscribes from the earliest" in timeline(late).svg()
    assert "rewinds sales partition 0" in timeline(back).svg()
    assert "at most 3 events" in repr(lag(late, "reports")) and "at 1.2" in repr(
        lag(late, "reports")
    )
    assert "at most 3 events, at 20 s" in repr(lag(back, "reports"))
    assert "0 left at the end" in repr(lag(back, "reports"))
    assert "waiting" not in repr(flow(late, at=1)) and "2 waiting" in repr(flow(late, at=1.2))
    compare(late, back), back.otlp(), back.steps


# -- an independent reading of the record

TENTHS = st.integers(0, 10).map(lambda tenths: tenths / 10)


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), TENTHS, TENTHS), min_size=1, max_size=10),
    st.integers(1, 3),
    TENTHS.map(lambda at: 2 * at),
    st.sampled_from(["earliest", "latest", None]),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=2),
    st.sampled_from([0, 0.1, 0.3]),
    st.integers(0, 2),
)
def test_a_group_reads_all_from_where_it_began_and_all_again_from_where_it_went_back(
    sales, partitions, joins, starts_at, rewinds, rate, seed
):
    async def workload(ctx):
        for product, takes, gap in sales:
            await ctx.publish(Sold(product=product, takes=takes))
            await ctx.sleep(gap)

    late = {"joins": joins, "starts_at": starts_at} if starts_at else {}
    faults = [rewind("reports", at=at / 10, to=to / 10) for at, to in rewinds if to < at]
    faults.append(Faults(crash=rate / 2, fail=rate, drop=rate, delay=rate))
    run = simulate(shop(partitions, **late), workload, seed=seed, faults=faults)
    next_offset, handled = {}, defaultdict(int)
    records = run._world.channels["sales"].partitions
    since = round(joins * 1000) if starts_at else 0
    for s in run.journal:
        if s.service != "reports":
            continue
        assert s.time >= since, s
        if s.step == "rewind":
            assert s.offset < int(s.detail.split()[-1])
            next_offset[s.partition] = s.offset
        elif s.step == "handle" and s.partition is not None:
            handled[s.partition, s.offset] += 1
            expected = next_offset.setdefault(s.partition, s.offset if starts_at == "latest" else 0)
            assert s.offset == expected, s
        elif s.step == "commit":
            if s.fault in (None, "lose"):
                next_offset[s.partition] = s.offset + 1
        elif s.step == "crash" and any(t.step == "commit" and t.fault for t in run.journal):
            return  # back behind a commit that was lost
    for partition, log in enumerate(records):
        first = min((o for p, o in handled if p == partition), default=len(log))
        assert all(handled[partition, offset] for offset in range(first, len(log)))
        if starts_at != "latest":
            assert first == 0 or not log
    assert run._world.services["reports"].lag == 0
    if not rate and seed == 0:
        stored = {s.envelope.id: s.time + 10 for s in run.journal if s.step == "publish"}
        again = [(s.time, s.partition, s.offset) for s in run.journal if s.step == "rewind"]
        for partition, log in enumerate(records):
            for offset, envelope in enumerate(log):
                early = starts_at == "latest" and stored[envelope.id] < since
                times = [t for t, p, o in again if p == partition and o <= offset]
                assert handled[partition, offset] >= (not early) * 1
                assert handled[partition, offset] <= len(times) + 1

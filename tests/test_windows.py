"""What happens to a run at a time: a topic that gets more partitions, a wrong clock, a cut in one direction, other
replicas. (`pause` and `cut` of a whole service: test_faults.py.)"""

from datetime import UTC, datetime
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edalab import (
    Command,
    Event,
    EventStore,
    Faults,
    Misuse,
    Query,
    System,
    Unanswered,
    claims,
    cut,
    pause,
    repartition,
    restore,
    scale,
    simulate,
    skew,
)
from edalab.sim import parse_plan
from edalab.view import flow, lag, timeline


class PriceChanged(Event, topic="prices", key="product"):
    product: str
    price: int


def shop(replicas=1, seconds=0.0, partitions=2):
    system = System("shop")
    system.topic("prices", partitions=partitions)
    schema = "create table prices (product text primary key, price integer)"
    web = system.service("web", replicas=replicas, schema=schema)

    @web.on(PriceChanged)
    async def show(event, ctx):
        await ctx.sleep(seconds)
        with ctx.database as db:
            row = event.product, event.price
            db.execute("insert or replace into prices values (?, ?)", row)

    return system


def changes(count, apart, products=("tea",)):
    async def workload(ctx):
        for number in range(count):
            for product in products:
                await ctx.publish(PriceChanged(product=product, price=10 * (number + 1)))
            await ctx.sleep(apart)

    return workload


def handled(run):
    return [(s.partition, s.envelope.data.price) for s in run.journal if s.step == "handle"]


def partition_of(product, many):
    return crc32(product.encode()) % many


MOVED = next(name for name in "abcdefgh" if partition_of(name, 2) != partition_of(name, 3))


def test_from_its_time_on_a_key_goes_to_the_partition_that_the_new_number_gives():
    run = simulate(shop(), changes(4, 1, [MOVED]), faults=[repartition("prices", 3, at=1.5)])
    old, new = partition_of(MOVED, 2), partition_of(MOVED, 3)
    assert handled(run) == [(old, 10), (old, 20), (new, 30), (new, 40)]
    assert run.faults == [repartition("prices", 3, at=1.5)] and not run.unfired
    takes = [s for s in run.journal if s.step == "takeover"]
    assert [(s.time, s.service, s.detail) for s in takes] == [(1500, "web", "prices partition 2")]


def test_a_key_that_moved_while_older_events_waited_is_handled_out_of_order():
    system = shop(replicas=3, seconds=1)
    fault = repartition("prices", 3, at=0.25)
    in_order = claims.in_order_per_key(PriceChanged)
    calm = simulate(system, changes(4, 0.1, [MOVED]))
    moved = simulate(system, changes(4, 0.1, [MOVED]), faults=[fault])
    assert calm.check(in_order).outcome == "holds"
    assert moved.check(in_order).outcome == "broken"
    assert calm.rows("web", "select price from prices") == [(40,)]
    assert moved.rows("web", "select price from prices") == [(30,)]
    assert claims.no_event_lost(PriceChanged).check(moved).outcome == "holds"


def test_a_topic_that_nobody_has_used_yet_has_the_new_number_when_it_is():
    async def late(ctx):
        await ctx.sleep(2)
        await changes(1, 0, [MOVED])(ctx)

    run = simulate(shop(), late, faults=[repartition("prices", 3, at=1)])
    assert handled(run) == [(partition_of(MOVED, 3), 10)] and len(run.faults) == 1


def test_one_after_the_end_of_the_run_never_happens_and_one_that_adds_nothing_does_not_strike():
    later, more = repartition("prices", 4, at=9), repartition("prices", 5, at=0.5)
    run = simulate(shop(), changes(3, 0.4), faults=[later, more, repartition("prices", 4, at=0.6)])
    assert run.faults == [more] and run.unfired == [later, repartition("prices", 4, at=0.6)]


def test_the_world_at_a_moment_and_the_same_run_again_have_it_too():
    faults = [repartition("prices", 3, at=1.5)]
    run = simulate(shop(), changes(4, 1, [MOVED]), faults=faults)
    assert run.at(3.5).rows("web", "select price from prices") == [(40,)]
    assert len(run.at(3.5).channels["prices"].partitions) == 3
    assert len(run.at(1.4).channels["prices"].partitions) == 2
    again = simulate(shop(), changes(4, 1, [MOVED]), faults=list(map(str, run.faults)))
    assert again.digest == run.digest


def test_it_travels_as_text():
    fault = repartition("prices", 3, at=1.5)
    assert str(fault) == "repartition prices to 3 at 1.5 s"
    assert parse_plan(f"{fault}; crash web.handle.PriceChanged #1")[0] == fault


def test_without_faults_at_a_service_the_rest_of_a_run_is_as_it_was():
    calm = simulate(shop(), changes(3, 1))
    late = simulate(shop(), changes(3, 1), faults=[repartition("prices", 9, at=2.9)])
    lines = [line for line in late.lines() if "takeover" not in line]
    assert lines == calm.lines()


def test_a_topic_that_only_a_class_names_can_get_more_partitions():
    shop, fault = System("shop"), repartition("sales", 3, at=0.5)

    @shop.service("books").on(Sold)
    def write(event): ...

    async def sales(ctx):
        await ctx.sleep(1)
        await ctx.publish(Sold(item="tea", shop="north"))

    assert simulate(shop, sales, faults=[fault]).faults == [fault]
    with pytest.raises(Misuse, match="no topic 'prices'; topics: sales"):
        simulate(shop, sales, faults=[repartition("prices", 3, at=0.5)])
    shop.queue("sales")
    with pytest.raises(Misuse, match="no topic 'sales'"):
        simulate(shop, sales, faults=[fault])


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: repartition("prices", 2, at=1), "it has 2, and a topic can only get more"),
        (lambda: repartition("offers", 4, at=1), "no topic 'offers'"),
        (lambda: repartition(7, 4, at=1), "takes the name of a topic"),
        (lambda: repartition("prices", 2.5, at=1), "partitions="),
        (lambda: repartition("prices", 4, at=-1), "takes seconds"),
        (lambda: "repartition prices to 4", "is not a fault"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(make, says):
    with pytest.raises(Misuse) as error:
        simulate(shop(), changes(1, 1), faults=[make()])
    assert says in str(error.value)


# -- services with wrong clocks, and cut off from each other


class Sold(Event, topic="sales", key="item"):
    item: str
    shop: str


class Parcel(Event, topic="parcels"):
    shop: str


class SellNorth(Command):
    item: str


class SellSouth(Command):
    item: str


class AskNorth(Query):
    item: str


class AskSouth(Query):
    item: str


ANSWERS = {"AskNorth": "north", "AskSouth": "south"}
SALE, QUESTION = {"north": SellNorth, "south": SellSouth}, {"north": AskSouth, "south": AskNorth}


def two_shops():
    """Two shops that publish their sales and ask each other; `office` hears of them, and takes parcels as they do."""
    system = System("shops")
    system.topic("sales", partitions=2)
    system.queue("parcels")
    for name in ("north", "south", "office"):
        service = system.service(name, schema="create table times (clock real)")

        @service.on(Sold)
        def note(event, ctx):
            ctx.note(ctx.now)
            with ctx.database as db:
                db.execute("insert into times values (?)", (db.now,))

        @service.on(Parcel)
        def carry(event):
            pass

        if name in SALE:
            here, ask = name, QUESTION[name]

            @service.handles(SALE[name])
            async def sell(command, ctx, here=here, ask=ask):
                await ctx.publish(Sold(item=command.item, shop=here))
                await ctx.publish(Parcel(shop=here))
                try:
                    ctx.note(await ctx.ask(ask(item=command.item), timeout=0.1))
                except Unanswered:
                    ctx.note("unanswered")

    @system.services["north"].answers(AskNorth)
    def north_has(query, ctx):
        return ctx.now

    @system.services["south"].answers(AskSouth)
    def south_has(query, ctx):
        return ctx.now

    return system


async def sales(ctx):
    for number in range(12):
        for command in SALE.values():
            await ctx.send(command(item="tea" if number % 3 else "cake"))
        await ctx.sleep(0.25)


def without(run, step):
    return [
        (s.time, s.step, s.service, s.replica, s.envelope and s.envelope.id, s.fault)
        for s in run.journal
        if s.step != step
    ]


@given(st.integers(-5000, 5000), st.integers(0, 3))
def test_a_skew_moves_what_a_service_reads_from_its_clock_and_nothing_else(ms, seed):
    fault = skew("north", ms / 1000)
    calm = simulate(two_shops(), sales, seed=seed)
    run = simulate(two_shops(), sales, seed=seed, faults=[fault])
    assert run.faults == [fault] and not run.unfired
    assert without(run, "skew") == without(calm, "skew")
    first, *others = [s for s in run.journal if s.step in ("skew", "publish")]
    assert (first.time, first.service, first.step) == (0, "north", "skew") and first.fault is None
    assert first.detail == f"clock {abs(ms) / 1000:g} s {'behind' if ms < 0 else 'ahead'}"
    ahead = {"north": ms}
    for s in run.journal:
        if (s.step == "note" and s.envelope.type == "Sold") or s.step == "reply":
            assert round(float(s.detail) * 1000) == s.time + ahead.get(s.service, 0)
    assert all(s.envelope.time == s.time + ahead.get(s.service, 0) for s in others)
    for service in ("north", "south", "office"):
        saves = [
            s.time + ahead.get(service, 0)
            for s in run.journal
            if s.step == "save" and s.service == service
        ]
        assert [round(t * 1000) for (t,) in run.rows(service, "select * from times")] == saves


def test_an_event_store_learns_by_the_clock_of_its_service_also_before_0_s():
    system = System("bank")
    bank = system.service("bank")

    @bank.on(Parcel)
    def store(event, ctx):
        with ctx.database as db:
            EventStore(db).append("parcel", [event])

    async def one(ctx):
        await ctx.publish(Parcel(shop="north"))

    for seconds in (2, -2):
        run = simulate(system, one, faults=[f"skew bank by {seconds} s"])
        [event] = EventStore(run.database("bank")).read("parcel")
        virtual_zero = datetime(2026, 1, 1, tzinfo=UTC)
        assert (event.recorded - virtual_zero).total_seconds() == 0.02 + seconds


def merged(faults, service, sender):
    """The times (ms) from which to which a plan cuts a service off from a sender."""
    wanted = [f for f in faults if (f.service, f.from_) == (service, sender)]
    times = []
    for start, end in sorted((round(f.start * 1000), round(f.end * 1000)) for f in wanted):
        if times and start <= times[-1][1]:
            times[-1] = times[-1][0], max(end, times[-1][1])
        else:
            times.append((start, end))
    return times


def is_cut(faults, service, sender, since, until=None):
    until = since if until is None else until
    return any(start <= until and since < end for start, end in merged(faults, service, sender))


PAIRS = [("south", "north"), ("north", "south"), ("south", "client"), ("office", "north")]
TENTHS = st.integers(0, 35)


@st.composite
def cuts(draw):
    start = draw(TENTHS)
    end = (start + draw(st.integers(1, 25))) / 10
    service, sender = draw(st.sampled_from(PAIRS))
    return cut(service, start / 10, end, from_=sender)


@given(st.lists(cuts(), min_size=1, max_size=4), st.integers(0, 3))
def test_what_one_sends_does_not_reach_the_other_while_it_is_cut_off(faults, seed):
    run = simulate(two_shops(), sales, seed=seed, faults=faults)
    faults = run.faults  # without those after its end
    sent, times, done = {}, {}, {}
    for s in run.journal:
        if s.step == "publish":
            sent[s.envelope.id] = s
            assert s.fault is None
        elif s.step in ("cut", "heal"):
            times.setdefault((s.service, s.detail.removeprefix("from ")), []).append(s.time)
        elif s.step == "deliver":
            assert not is_cut(faults, s.service, s.envelope.source, s.time), s
            done.setdefault(s.envelope.id, []).append(s)
        elif s.step == "handle" and s.envelope.type in ANSWERS:
            assert not is_cut(faults, s.service, s.envelope.source, s.time), s
        elif s.step == "lost":
            assert is_cut(faults, s.service, s.envelope.source, s.time), s
            assert s.detail == f"{s.service} was cut off from {s.envelope.source}"
        elif s.step == "answer":
            off = is_cut(faults, s.service, ANSWERS[s.envelope.type], s.time)
            assert (s.fault == "cut") == off, s
    assert times == {
        pair: [time for both in merged(faults, *pair) for time in both]
        for pair in {(f.service, f.from_) for f in faults}
    }
    for id, row in sent.items():  # everything arrives, once
        readers = ["north", "office", "south"] if row.envelope.type == "Sold" else [None]
        got = (
            sorted(s.service if len(readers) > 1 else None for s in done[id])
            if len(readers) > 1
            else [None] * len(done[id])
        )
        assert got == readers, row
    check_order_and_lateness(run, faults, sent, done)


def check_order_and_lateness(run, faults, sent, done):
    """A partition keeps its order, and what comes late waited for a message that was kept back."""
    places = {}
    for deliveries in done.values():
        for s in deliveries:
            if s.partition is not None:
                places.setdefault((s.service, s.partition), []).append(s)
            elif s.envelope.type == "Parcel":  # there is always one that is not cut off
                open_ = [
                    n
                    for n in ("north", "south", "office")
                    if not is_cut(faults, n, s.envelope.source, 0, run.end)
                ]
                assert not open_ or s.time - sent[s.envelope.id].time < 400, s
    for (service, _), rows in places.items():
        rows.sort(key=lambda s: s.offset)
        assert [s.time for s in rows] == sorted(s.time for s in rows)
        kept_back = -1
        for s in rows:
            published = sent[s.envelope.id].time
            if is_cut(faults, service, s.envelope.source, published, s.time):
                kept_back = s.time
            busy = sum(
                row.service == service and published <= row.time <= s.time
                for row in run.journal
                if row.step == "handle"
            )
            assert s.time - published < 100 + 200 * busy or kept_back >= published, s


def test_a_queue_hands_a_message_to_a_consumer_that_is_not_cut_off_or_waits():
    faults = [cut(name, 0, 2, from_="client") for name in ("north", "south")]

    async def parcels(ctx):
        for shop in ("a", "b", "c"):
            await ctx.publish(Parcel(shop=shop))

    for more, takers in (([], {"office"}), ([cut("office", 0, 1, from_="client")], {"office"})):
        run = simulate(two_shops(), parcels, faults=faults + more)
        rows = [s for s in run.journal if s.step == "deliver"]
        assert {s.service for s in rows} == takers and len(rows) == 3
        assert all((s.time >= 1000) == bool(more) for s in rows)


def test_what_is_on_its_way_when_a_cut_begins_does_not_arrive_and_what_has_arrived_is_tried_again():
    async def parcel(ctx):
        await ctx.publish(Parcel(shop="a"))

    (first,) = (s.service for s in simulate(two_shops(), parcel).journal if s.step == "deliver")
    fault = cut(first, 0.015, 2, from_="client")
    run = simulate(two_shops(), parcel, faults=[fault])
    [row] = [s for s in run.journal if s.step == "deliver"]
    assert row.service != first and row.time == 30

    faults = [cut("south", 0.1, 2, from_="north"), "fail south.handle.Sold #1"]
    run = simulate(two_shops(), sales, faults=faults)
    sold = next(s.envelope.id for s in run.journal if s.step == "retry")
    tries = [
        s.time
        for s in run.journal
        if s.step == "handle" and s.envelope.id == sold and s.service == "south"
    ]
    assert tries[1] - tries[0] == 100 and tries[0] < 100


def test_a_cut_in_one_direction_does_not_read_as_a_cut_off_service():
    fault = cut("south", 1, 2.5, from_="north")
    run = simulate(two_shops(), sales, faults=[fault])
    assert not run.at(1.5).services["south"].cut
    picture = timeline(run, start=0.9, end=2.7)
    [span] = [s for s in picture.scene.spans if s.kind.startswith("cut")]
    assert span.kind == "cut from" and "south cut off from north for 1.5 s" in span.tip
    assert "not filled: cut off from one service" in picture.svg()
    assert "south cut off from one sender" in repr(flow(run, at=1.5))
    assert "cut from north" in flow(run, at=1.5).svg()
    assert "cut off from north from 1 s to 2.5 s" in repr(lag(run, "south"))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: [skew("client", 2)], "the client plays the outside world; skew one of"),
        (lambda: [skew("nort", 2)], "Did you mean 'north'"),
        (lambda: [skew(7, 2)], "skew takes the name of a service"),
        (lambda: [skew("north", "2")], "takes seconds, a number, not '2'"),
        (lambda: [skew("north", True)], "takes seconds, a number"),
        (lambda: [skew("north", -2e9)], "takes seconds from 0"),
        (lambda: [skew("north", 2), "skew north by -1 s"], "the clock of north is skewed already"),
        (lambda: ["skew north 2 s"], "is not a fault"),
        (lambda: [cut("south", 1, 5, from_="nort")], "Did you mean 'north'"),
        (lambda: [cut("south", 1, 5, from_=7)], "takes the name of a service"),
        (lambda: [cut("south", 1, 5, from_="south")], "from_= takes another service"),
        (lambda: [cut("client", 1, 5, from_="south")], "cut one of north, south, office"),
        (lambda: ["pause south from north from 1 s to 2 s"], "is not a fault"),
    ],
)
def test_a_wrong_skew_or_cut_is_refused(make, says):
    with pytest.raises(Misuse) as error:
        simulate(two_shops(), sales, faults=make())
    assert says in str(error.value)


@pytest.mark.parametrize(
    "fault",
    [
        skew("north", 2),
        skew("north", -0.5),
        cut("south", 1, 5, from_="north"),
        cut("south", 1, 5),
        cut("a-b", 0, 1.5, from_="client"),
        skew("north", 1234.567),
        scale("north", 3, at=1234.567),
        repartition("prices", 3, at=1234.567),
        restore("north", 1233.001, at=1234.567),
    ],
    ids=str,
)
def test_skews_and_cuts_travel_as_text(fault):
    assert parse_plan(str([fault, fault])) == [fault, fault]


# -- more or fewer replicas


class Job(Event, topic="jobs"):
    n: int


class Load(Query):
    n: int


def factory(replicas=2):
    """A service whose replicas read six partitions, share a queue and answer questions."""
    system = System("factory")
    system.topic("sales", partitions=6)
    system.queue("jobs")
    web = system.service("web", replicas=replicas, schema="create table done (id text)")

    @web.on(Sold)
    async def sold(event, ctx):
        await ctx.sleep(0.1)
        with ctx.database as db:
            db.execute("insert into done values (?)", (ctx.message.id,))

    @web.on(Job)
    async def work(event, ctx):
        await ctx.sleep(0.1)

    @web.answers(Load)
    async def load(query, ctx):
        await ctx.sleep(0.1)

    return system


async def busy_day(ctx):
    for number in range(24):
        await ctx.publish(Sold(item="abcdefgh"[number % 8], shop="web"))
        await ctx.publish(Job(n=number))
        if number % 6 == 0:
            await ctx.ask(Load(n=number))
        await ctx.sleep(0.02)


SCALES = st.lists(
    st.builds(scale, st.just("web"), st.integers(1, 5), st.integers(0, 20).map(lambda n: n / 10)),
    min_size=1,
    max_size=4,
    unique_by=lambda fault: fault.start,
)


@given(SCALES, st.integers(1, 3), st.integers(0, 3))
def test_a_service_has_the_replicas_that_its_plan_says_and_gives_them_its_partitions(
    faults, replicas, seed
):
    run = simulate(factory(replicas), busy_day, seed=seed, faults=faults)
    members, owner, left, handled = list(range(1, replicas + 1)), {}, {}, {}
    begun, last, first = {}, replicas, []
    for s in run.journal:
        if s.service != "web":
            first = first or members[:]  # when the topic begins
            continue
        if s.step == "join":
            last += 1
            assert s.replica == last  # numbers are not used again
            members.append(last)
        elif s.step == "leave":
            assert s.replica in members[1:]
            members.remove(s.replica)
            left[s.replica] = s.time
        elif s.step == "takeover":
            assert s.replica == members[s.partition % len(members)], s
            owner[s.partition] = s.replica
        elif s.step == "deliver":
            if s.partition is not None:  # what was fetched already may be handed over
                assert s.replica == owner.get(s.partition, first[s.partition % len(first)]), s
                assert s.time - left.get(s.replica, s.time) <= 30, s
            else:
                assert s.replica not in left, s
        elif s.step == "handle":
            begun[s.envelope.id] = s
            assert s.envelope.type != "Load" or s.replica not in left
        elif s.step in ("commit", "ack", "reply"):  # by the one that began it
            assert s.fault is None and begun[s.envelope.id].replica == s.replica
            assert s.envelope.id not in handled
            handled[s.envelope.id] = s
    wanted = replicas
    for fault in sorted(run.faults, key=lambda fault: fault.start):
        wanted = fault.replicas
    assert len(members) == wanted == len(run._world.services["web"].members)
    assert handled.keys() == {s.envelope.id for s in run.journal if s.step in ("publish", "ask")}
    for verdict in (claims.no_event_lost(Sold), claims.in_order_per_key(Sold)):
        assert run.check(verdict).outcome == "holds"


@given(SCALES, st.integers(0, 5), st.floats(0, 0.2), st.floats(0, 2))
def test_nothing_is_lost_where_replicas_also_crash_stand_still_and_are_cut_off(
    faults, seed, rate, start
):
    more = [Faults(crash=rate, drop=rate), cut("web", start, start + 1.2), pause("web", start, 3)]
    run = simulate(factory(), busy_day, seed=seed, faults=[*faults, *more])
    assert run.check(claims.no_event_lost(Sold)).outcome == "holds"
    assert run.digest == simulate(factory(), busy_day, seed=seed, faults=[*faults, *more]).digest


def test_new_replicas_have_rows_and_a_service_that_has_as_many_is_not_scaled():
    more, same = scale("web", 4, at=0.2), scale("web", 4, at=0.3)
    run = simulate(factory(), busy_day, faults=[more, same, "scale web to 1 at 0.6 s"])
    assert run.faults == [more, scale("web", 1, at=0.6)] and run.unfired == [same]
    assert [(s.time, s.step, s.replica) for s in run.journal if s.step in ("join", "leave")] == [
        (200, "join", 3), (200, "join", 4), (600, "leave", 2), (600, "leave", 3), (600, "leave", 4)
    ]  # fmt: skip
    picture = timeline(run, start=0, end=1)
    assert {label.text for label in picture.scene.labels if label.kind == "replica"} >= {"3", "4"}
    assert len(run.at(0.5).services["web"].members) == 4
    down = simulate(factory(), busy_day, faults=[more, "crash web.handle.Sold #9"])
    crash = next(s for s in down.journal if s.step == "crash")
    assert "1 of 4 down" in flow(down, at=(crash.time + 100) / 1000).svg()


def test_one_that_crashes_after_it_left_does_not_come_back():
    crashed = []
    for nth in range(1, 7):
        faults = [scale("web", 1, at=0.25), f"crash web.ack.Job #{nth}"]
        run = simulate(factory(4), busy_day, faults=faults)
        crash = next(s for s in run.journal if s.step == "crash")
        crashed.append(crash.replica > 1 and crash.time > 250)
        assert crashed[-1] != any(s.step == "restart" for s in run.journal)
        assert run.check(claims.no_event_lost(Sold)).outcome == "holds"
    assert True in crashed and False in crashed


def test_who_joins_a_service_that_is_cut_off_waits_for_the_end_of_the_cut():
    run = simulate(factory(), busy_day, faults=[cut("web", 0.2, 0.9), scale("web", 4, at=0.4)])
    began = [s for s in run.journal if s.step in ("takeover", "deliver") and s.replica > 2]
    assert began and min(s.time for s in began) >= 900


def test_who_has_left_takes_nothing_after_a_cut():
    run = simulate(factory(), busy_day, faults=[scale("web", 1, at=0.1), cut("web", 0.3, 0.5)])
    taken = [s.time for s in run.journal if s.step == "deliver" and s.replica == 2]
    assert taken and max(taken) <= 130


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: scale("web", 0, at=1), "replicas= takes a whole number from 1"),
        (lambda: scale("web", 1001, at=1), "at most 1,000 replicas"),
        (lambda: scale("webb", 2, at=1), "Did you mean 'web'"),
        (lambda: scale("client", 2, at=1), "scale one of web"),
        (lambda: scale("web", 2, at="1"), "takes seconds, a number"),
        (lambda: scale(None, 2, at=1), "scale takes the name of a service"),
        (lambda: "scale web to 4", "is not a fault"),
    ],
)
def test_a_wrong_scale_is_refused(make, says):
    with pytest.raises(Misuse) as error:
        simulate(factory(), busy_day, faults=[make()])
    assert says in str(error.value)


def test_a_scale_travels_as_text():
    fault = scale("web", 4, at=5)
    assert str(fault) == "scale web to 4 at 5 s" and parse_plan(str([fault])) == [fault]

"""A work queue hands each message to one free replica until it is acknowledged."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postoffice import SCHEMA, Carry, Handed, Posted, keep, kept, office, play, told

from edalab import Event, Faults, Misuse, System, cut, pause, simulate


def counter(replicas: int = 1, seconds: float = 0, max_attempts: int = 3, **options):
    """A service `desk` that takes what is handed over the counter, a declared queue."""
    system = System("town")
    system.queue("counter", max_attempts=max_attempts)
    desk = system.service("desk", replicas=replicas, schema=SCHEMA)

    @desk.on(Handed, **options)
    async def take(event, ctx):
        if event.n < 0:
            raise ValueError("nothing there")
        if seconds:
            await ctx.sleep(seconds)
        keep(ctx, event.n)

    return system


def test_an_event_of_a_declared_queue_reaches_one_consumer_only():
    system = counter()

    @system.service("window", schema=SCHEMA).on(Handed)
    def also_take(event, ctx):
        keep(ctx, event.n)

    run = play(system, *[Handed(n=n) for n in range(6)])
    assert kept(run, "desk") == [0, 2, 4] and kept(run, "window") == [1, 3, 5]  # they take turns


def test_all_that_was_sent_while_a_replica_was_busy_is_handled():
    run = play(counter(seconds=1), *[Handed(n=n) for n in range(5)])
    assert kept(run, "desk") == [0, 1, 2, 3, 4]
    assert run.at(100).services["desk"].lag == 0


def test_all_that_was_sent_while_a_replica_was_down_is_handled():
    run = play(
        counter(), *[Handed(n=n) for n in range(5)], faults=["crash desk.handle.Handed for 2 s"]
    )
    assert sorted(kept(run, "desk")) == [0, 1, 2, 3, 4]


def test_replicas_work_in_parallel():
    run = play(counter(replicas=3, seconds=1), *[Handed(n=n) for n in range(3)])
    assert told(run, "handle") == [
        "20 desk.handle Handed/1",
        "30 desk-2.handle Handed/1",
        "40 desk-3.handle Handed/1",
    ]


def test_a_command_goes_to_the_queue_of_its_service():
    system = office()

    @system.services["post"].handles(Carry)
    def carry(command, ctx):
        keep(ctx, command.n)

    run = play(system, Carry(n=1), Carry(n=2))
    assert kept(run) == [1, 2]
    assert {s.envelope.topic for s in run.journal} == {"post.commands"}


def test_a_handler_that_takes_longer_than_the_ack_time_out_gets_company():
    run = play(counter(replicas=2, seconds=7), Handed(n=1))
    assert told(run, "deliver", "ack") == [
        "20 desk.deliver Handed/1", "5030 desk-2.deliver Handed/2", "7020 desk.ack Handed/1",
        "12030 desk-2.ack Handed/2",
    ]  # fmt: skip
    assert kept(run, "desk") == [1, 1]


def test_a_failing_handler_gives_its_message_back_and_it_is_dead_lettered_in_the_end():
    run = play(counter(), Handed(n=-1), Handed(n=2))
    assert told(run, "deliver", "retry", "dead_letter", "ack") == [
        "20 desk.deliver Handed/1", "20 desk.retry Handed/1", "30 desk.deliver Handed/1", "30 desk.ack Handed/1",
        "120 desk.deliver Handed/2", "120 desk.retry Handed/2", "320 desk.deliver Handed/3",
        "320 desk.dead_letter Handed/3",
    ]  # fmt: skip


def test_crashes_count_as_attempts_and_dead_letter():
    run = play(
        counter(max_attempts=2),
        Handed(n=1),
        faults=["crash desk.handle.Handed #1", "crash desk.handle.Handed #2"],
    )
    assert told(run, "deliver", "dead_letter") == [
        "20 desk.deliver Handed/1", "5030 desk.deliver Handed/2", "10030 desk.dead_letter Handed/2",
    ]  # fmt: skip
    assert run.at(11).services["desk"].lag == 0


def test_a_message_given_back_after_its_time_out_is_not_handed_out_twice():
    system = System("town")
    system.queue("counter", max_attempts=4)

    @system.service("desk", replicas=2, schema=SCHEMA).on(Handed)
    async def take(event, ctx):
        await ctx.sleep(6)
        if ctx.message.attempt == 1:
            raise ValueError("too slow")

    run = play(system, Handed(n=1))
    assert told(run, "deliver", "failure") == [
        "20 desk.deliver Handed/1", "5030 desk-2.deliver Handed/2", "6020 desk.failure Handed/1",
        "10040 desk.deliver Handed/3",
    ]  # fmt: skip


def test_at_most_once_acknowledges_before_handling():
    run = play(counter(delivery="at-most-once"), Handed(n=-1), Handed(n=2))
    assert told(run, "ack", "handle", "lost", "done") == [
        "20 desk.ack Handed/1", "20 desk.handle Handed/1", "20 desk.lost Handed/1",
        "30 desk.ack Handed/1", "30 desk.handle Handed/1", "30 desk.done Handed/1",
    ]  # fmt: skip


def test_at_most_once_a_lost_ack_brings_the_message_again_and_nothing_is_told_as_lost():
    run = play(counter(delivery="at-most-once"), Handed(n=-1), faults=["lose desk.ack.Handed"])
    assert told(run, "handle", "failure", "lost") == [
        "20 desk.handle Handed/1", "20 desk.failure Handed/1", "5030 desk.handle Handed/2", "5030 desk.lost Handed/2",
    ]  # fmt: skip


def test_a_message_on_its_way_to_a_replica_that_stands_still_goes_to_another():
    run = play(counter(replicas=2), Handed(n=1), faults=[pause("desk", 0.015, 9)])
    assert told(run, "deliver", "ack") == ["30 desk-2.deliver Handed/1", "30 desk-2.ack Handed/1"]


def test_an_ack_that_is_cut_off_is_lost_and_the_message_comes_again():
    run = play(counter(seconds=0.1), Handed(n=1), faults=[cut("desk", 0.1, 1)])
    assert told(run, "ack", "deliver") == [
        "20 desk.deliver Handed/1", "120 desk.ack Handed/1 cut", "5030 desk.deliver Handed/2", "5130 desk.ack Handed/2",
    ]  # fmt: skip


def test_lag_counts_what_a_service_handles_of_a_queue_that_it_shares():
    class Wrapped(Posted, topic="counter"): ...

    system = counter(seconds=1)

    @system.service("window").on(Wrapped)
    async def unwrap(event, ctx):
        await ctx.sleep(9)

    run = play(system, Handed(n=1), Wrapped(), Wrapped())
    services = run.at(0.5).services
    assert (services["desk"].lag, services["window"].lag) == (1, 2)


class Moved(Event, topic="moves", key="box"):
    box: str
    n: int


def movers(ordered, replicas=3, fails=()):
    system = System("movers")
    system.queue("moves", ordered_by_key=ordered)
    left = dict.fromkeys(fails, 9)

    @system.service(
        "store", replicas=replicas, schema="create table done (box text, n integer)"
    ).on(Moved)
    async def move(event, ctx):
        if left.get((event.box, event.n)):
            raise ValueError("too heavy")
        await ctx.sleep(1 if event.n == 1 else 0.1)
        with ctx.database as db:
            db.execute("insert into done values (?, ?)", (event.box, event.n))

    return system


async def six_moves(ctx):
    for n in (1, 2, 3):
        for box in "ab":
            await ctx.publish(Moved(box=box, n=n))


def done(run, box):
    return [n for (n,) in run.rows("store", "select n from done where box = ?", (box,))]


def test_competing_consumers_keep_no_order_and_a_queue_ordered_by_key_keeps_that_of_each_key():
    run = simulate(movers(False), six_moves)
    assert done(run, "a") == [2, 3, 1] and run.end < 1_500
    run = simulate(movers(True), six_moves)
    assert done(run, "a") == done(run, "b") == [1, 2, 3]
    assert run.end < 1_500, "two keys are handled at once"


def test_in_a_queue_ordered_by_key_a_failing_message_holds_back_its_key_only():
    run = simulate(movers(True, fails=[("a", 1)]), six_moves)
    assert done(run, "a") == [2, 3] and done(run, "b") == [1, 2, 3]
    given_up = next(s.time for s in run.journal if s.step == "dead_letter")
    saves = [s.time for s in run.journal if s.step == "save" and s.envelope.subject == "a"]
    assert min(saves) > given_up


def test_in_a_queue_ordered_by_key_a_message_that_is_delivered_twice_comes_again_before_newer_ones():
    fault = "duplicate store.deliver.Moved #1"
    run = simulate(movers(True), six_moves, faults=[fault])
    assert done(run, "a") == [1, 1, 2, 3] and done(run, "b") == [1, 2, 3]
    run = play(several(1, ordered=True, delivery="at-most-once"), *moves(2), faults=[fault])
    assert done(run, "a") == [1, 2, 1], "at most once the key goes on when a handling begins"


@given(st.integers(0, 500), st.sampled_from((0.0, 0.1, 0.3)))
@settings(max_examples=60, deadline=None)
def test_under_any_faults_a_queue_ordered_by_key_hands_out_one_message_of_a_key_at_a_time(
    seed, rate
):
    faults = [Faults(crash=rate, drop=rate, fail=rate, duplicate=rate)]
    run = simulate(movers(True), six_moves, seed=seed, faults=faults)
    assert not run._world.channels["moves"].open, "nothing is stuck"
    handed: dict[str, list[int]] = {}
    for step in run.journal:
        if step.step == "handle":
            handed.setdefault(step.envelope.subject, []).append(step.envelope.data.n)
    for order in handed.values():
        first = list(dict.fromkeys(order))
        assert first == sorted(first)


def test_a_copy_of_a_message_that_fails_or_whose_acknowledgement_is_lost_comes_before_newer_ones_too():
    for fault in ("fail store.handle.Moved #1", "lose store.ack.Moved #1", "crash store.ack.Moved"):
        run = simulate(movers(True), six_moves, faults=["duplicate store.deliver.Moved #1", fault])
        saved = done(run, "a")
        assert saved == sorted(saved) and set(saved) == {1, 2, 3}, fault


# -- how long a queue waits for an acknowledgement


def slow(*waits, ack_wait=1.0, replicas=2, **options):
    """A service that sleeps each of these seconds in turn, and says in between that it is still at work."""
    system = System("town")
    system.queue("counter", ack_wait=ack_wait, max_attempts=9)

    @system.service("desk", replicas=replicas, schema=SCHEMA).on(Handed, **options)
    async def take(event, ctx):
        for n, seconds in enumerate(waits):
            if n:
                await ctx.in_progress()
            await ctx.sleep(seconds)
        keep(ctx, event.n)

    return system


def test_a_message_is_handed_out_again_after_the_wait_of_its_queue():
    run = play(slow(1.5), Handed(n=1))
    assert told(run, "deliver", "ack") == [
        "20 desk.deliver Handed/1", "1030 desk-2.deliver Handed/2", "1520 desk.ack Handed/1",
        "2530 desk-2.ack Handed/2",
    ]  # fmt: skip
    assert kept(play(slow(1.5, ack_wait=2), Handed(n=1)), "desk") == [1]


def test_a_handler_that_is_in_progress_keeps_its_message():
    run = play(slow(0.9, 0.9, 0.9), Handed(n=1))
    assert told(run, "deliver", "in_progress", "ack") == [
        "20 desk.deliver Handed/1", "920 desk.in_progress Handed/1", "1820 desk.in_progress Handed/1",
        "2720 desk.ack Handed/1",
    ]  # fmt: skip
    crashed = play(slow(0.9, 0.9), Handed(n=1), faults=["crash desk.save.Handed"])
    assert told(crashed, "crash", "deliver")[-1] == "1930 desk-2.deliver Handed/2", "a wait later"


def test_once_the_wait_has_run_out_being_in_progress_changes_nothing():
    run = play(slow(1.5, 0.1), Handed(n=1))
    steps = [s for s in run.journal if s.step == "in_progress"]
    assert [(s.time, s.attempt, s.detail) for s in steps] == [
        (1520, 1, "too late"),
        (2530, 2, "no longer in the queue"),
    ]
    assert kept(run, "desk") == [1, 1]


def test_while_cut_off_being_in_progress_is_not_heard():
    run = play(slow(0.9, 0.9), Handed(n=1), faults=[cut("desk", 0.5, 1.3)])
    assert told(run, "in_progress", "deliver") == [
        "20 desk.deliver Handed/1", "920 desk.in_progress Handed/1 cut", "1310 desk-2.deliver Handed/2",
        "2210 desk-2.in_progress Handed/2",
    ]  # fmt: skip


def test_being_in_progress_takes_no_time_in_a_transaction_nor_beside_other_calls():
    system = System("town")
    system.queue("counter", ack_wait=1)

    @system.service("desk", schema=SCHEMA).on(Handed)
    async def take(event, ctx):
        await ctx.sleep(0.9)
        with ctx.database as db:
            await ctx.in_progress()
            db.execute("insert into letters values (?)", (event.n,))
        await ctx.all(ctx.in_progress(), ctx.sleep(0.9))

    run = play(system, Handed(n=1))
    assert told(run, "in_progress", "ack") == [
        "920 desk.in_progress Handed/1", "920 desk.in_progress Handed/1", "1820 desk.ack Handed/1",
    ]  # fmt: skip


def test_a_handler_that_is_in_progress_for_ever_is_named():
    system = System("town")
    system.queue("counter")

    @system.service("desk").on(Handed)
    async def take(event, ctx):
        while True:
            await ctx.in_progress()
            await ctx.sleep(1)

    with pytest.raises(
        Misuse, match="does not end: client-1 set off over 10,000 messages and notes"
    ):
        play(system, Handed(n=1))


def test_a_queue_waits_for_some_seconds():
    for wait in (0, -1, "2", True, float("nan")):
        with pytest.raises(Misuse, match="ack_wait= takes seconds from 0.001"):
            System("town").queue("counter", ack_wait=wait)
    system = System("town")
    assert system.queue("counter", ack_wait=2) is system.queue("counter")


def test_only_the_handler_of_a_message_that_a_queue_waits_for_is_in_progress():
    letters = office()

    @letters.services["post"].on(Posted)
    async def stamp(event, ctx):
        await ctx.in_progress()

    for system, message in (
        (letters, Posted()),
        (slow(0, 0, delivery="at-most-once"), Handed(n=1)),
    ):
        with pytest.raises(Misuse, match="no queue waits for its acknowledgement"):
            play(system, message)

    async def workload(ctx):
        await ctx.in_progress()

    with pytest.raises(Misuse, match=r"the workload calls ctx.in_progress\(\), but no queue"):
        simulate(office(), workload)


@given(
    st.lists(st.sampled_from((0.2, 0.7, 1.2)), min_size=1, max_size=3),
    st.integers(0, 300),
    st.sampled_from((0.0, 0.1, 0.3)),
)
@settings(max_examples=60, deadline=None)
def test_under_any_faults_a_message_is_handed_out_again_when_its_wait_is_over_or_it_was_given_back(
    waits, seed, rate
):
    faults = [Faults(crash=rate, drop=rate, fail=rate, delay=rate)]
    faults += [cut("desk", 1, 1.4), pause("desk", 2, 2.5)] if rate else []
    run = play(slow(*waits), *[Handed(n=n) for n in range(4)], seed=seed, faults=faults)
    assert not run._world.channels or not run._world.channels["counter"].open, "nothing is stuck"
    due: dict[str, float] = {}
    last: dict[str, int] = {}
    gone: set[str | None] = set()
    for step in run.journal:
        id = step.envelope and step.envelope.id
        mine = last.get(id) == step.attempt
        if step.step in ("deliver", "handle"):  # a delayed one is recorded as delivered before
            assert step.time >= due.get(id, 0) or (mine and step.time == due[id] - 1000), step
            due[id], last[id] = step.time + 1000, step.attempt
        if step.step in ("ack", "dead_letter") and not step.fault:
            gone.add(id)
        if (step.step in ("retry", "ack") and not step.fault) or step.fault == "delay":
            due[id] = 0  # given back, or never to come again
        elif step.step == "dead_letter" and step.detail.startswith("not acknowledged"):
            assert step.time == due[id]
        elif step.step == "in_progress" and step.detail:
            late = not mine or step.time >= due[id]
            assert late if step.detail == "too late" else id in gone
        elif step.step == "in_progress" and not step.fault:
            assert mine and step.time <= due[id]
            due[id] = step.time + 1000


# -- several messages at once


def several(prefetch, replicas=1, seconds=1.0, ordered=False, ack_wait=9, **options):
    system = System("movers")
    system.queue("moves", prefetch=prefetch, ordered_by_key=ordered, ack_wait=ack_wait)
    store = system.service(
        "store", replicas=replicas, schema="create table done (box text, n integer)"
    )

    @store.on(Moved, **options)
    async def move(event, ctx):
        await ctx.sleep(seconds / event.n)
        with ctx.database as db:
            db.execute("insert into done values (?, ?)", (event.box, event.n))

    return system


def moves(many, boxes="a"):
    return [Moved(box=box, n=n) for n in range(1, many + 1) for box in boxes]


def test_a_replica_handles_as_many_messages_of_a_queue_at_once_as_it_prefetches():
    run = play(several(3), *moves(4))
    assert told(run, "handle", "ack") == [
        "20 store.handle Moved/1", "30 store.handle Moved/1", "40 store.handle Moved/1", "373 store.ack Moved/1",
        "383 store.handle Moved/1", "530 store.ack Moved/1", "633 store.ack Moved/1", "1020 store.ack Moved/1",
    ]  # fmt: skip
    assert done(run, "a") == [3, 2, 4, 1], "one message overtakes another with no fault at all"
    assert done(play(several(1), *moves(4)), "a") == [1, 2, 3, 4]
    assert [len(run.at(t).services["store"].in_flight) for t in (0.035, 0.38, 0.4, 0.6)] == [2, 2, 3, 2]  # fmt: skip


@pytest.mark.parametrize("prefetch, replicas", [(1, 1), (2, 1), (5, 1), (2, 3)])
def test_consumers_take_turns_and_the_work_takes_as_long_as_their_number_allows(prefetch, replicas):
    system = counter(replicas=replicas, seconds=1)
    system.queue("counter", prefetch=prefetch)
    run = play(system, *[Handed(n=n) for n in range(12)])
    rounds = -(-12 // (prefetch * replicas))
    assert rounds * 1010 <= run.end <= rounds * 1010 + 12 * 10
    first = [s.replica for s in run.journal if s.step == "handle"][: prefetch * replicas]
    assert first == [n + 1 for _ in range(prefetch) for n in range(replicas)]


@given(st.integers(2, 6), st.integers(0, 300), st.integers(0, 1))
@settings(max_examples=30, deadline=None)
def test_one_consumer_is_handed_its_messages_in_order(prefetch, seed, pauses):
    system = counter()
    system.queue("counter", prefetch=prefetch)
    outages = [pause("desk", 0.055, 0.5)][:pauses]
    run = play(system, *[Handed(n=n) for n in range(12)], seed=seed, faults=outages)
    assert kept(run, "desk") == [*range(12)], "a synchronous handler takes no time"


def test_a_crash_takes_all_that_a_replica_has_in_hand():
    run = play(several(3), *moves(3), faults=["crash store.save.Moved #1"])
    assert told(run, "crash", "handle") == [
        "20 store.handle Moved/1", "30 store.handle Moved/1", "40 store.handle Moved/1", "373 store.crash",
        "9030 store.handle Moved/2", "9040 store.handle Moved/2", "9050 store.handle Moved/2",
    ]  # fmt: skip
    assert sorted(done(run, "a")) == [1, 2, 3]
    run = play(several(3, replicas=2), *moves(3), faults=["crash store.handle.Moved #1"])
    assert told(run, "handle")[:3] == [
        "20 store.handle Moved/1 crash", "30 store-2.handle Moved/1", "40 store-2.handle Moved/1",
    ], "what had not arrived goes to another at once"  # fmt: skip


def test_beside_a_queue_with_prefetch_a_replica_goes_on_with_its_topics():
    system = several(2, seconds=1)

    @system.services["store"].on(Posted)
    async def read(event, ctx):
        await ctx.sleep(0.5)

    run = play(system, *moves(1), *moves(1), Posted(), Posted())
    assert told(run, "handle") == [
        "20 store.handle Moved/1", "30 store.handle Moved/1", "40 store.handle Posted/1", "550 store.handle Posted/1",
    ]  # fmt: skip


def test_a_replica_does_not_handle_a_message_twice_at_once():
    run = play(several(2, seconds=1.5, ack_wait=1), Moved(box="a", n=1))
    assert told(run, "handle", "ack") == ["20 store.handle Moved/1", "1520 store.ack Moved/1"]
    run = play(several(2), Moved(box="a", n=1), faults=["duplicate client.publish.Moved"])
    assert [s.time for s in run.journal if s.step == "handle"] == [20, 1030]


def test_a_queue_prefetches_a_whole_number():
    for prefetch in (0, 1.5, True, "2", 1001):
        with pytest.raises(Misuse, match="prefetch= takes a whole number from 1 to 1000"):
            System("town").queue("counter", prefetch=prefetch)


@given(
    st.integers(1, 5),
    st.integers(1, 3),
    st.booleans(),
    st.sampled_from(("at-least-once", "at-most-once")),
    st.integers(0, 500),
    st.sampled_from((0.0, 0.1, 0.3)),
)
@settings(max_examples=100, deadline=None)
def test_under_any_faults_a_replica_has_no_more_in_hand_than_it_prefetches(
    prefetch, replicas, ordered, delivery, seed, rate
):
    system = several(prefetch, replicas, ordered=ordered, delivery=delivery)
    faults = [Faults(crash=rate, drop=rate, fail=rate, duplicate=rate, delay=rate)]
    faults += [pause("store", 1, 1.4), cut("store", 2, 2.4)] if rate else []
    run = play(system, *moves(5, "abc"), seed=seed, faults=faults)
    in_hand: dict[int, list] = {}  # messages of each replica
    finished: set[str | None] = set()
    for step in run.journal:
        if step.service != "store":
            continue
        mine = in_hand.setdefault(step.replica, [])
        if step.step == "crash":
            mine.clear()
        elif step.step == "handle":
            assert step.envelope not in mine and len(mine) < prefetch
            mine.append(step.envelope)
            everywhere = [each.subject for here in in_hand.values() for each in here]
            one_at_a_time = ordered and delivery == "at-least-once"
            assert not one_at_a_time or len(set(everywhere)) == len(everywhere)
        elif step.step in ("ack", "done", "retry", "failure", "dead_letter", "lost"):
            before = step.step == "ack" and delivery == "at-most-once"
            if step.envelope in mine and not before and step.fault != "drop":
                mine.remove(step.envelope)
            finished.add(step.envelope.id)
    assert not any(in_hand.values())
    channel = run._world.channels.get("moves")
    assert not channel or not (channel.open or channel.ready), "nothing is stuck"
    stored = [s for s in run.journal if s.step == "publish" and s.fault not in ("fail", "cut")]
    assert finished >= {s.envelope.id for s in stored}

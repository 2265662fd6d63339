"""A topic is a log: kept, in order per key, read by every group from positions of its own."""

import itertools
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postoffice import SCHEMA, Posted, Shouted, Stamped, keep, kept, office, play, told

from edalab import Event, Faults, Misuse, System, cut, pause, simulate
from edalab.errors import Endless
from edalab.view import timeline


def test_every_group_gets_every_message_once():
    system = office()
    for name in ("archive", "museum"):

        @system.service(name, replicas=2, schema=SCHEMA).on(Posted)
        def file(event, ctx):
            keep(ctx, event.n)

    run = play(system, Posted(n=1), Posted(n=2))
    assert kept(run, "post") == kept(run, "archive") == kept(run, "museum") == [1, 2]


def test_a_message_takes_ten_milliseconds_to_the_broker_and_ten_to_the_consumer():
    assert told(play(office(), Posted())) == [
        "0 client.publish Posted", "20 post.deliver Posted/1", "20 post.handle Posted/1", "20 post.save Posted/1",
        "20 post.publish Stamped", "30 post.commit Posted/1",
    ]  # fmt: skip


def test_what_a_handler_returns_is_published_before_the_commit():
    steps = [s.step for s in play(office(), Posted()).journal]
    assert steps.index("save") < steps.index("publish", 1) < steps.index("commit")


def test_the_key_chooses_the_partition_by_crc32():
    run = play(office(partitions=3), *[Posted(to=to) for to in ("ann", "ben", "cyd", "ann")])
    handled = [(s.envelope.subject, s.partition) for s in run.journal if s.step == "handle"]
    assert sorted(handled) == sorted(
        (to, crc32(to.encode()) % 3) for to in ("ann", "ben", "cyd", "ann")
    )


def test_without_a_key_partitions_take_turns():
    system = System("town")
    system.topic("streets", partitions=3)

    @system.service("post").on(Shouted)
    def hear(event):
        pass

    run = play(system, *[Shouted(n=n) for n in range(6)])
    where = {s.envelope.data.n: (s.partition, s.offset) for s in run.journal if s.step == "handle"}
    assert where == {0: (0, 0), 1: (1, 0), 2: (2, 0), 3: (0, 1), 4: (1, 1), 5: (2, 1)}


def test_a_topic_that_nobody_declared_has_one_partition():
    run = play(office(), Posted())
    assert len(run._world.channels["stamps"].partitions) == 1


def test_replicas_share_the_partitions_and_each_handles_one_message_at_a_time():
    run = play(
        office(replicas=2, partitions=2, seconds=1),
        *[Posted(to=to, n=n) for n, to in enumerate("abcd")],
    )
    handled = [(s.replica, s.partition, s.time) for s in run.journal if s.step == "handle"]
    assert {(replica, partition) for replica, partition, _ in handled} == {(1, 0), (2, 1)}
    for replica in (1, 2):
        times = [time for r, _, time in handled if r == replica]
        assert all(later - earlier >= 1000 for earlier, later in itertools.pairwise(times))


def test_a_failing_handler_blocks_its_partition_then_its_message_is_dead_lettered():
    system = System("town")
    post = system.service("post", schema=SCHEMA)

    @post.on(Posted, max_attempts=3)
    def stamp(event, ctx):
        if event.n == 1:
            raise ValueError("no stamp")
        keep(ctx, event.n)

    run = play(system, Posted(n=1), Posted(n=2))
    assert told(run, "handle", "retry", "dead_letter", "commit") == [
        "20 post.handle Posted/1", "20 post.retry Posted/1", "120 post.handle Posted/2", "120 post.retry Posted/2",
        "320 post.handle Posted/3", "320 post.dead_letter Posted/3", "320 post.commit Posted/3",
        "330 post.handle Posted/1", "330 post.commit Posted/1",
    ]  # fmt: skip
    dead = next(s for s in run.journal if s.step == "dead_letter")
    assert dead.detail == "ValueError (line 4): no stamp; to letters.dlq"
    assert "Posted client-1 dead-lettered" in repr(run)


def test_crashes_never_dead_letter_on_a_log_and_count_as_attempts():
    crashes = [f"crash post.handle.Posted #{nth}" for nth in range(1, 6)]
    run = play(office(max_attempts=1), Posted(n=1), faults=crashes)
    assert not told(run, "dead_letter") and kept(run) == [1]
    assert [s.attempt for s in run.journal if s.step == "handle"] == [1, 2, 3, 4, 5, 6]


def test_at_most_once_commits_before_handling_and_a_failure_is_lost():
    run = play(
        office(delivery="at-most-once"),
        Posted(n=1),
        Posted(n=2),
        faults=["fail post.handle.Posted #1"],
    )
    assert told(run, "commit", "handle", "lost", "done", service="post")[:3] == [
        "20 post.commit Posted/1", "20 post.handle Posted/1 fail", "20 post.lost Posted/1",
    ]  # fmt: skip
    assert kept(run) == [2]


@pytest.mark.parametrize(
    "fault", ["crash post.handle.Posted", "crash post.save.Posted", "drop post.deliver.Posted"]
)
def test_at_most_once_loses_what_a_crash_or_a_drop_strikes(fault):
    run = play(office(delivery="at-most-once"), Posted(n=1), Posted(n=2), faults=[fault])
    assert kept(run) == [2]


def test_at_most_once_a_commit_that_did_not_happen_lets_the_message_come_again_as_a_second_attempt():
    run = play(
        office(delivery="at-most-once"),
        Posted(n=1),
        faults=["lose post.commit.Posted", "crash post.save.Posted"],
    )
    assert told(run, "handle") == ["20 post.handle Posted/1", "1030 post.handle Posted/2"]


def test_a_message_that_nobody_subscribes_to_is_said_and_no_error():
    run = play(office(), Shouted())
    assert told(run) == ["0 client.publish Shouted"]
    assert "1 Shouted published to nobody" in repr(run)


def test_types_that_a_group_does_not_handle_are_passed_over():
    class Lettered(Posted, topic="letters", key="to"): ...

    run = play(office(), Lettered(n=1), Posted(n=2), Lettered(n=3))
    assert [(s.offset, s.envelope.data.n) for s in run.journal if s.step == "handle"] == [(1, 2)]
    assert run.at(1).services["post"].lag == 0


def test_two_functions_for_one_message_run_one_after_the_other_in_one_handling():
    system = office()

    @system.services["post"].on(Posted)
    def log(event, ctx):
        ctx.note("logged")
        return Shouted()

    run = play(system, Posted())
    steps = [s.step for s in run.journal if s.service == "post"]
    assert steps == "deliver handle save note publish publish commit".split()


def test_two_publishes_in_one_transaction_stay_in_order_under_every_seed():
    system = System("town")

    @system.service("post", schema=SCHEMA).on(Shouted)
    async def stamp(event, ctx):
        with ctx.database as db:
            db.execute("insert into letters values (1)")
            for n in range(5):
                await ctx.publish(Stamped(n=n))

    @system.service("archive").on(Stamped)
    def file(event):
        pass

    for seed in range(20):
        run = play(system, Shouted(), seed=seed)
        handled = [s for s in run.journal if (s.service, s.step) == ("archive", "handle")]
        assert [s.envelope.data.n for s in handled] == [0, 1, 2, 3, 4]


def test_nothing_recorded_changes_when_a_handler_changes_its_copy():
    class Listed(Posted):
        names: list[str]

    system = System("town")

    @system.service("post").on(Listed)
    async def stamp(event, ctx):
        event.names.append("by the handler")
        ctx.message.data.names.append("by the message")
        envelope = ctx.envelope(Listed2(names=["b"]))
        await ctx.publish(envelope)
        envelope.data.names.append("after it was sent")

    class Listed2(Posted):
        names: list[str]

    @system.service("archive").on(Listed)
    def file(event, ctx):
        ctx.note(event.names)

    mine = Listed(names=["a"])
    run = play(system, mine)
    mine.names.append("later")
    names = [s.envelope.data.names for s in run.journal if s.envelope.type == "Listed"]
    assert names == [["a"]] * 8
    assert [s.envelope.data.names for s in run.journal if s.envelope.type == "Listed2"] == [["b"]]
    assert next(s.detail for s in run.journal if s.step == "note") == "['a']"


# -- a commit for several messages


class Counted(Event, topic="counts", key="to"):
    to: str = "ann"
    n: int = 0


def counting(every, replicas=1, partitions=1):
    system = System("town")
    system.topic("counts", partitions=partitions)

    @system.service("tally", replicas=replicas, schema=SCHEMA).on(Counted, commit_every=every)
    async def count(event, ctx):
        await ctx.sleep(0.1)
        keep(ctx, event.n)

    return system


def counts(many, apart=0.0, to=("ann",)):
    async def workload(ctx):
        for n in range(many):
            for name in to:
                await ctx.publish(Counted(to=name, n=n))
            await ctx.sleep(apart)

    return workload


def offsets(run, step, fault=None):
    return [s.offset for s in run.journal if s.step == step and s.fault == fault]


def test_a_group_that_commits_every_third_message_commits_the_rest_when_nothing_waits():
    run = simulate(counting(3), counts(7))
    assert kept(run, "tally") == [*range(7)] and offsets(run, "handle") == [*range(7)]
    assert offsets(run, "commit") == [2, 5, 6] and offsets(run, "done") == [0, 1, 3, 4]
    slow = simulate(counting(3), counts(3, apart=1))
    assert offsets(slow, "commit") == [0, 1, 2], "each time nothing else waits"
    assert (run.at(0.33).services["tally"].lag, run.at(0.35).services["tally"].lag) == (7, 4)


def test_a_crash_brings_all_messages_again_that_came_since_the_last_commit():
    run = simulate(counting(3), counts(6), faults=["crash tally.save.Counted #5"])
    assert offsets(run, "handle") == [0, 1, 2, 3, 4, 3, 4, 5]
    again = [s.attempt for s in run.journal if s.step == "handle" and s.offset in (3, 4)]
    assert again == [1, 1, 2, 2]
    alone = simulate(counting(1), counts(6), faults=["crash tally.save.Counted #5"])
    assert offsets(alone, "handle") == [0, 1, 2, 3, 4, 4, 5]


def test_a_lost_commit_of_several_is_made_good_by_the_next_and_costs_all_of_them_after_a_crash():
    faults = ["lose tally.commit.Counted #1"]
    assert offsets(simulate(counting(3), counts(6), faults=faults), "handle") == [*range(6)]
    faults.append("crash tally.save.Counted #5")
    assert offsets(simulate(counting(3), counts(6), faults=faults), "handle") == [
        *(0, 1, 2, 3, 4),
        *(0, 1, 2, 3, 4, 5),
    ]


@given(st.integers(1, 5), st.integers(0, 300), st.sampled_from((0.0, 0.1, 0.2)))
@settings(max_examples=60, deadline=None)
def test_under_any_faults_nothing_is_skipped_and_a_commit_stands_for_all_before_it(
    every, seed, rate
):
    faults = [Faults(crash=rate, drop=rate, fail=rate / 2, duplicate=rate)]
    system = counting(every, replicas=2, partitions=2)
    run = simulate(system, counts(6, to=("ann", "ben")), seed=seed, faults=faults)
    position: dict[int, int] = {}
    done: set[tuple[int, int]] = set()
    for step in run.journal:
        place = step.partition, step.offset
        if step.step in ("done", "commit", "dead_letter"):
            done.add(place)
        if step.step == "commit" and not step.fault:
            assert all((step.partition, offset) in done for offset in range(step.offset + 1))
            position[step.partition] = step.offset + 1
    log = run._world.channels.get("counts")
    for reader in [r for readers in log.readers for r in readers] if log else ():
        assert reader.committed == position.get(reader.partition, 0)
        assert reader.position == len(reader.records)


# -- a topic that deduplicates


def twice(apart, deduplicates=2):
    system = System("town")
    system.topic("counts", deduplicates=deduplicates)

    @system.service("tally", schema=SCHEMA).on(Counted)
    def count(event, ctx):
        keep(ctx, event.n)

    async def workload(ctx):
        envelope = ctx.envelope(Counted(n=1))
        await ctx.publish(envelope)
        await ctx.sleep(apart)
        await ctx.publish(envelope)
        await ctx.publish(Counted(n=1))

    return simulate(system, workload)


def test_a_topic_that_deduplicates_stores_an_id_once_within_its_window():
    run = twice(apart=1)
    assert kept(run, "tally") == [1, 1], "the third has an id of its own"
    (step,) = [s for s in run.journal if s.step == "deduplicated"]
    assert (step.service, step.detail, step.time) == ("client", "stored 1.01 s ago", 1020)
    assert (
        kept(twice(apart=2.5), "tally") == kept(twice(apart=1, deduplicates=0), "tally") == [1] * 3
    )
    assert "not stored again" in str([label.text for label in timeline(run).scene.labels])


def test_a_publish_that_the_client_library_sends_again_is_stored_once():
    system = counting(1)
    fault = ["duplicate client.publish.Counted #1"]
    assert kept(simulate(system, counts(2), faults=fault), "tally") == [0, 0, 1]
    system.topic("counts", deduplicates=120)
    assert kept(simulate(system, counts(2), faults=fault), "tally") == [0, 1]


@pytest.mark.parametrize("seconds", [-1, "2", True, float("nan")])
def test_a_window_is_a_number_of_seconds(seconds):
    with pytest.raises(Misuse, match="deduplicates= takes seconds"):
        System("town").topic("counts", deduplicates=seconds)


# -- how long a group waits for a commit


def slow(*seconds, replicas=2, partitions=2, interval=1.0, **options):
    """A group whose n-th attempt at a message takes seconds[n - 1], and the last of these from then on."""
    system = System("town")
    system.topic("counts", partitions=partitions, max_poll_interval=interval)
    tally = system.service("tally", replicas=replicas, schema=SCHEMA)

    @tally.on(Counted, **options)
    async def count(event, ctx):
        await ctx.sleep(seconds[min(ctx.message.attempt, len(seconds)) - 1])
        keep(ctx, event.n)

    return system


ANN, EVE = Counted(to="ann", n=1), Counted(to="eve", n=2)  # of partitions 1 and 0


def test_a_replica_that_takes_too_long_loses_all_its_partitions_and_joins_again_when_it_is_done():
    run = play(slow(1.5, 0.2, partitions=4), ANN)
    assert told(run, "handle", "evicted", "commit", "takeover") == [
        "20 tally-2.handle Counted/1", "1020 tally-2.evicted Counted/1", "1020 tally.takeover", "1020 tally.takeover",
        "1030 tally.handle Counted/2", "1230 tally.commit Counted/2", "1520 tally-2.commit Counted/1 fenced",
        "1520 tally-2.takeover", "1520 tally-2.takeover",
    ]  # fmt: skip
    refused = next(s for s in run.journal if s.fault == "fenced")
    assert refused.detail == "refused: its replica was evicted"
    assert kept(run, "tally") == [1, 1]


def test_a_replica_without_others_gets_the_message_again_when_its_handler_has_ended():
    run = play(slow(1.5, 0.2, replicas=1, partitions=1), ANN, EVE)
    assert told(run, "handle", "evicted", "commit", "takeover") == [
        "20 tally.handle Counted/1", "1020 tally.evicted Counted/1", "1520 tally.commit Counted/1 fenced",
        "1530 tally.handle Counted/2", "1730 tally.commit Counted/2",
        "1740 tally.handle Counted/1", "2740 tally.evicted Counted/1", "3240 tally.commit Counted/1 fenced",
        "3250 tally.handle Counted/2", "3450 tally.commit Counted/2",
    ]  # fmt: skip


@pytest.mark.parametrize("replicas", [1, 3])
def test_a_handler_that_is_always_too_slow_ends_in_an_error_that_names_it(replicas):
    with pytest.raises(Endless, match="Counted client-1 came to tally.count over 1,000 times"):
        play(slow(1.5, replicas=replicas), ANN)


def test_a_retry_and_the_next_message_have_the_whole_interval_again():
    fails = ["fail tally.save.Counted #1"]
    run = play(slow(0.9, replicas=1, partitions=1), ANN, EVE, faults=fails)
    assert told(run, "evicted") == [] and kept(run, "tally") == [1, 2]
    assert run.end == 10 + 10 + 900 + 100 + 900 + 10 + 900, "no timer outlives its handling"


def test_an_evicted_replica_that_fails_or_crashes_leaves_the_message_to_its_new_owner():
    run = play(slow(1.5, 0.2), ANN, faults=["fail tally.save.Counted #2"])
    failure = next(s for s in run.journal if s.step == "failure")
    assert (failure.time, failure.detail.rpartition("; ")[2]) == (1520, "its replica was evicted")
    assert told(run, "commit") == ["1230 tally.commit Counted/2"] and kept(run, "tally") == [1]
    run = play(slow(1.5, 0.2), ANN, faults=["crash tally.save.Counted #2"])
    assert told(run, "restart", "takeover")[-2:] == [
        "2520 tally-2.restart",
        "2520 tally-2.takeover",
    ]


def test_at_most_once_an_eviction_moves_partitions_and_brings_nothing_again():
    run = play(slow(1.5, delivery="at-most-once"), ANN)
    assert told(run, "handle", "evicted", "done") == [
        "20 tally-2.handle Counted/1", "1020 tally-2.evicted Counted/1", "1520 tally-2.done Counted/1",
    ]  # fmt: skip


def test_the_interval_goes_on_while_a_replica_stands_still_or_is_cut_off():
    for outage in (pause("tally", 0.5, 0.9, replica=2), cut("tally", 0.5, 0.9)):
        run = play(slow(1.5, 0.2), ANN, faults=[outage])
        assert told(run, "evicted") == ["1020 tally-2.evicted Counted/1"]
        assert kept(run, "tally") == [1, 1]


def test_a_group_waits_for_some_seconds():
    for longest in (0, -1, "2", True, float("nan")):
        with pytest.raises(Misuse, match="max_poll_interval= takes seconds from 0.001"):
            System("town").topic("counts", max_poll_interval=longest)


@given(
    st.lists(st.sampled_from((0.2, 0.7, 1.5)), min_size=1, max_size=3),
    st.integers(1, 3),
    st.sampled_from(({}, {"commit_every": 2}, {"delivery": "at-most-once"})),
    st.integers(0, 300),
    st.sampled_from((0.0, 0.1, 0.2)),
)
@settings(max_examples=80, deadline=None)
def test_under_any_faults_who_takes_too_long_is_evicted_until_its_handling_ends(
    seconds, replicas, options, seed, rate
):
    faults = [Faults(crash=rate, drop=rate, fail=rate, duplicate=rate)]
    faults += [pause("tally", 1, 1.4), cut("tally", 2, 4)] if rate else []
    system = slow(*seconds, 0.2, replicas=replicas, **options)
    run = simulate(system, counts(4, to=("ann", "eve")), seed=seed, faults=faults)
    begun: dict[tuple, int] = {}  # handlings under way, by replica
    evicted: set[int] = set()  # replicas
    owners = {partition: partition % replicas + 1 for partition in (0, 1)}
    for step in run.journal:
        if step.service != "tally":
            continue
        here = step.replica
        for replica, since in begun.items():
            assert step.time - since <= 1000 or replica in evicted, f"{replica} goes on: {step}"
        if step.step == "takeover":
            assert here not in evicted
            owners[step.partition] = here
        elif step.step == "handle":
            assert here not in evicted and owners[step.partition] == here
            begun[here] = step.time
        elif step.step == "evicted":
            assert step.time - begun[here] == 1000
            evicted.add(here)
        elif step.step == "commit" and here in evicted:
            assert step.fault in ("fenced", "crash")
        elif step.step == "restart":
            evicted.discard(here)
        at_most_once = options.get("delivery") and step.step == "commit"
        ends = ("commit", "done", "retry", "failure", "lost", "crash")
        if step.step in ends and not at_most_once and step.fault != "drop":
            begun.pop(here, None)
            if step.step != "crash" and step.fault != "crash":
                evicted.discard(here)
    log = run._world.channels.get("counts")
    for reader in [r for readers in log.readers for r in readers] if log else ():
        assert reader.position == len(reader.records), "nothing is stuck"
    assert not any(replica.evicted for replica in run._world.services["tally"].replicas)

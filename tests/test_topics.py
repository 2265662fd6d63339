"""A topic is a log: kept, in order per key, read by every group from positions of its own."""

import itertools
from zlib import crc32

import pytest
from postoffice import SCHEMA, Posted, Shouted, Stamped, keep, kept, office, play, told

from edalab import System


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

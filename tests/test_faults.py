"""Every row of the step table: what exactly happens where a fault strikes."""

import pytest
from postoffice import (
    SCHEMA,
    Carry,
    Handed,
    Posted,
    Shouted,
    Stamped,
    Weigh,
    keep,
    kept,
    office,
    play,
    told,
)

from edalab import Fault, Faults, Misuse, Unanswered, cut, pause, simulate
from edalab.sim import ACTIONS
from edalab.sim.plan import parse


def town():
    """The post office, a desk with a queue, a street whose topic does not confirm, and a scale that answers."""
    system = office()
    system.topic("streets", confirms=False)
    system.queue("counter")
    desk = system.service("desk", schema=SCHEMA)

    @desk.on(Handed)
    def take(event, ctx):
        keep(ctx, event.n)

    @desk.on(Shouted)
    def hear(event):
        pass

    @desk.handles(Carry)
    def carry(command, ctx):
        keep(ctx, command.n)

    @system.service("scale", schema=SCHEMA).answers(Weigh)
    def weigh(query, ctx):
        keep(ctx, query.n)
        return 7

    return system


async def one_question(ctx):
    try:
        ctx.note(f"{await ctx.ask(Weigh())} g")
    except Unanswered as error:
        ctx.note(str(error))


CRASH = [
    "20 post.crash",
    "1020 post.restart",
    "1030 post.deliver Posted/2",
    "1030 post.handle Posted/2",
]
AGAIN = ["1030 post.save Posted/2", "1030 post.publish Stamped", "1040 post.commit Posted/2"]
RETRY = ["20 post.retry Posted/1", "120 post.handle Posted/2", "120 post.save Posted/2"]
ON_A_LOG = {
    # saved, then dead before it could tell: saved again
    "crash post.publish.Stamped": (
        [1, 1],
        ["20 post.save Posted/1", "20 post.publish Stamped crash", *CRASH, *AGAIN],
    ),
    "fail post.publish.Stamped": (
        [1, 1],
        [
            "20 post.save Posted/1",
            "20 post.publish Stamped fail",
            "30 post.retry Posted/1",
            "130 post.handle Posted/2",
        ],
    ),
    "delay client.publish.Posted": (
        [1],
        ["0 client.publish Posted delay", "1020 post.deliver Posted/1"],
    ),
    "delay client.publish.Posted for 3 s": (
        [1],
        ["0 client.publish Posted delay", "3020 post.deliver Posted/1"],
    ),
    # the same id at an offset of its own: a first attempt
    "duplicate client.publish.Posted": (
        [1, 1],
        ["30 post.commit Posted/1", "520 post.deliver Posted/1", "530 post.commit Posted/1"],
    ),
    # fetched again, the same attempt
    "drop post.deliver.Posted": (
        [1],
        ["20 post.deliver Posted/1 drop", "520 post.deliver Posted/1", "530 post.commit Posted/1"],
    ),
    "delay post.deliver.Posted": (
        [1],
        ["20 post.deliver Posted/1 delay", "1020 post.handle Posted/1"],
    ),
    # the same offset: a second attempt
    "duplicate post.deliver.Posted": (
        [1, 1],
        ["30 post.commit Posted/1", "40 post.deliver Posted/2", "50 post.commit Posted/2"],
    ),
    "crash post.handle.Posted": ([1], ["20 post.handle Posted/1 crash", *CRASH, *AGAIN]),
    "crash post.handle.Posted for 5 s": (
        [1],
        ["20 post.crash", "5020 post.restart", "5030 post.handle Posted/2"],
    ),
    "fail post.handle.Posted": ([1], ["20 post.handle Posted/1 fail", *RETRY]),
    "crash post.save.Posted": ([1], ["20 post.save Posted/1 crash", *CRASH, *AGAIN]),
    "fail post.save.Posted": ([1], ["20 post.save Posted/1 fail", *RETRY]),
    "crash post.commit.Posted": (
        [1, 1],
        ["30 post.commit Posted/1 crash", "1040 post.deliver Posted/2"],
    ),
    "lose post.commit.Posted": ([1], ["20 post.save Posted/1", "30 post.commit Posted/1 lose"]),
}
ON_A_QUEUE = {
    "drop desk.deliver.Handed": (
        [1],
        ["20 desk.deliver Handed/1 drop", "5030 desk.deliver Handed/2", "5030 desk.ack Handed/2"],
    ),
    "delay desk.deliver.Handed": (
        [1],
        ["20 desk.deliver Handed/1 delay", "1020 desk.handle Handed/1", "1020 desk.ack Handed/1"],
    ),
    "duplicate desk.deliver.Handed": (
        [1, 1],
        ["20 desk.ack Handed/1", "30 desk.deliver Handed/2", "30 desk.ack Handed/2"],
    ),
    "crash desk.handle.Handed": (
        [1],
        ["20 desk.crash", "1020 desk.restart", "5030 desk.handle Handed/2"],
    ),
    "fail desk.handle.Handed": (
        [1],
        ["20 desk.retry Handed/1", "120 desk.deliver Handed/2", "120 desk.ack Handed/2"],
    ),
    "crash desk.ack.Handed": (
        [1, 1],
        ["20 desk.ack Handed/1 crash", "20 desk.crash", "5030 desk.deliver Handed/2"],
    ),
    "lose desk.ack.Handed": ([1, 1], ["20 desk.ack Handed/1 lose", "5030 desk.deliver Handed/2"]),
}
GIVEN_UP = ["1000 client.timeout Weigh", "1000 client.note"]
ON_A_QUESTION = {
    "drop client.ask.Weigh": ([], ["0 client.ask Weigh drop", *GIVEN_UP]),
    "delay client.ask.Weigh": (
        [0],
        [*GIVEN_UP, "1010 scale.handle Weigh/1", "1020 client.answer Weigh"],
    ),
    "drop scale.reply.Weigh": (
        [0],
        ["10 scale.save Weigh/1", "10 scale.reply Weigh/1 drop", *GIVEN_UP],
    ),  # the effect has happened
    "delay scale.reply.Weigh": (
        [0],
        ["10 scale.reply Weigh/1 delay", *GIVEN_UP, "1020 client.answer Weigh"],
    ),
    "delay scale.reply.Weigh for 0.5 s": ([0], ["520 client.answer Weigh", "520 client.note"]),
    "crash scale.reply.Weigh": ([0], ["10 scale.reply Weigh/1 crash", "10 scale.crash", *GIVEN_UP]),
    "crash scale.save.Weigh": ([], ["10 scale.save Weigh/1 crash", "10 scale.crash", *GIVEN_UP]),
    "fail scale.handle.Weigh": (
        [],
        ["10 scale.handle Weigh/1 fail", "10 scale.failure Weigh/1", *GIVEN_UP],
    ),
}


def holds(run, fault: str, service: str, rows: list, lines: list):
    story = told(run)
    assert [line for line in story if line in lines] == lines, "\n".join(story)
    assert kept(run, service) == rows
    assert [str(f).replace(" #1", "") for f in run.faults] == [fault] and not run.unfired


@pytest.mark.parametrize("fault", ON_A_LOG)
def test_on_a_log(fault):
    holds(play(town(), Posted(n=1), faults=[fault]), fault, "post", *ON_A_LOG[fault])


@pytest.mark.parametrize("fault", ON_A_QUEUE)
def test_on_a_queue(fault):
    holds(play(town(), Handed(n=1), faults=[fault]), fault, "desk", *ON_A_QUEUE[fault])


@pytest.mark.parametrize("fault", ON_A_QUESTION)
def test_on_a_question(fault):
    holds(simulate(town(), one_question, faults=[fault]), fault, "scale", *ON_A_QUESTION[fault])


def test_a_duplicate_of_a_queue_comes_although_the_first_handling_crashed():
    faults = ["duplicate desk.deliver.Handed", "crash desk.ack.Handed"]
    run = play(town(), Handed(n=1), faults=faults)
    assert kept(run, "desk") == [1, 1, 1] and not run.unfired
    assert told(run, "handle") == [
        "20 desk.handle Handed/1", "1030 desk.handle Handed/2", "5030 desk.handle Handed/2",
    ]  # fmt: skip


def test_a_lost_commit_shows_when_the_replica_crashes_before_a_later_commit():
    lost = "lose post.commit.Posted #1"
    assert kept(play(office(), Posted(n=1), Posted(n=2), faults=[lost])) == [1, 2]
    run = play(office(), Posted(n=1), Posted(n=2), faults=[lost, "crash post.handle.Posted #2"])
    assert kept(run) == [1, 1, 2]
    assert [(s.offset, s.attempt) for s in run.journal if s.step == "handle"] == [
        (0, 1),
        (1, 1),
        (0, 2),
        (1, 2),
    ]


def test_a_publish_made_twice_by_two_attempts_has_two_ids():
    run = play(office(), Posted(), faults=["crash post.commit.Posted"])
    assert [s.envelope.id for s in run.journal if s.step == "publish"] == [
        "client-1",
        "post-1",
        "post-2",
    ]


def test_nth_counts_every_time_the_point_is_reached_also_by_other_attempts_and_when_another_fault_struck():
    run = play(
        office(),
        Posted(n=1),
        Posted(n=2),
        faults=["fail post.handle.Posted #1", "fail post.handle.Posted #2"],
    )
    assert told(run, "handle") == [
        "20 post.handle Posted/1 fail", "120 post.handle Posted/2 fail",
        "320 post.handle Posted/3", "340 post.handle Posted/1",
    ]  # fmt: skip


def test_of_several_faults_at_one_point_the_worst_strikes_and_the_others_are_unfired():
    faults = [
        "delay client.publish.Posted",
        "fail client.publish.Posted",
        "duplicate client.publish.Posted",
    ]
    run = play(office(), Posted(), faults=faults)
    assert [str(f) for f in run.faults] == ["fail client.publish.Posted #1"]
    assert [str(f) for f in run.unfired] == [
        "delay client.publish.Posted #1",
        "duplicate client.publish.Posted #1",
    ]


def test_a_fault_asked_for_twice_strikes_once():
    run = play(office(), Posted(), faults=["fail post.handle.Posted", "fail post.handle.Posted"])
    assert len(run.faults) == len(run.unfired) == 1


def test_what_was_not_reached_is_unfired_and_said():
    run = play(office(), Posted(), faults=["crash post.commit.Posted #7", pause("post", 900, 901)])
    assert run.faults == [] and [str(f) for f in run.unfired] == [
        "crash post.commit.Posted #7",
        "pause post from 900 s to 901 s",
    ]
    assert "never happened: crash post.commit.Posted #7" in repr(run)


def test_a_step_that_has_no_effect_anyway_cannot_be_struck_but_by_a_crash():
    away = cut("post", 0.1, 0.3)
    run = play(office(seconds=0.1), Posted(), faults=[away, "duplicate post.publish.Stamped"])
    assert "120 post.publish Stamped cut" in told(run)
    assert run.faults == [away] and [str(f) for f in run.unfired] == [
        "duplicate post.publish.Stamped #1"
    ]
    run = play(office(seconds=0.1), Posted(), faults=[away, "crash post.publish.Stamped"])
    assert "120 post.publish Stamped crash" in told(run) and not run.unfired


def test_the_text_form_and_the_objects_are_the_same_faults():
    assert parse("crash post.publish.Stamped #2") == Fault(
        "crash", at="post.publish.Stamped", nth=2
    )
    assert parse("  delay   post.deliver.Posted  for 2s ") == Fault(
        "delay", "post.deliver.Posted", seconds=2
    )
    assert parse("pause post/2 from 1 to 3 s") == pause("post", 1, 3, replica=2)
    assert parse("cut post from 1s to 3s") == cut("post", 1, 3)


TEXTS = [
    "delay post.deliver.Posted #2 for 2 s", "crash post.handle.Posted #1 for 0.5 s", "pause post from 1 s to 3 s",
    "pause post/2 from 0.25 s to 3 s", "cut post from 0 s to 1.5 s",
    "delay post.deliver.Posted #1 for 1234.567 s", "pause post from 86400.001 s to 86401.25 s",
    *(f"{action} post.{step}.Posted #3" for step, actions in ACTIONS.items() for action in actions),
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_the_text_of_a_fault_reads_back_as_the_same_fault(text):
    assert str(parse(text)) == text and parse(str(parse(text))) == parse(text)
    assert repr(parse(text)) == repr(text)


def test_the_clients_points_take_every_action_but_crash():
    with pytest.raises(Misuse, match="does not crash"):
        play(office(), Posted(), faults=["crash client.publish.Posted"])
    run = play(office(), Posted(), faults=[Faults(crash=1)], until=0.005)
    assert told(run) == ["0 client.publish Posted"]


def test_a_random_fault_is_listed_as_the_exact_fault_that_makes_the_same_run():
    run = play(
        office(),
        *[Posted(n=n) for n in range(20)],
        seed=3,
        faults=[Faults(drop=0.1, crash=0.1, duplicate=0.1)],
    )
    assert len(run.faults) > 3
    again = play(office(), *[Posted(n=n) for n in range(20)], seed=3, faults=run.faults)
    assert again.digest == run.digest and again.faults == run.faults


def test_a_service_more_changes_no_random_decision_elsewhere():
    def struck(system):
        run = play(system, *[Posted(n=n) for n in range(20)], faults=[Faults(fail=0.2)])
        return [str(f) for f in run.faults if f.at.startswith("post.handle")]

    more = office()

    @more.service("archive").on(Stamped)
    def file(event):
        pass

    assert struck(office()) == struck(more) != []

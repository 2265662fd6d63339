"""Workers and the line before them: who is let in, who waits, who is turned away."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postoffice import SCHEMA, Carry, Posted, Shouted, Stamped, Weigh, keep, told

from edalab import Busy, Faults, Misuse, System, Unanswered, cut, explore, pause, scale, simulate
from edalab.claims import no_event_lost


def scales(seconds: float = 0.2, queue: int = 1, **limits) -> System:
    """A scale that weighs, and handles letters of a topic and of a queue beside it."""
    system = System("town")
    system.topic("letters", partitions=2)
    system.queue("stamps", prefetch=queue)
    scale = system.service("scale", schema=SCHEMA, **limits)

    @scale.answers(Weigh)
    async def weigh(query, ctx):
        await ctx.sleep(seconds)
        return query.n

    @scale.handles(Carry)
    def carry(command, ctx):
        keep(ctx, command.n)
        return "carried"

    @scale.on(Posted)
    async def register(event, ctx):
        await ctx.sleep(seconds)

    @scale.on(Stamped)
    async def frank(event, ctx):
        await ctx.sleep(seconds)

    @scale.every(0.3)
    async def tick(ctx):
        await ctx.sleep(0.1)

    return system


def at_once(*questions, timeout: float = 1.0):
    async def ask(ctx):
        answers = await ctx.all(*(ctx.ask(question, timeout=timeout) for question in questions))
        ctx.note([str(a) if isinstance(a, Exception) else a for a in answers])

    return ask


def note(run) -> str:
    return next(s.detail for s in run.journal if s.step == "note" and s.service == "client")


def weighings(number: int) -> list[Weigh]:
    return [Weigh(n=n) for n in range(number)]


def test_what_finds_no_worker_free_waits_and_what_finds_no_place_in_line_is_turned_away():
    run = simulate(scales(workers=1, waiting=1), at_once(*weighings(3)))
    assert told(run, "handle", "waiting", "busy", "reply", "answer", service="scale")[:6] == [
        "10 scale.handle Weigh/1",
        "10 scale.waiting Weigh/1",
        "10 scale.busy Weigh/1",
        "10 scale.reply Weigh/1",
        "210 scale.reply Weigh/1",
        "210 scale.handle Weigh/1",
    ]
    details = [s.detail for s in run.journal if s.step in ("waiting", "busy")]
    assert details == ["0 before it", "1 at work, 1 in line"]
    assert note(run) == "[0, 1, 'scale is busy and turned Weigh away']"


def test_a_question_in_line_is_answered_although_its_asker_gave_up():
    run = simulate(scales(1.0, workers=1), at_once(*weighings(3), timeout=1.5))
    assert note(run).startswith("[0, 'scale did not answer Weigh within 1.5 s', 'scale did")
    late = [s for s in run.journal if s.step == "answer" and s.detail == "too late"]
    assert [s.time for s in late] == [2020, 3020]
    assert len([s for s in run.journal if s.step == "handle" and s.envelope.data]) == 3


@pytest.mark.parametrize(
    "fault, error",
    [
        ("drop", "scale did not answer Carry within 1 s"),
        ("crash", "scale did not answer Carry within 1 s"),
        ("delay", "scale did not answer Carry within 1 s"),
        (None, "scale is busy and turned Carry away"),
    ],
)
def test_that_it_is_busy_is_a_reply_which_faults_strike(fault, error):
    faults = [f"{fault} scale.reply.Carry #1"] if fault else []
    busy = scales(workers=1, waiting=0)
    run = simulate(busy, at_once(Weigh(n=1), Carry(n=2)), faults=faults)
    assert error in note(run) and not run.unfired
    assert run.rows("scale", "select * from letters") == []  # certainly not done


def test_busy_can_be_caught_and_is_no_unanswered():
    system = scales(workers=1, waiting=0)
    web = system.service("web")

    @web.on(Shouted)
    async def ask(event, ctx):
        try:
            await ctx.ask(Carry(n=1))
        except Busy as busy:
            ctx.note(f"{busy.service} {busy.message} {isinstance(busy, Unanswered)}")

    async def both(ctx):
        await ctx.publish(Shouted(n=1))
        await ctx.ask(Weigh(n=1))

    run = simulate(system, both)
    assert "scale Carry False" in [s.detail for s in run.journal]
    assert not run.failures


def test_an_uncaught_busy_fails_the_handler():
    system = scales(workers=1, waiting=0)
    web = system.service("web")

    @web.on(Shouted)
    async def ask(event, ctx):
        await ctx.ask(Carry(n=1))

    async def both(ctx):
        await ctx.publish(Shouted(n=1))
        await ctx.ask(Weigh(n=1))

    run = simulate(system, both)
    assert "web.ask raised Busy" in repr(run) and run.failures[0].line == ""


def test_a_crash_empties_the_line():
    three = at_once(*weighings(3))
    run = simulate(scales(workers=1), three, faults=["crash scale.reply.Weigh #1"])
    lost = [(s.time, s.detail) for s in run.journal if s.step == "lost"]
    assert lost == [(210, "scale crashed")] * 2
    assert note(run).count("did not answer") == 3


def test_a_replica_that_stands_still_lets_nobody_in_and_turns_nobody_away():
    stopped = pause("scale", 0, 0.5)
    run = simulate(scales(workers=1, waiting=1), at_once(*weighings(3)), faults=[stopped])
    assert [line for line in told(run, "handle", "waiting", "busy") if "Weigh" in line] == [
        "500 scale.handle Weigh/1", "500 scale.waiting Weigh/1", "500 scale.busy Weigh/1", "700 scale.handle Weigh/1",
    ]  # fmt: skip


def test_messages_take_workers_too_and_wait_their_turn():
    async def letters(ctx):
        for n in range(4):
            await ctx.publish(Stamped(n=n), wait=False)
        await ctx.sleep(0.05)
        await ctx.all(*(ctx.ask(question) for question in weighings(2)))

    run = simulate(scales(workers=2, queue=4), letters)
    order = [
        (s.time, s.envelope.type, s.envelope.data.n)
        for s in run.journal
        if s.step == "handle" and s.envelope.data is not None
    ]
    assert order == [
        (20, "Stamped", 0), (20, "Stamped", 1), (220, "Weigh", 0), (230, "Stamped", 2),
        (420, "Weigh", 1), (440, "Stamped", 3),
    ]  # fmt: skip


def test_waiting_without_workers_and_other_misuse():
    for wrong in (dict(waiting=3), dict(workers=0), dict(workers=2, waiting=-1), dict(workers=2.5)):
        with pytest.raises(Misuse, match=r"needs workers=|from 1 to 1000|from 0 to 1000"):
            System("town").service("scale", **wrong)
    town = System("town")
    assert town.service("scale", workers=2) is town.service("scale")


def test_no_event_is_lost_and_exploring_strikes_the_reply_that_says_busy():
    async def mixed(ctx):
        await ctx.publish(Posted(n=1))
        await ctx.all(*(ctx.ask(question) for question in weighings(3)))

    busy = scales(workers=1, waiting=1)
    result = explore(busy, mixed, claims=[no_event_lost(Posted)])
    assert result.outcome("no Posted is lost") == "holds"
    tried = {str(fault) for schedule in result.schedules for fault in schedule.faults}
    assert {"drop scale.reply.Weigh #1", "crash scale.reply.Weigh #3"} <= tried


# -- any traffic under any faults


class Reading:
    """What a record says, read on its own: how many are at work and in line at each replica."""

    def __init__(self, run):
        self.run, self.waited, self.turned = run, 0, 0
        declared = run.system.services["scale"]
        self.workers, self.waiting = declared.workers, declared.waiting
        kinds = {s.envelope.type for s in run.journal if s.step in ("publish", "ask")}
        self.only_questions = kinds <= {"Weigh", "Carry"}
        self.at_work: Counter = Counter()
        self.begun: dict[str, tuple] = {}
        self.line: dict[tuple, list[str]] = {}
        for step in run.journal:
            if step.service == "scale":
                self.read(step, (step.service, step.replica))
        self.check_end()

    def read(self, s, actor):
        id, line = s.envelope.id if s.envelope else None, self.line.setdefault(actor, [])
        asked = s.envelope is not None and s.envelope.type in ("Weigh", "Carry")
        if s.step == "handle" and s.envelope.data is not None:
            if asked and id in line:
                assert line.pop(0) == id, f"overtaken in line: {s}"
            elif asked:
                assert not line, f"passed the line: {s}"
            if s.fault is None:
                self.begun[id] = actor
            assert list(self.begun.values()).count(actor) <= self.workers, f"too many: {s}"
        elif s.step in ("reply", "commit", "ack", "retry", "dead_letter", "failure", "done"):
            self.begun.pop(id, None)
        elif s.step == "waiting":
            self.waited += 1
            assert self.waiting is None or len(line) < self.waiting, f"no place: {s}"
            assert s.detail == f"{len(line)} before it"
            if self.only_questions:
                assert [*self.begun.values()].count(actor) == self.workers, f"one was free: {s}"
            line.append(id)
        elif s.step == "busy":
            self.turned += 1
            assert len(line) == self.waiting, f"there was a place: {s}"
        elif s.step == "lost" and id in line:
            line.remove(id)
        elif s.step == "crash":
            self.begun = {id: by for id, by in self.begun.items() if by != actor}

    def check_end(self):
        assert not any(self.line.values()), f"still in line: {self.line}"
        for name, node in self.run._world.services.items():
            for replica in node.replicas:
                assert not replica.in_flight(), (name, replica.in_flight())
            assert all(reader.position == len(reader.records) for reader in node.readers), name
            assert not any(queue.ready for queue in node.queues), name
        turned = {s.envelope.id for s in self.run.journal if s.step == "busy"}
        handled = {
            s.envelope.id for s in self.run.journal if s.step in ("handle", "save") and s.envelope
        }
        assert not turned & handled, "done although it was turned away"
        replies = Counter(
            s.envelope.id for s in self.run.journal if s.step == "reply" and s.detail == "busy"
        )
        assert replies == Counter(turned)
        for id in turned:
            told = {s.step for s in self.run.journal if s.envelope and s.envelope.id == id}
            assert told & {"answer", "timeout"}, id


TRAFFIC = st.lists(
    st.tuples(st.sampled_from(["weigh", "carry", "post", "stamp"]), st.integers(1, 6), st.integers(0, 200)),
    min_size=3, max_size=12,
)  # fmt: skip
WINDOWS = st.lists(
    st.sampled_from(
        [pause("scale", 0.1, 0.4), pause("scale", 0.3, 2), cut("scale", 0.2, 0.9), scale("scale", 2, at=0.4)]
    ),
    max_size=2, unique_by=str,
)  # fmt: skip


def traffic_of(traffic):
    async def traffic_flows(ctx):
        for what, number, then in traffic:
            if what in ("post", "stamp"):
                kind = Posted if what == "post" else Stamped
                for n in range(number):
                    await ctx.publish(kind(n=n), wait=False)
            else:
                kind = Weigh if what == "weigh" else Carry
                await ctx.all(*(ctx.ask(kind(n=n), timeout=0.3) for n in range(number)))
            await ctx.sleep(then / 1000)

    return traffic_flows


LIMITS = st.tuples(st.integers(1, 3), st.none() | st.integers(0, 3), st.integers(1, 2))


@settings(max_examples=60, deadline=None)
@given(TRAFFIC, LIMITS, st.integers(1, 3), WINDOWS, st.floats(0, 0.15), st.integers(0, 5))
def test_any_traffic_keeps_to_the_workers_and_the_line(traffic, limits, queue, windows, rate, seed):
    workers, waiting, replicas = limits
    system = scales(0.07, queue, workers=workers, waiting=waiting, replicas=replicas)
    faults = [*windows, Faults(crash=rate, drop=rate, delay=rate, duplicate=rate, fail=rate)]
    Reading(simulate(system, traffic_of(traffic), seed=seed, faults=faults))


@settings(max_examples=25, deadline=None)
@given(TRAFFIC, st.integers(1, 3), WINDOWS, st.floats(0, 0.15), st.integers(0, 5))
def test_workers_that_never_run_out_change_nothing(traffic, queue, windows, rate, seed):
    faults = [*windows, Faults(crash=rate, drop=rate, delay=rate, duplicate=rate, fail=rate)]
    plain, many = (
        simulate(scales(0.07, queue, **limits), traffic_of(traffic), seed=seed, faults=faults)
        for limits in ({}, {"workers": 1000, "waiting": 0})
    )
    assert plain.digest == many.digest


def test_the_properties_meet_what_they_are_about():
    busy = [("weigh", 6, 0), ("stamp", 6, 0), ("carry", 6, 0)]
    read = Reading(simulate(scales(0.07, 3, workers=2, waiting=2), traffic_of(busy)))
    assert read.waited and read.turned

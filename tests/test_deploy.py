"""A deploy replaces what the replicas of a service run, one after the other, while everything goes on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edalab import (
    Command,
    Event,
    Faults,
    Misuse,
    Query,
    System,
    Unanswered,
    claims,
    cut,
    deploy,
    pause,
    scale,
    simulate,
)
from edalab.trace.step_words import doing
from edalab.view import timeline


class Filed(Event, topic="files", key="name"):
    name: str


class Task(Event, topic="tasks"):
    n: int


class Late(Event, topic="late"):
    n: int


class Ask(Query):
    n: int


class Renamed(Command):
    n: int


def office(version: int = 1, replicas: int = 2) -> System:
    """A service whose replicas read four partitions, share a queue, answer questions and run a tick. They note their
    version, and how often they did so since their memory was last empty."""
    system = System("office")
    system.topic("files", partitions=4)
    system.queue("tasks", prefetch=2)
    desk = system.service("desk", replicas=replicas, schema="create table done (id text)")

    def note(ctx):
        ctx.state["n"] = ctx.state.get("n", 0) + 1
        ctx.note(f"{version} {ctx.state['n']}")

    @desk.on(Filed)
    async def file(event, ctx):
        note(ctx)
        await ctx.sleep(0.1)
        with ctx.database as db:
            db.execute("insert into done (id) values (?)", (ctx.message.id,))
        note(ctx)

    @desk.on(Task)
    async def work(event, ctx):
        note(ctx)
        await ctx.sleep(0.15)
        note(ctx)

    @desk.answers(Ask)
    async def answer(query, ctx):
        note(ctx)
        await ctx.sleep(0.05)
        note(ctx)
        return version

    @desk.every(0.2)
    async def tidy(ctx):
        if ctx.now < 3:
            note(ctx)
            await ctx.sleep(0.03)
            note(ctx)

    return system


async def busy_day(ctx):
    for number in range(20):
        await ctx.publish(Filed(name="abcdefgh"[number % 8]))
        await ctx.publish(Task(n=number))
        if number % 4 == 0:
            try:
                await ctx.ask(Ask(n=number))
            except Unanswered:
                ...
        await ctx.sleep(0.03)


NEW = [office(version).services["desk"] for version in (2, 3)]
DEPLOYS = st.lists(
    st.builds(
        deploy,
        st.sampled_from(NEW),
        st.integers(0, 20).map(lambda n: n / 10),
        st.sampled_from([0, 0.05, 0.4]),
    ),
    min_size=1,
    max_size=2,
    unique_by=(lambda d: d.start, lambda d: d.new),
)
TROUBLE = st.sampled_from(
    [
        [],
        [scale("desk", 4, at=0.3)],
        [scale("desk", 1, at=0.4)],
        [pause("desk", 0.2, 0.9)],
        [cut("desk", 0.2, 1.5)],
        [Faults(crash=0.02)],
        [Faults(crash=0.05, drop=0.05), scale("desk", 3, at=0.5)],
    ]
)
ENDS = ("commit", "ack", "reply", "done", "retry", "failure", "lost", "dead_letter")


@given(DEPLOYS, TROUBLE, st.integers(1, 3), st.integers(0, 3))
def test_each_replica_runs_its_own_version_and_switches_between_two_messages(
    deploys, trouble, replicas, seed
):
    run = simulate(office(1, replicas), busy_day, seed=seed, faults=[*deploys, *trouble], until=30)
    in_order = sorted((one for one in deploys if one in run.faults), key=lambda one: one.start)
    code = {number + 2: one.new for number, one in enumerate(in_order)}
    written = {1: "1"} | {n: str(2 + NEW.index(_declared(new))) for n, new in code.items()}
    runs = dict.fromkeys(range(1, replicas + 1), 1)  # replica -> number of its version
    memory: dict[int, int] = {}
    newest, handling, down, left = 1, {}, set(), set()
    for s in run.journal:
        if s.service != "desk":
            continue
        here = handling.setdefault(s.replica, [])
        if s.step == "join":
            runs[s.replica] = newest
        elif s.step == "leave":
            left.add(s.replica)
        elif s.step in ("crash", "pause"):
            down.add(s.replica)
            if s.step == "crash":
                here.clear()
                memory[s.replica] = 0
        elif s.step in ("restart", "resume"):
            down.discard(s.replica)
        elif s.step == "deploy":
            assert not here and s.replica not in down | left, s
            number = int(s.detail.removeprefix("version "))
            assert number > runs[s.replica]
            assert s.time >= in_order[number - 2].start * 1000
            runs[s.replica], newest, memory[s.replica] = number, max(newest, number), 0
        elif s.step == "handle" and s.fault != "crash":
            here.append(s.envelope.id)
        elif s.step in ENDS and s.envelope and s.envelope.id in here:
            here.remove(s.envelope.id)
        elif s.step == "note":
            memory[s.replica] = memory.get(s.replica, 0) + 1
            assert s.detail == f"{written[runs[s.replica]]} {memory[s.replica]}", s
    if in_order:
        assert {runs[replica] for replica in runs.keys() - left} == {len(in_order) + 1}
    assert run.check(claims.no_event_lost(Filed)).outcome == "holds"
    assert (
        run.digest
        == simulate(
            office(1, replicas), busy_day, seed=seed, faults=[*deploys, *trouble], until=30
        ).digest
    )
    if not trouble:
        steps = [s.step for s in run.journal]
        assert "takeover" not in steps and "retry" not in steps
        handled = [s.envelope.id for s in run.journal if s.step in ("commit", "ack", "reply")]
        sent = [s.envelope.id for s in run.journal if s.step in ("publish", "ask")]
        assert sorted(handled) == sorted(sent)


def _declared(new):
    """The service of NEW that a deploy was made with."""
    (found,) = [one for one in NEW if one.handlers == new.handlers]
    return found


def steps(run, *names) -> list:
    return [
        (s.time, s.replica, s.step, s.detail)
        for s in run.journal
        if s.service == "desk" and s.step in names
    ]


async def one_file(ctx):
    await ctx.sleep(1)
    await ctx.publish(Filed(name="a"))


def test_replicas_switch_one_after_the_other_and_each_ends_its_message_first():
    run = simulate(office(), one_file, faults=[deploy(NEW[0], at=1.1, rolling=0.5)])
    switched = steps(run, "deploy")
    assert [(replica, detail) for _, replica, _, detail in switched] == [
        (1, "version 2"), (2, "version 2")
    ]  # fmt: skip
    ((busy, *_),) = steps(run, "commit")
    handled = next(s.replica for s in run.journal if s.step == "handle" and s.envelope.data)
    times = {replica: time for time, replica, *_ in switched}
    assert times == {1: max(1100, busy if handled == 1 else 0), 2: 1600}


def test_the_migration_runs_once_in_one_transaction_as_the_first_replica_switches():
    script = "alter table done add column note text; update done set note = 'a;b';"
    plan = [deploy(NEW[0], at=1.5, rolling=0.1, migration=script)]

    async def two_files(ctx):
        await one_file(ctx)
        await ctx.sleep(1)
        await ctx.publish(Filed(name="b"))

    run = simulate(office(), two_files, faults=plan)
    assert run.rows("desk", "select note from done order by rowid") == [("a;b",), (None,)]
    first, second = [n for n, s in enumerate(run.journal) if s.step == "deploy"]
    ((id, note),) = run.changes(first).added["done"]
    assert note == "a;b" and run.changes(first).removed == {"done": [(id,)]}
    assert not any(run.changes(second))
    assert run.at(1.4).rows("desk", "select * from done") == [(id,)]
    assert run.at(3).rows("desk", "select count(*), max(note) from done") == [(2, "a;b")]


@pytest.mark.parametrize("bad", ["alter tabl done", "commit", "insert into nope values (1)"])
def test_a_migration_that_sqlite_refuses_is_named(bad):
    good = "alter table done add column note text"
    with pytest.raises(Misuse) as error:
        simulate(office(), busy_day, faults=[deploy(NEW[0], at=0.1, migration=f"{good}; {bad}")])
    assert "SQLite cannot run the migration of desk" in str(error.value)
    assert bad in str(error.value)


def wider() -> System:
    """The office, which has learned more: another event, a question and a command."""
    system = office(2)
    desk = system.services["desk"]

    @desk.on(Late)
    def late(event, ctx):
        ctx.note(f"late {event.n}")

    @desk.handles(Renamed)
    def rename(command, ctx):
        ctx.note(f"renamed {command.n}")

    return system


def test_what_only_the_new_version_handles_is_taken_from_the_first_switch_on():
    async def early_and_late(ctx):
        for number in range(2):
            await ctx.publish(Late(n=number))
            await ctx.send(Renamed(n=number))
            await ctx.sleep(1)

    one = office(replicas=1)
    run = simulate(one, early_and_late, faults=[deploy(wider().services["desk"], at=0.5)])
    noted = [s.detail for s in run.journal if s.step == "note" and s.detail[0] in "lr"]
    assert noted == ["renamed 0", "late 1", "renamed 1"]  # a queue keeps what a topic passes over
    assert run.check(claims.no_event_lost(Late)).outcome == "broken"


def test_what_only_the_old_version_handled_is_passed_over_or_stays_in_its_queue():
    narrow = System("office")
    narrow.service("desk").on(Filed)(lambda_free)

    async def always(ctx):
        for _ in range(2):
            await ctx.publish(Filed(name="a"))
            await ctx.publish(Task(n=1))
            try:
                await ctx.ask(Ask(n=1))
            except Unanswered:
                ctx.note("unanswered")
            await ctx.sleep(1)

    run = simulate(office(replicas=1), always, faults=[deploy(narrow.services["desk"], at=1)])
    lost = [s.detail for s in run.journal if s.step == "lost"]
    assert lost == ["desk does not answer Ask in this version"]
    assert [s.detail for s in run.journal if s.service == "client" and s.step == "note"] == [
        "unanswered"
    ]
    assert [s.envelope.type for s in run.journal if s.step == "ack"] == ["Task"]
    assert run.at(30).services["desk"].lag == 1


def lambda_free(event): ...


def test_a_wider_version_brings_its_topics_and_its_tick_runs_at_its_own_pace():
    new = office(2)
    new.topic("extra", partitions=3)
    run = simulate(office(), one_file, faults=[deploy(new.services["desk"], at=1)])
    assert run.system.topics["extra"].partitions == 3 and run.system.name == "office"
    ticks = [
        (s.time, s.detail[0]) for s in run.journal if s.step == "note" and s.envelope.data is None
    ]
    assert [time for time, version in ticks if version == "1"][-2:] == [800, 830]
    assert [time for time, version in ticks if version == "2"][:2] == [1200, 1230]


def test_a_retry_begins_anew_in_the_new_version():
    def broken():
        system = System("office")

        @system.service("desk", schema="create table done (id text)").on(Filed)
        def file(event, ctx):
            raise ValueError("not yet")

        return system

    fixed = office(2).services["desk"]
    run = simulate(broken(), one_file, faults=[deploy(fixed, at=1.2)])
    names = [(s.step, s.attempt) for s in run.journal if s.service == "desk" and s.envelope]
    assert [one for one in names if one[0] in ("handle", "retry", "commit") and one[1]] == [
        ("handle", 1), ("retry", 1), ("handle", 2), ("retry", 2), ("handle", 3), ("commit", 3)
    ]  # fmt: skip


def test_the_new_service_is_taken_as_it_was_when_it_was_deployed():
    new = office(2)
    plan = [deploy(new.services["desk"], at=0.5)]
    before = simulate(office(), busy_day, faults=plan)

    @new.services["desk"].on(Filed)
    def file(event, ctx):
        raise ValueError

    assert simulate(office(), busy_day, faults=plan).digest == before.digest
    assert before.at(1).now == 1000  # played again


def test_a_run_does_not_end_before_its_deploys():
    run = simulate(office(), one_file, faults=[deploy(NEW[0], at=9, rolling=2)])
    assert [time for time, *_ in steps(run, "deploy")] == [9000, 11000] and not run.unfired


def leased(version: int) -> System:
    """Two replicas, of which one runs a tick as long as it has the lease."""
    system = System("office")
    desk = system.service("desk", replicas=2)

    @desk.every(0.5, lease=1)
    async def tidy(ctx):
        if ctx.now < 8:
            ctx.note(version)

    return system


def test_versions_share_the_lease_of_a_tick():
    plan = [deploy(leased(2).services["desk"], at=1.2, rolling=4), pause("desk", 2, 4)]
    run = simulate(leased(1), one_file, faults=plan)
    assert [s.replica for s in run.journal if s.step == "takeover"] == [2]
    noted = [(s.time, s.replica, s.detail) for s in run.journal if s.step == "note"]
    assert [one for one in noted if one[0] < 1200] == [(500, 1, "1"), (1000, 1, "1")]
    assert {one[1:] for one in noted if 1200 <= one[0] < 2000} == {(1, "2")}
    assert {one[1:] for one in noted if 3000 <= one[0] < 5200} == {(2, "1")}
    assert {one[1:] for one in noted if one[0] > 5200} == {(2, "2")}


def capturing() -> System:
    system = office()
    system.service("desk", schema="create table done (text)")
    system.capture("desk.done")
    return system


def test_pictures_and_comparisons_name_a_deploy():
    run = simulate(office(), busy_day, faults=[deploy(NEW[0], at=0.5)])
    assert ">deploy<" in timeline(run, start=0.4, end=0.8).svg()
    number = next(n for n, s in enumerate(run.journal) if s.step == "deploy")
    assert doing(run.journal, number).sentence == "desk is deployed"


def test_a_timeline_counts_the_deploys_of_a_service_that_has_several():
    plan = [deploy(new, at=at, rolling=0.1) for new, at in ((NEW[0], 0.5), (NEW[1], 0.8))]
    picture = timeline(simulate(office(), busy_day, faults=plan), start=0.4, end=1.2).svg()
    assert ">deploy 1<" in picture and ">deploy 2<" in picture and ">deploy<" not in picture


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: deploy("desk", at=1), "deploy takes a service of another system"),
        (lambda: deploy(NEW[0]), "deploy desk takes at=, in seconds"),
        (lambda: deploy(NEW[0], at=-1), "takes seconds"),
        (lambda: deploy(NEW[0], at=1, rolling="x"), "deploy desk: rolling="),
        (lambda: deploy(NEW[0], at=1, migration=3), "migration= takes SQL as a text"),
        (lambda: deploy(System("s").service("disk"), at=1), "Did you mean 'desk'"),
        (lambda: deploy(capturing().services["desk-capture"], at=1), "a connector has no handlers"),
        (lambda: "deploy desk at 5 s", 'write deploy(new.services["desk"], at=5)'),
    ],
)
def test_a_wrong_deploy_is_refused(make, says):
    with pytest.raises(Misuse) as error:
        simulate(capturing(), busy_day, faults=[make()])
    assert says in str(error.value)


def late_desk():
    """A service that subscribes at 3 s and reads its topic from the beginning."""
    system = System("office")
    desk = system.service("desk", joins=3, starts_at="earliest")

    @desk.on(Filed)
    def file(event, ctx):
        ctx.note(event.name)

    return system


@pytest.mark.parametrize("at", [0, 1, 5])
def test_a_group_that_joins_later_begins_at_the_earliest_whenever_it_is_deployed(at):
    async def two(ctx):
        await ctx.publish(Filed(name="a"))
        await ctx.publish(Filed(name="b"))

    run = simulate(late_desk(), two, faults=[deploy(late_desk().services["desk"], at=at)])
    read = [(step.detail, step.time > 3000) for step in run.journal if step.step == "note"]
    assert read == [("a", True), ("b", True)]


def two_groups():
    """Both give each message up once. The desk sends its own back at once, the archive after a while."""
    system = System("office")
    for name, after in (("desk", 0), ("archive", 9)):
        service = system.service(name)

        @service.on(Filed, max_attempts=1)
        async def file(event, ctx):
            await ctx.sleep(0.5)
            if not ctx.message.redrives:
                raise ValueError("no stamp")

        @service.dead_letters(Filed)
        async def look(event, ctx, after=after):
            await ctx.sleep(after)
            await ctx.redrive()

    return system


def test_a_deploy_takes_no_messages_that_another_group_sent_back_to_itself():
    async def three(ctx):
        for name in "abc":
            await ctx.publish(Filed(name=name))

    new = two_groups().services["archive"]
    run = simulate(two_groups(), three, faults=[deploy(new, at=1)])
    acks = [step for step in run.journal if step.step == "ack"]
    sent_back = {(ack.envelope.topic, ack.service) for ack in acks if "retry" in ack.envelope.topic}
    assert sent_back == {("files.desk.retry", "desk"), ("files.archive.retry", "archive")}
    assert run.at(5).services["desk"].lag == 0 < run.at(5).services["archive"].lag


class SealedV1(Event, name="Sealed", topic="seals"):
    grams: int


class Sealed(
    Event, topic="seals", version=2, upcasts={1: lambda old: {"milligrams": old["grams"] * 1000}}
):
    milligrams: int


def sealing(make) -> System:
    system = System("office")

    @system.service("desk").on(Filed)
    async def seal(event, ctx):
        await ctx.publish(make())

    @system.service("archive", schema="create table seals (milligrams int)").on(Sealed)
    def keep(event, ctx):
        with ctx.database as db:
            db.execute("insert into seals values (?)", (event.milligrams,))

    return system


@pytest.mark.parametrize("milligrams, holds", [(5000, False), (7, True)])
def test_what_a_newer_version_says_again_is_the_same_fact(milligrams, holds):
    async def one(ctx):
        await ctx.publish(Filed(name="a"))

    old, new = sealing(lambda: SealedV1(grams=5)), sealing(lambda: Sealed(milligrams=milligrams))
    faults = ["crash desk.commit.Filed", deploy(new.services["desk"], at=0.03)]
    run = simulate(old, one, faults=faults)
    saved = [step.envelope.data.__class__ for step in run.journal if step.step == "save"]
    assert saved == [SealedV1, Sealed]
    assert bool(run.check(claims.handled_once(Sealed))) is holds

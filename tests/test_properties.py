"""What holds of every run: of generated systems and fault plans, and of a fixed sweep that reaches every fault."""

from collections import Counter, defaultdict
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger import Ledger, check_faults, visits
from systems import story

from edalab import Command, Event, Fault, Faults, PublishFailed, System, cut, pause, simulate
from edalab.errors import Endless
from edalab.sim import ACTIONS, points

SWEEP = 2000  # stories
LEAST = 100  # times that each thing is reached by the sweep
SMALL = 2000  # steps: longer runs are not played again

dice = st.randoms(use_true_random=False)
often = settings(max_examples=60, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module", autouse=True)
def no_search_of_handlers_for_foreign_calls():
    """It takes half the time of all that is done here, and the deeds of these handlers are known."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edalab.model.service.foreign_call", lambda function: None)
        yield


def run_of(tale):
    """The run of a story; one that a crash loop keeps from its end is as good up to there."""
    try:
        return simulate(tale.system, tale.workload, seed=tale.seed, faults=tale.faults)
    except Endless as endless:
        return endless.run


def ended(run) -> bool:
    return not run._world.misuse


def check(tale):
    run = run_of(tale)
    if ended(run):
        Ledger(run).check_end()
        check_faults(run, tale.faults)
    return run


@often
@given(dice)
def test_nothing_vanishes_and_order_holds(dice):
    check(story(dice))


@often
@given(dice)
def test_equal_input_gives_equal_digests(dice):
    tale = story(dice)
    run = run_of(tale)
    if ended(run):
        assert run_of(tale).digest == run.digest


@often
@given(dice)
def test_a_plan_in_which_nothing_strikes_changes_nothing(dice):
    tale = story(dice, faults=0)
    calm = run_of(tale)
    late = pause(list(tale.system.services)[0], 1e6, 2e6)
    unreached = [
        Fault(do, ".".join(point), 10_000)
        for point in points(tale.system)
        for do in ACTIONS[point[1]]
    ]
    watched = run_of(tale._replace(faults=[Faults(), late, *unreached]))
    assert watched.digest == calm.digest
    assert watched.unfired == [late, *unreached] and watched.faults == []


@often
@given(dice, st.floats(0, 1))
def test_the_world_at_a_moment_is_as_the_record_tells(dice, share):
    tale = story(dice)
    run = run_of(tale)
    if len(run.journal) < SMALL:
        moment = round(run.end * share)
        Ledger(run, run.at(moment / 1000), moment).check_state()
        end = run.at(run.end / 1000 + 1)
        for service in run.services:
            assert end.rows(service, "select * from saves") == run.rows(
                service, "select * from saves"
            )


@often
@given(dice, st.floats(0, 10))
def test_a_run_that_is_ended_earlier_is_the_beginning_of_the_longer_one(dice, seconds):
    tale = story(dice)
    run = run_of(tale)
    if len(run.journal) < SMALL:
        shorter = simulate(
            tale.system, tale.workload, seed=tale.seed, faults=tale.faults, until=seconds
        )
        assert list(map(plain, shorter.journal)) == [
            plain(s) for s in run.journal if s.time <= round(seconds * 1000)
        ]
        Ledger(shorter, until=round(seconds * 1000)).check_state()


def plain(step):
    return step._replace(envelope=step.envelope and step.envelope.id)


# -- a broker keeps its word


class Wrote(Event, topic="pages", key="key"):
    key: str
    n: int
    handling: str


class Write(Command):
    messages: list[
        tuple[str, bool]
    ]  # the key of each, and whether it is published in a transaction


def writers(partitions: int):
    """Services that publish what they are asked to and note what was confirmed, and what was not."""
    system = System("office")
    system.topic("pages", partitions=partitions)
    writer = system.service("writer", replicas=2, schema="create table done (n integer)")

    @writer.handles(Write, max_attempts=9)
    async def write(command, ctx):
        handling = ctx.new_id()
        for n, (key, in_transaction) in enumerate(command.messages):
            event = Wrote(key=key, n=n, handling=handling)
            try:
                if in_transaction:
                    with ctx.database as db:
                        await ctx.publish(event)
                        db.execute("insert into done values (?)", (n,))
                else:
                    await ctx.publish(event)
                    ctx.note(f"confirmed {handling} {n}")
            except PublishFailed as error:
                ctx.note(f"failed {n} {error}")

    @writer.every(0.1)
    def breathe():
        pass

    return system


MESSAGES = st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), min_size=1, max_size=5)
PUBLISH_FAULTS = st.sampled_from(["fail", "unconfirmed", "duplicate", "delay"])


@given(
    st.lists(MESSAGES, min_size=1, max_size=3),
    st.integers(1, 3),
    st.integers(0, 3),
    st.lists(st.tuples(PUBLISH_FAULTS, st.integers(1, 6)), max_size=4),
    st.floats(0, 2),
    st.floats(0, 0.3),
)
def test_what_was_confirmed_is_overtaken_by_nothing_that_the_same_handler_publishes_later(
    tasks, partitions, seed, struck, start, rate
):
    faults = [Fault(do, "writer.publish.Wrote", nth) for do, nth in struck]
    faults += [Faults(delay=rate, duplicate=rate, unconfirmed=rate, crash=rate / 10)]
    faults += [pause("writer", start, start + 0.3), cut("writer", start + 0.2, start + 0.7)]

    async def ask_for_all(ctx):
        for messages in tasks:
            await ctx.send(Write(messages=messages))

    run = simulate(writers(partitions), ask_for_all, seed=seed, faults=faults)
    confirmed = {tuple(s.detail.split()[1:]) for s in run.journal if s.step == "note"}
    for records in run._world.channels["pages"].partitions:
        places = defaultdict(list)
        for offset, envelope in enumerate(records):
            places[envelope.data.handling, envelope.data.n].append(offset)
        for (handling, n), offsets in places.items():
            if (handling, str(n)) in confirmed:
                later = [at for (who, m), at in places.items() if who == handling and m > n]
                assert all(max(offsets) < min(at) for at in later)


@given(MESSAGES, st.integers(0, 3), st.integers(1, 5))
def test_a_publisher_cannot_tell_unconfirmed_from_failed_and_the_log_can(messages, seed, nth):
    async def ask_for_all(ctx):
        await ctx.send(Write(messages=messages))

    failed, unconfirmed = (
        simulate(writers(1), ask_for_all, seed=seed, faults=[f"{do} writer.publish.Wrote #{nth}"])
        for do in ("fail", "unconfirmed")
    )
    seen = [
        [
            (*s[:4], s.envelope and s.envelope.id, s.detail)
            for s in run.journal
            if s.service == "writer"
        ]
        for run in (failed, unconfirmed)
    ]
    assert seen[0] == seen[1]
    logs = [
        [envelope.id for envelope in run._world.channels["pages"].partitions[0]]
        for run in (failed, unconfirmed)
    ]
    doubtful = [s.envelope.id for s in unconfirmed.journal if s.fault == "unconfirmed"]
    assert len(doubtful) == (nth <= len(messages))
    assert sorted(logs[1]) == sorted(logs[0] + doubtful)


# -- random faults

rates = st.floats(0, 1)
names = st.sampled_from(["drop", "duplicate", "delay", "crash", "fail", "unconfirmed"])


@given(
    names, rates, rates, st.integers(0, 9), st.integers(1, 10**6), st.sampled_from(sorted(ACTIONS))
)
def test_what_strikes_at_a_lower_rate_strikes_at_a_higher_one(name, one, other, seed, nth, step):
    low, high = (Faults(**{name: rate}) for rate in sorted((one, other)))
    action = "lose" if name == "drop" and step in ("commit", "ack") else name
    point = "anna", step, "Sown"
    assert not low.chance(seed, point, action)(nth) or high.chance(seed, point, action)(nth)


def test_a_rate_is_the_share_of_points_that_it_strikes():
    points = [("anna", "handle", f"Sown{n}") for n in range(20)]
    struck = sum(
        Faults(fail=0.3).chance(1, point, "fail")(nth) for point in points for nth in range(1, 501)
    )
    assert 0.28 < struck / 10_000 < 0.32
    assert all(Faults(fail=1).chance(1, point, "fail")(1) for point in points)


@often
@given(dice, names, rates, rates)
def test_raising_one_rate_keeps_every_decision_that_struck(dice, name, one, other):
    tale = story(dice, faults=0)
    one, other = sorted((one / 5, other / 5))
    low, high = (
        run_of(tale._replace(faults=[Faults(**{"delay": 0.05, name: rate})]))
        for rate in (one, other)
    )
    order = ["crash", "fail", "unconfirmed", "lose", "drop", "duplicate", "delay"]
    after = visits(high)
    for point, rows in visits(low).items():
        for before, now in zip(
            rows, after[point], strict=False
        ):  # as often as both runs reached it
            if before.fault in order and now.fault not in ("cut", "fenced"):
                assert now.fault is not None and order.index(now.fault) <= order.index(
                    before.fault
                ), (before, now)


# -- the sweep: a fixed lot of stories, of which a table shows what they reached


def reached(run, counts: Counter) -> None:
    for row in run.journal:
        if row.step in ACTIONS and row.fault is not None:
            counts[row.step, row.fault] += 1
        elif row.step in ("pause", "cut", "takeover"):
            counts[row.step, ""] += 1


def wanted() -> list[tuple[str, str]]:
    exact = [(step, action) for step, actions in ACTIONS.items() for action in actions]
    cut_off = [(step, "cut") for step in ("publish", "commit", "ack", "reply")]
    return [*exact, *cut_off, ("commit", "fenced"), ("pause", ""), ("cut", ""), ("takeover", "")]


def aimed(dice: Random, counts: Counter):
    """A story with faults aimed at what happens in it, first at those that were reached least so far."""
    tale = story(dice, faults=1)
    ways = ways_to_reach(run_of(tale), dice)
    faults = []
    for what in sorted(ways, key=lambda what: counts[what])[:4]:
        faults.append(dice.choice(ways[what])())
    return tale._replace(faults=[*tale.faults, *faults])


def ways_to_reach(run, dice: Random) -> dict[tuple[str, str], list]:
    """For each thing that can be reached in a run: functions that make a fault that may reach it."""
    ways, begun = defaultdict(list), {}
    for (service, step, message), rows in visits(run).items():
        for action in ACTIONS[step]:
            wrong = ("fail", "unconfirmed") if message == "Weighed" else ("lose",)
            kept = step == "publish" and action in wrong  # whether its topic confirms
            if not kept and not (action == "crash" and service == "client"):
                at, most = f"{service}.{step}.{message}", len(rows)
                ways[step, action].append(
                    lambda do=action, at=at, most=most: Fault(do, at, dice.randint(1, most))
                )
    for row in run.journal:
        key = row.service, row.replica, row.envelope and row.envelope.id, row.attempt
        if row.step == "handle":
            begun[key] = row.time
        elif (row.step, "cut") in wanted() and begun.get(
            key, row.time
        ) < row.time:  # a handling that takes time
            start, end = (begun[key] + row.time) / 2000, row.time / 1000 + 2
            ways[row.step, "cut"].append(
                lambda row=row, start=start, end=end: cut(row.service, start, end)
            )
            if row.step == "commit" and run.system.services[row.service].replicas > 1:
                ways["commit", "fenced"].append(
                    lambda r=row, start=start: pause(r.service, start, start + 4, r.replica)
                )
    return ways


def test_every_fault_is_reached_a_hundred_times_and_the_books_balance(record_property):
    counts, steps, endless = Counter(), 0, 0
    for number in range(SWEEP):
        dice = Random(number)
        tale = aimed(dice, counts) if number % 3 else story(dice)
        try:
            run = check(tale)
        except AssertionError as error:
            raise AssertionError(f"story {number}, {tale.faults}: {error}") from error
        steps += len(run.journal)
        endless += not ended(run)
        reached(run, counts)
    lines = [
        f"{SWEEP:,} stories, {steps:,} steps, {endless} stopped in a crash loop; how often each thing was reached:"
    ]
    lines += [f"  {step:9} {action:10} {counts[step, action]:7,}" for step, action in wanted()]
    record_property("table", "\n".join(lines))
    print(*lines, sep="\n")
    assert not [what for what in wanted() if counts[what] < LEAST]
    assert endless < SWEEP / 100

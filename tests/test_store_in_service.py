"""In a service a store is a part of its database: what is appended, the rest of a transaction and a reader's checkpoint stand or
fall together, under every single fault."""

import pytest
from bookkeeping import Credited, balance, refused

from edalab import (
    Claim,
    Command,
    ConcurrencyError,
    EventStore,
    Misuse,
    Query,
    System,
    explore,
    simulate,
)


class Credit(Command):
    amount: int


class Check(Query):
    pass


LEDGER = "create table ledger (message text, version integer)"
READ_MODEL = "create table totals (name text primary key, total integer, events integer); insert into totals values ('all', 0, 0)"


async def three(ctx):
    for amount in (1, 10, 100):
        await ctx.send(Credit(amount=amount))
        await ctx.sleep(0.7)


def keep(ctx, amount):
    """Append, and write down what was appended, in one transaction."""
    with ctx.database as db:
        version = EventStore(db).append("account-7", [Credited(amount=amount)] * 2)
        db.execute("insert into ledger values (?, ?)", (ctx.message.id, version))


def project(ctx):
    with ctx.database as db:
        for fact in EventStore(db).follow("totals"):
            db.execute(
                "update totals set total = total + ?, events = events + 1", (fact.event.amount,)
            )


def a_bank(credit=keep, tick=None, replicas=1):
    bank = System("bank")
    accounts = bank.service("accounts", schema=f"{LEDGER}; {READ_MODEL}", replicas=replicas)

    @accounts.handles(Credit)
    def on_credit(command, ctx):
        credit(ctx, command.amount)

    if tick is not None:

        @accounts.every(0.5)
        def look(ctx):
            tick(ctx)

    return bank


def store_of(run) -> EventStore:
    return EventStore(run.database("accounts"))


@Claim("what is appended and what is written beside it are the same", about=Credit)
def together(run):
    written = run.rows("accounts", "select message, version from ledger order by version")
    stored = [
        (fact.causation, fact.version)
        for fact in store_of(run).read("account-7")
        if fact.version % 2 == 0
    ]
    return [] if written == stored else [f"{written} beside {stored}"]


@Claim("the read model has each event once", about=Credit)
def once(run):
    [(total, events)] = run.rows("accounts", "select total, events from totals")
    store = store_of(run)
    return (
        []
        if (total, events) == (store.state("account-7", balance, 0), len(store))
        else [f"{events} of {len(store)}"]
    )


@Claim("the reader has seen everything in the end", about=Credit)
def caught_up(run):
    return [f"{store_of(run).lag('totals')} behind"] if store_of(run).lag("totals") else []


@pytest.mark.parametrize("replicas", [1, 2])
def test_appending_and_the_rest_of_the_transaction_stand_or_fall_together(replicas):
    result = explore(a_bank(replicas=replicas), three, claims=[together])
    assert (
        len(result.schedules) > 20
        and not result.broken(together)
        and not any(s.endless for s in result.schedules)
    )
    assert any("save" in str(schedule.faults) for schedule in result.schedules)


def test_two_transactions_do_not():
    def keep_in_two(ctx, amount):
        with ctx.database as db:
            version = EventStore(db).append("account-7", [Credited(amount=amount)] * 2)
        with ctx.database as db:
            db.execute("insert into ledger values (?, ?)", (ctx.message.id, version))

    assert explore(a_bank(keep_in_two), three, claims=[together]).broken(together)


def test_a_reader_catches_up_and_goes_on_across_every_crash_and_applies_nothing_twice():
    result = explore(a_bank(tick=project), three, claims=[once, caught_up])
    struck = {str(fault) for schedule in result.schedules for fault in schedule.faults}
    assert {
        "crash accounts.save.look",
        "crash accounts.handle.look",
        "crash accounts.save.Credit",
    } <= {one.partition(" #")[0] for one in struck}
    assert (
        not result.broken(once)
        and not result.broken(caught_up)
        and not any(s.endless for s in result.schedules)
    )


def test_a_checkpoint_in_another_transaction_than_the_read_model_applies_twice_or_never():
    def first_the_model(ctx):
        with ctx.database as db:
            store = EventStore(db)
            for fact in store.read(after=store.checkpoint("totals")):
                db.execute(
                    "update totals set total = total + ?, events = events + 1", (fact.event.amount,)
                )
        with ctx.database as db:
            list(EventStore(db).follow("totals"))

    def first_the_checkpoint(ctx):
        with ctx.database as db:
            facts = list(EventStore(db).follow("totals"))
        with ctx.database as db:
            for fact in facts:
                db.execute(
                    "update totals set total = total + ?, events = events + 1", (fact.event.amount,)
                )

    for tick in (first_the_model, first_the_checkpoint):
        result = explore(a_bank(tick=tick), three, claims=[once, caught_up])
        assert result.broken(once) and not result.broken(caught_up)


def test_a_tick_that_finds_nothing_to_follow_does_nothing_and_the_run_ends():
    run = simulate(a_bank(tick=project), three)
    looks = [
        s
        for s in run.journal
        if s.envelope is not None and s.envelope.type == "look" and s.step == "save"
    ]
    assert 0 < len(looks) <= 3 and run.end < 4000

    async def nothing(ctx):
        await ctx.sleep(2)

    quiet = simulate(a_bank(tick=project), nothing)
    assert not [s for s in quiet.journal if s.step == "save"] and quiet.end < 4000


def test_what_is_appended_knows_when_and_why():
    run = simulate(a_bank(), three, faults=["crash accounts.save.Credit #2"])
    facts = store_of(run).read("account-7")
    times = {s.envelope.id: s.time for s in run.journal if s.step == "save" and s.fault is None}
    assert [fact.causation for fact in facts[::2]] == ["client-1", "client-3", "client-2"]
    for fact in facts:
        assert fact.correlation == fact.causation and fact.happened == fact.recorded
        assert (fact.recorded_at - 1_767_225_600_000_000) // 1000 == times[fact.causation]


def test_a_tick_that_appends_was_caused_by_no_message():
    def tick(ctx):
        with ctx.database as db:
            store = EventStore(db)
            if not store.version("day"):
                store.append("day", [Credited(amount=1)])

    [fact] = store_of(simulate(a_bank(tick=tick), three)).read("day")
    assert (fact.correlation, fact.causation) == (None, None)


def test_a_conflict_is_a_failure_that_is_tried_again_with_what_is_there_by_then():
    bank = System("bank")
    accounts = bank.service("accounts", replicas=2)
    bank.service("fraud").answers(Check)(always)

    @accounts.handles(Credit)
    async def on_credit(command, ctx):
        with ctx.database as db:
            version = EventStore(db).version("account-7")
        await ctx.ask(Check(), timeout=5)
        with ctx.database as db:
            EventStore(db).append(
                "account-7", [Credited(amount=command.amount)], expected_version=version
            )

    async def two(ctx):
        await ctx.send(Credit(amount=1))
        await ctx.send(Credit(amount=10))

    run = simulate(bank, two)
    [failure] = run.failures
    assert (
        isinstance(failure.error, ConcurrencyError)
        and store_of(run).state("account-7", balance, 0) == 11
    )


def always(query):
    return {"ok": True}


def test_an_exception_after_appending_takes_the_event_back():
    def fails(ctx, amount):
        with ctx.database as db:
            EventStore(db).append("account-7", [Credited(amount=amount)])
            if ctx.message.attempt < 2:
                raise ValueError("no")

    run = simulate(a_bank(fails), three)
    assert len(run.failures) == 3 and [
        fact.data["amount"] for fact in store_of(run).read("account-7")
    ] == [1, 10, 100]


# -- looking at a run


def test_the_store_of_a_run_is_read_and_not_written():
    run = simulate(a_bank(tick=project), three)
    store = store_of(run)
    for write in (
        lambda: store.append("account-7", [Credited(amount=1)], recorded=100),
        lambda: store.snapshot("account-7", balance, 0),
        lambda: store.connection.execute("delete from stored_events") and None,
    ):
        with pytest.raises(Exception, match="can only be read|readonly"):
            write()
    refused(
        lambda: store.append("account-7", [Credited(amount=1)], recorded=100),
        "can only be read (a run's database",
    )
    assert (
        store.state("account-7", balance, 0) == 222
        and len(store.table("account-7", balance, 0)) == 6
    )
    assert list(store.follow("totals")) == [] and store.lag("nobody") == 6
    refused(lambda: list(store.follow("nobody")), "can only be read")


def test_the_store_as_it_was_at_a_moment_of_the_run():
    run = simulate(a_bank(tick=project), three, faults=["crash accounts.save.Credit #2"])
    saved = [
        s.time / 1000
        for s in run.journal
        if s.step == "save" and s.fault is None and s.envelope.type == "Credit"
    ]
    before = EventStore(run.at(saved[0] - 0.001).database("accounts"))
    assert (
        repr(before) == "<EventStore: 0 events in 0 streams>"
        and before.read() == []
        and before.lag("totals") == 0
    )
    for number, second in enumerate(saved, 1):
        store = EventStore(run.at(second).database("accounts"))
        assert store.version("account-7") == 2 * number
        assert store.state("account-7", balance, 0) == store_of(run).state(
            "account-7", balance, 0, as_of=second
        )
        refused(
            lambda store=store: store.append("account-7", [Credited(amount=1)], recorded=100),
            "can only be read",
        )


# -- mistakes


def in_a_handler(use, *words):
    """Using a store so in a handler ends the run with a sentence."""
    return refused(lambda: simulate(a_bank(use), three), *words)


def test_a_store_is_opened_with_the_transaction():
    in_a_handler(
        lambda ctx, amount: EventStore(ctx),
        "EventStore takes",
        "`with ctx.database as db`",
        "not <context of accounts.on_credit",
    )
    in_a_handler(
        lambda ctx, amount: EventStore(ctx.database).read(),
        "outside a transaction",
        "write `with ctx.database as db:`",
    )


def test_a_store_does_not_outlive_its_transaction():
    def late(ctx, amount):
        with ctx.database as db:
            store = EventStore(db)
        store.append("account-7", [Credited(amount=amount)])

    in_a_handler(late, "accounts.on_credit calls database.execute", "outside a transaction")

    def late_reader(ctx, amount):
        with ctx.database as db:
            store = EventStore(db)
            store.append("account-7", [Credited(amount=amount)])
            facts = store.follow("x")
        next(facts)

    in_a_handler(late_reader, "outside a transaction")


def test_a_command_is_no_fact():
    def stores_the_command(ctx, amount):
        with ctx.database as db:
            EventStore(db).append("account-7", [Credit(amount=amount)])

    in_a_handler(
        stores_the_command,
        "Credit(amount=1) is not an event, and a store keeps only events",
        "class MoneyDeposited(Event)",
    )


def test_a_mistake_in_the_midst_of_a_transaction_takes_it_back():
    def half(ctx, amount):
        with ctx.database as db:
            store = EventStore(db)
            store.append("account-7", [Credited(amount=amount)])
            store.append("account-7", [Credited(amount=amount)], recorded=-5)

    mistake = in_a_handler(half, "recorded=2025-12-31 23:59:55 is before the last event's")
    assert len(EventStore(mistake.run.database("accounts"))) == 0


def test_a_misuse_that_is_caught_lets_the_handler_go_on():
    def careful(ctx, amount):
        with ctx.database as db:
            store = EventStore(db)
            try:
                store.append("account-7", [Credited(amount=amount)], ids=["the same"])
            except Misuse:
                store.append("account-7", [Credited(amount=0)])

    assert [
        fact.data["amount"] for fact in store_of(simulate(a_bank(careful), three)).read("account-7")
    ] == [1, 0, 0]

"""Answers to the exercises of lesson 03 as learners write them: right ones, and wrong ones by the anomaly they have."""

from contextlib import suppress
from datetime import date
from functools import reduce
from uuid import uuid4

from edalab import ConcurrencyError, EventStore, Misuse, Unanswered
from edalab.exercises.lesson_03_system import (
    CheckFraud,
    MoneyDeposited,
    MoneyWithdrawn,
    WithdrawalRefused,
    balance,
)

# -- 03.1


async def read_in_one(command, ctx):
    with ctx.database as db:
        store = EventStore(db)
        total, version = store.state(command.account, balance, 0), store.version(command.account)
    covered = command.amount <= total
    agreed = covered and (await ctx.ask(CheckFraud(**command.model_dump()), timeout=5))["ok"]
    event = (MoneyWithdrawn if agreed else WithdrawalRefused)(amount=command.amount)
    with ctx.database as db:
        EventStore(db).append(command.account, [event], expected_version=version)


async def ask_first(wish, ctx):
    """Nothing can come in between: it reads and appends in one transaction."""
    answer = await ctx.ask(CheckFraud(**wish.model_dump()))
    with ctx.database as db:
        store = EventStore(db)
        has = sum(
            fact.event.amount if isinstance(fact.event, MoneyDeposited) else -fact.event.amount
            for fact in store.read(wish.account)
            if isinstance(fact.event, MoneyDeposited | MoneyWithdrawn)
        )
        if answer["ok"] and has >= wish.amount:
            store.append(wish.account, [MoneyWithdrawn(amount=wish.amount)])
        else:
            store.append(wish.account, [WithdrawalRefused(amount=wish.amount)])


async def again_until_it_fits(command, ctx):
    """More steps than needed: it asks twice, and decides again by itself."""
    ok = True
    for _ in range(2):
        answer = await ctx.ask(CheckFraud(**command.model_dump()))
        ok = ok and answer["ok"]
    for _ in range(10):
        with ctx.database as db:
            past = EventStore(db).read(command.account)
        await ctx.sleep(0.01)
        fits = ok and reduce(balance, past, 0) >= command.amount
        try:
            _store(ctx, command, fits, len(past))
        except ConcurrencyError:
            continue
        return
    raise RuntimeError("too many at once")


def _store(ctx, command, paid, version):
    decision = (
        MoneyWithdrawn(amount=command.amount) if paid else WithdrawalRefused(amount=command.amount)
    )
    with ctx.database as db:
        EventStore(db).append(command.account, [decision], version)


async def any_version(command, ctx):
    with ctx.database as db:
        total = EventStore(db).state(command.account, balance, 0)
    answer = await ctx.ask(CheckFraud(**command.model_dump()))
    _store(ctx, command, answer["ok"] and total >= command.amount, None)


async def version_read_late(command, ctx):
    with ctx.database as db:
        total = EventStore(db).state(command.account, balance, 0)
    answer = await ctx.ask(CheckFraud(**command.model_dump()))
    with ctx.database as db:
        version = EventStore(db).version(command.account)
    _store(ctx, command, answer["ok"] and total >= command.amount, version)


async def all_streams(command, ctx):
    """The balance of the whole bank."""
    with ctx.database as db:
        store = EventStore(db)
        total, version = store.state(None, balance, 0), store.version(command.account)
    answer = await ctx.ask(CheckFraud(**command.model_dump()))
    _store(ctx, command, answer["ok"] and total >= command.amount, version)


async def refusal_at_any_version(command, ctx):
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    answer = await ctx.ask(CheckFraud(**command.model_dump()))
    paid = answer["ok"] and reduce(balance, past, 0) >= command.amount
    _store(ctx, command, paid, len(past) if paid else None)


async def not_the_last_coin(command, ctx):
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    answer = await ctx.ask(CheckFraud(**command.model_dump()))
    _store(
        ctx, command, answer["ok"] and reduce(balance, past, 0) - command.amount >= 60, len(past)
    )


async def asks_and_does_not_listen(command, ctx):
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    await ctx.ask(CheckFraud(**command.model_dump()))
    _store(ctx, command, reduce(balance, past, 0) >= command.amount, len(past))


def never_asks(command, ctx):
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    _store(ctx, command, reduce(balance, past, 0) >= command.amount, len(past))


async def silence_is_consent(command, ctx):
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    try:
        ok = (await ctx.ask(CheckFraud(**command.model_dump())))["ok"]
    except Unanswered:
        ok = True
    _store(ctx, command, ok and reduce(balance, past, 0) >= command.amount, len(past))


async def silence_is_refusal(command, ctx):
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    try:
        ok = (await ctx.ask(CheckFraud(**command.model_dump())))["ok"]
    except Unanswered:
        ok = False
    _store(ctx, command, ok and reduce(balance, past, 0) >= command.amount, len(past))


async def the_second_is_refused(command, ctx):
    """Takes an account that has changed for one that has too little."""
    try:
        await read_in_one(command, ctx)
    except ConcurrencyError:
        _store(ctx, command, False, None)


async def the_same_decision_again(command, ctx):
    """Decides once, and appends that at whichever version there is."""
    with ctx.database as db:
        total = EventStore(db).state(command.account, balance, 0)
    answer = await ctx.ask(CheckFraud(**command.model_dump()))
    while True:
        with ctx.database as db:
            version = EventStore(db).version(command.account)
        try:
            return _store(ctx, command, answer["ok"] and total >= command.amount, version)
        except ConcurrencyError:
            continue


async def returns_the_event(command, ctx):
    """What a handler returns is published, and nothing is stored."""
    answer = await ctx.ask(CheckFraud(**command.model_dump()))
    with ctx.database as db:
        total = EventStore(db).state(command.account, balance, 0)
    paid = answer["ok"] and total >= command.amount
    return (MoneyWithdrawn if paid else WithdrawalRefused)(amount=command.amount)


async def a_refusal_as_well(command, ctx):
    """An `else` is missing."""
    answer = await ctx.ask(CheckFraud(**command.model_dump()))
    with ctx.database as db:
        store = EventStore(db)
        if answer["ok"] and store.state(command.account, balance, 0) >= command.amount:
            store.append(command.account, [MoneyWithdrawn(amount=command.amount)])
        store.append(command.account, [WithdrawalRefused(amount=command.amount)])


async def always_the_same_stream(command, ctx):
    answer = await ctx.ask(CheckFraud(**command.model_dump()))
    with ctx.database as db:
        store = EventStore(db)
        paid = answer["ok"] and store.state("account-7", balance, 0) >= command.amount
        event = (MoneyWithdrawn if paid else WithdrawalRefused)(amount=command.amount)
        store.append("account-7", [event])


async def gives_up(command, ctx):
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    answer = await ctx.ask(CheckFraud(**command.model_dump()))
    try:
        _store(ctx, command, answer["ok"] and reduce(balance, past, 0) >= command.amount, len(past))
    except ConcurrencyError:
        return


async def refusals_are_not_stored(command, ctx):
    """As in the lesson."""
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    if reduce(balance, past, 0) < command.amount:
        return ctx.note("refused")
    answer = await ctx.ask(CheckFraud(**command.model_dump()))
    _store(ctx, command, answer["ok"], len(past))


async def always_a_new_stream(command, ctx):
    answer = await ctx.ask(CheckFraud(**command.model_dump()))
    with ctx.database as db:
        total = EventStore(db).state(command.account, balance, 0)
    _store(ctx, command, answer["ok"] and total >= command.amount, 0)


async def pays_what_there_is(command, ctx):
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    answer = await ctx.ask(CheckFraud(**command.model_dump()))
    amount = min(command.amount, reduce(balance, past, 0))
    with ctx.database as db:
        decision = (
            MoneyWithdrawn(amount=amount) if answer["ok"] else WithdrawalRefused(amount=amount)
        )
        EventStore(db).append(command.account, [decision], len(past))


async def refusals_cost_money(command, ctx):
    """Subtracts the amount of every event that is not a deposit."""
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    total = 0
    for fact in past:
        amount = getattr(fact.event, "amount", 0)
        total += amount if isinstance(fact.event, MoneyDeposited) else -amount
    answer = await ctx.ask(CheckFraud(**command.model_dump()))
    _store(ctx, command, answer["ok"] and total >= command.amount, len(past))


async def refuses_after_three_tries(command, ctx):
    for _ in range(3):
        try:
            return await read_in_one(command, ctx)
        except ConcurrencyError:
            continue
    _store(ctx, command, False, None)


async def one_version_more(command, ctx):
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    answer = await ctx.ask(CheckFraud(**command.model_dump()))
    paid = answer["ok"] and reduce(balance, past, 0) >= command.amount
    _store(ctx, command, paid, len(past) + 1)


async def refuses_when_it_is_late(command, ctx):
    try:
        answer = await ctx.ask(CheckFraud(**command.model_dump()), timeout=0.5)
    except Unanswered:
        answer = {"ok": False}
    with ctx.database as db:
        total = EventStore(db).state(command.account, balance, 0)
    _store(ctx, command, answer["ok"] and total >= command.amount, None)


async def _agrees(command, ctx, tries, timeout):
    """Whether fraud agrees, or None if it answers none of so many questions."""
    for _ in range(tries):
        with suppress(Unanswered):
            question = CheckFraud(**command.model_dump())
            return (await ctx.ask(question, timeout=timeout))["ok"]


async def silent_twice(command, ctx):
    agreed = await _agrees(command, ctx, 2, 0.65)
    with ctx.database as db:
        total = EventStore(db).state(command.account, balance, 0)
        decision = MoneyWithdrawn if agreed and total >= command.amount else WithdrawalRefused
        EventStore(db).append(command.account, [decision(amount=command.amount)])


async def silent_three_times(command, ctx):
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    agreed = await _agrees(command, ctx, 3, 1)
    _store(ctx, command, agreed and reduce(balance, past, 0) >= command.amount, len(past))


async def silent_for_two_seconds(command, ctx):
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    agreed = await _agrees(command, ctx, 1, 2)
    _store(ctx, command, agreed and reduce(balance, past, 0) >= command.amount, len(past))


async def asks_until_it_answers(command, ctx):
    """Asks and decides again in the handler, until fraud answers and the version fits."""
    while True:
        with ctx.database as db:
            past = EventStore(db).read(command.account)
        with suppress(ConcurrencyError, Unanswered):
            answer = await ctx.ask(CheckFraud(**command.model_dump()))
            paid = answer["ok"] and reduce(balance, past, 0) >= command.amount
            return _store(ctx, command, paid, len(past))


async def with_patience(command, ctx):
    """Decides again in the handler, and each time asks with a long timeout."""
    while True:
        with suppress(ConcurrencyError):
            return await read_in_one(command, ctx)


async def pays_and_then_asks(command, ctx):
    with ctx.database as db:
        store = EventStore(db)
        covered = store.state(command.account, balance, 0) >= command.amount
        decision = MoneyWithdrawn if covered else WithdrawalRefused
        store.append(command.account, [decision(amount=command.amount)])
    answer = await ctx.ask(CheckFraud(**command.model_dump()))
    if covered and not answer["ok"]:
        _store(ctx, command, False, None)


async def too_short_a_timeout(command, ctx):
    await ctx.ask(CheckFraud(**command.model_dump()), timeout=0.5)
    await read_in_one(command, ctx)


async def a_no_is_an_error(command, ctx):
    if not (await ctx.ask(CheckFraud(**command.model_dump())))["ok"]:
        raise ValueError("fraud")
    await read_in_one(command, ctx)


RIGHT_1 = [read_in_one, ask_first, again_until_it_fits, asks_until_it_answers, with_patience]
WRONG_1 = {
    "refused unanswered": [
        silence_is_refusal,
        refuses_when_it_is_late,
        silent_twice,
        silent_three_times,
        silent_for_two_seconds,
    ],
    "raises": [a_no_is_an_error],
    "overdrawn": [any_version, version_read_late, all_streams, the_same_decision_again],
    "refused with money enough": [
        refusal_at_any_version,
        not_the_last_coin,
        the_second_is_refused,
        refusals_cost_money,
        refuses_after_three_tries,
    ],
    "paid unchecked": [
        asks_and_does_not_listen,
        never_asks,
        silence_is_consent,
        pays_and_then_asks,
    ],
    "never decided": [
        gives_up,
        refusals_are_not_stored,
        returns_the_event,
    ],
    "a dead letter": [always_a_new_stream, one_version_more, too_short_a_timeout],
    "not what was asked": [pays_what_there_is, always_the_same_stream],
    "decided twice": [a_refusal_as_well],
}


# -- 03.2


async def by_causation(command, ctx):
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    if any(fact.causation == ctx.message.id for fact in past):
        return
    agreed = reduce(balance, past, 0) >= command.amount
    if agreed:
        agreed = (await ctx.ask(CheckFraud(**command.model_dump()), timeout=3))["ok"]
    _store(ctx, command, agreed, len(past))


async def look_last(command, ctx):
    """Asks fraud each time, and does all else in one transaction."""
    answer = await ctx.ask(CheckFraud(**command.model_dump()))
    with ctx.database as db:
        store = EventStore(db)
        facts = {fact.causation: fact for fact in store.read(command.account)}
        if ctx.message.id not in facts:
            enough = answer["ok"] and store.state(command.account, balance, 0) >= command.amount
            store.append(
                command.account,
                [
                    MoneyWithdrawn(amount=command.amount)
                    if enough
                    else WithdrawalRefused(amount=command.amount)
                ],
            )
        else:
            ctx.note("decided before")


async def an_id_of_its_own(command, ctx):
    """A store takes an id once."""
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    answer = await ctx.ask(CheckFraud(**command.model_dump()))
    paid = answer["ok"] and reduce(balance, past, 0) >= command.amount
    decision = (MoneyWithdrawn if paid else WithdrawalRefused)(amount=command.amount)
    try:
        with ctx.database as db:
            EventStore(db).append(command.account, [decision], len(past), ids=[ctx.message.id])
    except Misuse:
        ctx.note("decided before")


async def a_table_beside(command, ctx):
    with ctx.database as db:
        db.execute("create table if not exists done (command text primary key)")
        if db.execute("select 1 from done where command = ?", (ctx.message.id,)).fetchone():
            return
        past = EventStore(db).read(command.account)
    answer = await ctx.ask(CheckFraud(**command.model_dump()))
    event = WithdrawalRefused(amount=command.amount)
    if answer["ok"] and reduce(balance, past, 0) >= command.amount:
        event = MoneyWithdrawn(amount=command.amount)
    with ctx.database as db:
        EventStore(db).append(command.account, [event], expected_version=len(past))
        db.execute("insert into done values (?)", (ctx.message.id,))


async def withdrawals_only(command, ctx):
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    if ctx.message.id in [fact.causation for fact in past if fact.type == "MoneyWithdrawn"]:
        return
    answer = await ctx.ask(CheckFraud(**command.model_dump()))
    _store(ctx, command, answer["ok"] and reduce(balance, past, 0) >= command.amount, len(past))


async def by_amount(command, ctx):
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    if MoneyWithdrawn(amount=command.amount) in [fact.event for fact in past]:
        return
    answer = await ctx.ask(CheckFraud(**command.model_dump()))
    _store(ctx, command, answer["ok"] and reduce(balance, past, 0) >= command.amount, len(past))


async def in_memory(command, ctx):
    done = ctx.state.setdefault("done", set())
    if ctx.message.id in done:
        return
    await read_in_one(command, ctx)
    done.add(ctx.message.id)


async def noted_before(command, ctx):
    with ctx.database as db:
        db.execute("create table if not exists done (command text primary key)")
        if not db.execute("insert or ignore into done values (?)", (ctx.message.id,)).rowcount:
            return
    await read_in_one(command, ctx)


async def noted_after(command, ctx):
    with ctx.database as db:
        db.execute("create table if not exists done (command text primary key)")
        if db.execute("select 1 from done where command = ?", (ctx.message.id,)).fetchone():
            return
    await read_in_one(command, ctx)
    with ctx.database as db:
        db.execute("insert or ignore into done values (?)", (ctx.message.id,))


async def on_the_first_attempt_only(command, ctx):
    """A failed attempt has decided nothing, and a second copy of the message is a first attempt too."""
    if ctx.message.attempt == 1:
        await read_in_one(command, ctx)


async def refuses_it_again(command, ctx):
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    answer = await ctx.ask(CheckFraud(**command.model_dump()))
    new = ctx.message.id not in [fact.causation for fact in past]
    paid = new and answer["ok"] and reduce(balance, past, 0) >= command.amount
    _store(ctx, command, paid, len(past))


async def by_the_events_own_id(command, ctx):
    with ctx.database as db:
        if ctx.message.id in [fact.id for fact in EventStore(db).read(command.account)]:
            return
    await read_in_one(command, ctx)


async def a_second_id_is_not_caught(command, ctx):
    answer = await ctx.ask(CheckFraud(**command.model_dump()))
    with ctx.database as db:
        store = EventStore(db)
        paid = answer["ok"] and store.state(command.account, balance, 0) >= command.amount
        event = (MoneyWithdrawn if paid else WithdrawalRefused)(amount=command.amount)
        store.append(command.account, [event], ids=[ctx.message.id])


async def last_one_only(command, ctx):
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    if past and past[-1].causation == ctx.message.id:
        return
    answer = await ctx.ask(CheckFraud(**command.model_dump()))
    _store(ctx, command, answer["ok"] and reduce(balance, past, 0) >= command.amount, len(past))


async def once_at_any_version(command, ctx):
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    if ctx.message.id in [fact.causation for fact in past]:
        return
    answer = await ctx.ask(CheckFraud(**command.model_dump()))
    _store(ctx, command, answer["ok"] and reduce(balance, past, 0) >= command.amount, None)


async def looks_before_it_asks(command, ctx):
    """Decides in one transaction, and does not look there whether the command has been decided meanwhile."""
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    if ctx.message.id not in [fact.causation for fact in past]:
        await ask_first(command, ctx)


def _known(ctx, past):
    return ctx.message.id in [fact.causation for fact in past]


async def by_a_part_of_the_id(command, ctx):
    """Finds client-1 in client-10."""
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    if not any(ctx.message.id in (fact.causation or "") for fact in past):
        await by_causation(command, ctx)


async def by_any_amount(command, ctx):
    answer = await ctx.ask(CheckFraud(**command.model_dump()), timeout=5)
    with ctx.database as db:
        past = EventStore(db).read(command.account)
        for fact in past:
            decision = isinstance(fact.event, MoneyWithdrawn | WithdrawalRefused)
            if decision and fact.event.amount == command.amount:
                return
        paid = answer["ok"] and reduce(balance, past, 0) >= command.amount
        event = (MoneyWithdrawn if paid else WithdrawalRefused)(amount=command.amount)
        EventStore(db).append(command.account, [event])


async def refused_once_for_all(command, ctx):
    """What was refused once is refused to everybody who wants as much."""
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    if _known(ctx, past):
        return
    answer = await ctx.ask(CheckFraud(**command.model_dump()), timeout=5)
    before = WithdrawalRefused(amount=command.amount) in [fact.event for fact in past]
    paid = answer["ok"] and not before and reduce(balance, past, 0) >= command.amount
    _store(ctx, command, paid, len(past))


async def a_no_at_any_version(command, ctx):
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    if _known(ctx, past):
        return
    answer = await ctx.ask(CheckFraud(**command.model_dump()), timeout=5)
    paid = answer["ok"] and reduce(balance, past, 0) >= command.amount
    _store(ctx, command, paid, len(past) if answer["ok"] else None)


async def a_no_is_not_looked_up(command, ctx):
    answer = await ctx.ask(CheckFraud(**command.model_dump()), timeout=5)
    if not answer["ok"]:
        return _store(ctx, command, False, None)
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    if not _known(ctx, past):
        _store(ctx, command, reduce(balance, past, 0) >= command.amount, len(past))


async def looks_only_before_it_pays(command, ctx):
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    if reduce(balance, past, 0) < command.amount:
        return _store(ctx, command, False, len(past))
    if not _known(ctx, past):
        answer = await ctx.ask(CheckFraud(**command.model_dump()), timeout=5)
        _store(ctx, command, answer["ok"], len(past))


async def refuses_the_refused_again(command, ctx):
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    before = [fact.type for fact in past if fact.causation == ctx.message.id]
    if "MoneyWithdrawn" in before:
        return
    answer = await ctx.ask(CheckFraud(**command.model_dump()), timeout=5)
    paid = answer["ok"] and not before and reduce(balance, past, 0) >= command.amount
    _store(ctx, command, paid, len(past))


async def raises_on_a_duplicate(command, ctx):
    answer = await ctx.ask(CheckFraud(**command.model_dump()), timeout=5)
    with ctx.database as db:
        past = EventStore(db).read(command.account)
        if _known(ctx, past):
            raise ValueError("duplicate command")
        paid = answer["ok"] and reduce(balance, past, 0) >= command.amount
        event = (MoneyWithdrawn if paid else WithdrawalRefused)(amount=command.amount)
        EventStore(db).append(command.account, [event])


async def version_of_some_events(command, ctx):
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    past = [fact for fact in past if fact.type != "AccountOpened"]
    if not _known(ctx, past):
        answer = await ctx.ask(CheckFraud(**command.model_dump()), timeout=5)
        paid = answer["ok"] and reduce(balance, past, 0) >= command.amount
        _store(ctx, command, paid, len(past))


async def somebody_else_was_faster(command, ctx):
    with suppress(ConcurrencyError):
        await by_causation(command, ctx)


async def an_id_drawn_each_time(command, ctx):
    key = str(uuid4())
    answer = await ctx.ask(CheckFraud(**command.model_dump()), timeout=5)
    with ctx.database as db:
        store = EventStore(db)
        paid = answer["ok"] and store.state(command.account, balance, 0) >= command.amount
        if key not in [fact.id for fact in store.read(command.account)]:
            event = (MoneyWithdrawn if paid else WithdrawalRefused)(amount=command.amount)
            store.append(command.account, [event], ids=[key])


async def in_the_stream_of_the_customer(command, ctx):
    answer = await ctx.ask(CheckFraud(**command.model_dump()))
    with ctx.database as db:
        store = EventStore(db)
        if not _known(ctx, store.read(command.customer)):
            paid = answer["ok"] and store.state(command.account, balance, 0) >= command.amount
            event = (MoneyWithdrawn if paid else WithdrawalRefused)(amount=command.amount)
            store.append(command.account, [event])


async def takes_every_error_for_a_copy(command, ctx):
    with suppress(Unanswered, ConcurrencyError, Misuse):
        await an_id_of_its_own(command, ctx)


async def misnames_what_is_there(command, ctx):
    """In a line that only a command reaches that has come again."""
    with ctx.database as db:
        past = EventStore(db).read(command.account)
    for fact in past:
        if fact.causation == ctx.message.id:
            return ctx.note(f"{fact.amount} was decided before")
    await by_causation(command, ctx)


RIGHT_2 = [by_causation, look_last, an_id_of_its_own, a_table_beside]
WRONG_2 = {
    "raises": [misnames_what_is_there],
    "decided twice": [
        read_in_one,
        ask_first,
        in_memory,
        last_one_only,
        in_the_stream_of_the_customer,
        looks_before_it_asks,
        by_the_events_own_id,
        withdrawals_only,
        by_amount,
        refuses_it_again,
        noted_after,
        a_no_at_any_version,
        a_no_is_not_looked_up,
        looks_only_before_it_pays,
        refuses_the_refused_again,
    ],
    "a dead letter": [raises_on_a_duplicate, version_of_some_events],
    "never decided": [
        by_any_amount,
        by_a_part_of_the_id,
        noted_before,
        on_the_first_attempt_only,
        somebody_else_was_faster,
        takes_every_error_for_a_copy,
    ],
    "refused with money enough": [refused_once_for_all],
    "misuse": [a_second_id_is_not_caught, an_id_drawn_each_time],
    "overdrawn": [once_at_any_version],
}


# -- 03.3


def longer_names():
    day_of_may = 3
    return day_of_may, "b"


def a_list():
    return [3.0, "b"]


async def asynchronous():
    return max(range(4)), "b"


def from_the_date():
    recorded = date.fromisoformat("2025-05-03")
    return recorded.day, "(b)"


def the_day_of_the_deposit():
    return 1, "a"


def when_it_was_paid_in():
    """26 April, and not 26 May."""
    return 26, "a"


def the_day_before():
    return 2, "b"


def a_day_later():
    return 4, "b"


def when_it_happened():
    return 3, "a"


def the_deposit_was_changed():
    return 3, "c"


def until_that_day():
    return 3, "d"


def the_whole_date():
    return "2025-05-03", "b"


RIGHT_3 = [longer_names, a_list, asynchronous, from_the_date]
WRONG_3 = {
    "not yet known": [the_day_of_the_deposit, the_day_before, when_it_was_paid_in],
    "known before": [a_day_later],
    "another reason": [when_it_happened, the_deposit_was_changed, until_that_day],
    "no value and reason": [the_whole_date],
}

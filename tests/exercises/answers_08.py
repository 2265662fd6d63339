"""Answers to the exercises of lesson 08 as learners write them: right ones, and wrong ones by the anomaly they have."""

from edalab import PublishFailed, Refused, Unanswered
from edalab.exercises.lesson_08_system import (
    Charge,
    CheckCard,
    PaymentCharged,
)  # as in the notebook
from edalab.practice import figures

# -- 08.1


def counted():
    return 7, "b"


def from_the_figures():
    morning = figures("08.1")
    return morning["orders"] + morning["published_again"], "b"


def as_a_list():
    return [7.0, "B"]


async def asynchronous():
    return sum([6, 1]), "b"


def one_for_each_order():
    return 6, "b"


def the_repeated_left_out():
    return 4, "c"


def an_attempt_is_a_new_message():
    return 9, "b"


def everything_counts():
    return 11, "b"


def right_and_the_message():
    return 7, "a"


def right_and_what_it_costs():
    return 7, "c"


def right_and_a_fresh_one():
    return 7, "d"


def only_the_key():
    return "b"


RIGHT_1 = [counted, from_the_figures, as_a_list, asynchronous]
WRONG_1 = {
    "too few": [one_for_each_order, the_repeated_left_out],
    "too many": [an_attempt_is_a_new_message, everything_counts],
    "another reason": [right_and_the_message, right_and_what_it_costs, right_and_a_fresh_one],
    "no value and reason": [only_the_key],
}


# -- 08.2

KEEP = "insert or ignore into answers values (?, ?, ?, ?)"
FIND = "select amount, answer from answers where key = ?"


def _charge(db, command):
    db.execute("insert into charges values (?, ?)", (command.order_id, command.amount))


def _keep(db, command, answer, at=0):
    kept = db.execute(KEEP, (command.key, command.amount, answer, at))
    return kept.rowcount == 1


def _kept(db, command):
    return db.execute(FIND, (command.key,)).fetchone()


def _answer(command, row):
    return row[1] if row[0] == command.amount else Refused(f"used for {row[0]}")


async def looked_up_first(command, ctx):
    """Asks the bank only about a new key, and looks once more afterwards."""
    with ctx.database as db:
        row = _kept(db, command)
    if row:
        return _answer(command, row)
    good = await ctx.ask(CheckCard(amount=command.amount))
    with ctx.database as db:
        row = _kept(db, command)
        if row is None:
            row = command.amount, "charged" if good else "declined"
            _keep(db, command, row[1])
            if good:
                _charge(db, command)
    return _answer(command, row)


async def with_on_conflict(command, ctx):
    good = await ctx.ask(CheckCard(amount=command.amount))
    with ctx.database as db:
        new = db.execute(
            """insert into answers values (?, ?, ?, null)
               on conflict (key) do nothing returning key""",
            (command.key, command.amount, "charged" if good else "declined"),
        ).fetchone()
        if new and good:
            _charge(db, command)
        amount, answer = _kept(db, command)
    if amount != command.amount:
        raise Refused("another amount")
    return answer


async def charge_first_then_ask_the_row(command, ctx):
    good = await ctx.ask(CheckCard(amount=command.amount), timeout=0.9)
    with ctx.database as db:
        before = _kept(db, command)
        if good and not before:
            _charge(db, command)
        if not before:
            _keep(db, command, ["declined", "charged"][good])
        return _answer(command, _kept(db, command))


async def asks_again_until_the_bank_answers(command, ctx):
    for _ in range(3):
        try:
            good = await ctx.ask(CheckCard(amount=command.amount), timeout=0.3)
            break
        except Unanswered:
            ctx.note("the bank again")
    else:
        raise Unanswered("bank", "CheckCard", 0.9)
    with ctx.database as db:
        if _keep(db, command, "charged" if good else "declined", ctx.now) and good:
            _charge(db, command)
        return _answer(command, _kept(db, command))


async def no_key_at_all(command, ctx):
    if not await ctx.ask(CheckCard(amount=command.amount)):
        return "declined"
    with ctx.database as db:
        _charge(db, command)
    return "charged"


async def look_then_charge(command, ctx):
    with ctx.database as db:
        row = _kept(db, command)
    if row:
        return _answer(command, row)
    good = await ctx.ask(CheckCard(amount=command.amount))
    with ctx.database as db:
        db.execute(
            "insert or replace into answers values (?, ?, ?, 0)",
            (command.key, command.amount, "charged" if good else "declined"),
        )
        if good:
            _charge(db, command)
    return "charged" if good else "declined"


async def kept_in_memory(command, ctx):
    good = await ctx.ask(CheckCard(amount=command.amount))
    if command.key not in ctx.state:
        ctx.state[command.key] = command.amount, "charged" if good else "declined"
        if good:
            with ctx.database as db:
                _charge(db, command)
    return _answer(command, ctx.state[command.key])


async def charge_then_keep(command, ctx):
    """Two transactions: a crash between them leaves a charge without its key."""
    good = await ctx.ask(CheckCard(amount=command.amount))
    with ctx.database as db:
        row = _kept(db, command)
        if row is None and good:
            _charge(db, command)
    with ctx.database as db:
        _keep(db, command, "charged" if good else "declined")
        return _answer(command, _kept(db, command))


async def key_first(command, ctx):
    """Takes the key before it asks: what crashes in between leaves a key without an answer."""
    with ctx.database as db:
        new = db.execute(
            "insert or ignore into answers (key, amount) values (?, ?)",
            (command.key, command.amount),
        ).rowcount
    if new:
        good = await ctx.ask(CheckCard(amount=command.amount))
        with ctx.database as db:
            if good:
                _charge(db, command)
            db.execute(
                "update answers set answer = ? where key = ?",
                ("charged" if good else "declined", command.key),
            )
    for _ in range(10):
        with ctx.database as db:
            row = _kept(db, command)
        if row[1]:
            return _answer(command, row)
        await ctx.sleep(0.1)
    raise RuntimeError("still in progress")


async def any_amount(command, ctx):
    good = await ctx.ask(CheckCard(amount=command.amount))
    with ctx.database as db:
        if _keep(db, command, "charged" if good else "declined") and good:
            _charge(db, command)
        return _kept(db, command)[1]


async def amount_in_the_key(command, ctx):
    good = await ctx.ask(CheckCard(amount=command.amount))
    key = f"{command.key} {command.amount}"
    with ctx.database as db:
        row = key, command.amount, "charged" if good else "declined", ctx.now
        if db.execute(KEEP, row).rowcount and good:
            _charge(db, command)
        return db.execute("select answer from answers where key = ?", (key,)).fetchone()[0]


async def declines_are_not_kept(command, ctx):
    if not await ctx.ask(CheckCard(amount=command.amount)):
        return "declined"
    with ctx.database as db:
        if _keep(db, command, "charged"):
            _charge(db, command)
        return _answer(command, _kept(db, command))


async def refuses_a_repetition(command, ctx):
    good = await ctx.ask(CheckCard(amount=command.amount))
    with ctx.database as db:
        if not _keep(db, command, "charged" if good else "declined"):
            return Refused("this key was used before")
        if good:
            _charge(db, command)
    return "charged" if good else "declined"


async def answers_anew(command, ctx):
    """Keeps the key, and answers with what the bank says this time."""
    good = await ctx.ask(CheckCard(amount=command.amount))
    with ctx.database as db:
        if _keep(db, command, "") and good:
            _charge(db, command)
        if _kept(db, command)[0] != command.amount:
            return Refused("another amount")
    return "charged" if good else "declined"


async def charges_in_any_case(command, ctx):
    good = await ctx.ask(CheckCard(amount=command.amount))
    with ctx.database as db:
        if _keep(db, command, "charged" if good else "declined"):
            _charge(db, command)
        return _answer(command, _kept(db, command))


async def by_the_order(command, ctx):
    """Takes the order for the key: a second wish about an order gets nothing."""
    good = await ctx.ask(CheckCard(amount=command.amount))
    key = command.key.partition("/")[0]
    with ctx.database as db:
        row = key, command.amount, "charged" if good else "declined", ctx.now
        if db.execute(KEEP, row).rowcount and good:
            _charge(db, command)
        row = db.execute(FIND, (key,)).fetchone()
    return _answer(command, row)


async def silence_is_a_no(command, ctx):
    try:
        good = await ctx.ask(CheckCard(amount=command.amount))
    except Unanswered:
        good = False
    with ctx.database as db:
        if _keep(db, command, "charged" if good else "declined") and good:
            _charge(db, command)
        return _answer(command, _kept(db, command))


async def answered_without_a_charge(command, ctx):
    good = await ctx.ask(CheckCard(amount=command.amount))
    with ctx.database as db:
        _keep(db, command, "charged" if good else "declined")
        return _answer(command, _kept(db, command))


async def returns_what_the_bank_says(command, ctx):
    good = await ctx.ask(CheckCard(amount=command.amount))
    with ctx.database as db:
        if _keep(db, command, "charged" if good else "declined") and good:
            _charge(db, command)
        if _kept(db, command)[0] != command.amount:
            return Refused("another amount")
    return good


async def forgets_to_return(command, ctx):
    good = await ctx.ask(CheckCard(amount=command.amount))
    with ctx.database as db:
        if _keep(db, command, "charged" if good else "declined") and good:
            _charge(db, command)
        if _kept(db, command)[0] != command.amount:
            raise Refused("another amount")


async def the_constraint_raises(command, ctx):
    good = await ctx.ask(CheckCard(amount=command.amount))
    with ctx.database as db:
        answer = "charged" if good else "declined"
        db.execute("insert into answers values (?, ?, ?, 0)", (command.key, command.amount, answer))
        if good:
            _charge(db, command)
    return answer


async def returns_the_banks_answer_to_it(command, ctx):
    """Whoever is second asks the bank as well, and may hear something else."""
    with ctx.database as db:
        if row := _kept(db, command):
            return _answer(command, row)
    answer = "charged" if await ctx.ask(CheckCard(amount=command.amount)) else "declined"
    with ctx.database as db:
        if _keep(db, command, answer) and answer == "charged":
            _charge(db, command)
        row = _kept(db, command)
    return answer if row[0] == command.amount else _answer(command, row)


async def keep_then_charge(command, ctx):
    """Two transactions: a crash between them leaves an answer without its charge."""
    good = await ctx.ask(CheckCard(amount=command.amount))
    with ctx.database as db:
        new = _keep(db, command, "charged" if good else "declined")
        row = _kept(db, command)
    if new and good:
        with ctx.database as db:
            _charge(db, command)
    return _answer(command, row)


async def the_last_answer_replaces_the_first(command, ctx):
    with ctx.database as db:
        if row := _kept(db, command):
            return _answer(command, row)
    answer = "charged" if await ctx.ask(CheckCard(amount=command.amount)) else "declined"
    with ctx.database as db:
        row = command.key, command.amount, answer
        db.execute("insert or replace into answers values (?, ?, ?, 0)", row)
        charged = db.execute("select 1 from charges where order_id = ?", (command.order_id,))
        if answer == "charged" and not charged.fetchone():
            _charge(db, command)
        return _answer(command, _kept(db, command))


def never_asks_the_bank(command, ctx):
    with ctx.database as db:
        if _keep(db, command, "charged"):
            _charge(db, command)
        return _answer(command, _kept(db, command))


async def does_not_listen_to_the_bank(command, ctx):
    await ctx.ask(CheckCard(amount=command.amount))
    return never_asks_the_bank(command, ctx)


async def a_no_is_a_refusal(command, ctx):
    good = await ctx.ask(CheckCard(amount=command.amount))
    with ctx.database as db:
        if _keep(db, command, "charged" if good else "declined") and good:
            _charge(db, command)
        kept = _answer(command, _kept(db, command))
    return Refused("the bank said no") if kept == "declined" else kept


RIGHT_2 = [
    looked_up_first,
    with_on_conflict,
    charge_first_then_ask_the_row,
    asks_again_until_the_bank_answers,
]
WRONG_2 = {
    "charged twice": [no_key_at_all, look_then_charge, kept_in_memory, charge_then_keep],
    "no answer": [key_first],
    "an unknown answer": [returns_what_the_bank_says, forgets_to_return, a_no_is_a_refusal],
    "another amount": [any_amount, amount_in_the_key, the_last_answer_replaces_the_first],
    "another answer": [
        declines_are_not_kept,
        refuses_a_repetition,
        answers_anew,
        returns_the_banks_answer_to_it,
    ],
    "declined and charged": [
        charges_in_any_case,
        never_asks_the_bank,
        does_not_listen_to_the_bank,
    ],
    "never charged": [by_the_order, silence_is_a_no, answered_without_a_charge, keep_then_charge],
    "raises": [the_constraint_raises],
}


# -- 08.3

SAVE = "insert or ignore into outbox values (?, ?)"
SAVED = "select event from outbox where order_id = ?"


def _event(event):
    return PaymentCharged(order_id=event.order_id, amount=event.amount)


async def _asked(event, ctx):
    return await ctx.ask(Charge(**event.model_dump(), key=event.order_id))


async def look_into_the_outbox_first(event, ctx):
    """Asks only if the outbox has no row, and publishes what it holds in any case."""
    with ctx.database as db:
        row = db.execute(SAVED, (event.order_id,)).fetchone()
    if row is None:
        if await _asked(event, ctx) != "charged":
            return
        made = ctx.envelope(_event(event))
        with ctx.database as db:
            db.execute(SAVE, (event.order_id, made))
        row = (made,)
    await ctx.publish(row[0])


async def envelope_before_the_charge(event, ctx):
    """The event has its id before anything is done."""
    with ctx.database as db:
        db.execute(SAVE, (event.order_id, ctx.envelope(_event(event))))
        [(saved,)] = db.execute(SAVED, (event.order_id,))
    if await _asked(event, ctx) == "charged":
        await ctx.publish(saved)


async def a_note_after_publishing(event, ctx):
    """Saves what was confirmed, so that it is not published again."""
    with ctx.database as db:
        db.execute("create table if not exists sent (order_id text primary key)")
        if db.execute("select 1 from sent where order_id = ?", (event.order_id,)).fetchone():
            return
    answer = await _asked(event, ctx)
    if answer == "charged":
        with ctx.database as db:
            db.execute(SAVE, (event.order_id, ctx.envelope(_event(event))))
            [(saved,)] = db.execute(SAVED, (event.order_id,))
        await ctx.publish(saved)
    with ctx.database as db:
        db.execute("insert or ignore into sent values (?)", (event.order_id,))


async def published_in_the_transaction(event, ctx):
    if await _asked(event, ctx) == "charged":
        with ctx.database as db:
            if not db.execute(SAVED, (event.order_id,)).fetchone():
                db.execute(
                    "insert into outbox values (?, ?)",
                    (event.order_id, ctx.envelope(_event(event))),
                )
        with ctx.database as db:
            await ctx.publish(db.execute(SAVED, (event.order_id,)).fetchone()[0])


async def asks_without_a_key(event, ctx):
    if await ctx.ask(Charge(**event.model_dump())) == "charged":
        with ctx.database as db:
            db.execute(SAVE, (event.order_id, ctx.envelope(_event(event))))
            [(saved,)] = db.execute(SAVED, (event.order_id,))
        await ctx.publish(saved)


async def asks_with_the_message(event, ctx):
    if await ctx.ask(Charge(**event.model_dump(), key=ctx.message.id)) == "charged":
        with ctx.database as db:
            db.execute(SAVE, (event.order_id, ctx.envelope(_event(event))))
            [(saved,)] = db.execute(SAVED, (event.order_id,))
        await ctx.publish(saved)


async def a_fresh_key(event, ctx):
    if await ctx.ask(Charge(**event.model_dump(), key=ctx.new_id())) == "charged":
        await ctx.publish(_event(event))


async def noted_before_the_charge(event, ctx):
    with ctx.database as db:
        if not db.execute(SAVE, (event.order_id, ctx.envelope(_event(event)))).rowcount:
            return
        [(saved,)] = db.execute(SAVED, (event.order_id,))
    if await _asked(event, ctx) == "charged":
        await ctx.publish(saved)


async def gives_up_in_silence(event, ctx):
    try:
        answer = await _asked(event, ctx)
    except Unanswered:
        return
    if answer == "charged":
        with ctx.database as db:
            db.execute(SAVE, (event.order_id, ctx.envelope(_event(event))))
            [(saved,)] = db.execute(SAVED, (event.order_id,))
        await ctx.publish(saved)


async def a_new_event_each_time(event, ctx):
    if await _asked(event, ctx) == "charged":
        await ctx.publish(_event(event))


async def outbox_by_message(event, ctx):
    if await _asked(event, ctx) == "charged":
        with ctx.database as db:
            db.execute(SAVE, (ctx.message.id, ctx.envelope(_event(event))))
            [(saved,)] = db.execute(SAVED, (ctx.message.id,))
        await ctx.publish(saved)


async def the_new_one_replaces_the_saved(event, ctx):
    if await _asked(event, ctx) == "charged":
        made = ctx.envelope(_event(event))
        with ctx.database as db:
            db.execute("insert or replace into outbox values (?, ?)", (event.order_id, made))
        await ctx.publish(made)


async def remembered_in_memory(event, ctx):
    if await _asked(event, ctx) == "charged":
        made = ctx.state.setdefault(event.order_id, ctx.envelope(_event(event)))
        await ctx.publish(made)


async def noted_after_a_fresh_event(event, ctx):
    with ctx.database as db:
        if db.execute(SAVED, (event.order_id,)).fetchone():
            return
    if await _asked(event, ctx) == "charged":
        await ctx.publish(_event(event))
        with ctx.database as db:
            db.execute(SAVE, (event.order_id, "published"))


async def also_declined_ones(event, ctx):
    await _asked(event, ctx)
    with ctx.database as db:
        db.execute(SAVE, (event.order_id, ctx.envelope(_event(event))))
        [(saved,)] = db.execute(SAVED, (event.order_id,))
    await ctx.publish(saved)


async def saved_means_published(event, ctx):
    """Publishes only when the row is new: nobody publishes after a crash in between."""
    if await _asked(event, ctx) == "charged":
        made = ctx.envelope(_event(event))
        with ctx.database as db:
            new = db.execute(SAVE, (event.order_id, made)).rowcount
        if new:
            await ctx.publish(made)


async def publish_failures_are_hidden(event, ctx):
    if await _asked(event, ctx) == "charged":
        with ctx.database as db:
            db.execute(SAVE, (event.order_id, ctx.envelope(_event(event))))
            [(saved,)] = db.execute(SAVED, (event.order_id,))
        try:
            await ctx.publish(saved)
        except PublishFailed:
            ctx.note("in doubt")


async def a_refusal_is_an_error(event, ctx):
    if await _asked(event, ctx) != "charged":
        raise Unanswered("provider", "Charge", 1)
    with ctx.database as db:
        db.execute(SAVE, (event.order_id, ctx.envelope(_event(event))))
        [(saved,)] = db.execute(SAVED, (event.order_id,))
    await ctx.publish(saved)


async def the_customer_and_the_amount(event, ctx):
    """Two orders of a customer for the same amount are two wishes with one key."""
    key = f"{event.customer} {event.amount}"
    if await ctx.ask(Charge(**event.model_dump(), key=key)) == "charged":
        with ctx.database as db:
            db.execute(SAVE, (event.order_id, ctx.envelope(_event(event))))
            [(saved,)] = db.execute(SAVED, (event.order_id,))
        await ctx.publish(saved)


async def deletes_what_was_published(event, ctx):
    if await _asked(event, ctx) == "charged":
        with ctx.database as db:
            db.execute(SAVE, (event.order_id, ctx.envelope(_event(event))))
            [(saved,)] = db.execute(SAVED, (event.order_id,))
        await ctx.publish(saved)
        with ctx.database as db:
            db.execute("delete from outbox where order_id = ?", (event.order_id,))


async def published_before_it_is_saved(event, ctx):
    """In one transaction: a crash takes the row away, and not what is published."""
    if await _asked(event, ctx) == "charged":
        with ctx.database as db:
            db.execute(SAVE, (event.order_id, ctx.envelope(_event(event))))
            await ctx.publish(db.execute(SAVED, (event.order_id,)).fetchone()[0])


RIGHT_3 = [
    look_into_the_outbox_first,
    envelope_before_the_charge,
    a_note_after_publishing,
    published_in_the_transaction,
]
WRONG_3 = {
    "charged twice": [asks_without_a_key, asks_with_the_message, a_fresh_key],
    "never charged": [gives_up_in_silence, the_customer_and_the_amount],
    "published twice": [
        a_new_event_each_time,
        outbox_by_message,
        the_new_one_replaces_the_saved,
        remembered_in_memory,
        deletes_what_was_published,
        published_before_it_is_saved,
        noted_after_a_fresh_event,
    ],
    "published without a charge": [also_declined_ones],
    "never published": [
        noted_before_the_charge,
        saved_means_published,
        publish_failures_are_hidden,
    ],
    "a dead letter": [a_refusal_is_an_error],
}

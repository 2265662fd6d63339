"""Answers to the exercises of lesson 05 as learners write them: right ones, and wrong ones by the anomaly they have."""

from edalab.exercises.lesson_05_system import InventoryReserved, PaymentCharged, PaymentRefused  # noqa: F401  as in the notebook

# -- 05.1

FIND = "select 1 from done where order_id = ?"


def _pay(db, event):
    """Charge it if there is the money; say which."""
    [(money,)] = db.execute("select money from accounts where customer = ?", (event.customer,))
    if money < event.total:
        return PaymentRefused(**dict(event))
    db.execute(
        "update accounts set money = money - ? where customer = ?", (event.total, event.customer)
    )
    db.execute("insert into charges values (?, ?)", (event.order_id, event.total))
    return PaymentCharged(**dict(event))


def returns_the_message(event, ctx):
    with ctx.database as db:
        if db.execute(FIND, (event.order_id,)).fetchone():
            return None
        db.execute("insert into done values ('pay', ?)", (event.order_id,))
        return _pay(db, event)


async def note_first(reserved, ctx):
    """Lets the primary key decide, publishes by itself, and does more than it needs to."""
    with ctx.database as db:
        new = db.execute(
            "insert or ignore into done values (?, ?)", ("InventoryReserved", reserved.order_id)
        ).rowcount
        outcome = _pay(db, reserved) if new else None
    ctx.note("paid" if isinstance(outcome, PaymentCharged) else "not paid")
    if outcome is None:
        return
    await ctx.sleep(0)
    await ctx.publish(outcome)


def by_the_constraint(event, ctx):
    """The database says no; the tables are its own."""
    from sqlite3 import IntegrityError

    with ctx.database as db:
        db.execute("create table if not exists seen (id text primary key, answer text)")
        if list(db.execute("select * from seen where id = ?", (event.order_id,))):
            return []
        try:
            db.execute(
                "update accounts set money = money - :total where customer = :customer",
                event.model_dump(),
            )
            db.execute(
                "insert into charges (order_id, amount) values (:order_id, :total)",
                event.model_dump(),
            )
            answer = PaymentCharged
        except IntegrityError:
            answer = PaymentRefused
        db.execute("insert into seen values (?, ?)", (event.order_id, answer.__name__))
    return [
        answer(
            order_id=event.order_id, customer=event.customer, pieces=event.pieces, total=event.total
        )
    ]


def _once(work):
    """The lesson's own way, a function that makes handlers."""

    async def step(event, ctx):
        note = type(event).__name__, event.order_id
        with ctx.database as db:
            if db.execute("select 1 from done where heard = ? and order_id = ?", note).fetchone():
                return
            news = work(db, event)
            db.execute("insert into done values (?, ?)", note)
        if news:
            await ctx.publish(news)

    return step


as_the_lesson_does = _once(_pay)


def plainly(event, ctx):
    with ctx.database as db:
        return _pay(db, event)


def raises_at_the_account(event, ctx):
    with ctx.database as db:
        if db.execute(FIND, (event.order_id,)).fetchone():
            return None
        db.execute(
            "update accounts set money = money - ? where customer = ?",
            (event.total, event.customer),
        )
        db.execute("insert into charges values (?, ?)", (event.order_id, event.total))
        db.execute("insert into done values ('pay', ?)", (event.order_id,))
        return PaymentCharged(**event.model_dump())


def noted_after(event, ctx):
    with ctx.database as db:
        if db.execute(FIND, (event.order_id,)).fetchone():
            return None
        news = _pay(db, event)
    with ctx.database as db:
        db.execute("insert into done values ('pay', ?)", (event.order_id,))
    return news


def noted_before(event, ctx):
    with ctx.database as db:
        if not db.execute(
            "insert or ignore into done values ('pay', ?)", (event.order_id,)
        ).rowcount:
            return None
    with ctx.database as db:
        return _pay(db, event)


def in_memory(event, ctx):
    if event.order_id in ctx.state:
        return None
    with ctx.database as db:
        news = _pay(db, event)
    ctx.state[event.order_id] = True
    return news


def once_for_each_customer(event, ctx):
    with ctx.database as db:
        if db.execute(FIND, (event.customer,)).fetchone():
            return None
        db.execute("insert into done values ('pay', ?)", (event.customer,))
        return _pay(db, event)


def once_for_equal_orders(event, ctx):
    """Takes two orders of one customer with the same total for one."""
    note = event.customer, str(event.total)
    with ctx.database as db:
        if not db.execute("insert or ignore into done values (?, ?)", note).rowcount:
            return None
        return _pay(db, event)


def once_for_each_size(event, ctx):
    note = str(event.pieces), str(event.total)
    with ctx.database as db:
        if not db.execute("insert or ignore into done values (?, ?)", note).rowcount:
            return None
        return _pay(db, event)


def forgets_that_it_refused(event, ctx):
    """Looks into charges alone: when the event of a refused order comes again, there is money."""
    with ctx.database as db:
        if db.execute("select 1 from charges where order_id = ?", (event.order_id,)).fetchone():
            return None
        return _pay(db, event)


def keeps_a_coin(event, ctx):
    with ctx.database as db:
        if db.execute(FIND, (event.order_id,)).fetchone():
            return None
        db.execute("insert into done values ('pay', ?)", (event.order_id,))
        [(money,)] = db.execute("select money from accounts where customer = ?", (event.customer,))
        return _pay(db, event) if money > event.total else PaymentRefused(**dict(event))


def refuses_in_silence(event, ctx):
    with ctx.database as db:
        if db.execute(FIND, (event.order_id,)).fetchone():
            return None
        db.execute("insert into done values ('pay', ?)", (event.order_id,))
        news = _pay(db, event)
    return news if isinstance(news, PaymentCharged) else None


def charges_in_silence(event, ctx):
    returned = returns_the_message(event, ctx)
    return returned if isinstance(returned, PaymentRefused) else None


def takes_nothing(event, ctx):
    with ctx.database as db:
        if not db.execute(
            "insert or ignore into done values ('pay', ?)", (event.order_id,)
        ).rowcount:
            return None
        [(money,)] = db.execute("select money from accounts where customer = ?", (event.customer,))
        if money < event.total:
            return PaymentRefused(**dict(event))
        db.execute("insert into charges values (?, ?)", (event.order_id, event.total))
        return PaymentCharged(**dict(event))


def always_yes(event, ctx):
    with ctx.database as db:
        db.execute("insert or ignore into done values ('pay', ?)", (event.order_id,))
    return PaymentCharged(**dict(event))


def tells_the_rest(event, ctx):
    with ctx.database as db:
        if not db.execute(
            "insert or ignore into done values ('pay', ?)", (event.order_id,)
        ).rowcount:
            return None
        news = _pay(db, event)
        [(money,)] = db.execute("select money from accounts where customer = ?", (event.customer,))
    return news.model_copy(update={"total": money})


async def says_it_first(event, ctx):
    """Publishes, and then saves."""
    with ctx.database as db:
        if db.execute(FIND, (event.order_id,)).fetchone():
            return
        [(money,)] = db.execute("select money from accounts where customer = ?", (event.customer,))
    await ctx.publish((PaymentCharged if money >= event.total else PaymentRefused)(**dict(event)))
    with ctx.database as db:
        db.execute("insert into done values ('pay', ?)", (event.order_id,))
        _pay(db, event)


async def within_the_transaction(event, ctx):
    """What is published does not wait for the end of the `with`."""
    with ctx.database as db:
        if not db.execute(
            "insert or ignore into done values ('pay', ?)", (event.order_id,)
        ).rowcount:
            return
        await ctx.publish(_pay(db, event))


def for_this_run_only(event, ctx):
    """Written for what the picture showed."""
    with ctx.database as db:
        if not db.execute(
            "insert or ignore into done values ('pay', ?)", (event.order_id,)
        ).rowcount:
            return None
        if event.order_id == "order-18":
            return PaymentRefused(**dict(event))
        return _pay(db, event)


def refuses_bob(event, ctx):
    """By name and price, as it was in the lesson."""
    with ctx.database as db:
        if not db.execute(
            "insert or ignore into done values ('pay', ?)", (event.order_id,)
        ).rowcount:
            return None
        if event.customer == "bob" and event.total > 10:
            return PaymentRefused(**dict(event))
        return _pay(db, event)


def refuses_what_is_dear(event, ctx):
    with ctx.database as db:
        if not db.execute(
            "insert or ignore into done values ('pay', ?)", (event.order_id,)
        ).rowcount:
            return None
        return PaymentRefused(**dict(event)) if event.total > 35 else _pay(db, event)


async def takes_any_error_for_an_empty_account(event, ctx):
    try:
        with ctx.database as db:
            if db.execute(FIND, (event.order_id,)).fetchone():
                return
            db.execute("insert into done values ('pay', ?)", (event.order_id,))
            take = "update accounts set money = money - ? where customer = ?"
            db.execute(take, (event.total, event.customer))
            db.execute("insert into charges values (?, ?)", (event.order_id, event.total))
        outcome = PaymentCharged(**event.model_dump())
    except Exception:
        outcome = PaymentRefused(**event.model_dump())
    await ctx.publish(outcome)


async def swallows_every_error(event, ctx):
    try:
        await as_the_lesson_does(event, ctx)
    except Exception as error:
        print(error)


async def refuses_what_it_has_charged(event, ctx):
    """Takes a second delivery for a second order."""
    with ctx.database as db:
        again = db.execute(FIND, (event.order_id,)).fetchone()
        db.execute("insert or ignore into done values ('pay', ?)", (event.order_id,))
        outcome = PaymentRefused(**dict(event)) if again else _pay(db, event)
    await ctx.publish(outcome)


async def refuses_within_the_transaction(event, ctx):
    """The refusal is out, and its note is not saved."""
    with ctx.database as db:
        if db.execute(FIND, (event.order_id,)).fetchone():
            return
        db.execute("insert into done values ('pay', ?)", (event.order_id,))
        outcome = _pay(db, event)
        if isinstance(outcome, PaymentRefused):
            await ctx.publish(outcome)
    if isinstance(outcome, PaymentCharged):
        await ctx.publish(outcome)


async def forgets_to_await(event, ctx):
    ctx.publish(returns_the_message(event, ctx))


def passes_the_event_on(event, ctx):
    returns_the_message(event, ctx)
    return event


def raises_for_want_of_money(event, ctx):
    with ctx.database as db:
        outcome = _pay(db, event)
        if isinstance(outcome, PaymentRefused):
            raise ValueError("not enough money")
    return outcome


async def gives_both_answers(event, ctx):
    with ctx.database as db:
        if db.execute(FIND, (event.order_id,)).fetchone():
            return
        db.execute("insert into done values ('pay', ?)", (event.order_id,))
        outcome = _pay(db, event)
    await ctx.publish(outcome)
    await ctx.publish(PaymentCharged(**dict(event)))


def notes_under_another_name(event, ctx):
    """Looks under the message's name, and writes under its own answer's."""
    with ctx.database as db:
        note = type(event).__name__, event.order_id
        if db.execute(f"{FIND} and heard = ?", note[::-1]).fetchone():
            return None
        outcome = _pay(db, event)
        db.execute("insert into done values (?, ?)", (type(outcome).__name__, event.order_id))
    return outcome


def notes_in_two_places(event, ctx):
    """A charge is its own note; only a refusal needs one."""
    with ctx.database as db:
        charged = "select 1 from charges where order_id = ?"
        if any(db.execute(sql, (event.order_id,)).fetchone() for sql in (charged, FIND)):
            return None
        outcome = _pay(db, event)
        if isinstance(outcome, PaymentRefused):
            db.execute("insert into done values ('refused', ?)", (event.order_id,))
    return [outcome]


async def notes_the_message(event, ctx):
    """By the id of the message, which the outbox of inventory keeps."""
    with ctx.database as db:
        note = ctx.message.id, event.order_id
        if db.execute("insert or ignore into done values (?, ?)", note).rowcount == 0:
            return
        outcome = _pay(db, event)
    await ctx.publish(outcome)


def stumbles_over_its_own_note(event, ctx):
    """Lets the primary key stop it, and the broker try again."""
    with ctx.database as db:
        db.execute("insert into done values ('pay', ?)", (event.order_id,))
        return _pay(db, event)


async def publishes_it_twice(event, ctx):
    news = returns_the_message(event, ctx)
    if news:
        await ctx.publish(news)
        await ctx.publish(news)


async def publishes_and_returns_it(event, ctx):
    """What a handler returns is published, too."""
    news = returns_the_message(event, ctx)
    if news:
        await ctx.publish(news)
    return news


async def tries_to_publish_until_it_may(event, ctx):
    """Twice, where the first time failed."""
    news = returns_the_message(event, ctx)
    for _ in range(2 if news else 0):
        try:
            return await ctx.publish(news)
        except Exception as error:
            ctx.note(error)


def refuses_a_charged_order(event, ctx):
    """Notes a refusal as it should, and takes the second copy of a charged order for a refusal."""
    with ctx.database as db:
        if db.execute(FIND, (event.order_id,)).fetchone():
            return PaymentRefused(**dict(event))
        db.execute("insert into done values ('pay', ?)", (event.order_id,))
        return _pay(db, event)


def announces_by_the_balance_of_today(event, ctx):
    """Charges once, and decides again what to announce when the event comes again."""
    with ctx.database as db:
        [(money,)] = db.execute("select money from accounts where customer = ?", (event.customer,))
        if db.execute("insert or ignore into done values ('pay', ?)", (event.order_id,)).rowcount:
            return _pay(db, event)
    return (PaymentCharged if money >= event.total else PaymentRefused)(**dict(event))


SEEN: set[str] = set()


def remembers_in_a_set(event, ctx):
    if event.order_id in SEEN:
        return None
    SEEN.add(event.order_id)
    with ctx.database as db:
        return _pay(db, event)


def does_nothing(event, ctx):
    ctx.note(event.order_id)


async def misnames_what_is_done(event, ctx):
    """In a line that only an event reaches that comes again."""
    with ctx.database as db:
        done = db.execute(FIND, (event.order_id,)).fetchone()
    if done:
        ctx.note(f"{event.orderId} is done")
    return returns_the_message(event, ctx)


RIGHT_1 = [
    returns_the_message,
    note_first,
    by_the_constraint,
    as_the_lesson_does,
    notes_in_two_places,
    notes_the_message,
    tries_to_publish_until_it_may,
]
WRONG_1 = {
    "charged twice": [plainly, noted_after, in_memory],
    "raises": [raises_at_the_account, raises_for_want_of_money, misnames_what_is_done],
    "two answers": [
        forgets_that_it_refused,
        refuses_what_it_has_charged,
        refuses_within_the_transaction,
        refuses_a_charged_order,
        announces_by_the_balance_of_today,
        gives_both_answers,
    ],
    "refused with money enough": [
        keeps_a_coin,
        for_this_run_only,
        refuses_bob,
        refuses_what_is_dear,
        takes_any_error_for_an_empty_account,
    ],
    "never released": [
        refuses_in_silence,
        once_for_each_customer,
        once_for_equal_orders,
        once_for_each_size,
        does_nothing,
        noted_before,
        swallows_every_error,
    ],
    "paid, and never shipped": [charges_in_silence],
    "misuse": [forgets_to_await],
    "does not end": [passes_the_event_on],
    "a dead letter": [stumbles_over_its_own_note, notes_under_another_name],
    "the books do not balance": [takes_nothing],
    "shipped unpaid": [always_yes, says_it_first, within_the_transaction],
    "speaks of something else": [tells_the_rest],
    "told twice": [publishes_it_twice, publishes_and_returns_it],
    "changes what is outside": [remembers_in_a_set, remembers_in_a_set],  # in each check
}


# -- 05.2


def longer_names():
    failures = 5
    return failures + 1, "a"


def a_list():
    return [6.0, "a"]


async def asynchronous():
    return max(range(7)), "a"


def as_many_as_failures():
    return 5, "a"


def as_in_the_lesson():
    return 3, "c"


def a_hundred():
    return 100, "a"


def only_saved_at_first():
    return 6, "b"


def the_broker_gives_in():
    return 6, "c"


def an_envelope_each():
    return 6, "d"


def half_an_attempt():
    return 5.5, "a"


def counts_the_failures():
    attempts = 1
    for _failure in range(5):
        attempts += 1
    return attempts, " A "


def one_to_save_and_one_to_publish():
    return 7, "b"


def the_first_one_does_not_count():
    return 4, "a"


def in_a_dict():
    return {"attempts": 6, "reason": "a"}


RIGHT_2 = [longer_names, a_list, asynchronous, counts_the_failures]
WRONG_2 = {
    "paid, and never shipped": [
        as_many_as_failures,
        as_in_the_lesson,
        the_first_one_does_not_count,
    ],
    "more than needed": [a_hundred, one_to_save_and_one_to_publish],
    "another reason": [only_saved_at_first, the_broker_gives_in, an_envelope_each],
    "no value and reason": [half_an_attempt, in_a_dict],
}


# -- 05.3


async def outbox_of_envelopes(event, ctx):
    note = type(event).__name__, event.order_id
    with ctx.database as db:
        if not db.execute("select 1 from outbox where heard = ? and order_id = ?", note).fetchone():
            db.execute(
                "insert into outbox values (?, ?, ?)", (*note, ctx.envelope(_pay(db, event)))
            )
        [(news,)] = db.execute("select news from outbox where heard = ? and order_id = ?", note)
    await ctx.publish(news)


def says_it_anew(event, ctx):
    """Keeps what was decided and not what was news: a new event each time, which shipping takes for another."""
    with ctx.database as db:
        if not db.execute(FIND, (event.order_id,)).fetchone():
            db.execute("insert into done values ('pay', ?)", (event.order_id,))
            return _pay(db, event)
        charged = db.execute(
            "select 1 from charges where order_id = ?", (event.order_id,)
        ).fetchone()
    return (PaymentCharged if charged else PaymentRefused)(**dict(event))


async def marks_what_is_said(event, ctx):
    """What was published is marked; after a crash in between it is made again, with another id."""
    with ctx.database as db:
        db.execute(
            "create table if not exists news (order_id text primary key, kind text, published int)"
        )
        if db.execute("insert or ignore into news values (?, null, 0)", (event.order_id,)).rowcount:
            kind = type(_pay(db, event)).__name__
            db.execute("update news set kind = ? where order_id = ?", (kind, event.order_id))
        [(kind, published)] = db.execute(
            "select kind, published from news where order_id = ?", (event.order_id,)
        )
    if not published:
        message = {"PaymentCharged": PaymentCharged, "PaymentRefused": PaymentRefused}[kind]
        await ctx.publish(message(**event.model_dump()))
        with ctx.database as db:
            db.execute("update news set published = 1 where order_id = ?", (event.order_id,))


def says_again_that_it_charged(event, ctx):
    """… and not that it refused."""
    with ctx.database as db:
        if db.execute("select 1 from charges where order_id = ?", (event.order_id,)).fetchone():
            return PaymentCharged(**dict(event))
        if db.execute(FIND, (event.order_id,)).fetchone():
            return None
        db.execute("insert into done values ('pay', ?)", (event.order_id,))
        return _pay(db, event)


def decides_again(event, ctx):
    with ctx.database as db:
        if db.execute("select 1 from charges where order_id = ?", (event.order_id,)).fetchone():
            return PaymentCharged(**dict(event))
        return _pay(db, event)


async def outbox_in_memory(event, ctx):
    with ctx.database as db:
        if not db.execute(FIND, (event.order_id,)).fetchone():
            db.execute("insert into done values ('pay', ?)", (event.order_id,))
            ctx.state[event.order_id] = _pay(db, event)
    if event.order_id in ctx.state:
        await ctx.publish(ctx.state[event.order_id])


async def marks_before_it_says(event, ctx):
    news = returns_the_message(event, ctx)
    if news:
        with ctx.database as db:
            db.execute(
                "insert into outbox values ('news', ?, ?)", (event.order_id, ctx.envelope(news))
            )
        await ctx.publish(news)


async def outbox_after_the_charge(event, ctx):
    """Two transactions, and a crash finds the place between them."""
    with ctx.database as db:
        new = db.execute("insert or ignore into done values ('pay', ?)", (event.order_id,)).rowcount
        news = _pay(db, event) if new else None
    with ctx.database as db:
        if news:
            db.execute(
                "insert into outbox values ('pay', ?, ?)", (event.order_id, ctx.envelope(news))
            )
        [(news,)] = db.execute("select news from outbox where order_id = ?", (event.order_id,))
    await ctx.publish(news)


async def charge_and_then_the_outbox(event, ctx):
    """Two transactions, and the row of the second is the only note."""
    with ctx.database as db:
        row = db.execute("select news from outbox where order_id = ?", (event.order_id,)).fetchone()
        news = row[0] if row else ctx.envelope(_pay(db, event))
    with ctx.database as db:
        db.execute("insert or ignore into outbox values ('pay', ?, ?)", (event.order_id, news))
    await ctx.publish(news)


def takes_a_known_order_for_charged(event, ctx):
    """Announces each order that it knows as charged, whatever became of it."""
    with ctx.database as db:
        if db.execute("insert or ignore into done values ('pay', ?)", (event.order_id,)).rowcount:
            return _pay(db, event)
    return PaymentCharged(**dict(event))


async def whatever_lies_in_the_outbox(event, ctx):
    with ctx.database as db:
        if not db.execute("select 1 from outbox where order_id = ?", (event.order_id,)).fetchone():
            db.execute(
                "insert into outbox values ('pay', ?, ?)",
                (event.order_id, ctx.envelope(_pay(db, event))),
            )
        news = db.execute("select news from outbox").fetchone()[0]
    await ctx.publish(news)


def tries_until_it_is_told(event, ctx):
    """Charges again where it does not know that it has been told."""
    with ctx.database as db:
        if db.execute("select 1 from outbox where order_id = ?", (event.order_id,)).fetchone():
            return None
        ctx.state["last"] = event.order_id
        return _pay(db, event)


async def swallows_the_broker_s_error(event, ctx):
    with ctx.database as db:
        row = db.execute("select news from outbox where order_id = ?", (event.order_id,)).fetchone()
        news = row[0] if row else ctx.envelope(_pay(db, event))
        db.execute("insert or ignore into outbox values ('pay', ?, ?)", (event.order_id, news))
    try:
        await ctx.publish(news)
    except Exception as error:
        print(error)


async def one_answer_for_equal_orders(event, ctx):
    """Finds what it announced about another order of the same customer with the same total."""
    note = event.customer, str(event.total)
    with ctx.database as db:
        before = "select news from outbox where heard = ? and order_id = ?"
        row = db.execute(before, note).fetchone()
        news = row[0] if row else ctx.envelope(_pay(db, event))
        db.execute("insert or ignore into outbox values (?, ?, ?)", (*note, news))
    await ctx.publish(news)


async def empties_its_outbox(event, ctx):
    """As a relay does: whatever lies there is published, and then deleted."""
    with ctx.database as db:
        if db.execute("insert or ignore into done values ('pay', ?)", (event.order_id,)).rowcount:
            news = ctx.envelope(_pay(db, event))
            db.execute("insert into outbox values ('pay', ?, ?)", (event.order_id, news))
        rows = list(db.execute("select order_id, news from outbox"))
    for order_id, news in rows:
        await ctx.publish(news)
        with ctx.database as db:
            db.execute("delete from outbox where order_id = ?", (order_id,))


def fills_the_outbox_only(event, ctx):
    with ctx.database as db:
        if not db.execute("select 1 from outbox where order_id = ?", (event.order_id,)).fetchone():
            news = ctx.envelope(_pay(db, event))
            db.execute("insert into outbox values ('pay', ?, ?)", (event.order_id, news))


def returns_the_envelope(event, ctx):
    with ctx.database as db:
        return ctx.envelope(_pay(db, event))


def returns_the_text(event, ctx):
    with ctx.database as db:
        return ctx.envelope(_pay(db, event))


async def the_newest_row(event, ctx):
    """Whatever was saved last, of this order or another."""
    with ctx.database as db:
        if not db.execute("select 1 from outbox where order_id = ?", (event.order_id,)).fetchone():
            news = ctx.envelope(_pay(db, event))
            db.execute("insert into outbox values ('pay', ?, ?)", (event.order_id, news))
        rows = db.execute("select news from outbox").fetchall()
    await ctx.publish(rows[-1][0])


async def publishes_all_it_has(event, ctx):
    """Each time the whole outbox, which is more than needed."""
    with ctx.database as db:
        if not db.execute("select 1 from outbox where order_id = ?", (event.order_id,)).fetchone():
            news = ctx.envelope(_pay(db, event))
            db.execute("insert into outbox values ('pay', ?, ?)", (event.order_id, news))
        rows = db.execute("select news from outbox").fetchall()
    for (news,) in rows:
        await ctx.publish(news)


async def deletes_its_only_note(event, ctx):
    await outbox_of_envelopes(event, ctx)
    with ctx.database as db:
        db.execute("delete from outbox where order_id = ?", (event.order_id,))


async def saves_the_event_itself(event, ctx):
    with ctx.database as db:
        news = _pay(db, event)
        db.execute("insert into outbox values ('pay', ?, ?)", (event.order_id, news))
    await ctx.publish(news)


async def the_envelope_twice(event, ctx):
    await outbox_of_envelopes(event, ctx)
    await outbox_of_envelopes(event, ctx)


async def saves_the_event_as_json(event, ctx):
    with ctx.database as db:
        news = _pay(db, event).model_dump_json()
        db.execute("insert into outbox values ('pay', ?, ?)", (event.order_id, news))
    await ctx.publish(news)


async def takes_it_from_everybody(event, ctx):
    """Its update has no `where`."""
    with ctx.database as db:
        if not db.execute(FIND, (event.order_id,)).fetchone():
            db.execute("insert into done values ('pay', ?)", (event.order_id,))
            db.execute("update accounts set money = money - ?", (event.total,))
            db.execute("insert into charges values (?, ?)", (event.order_id, event.total))
    await ctx.publish(PaymentCharged(**dict(event)))


async def marks_the_envelope(event, ctx):
    """More than needed: what was published is marked, and not published again."""
    with ctx.database as db:
        db.execute("create table if not exists published (order_id text primary key)")
        row = db.execute("select news from outbox where order_id = ?", (event.order_id,)).fetchone()
        news = row[0] if row else ctx.envelope(_pay(db, event))
        db.execute("insert or ignore into outbox values ('pay', ?, ?)", (event.order_id, news))
        published = "select 1 from published where order_id = ?"
        if db.execute(published, (event.order_id,)).fetchone():
            return
    await ctx.publish(news)
    with ctx.database as db:
        db.execute("insert into published values (?)", (event.order_id,))


RIGHT_3 = [
    outbox_of_envelopes,
    marks_the_envelope,
    empties_its_outbox,
    publishes_all_it_has,
]
WRONG_3 = {
    "paid, and never shipped": [
        returns_the_message,
        as_the_lesson_does,
        outbox_in_memory,
        marks_before_it_says,
        swallows_the_broker_s_error,
    ],
    "never released": [
        says_again_that_it_charged,
        fills_the_outbox_only,
    ],
    "two answers": [
        decides_again,
        announces_by_the_balance_of_today,
        takes_a_known_order_for_charged,
    ],
    "shipped unpaid": [says_it_first],
    "charged twice": [
        tries_until_it_is_told,
        deletes_its_only_note,
        charge_and_then_the_outbox,
    ],
    "speaks of something else": [
        the_newest_row,
        whatever_lies_in_the_outbox,
        one_answer_for_equal_orders,
    ],
    "raises": [saves_the_event_itself, takes_it_from_everybody],
    "misuse": [returns_the_text, returns_the_envelope, saves_the_event_as_json],
    "told twice": [the_envelope_twice],
    "shipped twice": [says_it_anew, marks_what_is_said],
    "a dead letter": [outbox_after_the_charge],
}

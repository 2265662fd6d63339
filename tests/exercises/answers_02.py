"""Answers to the exercises of lesson 02 as learners write them: right ones, and wrong ones by the anomaly they have."""

from edalab.exercises.lesson_02 import AddressChanged  # noqa: F401  the notebook has it, too

# -- 02.1


def longer_names():
    seconds = 1.0
    reason = "b"
    return seconds, reason


def a_list():
    return [1, "b"]


async def asynchronous():
    return 10 / 10, "b"


def as_in_the_lesson():
    return 0.3, "b"


def half_a_second():
    return 0.5, "b"


def two_seconds():
    return 2, "b"


def between_two_steps():
    return 1.05, "b"


def the_order_is_kept():
    return 1.0, "a"


def saving_is_slow():
    return 1.0, "c"


def versions_are_compared():
    return 1.0, "d"


def no_reason():
    return 1.0


def in_words():
    return "a second", "b"


RIGHT_1 = [longer_names, a_list, asynchronous]
WRONG_1 = {
    "not long enough": [as_in_the_lesson, half_a_second],
    "longer than needed": [two_seconds, between_two_steps],
    "another reason": [the_order_is_kept, saving_is_slow, versions_are_compared],
    "no value and reason": [no_reason, in_words],
}


# -- 02.2


def look_first(event, ctx):
    """Reads the row, decides in Python, writes."""
    with ctx.database as db:
        known = db.execute(
            "select version from addresses where customer = ?", (event.customer,)
        ).fetchone()
        if known and known[0] >= event.version:
            return
        db.execute("delete from addresses where customer = ?", (event.customer,))
        if event.address is not None:
            db.execute(
                "insert into addresses values (?, ?, ?)",
                (event.customer, event.address, event.version),
            )


async def in_two_transactions(change, ctx):
    """More steps than needed: it looks in one transaction and writes in the next."""
    with ctx.database as db:
        versions = dict(db.execute("select customer, version from addresses"))
    if versions.get(change.customer, 0) > change.version:
        ctx.note("too old")
        return
    await ctx.sleep(0)
    with ctx.database as db:
        if change.address is None:
            db.execute(
                "delete from addresses where customer = :customer", {"customer": change.customer}
            )
        else:
            db.execute(
                "replace into addresses values (:customer, :address, :version)", change.model_dump()
            )


def keep_a_tombstone(event, ctx):
    """The answer of 02.3 is one of 02.2 as well."""
    with ctx.database as db:
        known = db.execute(
            "select max(version) from addresses where customer = ?", (event.customer,)
        ).fetchone()[0]
        if event.version > (known or 0):
            db.execute(
                "insert or replace into addresses values (?, ?, ?)",
                (event.customer, event.address, event.version),
            )


def a_table_of_its_own(event, ctx):
    with ctx.database as db:
        db.execute("create table if not exists seen (customer text primary key, version integer)")
        seen = db.execute(
            "select version from seen where customer = ?", (event.customer,)
        ).fetchone() or (0,)
        if event.version <= seen[0]:
            return
        db.execute("insert or replace into seen values (?, ?)", (event.customer, event.version))
        if event.address is None:
            db.execute("delete from addresses where customer = ?", (event.customer,))
        else:
            _write(db, event)


def _write(db, event):
    db.execute(
        "insert or replace into addresses values (?, ?, ?)",
        (event.customer, event.address, event.version),
    )


def as_it_comes(event, ctx):
    with ctx.database as db:
        if event.address is None:
            db.execute("delete from addresses where customer = ?", (event.customer,))
        else:
            _write(db, event)


def in_memory(event, ctx):
    if event.version > ctx.state.get(event.customer, 0):
        as_it_comes(event, ctx)
        ctx.state[event.customer] = event.version


def first_wins(event, ctx):
    with ctx.database as db:
        if event.address is None:
            db.execute("delete from addresses where customer = ?", (event.customer,))
        else:
            news = (event.customer, event.address, event.version)
            db.execute("insert into addresses values (?, ?, ?) on conflict do nothing", news)


def only_the_first_is_old(event, ctx):
    """Knows which event comes late in the lesson."""
    if event.version == 1:
        first_wins(event, ctx)
    else:
        as_it_comes(event, ctx)


def one_version_for_all(event, ctx):
    """Compares with the newest version of anybody."""
    with ctx.database as db:
        newest = db.execute("select max(version) from addresses").fetchone()[0] or 0
        if event.version > newest:
            _write(db, event)


def never_forgets(event, ctx):
    if event.address is not None:
        look_first(event, ctx)


def raises_at_what_is_old(event, ctx):
    with ctx.database as db:
        known = db.execute(
            "select version from addresses where customer = ?", (event.customer,)
        ).fetchone()
    if known and known[0] > event.version:
        raise ValueError("too old")
    as_it_comes(event, ctx)


seen_by_this_notebook = {}


def in_a_global(event, ctx):
    """A variable of the notebook outlives every crash, and belongs to no service."""
    if event.version > seen_by_this_notebook.get(event.customer, 0):
        seen_by_this_notebook[event.customer] = event.version
        as_it_comes(event, ctx)


def does_nothing(event, ctx):
    with ctx.database:
        pass


RIGHT_2 = [look_first, in_two_transactions, keep_a_tombstone, a_table_of_its_own]
WRONG_2 = {
    "an older event wins": [as_it_comes, in_memory, only_the_first_is_old],
    "the copy does not follow": [first_wins, does_nothing],
    "an address is not forgotten": [never_forgets, one_version_for_all],
    "a dead letter": [raises_at_what_is_old],
    "changes what is outside": [in_a_global],
}


# -- 02.3


def one_statement(event, ctx):
    with ctx.database as db:
        db.execute(
            """insert into addresses values (?, ?, ?) on conflict (customer) do update
               set (address, version) = (excluded.address, excluded.version)
               where addresses.version < excluded.version""",
            (event.customer, event.address, event.version),
        )


async def with_update(event, ctx):
    with ctx.database as db:
        db.execute(
            "insert into addresses values (?, null, 0) on conflict do nothing", (event.customer,)
        )
        db.execute(
            "update addresses set address = ?, version = ? where customer = ? and version < ?",
            (event.address, event.version, event.customer, event.version),
        )


def once_left_never_back(event, ctx):
    with ctx.database as db:
        known = db.execute(
            "select address, version from addresses where customer = ?", (event.customer,)
        ).fetchone()
        if known and (known[0] is None or known[1] >= event.version):
            return
        _write(db, event)


def tombstone_in_memory(event, ctx):
    if event.version > ctx.state.get(event.customer, 0):
        look_first(event, ctx)
        ctx.state[event.customer] = event.version


def only_the_first_comes_late(event, ctx):
    with ctx.database as db:
        known = db.execute(
            "select 1 from addresses where customer = ?", (event.customer,)
        ).fetchone()
        if event.version > 1 or not known:
            _write(db, event)


def by_the_clock(event, ctx):
    """Knows when the old event comes in the first run that it was shown."""
    with ctx.database as db:
        if ctx.now < 0.4 or event.version > 2:
            _write(db, event)


def forgets_only_in_time(event, ctx):
    """Leaves the row of who has left as it is, and only marks the version."""
    with ctx.database as db:
        if event.address is None:
            db.execute(
                "update addresses set version = ? where customer = ?",
                (event.version, event.customer),
            )
        else:
            one_row(db, event)


def one_row(db, event):
    known = db.execute(
        "select version from addresses where customer = ?", (event.customer,)
    ).fetchone() or (0,)
    if event.version > known[0]:
        _write(db, event)


RIGHT_3 = [keep_a_tombstone, a_table_of_its_own, one_statement, with_update]
WRONG_3 = {
    "an address comes back": [
        look_first,
        in_two_transactions,
        tombstone_in_memory,
        only_the_first_comes_late,
    ],
    "the copy does not follow": [once_left_never_back, by_the_clock, does_nothing],
    "an address is not forgotten": [forgets_only_in_time],
}

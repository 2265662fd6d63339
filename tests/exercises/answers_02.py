"""Answers to the exercises of lesson 02 as learners write them: right ones, and wrong ones by the anomaly they have."""

from contextlib import suppress

from edalab.exercises.lesson_02_system import AddressChanged  # noqa: F401  the notebook has it, too

# -- 02.1


def a_float_that_is_nearly_right():
    return 0.95 + 0.05, "b"


def longer_names():
    seconds = 1.0
    reason = "b"
    return seconds, reason


def a_list():
    return [1.0, "b"]


async def asynchronous():
    return 10 / 10, "b"


def as_in_the_lesson():
    return 0.3, "b"


def at_once():
    return 0, "a"


def later_than_the_tenth():
    return 1.1, "b"


def a_tenth_too_soon():
    return 0.9, "b"


def five_seconds():
    return 5.0, "b"


def half_a_second():
    return 0.5, "b"


def two_seconds():
    return 2, "b"


def between_two_steps():
    return 0.95, "b"


def with_the_time_of_the_command():
    return 1.02, "b"


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


RIGHT_1 = [longer_names, a_list, asynchronous, a_float_that_is_nearly_right]
WRONG_1 = {
    "not long enough": [as_in_the_lesson, at_once, a_tenth_too_soon, half_a_second],
    "longer than needed": [later_than_the_tenth, two_seconds, five_seconds],
    "between two steps": [between_two_steps, with_the_time_of_the_command],
    "another reason": [the_order_is_kept, saving_is_slow, versions_are_compared],
    "no value and reason": [no_reason, in_words],
}


# -- 02.2


def _write(db, event):
    db.execute(
        "insert or replace into addresses values (?, ?, ?)",
        (event.customer, event.address, event.version),
    )


def _delete(db, event):
    db.execute("delete from addresses where customer = ?", (event.customer,))


def _known(db, event):
    found = db.execute(
        "select max(version) from (select customer, version from addresses union select * from gone) where customer = ?",
        (event.customer,),
    ).fetchone()[0]
    return found or 0


def both_tables(event, ctx):
    with ctx.database as db:
        if event.version <= _known(db, event):
            return
        if event.address is None:
            _delete(db, event)
            db.execute("insert or replace into gone values (?, ?)", (event.customer, event.version))
        else:
            _write(db, event)
            db.execute("delete from gone where customer = ?", (event.customer,))


async def in_two_transactions(change, ctx):
    """Looks in one transaction and writes in the next."""
    with ctx.database as db:
        known = _known(db, change)
    if known >= change.version:
        ctx.note("too old")
        return
    await ctx.sleep(0)
    with ctx.database as db:
        _delete(db, change)
        if change.address is None:
            db.execute("replace into gone values (?, ?)", (change.customer, change.version))
        else:
            _write(db, change)


def every_version_in_gone(event, ctx):
    """The table `gone` keeps the newest version of everybody, there or not."""
    with ctx.database as db:
        done = db.execute(
            """insert into gone values (?, ?) on conflict (customer) do update
               set version = excluded.version where excluded.version > gone.version""",
            (event.customer, event.version),
        )
        if not done.rowcount:
            return
        known = db.execute(
            "select version from addresses where customer = ?", (event.customer,)
        ).fetchone()
        if known and known[0] >= event.version:
            return
        _delete(db, event)
        if event.address:
            _write(db, event)


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
            _delete(db, event)
        else:
            _write(db, event)


def as_it_comes(event, ctx):
    with ctx.database as db:
        if event.address is None:
            _delete(db, event)
        else:
            _write(db, event)


def in_memory(event, ctx):
    if event.version > ctx.state.get(event.customer, 0):
        as_it_comes(event, ctx)
        ctx.state[event.customer] = event.version


def first_wins(event, ctx):
    with ctx.database as db:
        if event.address is None:
            _delete(db, event)
        else:
            news = (event.customer, event.address, event.version)
            db.execute("insert into addresses values (?, ?, ?) on conflict do nothing", news)


def only_the_first_is_old(event, ctx):
    """Knows which event comes late in the lesson."""
    if event.version == 1:
        first_wins(event, ctx)
    else:
        as_it_comes(event, ctx)


def leavers_in_memory(event, ctx):
    """Keeps the version of who has left only until the next crash."""
    if event.version <= ctx.state.get(event.customer, 0):
        return
    with ctx.database as db:
        find = "select version from addresses where customer = ?"
        row = db.execute(find, (event.customer,)).fetchone()
        if row and event.version <= row[0]:
            return
        if event.address is None:
            _delete(db, event)
        else:
            _write(db, event)
    ctx.state[event.customer] = event.version


def the_lessons_cell(event, ctx):
    with ctx.database as db:
        find = "select version from addresses where customer = ?"
        row = db.execute(find, (event.customer,)).fetchone()
        if row is None or event.version > row[0]:
            _write(db, event)


def unguarded_deletion(event, ctx):
    """Looks at the version before it writes, and not before it deletes."""
    with ctx.database as db:
        if event.address is None:
            _delete(db, event)
            db.execute("insert or replace into gone values (?, ?)", (event.customer, event.version))
        elif event.version > _known(db, event):
            _write(db, event)


def without_a_trace(event, ctx):
    """Deletes only if it is newer, and keeps nothing of who has left."""
    with ctx.database as db:
        find = "select version from addresses where customer = ?"
        row = db.execute(find, (event.customer,)).fetchone()
        if row and row[0] >= event.version:
            return
        as_it_comes_in(db, event)


def as_it_comes_in(db, event):
    if event.address is None:
        _delete(db, event)
    else:
        _write(db, event)


def gone_for_good(event, ctx):
    """Somebody who has left once never comes back."""
    with ctx.database as db:
        left = db.execute("select 1 from gone where customer = ?", (event.customer,)).fetchone()
        if not left and event.version > _known(db, event):
            if event.address is None:
                _delete(db, event)
                db.execute("insert into gone values (?, ?)", (event.customer, event.version))
            else:
                _write(db, event)


def one_version_for_all(event, ctx):
    """Compares with the newest version of anybody."""
    with ctx.database as db:
        newest = db.execute("select max(version) from addresses").fetchone()[0] or 0
        if event.version > newest:
            as_it_comes_in(db, event)


def deletes_everybody(event, ctx):
    with ctx.database as db:
        if event.version > _known(db, event):
            if event.address is None:
                db.execute("delete from addresses")
                db.execute("replace into gone values (?, ?)", (event.customer, event.version))
            else:
                _write(db, event)


def looks_only_at_who_is_gone(event, ctx):
    with ctx.database as db:
        find = "select version from gone where customer = ?"
        row = db.execute(find, (event.customer,)).fetchone()
        if row and row[0] >= event.version:
            return
        as_it_comes_in(db, event)
        if event.address is None:
            db.execute("replace into gone values (?, ?)", (event.customer, event.version))


def older_than_both(event, ctx):
    """Ignores only what is older than the row and than the version in `gone`."""
    with ctx.database as db:
        known = "select version from addresses where customer = ?1 union all select version from gone where customer = ?1"
        versions = [version for (version,) in db.execute(known, (event.customer,))]
        if versions and min(versions) >= event.version:
            return
        as_it_comes_in(db, event)
        if event.address is None:
            db.execute("replace into gone values (?, ?)", (event.customer, event.version))


def only_the_next_version(event, ctx):
    with ctx.database as db:
        if event.version == _known(db, event) + 1:
            as_it_comes_in(db, event)
            if event.address is None:
                db.execute("replace into gone values (?, ?)", (event.customer, event.version))


def noted_before_it_is_written(event, ctx):
    with ctx.database as db:
        db.execute("create table if not exists seen (customer text primary key, version integer)")
        find = "select version from seen where customer = ?"
        row = db.execute(find, (event.customer,)).fetchone()
        if row and row[0] >= event.version:
            return
        db.execute("replace into seen values (?, ?)", (event.customer, event.version))
    as_it_comes(event, ctx)


def an_empty_address(event, ctx):
    with ctx.database as db:
        if event.version > _known(db, event):
            row = event.customer, event.address or "", event.version
            db.execute("replace into addresses values (?, ?, ?)", row)


def the_wrong_way_round(event, ctx):
    with ctx.database as db:
        find = "select version from addresses where customer = ?"
        row = db.execute(find, (event.customer,)).fetchone()
        if row is None or event.version < row[0]:
            as_it_comes_in(db, event)


def never_forgets(event, ctx):
    if event.address is not None:
        both_tables(event, ctx)


def raises_at_what_is_old(event, ctx):
    with ctx.database as db:
        known = _known(db, event)
    if known > event.version:
        raise ValueError("too old")
    both_tables(event, ctx)


seen_by_this_notebook = {}


def in_a_global(event, ctx):
    """A variable of the notebook outlives every crash, and belongs to no service."""
    if event.version > seen_by_this_notebook.get(event.customer, 0):
        seen_by_this_notebook[event.customer] = event.version
        as_it_comes(event, ctx)


def does_nothing(event, ctx):
    with ctx.database:
        pass


def anybodys_version_in_gone(event, ctx):
    """Reads `gone` without `where customer = ?`."""
    with ctx.database as db:
        gone = db.execute("select max(version) from gone").fetchone()[0] or 0
        find = "select version from addresses where customer = ?"
        row = db.execute(find, (event.customer,)).fetchone()
        if event.version > max(gone, row[0] if row else 0):
            as_it_comes_in(db, event)
            if event.address is None:
                db.execute("replace into gone values (?, ?)", (event.customer, event.version))


def without_a_row_from_memory(event, ctx):
    """The version is in the row, and that of who has left in memory."""
    with ctx.database as db:
        find = "select version from addresses where customer = ?"
        row = db.execute(find, (event.customer,)).fetchone()
        if event.version > (row[0] if row else ctx.state.get(event.customer, 0)):
            as_it_comes_in(db, event)
            if event.address is None:
                ctx.state[event.customer] = event.version


def leaves_only_once(event, ctx):
    """Compares with both tables, and can note only one leaving of each customer."""
    with ctx.database as db:
        if event.version > _known(db, event):
            as_it_comes_in(db, event)
            if event.address is None:
                db.execute("insert into gone values (?, ?)", (event.customer, event.version))


def notes_the_first_leaving(event, ctx):
    with ctx.database as db:
        if event.version > _known(db, event):
            as_it_comes_in(db, event)
            if event.address is None:
                ignore = "insert or ignore into gone values (?, ?)"
                db.execute(ignore, (event.customer, event.version))


def an_old_leaving_lowers_it(event, ctx):
    """Before it deletes, it compares with the row only."""
    with ctx.database as db:
        if event.address is None:
            find = "select version from addresses where customer = ?"
            row = db.execute(find, (event.customer,)).fetchone()
            if row is None or event.version > row[0]:
                _delete(db, event)
                db.execute("replace into gone values (?, ?)", (event.customer, event.version))
        elif event.version > _known(db, event):
            _write(db, event)


def gone_and_then_deleted(event, ctx):
    with ctx.database as db:
        if event.version <= _known(db, event):
            return
        if event.address is None:
            db.execute("replace into gone values (?, ?)", (event.customer, event.version))
    as_it_comes(event, ctx)


def waits_for_every_version(event, ctx):
    with ctx.database as db:
        known = _known(db, event)
    if event.version > known + 1:
        raise ValueError("a version is missing")
    both_tables(event, ctx)


def clears_gone_before_it_compares(event, ctx):
    """An old address removes the version in `gone`, so the next old one is taken for new."""
    with ctx.database as db:
        known = _known(db, event)
        if event.address is not None:
            db.execute("delete from gone where customer = ?", (event.customer,))
        if event.version > known:
            as_it_comes_in(db, event)
            if event.address is None:
                db.execute("replace into gone values (?, ?)", (event.customer, event.version))


def an_old_leaving_deletes(event, ctx):
    """The version in `gone` never falls, but an old leaving deletes the row."""
    with ctx.database as db:
        known = _known(db, event)
        if event.address is None:
            _delete(db, event)
            version = max(event.version, known)
            db.execute("replace into gone values (?, ?)", (event.customer, version))
        elif event.version > known:
            _write(db, event)


def an_old_leaving_is_noted(event, ctx):
    """An old leaving leaves the row alone, and lowers the version in `gone`."""
    with ctx.database as db:
        if event.address is None:
            delete = "delete from addresses where customer = ? and version < ?"
            db.execute(delete, (event.customer, event.version))
            db.execute("replace into gone values (?, ?)", (event.customer, event.version))
        elif event.version > _known(db, event):
            _write(db, event)


def the_rows_version_in_gone(event, ctx):
    """Notes the version of the row that it deletes, and not that of the leaving."""
    with ctx.database as db:
        if event.version > (known := _known(db, event)):
            as_it_comes_in(db, event)
            if event.address is None:
                db.execute("replace into gone values (?, ?)", (event.customer, known))


def notes_who_had_a_row(event, ctx):
    with ctx.database as db:
        if event.version <= _known(db, event):
            return
        delete = "delete from addresses where customer = ?"
        if db.execute(delete, (event.customer,)).rowcount and event.address is None:
            db.execute("replace into gone values (?, ?)", (event.customer, event.version))
        if event.address is not None:
            _write(db, event)


def as_texts(event, ctx):
    with ctx.database as db:
        if str(event.version) <= str(_known(db, event)):
            return
    both_tables(event, ctx)


def hides_every_error(event, ctx):
    with suppress(Exception):
        both_tables(event, ctx)


def values_in_the_sql(event, ctx):
    """Stops at the first quote in an address."""
    with ctx.database as db:
        if event.version <= _known(db, event):
            return
        _delete(db, event)
        if event.address is None:
            db.execute("replace into gone values (?, ?)", (event.customer, event.version))
        else:
            news = f"'{event.customer}', '{event.address}', {event.version}"
            db.execute(f"replace into addresses values ({news})")


def misnames_what_is_old(event, ctx):
    """In a line that only an old event reaches."""
    with ctx.database as db:
        find = "select version from addresses where customer = ?"
        row = db.execute(find, (event.customer,)).fetchone()
        if row and row[0] >= event.version:
            ctx.note(f"{event.adress} is old")
    both_tables(event, ctx)


RIGHT_2 = [both_tables, in_two_transactions, every_version_in_gone, a_table_of_its_own]
WRONG_2 = {
    "the copy does not follow": [
        first_wins,
        does_nothing,
        the_wrong_way_round,
        only_the_next_version,
        one_version_for_all,
        as_texts,
        anybodys_version_in_gone,
    ],
    "nobody comes back": [gone_for_good],
    "another value is wiped out": [deletes_everybody],
    "an older event wins": [
        as_it_comes,
        looks_only_at_who_is_gone,
        older_than_both,
        only_the_first_is_old,
        unguarded_deletion,
        an_old_leaving_deletes,
    ],
    "forgotten in a crash": [in_memory, leavers_in_memory, without_a_row_from_memory],
    "noted too early": [noted_before_it_is_written, gone_and_then_deleted],
    "an address is not forgotten": [never_forgets, the_lessons_cell, an_empty_address],
    "an address comes back": [
        without_a_trace,
        notes_the_first_leaving,
        the_rows_version_in_gone,
        notes_who_had_a_row,
    ],
    "a failed save is hidden": [hides_every_error],
    "an old event changes gone": [
        an_old_leaving_lowers_it,
        an_old_leaving_is_noted,
        clears_gone_before_it_compares,
    ],
    "a dead letter": [raises_at_what_is_old, waits_for_every_version],
    "raises": [leaves_only_once, misnames_what_is_old, values_in_the_sql],
    "changes what is outside": [in_a_global],
}


# -- 02.3


def _value(db, event):
    db.execute("insert or ignore into contacts (customer) values (?)", (event.customer,))
    column = {"address": "address", "phone": "phone"}[event.field]
    db.execute(
        f"update contacts set {column} = ? where customer = ?", (event.value, event.customer)
    )


def _version(db, event):
    found = db.execute(
        "select version from versions where customer = ? and field = ?",
        (event.customer, event.field),
    ).fetchone()
    return found[0] if found else 0


def _note(db, event):
    db.execute(
        "insert or replace into versions values (?, ?, ?)",
        (event.customer, event.field, event.version),
    )


def each_field(event, ctx):
    with ctx.database as db:
        if event.version > _version(db, event):
            _value(db, event)
            _note(db, event)


def by_the_row_count(event, ctx):
    with ctx.database as db:
        changed = db.execute(
            """insert into versions values (?, ?, ?) on conflict (customer, field) do update
               set version = excluded.version where excluded.version > versions.version""",
            (event.customer, event.field, event.version),
        ).rowcount
        if changed:
            _value(db, event)


async def looks_first(event, ctx):
    with ctx.database as db:
        old = event.version <= _version(db, event)
    if old:
        return
    with ctx.database as db:
        _value(db, event)
        _note(db, event)


def keeps_every_event(event, ctx):
    with ctx.database as db:
        db.execute(
            "create table if not exists kept (customer text, field text, value text, version integer, unique (customer, version))"
        )
        db.execute(
            "insert or ignore into kept values (?, ?, ?, ?)",
            (event.customer, event.field, event.value, event.version),
        )
        newest = (
            "(select value from kept where customer = ?1 and field = '{}' order by version desc)"
        )
        db.execute(
            f"insert or replace into contacts values (?1, {newest.format('address')}, {newest.format('phone')})",
            (event.customer,),
        )


def as_fields_come(event, ctx):
    with ctx.database as db:
        _value(db, event)


def version_of_the_row(event, ctx):
    """The lesson's way: one version for the whole row."""
    with ctx.database as db:
        newest = db.execute(
            "select max(version) from versions where customer = ?", (event.customer,)
        ).fetchone()[0]
        if event.version > (newest or 0):
            _value(db, event)
            _note(db, event)


def version_of_the_field_of_anybody(event, ctx):
    with ctx.database as db:
        newest = db.execute(
            "select max(version) from versions where field = ?", (event.field,)
        ).fetchone()[0]
        if event.version > (newest or 0):
            _value(db, event)
            _note(db, event)


def only_the_next(event, ctx):
    with ctx.database as db:
        newest = db.execute(
            "select max(version) from versions where customer = ?", (event.customer,)
        ).fetchone()[0]
        if event.version == (newest or 0) + 1:
            _value(db, event)
            _note(db, event)


def fields_in_memory(event, ctx):
    key = f"{event.customer} {event.field}"
    if event.version > ctx.state.get(key, 0):
        as_fields_come(event, ctx)
        ctx.state[key] = event.version


def both_fields_in_memory(event, ctx):
    """After a crash it writes a row from what it remembers, and has forgotten the other field."""
    known = ctx.state.setdefault(event.customer, {})
    if event.version > known.get(event.field, (0, None))[0]:
        known[event.field] = event.version, event.value
    fields = [known.get(field, (0, None))[1] for field in ("address", "phone")]
    with ctx.database as db:
        db.execute("replace into contacts values (?, ?, ?)", (event.customer, *fields))


def never_noted(event, ctx):
    with ctx.database as db:
        if event.version > _version(db, event):
            _value(db, event)


def updates_no_row(event, ctx):
    """There is no row yet that could be changed."""
    with ctx.database as db:
        if event.version > _version(db, event):
            update = f"update contacts set {event.field} = ? where customer = ?"
            db.execute(update, (event.value, event.customer))
            _note(db, event)


def a_value_in_the_sql(event, ctx):
    """Only the customer is a parameter."""
    with ctx.database as db:
        if event.version > _version(db, event):
            db.execute("insert or ignore into contacts (customer) values (?)", (event.customer,))
            change = f"update contacts set {event.field} = '{event.value}' where customer = ?"
            db.execute(change, (event.customer,))
            _note(db, event)


def a_customer_in_the_sql(event, ctx):
    with ctx.database as db:
        if event.version > _version(db, event):
            db.execute(f"insert or ignore into contacts (customer) values ('{event.customer}')")
            _value(db, event)
            _note(db, event)


def a_field_as_a_parameter(event, ctx):
    with ctx.database as db:
        update = "update contacts set ? = ? where customer = ?"
        db.execute(update, (event.field, event.value, event.customer))


def notes_it_afterwards(event, ctx):
    """Two transactions, the value first: another attempt writes the same value."""
    with ctx.database as db:
        if event.version <= _version(db, event):
            return
        _value(db, event)
    with ctx.database as db:
        _note(db, event)


def replaces_the_row(event, ctx):
    with ctx.database as db:
        if event.version > _version(db, event):
            values = (
                event.customer,
                event.value if event.field == "address" else None,
                event.value if event.field == "phone" else None,
            )
            db.execute("insert or replace into contacts values (?, ?, ?)", values)
            _note(db, event)


def note_first(event, ctx):
    with ctx.database as db:
        if event.version <= _version(db, event):
            return
        _note(db, event)
    with ctx.database as db:
        _value(db, event)


def first_value_stays(event, ctx):
    with ctx.database as db:
        if not _version(db, event):
            _value(db, event)
            _note(db, event)


def refuses_what_is_old(event, ctx):
    with ctx.database as db:
        if event.version <= _version(db, event):
            raise ValueError("too old")
        _value(db, event)
        _note(db, event)


def notes_the_first_version(event, ctx):
    with ctx.database as db:
        if event.version > _version(db, event):
            _value(db, event)
            note = "insert or ignore into versions values (?, ?, ?)"
            db.execute(note, (event.customer, event.field, event.version))


def notes_every_version(event, ctx):
    """An older event lowers the version."""
    with ctx.database as db:
        if event.version > _version(db, event):
            _value(db, event)
        _note(db, event)


def empty_until_known(event, ctx):
    with ctx.database as db:
        db.execute("insert or ignore into contacts values (?, '', '')", (event.customer,))
        if event.version > _version(db, event):
            _value(db, event)
            _note(db, event)


def waits_for_the_version_before(event, ctx):
    with ctx.database as db:
        find = "select max(version) from versions where customer = ?"
        newest = db.execute(find, (event.customer,)).fetchone()[0] or 0
        if event.version > newest + 1:
            raise ValueError("a version is missing")
        if event.version > _version(db, event):
            _value(db, event)
            _note(db, event)


def the_first_event_is_not_noted(event, ctx):
    with ctx.database as db:
        find = "select 1 from contacts where customer = ?"
        new = not db.execute(find, (event.customer,)).fetchone()
        if event.version > _version(db, event):
            _value(db, event)
            if not new:
                _note(db, event)


def notes_it_for_both_fields(event, ctx):
    """Forgets `and field = ?`, so a change of one field raises the version of the other."""
    with ctx.database as db:
        if event.version > _version(db, event):
            _value(db, event)
            _note(db, event)
            update = "update versions set version = ? where customer = ?"
            db.execute(update, (event.version, event.customer))


def fills_both_fields_at_first(event, ctx):
    with ctx.database as db:
        if event.version > _version(db, event):
            insert = "insert or ignore into contacts values (?, ?, ?)"
            db.execute(insert, (event.customer, event.value, event.value))
            _value(db, event)
            _note(db, event)


def swaps_the_columns(event, ctx):
    other = "phone" if event.field == "address" else "address"
    each_field(event.model_copy(update={"field": other}), ctx)


def fields_as_texts(event, ctx):
    with ctx.database as db:
        if str(event.version) > str(_version(db, event)):
            _value(db, event)
            _note(db, event)


def ends_well_whatever_happens(event, ctx):
    try:
        each_field(event, ctx)
    except Exception as error:
        ctx.note(f"{error}")


def everybody_gets_it(event, ctx):
    """Forgets `where customer = ?`."""
    with ctx.database as db:
        if event.version > _version(db, event):
            _value(db, event)
            _note(db, event)
            db.execute(f"update contacts set {event.field} = ?", (event.value,))


def unknown_until_known(event, ctx):
    with ctx.database as db:
        db.execute("insert or ignore into contacts values (?1, '?', '?')", (event.customer,))
    each_field(event, ctx)


RIGHT_3 = [
    each_field,
    by_the_row_count,
    looks_first,
    keeps_every_event,
    notes_it_afterwards,
    empty_until_known,
]
WRONG_3 = {
    "an older event wins": [
        as_fields_come,
        never_noted,
        notes_the_first_version,
        notes_every_version,
        the_first_event_is_not_noted,
    ],
    "forgotten in a crash": [fields_in_memory, both_fields_in_memory],
    "a late field is ignored": [version_of_the_row, notes_it_for_both_fields],
    "a value in the wrong field": [
        fills_both_fields_at_first,
        swaps_the_columns,
        unknown_until_known,
    ],
    "another value is wiped out": [replaces_the_row, everybody_gets_it],
    "a failed save is hidden": [ends_well_whatever_happens],
    "noted too early": [note_first],
    "the copy does not follow": [
        version_of_the_field_of_anybody,
        only_the_next,
        first_value_stays,
        fields_as_texts,
        updates_no_row,
    ],
    "a dead letter": [refuses_what_is_old, waits_for_the_version_before],
    "raises": [a_field_as_a_parameter, a_value_in_the_sql, a_customer_in_the_sql],
}

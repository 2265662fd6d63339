"""Answers to the exercises of lesson 04 as learners write them: right ones, and wrong ones by the anomaly they have."""

from edalab import Unanswered
from edalab.exercises.lesson_04_system import EntriesAfter, EntryRecorded  # as in the notebook

# -- 04.1


def longer_names():
    checkpoint = 3
    return checkpoint, "a"


def a_list():
    return [3.0, "a"]


async def asynchronous():
    return [0, 100, 70, 80].index(70) + 1, "a"


def from_the_beginning():
    return 0, "d"


def one_too_low():
    return 2, "a"


def the_next_one():
    return 4, "b"


def far_ahead():
    return 100, "a"


def right_and_next():
    return 3, "b"


def right_and_all():
    return 3, "c"


def right_and_any_lower():
    return 3, "d"


def the_last_of_all():
    return len([0, 100, 70, 80]), "c"


def no_position():
    return 3.5, "a"


def one_entry_after_the_other():
    balance = 0
    for position, amount in enumerate([0, 100, -30, 10], start=1):
        balance += amount
        if balance == 70:
            return position, "A"


RIGHT_1 = [longer_names, a_list, asynchronous, one_entry_after_the_other]
WRONG_1 = {
    "applied twice": [from_the_beginning, one_too_low],
    "skipped": [the_next_one, far_ahead, the_last_of_all],
    "another reason": [right_and_next, right_and_all, right_and_any_lower],
    "no value and reason": [no_position],
}


# -- 04.2


def _count(db, entry):
    db.execute(
        """insert into peaks values (?, ?, max(0, ?)) on conflict (account) do update
           set balance = balance + excluded.balance, highest = max(highest, balance + excluded.balance)""",
        (entry.account, entry.amount, entry.amount),
    )


def _seen(db):
    return db.execute(
        "select ifnull(max(position), 0) from checkpoints where name = 'peaks'"
    ).fetchone()[0]


def _move(db, position):
    db.execute("insert or replace into checkpoints values ('peaks', ?)", (position,))


def as_in_the_lesson(event, ctx):
    with ctx.database as db:
        if event.position > _seen(db):
            _count(db, event)
            _move(db, event.position)


async def in_python(entry, ctx):
    """Reads, reckons, writes, and keeps the checkpoint under another name."""
    await ctx.sleep(0.01)
    with ctx.database as db:
        names = dict(db.execute("select name, position from checkpoints"))
        if entry.position <= names.get("mine", 0):
            ctx.note("seen before")
            return
        row = db.execute(
            "select balance, highest from peaks where account = ?", (entry.account,)
        ).fetchone()
        balance, highest = row or (0, 0)
        balance += entry.amount
        if balance > highest:
            highest = balance
        db.execute("delete from peaks where account = ?", (entry.account,))
        db.execute("insert into peaks values (?, ?, ?)", (entry.account, balance, highest))
        db.execute("replace into checkpoints values ('mine', ?)", (entry.position,))


def every_position(event, ctx):
    """Remembers each entry, not only the last one."""
    with ctx.database as db:
        db.execute("create table if not exists seen (position int primary key)")
        if db.execute("insert or ignore into seen values (?)", (event.position,)).rowcount == 1:
            _count(db, event)


def one_for_each_account(event, ctx):
    with ctx.database as db:
        last = db.execute(
            "select position from checkpoints where name = ?", (event.account,)
        ).fetchone()
        if last is None or last[0] < event.position:
            _count(db, event)
            db.execute(
                "insert or replace into checkpoints values (?, ?)", (event.account, event.position)
            )


def without_a_checkpoint(event, ctx):
    with ctx.database as db:
        _count(db, event)


def checkpoint_after(event, ctx):
    with ctx.database as db:
        if event.position <= _seen(db):
            return
        _count(db, event)
    with ctx.database as db:
        _move(db, event.position)


def checkpoint_ahead(event, ctx):
    with ctx.database as db:
        if event.position <= _seen(db):
            return
        _move(db, event.position)
    with ctx.database as db:
        _count(db, event)


def checkpoint_in_memory(event, ctx):
    if event.position > ctx.state.get("seen", 0):
        with ctx.database as db:
            _count(db, event)
        ctx.state["seen"] = event.position


def not_the_same_again(event, ctx):
    """Compares with the last entry only."""
    with ctx.database as db:
        if event.position != _seen(db):
            _count(db, event)
            _move(db, event.position)


def never_looks(event, ctx):
    with ctx.database as db:
        _count(db, event)
        _move(db, event.position)


def highest_of_the_entries(event, ctx):
    with ctx.database as db:
        if event.position > _seen(db):
            db.execute(
                """insert into peaks values (?1, ?2, ?2) on conflict (account) do update
                   set balance = balance + ?2, highest = max(highest, ?2)""",
                (event.account, event.amount),
            )
            _move(db, event.position)


def highest_before(event, ctx):
    with ctx.database as db:
        if event.position > _seen(db):
            db.execute(
                """insert into peaks values (?1, ?2, ?2) on conflict (account) do update
                   set balance = balance + ?2, highest = max(highest, balance)""",
                (event.account, event.amount),
            )
            _move(db, event.position)


def highest_is_the_last(event, ctx):
    with ctx.database as db:
        if event.position > _seen(db):
            db.execute(
                """insert into peaks values (?1, ?2, ?2) on conflict (account) do update
                   set balance = balance + ?2, highest = balance + ?2""",
                (event.account, event.amount),
            )
            _move(db, event.position)


def all_accounts(event, ctx):
    with ctx.database as db:
        if event.position > _seen(db):
            db.execute("insert or ignore into peaks values (?, 0, 0)", (event.account,))
            db.execute(
                "update peaks set balance = balance + ?1, highest = max(highest, balance + ?1)",
                (event.amount,),
            )
            _move(db, event.position)


def only_what_is_there(event, ctx):
    with ctx.database as db:
        if event.position > _seen(db):
            db.execute(
                "update peaks set balance = balance + ?1, highest = max(highest, balance + ?1) where account = ?2",
                (event.amount, event.account),
            )
            _move(db, event.position)


def deposits_only(event, ctx):
    with ctx.database as db:
        if event.position > _seen(db):
            if event.amount > 0:
                _count(db, event)
            _move(db, event.position)


def the_next_position(event, ctx):
    """Takes the checkpoint for the position of the entry that comes next."""
    with ctx.database as db:
        if event.position > _seen(db):
            _count(db, event)
            _move(db, event.position + 1)


def a_new_row_counts_its_entry_twice(event, ctx):
    with ctx.database as db:
        if event.position > _seen(db):
            db.execute(
                "insert or ignore into peaks values (?1, ?2, ?2)", (event.account, event.amount)
            )
            _count(db, event)
            _move(db, event.position)


def moves_back(event, ctx):
    """An older entry that arrives once more moves the checkpoint back."""
    with ctx.database as db:
        if event.position > _seen(db):
            _count(db, event)
        _move(db, event.position)


def adds_withdrawals(event, ctx):
    with ctx.database as db:
        if event.position > _seen(db):
            _count(db, event.model_copy(update={"amount": abs(event.amount)}))
            _move(db, event.position)


def swallows_errors(event, ctx):
    try:
        as_in_the_lesson(event, ctx)
    except Exception:
        pass


def refuses_what_it_has(event, ctx):
    with ctx.database as db:
        if event.position <= _seen(db):
            raise ValueError("seen before")
        _count(db, event)
        _move(db, event.position)


def adds_nothing_to_a_row(event, ctx):
    """Replaces the row, and with it the balance."""
    with ctx.database as db:
        if event.position > _seen(db):
            db.execute(
                "insert or replace into peaks values (?, ?, ?)",
                (event.account, event.amount, event.amount),
            )
            _move(db, event.position)


def forgets_the_balance(event, ctx):
    with ctx.database as db:
        if event.position > _seen(db):
            db.execute(
                """insert into peaks values (?1, ?2, ?2) on conflict (account) do update
                   set highest = max(highest, balance + ?2)""",
                (event.account, event.amount),
            )
            _move(db, event.position)


def returns_the_event(event, ctx):
    as_in_the_lesson(event, ctx)
    return event


def returns_the_event_once(event, ctx):
    with ctx.database as db:
        if event.position <= _seen(db):
            return None
        _count(db, event)
        _move(db, event.position)
    return event


def swaps_the_columns(event, ctx):
    with ctx.database as db:
        if event.position > _seen(db):
            find = "select balance, highest from peaks where account = ?"
            balance, highest = db.execute(find, (event.account,)).fetchone() or (0, 0)
            balance += event.amount
            row = event.account, max(highest, balance), balance
            db.execute("insert or replace into peaks values (?, ?, ?)", row)
            _move(db, event.position)


def misnames_what_was_counted(event, ctx):
    """In a line that only an entry reaches that comes again."""
    with ctx.database as db:
        if event.position <= _seen(db):
            return ctx.note(f"{event.id} is counted")
    return as_in_the_lesson(event, ctx)


RIGHT_2 = [as_in_the_lesson, in_python, every_position, one_for_each_account]
WRONG_2 = {
    "raises": [misnames_what_was_counted],
    "applied twice": [
        without_a_checkpoint,
        checkpoint_after,
        checkpoint_in_memory,
        never_looks,
        not_the_same_again,
        a_new_row_counts_its_entry_twice,
        moves_back,
    ],
    "skipped": [
        checkpoint_ahead,
        only_what_is_there,
        deposits_only,
        the_next_position,
        adds_nothing_to_a_row,
        forgets_the_balance,
        swallows_errors,
    ],
    "does not end": [returns_the_event],
    "published": [returns_the_event_once],
    "drift": [
        highest_of_the_entries,
        highest_before,
        highest_is_the_last,
        all_accounts,
        adds_withdrawals,
        swaps_the_columns,
    ],
    "a dead letter": [refuses_what_it_has],
}


# -- 04.3


async def fetching(event, ctx):
    with ctx.database as db:
        seen = _seen(db)
    entries = [event]
    if event.position > seen + 1:
        entries = [EntryRecorded(**fields) for fields in await ctx.ask(EntriesAfter(position=seen))]
    with ctx.database as db:
        for entry in entries:
            if entry.position == _seen(db) + 1:
                _count(db, entry)
                _move(db, entry.position)


async def always_asks(hint, ctx):
    """Takes the event as a hint that there is something new, and nothing from it."""
    while True:
        with ctx.database as db:
            seen = _seen(db)
        if hint.position <= seen:
            return
        for fields in await ctx.ask(EntriesAfter(position=seen, most=2), timeout=5):
            with ctx.database as db:
                entry = EntryRecorded(**fields)
                if entry.position > _seen(db):
                    _count(db, entry)
                    _move(db, entry.position)


def puts_it_aside(event, ctx):
    """Asks nobody: what comes too early waits in a table until what is missing has come."""
    with ctx.database as db:
        db.execute(
            "create table if not exists early (position int primary key, account text, amount int)"
        )
        if event.position > _seen(db):
            db.execute(
                "insert or ignore into early values (?, ?, ?)",
                (event.position, event.account, event.amount),
            )
        while row := db.execute(
            "select * from early where position = ?", (_seen(db) + 1,)
        ).fetchone():
            entry = EntryRecorded(position=row[0], account=row[1], amount=row[2])
            _count(db, entry)
            _move(db, entry.position)
            db.execute("delete from early where position = ?", (entry.position,))


async def from_nothing(event, ctx):
    """Makes the table anew each time."""
    everything = [EntryRecorded(**fields) for fields in await ctx.ask(EntriesAfter(position=0))]
    with ctx.database as db:
        if everything[-1].position < _seen(db):
            return
        db.execute("delete from peaks")
        for entry in everything:
            _count(db, entry)
        _move(db, everything[-1].position)


async def fetches_one_of_two(event, ctx):
    """If two are missing, one stays missing."""
    with ctx.database as db:
        seen = _seen(db)
    entries = [event]
    if event.position > seen + 1:
        found = await ctx.ask(EntriesAfter(position=seen, most=1))
        entries = [EntryRecorded(**fields) for fields in found] + [event]
    with ctx.database as db:
        for entry in entries:
            if entry.position == _seen(db) + 1:
                _count(db, entry)
                _move(db, entry.position)


async def asks_only_if_one_is_missing(event, ctx):
    with ctx.database as db:
        seen = _seen(db)
    entries = [event]
    if event.position == seen + 2:
        entries = [EntryRecorded(**fields) for fields in await ctx.ask(EntriesAfter(position=seen))]
    with ctx.database as db:
        for entry in entries:
            if entry.position == _seen(db) + 1:
                _count(db, entry)
                _move(db, entry.position)


async def gives_up_if_the_checkpoint_moved(event, ctx):
    """Another replica moved it, but perhaps not as far as this entry."""
    with ctx.database as db:
        seen = _seen(db)
    entries = [event]
    if event.position > seen + 1:
        entries = [EntryRecorded(**fields) for fields in await ctx.ask(EntriesAfter(position=seen))]
    with ctx.database as db:
        if _seen(db) != seen:
            return
        for entry in entries:
            if entry.position == _seen(db) + 1:
                _count(db, entry)
                _move(db, entry.position)


async def from_nothing_without_a_guard(event, ctx):
    """A slow replica puts an older table back."""
    everything = [EntryRecorded(**fields) for fields in await ctx.ask(EntriesAfter(position=0))]
    with ctx.database as db:
        db.execute("delete from peaks")
        for entry in everything:
            _count(db, entry)
        _move(db, len(everything))


async def from_nothing_with_a_guard_before_it_asks(event, ctx):
    with ctx.database as db:
        if event.position <= _seen(db):
            return
    await from_nothing_without_a_guard(event, ctx)


async def asks_after_the_one_before(event, ctx):
    """Asks for the entries after its own position minus one, not for those after the checkpoint."""
    with ctx.database as db:
        seen = _seen(db)
    entries = [event]
    if event.position > seen + 1:
        found = await ctx.ask(EntriesAfter(position=event.position - 1))
        entries = [EntryRecorded(**fields) for fields in found]
    with ctx.database as db:
        for entry in entries:
            if entry.position == _seen(db) + 1:
                _count(db, entry)
                _move(db, entry.position)


def waits(event, ctx):
    with ctx.database as db:
        if event.position > _seen(db) + 1:
            raise RuntimeError("something is missing")
        if event.position > _seen(db):
            _count(db, event)
            _move(db, event.position)


def only_the_next(event, ctx):
    with ctx.database as db:
        if event.position == _seen(db) + 1:
            _count(db, event)
            _move(db, event.position)


async def goes_on_without_an_answer(event, ctx):
    with ctx.database as db:
        seen = _seen(db)
    entries = [event]
    if event.position > seen + 1:
        try:
            entries = [
                EntryRecorded(**fields) for fields in await ctx.ask(EntriesAfter(position=seen))
            ]
        except Unanswered:
            pass
    with ctx.database as db:
        for entry in entries:
            if entry.position > _seen(db):
                _count(db, entry)
                _move(db, entry.position)


async def fetches_and_counts_itself_too(event, ctx):
    with ctx.database as db:
        seen = _seen(db)
    entries = [event] if event.position > seen else []
    if event.position > seen + 1:
        entries = [
            EntryRecorded(**fields) for fields in await ctx.ask(EntriesAfter(position=seen))
        ] + entries
    with ctx.database as db:
        for entry in entries:
            _count(db, entry)
            _move(db, entry.position)


async def fetches_one(event, ctx):
    with ctx.database as db:
        seen = _seen(db)
    if event.position <= seen:
        return
    entries = [event]
    if event.position > seen + 2:
        entries = [EntryRecorded(**fields) for fields in await ctx.ask(EntriesAfter(position=seen))]
    with ctx.database as db:
        for entry in entries:
            _count(db, entry)
            _move(db, entry.position)


async def one_transaction_each(event, ctx):
    """Fetches, and moves the checkpoint at once, before what it fetched is in the table."""
    with ctx.database as db:
        seen = _seen(db)
    if event.position <= seen:
        return
    entries = [EntryRecorded(**fields) for fields in await ctx.ask(EntriesAfter(position=seen))]
    with ctx.database as db:
        _move(db, entries[-1].position)
    for entry in entries:
        with ctx.database as db:
            _count(db, entry)


def puts_it_aside_in_memory(event, ctx):
    """A crash empties the memory, and the broker does not deliver again what was handled."""
    early = ctx.state.setdefault("early", {})
    early[event.position] = event
    with ctx.database as db:
        while (following := _seen(db) + 1) in early:
            _count(db, early[following])
            _move(db, following)


async def sleeps(event, ctx):
    """The missing entry waits too, until this one is handled."""
    for _ in range(20):
        with ctx.database as db:
            if event.position <= _seen(db) + 1:
                break
        await ctx.sleep(0.2)
    as_in_the_lesson(event, ctx)


async def takes_silence_for_nothing_missing(event, ctx):
    with ctx.database as db:
        seen = _seen(db)
    try:
        found = await ctx.ask(EntriesAfter(position=seen))
    except Unanswered:
        return
    with ctx.database as db:
        for entry in (EntryRecorded(**fields) for fields in found):
            if entry.position == _seen(db) + 1:
                _count(db, entry)
                _move(db, entry.position)


async def a_dict_for_an_entry(event, ctx):
    """Fetched entries are dicts, which have no attributes."""
    with ctx.database as db:
        seen = _seen(db)
    entries = [event]
    if event.position > seen + 1:
        entries = await ctx.ask(EntriesAfter(position=seen))
    with ctx.database as db:
        for entry in entries:
            if entry.position == _seen(db) + 1:
                _count(db, entry)
                _move(db, entry.position)


async def asks_and_gives_up(event, ctx):
    """Without an answer the entry is acknowledged, and it may be the last one."""
    with ctx.database as db:
        seen = _seen(db)
    entries = [event]
    if event.position > seen + 1:
        try:
            found = await ctx.ask(EntriesAfter(position=seen))
        except Unanswered:
            return
        entries = [EntryRecorded(**fields) for fields in found]
    with ctx.database as db:
        for entry in entries:
            if entry.position == _seen(db) + 1:
                _count(db, entry)
                _move(db, entry.position)


async def no_second_look(event, ctx):
    """Another replica may have counted meanwhile."""
    with ctx.database as db:
        seen = _seen(db)
    if event.position <= seen:
        return
    entries = [event]
    if event.position > seen + 1:
        entries = [EntryRecorded(**fields) for fields in await ctx.ask(EntriesAfter(position=seen))]
    with ctx.database as db:
        for entry in entries:
            _count(db, entry)
            _move(db, entry.position)


async def always_asks_and_no_second_look(event, ctx):
    with ctx.database as db:
        seen = _seen(db)
    if event.position <= seen:
        return
    entries = [EntryRecorded(**fields) for fields in await ctx.ask(EntriesAfter(position=seen))]
    with ctx.database as db:
        for entry in entries:
            _count(db, entry)
            _move(db, entry.position)


async def sleeps_and_raises(event, ctx):
    for _ in range(100):
        with ctx.database as db:
            if event.position <= _seen(db) + 1:
                break
        await ctx.sleep(0.1)
    waits(event, ctx)


async def publishes_it_again(event, ctx):
    with ctx.database as db:
        early = event.position > _seen(db) + 1
    if early:
        await ctx.publish(event)
        return
    as_in_the_lesson(event, ctx)


async def moves_to_its_own(event, ctx):
    """The list may go on after this entry."""
    with ctx.database as db:
        seen = _seen(db)
    if event.position <= seen:
        return
    entries = [event]
    if event.position > seen + 1:
        entries = [EntryRecorded(**fields) for fields in await ctx.ask(EntriesAfter(position=seen))]
    with ctx.database as db:
        if _seen(db) == seen:
            for entry in entries:
                _count(db, entry)
            _move(db, event.position)


async def moves_to_its_own_at_the_end(event, ctx):
    with ctx.database as db:
        seen = _seen(db)
    entries = [event]
    if event.position > seen + 1:
        entries = [EntryRecorded(**fields) for fields in await ctx.ask(EntriesAfter(position=seen))]
    with ctx.database as db:
        for entry in entries:
            if entry.position > _seen(db):
                _count(db, entry)
        _move(db, max(event.position, _seen(db)))


async def its_own_unchecked(event, ctx):
    """Compares what it fetched with the checkpoint, and not the event itself."""
    with ctx.database as db:
        seen = _seen(db)
    if event.position <= seen:
        return
    found = await ctx.ask(EntriesAfter(position=seen)) if event.position > seen + 1 else []
    with ctx.database as db:
        for entry in (EntryRecorded(**fields) for fields in found):
            if entry.position == _seen(db) + 1 and entry.position < event.position:
                _count(db, entry)
                _move(db, entry.position)
        _count(db, event)
        _move(db, event.position)


async def looks_again_for_the_event_only(event, ctx):
    """Another replica may have counted some of what this one fetched."""
    with ctx.database as db:
        seen = _seen(db)
    entries = [EntryRecorded(**fields) for fields in await ctx.ask(EntriesAfter(position=seen))]
    with ctx.database as db:
        if event.position > _seen(db):
            for entry in entries:
                _count(db, entry)
                _move(db, entry.position)


async def moves_back_to_the_last_fetched(event, ctx):
    with ctx.database as db:
        seen = _seen(db)
    entries = [event]
    if event.position > seen + 1:
        entries = [EntryRecorded(**fields) for fields in await ctx.ask(EntriesAfter(position=seen))]
    with ctx.database as db:
        for entry in entries:
            if entry.position > _seen(db):
                _count(db, entry)
        _move(db, max(entries[-1].position, seen))


async def writes_back_what_it_read_before_it_asked(event, ctx):
    with ctx.database as db:
        seen = _seen(db)
        rows = {name: row for name, *row in db.execute("select * from peaks")}
    if event.position <= seen:
        return
    entries = [event]
    if event.position > seen + 1:
        entries = [EntryRecorded(**fields) for fields in await ctx.ask(EntriesAfter(position=seen))]
    for entry in entries:
        balance, highest = rows.get(entry.account, (0, 0))
        rows[entry.account] = balance + entry.amount, max(highest, balance + entry.amount)
    with ctx.database as db:
        for name, row in rows.items():
            db.execute("insert or replace into peaks values (?, ?, ?)", (name, *row))
        _move(db, entries[-1].position)


async def from_nothing_over_a_gap(event, ctx):
    with ctx.database as db:
        seen = _seen(db)
    if event.position > seen + 1:
        await from_nothing_without_a_guard(event, ctx)
    else:
        as_in_the_lesson(event, ctx)


async def asks_twice_and_gives_up(event, ctx):
    for _ in range(2):
        try:
            return await fetching(event, ctx)
        except Unanswered:
            pass


async def impatient(event, ctx):
    with ctx.database as db:
        seen = _seen(db)
    if event.position > seen + 1:
        await ctx.ask(EntriesAfter(position=seen), timeout=0.01)
    await fetching(event, ctx)


RIGHT_3 = [fetching, always_asks, puts_it_aside, from_nothing]
WRONG_3 = {
    "skipped": [
        as_in_the_lesson,
        in_python,
        only_the_next,
        fetches_one,
        fetches_one_of_two,
        asks_only_if_one_is_missing,
        gives_up_if_the_checkpoint_moved,
        from_nothing_without_a_guard,
        from_nothing_with_a_guard_before_it_asks,
        asks_after_the_one_before,
        puts_it_aside_in_memory,
        sleeps,
        writes_back_what_it_read_before_it_asked,
        from_nothing_over_a_gap,
    ],
    "unanswered": [
        goes_on_without_an_answer,
        takes_silence_for_nothing_missing,
        asks_and_gives_up,
        asks_twice_and_gives_up,
    ],
    "published": [publishes_it_again],
    "overtaken": [every_position, without_a_checkpoint],
    "applied twice": [
        fetches_and_counts_itself_too,
        one_transaction_each,
        no_second_look,
        always_asks_and_no_second_look,
        moves_to_its_own,
        moves_to_its_own_at_the_end,
        its_own_unchecked,
        looks_again_for_the_event_only,
        moves_back_to_the_last_fetched,
    ],
    "raises": [a_dict_for_an_entry],
    "a dead letter": [waits, sleeps_and_raises, impatient],
}

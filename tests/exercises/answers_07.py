"""Answers to the exercises of lesson 07 as learners write them: right ones, and wrong ones by the anomaly they have."""

from edalab.exercises.lesson_07_system import PriceChanged, StockMoved  # as in the notebook

# -- 07.1: the stored notebook's figures are 30 events of 1 s in 4 partitions


def a_number_and_a_letter():
    return 21, "b"


def a_list():
    return [21.0, "(B)"]


async def asynchronous():
    return 7 * 30 // 10, "b."


def longer_way():
    tea = [product for product in ["tea"] * 21 + ["milk"] * 9 if product == "tea"]
    seconds = sum(1 for _ in tea)
    return seconds, "b"


def divided_by_the_partitions():
    return 30 // 4, "a"


def divided_but_explained():
    return 8, "b"


def only_the_rest():
    return 9, "c"


def half_of_tea():
    return 21 // 2, "c"


def one_reader():
    return 30, "d"


def one_more():
    return 22, "b"


def right_and_equal_parts():
    return 21, "a"


def right_and_helped():
    return 21, "c"


def right_and_one_at_a_time():
    return 21, "d"


def half_a_second():
    return 21.5, "b"


def a_letter_only():
    return "b"


RIGHT_1 = [a_number_and_a_letter, a_list, asynchronous, longer_way]
WRONG_1 = {
    "too early": [divided_by_the_partitions, divided_but_explained, only_the_rest, half_of_tea],
    "too late": [one_reader, one_more],
    "another reason": [right_and_equal_parts, right_and_helped, right_and_one_at_a_time],
    "no value and reason": [half_a_second, a_letter_only],
}


# -- 07.2

ADD = "update products set stock = stock + ? where product = ?"
NEW = "insert or ignore into moves values (?, ?, ?)"
PRICE = "update products set price = ?1, version = ?2 where product = ?3 and version < ?2"


def _price(db, event):
    db.execute(PRICE, (event.price, event.version, event.product))


def _add(db, event):
    db.execute(ADD, (event.by, event.product))


def _is_new(db, event):
    return db.execute(NEW, (event.product, event.number, event.by)).rowcount == 1


def _count(db, event):
    if _is_new(db, event):
        _add(db, event)


def _row(db, event, columns):
    return db.execute(
        f"select {columns} from products where product = ?", (event.product,)
    ).fetchone()


def looks_at_the_fields(event, ctx):
    with ctx.database as db:
        if hasattr(event, "price"):
            _price(db, event)
        else:
            _count(db, event)


async def in_python(message, ctx):
    """Reads, decides, writes; the same version again is written again."""
    await ctx.sleep(0.01)
    with ctx.database as db:
        if type(message) is PriceChanged:
            (version,) = _row(db, message, "version")
            if message.version < version:
                ctx.note("old")
                return
            db.execute(
                "update products set price = ?, version = ? where product = ?",
                (message.price, message.version, message.product),
            )
            return
        known = [
            n
            for (n,) in db.execute("select number from moves where product = ?", (message.product,))
        ]
        if message.number not in known:
            stock = _row(db, message, "stock")[0] + message.by
            db.execute("update products set stock = ? where product = ?", (stock, message.product))
            db.execute(
                "insert into moves values (?, ?, ?)", (message.product, message.number, message.by)
            )


def tables_of_its_own(event, ctx):
    with ctx.database as db:
        db.execute("create table if not exists seen (what text primary key)")
        what = f"{event.product} {getattr(event, 'number', None) or 'price ' + str(event.version)}"
        if not db.execute("insert or ignore into seen values (?)", (what,)).rowcount:
            return
        if isinstance(event, StockMoved):
            _add(db, event)
        elif event.version > _row(db, event, "version")[0]:
            db.execute(
                "replace into products select product, ?, ?, stock, number from products where product = ?",
                (event.price, event.version, event.product),
            )


def begins_again_each_time(event, ctx):
    """The stock is what it was at first, and all moves; the first comes with the row."""
    with ctx.database as db:
        if isinstance(event, PriceChanged):
            return _price(db, event)
        db.execute("create table if not exists first (product text primary key, stock int)")
        db.execute(
            "insert or ignore into first select product, stock from products where product = ?",
            (event.product,),
        )
        db.execute(
            "insert into moves values (?, ?, ?) on conflict do nothing",
            (event.product, event.number, event.by),
        )
        db.execute(
            """update products set stock = (select stock from first where product = ?1)
               + (select sum(by) from moves where product = ?1) where product = ?1""",
            (event.product,),
        )


def refuses_what_is_old(event, ctx):
    with ctx.database as db:
        if isinstance(event, StockMoved):
            _count(db, event)
        elif event.version <= _row(db, event, "version")[0]:
            raise ValueError("an old price")
        else:
            _price(db, event)


def waits_for_the_next_number(event, ctx):
    with ctx.database as db:
        if isinstance(event, PriceChanged):
            _price(db, event)
        elif event.number > _row(db, event, "number")[0] + 1:
            raise ValueError("too early")
        elif _is_new(db, event):
            _add(db, event)
            db.execute(
                "update products set number = number + 1 where product = ?", (event.product,)
            )


def last_one_wins(event, ctx):
    with ctx.database as db:
        if isinstance(event, StockMoved):
            return _count(db, event)
        row = event.price, event.version, event.product
        db.execute("update products set price = ?, version = ? where product = ?", row)


def newest_by_time(event, ctx):
    with ctx.database as db:
        if isinstance(event, StockMoved):
            return _count(db, event)
        published = ctx.message.time
        db.execute("create table if not exists times (product text primary key, time)")
        row = db.execute("select time from times where product = ?", (event.product,)).fetchone()
        if row is None or row[0] < published:
            db.execute("replace into times values (?, ?)", (event.product, published))
            db.execute(
                "update products set price = ? where product = ?", (event.price, event.product)
            )


def never_notes_the_version(event, ctx):
    with ctx.database as db:
        if isinstance(event, StockMoved):
            _count(db, event)
        elif event.version > _row(db, event, "version")[0]:
            db.execute(
                "update products set price = ? where product = ?", (event.price, event.product)
            )


def the_version_moves_back(event, ctx):
    with ctx.database as db:
        if isinstance(event, StockMoved):
            return _count(db, event)
        if event.version > _row(db, event, "version")[0]:
            db.execute(
                "update products set price = ? where product = ?", (event.price, event.product)
            )
        db.execute(
            "update products set version = ? where product = ?", (event.version, event.product)
        )


def one_version_for_all(event, ctx):
    with ctx.database as db:
        if isinstance(event, StockMoved):
            return _count(db, event)
        [(newest,)] = db.execute("select max(version) from products")
        if event.version > newest:
            db.execute(PRICE, (event.price, event.version, event.product))


def highest_price_wins(event, ctx):
    with ctx.database as db:
        if isinstance(event, StockMoved):
            return _count(db, event)
        db.execute(
            "update products set price = max(price, ?) where product = ?",
            (event.price, event.product),
        )


def only_the_next_version(event, ctx):
    with ctx.database as db:
        if isinstance(event, StockMoved):
            _count(db, event)
        elif event.version == _row(db, event, "version")[0] + 1:
            _price(db, event)


def first_price_stays(event, ctx):
    with ctx.database as db:
        if isinstance(event, StockMoved):
            return _count(db, event)
        row = event.price, event.version, event.product
        db.execute(
            "update products set price = ?1, version = ?2 where product = ?3 and version > ?2", row
        )


def swallows_errors(event, ctx):
    try:
        looks_at_the_fields(event, ctx)
    except Exception:
        pass


def like_the_price(event, ctx):
    """Newest wins for both."""
    with ctx.database as db:
        if isinstance(event, PriceChanged):
            return _price(db, event)
        db.execute(
            "update products set stock = stock + ?1, number = ?2 where product = ?3 and number < ?2",
            (event.by, event.number, event.product),
        )


def only_in_order(event, ctx):
    with ctx.database as db:
        if isinstance(event, PriceChanged):
            return _price(db, event)
        db.execute(
            "update products set stock = stock + ?1, number = ?2 where product = ?3 and number = ?2 - 1",
            (event.by, event.number, event.product),
        )


def numbers_without_products(event, ctx):
    with ctx.database as db:
        if isinstance(event, PriceChanged):
            return _price(db, event)
        db.execute("create table if not exists numbers (number int primary key)")
        if db.execute("insert or ignore into numbers values (?)", (event.number,)).rowcount:
            _add(db, event)


def at_least_as_new(event, ctx):
    with ctx.database as db:
        if isinstance(event, PriceChanged):
            return _price(db, event)
        if event.number >= _row(db, event, "number")[0]:
            _add(db, event)
            db.execute(
                "update products set number = ? where product = ?", (event.number, event.product)
            )


def simply_adds(event, ctx):
    with ctx.database as db:
        if isinstance(event, PriceChanged):
            _price(db, event)
        else:
            _add(db, event)


def by_the_id_of_the_message(event, ctx):
    with ctx.database as db:
        db.execute("create table if not exists inbox (id text primary key)")
        if db.execute("insert or ignore into inbox values (?)", (ctx.message.id,)).rowcount:
            if isinstance(event, PriceChanged):
                _price(db, event)
            else:
                _add(db, event)


def not_the_same_again(event, ctx):
    with ctx.database as db:
        if isinstance(event, PriceChanged):
            return _price(db, event)
        if event.number != _row(db, event, "number")[0]:
            _add(db, event)
            db.execute(
                "update products set number = ? where product = ?", (event.number, event.product)
            )


def notes_and_never_looks(event, ctx):
    with ctx.database as db:
        if isinstance(event, PriceChanged):
            return _price(db, event)
        _is_new(db, event)
        _add(db, event)


def versions_in_memory(event, ctx):
    with ctx.database as db:
        if isinstance(event, StockMoved):
            return _count(db, event)
        if event.version > ctx.state.get(event.product, 0):
            ctx.state[event.product] = event.version
            row = event.price, event.version, event.product
            db.execute("update products set price = ?, version = ? where product = ?", row)


def moves_in_memory(event, ctx):
    with ctx.database as db:
        if isinstance(event, PriceChanged):
            return _price(db, event)
        key = event.product, event.number
        if key not in ctx.state:
            _add(db, event)
            ctx.state[key] = True


def noted_first(event, ctx):
    if isinstance(event, PriceChanged):
        with ctx.database as db:
            _price(db, event)
        return
    with ctx.database as db:
        new = _is_new(db, event)
    if new:
        with ctx.database as db:
            _add(db, event)


def noted_afterwards(event, ctx):
    with ctx.database as db:
        if isinstance(event, PriceChanged):
            return _price(db, event)
        find = "select 1 from moves where product = ? and number = ?"
        if db.execute(find, (event.product, event.number)).fetchone():
            return
        _add(db, event)
    with ctx.database as db:
        _is_new(db, event)


def version_ahead(event, ctx):
    if isinstance(event, StockMoved):
        with ctx.database as db:
            return _count(db, event)
    with ctx.database as db:
        new = event.version > _row(db, event, "version")[0]
        if new:
            db.execute(
                "update products set version = ? where product = ?", (event.version, event.product)
            )
    if new:
        with ctx.database as db:
            db.execute(
                "update products set price = ? where product = ?", (event.price, event.product)
            )


def replaces_the_stock(event, ctx):
    with ctx.database as db:
        if isinstance(event, PriceChanged):
            _price(db, event)
        elif _is_new(db, event):
            db.execute("update products set stock = ? where product = ?", (event.by, event.product))


def forgets_the_product(event, ctx):
    with ctx.database as db:
        if isinstance(event, PriceChanged):
            _price(db, event)
        elif _is_new(db, event):
            db.execute("update products set stock = stock + ?", (event.by,))


def takes_away_only(event, ctx):
    with ctx.database as db:
        if isinstance(event, PriceChanged):
            _price(db, event)
        elif _is_new(db, event):
            row = abs(event.by), event.product
            db.execute("update products set stock = stock - ? where product = ?", row)


def a_new_row_for_a_price(event, ctx):
    with ctx.database as db:
        if isinstance(event, StockMoved):
            return _count(db, event)
        row = event.product, event.price, event.version
        db.execute("replace into products (product, price, version) values (?, ?, ?)", row)


def all_have_a_version(event, ctx):
    with ctx.database as db:
        if event.version > _row(db, event, "version")[0]:
            _price(db, event)


def never_below_zero(event, ctx):
    """A sale may come before the delivery that it is from."""
    with ctx.database as db:
        if isinstance(event, PriceChanged):
            return _price(db, event)
        if _is_new(db, event):
            if _row(db, event, "stock")[0] + event.by < 0:
                raise ValueError("nothing left to sell")
            _add(db, event)


def takes_every_move_for_a_sale(event, ctx):
    with ctx.database as db:
        if isinstance(event, PriceChanged):
            _price(db, event)
        elif _is_new(db, event):
            row = event.by, event.product
            db.execute("update products set stock = stock - ? where product = ?", row)


async def waits_between_reading_and_writing(event, ctx):
    with ctx.database as db:
        (stock,) = _row(db, event, "stock")
    await ctx.sleep(0.1)
    with ctx.database as db:
        if isinstance(event, PriceChanged):
            _price(db, event)
        elif _is_new(db, event):
            row = stock + event.by, event.product
            db.execute("update products set stock = ? where product = ?", row)


RIGHT_2 = [looks_at_the_fields, in_python, tables_of_its_own, begins_again_each_time]
WRONG_2 = {
    "a dead letter": [refuses_what_is_old, waits_for_the_next_number, never_below_zero],
    "an older price wins": [
        last_one_wins,
        newest_by_time,
        never_notes_the_version,
        the_version_moves_back,
    ],
    "a newer price is ignored": [
        one_version_for_all,
        highest_price_wins,
        only_the_next_version,
        first_price_stays,
    ],
    "a move is lost": [like_the_price, only_in_order, numbers_without_products, swallows_errors],
    "a move counts twice": [
        at_least_as_new,
        simply_adds,
        by_the_id_of_the_message,
        not_the_same_again,
        notes_and_never_looks,
    ],
    "only in memory": [versions_in_memory, moves_in_memory],
    "half is saved": [noted_first, noted_afterwards, version_ahead],
    "a wrong row": [
        replaces_the_stock,
        forgets_the_product,
        takes_away_only,
        takes_every_move_for_a_sale,
        waits_between_reading_and_writing,
        a_new_row_for_a_price,
    ],
    "raises": [all_have_a_version],
}


# -- 07.3


def _apply(db, product, number, by):
    db.execute(
        "update products set stock = stock + ?, number = max(number, ?) where product = ?",
        (by, number, product),
    )


def _waiting(db, product, last):
    find = "select number, by from moves where product = ? and number > ? order by number"
    return db.execute(find, (product, last)).fetchall()


def _note(db, product, numbers):
    for number in numbers:
        db.execute("insert into missing values (?, ?)", (product, number))


def in_a_loop(event, ctx):
    """One move at a time; after a gap that it gave up it waits anew at the next."""
    with ctx.database as db:
        if not _is_new(db, event):
            return
        (last,) = _row(db, event, "number")
        if event.number <= last:
            return _apply(db, event.product, last, event.by)
        while waiting := _waiting(db, event.product, last):
            number, by = waiting[0]
            if number != last + 1:
                if len(waiting) < 3:
                    break
                _note(db, event.product, range(last + 1, number))
            _apply(db, event.product, number, by)
            last = number


async def takes_out_of_the_table(event, ctx):
    """`moves` holds only what waits, and the notes say what may still come."""
    key = event.product, event.number
    with ctx.database as db:
        (last,) = _row(db, event, "number")
        if event.number <= last:
            gone = "delete from missing where product = ? and number = ?"
            if db.execute(gone, key).rowcount:
                _add(db, event)
            return
        db.execute(NEW, (*key, event.by))
        waiting = dict(_waiting(db, event.product, last))
        hurry = len(waiting) >= 3
        while waiting and (hurry or last + 1 in waiting):
            last += 1
            if last in waiting:
                _apply(db, event.product, last, waiting.pop(last))
                db.execute(
                    "delete from moves where product = ? and number = ?", (event.product, last)
                )
            else:
                _note(db, event.product, [last])


def in_two_parts(event, ctx):
    """The move is noted first, and whatever is ready is applied at each event, also at one that comes again."""
    with ctx.database as db:
        _is_new(db, event)
        db.execute(
            "create table if not exists applied (product, number, primary key (product, number))"
        )
    with ctx.database as db:
        (last,) = _row(db, event, "number")
        find = """select number, by from moves where product = ?1 and number not in
                  (select number from applied where product = ?1) order by number"""
        todo = db.execute(find, (event.product,)).fetchall()
        begun = db.execute("select max(number) from applied where product = ?", (event.product,))
        last = begun.fetchone()[0] or last
        early = [move for move in todo if move[0] > last]
        for number, by in todo:
            if number > last + 1 and len(early) < 3:
                break
            _note(db, event.product, range(last + 1, number))
            db.execute("insert into applied values (?, ?)", (event.product, number))
            _add(db, StockMoved(product=event.product, by=by, number=number))
            last = max(last, number)


def sums_of_prefixes(event, ctx):
    """Computes the row anew: what it was, and all moves up to the last."""
    with ctx.database as db:
        if not _is_new(db, event):
            return
        stock, last = _row(db, event, "stock, number")
        early = [number for number, _ in _waiting(db, event.product, last)]
        top = last
        while top + 1 in early:
            top += 1
        if len(early) >= 3:
            top = early[-1]
        missing = [n for n in range(last + 1, top) if n not in early]
        _note(db, event.product, missing)
        low = min(event.number, last + 1)
        between = (
            "select ifnull(sum(by), 0) from moves where product = ? and number between ? and ?"
        )
        [(more,)] = db.execute(between, (event.product, last + 1, top))
        if low <= last:
            more += event.by
        row = stock + more, top, event.product
        db.execute("update products set stock = ?, number = ? where product = ?", row)


def adds_up(event, ctx):
    """As in 07.2."""
    with ctx.database as db:
        _count(db, event)


def goes_on_and_notes(event, ctx):
    with ctx.database as db:
        if not _is_new(db, event):
            return
        (last,) = _row(db, event, "number")
        _note(db, event.product, range(last + 1, event.number))
        _apply(db, event.product, event.number, event.by)


def _bounded(db, event, enough):
    if not _is_new(db, event):
        return
    (last,) = _row(db, event, "number")
    if event.number < last:
        _add(db, event)
        return
    waiting = _waiting(db, event.product, last)
    for number, by in waiting:
        if number > last + 1 and not enough(len(waiting)):
            return
        _note(db, event.product, range(last + 1, number))
        _apply(db, event.product, number, by)
        last = number


def two_are_enough(event, ctx):
    with ctx.database as db:
        _bounded(db, event, lambda many: many >= 2)


def counts_what_waits_of_all(event, ctx):
    with ctx.database as db:
        waiting = """select count(*) from moves join products using (product)
                     where moves.number > products.number"""
        _bounded(db, event, lambda _: db.execute(waiting).fetchone()[0] >= 3)


def counts_all_that_came(event, ctx):
    with ctx.database as db:
        came = "select count(*) from moves where product = ?"
        _bounded(db, event, lambda _: db.execute(came, (event.product,)).fetchone()[0] >= 3)


def newest_first(event, ctx):
    with ctx.database as db:
        if not _is_new(db, event):
            return
        (last,) = _row(db, event, "number")
        if event.number < last:
            return _add(db, event)
        waiting = _waiting(db, event.product, last)
        if waiting[0][0] == last + 1 or len(waiting) >= 3:
            numbers = [number for number, _ in waiting]
            top = numbers[-1]
            _note(db, event.product, [n for n in range(last + 1, top) if n not in numbers])
            for number, by in reversed(waiting):
                _apply(db, event.product, number, by)


def ignores_what_is_early(event, ctx):
    with ctx.database as db:
        (last,) = _row(db, event, "number")
        if event.number == last + 1:
            _apply(db, event.product, event.number, event.by)


def releases_one(event, ctx):
    with ctx.database as db:
        if not _is_new(db, event):
            return
        (last,) = _row(db, event, "number")
        if event.number < last:
            return _add(db, event)
        waiting = _waiting(db, event.product, last)
        number, by = waiting[0]
        if number == last + 1:
            _apply(db, event.product, number, by)
        elif len(waiting) >= 3:
            _note(db, event.product, range(last + 1, number))
            for number, by in waiting:
                _apply(db, event.product, number, by)


def never_looks_again(event, ctx):
    """Fills the gap, and leaves what waited behind it."""
    with ctx.database as db:
        if not _is_new(db, event):
            return
        (last,) = _row(db, event, "number")
        if event.number == last + 1:
            _apply(db, event.product, event.number, event.by)
        elif event.number < last:
            _add(db, event)
        elif len(waiting := _waiting(db, event.product, last)) >= 3:
            _note(db, event.product, range(last + 1, waiting[0][0]))
            for number, by in waiting:
                _apply(db, event.product, number, by)


def waits(event, ctx):
    with ctx.database as db:
        _bounded(db, event, lambda _: False)


def three_besides_this_one(event, ctx):
    with ctx.database as db:
        _bounded(db, event, lambda many: many > 3)


def only_at_round_numbers(event, ctx):
    with ctx.database as db:
        _bounded(db, event, lambda _: event.number % 10 == 0)


def throws_the_late_one_away(event, ctx):
    with ctx.database as db:
        (last,) = _row(db, event, "number")
        if event.number <= last or not _is_new(db, event):
            return
        waiting = _waiting(db, event.product, last)
        for number, by in waiting:
            if number > last + 1 and len(waiting) < 3:
                return
            _note(db, event.product, range(last + 1, number))
            _apply(db, event.product, number, by)
            last = number


def keeps_the_late_one(event, ctx):
    """It lies in `moves` for ever, below the last number."""
    with ctx.database as db:
        if not _is_new(db, event):
            return
        (last,) = _row(db, event, "number")
        waiting = _waiting(db, event.product, last)
        for number, by in waiting:
            if number > last + 1 and len(waiting) < 3:
                return
            _note(db, event.product, range(last + 1, number))
            _apply(db, event.product, number, by)
            last = number


def nobody_may_pass(event, ctx):
    """While a move of any product waits, it waits for all."""
    with ctx.database as db:
        if not _is_new(db, event):
            return
        (last,) = _row(db, event, "number")
        if event.number < last:
            return _add(db, event)
        gaps = """select count(*) from moves join products using (product)
                  where moves.number > products.number and moves.product != ?"""
        waiting = _waiting(db, event.product, last)
        held = db.execute(gaps, (event.product,)).fetchone()[0]
        for number, by in waiting:
            if (held or number > last + 1) and len(waiting) < 3:
                return
            _note(db, event.product, range(last + 1, number))
            _apply(db, event.product, number, by)
            last = number


def late_or_again(event, ctx):
    """Adds every move with a low number, also one that it has."""
    with ctx.database as db:
        (last,) = _row(db, event, "number")
        if event.number <= last:
            return _add(db, event)
        db.execute(NEW, (event.product, event.number, event.by))
        waiting = _waiting(db, event.product, last)
        for number, by in waiting:
            if number > last + 1 and len(waiting) < 3:
                return
            _note(db, event.product, range(last + 1, number))
            _apply(db, event.product, number, by)
            last = number


def early_ones_in_memory(event, ctx):
    held = ctx.state.setdefault(event.product, {})
    with ctx.database as db:
        if not _is_new(db, event):
            return
        (last,) = _row(db, event, "number")
        if event.number < last:
            return _add(db, event)
        held[event.number] = event.by
        hurry = len(held) >= 3
        for number in sorted(held):
            if number > last + 1 and not hurry:
                return
            _note(db, event.product, range(last + 1, number))
            _apply(db, event.product, number, held.pop(number))
            last = number


def last_number_in_memory(event, ctx):
    with ctx.database as db:
        if not _is_new(db, event):
            return
        last = ctx.state.get(event.product, _row(db, event, "number")[0])
        if event.number < last:
            return _add(db, event)
        waiting = _waiting(db, event.product, last)
        for number, by in waiting:
            if number > last + 1 and len(waiting) < 3:
                return
            _note(db, event.product, range(last + 1, number))
            _apply(db, event.product, number, by)
            last = ctx.state[event.product] = number


def stored_first(event, ctx):
    with ctx.database as db:
        if not _is_new(db, event):
            return
    with ctx.database as db:
        (last,) = _row(db, event, "number")
        if event.number < last:
            return _add(db, event)
        waiting = _waiting(db, event.product, last)
        for number, by in waiting:
            if number > last + 1 and len(waiting) < 3:
                return
            _note(db, event.product, range(last + 1, number))
            _apply(db, event.product, number, by)
            last = number


def without_a_note(event, ctx):
    with ctx.database as db:
        if not _is_new(db, event):
            return
        (last,) = _row(db, event, "number")
        if event.number < last:
            return _add(db, event)
        waiting = _waiting(db, event.product, last)
        for number, by in waiting:
            if number > last + 1 and len(waiting) < 3:
                return
            _apply(db, event.product, number, by)
            last = number


def notes_each_gap_at_once(event, ctx):
    with ctx.database as db:
        if not _is_new(db, event):
            return
        (last,) = _row(db, event, "number")
        if event.number < last:
            return _add(db, event)
        waiting = _waiting(db, event.product, last)
        for number, by in waiting:
            if number > last + 1:
                _note(db, event.product, range(last + 1, number))
                if len(waiting) < 3:
                    return
            _apply(db, event.product, number, by)
            last = number


def notes_the_first_only(event, ctx):
    with ctx.database as db:
        if not _is_new(db, event):
            return
        (last,) = _row(db, event, "number")
        if event.number < last:
            return _add(db, event)
        waiting = _waiting(db, event.product, last)
        for number, by in waiting:
            if number > last + 1:
                if len(waiting) < 3:
                    return
                _note(db, event.product, [number])
            _apply(db, event.product, number, by)
            last = number


def raises_if_early(event, ctx):
    with ctx.database as db:
        (last,) = _row(db, event, "number")
        if event.number > last + 1:
            raise LookupError("a gap")
        if event.number == last + 1:
            _apply(db, event.product, event.number, event.by)


def overwrites_the_stock(event, ctx):
    with ctx.database as db:
        if _is_new(db, event):
            row = event.by, event.number, event.product
            db.execute("update products set stock = ?, number = ? where product = ?", row)


MISSED = "select 1 from missing where product = ? and number = ?"
GONE = "delete from missing where product = ? and number = ?"
EARLY = "insert or ignore into moves values (?, ?, ?)"


def _held_back(db, event, early=EARLY, by="number", gap=lambda numbers: numbers):
    """Puts the move into `moves`, which holds what waits, and applies what is ready."""
    product = event.product
    (last,) = _row(db, event, "number")
    db.execute(early, (product, event.number, event.by))
    find = f"select number, by from moves where product = ? order by {by}"
    waiting = db.execute(find, (product,)).fetchall()
    for number, change in waiting:
        if number != last + 1 and len(waiting) < 3:
            return
        _note(db, product, gap(range(last + 1, number)))
        _apply(db, product, number, change)
        db.execute("delete from moves where product = ? and number = ?", (product, number))
        last = number


def _late(db, event):
    """Whether it is a move with a low number, which counts if it was missing."""
    if event.number > _row(db, event, "number")[0]:
        return False
    if db.execute(GONE, (event.product, event.number)).rowcount:
        _add(db, event)
    return True


def adds_whatever_was_missing(event, ctx):
    """The note stays, and nothing says that the late move has counted."""
    with ctx.database as db:
        if event.number > _row(db, event, "number")[0]:
            _held_back(db, event)
        elif db.execute(MISSED, (event.product, event.number)).fetchone():
            _add(db, event)


def notes_one_of_a_gap(event, ctx):
    with ctx.database as db:
        if not _late(db, event):
            _held_back(db, event, gap=lambda numbers: numbers[:1])


def in_order_of_arrival(event, ctx):
    with ctx.database as db:
        if not _late(db, event):
            _held_back(db, event, by="rowid")


def insists_on_a_new_row(event, ctx):
    """A move that comes again while it waits is in `moves` already."""
    with ctx.database as db:
        if not _late(db, event):
            _held_back(db, event, early="insert into moves values (?, ?, ?)")


def note_and_late_move_apart(event, ctx):
    with ctx.database as db:
        if event.number > _row(db, event, "number")[0]:
            return _held_back(db, event)
        missed = db.execute(GONE, (event.product, event.number)).rowcount
    if missed:
        with ctx.database as db:
            _add(db, event)


def jumps_over_what_waits(event, ctx):
    with ctx.database as db:
        if _late(db, event):
            return
        (last,) = _row(db, event, "number")
        db.execute(EARLY, (event.product, event.number, event.by))
        if len(waiting := _waiting(db, event.product, last)) < 3:
            return _held_back(db, event)
        _note(db, event.product, range(last + 1, waiting[0][0]))
        row = waiting[-1][0], event.product
        db.execute("update products set number = ? where product = ?", row)
        db.execute("delete from moves where product = ?", (event.product,))


def a_late_move_sets_the_number(event, ctx):
    """The row then says that the number of the late move is the last."""
    with ctx.database as db:
        if event.number > _row(db, event, "number")[0]:
            _held_back(db, event)
        elif db.execute(GONE, (event.product, event.number)).rowcount:
            _add(db, event)
            row = event.number, event.product
            db.execute("update products set number = ? where product = ?", row)


RIGHT_3 = [in_a_loop, takes_out_of_the_table, in_two_parts, sums_of_prefixes]
WRONG_3 = {
    "applied too early": [
        adds_up,
        goes_on_and_notes,
        two_are_enough,
        counts_what_waits_of_all,
        counts_all_that_came,
        newest_first,
    ],
    "a move never counts": [
        ignores_what_is_early,
        releases_one,
        never_looks_again,
        jumps_over_what_waits,
        a_late_move_sets_the_number,
    ],
    "waits for ever": [waits, three_besides_this_one, only_at_round_numbers],
    "a late move is lost": [throws_the_late_one_away, keeps_the_late_one],
    "another product waits": [nobody_may_pass],
    "a move counts twice": [late_or_again, adds_whatever_was_missing],
    "only in memory": [early_ones_in_memory, last_number_in_memory],
    "half is saved": [stored_first, note_and_late_move_apart],
    "a wrong note": [
        without_a_note,
        notes_each_gap_at_once,
        notes_the_first_only,
        notes_one_of_a_gap,
        in_order_of_arrival,
    ],
    "a dead letter": [raises_if_early, insists_on_a_new_row],
    "a wrong row": [overwrites_the_stock],
}

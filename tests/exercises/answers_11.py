"""Answers to the exercises of lesson 11 as learners write them: right ones, and wrong ones by the anomaly they have."""

from edalab import PublishFailed
from edalab.exercises.lesson_11_system import LineAdded, RowParked  # as in the notebook
from edalab.practice import figures

# -- 11.1


def _cases():
    return figures("11.1")["cases"]


def _told(case):
    """The outcome and the reason of a case, by counting what runs before and after the crash."""
    handler, relay = case["handler"].split(", "), case["relay"].split(", ")
    crash = case["crash before"]
    if crash.startswith("relay"):
        if relay[0] == "publish":
            return ("fine" if crash.endswith("publish") else "twice"), "c"
        return ("lost", "d") if crash.endswith("publish") else ("fine", "c")
    ran = handler[: handler.index(crash)]
    saved, sent = {"save", "commit"} & {*ran}, "publish" in ran
    if "ack" in ran:
        return ("invented" if sent else "lost"), "b"
    if "look" in ran and saved:
        return ("fine" if sent else "lost"), "e"
    return ("twice" if sent else "fine"), "a"


def counted():
    return [_told(case) for case in _cases()]


def lists():
    return tuple([outcome.title(), f"({reason})"] for outcome, reason in counted())


async def asynchronous():
    return counted()


def plays_it():
    """A small model: what is saved, published and kept, before and after the crash."""
    found = []
    for case in _cases():
        crash = case["crash before"].removeprefix("relay: ")
        saved, events, row, acked, reason = False, 0, False, False, "a"
        lines, struck = case["handler"].split(", "), False
        for _ in range(2):
            if acked:
                break
            for line in lines:
                if line == crash and not struck and not case["relay"]:
                    struck = True
                    break
                if line == "look" and saved:
                    reason, acked = "e", True
                    break
                saved = saved or line in ("save", "save both", "commit")
                row = row or line == "save both"
                events += line == "publish"
                acked = acked or line == "ack"
            else:
                break
        if lines[0] == "ack":
            reason = "b"
        struck = not case["relay"]
        while row:
            reason = "c"
            for line in case["relay"].split(", "):
                if line == crash and not struck:
                    struck = True
                    if not row:
                        reason = "d"
                    break
                events += line == "publish"
                row = row and line != "delete"
        outcome = "twice" if events > 1 else "lost" if not events else "fine"
        found.append(("invented" if events == 1 and not saved else outcome, reason))
    return found


def all_is_fine():
    return [("fine", reason) for _, reason in counted()]


def a_crash_always_loses():
    return [("lost", reason) for _, reason in counted()]


def nothing_is_invented():
    return [("lost" if told == "invented" else told, reason) for told, reason in counted()]


def lost_is_invented():
    return [("invented" if told == "lost" else told, reason) for told, reason in counted()]


def twice_is_fine():
    return [("fine" if told == "twice" else told, reason) for told, reason in counted()]


def fine_is_twice():
    return [("twice" if told == "fine" else told, reason) for told, reason in counted()]


def it_comes_again():
    return [(told, "a") for told, _ in counted()]


def it_does_not_come_again():
    return [(told, "b") for told, _ in counted()]


def the_row_is_there():
    return [(told, "c") for told, _ in counted()]


def five_pairs():
    return counted()[:5]


def one_word():
    return "fine"


def the_letter_first():
    return [(reason, told) for told, reason in counted()]


def in_other_words():
    return [(told.replace("twice", "doubled"), reason) for told, reason in counted()]


RIGHT_1 = [counted, lists, asynchronous, plays_it]
WRONG_1 = {
    "an anomaly is missed": [all_is_fine, twice_is_fine],
    "a false alarm": [fine_is_twice],
    "another effect": [a_crash_always_loses, nothing_is_invented, lost_is_invented],
    "another reason": [it_comes_again, it_does_not_come_again, the_row_is_there],
    "not as asked for": [five_pairs, one_word, the_letter_first, in_other_words],
}

# -- 11.2

WAITING = """select id, order_id, event, attempts from outbox where state = 'waiting' and order_id
             not in (select order_id from outbox where state = 'parked') order by id limit 10"""


def _rows(ctx, sql=WAITING):
    with ctx.database as db:
        return db.execute(sql).fetchall()


def _set(ctx, id, **columns):
    with ctx.database as db:
        for name, value in columns.items():
            db.execute(f"update outbox set {name} = ? where id = ?", (value, id))


async def _failed(ctx, id, order_id, attempts):
    if attempts >= 2:
        await ctx.publish(RowParked(id=id, order_id=order_id))
    _set(ctx, id, attempts=attempts + 1, state="parked" if attempts >= 2 else "waiting")


async def marks_each(ctx):
    stuck = set()
    for id, order_id, event, attempts in _rows(ctx):
        if order_id in stuck:
            continue
        try:
            await ctx.publish(event)
        except PublishFailed:
            stuck.add(order_id)
            await _failed(ctx, id, order_id, attempts)
        else:
            _set(ctx, id, state="sent")


async def deletes_what_is_sent(ctx):
    """The rows that are left are those that wait. Those of an order are read only while none of them is parked."""
    free = """select id, order_id, event, attempts from outbox as one where not exists
              (select 1 from outbox as other where other.order_id = one.order_id and state = 'parked')
              order by id limit 10"""
    stuck = set()
    for id, order_id, event, attempts in _rows(ctx, free):
        if order_id not in stuck:
            try:
                await ctx.publish(event)
                with ctx.database as db:
                    db.execute("delete from outbox where id = ?", (id,))
            except PublishFailed:
                stuck.add(order_id)
                await _failed(ctx, id, order_id, attempts)


async def marks_them_all_at_the_end(ctx):
    """A crash publishes the whole batch again, with the same ids."""
    sent, failed = [], {}
    for id, order_id, event, attempts in _rows(ctx):
        if order_id in failed:
            continue
        try:
            await ctx.publish(event)
            sent.append((id,))
        except PublishFailed:
            failed[order_id] = id, attempts + 1
    for order_id, (id, attempts) in failed.items():
        if attempts >= 3:
            await ctx.publish(RowParked(id=id, order_id=order_id))
    with ctx.database as db:
        db.executemany("update outbox set state = 'sent' where id = ?", sent)
        for id, attempts in failed.values():
            sql = "update outbox set attempts = ?1, state = iif(?1 >= 3, 'parked', state) where id = ?2"
            db.execute(sql, (attempts, id))


async def one_row_of_each_order(ctx):
    """At most one row of an order is under way, and all of them at once."""
    first = """select min(id), order_id, event, attempts from outbox where state = 'waiting' and
               order_id not in (select order_id from outbox where state = 'parked')
               group by order_id limit 10"""
    rows = _rows(ctx, first)
    told = await ctx.all(*(ctx.publish(event) for _, _, event, _ in rows))
    for (id, order_id, _, attempts), answer in zip(rows, told, strict=True):
        if isinstance(answer, PublishFailed):
            await _failed(ctx, id, order_id, attempts)
        else:
            _set(ctx, id, state="sent")


async def news_of_a_parked_row_by_a_row_of_its_own(ctx):
    """RowParked goes through the outbox, too, in the transaction that parks the row."""
    with ctx.database as db:
        db.execute("create table if not exists news (event text)")
        news = db.execute("select rowid, event from news").fetchall()
    for rowid, event in news:
        await ctx.publish(event)
        with ctx.database as db:
            db.execute("delete from news where rowid = ?", (rowid,))
    stuck = set()
    for id, order_id, event, attempts in _rows(ctx):
        if order_id in stuck:
            continue
        try:
            await ctx.publish(event)
        except PublishFailed:
            stuck.add(order_id)
            with ctx.database as db:
                count = "update outbox set attempts = attempts + 1 where id = ?"
                db.execute(count, (id,))
                if attempts >= 2:
                    db.execute("update outbox set state = 'parked' where id = ?", (id,))
                    parked = ctx.envelope(RowParked(id=id, order_id=order_id))
                    db.execute("insert into news values (?)", (parked,))
            continue
        _set(ctx, id, state="sent")


async def until_ten_are_published(ctx):
    """A row that fails is none of the ten, and the news of a parked row may come in a later run."""
    stuck, sent = set(), 0
    for id, order_id, event, attempts in _rows(ctx, WAITING.replace("limit 10", "")):
        if order_id in stuck or sent == 10:
            continue
        try:
            if attempts < 3:
                await ctx.publish(event)
                _set(ctx, id, state="sent")
                sent += 1
                continue
        except PublishFailed:
            _set(ctx, id, attempts=attempts + 1)
        stuck.add(order_id)
        if attempts >= 2:
            try:
                await ctx.publish(RowParked(id=id, order_id=order_id))
                _set(ctx, id, state="parked")
            except PublishFailed:
                pass


async def marks_up_to_the_last(ctx):
    """Rows that failed, or were passed over, are marked as sent if a later row was published."""
    stuck, last = set(), 0
    for id, order_id, event, attempts in _rows(ctx):
        if order_id not in stuck:
            try:
                await ctx.publish(event)
                last = id
            except PublishFailed:
                stuck.add(order_id)
                await _failed(ctx, id, order_id, attempts)
    with ctx.database as db:
        sql = "update outbox set state = 'sent' where id <= ? and state = 'waiting'"
        db.execute(sql, (last,))


async def marks_all_but_the_failed_up_to_the_last(ctx):
    """Rows that were passed over are marked as sent if a later row was published."""
    stuck, last = set(), 0
    for id, order_id, event, attempts in _rows(ctx):
        if order_id not in stuck:
            try:
                await ctx.publish(event)
                last = id
            except PublishFailed:
                stuck.add(order_id)
                await _failed(ctx, id, order_id, attempts)
    with ctx.database as db:
        sql = (
            "update outbox set state = 'sent' where id <= ? and state = 'waiting' and attempts = 0"
        )
        db.execute(sql, (last,))


async def one_failure_ends_the_run(ctx):
    """Other orders wait for the poison row until it is parked."""
    for id, order_id, event, attempts in _rows(ctx):
        try:
            await ctx.publish(event)
        except PublishFailed:
            await _failed(ctx, id, order_id, attempts)
            return
        _set(ctx, id, state="sent")


async def order_after_order(ctx):
    """The rows of one order come first, and fill the batch."""
    stuck = set()
    for id, order_id, event, attempts in _rows(ctx, WAITING.replace("by id", "by order_id, id")):
        if order_id not in stuck:
            try:
                await ctx.publish(event)
                _set(ctx, id, state="sent")
            except PublishFailed:
                stuck.add(order_id)
                await _failed(ctx, id, order_id, attempts)


async def tells_in_each_run(ctx):
    """Rows with three attempts are left out, reported again and again, and never parked."""
    lost = "select id, order_id, event, attempts from outbox where attempts >= 3"
    for id, order_id, _, _ in _rows(ctx, lost):
        await ctx.publish(RowParked(id=id, order_id=order_id))
    stuck = set()
    for id, order_id, event, attempts in _rows(
        ctx, WAITING.replace("state = 'parked'", "attempts >= 3")
    ):
        if order_id not in stuck:
            try:
                await ctx.publish(event)
                _set(ctx, id, state="sent")
            except PublishFailed:
                stuck.add(order_id)
                _set(ctx, id, attempts=attempts + 1)


async def a_mark_of_its_own(ctx):
    """It tells once, and notes that in another column."""
    stuck = set()
    for id, order_id, event, attempts in _rows(
        ctx, WAITING.replace("state = 'parked'", "attempts = 99")
    ):
        if order_id not in stuck:
            try:
                await ctx.publish(event)
                _set(ctx, id, state="sent")
            except PublishFailed:
                stuck.add(order_id)
                if attempts >= 2:
                    await ctx.publish(RowParked(id=id, order_id=order_id))
                    attempts = 98
                _set(ctx, id, attempts=attempts + 1)


async def tells_and_leaves_it_waiting(ctx):
    stuck = set()
    for id, order_id, event, attempts in _rows(ctx):
        if order_id in stuck:
            continue
        if attempts >= 3:
            stuck.add(order_id)
            await ctx.publish(RowParked(id=id, order_id=order_id))
            continue
        try:
            await ctx.publish(event)
            _set(ctx, id, state="sent")
        except PublishFailed:
            stuck.add(order_id)
            _set(ctx, id, attempts=attempts + 1)


async def parks_the_whole_order(ctx):
    """Later rows of the order are parked, too, and nobody hears of them."""
    stuck = set()
    for id, order_id, event, attempts in _rows(ctx):
        if order_id in stuck:
            continue
        try:
            await ctx.publish(event)
            _set(ctx, id, state="sent")
        except PublishFailed:
            stuck.add(order_id)
            _set(ctx, id, attempts=attempts + 1)
            if attempts >= 2:
                await ctx.publish(RowParked(id=id, order_id=order_id))
                with ctx.database as db:
                    sql = "update outbox set state = 'parked' where order_id = ? and state = 'waiting'"
                    db.execute(sql, (order_id,))


async def three_times_at_once(ctx):
    """A row is tried three times in one run, and parked."""
    stuck = set()
    for id, order_id, event, _ in _rows(ctx):
        if order_id in stuck:
            continue
        for attempts in range(3):
            try:
                await ctx.publish(event)
                _set(ctx, id, state="sent")
                break
            except PublishFailed:
                stuck.add(order_id)
                await _failed(ctx, id, order_id, attempts)


async def never_tries_again(ctx):
    """An order in which a row has failed is left out for ever."""
    once = WAITING.replace("state = 'parked'", "attempts > 0")
    for id, order_id, event, attempts in _rows(ctx, once):
        if _rows(ctx, f"select 1 from outbox where attempts and order_id = '{order_id}'"):
            continue
        try:
            await ctx.publish(event)
            _set(ctx, id, state="sent")
        except PublishFailed:
            await _failed(ctx, id, order_id, attempts)


async def deletes_first(ctx):
    for _, _, event, _ in _rows(ctx):
        with ctx.database as db:
            db.execute("delete from outbox where event = ?", (event,))
        try:
            await ctx.publish(event)
        except PublishFailed:
            return


async def marks_first(ctx):
    stuck = set()
    for id, order_id, event, attempts in _rows(ctx):
        if order_id in stuck:
            continue
        _set(ctx, id, state="sent")
        try:
            await ctx.publish(event)
        except PublishFailed:
            stuck.add(order_id)
            await _failed(ctx, id, order_id, attempts)


async def marks_the_whole_batch(ctx):
    """The rows that were passed over behind one that failed are marked, too."""
    rows, failed = _rows(ctx), {}
    for id, order_id, event, attempts in rows:
        if order_id not in failed:
            try:
                await ctx.publish(event)
            except PublishFailed:
                failed[order_id] = id
                await _failed(ctx, id, order_id, attempts)
    sent = [(id,) for id, *_ in rows if id not in failed.values()]
    with ctx.database as db:
        db.executemany("update outbox set state = 'sent' where id = ?", sent)


async def a_checkpoint(ctx):
    with ctx.database as db:
        db.execute("create table if not exists checkpoint (last int)")
        last = db.execute("select max(last) from checkpoint").fetchone()[0] or 0
        sql = f"select * from ({WAITING.replace('limit 10', '')}) where id > ? limit 10"
        waiting = db.execute(sql, (last,)).fetchall()
    for id, order_id, event, attempts in waiting:
        try:
            await ctx.publish(event)
        except PublishFailed:
            await _failed(ctx, id, order_id, attempts)
            return
        with ctx.database as db:
            db.execute("update outbox set state = 'sent' where id = ?", (id,))
            db.execute("insert into checkpoint values (?)", (id,))


async def swallows_and_marks(ctx):
    for id, _, event, _ in _rows(ctx):
        try:
            await ctx.publish(event)
        except PublishFailed:
            pass
        _set(ctx, id, state="sent")


async def skips_and_goes_on(ctx):
    """Later rows of the same order are published, though one of them failed."""
    for id, order_id, event, attempts in _rows(ctx):
        try:
            await ctx.publish(event)
        except PublishFailed:
            await _failed(ctx, id, order_id, attempts)
            continue
        _set(ctx, id, state="sent")


async def gives_the_row_up_and_goes_on(ctx):
    """Later rows of the order of a parked row are published."""
    waiting = "select id, order_id, event, attempts from outbox where state = 'waiting' order by id limit 10"
    stuck = set()
    for id, order_id, event, attempts in _rows(ctx, waiting):
        if order_id in stuck:
            continue
        try:
            await ctx.publish(event)
        except PublishFailed:
            stuck.add(order_id)
            await _failed(ctx, id, order_id, attempts)
            continue
        _set(ctx, id, state="sent")


async def new_ids(ctx):
    import json

    stuck = set()
    for id, order_id, event, attempts in _rows(ctx):
        if order_id in stuck:
            continue
        try:
            await ctx.publish(LineAdded(**json.loads(event)["data"]))
        except PublishFailed:
            stuck.add(order_id)
            await _failed(ctx, id, order_id, attempts)
            continue
        _set(ctx, id, state="sent")


async def all_that_wait(ctx):
    stuck = set()
    for id, order_id, event, attempts in _rows(ctx, WAITING.replace("limit 10", "")):
        if order_id in stuck:
            continue
        try:
            await ctx.publish(event)
        except PublishFailed:
            stuck.add(order_id)
            await _failed(ctx, id, order_id, attempts)
            continue
        _set(ctx, id, state="sent")


async def blocked_rows_fill_the_batch(ctx):
    """Rows of an order with a parked row are read, and passed over, in each run."""
    waiting = "select id, order_id, event, attempts from outbox where state = 'waiting' order by id limit 10"
    with ctx.database as db:
        parked = db.execute("select order_id from outbox where state = 'parked'").fetchall()
    stuck = {order_id for (order_id,) in parked}
    for id, order_id, event, attempts in _rows(ctx, waiting):
        if order_id in stuck:
            continue
        try:
            await ctx.publish(event)
        except PublishFailed:
            stuck.add(order_id)
            await _failed(ctx, id, order_id, attempts)
            continue
        _set(ctx, id, state="sent")


async def tells_nobody(ctx):
    stuck = set()
    for id, order_id, event, attempts in _rows(ctx):
        if order_id in stuck:
            continue
        try:
            await ctx.publish(event)
        except PublishFailed:
            stuck.add(order_id)
            state = "parked" if attempts >= 2 else "waiting"
            _set(ctx, id, attempts=attempts + 1, state=state)
            continue
        _set(ctx, id, state="sent")


async def parks_before_it_tells(ctx):
    stuck = set()
    for id, order_id, event, attempts in _rows(ctx):
        if order_id in stuck:
            continue
        try:
            await ctx.publish(event)
        except PublishFailed:
            stuck.add(order_id)
            _set(ctx, id, attempts=attempts + 1)
            if attempts >= 2:
                _set(ctx, id, state="parked")
                await ctx.publish(RowParked(id=id, order_id=order_id))
            continue
        _set(ctx, id, state="sent")


async def parks_at_the_first_failure(ctx):
    stuck = set()
    for id, order_id, event, _ in _rows(ctx):
        if order_id in stuck:
            continue
        try:
            await ctx.publish(event)
        except PublishFailed:
            stuck.add(order_id)
            await _failed(ctx, id, order_id, 2)
            continue
        _set(ctx, id, state="sent")


async def counts_in_memory(ctx):
    """Three failures of the order, and not of the row, since this replica began."""
    counts, stuck = ctx.state.setdefault("failed", {}), set()
    for id, order_id, event, _ in _rows(ctx):
        if order_id in stuck:
            continue
        try:
            await ctx.publish(event)
        except PublishFailed:
            stuck.add(order_id)
            counts["all"] = counts.get("all", 0) + 1
            await _failed(ctx, id, order_id, 2 if counts["all"] >= 3 else 0)
            continue
        _set(ctx, id, state="sent")


async def tries_for_ever(ctx):
    stuck = set()
    for id, order_id, event, _ in _rows(ctx):
        if order_id in stuck:
            continue
        try:
            await ctx.publish(event)
        except PublishFailed:
            stuck.add(order_id)
            continue
        _set(ctx, id, state="sent")


async def waits_for_the_first_row(ctx):
    """Everybody waits behind the poison row."""
    for id, _, event, _ in _rows(ctx):
        try:
            await ctx.publish(event)
        except PublishFailed:
            return
        _set(ctx, id, state="sent")


async def marks_nothing(ctx):
    stuck = set()
    for id, order_id, event, attempts in _rows(ctx):
        if order_id not in stuck:
            try:
                await ctx.publish(event)
            except PublishFailed:
                stuck.add(order_id)
                await _failed(ctx, id, order_id, attempts)


async def all_at_once(ctx):
    """Several rows of one order are under way at once."""
    rows = _rows(ctx)
    told = await ctx.all(*(ctx.publish(event) for _, _, event, _ in rows))
    for (id, order_id, _, attempts), answer in zip(rows, told, strict=True):
        if isinstance(answer, PublishFailed):
            await _failed(ctx, id, order_id, attempts)
        else:
            _set(ctx, id, state="sent")


async def lets_it_out(ctx):
    for id, _, event, _ in _rows(ctx):
        await ctx.publish(event)
        _set(ctx, id, state="sent")


RIGHT_2 = [
    marks_each,
    deletes_what_is_sent,
    marks_them_all_at_the_end,
    one_row_of_each_order,
    news_of_a_parked_row_by_a_row_of_its_own,
    until_ten_are_published,
]
WRONG_2 = {
    "an event is lost": [
        marks_first,
        marks_the_whole_batch,
        marks_all_but_the_failed_up_to_the_last,
    ],
    "nobody is told": [
        tells_nobody,
        parks_before_it_tells,
        parks_the_whole_order,
        never_tries_again,
    ],
    "not parked": [tells_in_each_run, a_mark_of_its_own, tells_and_leaves_it_waiting],
    "passed over": [a_checkpoint],
    "out of order": [
        deletes_first,
        swallows_and_marks,
        skips_and_goes_on,
        gives_the_row_up_and_goes_on,
        all_at_once,
        marks_up_to_the_last,
    ],
    "another id": [new_ids],
    "too many at once": [all_that_wait],
    "others wait": [blocked_rows_fill_the_batch, one_failure_ends_the_run, order_after_order],
    "parked too early": [parks_at_the_first_failure, counts_in_memory, three_times_at_once],
    "never given up": [tries_for_ever, waits_for_the_first_row],
    "published again": [marks_nothing],
    "raises": [lets_it_out],
}

# -- 11.3

LINES = "select id, event from outbox where state = 'waiting' order by id limit 10"
THREE = LINES.replace("id,", "id, order_id,", 1)
PASS = "update fence set token = ? where token <= ?"


def _is_leader(ctx):
    with ctx.database as db:
        return db.execute(PASS, (ctx.lease, ctx.lease)).rowcount == 1


async def _fails(ctx, event):
    try:
        await ctx.publish(event)
    except PublishFailed:
        return True


async def passes_the_fence_before_each(ctx):
    stuck = set()
    for id, order_id, event in _rows(ctx, THREE):
        if order_id in stuck:
            continue
        if not _is_leader(ctx):
            return
        if await _fails(ctx, event):
            stuck.add(order_id)
        else:
            _set(ctx, id, state="sent")


async def reads_one_row_at_a_time(ctx):
    """Each transaction passes the fence and reads the next row."""
    stuck = [""]
    for _ in range(10):
        with ctx.database as db:
            if not db.execute(PASS, (ctx.lease, ctx.lease)).rowcount:
                return
            others = f"and order_id not in ({', '.join('?' * len(stuck))}) order"
            row = db.execute(THREE.replace("order by", f"{others} by"), stuck).fetchone()
        if row is None:
            return
        if await _fails(ctx, row[2]):
            stuck.append(row[1])
        else:
            _set(ctx, row[0], state="sent")


async def compares_and_writes(ctx):
    """Order after order: a failed publish ends the loop over the rows of one order."""
    orders = {}
    for id, order_id, event in _rows(ctx, THREE):
        orders.setdefault(order_id, []).append((id, event))
    for waiting in orders.values():
        for id, event in waiting:
            with ctx.database as db:
                [(token,)] = db.execute("select token from fence")
                if token > ctx.lease:
                    return
                db.execute("update fence set token = ?", (ctx.lease,))
            if await _fails(ctx, event):
                break
            with ctx.database as db:
                db.execute("update outbox set state = 'sent' where id = ?", (id,))


async def the_mark_is_fenced(ctx):
    """It takes the fence at its beginning, and looks whether it still has it when it marks a row."""
    with ctx.database as db:
        db.execute("update fence set token = max(token, ?)", (ctx.lease,))
        waiting = db.execute(THREE).fetchall()
    stuck = set()
    for id, order_id, event in waiting:
        if order_id in stuck:
            continue
        state = "sent"
        if await _fails(ctx, event):
            stuck.add(order_id)
            state = "waiting"
        with ctx.database as db:
            sql = "update outbox set state = ? where id = ? and (select token from fence) = ?"
            if not db.execute(sql, (state, id, ctx.lease)).rowcount:
                return


async def claims_that_a_newer_leader_takes(ctx):
    """Rows belong to a lease, and a higher one takes them."""
    with ctx.database as db:
        db.execute("create table if not exists claims (id int primary key, token int)")
        claim = """insert into claims select id, ?1 from outbox where state = 'waiting' limit 10
                   on conflict do update set token = ?1 where token < ?1"""
        db.execute(
            claim.replace("'waiting' limit", "'waiting' and true order by id limit"), (ctx.lease,)
        )
        mine = """select id, order_id, event from outbox join claims using (id)
                  where state = 'waiting' and token = ? order by id"""
        rows = db.execute(mine, (ctx.lease,)).fetchall()
    stuck = set()
    for id, order_id, event in rows:
        with ctx.database as db:
            still = "select 1 from claims where id = ? and token = ?"
            if not db.execute(still, (id, ctx.lease)).fetchone():
                return
        if order_id in stuck or await _fails(ctx, event):
            stuck.add(order_id)
        else:
            _set(ctx, id, state="sent")


async def as_in_the_lesson(ctx):
    """The first failed publish ends the run, also for the other orders."""
    for id, event in _rows(ctx, LINES):
        if not _is_leader(ctx):
            return
        await ctx.publish(event)
        _set(ctx, id, state="sent")


async def returns_after_a_failure(ctx):
    for id, event in _rows(ctx, LINES):
        if not _is_leader(ctx) or await _fails(ctx, event):
            return
        _set(ctx, id, state="sent")


async def a_lease_without_a_fence(ctx):
    for id, event in _rows(ctx, LINES):
        await ctx.publish(event)
        _set(ctx, id, state="sent")


async def a_lock_in_memory(ctx):
    if ctx.state.get("busy"):
        return
    ctx.state["busy"] = True
    for id, event in _rows(ctx, LINES):
        await ctx.publish(event)
        _set(ctx, id, state="sent")
    ctx.state["busy"] = False


async def the_fence_at_the_beginning(ctx):
    if not _is_leader(ctx):
        return
    for id, event in _rows(ctx, LINES):
        await ctx.publish(event)
        _set(ctx, id, state="sent")


async def a_fence_that_nobody_writes(ctx):
    for id, event in _rows(ctx, LINES):
        with ctx.database as db:
            if db.execute("select token > ? from fence", (ctx.lease,)).fetchone()[0]:
                return
        await ctx.publish(event)
        _set(ctx, id, state="sent")


async def the_fence_after_the_publish(ctx):
    """It looks, but only before it marks, and goes on."""
    for id, event in _rows(ctx, LINES):
        await ctx.publish(event)
        if _is_leader(ctx):
            _set(ctx, id, state="sent")


async def a_token_in_memory(ctx):
    for id, event in _rows(ctx, LINES):
        if ctx.state.setdefault("token", ctx.lease) > ctx.lease:
            return
        ctx.state["token"] = ctx.lease
        await ctx.publish(event)
        _set(ctx, id, state="sent")


async def passes_once(ctx):
    """Only a higher token passes, and not its own a second time."""
    for id, event in _rows(ctx, LINES):
        with ctx.database as db:
            sql = "update fence set token = ? where token < ?"
            if not db.execute(sql, (ctx.lease, ctx.lease)).rowcount:
                return
        await ctx.publish(event)
        _set(ctx, id, state="sent")


async def by_the_clock(ctx):
    """The token is no time."""
    for id, event in _rows(ctx, LINES):
        if ctx.now > ctx.lease + 3:
            return
        await ctx.publish(event)
        _set(ctx, id, state="sent")


async def claims_that_nobody_gives_back(ctx):
    with ctx.database as db:
        rows = db.execute(LINES).fetchall()
        db.execute("update outbox set state = 'claimed' where state = 'waiting'")
    for id, event in rows:
        if not _is_leader(ctx):
            return
        await ctx.publish(event)
        _set(ctx, id, state="sent")


async def one_row_in_each_run(ctx):
    for id, event in _rows(ctx, LINES.replace("limit 10", "limit 1")):
        if not _is_leader(ctx):
            return
        await ctx.publish(event)
        _set(ctx, id, state="sent")


async def a_flag_that_stays(ctx):
    """Whoever finds the flag waits for the other, which may be down or stand still."""
    if not _is_leader(ctx):
        return
    with ctx.database as db:
        db.execute("create table if not exists busy (relay int unique)")
        if not db.execute("insert or ignore into busy values (1)").rowcount:
            return
        rows = db.execute(LINES).fetchall()
    try:
        for id, event in rows:
            if not _is_leader(ctx):
                return
            await ctx.publish(event)
            _set(ctx, id, state="sent")
    finally:
        with ctx.database as db:
            db.execute("delete from busy")


async def marks_before_it_publishes(ctx):
    for id, event in _rows(ctx, LINES):
        if not _is_leader(ctx):
            return
        _set(ctx, id, state="sent")
        await ctx.publish(event)


async def the_latest_first(ctx):
    for id, event in _rows(ctx, LINES.replace("order by id", "order by id desc")):
        if not _is_leader(ctx):
            return
        await ctx.publish(event)
        _set(ctx, id, state="sent")


async def forgets_to_mark(ctx):
    if ctx.state.setdefault("runs", 0) > 4:
        return
    ctx.state["runs"] += 1
    for _, event in _rows(ctx, LINES):
        if not _is_leader(ctx):
            return
        await ctx.publish(event)


async def makes_them_anew(ctx):
    import json

    for id, event in _rows(ctx, LINES):
        if not _is_leader(ctx):
            return
        await ctx.publish(LineAdded(**json.loads(event)["data"]))
        _set(ctx, id, state="sent")


async def goes_on_after_a_failure(ctx):
    for id, event in _rows(ctx, LINES):
        if not _is_leader(ctx):
            return
        try:
            await ctx.publish(event)
        except PublishFailed:
            continue
        _set(ctx, id, state="sent")


RIGHT_3 = [
    passes_the_fence_before_each,
    reads_one_row_at_a_time,
    compares_and_writes,
    the_mark_is_fenced,
    claims_that_a_newer_leader_takes,
]
WRONG_3 = {
    "an old leader publishes": [
        a_lease_without_a_fence,
        a_lock_in_memory,
        the_fence_at_the_beginning,
        a_fence_that_nobody_writes,
        the_fence_after_the_publish,
        a_token_in_memory,
    ],
    "an event is lost": [
        passes_once,
        by_the_clock,
        claims_that_nobody_gives_back,
        marks_before_it_publishes,
    ],
    "others wait": [a_flag_that_stays, one_row_in_each_run],
    "one failure ends the run": [as_in_the_lesson, returns_after_a_failure],
    "out of order": [the_latest_first, goes_on_after_a_failure],
    "published again": [forgets_to_mark],
    "another id": [makes_them_anew],
}

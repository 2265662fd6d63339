"""Answers to the exercises of lesson 09 as learners write them: right ones, and wrong ones by the anomaly they have."""

import json

from edalab import PublishFailed, Refused, Unanswered
from edalab.exercises.lesson_09_system import (  # as in the notebook
    LookInNorth,
    LookInSouth,
    MovePieces,
    PiecesMoved,
    SalesCounted,
    SellInNorth,
    SellInSouth,
)

# -- 09.1

OLD, BACK = ("read your writes", "a"), ("monotonic reads", "a")
STORIES = [("sold twice", "b"), ("none", "a"), BACK, OLD, ("lost write", "c"), ("lost write", "d")]


def _instead(story, guarantee, reason):
    """The six pairs, with another one for this story."""
    return [*STORIES[: story - 1], (guarantee, reason), *STORIES[story:]]


def six_pairs():
    return STORIES


def six_lists():
    return tuple([guarantee.title(), f"({reason})"] for guarantee, reason in STORIES)


async def asynchronous():
    return STORIES[:3] + STORIES[3:]


def by_story():
    found = {1: ("sold twice", "B"), 2: ("none", "a"), 3: BACK, 4: OLD, 5: ("lost write", "c")}
    return [found.get(story, ("lost write", "d")) for story in range(1, 7)]


def an_old_answer_is_a_broken_promise():
    return _instead(2, "monotonic reads", "a")


def somebody_elses_sale_is_mine():
    return _instead(2, "read your writes", "a")


def nothing_is_broken():
    return [("none", "a")] * 6


def a_price_was_replaced():
    return _instead(5, "none", "e")


def enough_for_both():
    return _instead(1, "none", "b")


def two_promises_mixed_up():
    return [*STORIES[:2], OLD, BACK, *STORIES[4:]]


def a_lost_write_is_an_old_answer():
    return _instead(6, "monotonic reads", "a")


def both_clocks_are_ahead():
    return _instead(6, "lost write", "c")


def both_clocks_are_behind():
    return _instead(5, "lost write", "d")


def at_the_same_time():
    return _instead(5, "lost write", "b")


def five_pairs():
    return STORIES[:5]


def only_letters():
    return ["b", "a", "a", "a", "c", "d"]


def one_word():
    return "none"


def a_reason_in_words():
    return _instead(1, "sold twice", "both shops sold")


def the_letter_first():
    return [(reason, guarantee) for guarantee, reason in STORIES]


def in_other_words():
    return _instead(3, "monotonic read", "a")


RIGHT_1 = [six_pairs, six_lists, asynchronous, by_story]
WRONG_1 = {
    "a false alarm": [an_old_answer_is_a_broken_promise, somebody_elses_sale_is_mine],
    "an anomaly is missed": [nothing_is_broken, a_price_was_replaced, enough_for_both],
    "another guarantee": [two_promises_mixed_up, a_lost_write_is_an_old_answer],
    "another reason": [both_clocks_are_ahead, both_clocks_are_behind, at_the_same_time],
    "not as asked for": [
        five_pairs,
        only_letters,
        one_word,
        a_reason_in_words,
        the_letter_first,
        in_other_words,
    ],
}


# -- 09.2

HIGHER = "update sold set pieces = max(pieces, ?) where shop = ?"
KNOWN = "select shop, pieces from sold"


def _hear(event, ctx):
    with ctx.database as db:
        db.execute(HIGHER, (event.pieces, event.shop))


def _known(ctx):
    with ctx.database as db:
        return dict(db.execute(KNOWN).fetchall())


def _enough(known, look):
    return known["north"] >= look.north and known["south"] >= look.south


async def _answer(look, ctx):
    for _ in range(8):
        if _enough(known := _known(ctx), look):
            return known
        await ctx.sleep(0.1)
    return Refused("not yet")


async def raises_the_row(message, ctx):
    """Reads, compares in Python, and waits until a moment that it fixes at first."""
    if isinstance(message, SalesCounted):
        with ctx.database as db:
            find = "select pieces from sold where shop = ?"
            [(pieces,)] = db.execute(find, (message.shop,)).fetchall()
            if message.pieces > pieces:
                change = "update sold set pieces = ?, at = ? where shop = ?"
                db.execute(change, (message.pieces, message.at, message.shop))
        return
    deadline = ctx.now + 0.8
    while True:
        known = _known(ctx)
        if all(known[shop] >= getattr(message, shop) for shop in known):
            return known
        if ctx.now >= deadline:
            raise Refused("ask again later")
        await ctx.sleep(0.05)


def _every_total(event, ctx):
    with ctx.database as db:
        db.execute("create table if not exists heard (shop text, pieces int)")
        db.execute("insert into heard values (?, ?)", (event.shop, event.pieces))


async def every_total_in_a_table_of_its_own(message, ctx):
    """Keeps all that it hears, and looks for the highest when it is asked."""
    if isinstance(message, SalesCounted):
        return _every_total(message, ctx)
    for attempt in range(9):
        if attempt:
            await ctx.sleep(0.1)
        with ctx.database as db:
            db.execute("create table if not exists heard (shop text, pieces int)")
            both = f"{KNOWN} union all select shop, pieces from heard"
            most = f"select shop, max(pieces) from ({both}) group by shop"
            known = dict(db.execute(most).fetchall())
        if _enough(known, message):
            return known
    return Refused("not yet")


async def an_upsert(message, ctx):
    match message:
        case SalesCounted(shop=shop, pieces=pieces, at=at):
            with ctx.database as db:
                db.execute(
                    """insert into sold values (?, ?, ?) on conflict (shop)
                       do update set pieces = excluded.pieces, at = excluded.at
                       where excluded.pieces > sold.pieces""",
                    (shop, pieces, at),
                )
        case LookInNorth() | LookInSouth():
            return await _answer(message, ctx)


async def asks_the_table_whether_it_is_enough(message, ctx):
    if isinstance(message, SalesCounted):
        return _hear(message, ctx)
    behind = """select count(*) from sold where shop = 'north' and pieces < ?
                or shop = 'south' and pieces < ?"""
    waited = 0
    while waited < 0.8:
        with ctx.database as db:
            if not db.execute(behind, (message.north, message.south)).fetchone()[0]:
                return dict(db.execute(KNOWN).fetchall())
        await ctx.sleep(0.2)
        waited += 0.2
    return Refused("too late")


async def asks_the_other_shop(message, ctx):
    """Waits for the event, and asks the other shop beside."""
    if isinstance(message, SalesCounted):
        return _hear(message, ctx)
    if _enough(known := _known(ctx), message):
        return known
    here = isinstance(message, LookInNorth)
    question = (LookInSouth if here else LookInNorth)(customer="us", north=0, south=0)
    [told] = await ctx.all(ctx.ask(question, timeout=0.7))
    known = _known(ctx)
    if isinstance(told, dict):
        known = {shop: max(known[shop], told[shop]) for shop in known}
    return known if _enough(known, message) else Refused("the other shop does not answer")


async def adds(message, ctx):
    if isinstance(message, SalesCounted):
        with ctx.database as db:
            add = "update sold set pieces = pieces + ? where shop = ?"
            db.execute(add, (message.pieces, message.shop))
        return None
    return await _answer(message, ctx)


async def the_higher_for_both(message, ctx):
    """Forgets `where`: both shops have the same number."""
    if isinstance(message, SalesCounted):
        with ctx.database as db:
            db.execute("update sold set pieces = max(pieces, ?)", (message.pieces,))
        return None
    return await _answer(message, ctx)


async def the_last_one_wins(message, ctx):
    if isinstance(message, SalesCounted):
        with ctx.database as db:
            change = "update sold set pieces = ?, at = ? where shop = ?"
            db.execute(change, (message.pieces, message.at, message.shop))
        return None
    return await _answer(message, ctx)


async def the_newest_of_both_shops(message, ctx):
    """Takes an event only if no sale of any shop is newer by its clock."""
    if isinstance(message, SalesCounted):
        with ctx.database as db:
            newest = db.execute("select max(at) from sold").fetchone()[0]
            if message.at >= newest:
                change = "update sold set pieces = ?, at = ? where shop = ?"
                db.execute(change, (message.pieces, message.at, message.shop))
        return None
    return await _answer(message, ctx)


async def in_memory(message, ctx):
    if isinstance(message, SalesCounted):
        ctx.state[message.shop] = max(message.pieces, ctx.state.get(message.shop, 0))
        return None
    for _ in range(8):
        known = _known(ctx)
        known = {shop: max(n, ctx.state.get(shop, 0)) for shop, n in known.items()}
        if _enough(known, message):
            return known
        await ctx.sleep(0.1)
    return Refused("not yet")


async def hears_nothing(message, ctx):
    if isinstance(message, SalesCounted):
        return None
    return await _answer(message, ctx)


async def an_echo(message, ctx):
    if isinstance(message, SalesCounted):
        return _hear(message, ctx)
    return {"north": message.north, "south": message.south}


async def answers_at_once(message, ctx):
    if isinstance(message, SalesCounted):
        return _hear(message, ctx)
    return _known(ctx)


async def one_number_for_both(message, ctx):
    """Compares the sums, as if the two shops counted together."""
    if isinstance(message, SalesCounted):
        return _hear(message, ctx)
    for _ in range(8):
        known = _known(ctx)
        if sum(known.values()) >= message.north + message.south:
            return known
        await ctx.sleep(0.1)
    return Refused("not yet")


async def one_of_them_is_enough(message, ctx):
    if isinstance(message, SalesCounted):
        return _hear(message, ctx)
    for _ in range(8):
        known = _known(ctx)
        if known["north"] >= message.north or known["south"] >= message.south:
            return known
        await ctx.sleep(0.1)
    return Refused("not yet")


async def old_data_when_the_time_is_over(message, ctx):
    if isinstance(message, SalesCounted):
        return _hear(message, ctx)
    for _ in range(8):
        if _enough(known := _known(ctx), message):
            break
        await ctx.sleep(0.1)
    return known


async def by_the_clock(message, ctx):
    """Answers what was heard in the last half second, as if that were new enough."""
    if isinstance(message, SalesCounted):
        with ctx.database as db:
            change = "update sold set pieces = max(pieces, ?), at = ? where shop = ?"
            db.execute(change, (message.pieces, message.at, message.shop))
        return None
    for _ in range(8):
        with ctx.database as db:
            if ctx.now - db.execute("select max(at) from sold").fetchone()[0] < 0.5:
                return dict(db.execute(KNOWN).fetchall())
        await ctx.sleep(0.1)
    return Refused("not yet")


async def refuses_at_once(message, ctx):
    if isinstance(message, SalesCounted):
        return _hear(message, ctx)
    known = _known(ctx)
    return known if _enough(known, message) else Refused("not yet")


async def refuses_everybody(message, ctx):
    if isinstance(message, SalesCounted):
        return _hear(message, ctx)
    return Refused("come again tomorrow")


async def sleeps_first(message, ctx):
    if isinstance(message, SalesCounted):
        return _hear(message, ctx)
    await ctx.sleep(0.8)
    known = _known(ctx)
    return known if _enough(known, message) else Refused("not yet")


async def waits_for_the_whole_time(message, ctx):
    if isinstance(message, SalesCounted):
        return _hear(message, ctx)
    if not _enough(_known(ctx), message):
        await ctx.sleep(0.8)
    known = _known(ctx)
    return known if _enough(known, message) else Refused("not yet")


async def waits_for_ever(message, ctx):
    if isinstance(message, SalesCounted):
        return _hear(message, ctx)
    while not _enough(known := _known(ctx), message):
        await ctx.sleep(0.1)
    return known


async def raises_when_the_time_is_over(message, ctx):
    if isinstance(message, SalesCounted):
        return _hear(message, ctx)
    answer = await _answer(message, ctx)
    if not isinstance(answer, dict):
        raise Unanswered("north", "SalesCounted", 0.8)
    return answer


async def only_the_stock(message, ctx):
    if isinstance(message, SalesCounted):
        return _hear(message, ctx)
    answer = await _answer(message, ctx)
    return sum(answer.values()) if isinstance(answer, dict) else answer


async def forgets_to_return(message, ctx):
    if isinstance(message, SalesCounted):
        return _hear(message, ctx)
    await _answer(message, ctx)


async def an_older_total_is_an_error(message, ctx):
    if isinstance(message, SalesCounted):
        if message.pieces < _known(ctx)[message.shop]:
            raise ValueError("out of order")
        return _hear(message, ctx)
    return await _answer(message, ctx)


async def each_total_comes_once(message, ctx):
    if isinstance(message, SalesCounted):
        with ctx.database as db:
            db.execute("create table if not exists heard (id text primary key)")
            db.execute("insert into heard values (?)", (f"{message.shop}-{message.pieces}",))
        return _hear(message, ctx)
    return await _answer(message, ctx)


def _hears(change):
    """A handler that answers rightly, and changes the row of a shop in this way."""

    async def handler(message, ctx):
        if not isinstance(message, SalesCounted):
            return await _answer(message, ctx)
        with ctx.database as db:
            names = {"pieces": message.pieces, "at": message.at, "shop": message.shop}
            db.execute(f"update sold set pieces = :pieces, at = :at where {change}", names)

    return handler


async def the_later_one_wins(message, ctx):
    """Compares the times, which one shop's replicas may share."""
    return await _hears("shop = :shop and at < :at")(message, ctx)


async def later_and_higher(message, ctx):
    return await _hears("shop = :shop and at < :at and pieces < :pieces")(message, ctx)


async def read_before_it_is_written(message, ctx):
    """Compares in one transaction and writes in the next."""
    if not isinstance(message, SalesCounted):
        return await _answer(message, ctx)
    if _known(ctx)[message.shop] < message.pieces:
        await ctx.sleep(0)
        return await _hears("shop = :shop")(message, ctx)


async def what_she_has_seen_or_more(message, ctx):
    """Nobody waits: where the shop knows less than the customer, she gets her own number."""
    if isinstance(message, SalesCounted):
        return _hear(message, ctx)
    return {shop: max(n, getattr(message, shop)) for shop, n in _known(ctx).items()}


async def hears_it_from_the_customer(message, ctx):
    if isinstance(message, SalesCounted):
        return _hear(message, ctx)
    with ctx.database as db:
        for shop in ("north", "south"):
            db.execute(HIGHER, (getattr(message, shop), shop))
    return _known(ctx)


async def any_news_will_do(message, ctx):
    """Waits until something changes, and doesn't look at what."""
    if isinstance(message, SalesCounted):
        return _hear(message, ctx)
    if _enough(first := _known(ctx), message):
        return first
    for _ in range(8):
        await ctx.sleep(0.1)
        if (known := _known(ctx)) != first:
            return known
    return Refused("no news")


async def asked_once(message, ctx):
    """Reads the table before the loop, and waits for what can't change."""
    if isinstance(message, SalesCounted):
        return _hear(message, ctx)
    known = _known(ctx)
    for _ in range(8):
        if _enough(known, message):
            return known
        await ctx.sleep(0.1)
    return Refused("not yet")


RIGHT_2 = [
    raises_the_row,
    every_total_in_a_table_of_its_own,
    an_upsert,
    asks_the_table_whether_it_is_enough,
    asks_the_other_shop,
]
WRONG_2 = {
    "a total not heard of": [
        adds,
        the_higher_for_both,
        what_she_has_seen_or_more,
        hears_it_from_the_customer,
    ],
    "an older total wins": [the_last_one_wins, read_before_it_is_written],
    "a sale is missing": [
        in_memory,
        the_newest_of_both_shops,
        the_later_one_wins,
        later_and_higher,
        hears_nothing,
        an_echo,
    ],
    "read your writes": [
        answers_at_once,
        one_number_for_both,
        one_of_them_is_enough,
        any_news_will_do,
    ],
    "monotonic reads": [old_data_when_the_time_is_over],
    "refused needlessly": [by_the_clock, refuses_at_once, refuses_everybody, asked_once],
    "no answer in time": [
        sleeps_first,
        waits_for_the_whole_time,
        waits_for_ever,
        raises_when_the_time_is_over,
        only_the_stock,
        forgets_to_return,
    ],
    "a dead letter": [each_total_comes_once],
    "raises": [an_older_total_is_an_error],
}


# -- 09.3

TAKE = "update share set pieces = pieces - ?"
GIVE = "update share set pieces = pieces + ?"
NOTE = "insert or ignore into moved values (?, ?)"


def _share(db):
    return db.execute("select pieces from share").fetchone()[0]


def _sell(order, ctx):
    with ctx.database as db:
        if db.execute("select 1 from sales where order_id = ?", (order.order_id,)).fetchone():
            return "sold"
        if _share(db) < order.pieces:
            return Refused("not in our share")
        db.execute(TAKE, (order.pieces,))
        db.execute("insert into sales values (?, ?)", (order.order_id, order.pieces))
    return "sold"


def _receive(event, ctx):
    with ctx.database as db:
        if db.execute(NOTE, (event.transfer_id, None)).rowcount:
            db.execute(GIVE, (event.pieces,))


def _event(command):
    return PiecesMoved(transfer_id=command.transfer_id, pieces=command.pieces)


async def _hand_over(command, ctx):
    with ctx.database as db:
        find = "select event from moved where transfer_id = ?"
        row = db.execute(find, (command.transfer_id,)).fetchone()
        if row is None:
            if _share(db) < command.pieces:
                return
            row = (ctx.envelope(_event(command)),)
            db.execute(TAKE, (command.pieces,))
            db.execute(NOTE, (command.transfer_id, *row))
    await ctx.publish(row[0])


async def three_functions(message, ctx):
    if isinstance(message, PiecesMoved):
        return _receive(message, ctx)
    if isinstance(message, MovePieces):
        return await _hand_over(message, ctx)
    return _sell(message, ctx)


async def no_outbox_but_the_same_transfer(message, ctx):
    """Publishes a new event in each attempt: south knows it by its transfer_id."""
    match message:
        case SellInNorth() | SellInSouth():
            return _sell(message, ctx)
        case PiecesMoved():
            return _receive(message, ctx)
    with ctx.database as db:
        there = db.execute("select 1 from moved where transfer_id = ?", (message.transfer_id,))
        if not there.fetchone():
            take = f"{TAKE} where pieces >= ? returning pieces"
            if not db.execute(take, (message.pieces, message.pieces)).fetchone():
                return None
            db.execute("insert into moved (transfer_id) values (?)", (message.transfer_id,))
    return _event(message)


async def a_relay_at_the_end_of_each_message(message, ctx):
    """Whatever comes, all that waits in the outbox is published."""
    answer = None
    with ctx.database as db:
        db.execute("create table if not exists outbox (event text)")
        if isinstance(message, MovePieces):
            new = not db.execute(
                "select 1 from moved where transfer_id = ?", (message.transfer_id,)
            ).fetchone()
            if new and _share(db) >= message.pieces:
                event = ctx.envelope(_event(message))
                db.execute(TAKE, (message.pieces,))
                db.execute(NOTE, (message.transfer_id, None))
                db.execute("insert into outbox values (?)", (event,))
    if isinstance(message, PiecesMoved):
        _receive(message, ctx)
    elif not isinstance(message, MovePieces):
        answer = _sell(message, ctx)
    else:
        with ctx.database as db:
            waiting = [event for (event,) in db.execute("select event from outbox").fetchall()]
        for event in waiting:
            await ctx.publish(event)
            with ctx.database as db:
                db.execute("delete from outbox where event = ?", (event,))
    return answer


BOOK = "create table if not exists book (id text primary key, kind text, pieces int, event text)"


async def one_book_for_everything(message, ctx):
    """Adds up what was sold, moved away and received, and has no share that could be wrong."""
    event = None
    with ctx.database as db:
        db.execute(BOOK)
        total = "select (select pieces from share) + coalesce(sum(pieces), 0) from book"
        left = db.execute(total).fetchone()[0]
        id = getattr(message, "order_id", None) or message.transfer_id
        known = db.execute("select event from book where id = ?", (id,)).fetchone()
        if isinstance(message, PiecesMoved):
            row = id, "received", message.pieces, None
            db.execute("insert or ignore into book values (?, ?, ?, ?)", row)
        elif isinstance(message, MovePieces):
            event = known and known[0]
            if not known and left >= message.pieces:
                event = ctx.envelope(PiecesMoved(**message.model_dump()))
                row = id, "moved", -message.pieces, event
                db.execute("insert into book values (?, ?, ?, ?)", row)
        elif known:
            return "sold"
        elif left < message.pieces:
            return Refused(f"we have {left}")
        else:
            db.execute("insert into book values (?, ?, ?, null)", (id, "sold", -message.pieces))
            return "sold"
    if event:
        await ctx.publish(event)


def _kept(db):
    db.execute("create table if not exists kept (state text)")
    row = db.execute("select state from kept").fetchone()
    return json.loads(row[0]) if row else {"share": _share(db), "sold": [], "moved": {}}


async def a_dict_as_json(message, ctx):
    """Keeps one dict, which it reads and writes as a whole."""
    answer = None
    with ctx.database as db:
        state = _kept(db)
        if isinstance(message, SellInNorth | SellInSouth):
            if message.order_id not in state["sold"]:
                if state["share"] < message.pieces:
                    raise Refused("not enough")
                state["share"] -= message.pieces
                state["sold"].append(message.order_id)
            answer = "sold"
        elif message.transfer_id not in state["moved"]:
            comes = isinstance(message, PiecesMoved)
            if comes or state["share"] >= message.pieces:
                state["share"] += message.pieces if comes else -message.pieces
                state["moved"][message.transfer_id] = message.pieces
        db.execute("delete from kept")
        db.execute("insert into kept values (?)", (json.dumps(state),))
    if isinstance(message, MovePieces) and message.transfer_id in state["moved"]:
        return PiecesMoved(**message.model_dump())
    return answer


async def known_by_the_message(message, ctx):
    """South remembers ids of messages, which works as north publishes the same envelope again."""
    if isinstance(message, PiecesMoved):
        with ctx.database as db:
            if db.execute(NOTE, (ctx.message.id, None)).rowcount:
                db.execute(GIVE, (message.pieces,))
        return None
    if isinstance(message, MovePieces):
        return await _hand_over(message, ctx)
    return _sell(message, ctx)


def _trade(move=_hand_over, receive=_receive, sell=_sell):
    """A handler of these three."""

    async def trade(message, ctx):
        part = sell
        if isinstance(message, PiecesMoved):
            part = receive
        elif isinstance(message, MovePieces):
            part = move
        done = part(message, ctx)
        return await done if hasattr(done, "send") else done

    return trade


async def publish_then_take(command, ctx):
    with ctx.database as db:
        row = db.execute("select 1 from moved where transfer_id = ?", (command.transfer_id,))
        if row.fetchone() or _share(db) < command.pieces:
            return
    await ctx.publish(_event(command))
    with ctx.database as db:
        db.execute(TAKE, (command.pieces,))
        db.execute(NOTE, (command.transfer_id, None))


async def counted_down_by_the_receiver(command, ctx):
    """Nobody takes anything off in north."""
    with ctx.database as db:
        if _share(db) < command.pieces:
            return
    await ctx.publish(_event(command))


async def no_note_of_the_transfer(command, ctx):
    with ctx.database as db:
        if _share(db) < command.pieces:
            return
        db.execute(TAKE, (command.pieces,))
    await ctx.publish(_event(command))


async def published_once(command, ctx):
    """The first attempt publishes; if it crashes in between, nobody does."""
    with ctx.database as db:
        if _share(db) < command.pieces:
            return
        if not db.execute(NOTE, (command.transfer_id, None)).rowcount:
            return
        db.execute(TAKE, (command.pieces,))
    await ctx.publish(_event(command))


async def catches_the_broker(command, ctx):
    try:
        await published_once(command, ctx)
    except PublishFailed:
        ctx.note("the broker is down")


async def noted_and_taken_apart(command, ctx):
    with ctx.database as db:
        if _share(db) < command.pieces:
            return
        new = db.execute(NOTE, (command.transfer_id, None)).rowcount
    if new:
        with ctx.database as db:
            db.execute(TAKE, (command.pieces,))
    await ctx.publish(_event(command))


async def more_than_it_has(command, ctx):
    """The share may be negative."""
    with ctx.database as db:
        if db.execute(NOTE, (command.transfer_id, None)).rowcount:
            db.execute(TAKE, (command.pieces,))
    await ctx.publish(_event(command))


async def as_many_as_there_are(command, ctx):
    with ctx.database as db:
        find = "select event from moved where transfer_id = ?"
        row = db.execute(find, (command.transfer_id,)).fetchone()
        if row is None:
            some = min(_share(db), command.pieces)
            event = PiecesMoved(transfer_id=command.transfer_id, pieces=some)
            row = (ctx.envelope(event),)
            db.execute(TAKE, (some,))
            db.execute(NOTE, (command.transfer_id, *row))
    await ctx.publish(row[0])


async def published_within(command, ctx):
    """The event is out, also if what was saved is rolled back."""
    with ctx.database as db:
        if db.execute(NOTE, (command.transfer_id, None)).rowcount:
            if _share(db) < command.pieces:
                raise Refused("too small")
            db.execute(TAKE, (command.pieces,))
        await ctx.publish(_event(command))


async def given_back(command, ctx):
    """Undoes it all if the broker doesn't confirm, although the event may be there."""
    try:
        await _hand_over(command, ctx)
    except PublishFailed:
        with ctx.database as db:
            db.execute(GIVE, (command.pieces,))
            db.execute("delete from moved where transfer_id = ?", (command.transfer_id,))
        raise


async def under_a_new_id(command, ctx):
    with ctx.database as db:
        if _share(db) < command.pieces:
            return
        db.execute(TAKE, (command.pieces,))
    await ctx.publish(PiecesMoved(transfer_id=ctx.new_id(), pieces=command.pieces))


async def keeps_it_all(command, ctx):
    """South starts with its share, and gets no more."""


def added_every_time(event, ctx):
    with ctx.database as db:
        db.execute(GIVE, (event.pieces,))


def added_and_noted_apart(event, ctx):
    with ctx.database as db:
        there = db.execute("select 1 from moved where transfer_id = ?", (event.transfer_id,))
        if there.fetchone():
            return
        db.execute(GIVE, (event.pieces,))
    with ctx.database as db:
        db.execute(NOTE, (event.transfer_id, None))


def noted_and_added_apart(event, ctx):
    with ctx.database as db:
        new = db.execute(NOTE, (event.transfer_id, None)).rowcount
    if new:
        with ctx.database as db:
            db.execute(GIVE, (event.pieces,))


def known_in_memory(event, ctx):
    if event.transfer_id not in ctx.state:
        ctx.state[event.transfer_id] = True
        with ctx.database as db:
            db.execute(GIVE, (event.pieces,))


def known_by_its_size(event, ctx):
    with ctx.database as db:
        if db.execute(NOTE, (str(event.pieces), None)).rowcount:
            db.execute(GIVE, (event.pieces,))


def a_second_transfer_is_an_error(event, ctx):
    with ctx.database as db:
        db.execute("insert into moved values (?, null)", (event.transfer_id,))
        db.execute(GIVE, (event.pieces,))


async def anew_by_message(message, ctx):
    """A new event in each attempt, which south tells apart by the id of the message."""
    if isinstance(message, PiecesMoved):
        return await known_by_the_message(message, ctx)
    return await no_outbox_but_the_same_transfer(message, ctx)


def sells_what_it_has_not(order, ctx):
    with ctx.database as db:
        if not db.execute("select 1 from sales where order_id = ?", (order.order_id,)).fetchone():
            db.execute(TAKE, (order.pieces,))
            db.execute("insert into sales values (?, ?)", (order.order_id, order.pieces))
    return "sold"


def refuses_all(order, ctx):
    return Refused("closed")


def keeps_the_last_piece(order, ctx):
    with ctx.database as db:
        if _share(db) <= order.pieces:
            return Refused("not enough")
    return _sell(order, ctx)


def without_a_note(order, ctx):
    with ctx.database as db:
        if _share(db) < order.pieces:
            return Refused("not enough")
        db.execute(TAKE, (order.pieces,))
    return "sold"


def sold_in_two_steps(order, ctx):
    with ctx.database as db:
        there = db.execute("select 1 from sales where order_id = ?", (order.order_id,))
        if there.fetchone():
            return "sold"
        if _share(db) < order.pieces:
            return Refused("not enough")
        db.execute(TAKE, (order.pieces,))
    with ctx.database as db:
        db.execute("insert into sales values (?, ?)", (order.order_id, order.pieces))
    return "sold"


async def share_read_before(order, ctx):
    """The share is read in one transaction and written in another, with a wait in between."""
    with ctx.database as db:
        share = _share(db)
        if db.execute("select 1 from sales where order_id = ?", (order.order_id,)).fetchone():
            return "sold"
    if share < order.pieces:
        return Refused("not enough")
    await ctx.sleep(0.01)
    with ctx.database as db:
        db.execute("update share set pieces = ?", (share - order.pieces,))
        db.execute("insert into sales values (?, ?)", (order.order_id, order.pieces))
    return "sold"


def refuses_before_it_looks(order, ctx):
    """An order that is asked for again is refused if nothing is left."""
    with ctx.database as db:
        if _share(db) < order.pieces:
            return Refused("not enough")
    return _sell(order, ctx)


async def waits_for_pieces(order, ctx):
    for _ in range(5):
        if not isinstance(answer := _sell(order, ctx), Refused):
            return answer
        await ctx.sleep(0.1)
    return answer


def answers_yes(order, ctx):
    return not isinstance(_sell(order, ctx), Refused)


def a_repeated_order_raises(order, ctx):
    with ctx.database as db:
        if _share(db) < order.pieces:
            return Refused("not enough")
        db.execute(TAKE, (order.pieces,))
        db.execute("insert into sales values (?, ?)", (order.order_id, order.pieces))
    return "sold"


def _named(function):
    """A handler under the name of the part that is wrong in it."""
    kind = "receive" if function in RECEIVE else "sell" if function in SELL else "move"
    trade = _trade(**{kind: function})
    trade.__name__ = function.__name__
    return trade


RECEIVE = [
    added_every_time,
    added_and_noted_apart,
    noted_and_added_apart,
    known_in_memory,
    known_by_its_size,
    a_second_transfer_is_an_error,
]
SELL = [
    sells_what_it_has_not,
    refuses_all,
    keeps_the_last_piece,
    without_a_note,
    sold_in_two_steps,
    share_read_before,
    refuses_before_it_looks,
    waits_for_pieces,
    answers_yes,
    a_repeated_order_raises,
]
RIGHT_3 = [
    three_functions,
    no_outbox_but_the_same_transfer,
    a_relay_at_the_end_of_each_message,
    one_book_for_everything,
    a_dict_as_json,
    known_by_the_message,
]
WRONG_3 = {
    name: [function if function is anew_by_message else _named(function) for function in wrong]
    for name, wrong in {
        "kept and moved": [
            publish_then_take,
            counted_down_by_the_receiver,
            noted_and_taken_apart,
            published_within,
            given_back,
        ],
        "moved twice": [
            no_note_of_the_transfer,
            added_every_time,
            added_and_noted_apart,
            anew_by_message,
        ],
        "lost on the way": [
            published_once,
            catches_the_broker,
            noted_and_added_apart,
            known_in_memory,
            known_by_its_size,
        ],
        "a wrong transfer": [more_than_it_has, as_many_as_there_are, under_a_new_id, keeps_it_all],
        "a dead letter": [a_second_transfer_is_an_error],
        "sold without a share": [sells_what_it_has_not, share_read_before],
        "refused with pieces enough": [refuses_all, keeps_the_last_piece],
        "an order that comes again": [without_a_note, sold_in_two_steps, refuses_before_it_looks],
        "no answer at once": [a_repeated_order_raises, waits_for_pieces, answers_yes],
    }.items()
}

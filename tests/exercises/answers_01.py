"""Answers to the exercises of lesson 01 as learners write them: right ones, and wrong ones by the anomaly they have."""

from contextlib import suppress

from edalab import Unanswered
from edalab.exercises.lesson_01_system import GetUser, GetUserAt, UserRegistered, WriteLater

# -- 01.1


def counted():
    at, questions, pause = 0, 1, 0.5
    while at < 35:
        at, questions, pause = at + 1 + pause, questions + 1, pause * 2
    return questions, "b"


def a_list():
    return [7.0, "b"]


def with_names():
    questions, reason = 7, "b"
    return questions, reason


def as_in_the_lesson():
    return 5, "b"


def one_too_few():
    return 6, "b"


def one_for_each_second():
    return 35, "a"


def without_the_wait():
    return 8, "b"


def with_a_fixed_pause():
    return 25, "b"


def kept_in_a_queue():
    return 1, "c"


def none():
    return 0, "b"


def wrong_reason_a():
    return 7, "a"


def wrong_reason_c():
    return 7, "c"


def wrong_reason_d():
    return 7, "d"


def no_such_reason():
    return 7, "e"


def by_the_sum_of_the_pauses():
    """Question n + 1 comes n s of waiting and 0.5 + 1 + 2 + … s of pauses after the first."""
    return next(n + 1 for n in range(100) if n + 0.5 * (2**n - 1) >= 35), "B."


RIGHT_1 = [counted, a_list, with_names, by_the_sum_of_the_pauses]
WRONG_1 = {
    "too few questions": [as_in_the_lesson, one_too_few, kept_in_a_queue],
    "more than needed": [one_for_each_second, without_the_wait, with_a_fixed_pause],
    "another reason": [wrong_reason_a, wrong_reason_c, wrong_reason_d],
    "no value and reason": [no_such_reason, none],
}


# -- 01.2


async def patiently(ctx, question):
    for pause in (0.5, 1, 2, 4):
        try:
            return await ctx.ask(question)
        except Unanswered:
            await ctx.sleep(pause)
    return await ctx.ask(question)


def insert_once(ctx, user, email):
    with ctx.database as db:
        if not db.execute("select 1 from letters where userId = ?", (user,)).fetchall():
            db.execute("insert into letters values (?, ?)", (user, email))


async def with_the_lessons_helper(event, ctx):
    user = await patiently(ctx, GetUserAt(userId=event.userId, at=event.timestamp))
    insert_once(ctx, event.userId, user["email"])


async def looks_first(event, ctx):
    """Asks only if there is no letter yet."""
    with ctx.database as db:
        if db.execute("select 1 from letters where userId = ?", (event.userId,)).fetchone():
            return
    email = None
    while email is None:
        try:
            email = (
                await ctx.ask(GetUserAt(userId=event.userId, at=event.timestamp), timeout=0.4)
            )["email"]
        except TimeoutError:
            await ctx.sleep(0.4)
    with ctx.database as db:
        db.execute("insert into letters values (?, ?)", (event.userId, email))


async def one_long_question(registered, context):
    """More than needed: a table of its own, and a statement that inserts where nothing is."""
    for timeout in (2, 4, 8):
        try:
            answer = await context.ask(
                GetUserAt(userId=registered.userId, at=registered.timestamp), timeout=timeout
            )
        except Unanswered:
            context.note("again")
        else:
            break
    else:
        raise Unanswered("nobody answered")
    with context.database as db:
        db.execute("create table if not exists seen (id text primary key)")
        new = db.execute("insert or ignore into seen values (?)", (registered.userId,)).rowcount
        if new:
            db.execute(
                "insert into letters values (:user, :email)",
                {"user": registered.userId, "email": answer["email"]},
            )


async def asks_once(event, ctx):
    user = await ctx.ask(GetUserAt(userId=event.userId, at=event.timestamp))
    insert_once(ctx, event.userId, user["email"])


async def gives_up(event, ctx):
    try:
        user = await ctx.ask(GetUserAt(userId=event.userId, at=event.timestamp))
    except Unanswered:
        return
    insert_once(ctx, event.userId, user["email"])


async def asks_for_now(event, ctx):
    user = await patiently(ctx, GetUser(userId=event.userId))
    insert_once(ctx, event.userId, user["email"])


async def as_of_now(event, ctx):
    user = await patiently(ctx, GetUserAt(userId=event.userId, at=ctx.now))
    insert_once(ctx, event.userId, user["email"])


async def does_not_look(event, ctx):
    user = await patiently(ctx, GetUserAt(userId=event.userId, at=event.timestamp))
    with ctx.database as db:
        db.execute("insert into letters values (?, ?)", (event.userId, user["email"]))


async def remembers_in_memory(event, ctx):
    if event.userId in ctx.state:
        return
    await does_not_look(event, ctx)
    ctx.state[event.userId] = True


async def remembers_too_early(event, ctx):
    """Notes that it has written before it has."""
    with ctx.database as db:
        db.execute("create table if not exists done (userId text primary key)")
        if not db.execute("insert or ignore into done values (?)", (event.userId,)).rowcount:
            return
    await does_not_look(event, ctx)


async def writes_to_nowhere(event, ctx):
    try:
        user = await patiently(ctx, GetUserAt(userId=event.userId, at=event.timestamp))
    except Unanswered:
        user = {"email": "unknown"}
    with ctx.database as db:
        db.execute("insert into letters values (?, ?)", (event.userId, user.get("mail", "unknown")))


def guesses(event, ctx):
    """From what the picture shows."""
    insert_once(ctx, event.userId, f"{event.userId}@home")


async def forgets_to_await(event, ctx):
    user = ctx.ask(GetUserAt(userId=event.userId, at=event.timestamp))
    insert_once(ctx, event.userId, user["email"])


async def always_five_times(event, ctx):
    for _ in range(5):
        try:
            user = await ctx.ask(GetUserAt(userId=event.userId, at=event.timestamp))
        except Unanswered:
            await ctx.sleep(1)
    insert_once(ctx, event.userId, user["email"])


async def by_class(event, ctx):
    match event:
        case UserRegistered(userId=user, timestamp=moment):
            answer = await patiently(ctx, GetUserAt(userId=user, at=moment))
            insert_once(ctx, user, answer["email"])


async def by_the_id_of_the_event(event, ctx):
    """The owner may publish the same registration twice, with two ids."""
    with ctx.database as db:
        db.execute("create table if not exists seen (id text primary key)")
        if db.execute("select 1 from seen where id = ?", (ctx.message.id,)).fetchone():
            return
    user = await patiently(ctx, GetUserAt(userId=event.userId, at=event.timestamp))
    with ctx.database as db:
        db.execute("insert into seen values (?)", (ctx.message.id,))
        db.execute("insert into letters values (?, ?)", (event.userId, user["email"]))


async def looks_the_wrong_way_round(event, ctx):
    user = await patiently(ctx, GetUserAt(userId=event.userId, at=event.timestamp))
    with ctx.database as db:
        if db.execute("select 1 from letters where userId = ?", (event.userId,)).fetchone():
            db.execute("insert into letters values (?, ?)", (event.userId, user["email"]))


async def looks_for_any_letter(event, ctx):
    with ctx.database as db:
        if db.execute("select 1 from letters").fetchone():
            return
    await does_not_look(event, ctx)


async def asks_both_questions(event, ctx):
    user = await patiently(ctx, GetUserAt(userId=event.userId, at=event.timestamp))
    await patiently(ctx, GetUser(userId=event.userId))
    insert_once(ctx, event.userId, user["email"])


async def saves_the_whole_answer(event, ctx):
    user = await patiently(ctx, GetUserAt(userId=event.userId, at=event.timestamp))
    insert_once(ctx, event.userId, user)


async def asks_in_the_transaction(event, ctx):
    with ctx.database as db:
        user = await ctx.ask(GetUserAt(userId=event.userId, at=event.timestamp))
        db.execute("insert into letters values (?, ?)", (event.userId, user["email"]))


async def takes_a_letter_back(event, ctx):
    user = await patiently(ctx, GetUserAt(userId=event.userId, at=event.timestamp))
    with ctx.database as db:
        db.execute("delete from letters where userId = ?", (event.userId,))
        db.execute("insert into letters values (?, ?)", (event.userId, user["email"]))


async def one_letter_to_each_address(event, ctx):
    user = await patiently(ctx, GetUserAt(userId=event.userId, at=event.timestamp))
    with ctx.database as db:
        if not db.execute("select 1 from letters where email = ?", (user["email"],)).fetchone():
            db.execute("insert into letters values (?, ?)", (event.userId, user["email"]))


async def gives_up_in_silence(event, ctx):
    try:
        user = await patiently(ctx, GetUserAt(userId=event.userId, at=event.timestamp))
    except Unanswered:
        return
    insert_once(ctx, event.userId, user["email"])


async def as_of_the_beginning(event, ctx):
    user = await patiently(ctx, GetUserAt(userId=event.userId, at=0))
    insert_once(ctx, event.userId, user["email"])


async def puts_the_name_into_the_statement(event, ctx):
    with ctx.database as db:
        if db.execute(f"select 1 from letters where userId = '{event.userId}'").fetchone():
            return
    await does_not_look(event, ctx)


async def notes_in_a_transaction_of_its_own(event, ctx):
    """A crash between the two transactions leaves the note without the letter."""
    user = await patiently(ctx, GetUserAt(userId=event.userId, at=event.timestamp))
    with ctx.database as db:
        db.execute("create table if not exists sent (userId text primary key)")
        if not db.execute("insert or ignore into sent values (?)", (event.userId,)).rowcount:
            return
    insert_once(ctx, event.userId, user["email"])


async def gives_up_by_another_exception(event, ctx):
    try:
        user = await ctx.ask(GetUserAt(userId=event.userId, at=event.timestamp))
    except Unanswered as silence:
        raise RuntimeError("no answer") from silence
    insert_once(ctx, event.userId, user["email"])


async def falls_out_of_the_loop(event, ctx):
    """After the last question it goes on without an answer."""
    for pause in (0.5, 1, 2, 4):
        try:
            user = await ctx.ask(GetUserAt(userId=event.userId, at=event.timestamp))
            break
        except Unanswered:
            await ctx.sleep(pause)
    insert_once(ctx, event.userId, user["email"])


async def goes_on_with_none(event, ctx):
    user = None
    with suppress(Unanswered):
        user = await patiently(ctx, GetUserAt(userId=event.userId, at=event.timestamp))
    insert_once(ctx, event.userId, user["email"])


async def swaps_the_columns(event, ctx):
    user = await patiently(ctx, GetUserAt(userId=event.userId, at=event.timestamp))
    insert_once(ctx, user["email"], event.userId)


async def ignores_nothing(event, ctx):
    """There is no unique key on letters."""
    user = await patiently(ctx, GetUserAt(userId=event.userId, at=event.timestamp))
    with ctx.database as db:
        letter = event.userId, user["email"]
        db.execute("insert or ignore into letters values (?, ?)", letter)


async def asks_for_now_in_the_end(event, ctx):
    try:
        user = await patiently(ctx, GetUserAt(userId=event.userId, at=event.timestamp))
    except Unanswered:
        user = await patiently(ctx, GetUser(userId=event.userId))
    insert_once(ctx, event.userId, user["email"])


async def as_of_a_little_later(event, ctx):
    user = await patiently(ctx, GetUserAt(userId=event.userId, at=event.timestamp + 0.4))
    insert_once(ctx, event.userId, user["email"])


async def writes_to_nobody(event, ctx):
    try:
        user = await patiently(ctx, GetUserAt(userId=event.userId, at=event.timestamp))
    except Unanswered:
        user = {"email": None}
    insert_once(ctx, event.userId, user["email"])


RIGHT_2 = [by_class, with_the_lessons_helper, looks_first, one_long_question]
WRONG_2 = {
    "given up": [asks_once, gives_up, gives_up_by_another_exception],
    "noted too early": [remembers_too_early, notes_in_a_transaction_of_its_own],
    "never written to": [
        looks_the_wrong_way_round,
        looks_for_any_letter,
        one_letter_to_each_address,
        swaps_the_columns,
    ],
    "another address": [
        writes_to_nobody,
        asks_for_now,
        asks_for_now_in_the_end,
        as_of_now,
        as_of_a_little_later,
        as_of_the_beginning,
        writes_to_nowhere,
        guesses,
    ],
    "forgotten": [gives_up_in_silence],
    "written to twice": [
        does_not_look,
        remembers_in_memory,
        by_the_id_of_the_event,
        ignores_nothing,
    ],
    "asked in vain": [always_five_times, asks_both_questions],
    "a dead letter": [takes_a_letter_back, falls_out_of_the_loop, goes_on_with_none],
    "misuse": [forgets_to_await, asks_in_the_transaction],
    "raises": [saves_the_whole_answer, puts_the_name_into_the_statement],
}


# -- 01.3


async def returns_it(message, ctx):
    """What a handler returns is sent as well, but at once."""
    try:
        user = await ctx.ask(GetUserAt(userId=message.userId, at=message.timestamp), timeout=3)
    except Unanswered:
        return WriteLater(userId=message.userId, timestamp=message.timestamp)
    insert_once(ctx, message.userId, user["email"])


async def twice_and_then_later(message, ctx):
    question = GetUserAt(userId=message.userId, at=message.timestamp)
    for _ in range(2):
        try:
            user = await ctx.ask(question)
        except Unanswered:
            await ctx.sleep(0.5)
        else:
            return insert_once(ctx, message.userId, user["email"])
    await ctx.send(WriteLater(**message.model_dump()), after=10)


async def in_one_statement(message, ctx):
    try:
        user = await ctx.ask(GetUserAt(userId=message.userId, at=message.timestamp))
        with ctx.database as db:
            news = (message.userId, user["email"], message.userId)
            db.execute(
                "insert into letters select ?, ? where not exists (select 1 from letters where userId = ?)",
                news,
            )
    except TimeoutError:
        await ctx.send(WriteLater(userId=message.userId, timestamp=message.timestamp), after=1)


async def asks_for_ever(message, ctx):
    while True:
        try:
            user = await ctx.ask(GetUserAt(userId=message.userId, at=message.timestamp))
            break
        except Unanswered:
            await ctx.sleep(5)
    insert_once(ctx, message.userId, user["email"])


async def only_once_later(message, ctx):
    """Puts it off, but not a second time."""
    try:
        user = await ctx.ask(GetUserAt(userId=message.userId, at=message.timestamp))
    except Unanswered:
        if type(message).__name__ == "WriteLater":
            raise
        await ctx.send(WriteLater(userId=message.userId, timestamp=message.timestamp), after=20)
        return
    insert_once(ctx, message.userId, user["email"])


async def as_of_later(message, ctx):
    try:
        user = await ctx.ask(GetUserAt(userId=message.userId, at=message.timestamp))
    except Unanswered:
        await ctx.send(WriteLater(userId=message.userId, timestamp=ctx.now), after=5)
        return
    insert_once(ctx, message.userId, user["email"])


async def later_without_looking(message, ctx):
    try:
        user = await ctx.ask(GetUserAt(userId=message.userId, at=message.timestamp))
    except Unanswered:
        await ctx.send(WriteLater(userId=message.userId, timestamp=message.timestamp), after=5)
        return
    with ctx.database as db:
        db.execute("insert into letters values (?, ?)", (message.userId, user["email"]))


async def later_and_goes_on(message, ctx):
    """Goes on without an answer, and fails."""
    try:
        user = await ctx.ask(GetUserAt(userId=message.userId, at=message.timestamp))
    except Unanswered:
        await ctx.send(WriteLater(userId=message.userId, timestamp=message.timestamp), after=5)
    insert_once(ctx, message.userId, user["email"])


async def by_its_class(message, ctx):
    match message:
        case UserRegistered(userId=user, timestamp=at) | WriteLater(userId=user, timestamp=at):
            pass
    try:
        answer = await ctx.ask(GetUserAt(userId=user, at=at))
    except Unanswered:
        if isinstance(message, UserRegistered | WriteLater):
            await ctx.send(WriteLater(userId=user, timestamp=at), after=5)
        return
    insert_once(ctx, user, answer["email"])


async def waits_and_fails(message, ctx):
    try:
        user = await ctx.ask(GetUserAt(userId=message.userId, at=message.timestamp))
    except Unanswered:
        await ctx.sleep(3)
        raise
    insert_once(ctx, message.userId, user["email"])


async def waits_for_a_minute(message, ctx):
    user = await ctx.ask(GetUserAt(userId=message.userId, at=message.timestamp), timeout=70)
    insert_once(ctx, message.userId, user["email"])


async def always_later(message, ctx):
    await ctx.send(WriteLater(userId=message.userId, timestamp=message.timestamp), after=60)


async def publishes_it_again(message, ctx):
    try:
        answer = await ctx.ask(GetUserAt(userId=message.userId, at=message.timestamp))
    except Unanswered:
        await ctx.publish(UserRegistered(userId=message.userId, timestamp=message.timestamp))
        return
    insert_once(ctx, message.userId, answer["email"])


async def sends_at_once(message, ctx):
    try:
        user = await ctx.ask(GetUserAt(userId=message.userId, at=message.timestamp))
    except Unanswered:
        await ctx.send(WriteLater(userId=message.userId, timestamp=message.timestamp))
        return
    insert_once(ctx, message.userId, user["email"])


async def sleeps_and_sends(message, ctx):
    try:
        user = await ctx.ask(GetUserAt(userId=message.userId, at=message.timestamp))
    except Unanswered:
        await ctx.sleep(1)
        await ctx.send(WriteLater(userId=message.userId, timestamp=message.timestamp))
        return
    insert_once(ctx, message.userId, user["email"])


async def at_most_30_times(message, ctx):
    with ctx.database as db:
        db.execute("create table if not exists tries (userId text)")
        db.execute("insert into tries values (?)", (message.userId,))
        tries = "select count(*) from tries where userId = ?"
        if db.execute(tries, (message.userId,)).fetchone()[0] > 30:
            return
    await by_its_class(message, ctx)


async def at_most_100_seconds(message, ctx):
    """In the end it lets Unanswered through, and leaves a dead letter."""
    try:
        user = await ctx.ask(GetUserAt(userId=message.userId, at=message.timestamp))
    except Unanswered:
        if ctx.now > message.timestamp + 100:
            raise
        await ctx.send(WriteLater(userId=message.userId, timestamp=message.timestamp), after=5)
        return
    insert_once(ctx, message.userId, user["email"])


async def later_is_not_caught(message, ctx):
    if isinstance(message, UserRegistered):
        return await by_its_class(message, ctx)
    await asks_once(message, ctx)


async def one_later_letter_to_each_address(message, ctx):
    try:
        await one_letter_to_each_address_asked_once(message, ctx)
    except Unanswered:
        await ctx.send(WriteLater(userId=message.userId, timestamp=message.timestamp), after=5)


async def one_letter_to_each_address_asked_once(message, ctx):
    user = await ctx.ask(GetUserAt(userId=message.userId, at=message.timestamp))
    with ctx.database as db:
        if not db.execute("select 1 from letters where email = ?", (user["email"],)).fetchone():
            db.execute("insert into letters values (?, ?)", (message.userId, user["email"]))


async def three_quick_tries(message, ctx):
    """Waits, but not for half a second."""
    for _ in range(3):
        try:
            user = await ctx.ask(GetUserAt(userId=message.userId, at=message.timestamp))
        except Unanswered:
            await ctx.sleep(0.1)
        else:
            return insert_once(ctx, message.userId, user["email"])
    await ctx.send(WriteLater(userId=message.userId, timestamp=message.timestamp), after=5)


async def two_for_one(message, ctx):
    """Each time without an answer it sends two commands, and they multiply."""
    try:
        user = await ctx.ask(GetUserAt(userId=message.userId, at=message.timestamp))
    except Unanswered:
        for seconds in (5, 10):
            later = WriteLater(userId=message.userId, timestamp=message.timestamp)
            await ctx.send(later, after=seconds)
        return
    insert_once(ctx, message.userId, user["email"])


async def two_a_little_later(message, ctx):
    """Two commands each time, which never meet within half a second."""
    try:
        user = await ctx.ask(GetUserAt(userId=message.userId, at=message.timestamp))
    except Unanswered:
        await ctx.sleep(0.5)
        for seconds in (5, 10):
            later = WriteLater(userId=message.userId, timestamp=message.timestamp)
            await ctx.send(later, after=seconds)
        return
    insert_once(ctx, message.userId, user["email"])


async def forgets_the_timestamp(message, ctx):
    try:
        user = await ctx.ask(GetUserAt(userId=message.userId, at=message.timestamp))
    except Unanswered:
        return await ctx.send(WriteLater(userId=message.userId), after=5)
    insert_once(ctx, message.userId, user["email"])


async def misnames_a_field(message, ctx):
    """After a loop, not where Unanswered is caught."""
    for _ in range(2):
        try:
            user = await ctx.ask(GetUserAt(userId=message.userId, at=message.timestamp))
        except Unanswered:
            await ctx.sleep(0.5)
        else:
            return insert_once(ctx, message.userId, user["email"])
    await ctx.send(WriteLater(userId=message.userId, timestamp=message.at), after=5)


async def cannot_send_and_hides_it(message, ctx):
    try:
        user = await ctx.ask(GetUserAt(userId=message.userId, at=message.timestamp))
    except Unanswered:
        with suppress(Exception):
            await ctx.send(WriteLater(**message.model_dump()), after=5)
        return
    insert_once(ctx, message.userId, user["email"])


async def notes_that_it_is_put_off(message, ctx):
    """Before it is."""
    if isinstance(message, UserRegistered) and message.userId in ctx.state:
        return
    try:
        user = await ctx.ask(GetUserAt(userId=message.userId, at=message.timestamp))
    except Unanswered:
        ctx.state[message.userId] = "put off"
        return await ctx.send(WriteLater(**message.model_dump()), after=5)
    insert_once(ctx, message.userId, user["email"])


async def sends_the_event(message, ctx):
    try:
        user = await ctx.ask(GetUserAt(userId=message.userId, at=message.timestamp))
    except Unanswered:
        return await ctx.send(message, after=5)
    insert_once(ctx, message.userId, user["email"])


async def later_even_when_written(message, ctx):
    try:
        user = await ctx.ask(GetUserAt(userId=message.userId, at=message.timestamp))
        insert_once(ctx, message.userId, user["email"])
    except Unanswered:
        await ctx.sleep(0.5)
    await ctx.send(WriteLater(**message.model_dump()), after=5)


async def puts_off_first(message, ctx):
    """One command each time, and it may turn out to be needless."""
    with ctx.database as db:
        if db.execute("select 1 from letters where userId = ?", (message.userId,)).fetchone():
            return
    await ctx.send(WriteLater(**message.model_dump()), after=6)
    with suppress(Unanswered):
        user = await ctx.ask(GetUserAt(userId=message.userId, at=message.timestamp))
        insert_once(ctx, message.userId, user["email"])


async def looks_up_when(message, ctx):
    """In a dict that does not know the command, which only the second time without an answer shows."""
    try:
        user = await ctx.ask(GetUserAt(userId=message.userId, at=message.timestamp))
    except Unanswered:
        seconds = {"UserRegistered": 5}[type(message).__name__]
        return await ctx.send(WriteLater(**message.model_dump()), after=seconds)
    insert_once(ctx, message.userId, user["email"])


async def takes_the_command_for_a_dict(message, ctx):
    if isinstance(message, WriteLater):
        message = UserRegistered(userId=message["userId"], timestamp=message["timestamp"])
    await by_its_class(message, ctx)


async def a_key_that_is_not_there(message, ctx):
    """Where the command is handled: no question has timed out by then."""
    if isinstance(message, WriteLater):
        ctx.note(f"attempt {ctx.state[message.userId]} for {message.userId}")
    await by_its_class(message, ctx)


RIGHT_3 = [
    by_its_class,
    sleeps_and_sends,
    at_most_100_seconds,
    twice_and_then_later,
    in_one_statement,
    puts_off_first,
]
WRONG_3 = {
    "given up": [
        with_the_lessons_helper,
        asks_once,
        gives_up,
        only_once_later,
        later_is_not_caught,
        waits_and_fails,
    ],
    "noted too early": [notes_that_it_is_put_off],
    "raises": [
        forgets_the_timestamp,
        misnames_a_field,
        looks_up_when,
        takes_the_command_for_a_dict,
        a_key_that_is_not_there,
    ],
    "misuse": [sends_the_event],
    "never written to": [one_later_letter_to_each_address],
    "forgotten": [at_most_30_times, cannot_send_and_hides_it],
    "no pause": [returns_it, sends_at_once, three_quick_tries, two_for_one, two_a_little_later],
    "others are held up": [asks_for_ever, waits_for_a_minute],
    "another address": [as_of_later],
    "written to twice": [later_without_looking],
    "a dead letter": [later_and_goes_on],
    "does not end": [always_later, later_even_when_written],
    "announced by mail": [publishes_it_again],
}

"""Answers to the exercises of lesson 12 as learners write them: right ones, and wrong ones by the anomaly they have."""

import math
import random

from edalab import Busy, Refused, Unanswered
from edalab.exercises.lesson_12_system import GetHealth, OrderPlaced, rush  # as in the notebook

# -- 12.1

FIGURES = rush(1)  # of those who have not enrolled
ARRIVALS, SERVICE, HAS, LASTS = FIGURES.values()
GROWS = ARRIVALS - HAS / SERVICE
ALL = math.ceil(ARRIVALS * SERVICE), GROWS * LASTS, 20 * SERVICE / HAS, "c"


def by_littles_law():
    return ALL


def as_a_list():
    return [float(ALL[0]), round(ALL[1]), round(ALL[2], 2), " (C) "]


async def asynchronous():
    return ALL


def by_counting():
    workers = 1
    while workers / SERVICE < ARRIVALS:
        workers += 1
    line, seconds = 0.0, 0
    while seconds < LASTS:
        line, seconds = line + ARRIVALS - HAS / SERVICE, seconds + 1
    return workers, line, 21 / (HAS / SERVICE), "c"


def rounded_down():
    return int(ARRIVALS * SERVICE), *ALL[1:]


def one_for_each_arrival():
    return ARRIVALS, *ALL[1:]


def one_is_enough():
    return 1, *ALL[1:]


def one_to_spare():
    return ALL[0] + 1, *ALL[1:]


def all_arrivals_wait():
    return ALL[0], ARRIVALS * LASTS, *ALL[2:]


def those_at_work():
    return ALL[0], ARRIVALS * SERVICE, *ALL[2:]


def with_the_needed_workers():
    return ALL[0], (ARRIVALS - ALL[0] / SERVICE) * -LASTS, *ALL[2:]


def one_after_the_other():
    return *ALL[:2], 20 * SERVICE, "c"


def with_its_own_answer():
    return *ALL[:2], 20 * SERVICE / HAS + SERVICE, "c"


def with_more_workers():
    return *ALL[:2], 20 * SERVICE / (HAS + 2), "c"


def slow_answers():
    return *ALL[:3], "a"


def a_storm_of_retries():
    return *ALL[:3], "b"


def too_few_places():
    return *ALL[:3], "d"


def a_part_of_a_worker():
    return ARRIVALS * SERVICE, *ALL[1:]


def only_numbers():
    return ALL[:3]


def words():
    return "five", *ALL[1:]


def no_such_reason():
    return *ALL[:3], "e"


RIGHT_1 = [by_littles_law, as_a_list, asynchronous, by_counting]
WRONG_1 = {
    "another number of workers": [rounded_down, one_is_enough, one_for_each_arrival, one_to_spare],
    "another line": [all_arrivals_wait, those_at_work, with_the_needed_workers],
    "another wait": [one_after_the_other, with_its_own_answer, with_more_workers],
    "another reason": [slow_answers, a_storm_of_retries, too_few_places],
    "not as asked for": [a_part_of_a_worker, only_numbers, words, no_such_reason],
}

# -- 12.2


def full_jitter(error, attempt, ctx):
    if isinstance(error, Refused):
        return "done"
    if not isinstance(error, Busy | Unanswered) or attempt >= 10:
        return "dead letter"
    return ctx.random.uniform(0, min(8, 0.5 * 2**attempt))


async def half_of_it_by_dice(error, attempt, ctx):
    match error:
        case Refused():
            return "done"
        case Busy() | Unanswered() if attempt < 10:
            longest = min(15, 2 ** (attempt - 1))
            return longest / 2 + ctx.random.random() * longest / 2
        case _:
            return "dead letter"


WAITS = [0.5, 1, 2, 4, 8, 8, 8, 8, 8]


def from_a_table(error, attempt, ctx):
    kind = type(error).__name__
    if kind == "Refused":
        return "done"
    if kind in ("Busy", "Unanswered") and attempt <= len(WAITS):
        return WAITS[attempt - 1] * ctx.random.uniform(0.5, 1.5)
    return "dead letter"


def one_more_second_each_time(error, attempt, ctx):
    """A line instead of a curve, and steps of the dice."""
    if isinstance(error, (Busy, Unanswered)):
        return attempt * ctx.random.randint(1, 200) / 100 if attempt != 10 else "dead letter"
    return "done" if not error and isinstance(error, Refused) else "dead letter"


def _else(error, attempt, ctx, wait):
    """What is right beside the wait."""
    if isinstance(error, Refused):
        return "done"
    if not isinstance(error, Busy | Unanswered) or attempt >= 10:
        return "dead letter"
    return wait


def returns_nothing(error, attempt, ctx):
    if isinstance(error, Busy | Unanswered):
        return ctx.random.uniform(0, 2**attempt)


def yes_or_no(error, attempt, ctx):
    return isinstance(error, Busy | Unanswered)


def a_word_of_its_own(error, attempt, ctx):
    wait = ctx.random.uniform(0, 2**attempt)
    return "drop" if isinstance(error, Refused) else _else(error, attempt, ctx, wait)


def a_refusal_is_a_failure(error, attempt, ctx):
    if isinstance(error, Busy | Unanswered) and attempt < 10:
        return ctx.random.uniform(0, min(8, 2**attempt))
    return "dead letter"


def a_refusal_may_pass(error, attempt, ctx):
    return ctx.random.uniform(0, min(8, 2**attempt)) if attempt < 10 else "dead letter"


def everything_three_times(error, attempt, ctx):
    if isinstance(error, Refused):
        return "done"
    return ctx.random.uniform(0, 2**attempt) if attempt < 3 else "dead letter"


def poison_for_ever(error, attempt, ctx):
    if isinstance(error, Refused):
        return "done"
    return ctx.random.uniform(0, min(8, 2**attempt))


def poison_is_thrown_away(error, attempt, ctx):
    if isinstance(error, Busy | Unanswered) and attempt < 10:
        return ctx.random.uniform(0, min(8, 2**attempt))
    return "done"


def busy_is_a_no(error, attempt, ctx):
    wait = ctx.random.uniform(0, min(8, 2**attempt))
    return "done" if isinstance(error, Busy) else _else(error, attempt, ctx, wait)


def it_was_charged(error, attempt, ctx):
    wait = ctx.random.uniform(0, min(8, 2**attempt))
    return "done" if isinstance(error, Unanswered) else _else(error, attempt, ctx, wait)


def in_doubt_a_person_looks(error, attempt, ctx):
    wait = ctx.random.uniform(0, min(8, 2**attempt))
    return "dead letter" if isinstance(error, Unanswered) else _else(error, attempt, ctx, wait)


def after_three(error, attempt, ctx):
    wait = ctx.random.uniform(0, 1)
    return _else(error, 10 if attempt == 3 else attempt, ctx, wait)


def at_once_again(error, attempt, ctx):
    return _else(error, attempt, ctx, 0)


def a_tenth_of_a_second(error, attempt, ctx):
    return _else(error, attempt, ctx, ctx.random.uniform(0.1, 0.3))


def for_ever(error, attempt, ctx):
    return _else(error, 1, ctx, ctx.random.uniform(0, min(8, 2**attempt)))


def eleven(error, attempt, ctx):
    return _else(error, attempt - 1, ctx, ctx.random.uniform(0, min(8, 2**attempt)))


def eleven_of_growing_length(error, attempt, ctx):
    return _else(error, attempt - 1, ctx, ctx.random.uniform(0.5, 1.5) * 2**attempt)


def no_dice(error, attempt, ctx):
    return _else(error, attempt, ctx, min(8, 0.5 * 2**attempt))


def a_little_dice(error, attempt, ctx):
    return _else(error, attempt, ctx, min(8, 0.5 * 2**attempt) + ctx.random.uniform(0, 0.02))


def dice_of_milliseconds(error, attempt, ctx):
    return _else(error, attempt, ctx, ctx.random.uniform(0.5, 1.5) * 0.01 * 2**attempt)


def always_the_same_dice(error, attempt, ctx):
    return _else(error, attempt, ctx, ctx.random.uniform(1, 3))


def shorter_and_shorter(error, attempt, ctx):
    return _else(error, attempt, ctx, ctx.random.uniform(0, 20 / attempt))


def dice_of_its_own(error, attempt, ctx):
    return _else(error, attempt, ctx, random.uniform(0, min(8, 2**attempt)))


def asks_the_error(error, attempt, ctx):
    return "done" if error.reason else _else(error, attempt, ctx, 1)


def without_a_bound(error, attempt, ctx):
    return _else(error, attempt, ctx, ctx.random.uniform(0.7, 1.3) * 2**attempt)


def raises_it_again(error, attempt, ctx):
    try:
        raise error
    except Refused:
        return "done"
    except (Busy, Unanswered):
        return "dead letter" if attempt == 10 else attempt + ctx.random.random()
    except Exception:
        return "dead letter"


def at_most_two_seconds(error, attempt, ctx):
    wait = min(2, 0.5 * 2**attempt) * ctx.random.uniform(0.5, 1.5)
    return _else(error, attempt, ctx, wait)


def by_what_they_are_made_of(error, attempt, ctx):
    """Takes every RuntimeError and TimeoutError for Busy and Unanswered."""
    if isinstance(error, Refused):
        return "done"
    if not isinstance(error, RuntimeError | TimeoutError) or attempt >= 10:
        return "dead letter"
    return ctx.random.uniform(0, min(8, 2**attempt))


def jitter_of_the_lesson(error, attempt, ctx):
    return _else(error, attempt, ctx, 0.5 * 2**attempt * ctx.random.uniform(0.5, 1.5))


def six_attempts_as_in_the_lesson(error, attempt, ctx):
    return jitter_of_the_lesson(error, 10 if attempt == 6 else attempt, ctx)


def a_minute_at_last(error, attempt, ctx):
    return _else(error, attempt, ctx, ctx.random.uniform(0.5, 1.5) * min(60, 2**attempt))


def twice_as_long_for_ever(error, attempt, ctx):
    return _else(error, 1, ctx, ctx.random.uniform(0.5, 1.5) * 0.5 * 2**attempt)


RIGHT_2 = [
    full_jitter,
    raises_it_again,
    at_most_two_seconds,
    half_of_it_by_dice,
    from_a_table,
    one_more_second_each_time,
]
WRONG_2 = {
    "not as asked for": [returns_nothing, yes_or_no, a_word_of_its_own],
    "a no is no failure": [a_refusal_is_a_failure, a_refusal_may_pass],
    "tried in vain": [
        everything_three_times,
        poison_for_ever,
        by_what_they_are_made_of,
    ],
    "an order vanishes": [poison_is_thrown_away, busy_is_a_no, it_was_charged],
    "gives up too early": [
        in_doubt_a_person_looks,
        after_three,
        at_once_again,
        a_tenth_of_a_second,
        six_attempts_as_in_the_lesson,
    ],
    "never gives up": [for_ever, twice_as_long_for_ever],
    "gives up too late": [eleven, eleven_of_growing_length],
    "waits too long": [jitter_of_the_lesson, without_a_bound, a_minute_at_last],
    "all at once": [no_dice, a_little_dice, dice_of_milliseconds],
    "does not back off": [always_the_same_dice, shorter_and_shorter],
    "two runs differ": [dice_of_its_own],
    "raises": [asks_the_error],
}

# -- 12.3

PASSING = "Unanswered", "Busy"


async def _well(ctx):
    while await ctx.ask(GetHealth()) != "well":
        await ctx.sleep(1)


async def first_the_hopeless(event, ctx):
    letter = ctx.message
    if not letter.reason.startswith(PASSING) or letter.redrives >= 3:
        raise ValueError(f"needs a person: {letter.reason}")
    await _well(ctx)
    await ctx.redrive()
    await ctx.sleep(0.5)


async def sleeps_before(event, ctx):
    """Looks at the order itself, and waits between asking and sending, too."""
    if not event.total.replace(".", "").isdigit():
        raise ValueError(event.total)
    if ctx.message.redrives == 3:
        raise RuntimeError(f"{event.order_id} was sent back three times")
    await ctx.sleep(0.5)
    while True:
        if await ctx.ask(GetHealth()) == "well":
            return await ctx.redrive()
        await ctx.sleep(2)


async def longer_each_time(event, ctx):
    """Waits longer for those that have died more often."""
    kind, _, _ = ctx.message.reason.partition(":")
    if kind in PASSING and ctx.message.redrives < 3:
        await ctx.sleep(1 + ctx.message.redrives)
        while (await ctx.ask(GetHealth())) == "ill":
            await ctx.sleep(0.5)
        await ctx.redrive()
    else:
        raise Exception(kind)


async def with_a_table(event, ctx):
    """Notes when it sent one back, in a table of its own."""
    if ctx.message.redrives > 2 or not ctx.message.reason.startswith(PASSING):
        raise ValueError("for a person")
    with ctx.database as db:
        db.execute("create table if not exists sent (at real)")
        last = db.execute("select max(at) from sent").fetchone()[0]
    if last is not None and ctx.now - last < 0.6:
        await ctx.sleep(last + 0.6 - ctx.now)
    await _well(ctx)
    with ctx.database as db:
        db.execute("insert into sent values (?)", (ctx.now,))
    await ctx.redrive()


async def just_returns(event, ctx):
    if ctx.message.reason.startswith(PASSING) and ctx.message.redrives < 3:
        await _well(ctx)
        await ctx.redrive()
        await ctx.sleep(0.5)


async def notes_it(event, ctx):
    ctx.note(ctx.message.reason)


async def catches_everything(event, ctx):
    try:
        await first_the_hopeless(event, ctx)
    except Exception as error:
        ctx.note(error)


async def whatever_it_died_of(event, ctx):
    if ctx.message.redrives >= 3:
        raise ValueError("for a person")
    await _well(ctx)
    await ctx.redrive()
    await ctx.sleep(0.5)


async def for_ever_and_ever(event, ctx):
    if not ctx.message.reason.startswith(PASSING):
        raise ValueError("for a person")
    await _well(ctx)
    await ctx.redrive()
    await ctx.sleep(0.5)


async def not_even_slowly(event, ctx):
    await ctx.redrive()


async def whatever_it_is(event, ctx):
    await _well(ctx)
    await ctx.redrive()
    await ctx.sleep(0.5)


async def once_too_often(event, ctx):
    if not ctx.message.reason.startswith(PASSING) or ctx.message.redrives > 3:
        raise ValueError("for a person")
    await _well(ctx)
    await ctx.redrive()
    await ctx.sleep(0.5)


async def by_the_attempts(event, ctx):
    """Takes the attempts of one life for the lives."""
    if not ctx.message.reason.startswith(PASSING) or ctx.message.attempts > 3:
        raise ValueError("for a person")
    await _well(ctx)
    await ctx.redrive()
    await ctx.sleep(0.5)


async def slowly_and_blindly(event, ctx):
    if not ctx.message.reason.startswith(PASSING) or ctx.message.redrives == 3:
        raise ValueError("for a person")
    await ctx.sleep(0.5)
    await ctx.redrive()


async def well_once(event, ctx):
    if not ctx.message.reason.startswith(PASSING) or ctx.message.redrives == 3:
        raise ValueError("for a person")
    if not ctx.state.get("well"):
        await _well(ctx)
        ctx.state["well"] = True
    await ctx.redrive()
    await ctx.sleep(0.5)


async def no_pause(event, ctx):
    if not ctx.message.reason.startswith(PASSING) or ctx.message.redrives == 3:
        raise ValueError("for a person")
    await _well(ctx)
    await ctx.redrive()


async def pauses_after_it_asked(event, ctx):
    if not ctx.message.reason.startswith(PASSING) or ctx.message.redrives == 3:
        raise ValueError("for a person")
    await _well(ctx)
    await ctx.sleep(0.5)
    await ctx.redrive()


async def at_a_fixed_time(event, ctx):
    """Knows from the evidence when the provider was well."""
    if not ctx.message.reason.startswith(PASSING) or ctx.message.redrives == 3:
        raise ValueError("for a person")
    await ctx.sleep(max(0.5, 18 - ctx.now))
    await ctx.redrive()


async def publishes_it_anew(event, ctx):
    if not ctx.message.reason.startswith(PASSING) or ctx.message.redrives == 3:
        raise ValueError("for a person")
    await _well(ctx)
    await ctx.publish(OrderPlaced(**event.model_dump()))
    await ctx.sleep(0.5)


async def returns_the_event(event, ctx):
    if not ctx.message.reason.startswith(PASSING):
        raise ValueError("for a person")
    await _well(ctx)
    await ctx.sleep(0.5)
    return event


async def to_make_sure(event, ctx):
    if not ctx.message.reason.startswith(PASSING) or ctx.message.redrives == 3:
        raise ValueError("for a person")
    await _well(ctx)
    for _ in range(2):
        await ctx.redrive()
        await ctx.sleep(0.5)


async def keeps_all(event, ctx):
    raise ValueError(ctx.message.reason)


async def raises_while_it_is_ill(event, ctx):
    if await ctx.ask(GetHealth()) != "well":
        raise RuntimeError("not yet")
    await first_the_hopeless(event, ctx)


async def one_chance(event, ctx):
    if not ctx.message.reason.startswith(PASSING) or ctx.message.redrives:
        raise ValueError("for a person")
    await _well(ctx)
    await ctx.redrive()
    await ctx.sleep(0.5)


async def dear_ones_later(event, ctx):
    letter = ctx.message
    if letter.reason.startswith(PASSING) and letter.attempt == 1 and float(event.total) > 12:
        raise RuntimeError("let the others go first")
    await first_the_hopeless(event, ctx)


async def half_a_minute_each(event, ctx):
    if not ctx.message.reason.startswith(PASSING) or ctx.message.redrives == 3:
        raise ValueError("for a person")
    await ctx.sleep(30)
    await _well(ctx)
    await ctx.redrive()


async def a_slip(event, ctx):
    if ctx.message.reson.startswith(PASSING):
        await ctx.redrive()


async def asks_without_end(event, ctx):
    letter = ctx.message
    if not letter.reason.startswith(PASSING) or letter.redrives >= 3:
        raise ValueError("for a person")
    while await ctx.ask(GetHealth()) != "well":
        await ctx.sleep(0.05)
    await ctx.redrive()
    await ctx.sleep(0.5)


async def looks_ten_times_a_second(event, ctx):
    letter = ctx.message
    if not letter.reason.startswith(PASSING) or letter.redrives >= 3:
        raise ValueError("for a person")
    while await ctx.ask(GetHealth()) != "well":
        await ctx.sleep(0.1)
    await ctx.redrive()
    await ctx.sleep(0.5)


async def no_answer_is_well(event, ctx):
    letter = ctx.message
    if not letter.reason.startswith(PASSING) or letter.redrives >= 3:
        raise ValueError("for a person")
    health = "ill"
    while health != "well":
        await ctx.sleep(0.6)
        try:
            health = await ctx.ask(GetHealth())
        except Unanswered:
            health = "well"
    await ctx.redrive()


async def no_answer_is_the_end(event, ctx):
    letter = ctx.message
    if not letter.reason.startswith(PASSING) or letter.redrives >= 3:
        raise ValueError("for a person")
    try:
        await _well(ctx)
    except Unanswered:
        return
    await ctx.redrive()
    await ctx.sleep(0.5)


async def the_first_of_each_later(event, ctx):
    first = ctx.state.setdefault(event.customer, event.order_id)
    if first == event.order_id and ctx.message.attempt == 1:
        raise RuntimeError("later")
    await first_the_hopeless(event, ctx)


RIGHT_3 = [
    first_the_hopeless,
    sleeps_before,
    longer_each_time,
    with_a_table,
    looks_ten_times_a_second,
]
WRONG_3 = {
    "a letter is dropped": [just_returns, notes_it, catches_everything, no_answer_is_the_end],
    "sent back in vain": [
        whatever_it_died_of,
        whatever_it_is,
        not_even_slowly,
        for_ever_and_ever,
        once_too_often,
        by_the_attempts,
    ],
    "sent back too early": [
        slowly_and_blindly,
        well_once,
        pauses_after_it_asked,
        at_a_fixed_time,
        no_answer_is_well,
    ],
    "all at once": [no_pause],
    "asks too often": [asks_without_end],
    "everybody gets it again": [publishes_it_anew, returns_the_event],
    "sent back twice": [to_make_sure],
    "kept in vain": [keeps_all, raises_while_it_is_ill, one_chance],
    "out of order": [dear_ones_later, the_first_of_each_later],
    "waits too long": [half_a_minute_each],
    "raises": [a_slip],
}

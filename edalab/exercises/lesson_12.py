"""Exercises of lesson 12: how many workers, what to do about each failure, and dead letters that are sent back."""

from typing import Any

from ..errors import Busy, Refused, Unanswered, shown
from ..practice.exercise import Anomaly, Exercise, explored, hints_of
from ..practice.explained import LETTERS, letter_in, number_in, of_returned
from . import lesson_12_system as shop
from .general import by_name
from .lesson_12_claims import brought_back, dealt_with

# -- 12.1


def four_values(returned: Any, name: str) -> tuple[int, float, float, str]:
    """Three numbers and a letter. Raises ValueError for anything else."""
    if not isinstance(returned, tuple | list) or len(returned) != 4:
        raise ValueError(f"{name} returned {shown(returned)}")
    workers = int(number_in(returned[0], "a whole number of workers", range(1, 1001)))
    line, wait = (number_in(value, "a number", (0, 1e6)) for value in returned[1:3])
    return workers, line, wait, letter_in(returned[3], LETTERS)


def calculated(values: tuple[int, float, float, str], variant: int) -> Anomaly | str:
    workers, line, wait, letter = values
    arrivals, service, has, lasts = shop.rush(variant).values()
    run, early = shop.played(variant, workers), lasts / 4
    if (end := shop.in_line(run, lasts)) > workers:
        middle = shop.in_line(run, lasts / 2)
        words = f"{middle} in line in the middle of the rush, {end} at its end"
        return Anomaly(
            "another number of workers", f"with {workers} workers there are {words}", run
        )
    if workers > 1 and shop.in_line(fewer := shop.played(variant, workers - 1), lasts) < workers:
        words = f"with {workers - 1} workers the line doesn't grow either"
        return Anomaly("another number of workers", words, fewer)
    run = shop.played(variant, int(has))
    if not 0.9 <= line / (end := shop.in_line(run, lasts)) <= 1.1:
        words = f"you say {line:g}; there are {shop.in_line(run, early)} after {early:g} s"
        return Anomaly("another line", words, run)
    if not 0.85 <= wait / shop.waited(run, 20) <= 1.15:
        words = f"you say {wait:g} s; one with 8 before it waited {shop.waited(run, 8):.2f} s"
        return Anomaly("another wait", words, run)
    if letter != "c":
        against = {
            "a": f"the first answer took a worker {service:g} s, and so did the last",
            "b": f"{arrivals * lasts:g} orders were placed, and as many questions were asked",
            "d": f"{end} are in line at the end, and nobody was turned away",
        }
        return Anomaly("another reason", against[letter], run)
    return f"runs with {workers - 1}, {workers} and {has} workers"


LITTLE_HINTS = hints_of("""
not as asked for
    What does your function return, and what does its docstring ask for?
    You need four values in this order: a whole number of workers, a number of questions, seconds, and the letter of a reason in quotes.
    End your function with `return workers, line, wait, "letter"`.
another number of workers
    How many questions arrive while a worker is at work on one?
    Little's law says how many are at work on average, namely the arrivals in a second times the seconds that each takes. With fewer workers than that the line grows. We ask for the fewest with which it doesn't.
    Multiply arrivals by service, and round up.
another line
    How many questions arrive in a second, and how many can these workers answer in it?
    One worker answers 1 / service questions in a second. What arrives beyond what all workers answer stays in line. Use the workers that the provider has, from the figures.
    The line grows by arrivals - workers / service in each second, so multiply that by the seconds that the rush lasts.
another wait
    How many of these workers take from the line, and how often is one of them done with an order?
    All workers serve one line. In the time that an answer takes, w workers answer w questions. Use the workers of the figures. We ask for the wait until a worker begins, so your own answer doesn't count.
    Divide the 20 by what all workers answer in a second, which is workers / service.
another reason
    What does the evidence say about the reason that you chose?
    Nobody asks a second time in this run, the line has no end, and each answer takes as long as on an ordinary day. What did a question's asker do while it was in line?
    After a second the asker gives up, and the question stays in line all the same.
""")

# -- 12.2

DECIDE_HINTS = hints_of("""
not as asked for
    What did your function return for this error, and which answers does its docstring name?
    You return a number of seconds from 0 to 3600, "done" or "dead letter". A way through your function without a return gives None.
    Give each kind of error a `return` of its own, and end with one for all others.
a no is no failure
    What did the provider say to this order, and would it say something else next time?
    `Refused` is an answer. The customer hears of it, and nobody has to repair anything.
    Begin with `if isinstance(error, Refused): return "done"`.
tried in vain
    Would the same order succeed if you tried it again in a minute?
    Only `Busy` and `Unanswered` can be different next time. Any other exception comes from the order or from the code.
    Return "dead letter" at the first attempt for every error that is none of Refused, Busy and Unanswered.
an order vanishes
    Was this order charged, and who still knows of it after your decision?
    After "done" nobody looks at the order any more. `Unanswered` says only that no answer came in time, so it may be charged or not. The provider charges an order once, however often you ask.
    Return "done" for a refusal only. After Busy and Unanswered ask again, and what no attempt can help belongs to the dead letters.
gives up too early
    How many attempts did this order have, and how long did they last together?
    Outages of up to five seconds pass. Each order has ten attempts, and the waits between them grow.
    Wait after Busy and after Unanswered, until the tenth attempt. Let your waits add up to more than ten seconds.
never gives up
    What if the provider never answers for this order?
    An order may be tried ten times, and `attempt` is the number of the attempt that has just failed.
    If attempt is 10, return "dead letter".
gives up too late
    How many attempts has an order had when your function is called with attempt 10?
    `attempt` is the number of the attempt that has just failed. After the tenth one there is no other.
    Wait only if attempt is below 10. If it is 10, return "dead letter".
waits too long
    How long is each of the nine waits of this order, and what do they add up to?
    If each wait is twice as long as the one before, they soon take minutes. All ten attempts and the waits between them have to fit into two minutes.
    Put a limit on the longest wait, such as `min(8, 0.5 * 2**attempt)`.
all at once
    Many orders failed at the same moment. When does each of them ask again?
    If all wait equally long, or nearly so, they come back at the same moment. With `ctx.random` you can give each of them a different wait. A few milliseconds make no difference, because the provider needs 50 for each order.
    Choose the whole wait at random, with ctx.random.uniform(0, longest) and a longest of a second or more at the first attempt.
does not back off
    If a provider is down for a minute, how many questions does it get, and who asks them?
    Every order that fails asks again, beside the new ones. So each attempt has to wait longer than the one before, on average. Once it waits twice as long as at first, that is enough.
    Double the longest wait with each attempt: 0.5 * 2**attempt.
""")
DECIDE = explored(
    shop.decided,
    dealt_with,
    DECIDE_HINTS,
    only=(
        "of the first answers of the provider",
        lambda fault: fault.nth < 2 and "payments.reply" in fault.at,
    ),
)

# -- 12.3

REDRIVE_HINTS = hints_of("""
everybody gets it again
    Who subscribes to this topic, and what does a new message with a new id mean to them?
    `ctx.publish(event)` makes a new message for all. `ctx.redrive()` sends the old one back to your service alone.
    Use `await ctx.redrive()` instead of publishing.
a letter is dropped
    What became of this order after your handler had its letter?
    A handler that ends without an error is done with the letter. To keep it, raise an exception whose words say why. Do you catch an error, or return early?
    Every way through your handler ends with `await ctx.redrive()` or with a raise.
sent back in vain
    What did this order die of, and how often was it sent back before?
    `ctx.message.reason` begins with the name of the exception. Only an order that died of Unanswered or Busy can be charged later. If it dies again, it comes back as a new letter, and `ctx.message.redrives` counts that. Three times is enough.
    Raise an exception unless reason.startswith(("Unanswered", "Busy")) and redrives is below 3.
sent back too early
    When did you last ask how the provider is, and when did the order go back?
    It may become ill again after it was well, even while you pause. What you asked for another letter, or before a sleep, says nothing about this moment.
    Pause first. Then repeat `await ctx.ask(GetHealth())` with a sleep in between until it answers "well", for each letter, and send it back at once.
all at once
    How many orders a second does the provider get when it has just become well?
    Your handler has one letter after the other, so a sleep in it holds the next ones back.
    Sleep half a second after each order that you send back.
asks too often
    How many questions a second does a provider get that is in trouble?
    It doesn't become well sooner if you ask more often. Does your loop sleep between two questions?
    Sleep a second between two questions about its health.
sent back twice
    How often does your handler call `ctx.redrive()` for one letter?
    Look at your loop. Does it end when the order has been sent back?
    Send back after the loop, once.
kept in vain
    Could this order be charged when the provider is well again?
    An order that died of Unanswered or of Busy can still be charged, and you may send it back three times. Did you raise in order to wait? After three attempts that raise, which take less than a second, a letter stays for good.
    Raise only if the reason is neither Unanswered nor Busy, or if redrives is 3. Otherwise sleep in a loop until the provider is well.
out of order
    In which order did this customer place them, and in which one were they sent back?
    If you raise in order to wait, the letters behind it go first.
    Wait inside your handler, so that the next letter waits, too.
waits too long
    How long has the provider been well by then?
    All your sleeps add up, because the letters come one after the other.
    Ask for its health every second or so, and leave half a second between two orders.
""")
REDRIVE = explored(
    shop.redriven,
    brought_back,
    REDRIVE_HINTS,
    only=(
        "of the first letters",
        lambda fault: (
            fault.nth < 3
            and any(at in fault.at for at in (".dlq", "billing.publish", "status.reply"))
        ),
    ),
)
ERRORS = by_name(Busy, Refused, Unanswered)
MESSAGES = by_name(shop.OrderPlaced, shop.ChargePayment, shop.GetHealth)
WORKERS = of_returned(four_values, "not as asked for", calculated)
EXERCISES = [
    Exercise("12.1", "How many workers", "", WORKERS, LITTLE_HINTS, figures=shop.rush),
    Exercise("12.2", "What to do about it", "error, attempt, ctx", DECIDE, DECIDE_HINTS, ERRORS),
    Exercise("12.3", "Back from the dead", "event, ctx", REDRIVE, REDRIVE_HINTS, ERRORS | MESSAGES),
]

"""What the exercises of several lessons share: reading a run, claims, and hints for any answer."""

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any
from zlib import crc32

from ..errors import InvalidMessage, Unanswered
from ..model import Command, Message
from ..practice.exercise import hints_of
from ..sim.run import Run

Mistakes = Iterable[tuple[str, str]]  # a name, the evidence


# -- systems


def by_name(*things: Any) -> dict[str, Any]:
    """Classes and functions by name, as an exercise takes those that an answer may use."""
    return {thing.__name__: thing for thing in things}


def mixed(things: Iterable, variant: int) -> list:
    """The things, in an order that differs from learner to learner."""
    return sorted(things, key=lambda thing: crc32(f"{variant}. {thing}".encode()))


def sent(*story: Message | float, pause: float = 0.0, wait: bool = True) -> Callable:
    """A workload that sends commands and publishes events, with a pause in seconds after each. A
    number is a pause, too. `wait` says whether it waits until an event is confirmed."""

    async def people(ctx):
        for each in story:
            if isinstance(each, Message):
                await (ctx.send(each) if isinstance(each, Command) else ctx.publish(each, wait))
            if seconds := pause if isinstance(each, Message) else each:
                await ctx.sleep(seconds)

    return people


def heard(event) -> None:
    """Do nothing: pictures show which event arrived, and when."""


async def until_answered(ctx, *questions) -> list:
    """The answers to questions that are asked at once, each up to six times."""
    answers = await ctx.all(*map(ctx.ask, questions))
    for n, question in [*enumerate(questions)] * 5:
        if isinstance(answers[n], Unanswered):
            await ctx.sleep(0.1)
            [answers[n]] = await ctx.all(ctx.ask(question))
    return answers


# -- reading a run


def steps(run: Run, step: str, *kinds: type[Message], service: str = "") -> list[Any]:
    """The steps of this name, of one service or of all, about messages of these classes or of any."""
    found = [s for s in run.journal if s.step == step and service in ("", s.service)]
    names = {kind.__name__ for kind in kinds}
    return [s for s in found if s.envelope and s.envelope.type in names] if kinds else found


def steps_and_data(run: Run, step: str, *kinds: type[Message]) -> list[tuple[Any, Any]]:
    """The steps of this name about messages of these classes, each with the message's data."""
    return [(s, s.envelope.data) for s in steps(run, step, *kinds)]


def in_memory(run: Run, service: str) -> str:
    """The first content of a replica's ctx.state, to end a sentence; "" if there never was any."""
    for seconds in sorted({step.time / 1000 for step in run.journal if step.service == service}):
        for replica in run.at(seconds).services[service].replicas:
            if replica.state:
                had = f"{service}/{replica.number} had ctx.state = {replica.state}"
                return f"; at {seconds:g} s {had}"
    return ""


# -- mistakes


SLIPS = AttributeError, NameError, LookupError, TypeError, sqlite3.OperationalError, InvalidMessage


def is_slip(error: Exception) -> bool:
    """Whether an error is a mistake in the code. A missing value may be the work of a fault."""
    missing = isinstance(error, UnboundLocalError) or "NoneType" in str(error)
    return isinstance(error, SLIPS) and not missing


def slips(run: Run) -> Mistakes:
    """Failures of the learner's code itself, whether or not another attempt succeeds."""
    for each in run.failures:
        if each.message and each.line and is_slip(each.error):
            message = f"{each.message.type} {each.message.id}"
            yield "raises", f"{each.handler} failed at {each.time / 1000:g} s, with {message}"


def dead_letters(run: Run) -> Mistakes:
    for s in steps(run, "dead_letter"):
        what = f"{s.service} dead_letter {s.envelope.type} {s.envelope.id}"
        yield "a dead letter", f"{what} at {s.time / 1000:g} s"


def misjudged(said: tuple[str, str], right: tuple[str, str], fine: str, other: str) -> str:
    """The name of the mistake in a word and the letter of a reason; "" if both are right. `fine` is
    the word for nothing wrong, and `other` the mistake of two other words."""
    if said == right:
        return ""
    if said[0] == right[0]:
        return "another reason"
    if fine in (said[0], right[0]):
        return "a false alarm" if fine == right[0] else "an anomaly is missed"
    return other


HINTS = hints_of("""
raises
    What does the message say, and which value does that line meet?
    Print the values that this line uses, just before it. `check` shows what your function prints. If you raise on purpose, what does the task say that you return instead?
    Every name that you use must be a parameter, or be defined or imported before. If a value is None or of the wrong type, look at the line that you got it from. In SQL, a `?` stands for a value, never for a column.
no such function
    Which function does the exercise ask for, and what did you give `check`?
    `check` takes the function itself, without parentheses or quotes after its name. Your function takes the same parameters as in the cell that you were given, in the same order.
    Put your code below the `def` line that you were given. Run that cell, and then the one with `check` as it was written.
misuse
    The sentence above says what went wrong. Which line of yours does it speak of, and what does it tell you to write instead?
    In a handler you await each `ctx.publish`, `ctx.send`, `ctx.ask` and `ctx.sleep`, so it begins with `async def`. You may return nothing, a message, or the answer to a question. You ask and sleep outside of every `with ctx.database`. A function without `ctx` awaits nothing and only returns what its docstring asks for.
    Compare your line with one of these: `answer = await ctx.ask(GetUser(userId="ada"))`, `await ctx.publish(OrderCancelled(orderId="order-17"))`, `await ctx.send(SendMail(orderId="order-17"))`, or, without await, `db.execute("select ...", (...,))` inside `with ctx.database as db:`.
does not end
    What would make your function stop?
    Does each message it publishes lead to another one like it? Does its loop ever change its own condition?
    Give your loop a bound, and send yourself no more messages once the work is done.
nothing happens
    Did your function do anything that another service can see?
    You don't publish an event by making one. Do you return it, or give it to `ctx.publish`?
    Go through your docstring again, and do what it asks for in every case that it names.
changes what is outside
    Is that variable still there after a crash, and does a second replica see it?
    Your service has its database, and `ctx.state` for what it may forget. Everything else is outside.
    Keep what you have to remember in a table, with `ctx.database`. If you only want to look at values, use `print` or `ctx.note`.
two runs differ
    Which of the values that your function uses will be different in the next run?
    The computer's clock, random numbers, new ids and the order of a set differ from run to run. You have `ctx.now`, `ctx.random` and `ctx.new_id()` instead.
    Take every value that you use from the event, from `ctx` or from your service's database.
no value and reason
    What does your function return, and what does its docstring ask for?
    You need a number in the unit that the task names, a comma, and the letter of a reason in quotes.
    End your function with `return number, "letter"`. If you write `return` inside a loop or an `if`, it may never be reached.
between two steps
    In which steps does the task count?
    Your number has more digits after the decimal point than the task asks for. Which step comes before it, and which after?
    Try both of these steps, and return the one that is right.
not as asked for
    What does your function return, and what does its docstring ask for?
    You need one pair for each case in the question, in the order of the cases, also where nothing is wrong. A word of the docstring comes first, and then the letter of a reason.
    End your function with all pairs in one list, as in `return [("…", "a"), …]`, with words and letters as in the docstring.
not finished
    Did you stop the check before it was over, or did your function end the process, as `os._exit` does?
    Leave that out, run the cell again, and let it finish. It tries your function under hundreds of faults, so give it up to half a minute.
    If it stops once more, restart the kernel, run the notebook from its first cell, and then check your function again.
""")

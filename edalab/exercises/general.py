"""What can go wrong in an answer to any exercise, and hints for it."""

import sqlite3

from ..claims.claim import Claim
from ..errors import InvalidMessage
from ..model import Message

SLIPS = AttributeError, NameError, LookupError, TypeError, sqlite3.OperationalError, InvalidMessage


def is_slip(error: Exception) -> bool:
    """Whether it comes from the code alone; a value that is not there may come from what happened to it."""
    missing = isinstance(error, UnboundLocalError) or "NoneType" in str(error)
    return isinstance(error, SLIPS) and not missing


def no_slips(about: type[Message]) -> Claim:
    """The claim that no message meets a line that cannot work, whether or not another attempt succeeds."""
    return Claim("your function works with what it gets", about=about)(
        lambda run: [
            f"{each.handler} failed at {each.time / 1000:g} s, with {each.message.type} {each.message.id}"
            for each in run.failures
            if each.message and each.line and is_slip(each.error)
        ]
    )


HINTS = {
    "raises": (
        "What does the message say, and which value does that line meet?",
        "Print the values that this line uses, just before it. `check` shows what your function prints.",
        "A name must be a parameter, or be made or imported before. If a value is None or of the wrong type, look at the line that it comes from. In SQL, a `?` stands for a value, never for a column.",
    ),
    "no such function": ("Which function does the exercise ask for, and what did you give check?",)
    * 3,
    "misuse": ("The sentence above says what went wrong. What does it tell you to write instead?",)
    * 3,
    "does not end": (
        "What would make your function stop?",
        "Does each message it publishes lead to another one like it? Does its loop ever change its own condition?",
        "Give a loop a bound, and stop sending yourself messages once the work is done.",
    ),
    "nothing happens": (
        "Did your function do anything that another service can see?",
        "Making an event does not publish it. Is it returned, or given to ctx.publish?",
        "Follow the docstring in every case that it names.",
    ),
    "changes what is outside": (
        "Is that variable still there after a crash, and does a second replica see it?",
        "A service has its database, and ctx.state for what may be forgotten. Everything else is outside.",
        "Keep what must be remembered in a table, with ctx.database. To look at values, use print or ctx.note.",
    ),
    "two runs differ": (
        "Which value that your function uses is a different one in the next run?",
        "A clock, dice, an id, a set's order: each run has its own ctx.now, ctx.random and ctx.new_id().",
        "Take all that you use from the event, from ctx and from the service's database.",
    ),
    "no value and reason": (
        "What does your function return, and what does its docstring ask for?",
        "A number in the unit that the task names, a comma, and the letter of a reason in quotes.",
        'It ends with `return number, "letter"`. A `return` inside a loop or an `if` may not be reached.',
    ),
    "not finished": ("Was it stopped before it could be judged? Run the cell again.",) * 3,
}

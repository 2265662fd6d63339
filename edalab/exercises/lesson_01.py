"""Exercises of lesson 01: asking back with patience, about the time of the event, holding up nobody."""

from ..errors import Unanswered
from ..practice.exercise import Anomaly, Exercise, explained, explored
from ..sim import simulate
from ..sim.run import Run
from .lesson_01_shop import (
    CLAIMS,
    HANDLING,
    NAMES,
    GetUser,
    RegisterUser,
    WriteLater,
    down,
    everybody_is_written_to,
    nobody_is_held_up,
    or_later,
    shop,
    two_users,
)

HINTS = {
    "never written to": (
        "What became of the event in this run, and how often had your function asked by then?",
        "A time-out says *not yet*. Compare how long your function goes on asking with how long accounts is down.",
        "Catch Unanswered and ask again later. If your function gives up, a later attempt or a later message has to ask.",
    ),
    "another moment's address": (
        "Which address did accounts have when the event was made, and which when it answered?",
        "There are two questions that accounts answers. One of them has a moment in it.",
        "`GetUserAt(userId=event.userId, at=event.timestamp)` asks about the moment of the event, whenever it is answered.",
    ),
    "written to twice": (
        "Your function ran twice for the same user. How could the second time know of the first?",
        "What the first one saved is still there. When must it be looked at so that nothing comes in between?",
        "In one transaction: look into letters, and insert only if there is no letter to this user yet.",
    ),
    "asked in vain": (
        "How many questions does mail ask for one event, when nothing goes wrong?",
        "Each of them costs accounts as much as the first one. When does your loop end?",
        "Leave the loop with the first answer: `break`, or `return`.",
    ),
    "a dead letter": (
        "What does your function raise, and had it done its work by then?",
        "A message that fails three times is set aside, and somebody has to look after it. Does your function go on without an answer?",
        "Where you put the message off, `return`: no line after that has what it needs.",
    ),
    "announced by mail": (
        "Who subscribes to UserRegistered, and what does each of them do if it comes once more?",
        "The registration is a fact of accounts. If mail publishes it again, every other service handles it again, too.",
        "Give the message back to mail alone. A command such as WriteLater goes to one service, or let the broker try again.",
    ),
    "others are held up": (
        "While your function waits, who handles the events behind this one?",
        f"A handler that has no answer within {HANDLING} s has to let go of its message, and still must not forget it.",
        "Ask once; where there is no answer, `await ctx.send(WriteLater(...), after=5)` and return. The same function gets that message later.",
    ),
}


# -- 01.1


def outage(variant: int) -> int:
    """For how many seconds `accounts` is down: 4 to 12 questions outlast it."""
    enough = 4 + (variant + 2) % 9
    wide = 2 ** (enough - 3) + 1  # seconds in which as many are enough
    return enough - 3 + wide + (9 + variant // 9) % wide


def asked(questions: int, variant: int) -> Run:
    """A run in which `mail` asks at most so many times, in one attempt, while `accounts` is down."""

    async def write(event, ctx):
        for number in range(questions):
            try:
                user = await ctx.ask(GetUser(userId=event.userId))
                break
            except Unanswered:
                await ctx.sleep(0.5 * 2**number)
        else:
            return
        with ctx.database as db:
            db.execute("insert into letters values (?, ?)", (event.userId, user["email"]))

    async def ada(ctx):
        await ctx.send(RegisterUser(userId="ada", email="ada@home"))

    down_for = [f"crash accounts.handle.GetUser #1 for {outage(variant)} s"]
    return simulate(shop(write, max_attempts=1), ada, faults=down_for)


def enough(questions: int, variant: int) -> Anomaly | str:
    run = asked(questions, variant)
    last = [step.time for step in run.journal if step.step == "ask"][-1] / 1000
    if run.check(everybody_is_written_to).outcome == "broken":
        evidence = f"is asked at {last:g} s, and accounts is down for {outage(variant)} s"
        return Anomaly("too few questions", f"the last of {questions} {evidence}", run)
    fewer = asked(questions - 1, variant)
    if questions > 1 and fewer.check(everybody_is_written_to):
        return Anomaly("more than needed", f"{questions - 1} questions are enough", fewer)
    return f"{questions} questions, the last one at {last:g} s; {questions - 1} are too few"


def _one_a_second(questions: int, variant: int) -> tuple[str, Run]:
    evidence = f"(a) would mean {outage(variant)} questions; here {questions} reach an answer"
    return evidence, asked(questions, variant)


def _kept_for_later(questions: int, variant: int) -> tuple[str, Run]:
    run = asked(questions, variant)
    answered = sum(step.step == "answer" for step in run.journal)
    times = sum(step.step == "ask" for step in run.journal)
    return f"(c) would mean that all {times} are answered in the end; {answered} was", run


def _delivered_again(questions: int, variant: int) -> tuple[str, Run]:
    run = asked(questions, variant)
    times = sum(step.service == "mail" and step.step == "handle" for step in run.journal)
    return f"(d) would mean that mail begins more than once; here it began {times} time", run


# -- 01.2 and 01.3

NOT_HELD_UP = CLAIMS | {"others are held up": nobody_is_held_up}
LETTER = explored(two_users, CLAIMS, down(5))
LATER = explored(or_later, NOT_HELD_UP, down(2), down(60))
OR_LATER = NAMES | {"WriteLater": WriteLater}

EXERCISES = [
    explained(
        "01.1",
        "Questions enough",
        ("a whole number of questions", range(1, 101)),
        lambda variant: {"outage": outage(variant)},
        enough,
        {"a": _one_a_second, "b": None, "c": _kept_for_later, "d": _delivered_again},
        {
            "too few questions": (
                "When is the last question asked, and when is accounts up again?",
                "Write down when each question is asked: a second of waiting, and then the pause, twice as long each time.",
                "The questions are asked 0, 1.5, 3.5, 6.5 … seconds after the first one. Go on until one comes after the outage.",
            ),
            "more than needed": (
                "Is there an answer with one question less?",
                "Count the questions in this run, the last one included.",
                "The last question but one comes before the outage is over, the last one after it: that is the number.",
            ),
            "another reason": (
                "Does this run agree with your reason?",
                "Look at the dotted lines: when do they start, and how far are they apart?",
                "The gaps double, so that each further question comes about twice as late as the one before.",
            ),
        },
    ),
    Exercise("01.2", "The letter that is due", "event, ctx", LETTER, HINTS, NAMES),
    Exercise("01.3", "Write later", "message, ctx", LATER, HINTS, OR_LATER),
]

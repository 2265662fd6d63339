"""Exercises of lesson 01: asking back patiently, about the moment of the event, and without holding up everybody else."""

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
        "Catch Unanswered and ask again later; who gives up must leave the question to somebody: to a later attempt, or a later message.",
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
        "A message that fails three times is set aside, and somebody has to look after it. The same happens if its rest runs on.",
        "Where the message is put off, `return`: nothing behind that line has what it needs.",
    ),
    "others are held up": (
        "While your function waits, who handles the events behind this one?",
        f"A handler that has no answer within {HANDLING} s has to let go of its message, and still must not forget it.",
        "Ask once; where there is no answer, `await ctx.send(WriteLater(...), after=5)` and return. The same function gets that message later.",
    ),
}


# -- 01.1

OUTAGE = 30


def asked(questions: int) -> Run:
    """A letter for which mail asks so many times at most, in a single attempt, while accounts is down for OUTAGE seconds."""

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

    return simulate(
        shop(write, max_attempts=1),
        ada,
        faults=[f"crash accounts.handle.GetUser #1 for {OUTAGE} s"],
    )


def enough(questions: float, variant: int) -> Anomaly | str:
    if questions != int(questions) or not 1 <= questions <= 100:
        return Anomaly(
            "no value and reason",
            f"it asks once, twice or up to a hundred times, not {questions:g} times",
        )
    questions = int(questions)
    run = asked(questions)
    last = [step.time for step in run.journal if step.step == "ask"][-1] / 1000
    if run.check(everybody_is_written_to).outcome == "broken":
        return Anomaly(
            "too few questions",
            f"the last of {questions} is asked at {last:g} s, and accounts is down for {OUTAGE} s",
            run,
        )
    if questions > 1 and asked(questions - 1).check(everybody_is_written_to):
        return Anomaly(
            "more than needed", f"{questions - 1} questions are enough", asked(questions - 1)
        )
    return f"{questions} questions, the last one at {last:g} s; {questions - 1} are too few"


def _one_a_second(variant: int) -> Anomaly:
    said = f"(a) would mean {OUTAGE} questions; here 7 reach an answer"
    return Anomaly("another reason", said, asked(7))


def _kept_for_later(variant: int) -> Anomaly:
    run = asked(7)
    answered = sum(step.step == "answer" for step in run.journal)
    times = sum(step.step == "ask" for step in run.journal)
    return Anomaly(
        "another reason",
        f"(c) would mean that all {times} are answered in the end; {answered} was",
        run,
    )


def _delivered_again(variant: int) -> Anomaly:
    times = sum(step.service == "mail" and step.step == "handle" for step in asked(7).journal)
    return Anomaly(
        "another reason",
        f"(d) would mean that mail begins more than once; here it began {times} time",
        asked(7),
    )


# -- 01.2 and 01.3

EXERCISES = [
    Exercise(
        "01.1",
        "Questions enough",
        "",
        explained(
            enough, {"a": _one_a_second, "b": None, "c": _kept_for_later, "d": _delivered_again}
        ),
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
    Exercise(
        "01.2",
        "The letter that is due",
        "event, ctx",
        explored(two_users, CLAIMS, down(5)),
        HINTS,
        NAMES,
    ),
    Exercise(
        "01.3",
        "Write later",
        "message, ctx",
        explored(or_later, CLAIMS | {"others are held up": nobody_is_held_up}, down(2), down(60)),
        HINTS,
        NAMES | {"WriteLater": WriteLater},
    ),
]

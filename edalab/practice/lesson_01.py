"""Exercises of lesson 01: asking back patiently, about the moment of the event, and without holding up everybody else."""

from collections.abc import Callable

from ..errors import Unanswered
from ..history import Run
from ..model import Command, Event, Query, System
from ..proof import Claim
from ..sim import simulate
from .exercise import Anomaly, Exercise, explained, explored


class RegisterUser(Command):
    userId: str
    email: str


class ChangeEmail(Command):
    userId: str
    email: str


class UserRegistered(Event, topic="users", key="userId"):
    userId: str
    timestamp: float


class WriteLater(Command):
    userId: str
    timestamp: float


class GetUser(Query):
    userId: str


class GetUserAt(Query):
    userId: str
    at: float


USERS = "create table users (userId text, email text, since real)"
LETTERS = "create table letters (userId text, email text)"
HANDLING = 5  # seconds that the handling of one message may take
NAMES = {"GetUser": GetUser, "GetUserAt": GetUserAt, "Unanswered": Unanswered}


async def register(command, ctx):
    with ctx.database as db:
        db.execute("insert into users values (?, ?, ?)", (command.userId, command.email, ctx.now))
    await ctx.publish(UserRegistered(userId=command.userId, timestamp=ctx.now))


def change_email(command, ctx):
    with ctx.database as db:
        db.execute("insert into users values (?, ?, ?)", (command.userId, command.email, ctx.now))


def get_user(query, ctx):
    return _user(ctx, query.userId, ctx.now)


def get_user_at(query, ctx):
    return _user(ctx, query.userId, query.at)


def _user(ctx, user: str, moment: float) -> dict[str, str]:
    with ctx.database as db:
        since = "select email from users where userId = ? and since <= ? order by since desc"
        return {"email": db.execute(since, (user, moment)).fetchone()[0]}


def shop(write: Callable, max_attempts: int = 3) -> System:
    """`accounts` owns the users and keeps their past; `mail` writes to those who register."""
    system = System("shop")
    accounts = system.service("accounts", schema=USERS)
    accounts.handles(RegisterUser)(register)
    accounts.handles(ChangeEmail)(change_email)
    accounts.answers(GetUser)(get_user)
    accounts.answers(GetUserAt)(get_user_at)
    system.service("mail", schema=LETTERS).on(UserRegistered, max_attempts=max_attempts)(write)
    return system


def down(seconds: int) -> list[list[str]]:
    """`accounts` is down for so long when it is first asked, in one way or the other."""
    return [[f"crash accounts.handle.{query} #1 for {seconds} s"] for query in ("GetUserAt", "GetUser")]


def registered(run: Run) -> dict[str, str]:
    """Everybody who registered, and the address that was registered."""
    return dict(run.rows("accounts", "select userId, email from users where email like '%@home'"))


def letters(run: Run) -> list[tuple[str, str]]:
    return run.rows("mail", "select userId, email from letters")


@Claim("everybody who registered is written to", about=UserRegistered)
def everybody_is_written_to(run):
    written = {user for user, _ in letters(run)}
    return [f"nobody wrote to {user}" for user in registered(run) if user not in written]


@Claim("every letter goes to the address that was registered", about=UserRegistered)
def address_as_registered(run):
    due = registered(run)
    return [f"{user} registered {due.get(user)}, the letter went to {email}" for user, email in letters(run) if due.get(user) != email]


@Claim("nobody is written to twice", about=UserRegistered)
def nobody_twice(run):
    users = [user for user, _ in letters(run)]
    return [f"{user} got {users.count(user)} letters" for user in registered(run) if users.count(user) > 1]


@Claim(f"no message is handled for longer than {HANDLING} s", about=UserRegistered)
def nobody_is_held_up(run):
    begun, long = {}, []
    for step in run.journal:
        key = step.service, step.envelope and step.envelope.id
        if step.step == "handle":
            begun[key] = step.time
        elif step.service == "mail" and step.step in ("commit", "ack", "retry", "dead_letter") and key in begun:
            took = (step.time - begun.pop(key)) / 1000
            if took > HANDLING:
                long.append(f"mail was busy with {step.envelope.type} {step.envelope.id} for {took:g} s")
    return long


@Claim("whoever has an answer asks no more", about=UserRegistered)
def no_question_in_vain(run):
    answered, again = set(), []
    for step in run.journal:
        if step.service == "mail" and step.envelope is not None:
            if step.step == "handle":
                answered.discard(step.envelope.id)
            elif step.step == "answer" and step.detail != "too late":
                answered.add(step.envelope.causation)
            elif step.step == "ask" and step.envelope.causation in answered:
                again.append(f"mail asked {step.envelope.data} again at {step.time / 1000:g} s, after it was answered")
    return again


@Claim("nothing is set aside as a dead letter", about=UserRegistered)
def nothing_dead(run):
    return [step for step in run.journal if step.step == "dead_letter"]


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
CLAIMS = {
    "never written to": everybody_is_written_to,
    "another moment's address": address_as_registered,
    "written to twice": nobody_twice,
    "asked in vain": no_question_in_vain,
    "a dead letter": nothing_dead,
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

    return simulate(shop(write, max_attempts=1), ada, faults=[f"crash accounts.handle.GetUser #1 for {OUTAGE} s"])


def enough(questions: float, variant: int) -> Anomaly | str:
    if questions != int(questions) or not 1 <= questions <= 100:
        return Anomaly("too few questions", f"it asks once, twice or up to a hundred times, not {questions:g} times")
    questions = int(questions)
    run = asked(questions)
    last = [step.time for step in run.journal if step.step == "ask"][-1] / 1000
    if run.check(everybody_is_written_to).outcome == "broken":
        return Anomaly("too few questions", f"the last of {questions} is asked at {last:g} s, and accounts is down for {OUTAGE} s", run)
    if questions > 1 and asked(questions - 1).check(everybody_is_written_to):
        return Anomaly("more than needed", f"{questions - 1} questions are enough", asked(questions - 1))
    return f"{questions} questions, the last one at {last:g} s; {questions - 1} are too few"


def _one_a_second(variant: int) -> Anomaly:
    said = f"(a) would mean {OUTAGE} questions; here 7 reach an answer"
    return Anomaly("another reason", said, asked(7))


def _kept_for_later(variant: int) -> Anomaly:
    run = asked(7)
    answered = sum(step.step == "answer" for step in run.journal)
    times = sum(step.step == "ask" for step in run.journal)
    return Anomaly("another reason", f"(c) would mean that all {times} are answered in the end; {answered} was", run)


def _delivered_again(variant: int) -> Anomaly:
    times = sum(step.service == "mail" and step.step == "handle" for step in asked(7).journal)
    return Anomaly("another reason", f"(d) would mean that mail begins more than once; here it began {times} time", asked(7))


# -- 01.2 and 01.3


def _two_users(write: Callable, variant: int) -> tuple[System, Callable]:
    """Two people register; one of them moves half a second later."""
    ada, bob = f"ada-{variant}", f"bob-{variant}"

    async def users(ctx):
        await ctx.send(RegisterUser(userId=ada, email=f"{ada}@home"))
        await ctx.send(RegisterUser(userId=bob, email=f"{bob}@home"))
        await ctx.sleep(0.5)
        await ctx.send(ChangeEmail(userId=ada, email=f"{ada}@work"))

    return shop(write), users


def _or_later(write: Callable, variant: int) -> tuple[System, Callable]:
    """One user, and a second way to the same function."""
    ada = f"ada-{variant}"

    async def user(ctx):
        await ctx.send(RegisterUser(userId=ada, email=f"{ada}@home"))
        await ctx.sleep(0.5)
        await ctx.send(ChangeEmail(userId=ada, email=f"{ada}@work"))

    system = shop(write)
    system.services["mail"].handles(WriteLater)(write)
    return system, user


EXERCISES = [
    Exercise(
        "01.1",
        "Questions enough",
        "",
        explained(enough, {"a": _one_a_second, "b": None, "c": _kept_for_later, "d": _delivered_again}),
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
    Exercise("01.2", "The letter that is due", "event, ctx", explored(_two_users, CLAIMS, down(5)), HINTS, NAMES),
    Exercise(
        "01.3",
        "Write later",
        "message, ctx",
        explored(_or_later, CLAIMS | {"others are held up": nobody_is_held_up}, down(2), down(60)),
        HINTS,
        NAMES | {"WriteLater": WriteLater},
    ),
]

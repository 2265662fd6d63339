"""Exercises of lesson 01: ask back with patience, as of the event's time, and without blocking."""

from ..errors import Unanswered
from ..practice.exercise import Anomaly, Exercise, explored, hints_of
from ..practice.explained import Refuted, explained
from ..sim import simulate
from ..sim.run import Run
from . import lesson_01_claims as claims
from . import lesson_01_system as shop
from .general import sent

HINTS = hints_of("""
given up
    What became of the message named above, and how often had your function asked by then?
    No answer came in time. Compare how long your function goes on asking with how long accounts is down.
    Catch Unanswered, whatever message you were given, and ask again later, in this call or when a later message comes.
forgotten
    Where does your function end in this run, and who learns that the letter is missing?
    What happens in your function when it stops asking, or when it cannot send? When a handler returns, the broker takes its message as handled.
    Let the exception through (`raise`), whether it is Unanswered or comes from `send`. The broker gives you the message up to three times, and then keeps it as a dead letter.
noted too early
    Mail got this event twice. Why did your function write nothing the second time?
    You had already noted that the work was done, and then your function stopped before it wrote the letter or put it off.
    Don't note anything before you save the letter. Save both in one transaction. The row in `letters` can itself be your note.
never written to
    Which lines of your function ran for this user, and which row did they save, if any?
    Go through your function by hand for a user who has no letter yet, while somebody else has one, perhaps to the same address.
    If there is no row for this user in `letters` yet, insert one with the user and the address, in this order.
another address
    Which address did accounts have when this user registered, and where does your function take its address from?
    Did your function have an answer when it saved this letter? If so, which moment had you asked about?
    Ask `GetUserAt(userId=..., at=...)` with the timestamp of the message that you were given. Don't save a letter until you have an answer.
written to twice
    Your function ran twice for the same user. How can it know the second time that it has written before?
    The event may have another id the second time, and memory is empty after a crash. A saved letter is still there.
    In one transaction, look into `letters`, and insert your row only if there is no letter to this user yet. The table has no unique key that would refuse a second one.
asked in vain
    Which questions do you ask for one event when nothing goes wrong?
    Each of them costs accounts as much as the first one. Which one do you need?
    Ask only the question whose answer you use. If you ask it in a loop, leave the loop with the first answer, by `break` or `return`.
announced by mail
    Who subscribes to UserRegistered, and what does each of them do if the event arrives once more?
    A registration is for accounts to announce. If you publish it again, every other service handles it again, too.
    Send your message to mail alone. A command such as WriteLater goes to one service.
a dead letter
    What does your function raise, and had it done its work by then?
    A message that fails three times is set aside, and somebody has to look after it. Can your function go on at this line?
    Without an answer, let Unanswered through, or `return` if you have put the message off. No line after that has what it needs. Never change a letter that is written.
others are held up
    While your function waits, who handles the events behind this one?
    If you have no answer within 5 s, your function has to end, but you must not forget the letter. Who could remind mail of it?
    Ask once. If there is no answer, `await ctx.send(WriteLater(...), after=5)` and return. The same function gets that message later.
no pause
    How many messages does one call send, and how soon after a question without an answer does the next one follow?
    The half second begins when a question times out. It has to pass before you ask again, in the same call or through a command that you send.
    Send one message in each call, with a delay, as in `await ctx.send(WriteLater(...), after=5)`. To ask again in the same call, wait first: `await ctx.sleep(0.5)`.
""")


# -- 01.1


def outage(variant: int) -> int:
    """How long `accounts` is down, in s. It takes 4 to 12 questions, one more with the pauses alone."""
    enough = 4 + (variant + 2) % 9
    return 2 ** (enough - 2) + (3 + variant // 9) % (enough - 1)


def asked(questions: int, variant: int) -> Run:
    """A run in which `mail` asks at most this often, in one attempt, while `accounts` is down."""

    async def write(event, ctx):
        for number in range(questions):
            try:
                user = await ctx.ask(shop.GetUser(userId=event.userId))
                break
            except Unanswered:
                await ctx.sleep(0.5 * 2**number)
        else:
            return
        with ctx.database as db:
            db.execute("insert into letters values (?, ?)", (event.userId, user["email"]))

    ada = sent(shop.RegisterUser(userId="ada", email="ada@home"))
    down_for = [f"crash accounts.handle.GetUser #1 for {outage(variant)} s"]
    return simulate(shop.shop(write, max_attempts=1), ada, faults=down_for)


def enough(questions: int, variant: int) -> Anomaly | str:
    run = asked(questions, variant)
    last = [step.time for step in run.journal if step.step == "ask"][-1] / 1000
    if claims.unwritten(run):
        lost = f"is asked at {last:g} s and lost, as accounts is down for {outage(variant)} s"
        return Anomaly("too few questions", f"the last of {questions} {lost}", run)
    if questions > 1 and not claims.unwritten(asked(questions - 1, variant)):
        after = f"{questions - 1.5 + 2 ** (questions - 2):,.1f} s after the first one"
        evidence = f"mail has its answer before it asks question {questions}, {after}"
        return Anomaly("more than needed", evidence)
    return f"{questions} questions, the last one at {last:g} s; {questions - 1} are too few"


def against(questions: int, variant: int) -> Refuted:
    run = asked(questions, variant)
    first, second, *_ = (step.time / 1000 for step in run.journal if step.step == "ask")
    every_second = f"(a) would mean {outage(variant)} questions; here {questions} lead to an answer"
    kept = f"(c) would mean that all {questions} are answered in the end; only the last one was"
    soon = "(d) would mean that question 2 comes 0.5 s after the first"
    soon += f"; here it comes {second - first:g} s after it"
    return {"a": (every_second, run), "c": (kept, run), "d": (soon, run)}


# -- 01.2 and 01.3

# In an outage of 18 s, `patiently` gives up, but a second question asked instead is answered.
LETTER = explored(shop.two_users, claims.one_letter, HINTS, shop.down(5), shop.down(18, 300))
LATER = explored(shop.or_later, claims.one_letter_later, HINTS, shop.down(2), shop.down(60, 300))

EXERCISES = [
    explained(
        "01.1",
        "Questions enough",
        ("a whole number of questions", range(1, 101)),
        lambda variant: {"outage": outage(variant)},
        enough,
        "b",
        against,
        hints_of("""
            too few questions
                When is the last question asked, and when is accounts up again?
                Write down when each question is asked. After a question, mail waits a second, and then comes the pause, twice as long each time.
                The questions are asked 0, 1.5, 3.5, 6.5 … seconds after the first one. Go on until one comes after the outage.
            more than needed
                Which is the first question that finds accounts up again?
                Write down when each question is asked. After a question, mail waits a second, and then comes the pause, twice as long each time.
                The questions are asked 0, 1.5, 3.5, 6.5 … seconds after the first one. Stop at the first one after the outage, and count no further.
            another reason
                Does this run agree with your reason?
                Look at the dotted lines. When does each of them start, and how far apart are they?
                Each gap is the second of waiting and a pause, and the pauses double. So each question comes about twice as late as the one before.
        """),
    ),
    Exercise("01.2", "The letter that is due", "event, ctx", LETTER, HINTS, shop.NAMES),
    Exercise("01.3", "Write later", "message, ctx", LATER, HINTS, shop.NAMES),
]

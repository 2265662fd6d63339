"""The shop of lesson 01's exercises: accounts owns the users, and mail asks it for their addresses."""

from collections.abc import Callable
from typing import Any

from ..claims.claim import Claim
from ..errors import Unanswered
from ..model import Command, Event, Query, System
from ..practice.exercise import nothing_dead
from ..sim.run import Run


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
LETTERS = "create table letters (userId text, email text);" + "".join(
    f"""create trigger no_{change} before {change} on letters
        begin select raise(abort, 'a letter cannot be taken back'); end;"""
    for change in ("delete", "update")
)
HANDLING = 5  # seconds that the handling of one message may take
MESSAGES = (GetUser, GetUserAt, UserRegistered, WriteLater)
NAMES = {kind.__name__: kind for kind in (*MESSAGES, Unanswered)}


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
    """Plans in which `accounts` is down for so long from the first query, of one kind or the other."""
    queries = "GetUserAt", "GetUser"
    return [[f"crash accounts.handle.{query} #1 for {seconds} s"] for query in queries]


def registering(variant: int, *others: RegisterUser) -> Callable:
    ada, address = f"ada-{variant}", f"rose{variant * 7 % 97}"

    async def users(ctx):
        for registration in (RegisterUser(userId=ada, email=f"{address}@home"), *others):
            await ctx.send(registration)
        await ctx.sleep(0.5)
        await ctx.send(ChangeEmail(userId=ada, email=f"{address}@work"))

    return users


def two_users(write: Callable, variant: int) -> tuple[System, Callable]:
    """Two people register, and Ada moves half a second later. Nobody can guess their addresses."""
    bob = RegisterUser(userId=f"bob-{variant}", email=f"fern{variant * 5 % 97}@home")
    return shop(write), registering(variant, bob)


def or_later(write: Callable, variant: int) -> tuple[System, Callable]:
    """The same with one user; `mail` handles WriteLater by the same function, too."""
    system = shop(write)
    system.services["mail"].handles(WriteLater)(write)
    return system, registering(variant)


def registered(run: Run) -> dict[str, str]:
    """The registered users with the addresses that they registered."""
    return dict(run.rows("accounts", "select userId, email from users where email like '%@home'"))


def letters(run: Run) -> list[tuple[str, str]]:
    return run.rows("mail", "select userId, email from letters")


def of_mail(run: Run) -> list[Any]:
    """The steps of `mail` that are about a message."""
    return [step for step in run.journal if step.service == "mail" and step.envelope]


def unwritten(run: Run) -> list[tuple[str, str]]:
    """Everybody without a letter, and why: what `mail` did when it last handled a message about this user."""
    written = {user for user, _ in letters(run)}
    return [(user, _why(run, user)) for user in registered(run) if user not in written]


def _why(run: Run, user: str) -> str:
    times, last = 0, []
    for step in of_mail(run):
        if getattr(step.envelope.data, "userId", "") == user:
            handles = step.step == "handle"
            times, last = times + handles, [] if handles else [*last, step.step]
    if "timeout" in last and "answer" not in last:
        return "given up"
    return "noted too early" if times > 1 and "ask" not in last else "never written to"


def nobody_is(why: str) -> Claim:
    return Claim("everybody who registered gets a letter", about=UserRegistered)(
        lambda run: [f"nobody wrote to {user}" for user, found in unwritten(run) if found == why]
    )


@Claim("every letter goes to the address that was registered", about=UserRegistered)
def address_as_registered(run):
    due = registered(run)
    return [
        f"{user} registered {due.get(user)}, the letter went to {email}"
        for user, email in letters(run)
        if due.get(user) != email
    ]


@Claim("nobody gets two letters", about=UserRegistered)
def nobody_twice(run):
    users = [user for user, _ in letters(run)]
    return [
        f"{user} got {users.count(user)} letters"
        for user in registered(run)
        if users.count(user) > 1
    ]


@Claim(f"no message is handled for longer than {HANDLING} s", about=UserRegistered)
def nobody_is_held_up(run):
    begun, long = {}, []
    for step in of_mail(run):
        message = step.envelope
        if step.step == "handle":
            begun[message.id] = step.time
        elif step.step in ("commit", "ack", "retry", "dead_letter") and message.id in begun:
            took = (step.time - begun.pop(message.id)) / 1000
            if took > HANDLING:
                long.append(f"mail was busy with {message.type} {message.id} for {took:g} s")
    return long


@Claim("nobody asks again after an answer", about=UserRegistered)
def no_question_in_vain(run):
    answered, again = set(), []
    for step in of_mail(run):
        if step.step == "handle":
            answered.discard(step.envelope.id)
        elif step.step == "answer" and step.detail != "too late":
            answered.add(step.envelope.causation)
        elif step.step == "ask" and step.envelope.causation in answered:
            asked = f"mail asked {step.envelope.data} again at {step.time / 1000:g} s"
            again.append(f"{asked}, after it was answered")
    return again


@Claim("only accounts announces a registration", about=UserRegistered)
def only_accounts_announces(run):
    return [
        f"mail publishes {step.envelope.data} at {step.time / 1000:g} s"
        for step in of_mail(run)
        if (step.step, step.envelope.type) == ("publish", UserRegistered.__name__)
    ]


CLAIMS = {
    **{why: nobody_is(why) for why in ("given up", "noted too early", "never written to")},
    "another moment's address": address_as_registered,
    "written to twice": nobody_twice,
    "asked in vain": no_question_in_vain,
    "announced by mail": only_accounts_announces,
    "a dead letter": nothing_dead("mail", UserRegistered),
}

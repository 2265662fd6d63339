"""The shop of lesson 01's exercises: accounts owns the users, and mail asks it for their addresses."""

from collections.abc import Callable

from ..errors import Unanswered
from ..model import Command, Event, Query, System
from .general import by_name, sent


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
        begin select raise(abort, 'rule 3: a letter that is sent cannot be changed or deleted'); end;"""
    for change in ("delete", "update")
)
NAMES = by_name(GetUser, GetUserAt, UserRegistered, WriteLater, Unanswered)


async def register(command, ctx):
    with ctx.database as db:
        began = "select min(since) from users where userId = ?"
        [(since,)] = db.execute(began, (command.userId,))
        if since is None:
            since = ctx.now
            db.execute("insert into users values (?, ?, ?)", (command.userId, command.email, since))
    await ctx.publish(UserRegistered(userId=command.userId, timestamp=since))


def change_email(command, ctx):
    with ctx.database as db:
        keep = "insert into users select distinct userId, ?, ? from users where userId = ?"
        db.execute(keep, (command.email, ctx.now, command.userId))


def get_user(query, ctx):
    with ctx.database as db:
        since = "select email from users where userId = ? and since <= ? order by since desc"
        found = db.execute(since, (query.userId, getattr(query, "at", ctx.now))).fetchone()
        return {"email": found and found[0]}


def shop(write: Callable, max_attempts: int = 3) -> System:
    """`accounts` owns the users and their past addresses; `mail` writes to those who register."""
    system = System("shop")
    accounts = system.service("accounts", schema=USERS)
    accounts.handles(RegisterUser)(register)
    accounts.handles(ChangeEmail)(change_email)
    accounts.answers(GetUser)(get_user)
    accounts.answers(GetUserAt)(get_user)
    system.service("mail", schema=LETTERS).on(UserRegistered, max_attempts=max_attempts)(write)
    return system


def down(*outages: int) -> list[list[str]]:
    """Plans in which `accounts` is down for these seconds, from the first query of either kind."""
    queries = "GetUserAt", "GetUser"
    return [[f"crash accounts.handle.{each} #1 for {s} s"] for s in outages for each in queries]


def two_users(write: Callable, variant: int) -> tuple[System, Callable]:
    """Two users register with one address, which nobody can guess, and Ada moves soon after."""
    ada, address = f"ada-{variant}", f"rose{variant * 7 % 97}"
    users = (ada, f"o'hara-{variant}")
    registered = [RegisterUser(userId=user, email=f"{address}@home") for user in users]
    moved = ChangeEmail(userId=ada, email=f"{address}@work")
    return shop(write), sent(*registered, 0.1, moved)


def or_later(write: Callable, variant: int) -> tuple[System, Callable]:
    """The same, but `mail` also handles WriteLater with this function."""
    system, users = two_users(write, variant)
    system.services["mail"].handles(WriteLater)(write)
    return system, users

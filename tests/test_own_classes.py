"""A learner's own message classes count as the exercise's where both are declared in the same way, however the answer uses them,
and so do functions of their own. What else has a name of the exercise's is told."""

import pytest

from edalab.exercises import lesson_03_system
from edalab.model import message_types
from edalab.practice import check

LESSON_03 = """
from functools import reduce, singledispatch, wraps
from dataclasses import dataclass
from edalab import Command, ConcurrencyError, Event, EventStore, Query
class Withdraw(Command, key="customer"):
    customer: str
    account: str
    amount: int
class CheckFraud(Query, key="customer"):
    customer: str
    account: str
    amount: int
class AccountOpened(Event):
    owner: str
class MoneyDeposited(Event):
    amount: int
class MoneyWithdrawn(Event):
    amount: int
class WithdrawalRefused(Event):
    amount: int
def evolve(total, event):
    match event:
        case MoneyDeposited(amount=amount):
            return total + amount
        case MoneyWithdrawn(amount=amount):
            return total - amount
    return total
def balance(total, fact):
    return evolve(total, fact.event)
"""
ANSWER = """
async def answer(command, ctx):
    said = await ctx.ask(CheckFraud(**command.model_dump()), timeout=5)
    with ctx.database as db:
        store = EventStore(db)
        if ctx.message.id in [fact.causation for fact in store.read(command.account)]:
            return
        paid = said["ok"] and total_of(store, command.account) >= command.amount
        event = (MoneyWithdrawn if paid else WithdrawalRefused)(amount=command.amount)
        store.append(command.account, [event])
"""
TOTALS = {
    "a method that calls the fold": '''
class Account:
    def __init__(self, store, name):
        self.store, self.name = store, name
    def total(self):
        return self.store.state(self.name, balance, 0)
def total_of(store, account):
    return Account(store, account).total()
''',
    "a static method": '''
class Bank:
    @staticmethod
    def total(store, account):
        return store.state(account, balance, 0)
def total_of(store, account):
    return Bank.total(store, account)
''',
    "a dataclass that applies events": '''
@dataclass
class State:
    total: int = 0
    def apply(self, event):
        match event:
            case MoneyDeposited(amount=amount):
                return State(self.total + amount)
            case MoneyWithdrawn(amount=amount):
                return State(self.total - amount)
        return self
def total_of(store, account):
    return store.state(account, lambda state, fact: state.apply(fact.event), State()).total
''',
    "a dict by class": '''
SIGN = {MoneyDeposited: 1, MoneyWithdrawn: -1}
def total_of(store, account):
    facts = store.read(account)
    return sum(SIGN.get(type(f.event), 0) * getattr(f.event, "amount", 0) for f in facts)
''',
    "a tuple of classes": '''
MONEY = (MoneyDeposited, MoneyWithdrawn)
def total_of(store, account):
    moved = [fact for fact in store.read(account) if isinstance(fact.event, MONEY)]
    return sum(f.event.amount if f.type == "MoneyDeposited" else -f.event.amount for f in moved)
''',
    "a function for each class": '''
@singledispatch
def effect(event):
    return 0
@effect.register
def _(event: MoneyDeposited):
    return event.amount
@effect.register
def _(event: MoneyWithdrawn):
    return -event.amount
def total_of(store, account):
    return sum(effect(fact.event) for fact in store.read(account))
''',
    "a decorated fold": '''
def of_events(fold):
    @wraps(fold)
    def folded(store, account):
        return reduce(fold, [fact.event for fact in store.read(account)], 0)
    return folded
@of_events
def total_of(total, event):
    if isinstance(event, MoneyDeposited):
        return total + event.amount
    return total - event.amount if isinstance(event, MoneyWithdrawn) else total
''',
    "a default argument": '''
def total_of(store, account, fold=balance):
    return store.state(account, fold, 0)
''',
}  # fmt: skip
LESSON_01 = """
from edalab import Command, Event, Query, Unanswered
class UserRegistered(Event, topic="users", key="userId"):
    userId: str
    timestamp: float
class WriteLater(Command):
    userId: str
    timestamp: float
class GetUserAt(Query):
    userId: str
    at: float
class Letter:
    def __init__(self, message):
        self.message = message
    def due(self):
        match self.message:
            case UserRegistered(userId=user, timestamp=at) | WriteLater(userId=user, timestamp=at):
                return user, at
    async def write(self, ctx):
        user, at = self.due()
        try:
            answer = await ctx.ask(GetUserAt(userId=user, at=at))
        except Unanswered:
            await ctx.send(WriteLater(userId=user, timestamp=at), after=5)
            return
        with ctx.database as db:
            row = user, answer["email"]
            if not db.execute("select 1 from letters where userId = ?", (user,)).fetchone():
                db.execute("insert into letters values (?, ?)", row)
async def answer(message, ctx):
    await Letter(message).write(ctx)
"""


def defined(*sources: str) -> dict:
    notebook = {"__name__": "notebook"}
    for source in sources:
        exec(source, notebook)
    return notebook


@pytest.mark.parametrize("id", ["03.1", "03.2"])
@pytest.mark.parametrize("way", TOTALS)
def test_every_way_to_add_up_events_is_right(way, id):
    result = check(defined(LESSON_03, TOTALS[way], ANSWER)["answer"], id)
    assert result.correct, result


def test_a_method_may_match_the_classes_of_the_message_it_is_given():
    result = check(defined(LESSON_01)["answer"], "01.3")
    assert result.correct, result


def test_the_exercise_has_its_own_classes_back_afterwards():
    own = defined(LESSON_03, TOTALS["a dict by class"], ANSWER)
    ours = lesson_03_system.MoneyDeposited
    assert check(own["answer"], "03.1").correct
    assert lesson_03_system.MoneyDeposited is ours is not own["MoneyDeposited"]
    assert message_types()["MoneyDeposited"] is own["MoneyDeposited"]


@pytest.mark.parametrize(
    "other",
    [
        "class MoneyDeposited(Event, version=2, upcasts={1: dict}):\n amount: int\n currency: str = 'EUR'",
        "class MoneyDeposited(Event):\n amount: float",
        "class MoneyDeposited(Event):\n amount: int = 1",
        "class MoneyDeposited(Event):\n amount: int\n def __eq__(self, other):\n  return True",
    ],
)
def test_a_class_that_is_declared_otherwise_changes_nothing(other):
    way = TOTALS["a default argument"].replace(", fold=balance", "").replace("fold", "balance")
    result = check(defined(LESSON_03, way, ANSWER, other)["answer"], "03.1")
    assert result.correct, result


OWN_FOLD = """
def balance(state, fact):
    sign = {"MoneyDeposited": 1, "MoneyWithdrawn": -1}.get(fact.type, 0)
    return {"total": state["total"] + sign * getattr(fact.event, "amount", 0)}
def total_of(store, account):
    return store.state(account, balance, {"total": 0})["total"]
"""


@pytest.mark.parametrize("id", ["03.1", "03.2"])
def test_a_function_of_the_learners_comes_before_the_exercises_of_that_name(id):
    assert check(defined(LESSON_03, OWN_FOLD, ANSWER)["answer"], id).correct
    wrong = OWN_FOLD.replace('"MoneyWithdrawn": -1', "")
    assert check(defined(LESSON_03, wrong, ANSWER)["answer"], id).anomaly == "overdrawn"


def test_a_class_may_have_further_fields_with_defaults():
    field = "    timestamp: float\nclass GetUserAt"
    more = LESSON_01.replace(field, field.replace("float", "float\n    tries: int = 0"))
    counting = more.replace("WriteLater(userId=user, timestamp=at),", "self.later(user, at),")
    counting = counting.replace(
        "    async def write",
        "    def later(self, user, at):\n        tries = getattr(self.message, 'tries', 0)\n"
        "        return WriteLater(userId=user, timestamp=at, tries=tries + 1)\n    async def write",
    )
    result = check(defined(counting)["answer"], "01.3")
    assert result.correct, result


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ("class MoneyDeposited(Event):\n euros: int", "MoneyDeposited(amount), and yours has other fields"),
        ("class MoneyDeposited(Event):\n amount: int\n by: str", "MoneyDeposited(amount), and yours has other fields"),
        ("class MoneyDeposited(Command):\n amount: int", "MoneyDeposited(amount), and yours is another"),
        ("MoneyDeposited = None", "MoneyDeposited(amount), and yours is another"),
        ("class EventStore:\n pass", "EventStore, and yours is another"),
        ("balance = 0", "balance, and yours is another"),
    ],
)  # fmt: skip
def test_what_else_has_a_name_of_the_exercises_is_told_if_the_answer_uses_it(other, said):
    own = defined(
        LESSON_03, TOTALS["a dict by class"].replace("type(f", "balance and type(f"), ANSWER, other
    )
    result = check(own["answer"], "03.1")
    assert (result.outcome, result.anomaly) == ("not yet", "misuse"), result
    assert result.evidence == f"check uses its own {said}: give yours another name"


def test_a_class_with_another_topic_or_key_is_told():
    other = "class MoneyDeposited(Event, topic='elsewhere', key='amount'):\n amount: int"
    own = defined(LESSON_03, TOTALS["a decorated fold"], ANSWER, other)
    result = check(own["answer"], "03.1")
    assert (result.outcome, result.anomaly) == ("not yet", "misuse"), result
    assert result.evidence == (
        "check declares MoneyDeposited with topic=None and key=None, and you with topic='elsewhere' "
        "and key='amount': declare it in the same way, or give yours another name"
    )


def test_a_name_that_the_answer_does_not_use_may_be_anything():
    own = defined(LESSON_03, TOTALS["a dict by class"], ANSWER, "balance = 0\nWithdraw = None")
    assert check(own["answer"], "03.1").correct

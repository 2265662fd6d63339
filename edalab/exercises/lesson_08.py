"""Exercises of lesson 08: the key of a wish, a provider that stores it, and an event per charge."""

from ..errors import PublishFailed, Refused, Unanswered
from ..practice.exercise import Anomaly, Exercise, explored, hints_of
from ..practice.explained import Refuted, explained
from ..sim.run import Run
from . import lesson_08_system as shop
from .general import by_name
from .lesson_08_claims import one_answer, one_event
from .lesson_08_system import Charge, CheckCard, OrderPlaced, PaymentCharged

# -- 08.1


def charges_of(letter: str, variant: int) -> tuple[int, Run]:
    """The charges of the provider in that morning with the key of this letter, and the run."""
    run = shop.the_morning(letter, variant)
    return len(run.rows("provider", "select * from answers")), run


def counted(number: int, variant: int) -> Anomaly | str:
    times, run = charges_of("a", variant)
    if number == times:
        return f"{number} charges for {shop.one_morning(variant)['orders']} orders"
    name, what = ("too few", "more") if number < times else ("too many", "fewer")
    return Anomaly(name, f"you say {number}, and in this run the provider charges {what}", run)


def against(_: int, variant: int) -> Refuted:
    orders, made = shop.one_morning(variant)["orders"], "with ({}) the provider makes {} charges"
    tried = {letter: charges_of(letter, variant) for letter in "acd"}
    return {
        letter: (f"{made.format(letter, times)} for {orders} orders", run)
        for letter, (times, run) in tried.items()
    }


ONE = explained(
    "08.1",
    "The name of the wish",
    ("a number of charges, a whole number", range(1001)),
    shop.one_morning,
    counted,
    "b",
    against,
    hints_of("""
        too few
            Which messages of this morning have different ids, although they are about the same order?
            A message that is delivered again keeps its id. What about an event that is published again? And are two orders of one customer charged once or twice?
            Each event that is published again is a message of its own with a new id. So the provider charges once for each order, and once more for each event that was published again.
        too many
            Which of the things that happen this morning change the id of a message, and which don't?
            When the handler is tried again it gets the same message. And are the orders of `same_again` among `orders` already?
            Only an event that is published again has a new id. Add those to the orders, and nothing else.
        another reason
            How many orders does this run have, and how many charges?
            Go through the four stories (the same again, published again, tried again, one after the other). In which of them does your key change, and in which does it stay the same although the wish is another?
            The key has to be the same for everything that comes of one wish, and different for two wishes. Only the order's id was given where the wish arose.
    """),
)

# -- 08.2

CHARGE_HINTS = hints_of("""
charged twice
    Two requests with this key were on their way at the same time, or one came again. What did your function know when it charged the second time?
    While you wait for the bank, the other replica may do all of it. What you read before the wait may be out of date, and ctx.state belongs to one replica.
    Ask the bank first. Then, in one `with ctx.database as db:`, insert the key with `insert or ignore`, and charge only if `.rowcount` is 1.
no answer
    What did your function leave in the database when it was interrupted, and what does the next request make of that?
    If the key is saved before there is an answer, a crash in between leaves a key without one. If your function raises, the client gets no answer either.
    Save the key, the charge and the answer in one transaction, after you have asked the bank.
an unknown answer
    What does your function return here, and which answers does the task name?
    Does every way through your function end with a return? And is it the text that you kept, or the whole row?
    Return "charged" or "declined". A Refused(…) is only for a key with another amount. Save the key together with its answer.
another amount
    This key came with two amounts. What did the second request get, and what did it know of the first one when it answered?
    The row in `answers` says for which amount the key was used. What do you compare with it, and does the second request leave that row as it is?
    Keep the first row, with `insert or ignore`. Read it at the end of the transaction. If its amount isn't command.amount, return Refused(…).
another answer
    The same key and amount got two answers. What had changed between them?
    Compare the answer that you keep with the one that you return. The bank may say something else the second time, and the second request must not be refused.
    Keep the first answer with the key, also if it is "declined", and return the kept one from then on.
declined and charged
    What did the bank say about this card, and what did your function do?
    Do you ask the bank? And is the charge inside the condition?
    Insert into `charges` only if the bank said yes and the key is new.
never charged
    What did the bank say about this card, and which row or answer is missing or wrong?
    Is what you compare the key, or something that two wishes have in common? Does an error that you catch look like a no? And can a crash come between the answer that you keep and the charge?
    A new key is a new wish, even for the same order. If the bank says yes, insert into `charges` and keep "charged" in the same transaction. Then return it.
""")
CHARGE_ONCE = explored(
    shop.provider_of,
    one_answer,
    CHARGE_HINTS,
    only=("of the provider and the bank", lambda fault: not fault.at.startswith("client.")),
)

# -- 08.3

BILL_HINTS = hints_of("""
a dead letter
    For which order does your function raise, and does a further attempt help?
    The provider may decline, or refuse. Is the answer always "charged"? Does your insert fail if the row is there already?
    If the answer isn't "charged", return. Save the event with `insert or ignore`.
charged twice
    With which key did each of these requests come?
    An order may arrive again as the same message, or as another message with another id.
    Use key=event.order_id. The provider knows it then, whatever comes again.
never charged
    What had your function saved or caught when it stopped, and what does it do the next time?
    If you note an order before it is charged, a crash in between makes it look done. If you catch Unanswered and return, the broker takes the order as handled. If two orders have one key, only the first is charged.
    Ask the provider first, with key=event.order_id, save afterwards, and let Unanswered out. With a key you can always ask again.
published twice
    Which ids do the two events have in the topic?
    The topic compares ids. Where does each of your events get its id, and is that id still there after a crash, or when the order comes as another message?
    Save ctx.envelope(…) in `outbox` under the order's id with `insert or ignore`. Then read the row, end the `with` and publish what the row holds, so every attempt publishes the same id. Never delete or replace the row.
published without a charge
    What was the provider's answer to this order, and when did your function publish?
    A declined order has no charge. And does the event name the amount that was charged?
    Publish after the answer, only if it is "charged", and only this order with its amount.
never published
    Where did your function stop the first time, and why did it not publish the second time?
    A row in a table says that the event was made, not that the topic has it. If you catch PublishFailed and return, nobody tries again.
    Publish what the outbox holds every time the order comes, and let PublishFailed out. The topic stores each id once.
""")
AGAIN = ["crash billing.commit.OrderPlaced #1", "unconfirmed billing.publish.PaymentCharged #2"]
BILL = explored(
    shop.billing_of,
    one_event,
    BILL_HINTS,
    alone=[AGAIN, [AGAIN[1], "crash billing.publish.PaymentCharged #3"]],
    only=(
        "of billing and the provider",
        lambda fault: fault.at.split(".")[0] in ("billing", "provider"),
    ),
)
PROVIDER_NAMES = by_name(Charge, CheckCard, Refused, Unanswered)
NAMES = PROVIDER_NAMES | by_name(OrderPlaced, PaymentCharged, PublishFailed)
EXERCISES = [
    ONE,
    Exercise("08.2", "Charge once", "command, ctx", CHARGE_ONCE, CHARGE_HINTS, PROVIDER_NAMES),
    Exercise("08.3", "An event for each charge", "event, ctx", BILL, BILL_HINTS, NAMES),
]

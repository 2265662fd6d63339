"""Exercises of lesson 11: what a crash leaves of two writes, a relay that meets a poison row, and two relays at once."""

from ..errors import PublishFailed
from ..practice.exercise import Anomaly, Exercise, explored, hints_of
from ..practice.explained import paired
from ..sim import pause
from ..text import counted
from . import lesson_11_system as shop
from .general import by_name, misjudged
from .lesson_11_claims import one_leader, one_relay
from .lesson_11_system import LineAdded, RowParked

# -- 11.1

REASONS = list("abcde")


def decide(pairs: list[tuple[str, str]], variant: int) -> Anomaly | str:
    for n, (said, story) in enumerate(zip(pairs, shop.stories(variant), strict=True), 1):
        outcome, run = shop.outcome(story), shop.one_order(story)
        if name := misjudged(said, (outcome, story[-1]), "fine", "another effect"):
            orders, events, begun = shop.left_by(run)
            left = f"left {counted(orders, 'saved order')} and {counted(events, 'event')}"
            what = f"case {n}: you say {said[0]}, ({said[1]}); in this run the handler"
            return Anomaly(name, f"{what} began {counted(begun, 'time')} and {left}", run)
    return "six runs"


DECIDE_HINTS = hints_of("""
a false alarm
    What happens in this case after the restart?
    A message that isn't acknowledged comes again after five seconds. The relay looks at the outbox every second. What is missing is made up for then.
    Write down the lines that ran before the crash. Then go on with what runs after the restart, and count orders and events.
an anomaly is missed
    Which lines ran before the crash, and what runs after the restart?
    After `ack` nobody sends the message again. `look` ends the handler if the order is saved. A `publish` that ran can't be taken back, also inside a transaction.
    Count the orders in the table and the events in the topic at the end. It is fine only if there is one of each.
another effect
    How many events are in the topic at the end, and is the order saved?
    No event at all is *lost*, whether the order is saved or not. Two events are *twice*. One event without an order is *invented*.
    Go through the lines before the crash and those after it, and count each `publish` and each save that was committed.
another reason
    What decided how this case goes on after the crash: the broker, the table of orders, or the outbox?
    Was the message acknowledged already? If it comes again, does the handler run all of its lines, or does it stop at `look`? With a relay, is the row still there?
    In a case with a relay the handler has ended long before, so only the row counts. In all others the place of `ack` and `look` does.
""")

# -- 11.2

AGAIN_HINTS = hints_of("""
another id
    Where does each of your events get its id, and is it the same at the second attempt?
    An event that you make anew gets a new id at each publish, so nobody can see that it is the same. The outbox holds an envelope.
    Give the text in the column `event` to ctx.publish as it is.
published again
    What did your relay save after it had published this row?
    A row that is published and not marked is published again in the next run. Nothing had failed here.
    Set state to 'sent' after the publish, in a transaction of its own, for this row.
""")
ORDER_HINTS = hints_of("""
out of order
    Which lines of this order were not in the topic yet when you published this one?
    If a publish fails, the later rows of the same order have to wait. If several are on their way at once, a later one may be stored first.
    Publish one row after the other, in the order of their numbers. If one fails, pass over all later rows of its order.
""")
RELAY_HINTS = AGAIN_HINTS | hints_of("""
raises
    What does the message say? If it is PublishFailed, which rows may still go on in this run?
    A publish may fail, and then `await ctx.publish` raises PublishFailed, which ends your whole run. For any other message, look at the values that this line uses.
    Put your publish into `try:` and write `except PublishFailed:` below it. There you count the attempt, and remember the order, so that its later rows wait.
too many at once
    How many rows does one run of your relay publish?
    Ten rows are the most, however many are waiting. RowParked doesn't count.
    End your select with `limit 10`.
never given up
    How often was this row published, and what does your relay count?
    The broker always refuses it. If the count isn't saved, each run begins at zero.
    Save attempts + 1 after each failed publish. Park the row if there are three or more, because the relay may have crashed after the third.
parked too early
    How often had this row been published, and how often had the broker refused it?
    One failed publish may be bad luck, and then the next attempt works, so make it in the next run. A number that is kept in ctx.state is gone after a crash, and the other replica doesn't see it.
    Count in the column `attempts`. Publish RowParked only when this is the third failed attempt of this row.
an event is lost
    What had your relay saved about this row, and what had the broker confirmed by then?
    If you mark or delete a row before it is published, a crash in between loses it. If you catch PublishFailed, it was not published, and neither were the rows that you passed over.
    Publish first. Mark only this row, and only if its publish raised nothing.
passed over
    Which row did your relay publish before this one was saved?
    The number is given out first, and the row is saved later. So a lower number may come after a higher one, and a checkpoint has passed it by then.
    Keep no checkpoint. Ask for rows whose state is 'waiting', whatever their numbers are.
out of order
    Which lines of this order were not in the topic yet when you published this one?
    If a publish fails, the later rows of the same order have to wait, and once the row is parked, in every later run, too. If several are on their way at once, a later one may be stored first.
    Publish one row after the other, in the order of their numbers. If one fails, pass over all later rows of its order. A row that was parked in an earlier run holds its order back, too.
nobody is told
    What became of the row that the broker always refuses, and who knows of it?
    A row that isn't tried again, or is marked as parked or as sent and not reported, is forgotten. If you mark it first, a crash comes before you have told anybody. RowParked takes the id of the row and its order_id.
    After the third failed attempt, publish RowParked(id=…, order_id=…) first, and set state to 'parked' after that, for this row only.
not parked
    What is the state of the row that the broker always refuses, once you have published RowParked?
    The `state` tells your relay, and anybody who looks into the table, that a row is parked. As long as it is 'waiting', the row is reported again or looks as if it were going to be published.
    After RowParked is published, set state to 'parked' for this row, in a transaction of its own.
others wait
    Which rows did your relay read in its last runs, and which of them could it publish?
    Does your loop go on with other orders after a failed publish? And the rows behind a parked one stay 'waiting' for ever. If they fill your ten places, no other order gets one.
    After a failed publish, `continue` with the next row. Leave orders with a parked row out of the select: `order_id not in (select order_id from outbox where state = 'parked')`.
""")
OF_RELAY = (
    "of the relay's first ten steps of a kind",
    lambda fault: (
        fault.at.startswith("orders.")
        and ".AddLines" not in fault.at
        and fault.do in ("crash", "fail", "unconfirmed")
        and fault.nth < 10
    ),
)
RELAY = explored(shop.relay_of, one_relay, RELAY_HINTS, only=OF_RELAY, until=16)

# -- 11.3

LEADER_HINTS = (
    hints_of("""
an old leader publishes
    This replica stood still. What did it know when it went on, and what had happened meanwhile?
    It goes on after the `await` at which it stood still, with rows that it had read long before. What it keeps in ctx.state, or has compared at the beginning of its run, says nothing about the new leader. Only the database knows.
    Before each publish: `update fence set token = ? where token <= ?`, both times with ctx.lease. If `.rowcount` is 0, there is a newer leader, so return. A new leader does this before anything else.
""")
    | AGAIN_HINTS
    | hints_of("""
an event is lost
    Who had this row last, and who looks at it now?
    If you mark, claim or lock rows before you publish them, a crash or a pause leaves them so, and nobody gives them back. And does your fence let the leader itself pass a second time?
    Mark a row only after it is published, and only if the publish raised nothing. If you claim rows, let a leader with a higher number take them. The fence passes a token that is equal or higher.
an event is lost, by itself
    Did your relay ever publish this row, and what kept it from that?
    There is one leader here, and nothing failed. So does your fence let the leader itself pass, for its second row too? Its token is equal then, and not higher.
    `update fence set token = ? where token <= ?`, both times with ctx.lease, passes a token that is equal or higher.
others wait, by itself
    How many rows does one run publish, and how many were waiting?
    There is one leader here, and nothing failed. Yet this row waited for several runs.
    Publish all rows that are waiting in one run.
others wait
    What did the new leader do in its first runs, and what was it waiting for?
    A flag in a table that says *busy* stays there while its owner stands still or is down. The new leader needn't ask the old one.
    Let the number decide: whoever has the higher lease goes on at once.
one failure ends the run
    What did your relay do when this publish failed, and which rows were waiting then?
    `await ctx.publish` raises PublishFailed, which ends your whole run if you don't catch it. A row of another order needn't wait for the next one.
    Put your publish into `try:`. In `except PublishFailed:` remember the order, and go on. Pass over the later rows of an order that you have remembered.
""")
    | ORDER_HINTS
)
# The leader pauses at one of its publishes, and another replica takes over.
# (In the last two it continues while the new leader publishes its first row.)
PAUSES = [[pause("orders", moment, 9)] for moment in (1.015, 1.005, 2.01, 2.03, 3.015, 3.035, 4.02)]
PAUSES += [[pause("orders", moment, end)] for moment, end in ((1.015, 5.004), (2.02, 6.004))]
DOWN = [[f"crash orders.publish.LineAdded #{nth} for 9 s"] for nth in (2, 8)]
LEADERS = explored(
    shop.relays_of,
    one_leader,
    LEADER_HINTS,
    PAUSES[:1],
    [*PAUSES[1:], *DOWN],
    OF_RELAY,
    until=16,
)
NAMES = by_name(LineAdded, PublishFailed)
LEFT = paired(6, (shop.OUTCOMES, REASONS), decide)
EXERCISES = [
    Exercise("11.1", "What a crash leaves", "", LEFT, DECIDE_HINTS, figures=shop.cases),
    Exercise("11.2", "A relay with a batch", "ctx", RELAY, RELAY_HINTS, NAMES | by_name(RowParked)),
    Exercise("11.3", "Two relays", "ctx", LEADERS, LEADER_HINTS, NAMES),
]

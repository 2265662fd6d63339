"""Exercises of lesson 09: customers of two shops, answers that never get older, moving shares."""

from typing import Any

from ..errors import Refused
from ..practice.exercise import Anomaly, Exercise, explored, hints_of
from ..practice.explained import paired
from . import lesson_09_system as shop
from .general import by_name, misjudged
from .lesson_09_claims import in_one_share, no_older
from .lesson_09_system import MovePieces, PiecesMoved, SalesCounted

# -- 09.1

GUARANTEES = [*dict.fromkeys(story.partition("|")[0] for story in shop.STORIES)]
REASONS = list("abcde")


def history(variant: int) -> dict[str, list[dict[str, Any]]]:
    """The questions of customers in six stories, with their answers."""
    told = [(n, line) for n in range(1, 7) for line in shop.told(variant, n)]
    return {"history": [{"line": at, "story": n, **line} for at, (n, line) in enumerate(told, 1)]}


def decide(pairs: list[tuple[str, str]], variant: int) -> Anomaly | str:
    stories, lines = shop.stories(variant), history(variant)["history"]
    for n, (said, story) in enumerate(zip(pairs, stories, strict=True), 1):
        guarantee, reason = story[:2]
        of_it = [line["line"] for line in lines if line["story"] == n]
        one, two = of_it[-2:] if reason == "a" else of_it[:2]
        if name := misjudged(said, (guarantee, reason), "none", "another guarantee"):
            what = f"story {n}: you say {said[0]}, ({said[1]})"
            return Anomaly(name, f"{what}; compare line {two} with line {one}")
    return "six stories"


DECIDE_HINTS = hints_of("""
a false alarm
    Compare the two lines. Which promise would be broken here, and to whom?
    An old answer breaks a promise only to a customer who has made or seen something newer. Two sales are one too many only if they come to more than ten. A price may be replaced by somebody whose shop knew of it.
    Go through the four guarantees for these two lines, and say "none" if each of them holds.
an anomaly is missed
    What did each of the two lines promise, and can both be true?
    Had the customer of the later line made or seen something that the answer doesn't show? Do two sales come to more than ten? Is a price gone although nobody who knew of it replaced it?
    Write down what each copy knows after each line. Between 1 s and 4 s a copy knows only what happened in its own shop.
another guarantee
    What was the customer of the later line promised, and by which line?
    Read your writes is about what a customer has changed or bought, monotonic reads about what a customer was shown. A write is lost if later answers show no trace of it.
    Look at the customer's name in both lines. If it is the same, did this customer change something in the first one, or only look?
another reason
    What did the second shop know when it answered, and what do the two clocks say?
    Between 1 s and 4 s no shop hears of the other. After that it does, and then an older answer has to do with a clock. Compare `clock` with `time`.
    A clock that is ahead shows more than `time`, one that is behind shows less. Look which of the two changes it belongs to, and whether it decided anything.
""")

# -- 09.2 and 09.3

TELL_HINTS = hints_of("""
a dead letter
    For which message does your function raise, and does a further attempt help?
    It is no error if a message comes twice, late, or after a newer one, or if a share is too small for it.
    Return at once if there is nothing to do. Use `insert or ignore` for what may be there already.
a total not heard of
    Which totals had this shop heard of when it answered, and how does yours come about?
    `pieces` is the sum of all sales in that shop so far, so you don't add it to anything. What the customer has seen is no news for the shop.
    Set `pieces` of the row of event.shop to the higher of the two totals, and answer with the two rows as they are.
an older total wins
    Which totals had this shop heard of, and in which order did they arrive?
    An older total may come after a newer one. If you read the row in one transaction and change it in another, the other replica may change it in between.
    A total never falls. Keep the higher number with `set pieces = max(pieces, ?) where shop = ?`.
a sale is missing
    A replica of this shop had handled the event. What did your function do with its total?
    Each replica has a `ctx.state` of its own, and the tables belong to both. Two replicas of a shop may sell at the same moment, so compare the totals, and not `at`. And does your answer name what the shop knows, or what the customer has seen?
    Save the total in `sold`, in the row of event.shop, if it is higher. Answer with both rows of `sold`.
read your writes
    What had this customer bought before, and what did the shop know about that when it answered?
    The customer's number for *each* shop counts, each time you look. Twelve sold in south say nothing about the two sold in north, and the first news may be about something else.
    Compare known["north"] with message.north and known["south"] with message.south. If either is too low, wait, or refuse.
monotonic reads
    What had the other shop shown this customer before, and what did this one know when it answered?
    The customer's number for *each* shop counts, each time you look. And what do you return when the time is over?
    Compare known["north"] with message.north and known["south"] with message.south. If one is still too low after 0.8 s, return Refused(…) and no number.
refused needlessly
    When did the customer ask, when did the shop know enough, and when did it refuse?
    The event may be on its way, so read `sold` again and again for 0.8 s. What the shop knows is in its tables, because each replica has a `ctx.state` of its own. Totals as high as the customer's are enough.
    Repeat eight times: read `sold`, return it if it is enough, `await ctx.sleep(0.1)`. Return Refused(…) only after that.
no answer in time
    When did the shop know enough, and when did it answer, if it did?
    If the shop knows enough, the customer doesn't have to wait. During the cut nothing arrives, however long you wait. An exception is no answer. Does every way through your function end with a return?
    Look before you wait, wait 0.1 s at a time, and count your attempts. Return a dict with two numbers as soon as both are high enough, or after 0.8 s Refused(…).
""")
late = "delay {}.deliver.SalesCounted #{} for {} s".format
CUT = ["cut south from north from 0 s to 8 s"]
LATE = [[late("south", n, s)] for n, s in ((1, 0.4), (3, 7), (3, 0.4))] + [[late("north", 2, 7)]]
# In the last one, two totals of south reach the two replicas of north at the same moment.
LATE += [[late("north", 2, 0.4), late("north", 3, 0.37)]]
TELL = explored(
    shop.two_copies,
    no_older,
    TELL_HINTS,
    [],
    [*LATE, CUT],
    (
        "of what a shop hears and is asked for",
        lambda fault: ".publish." not in fault.at and ".Sell" not in fault.at,
    ),
)
TRADE_HINTS = {"a dead letter": TELL_HINTS["a dead letter"]} | hints_of("""
a wrong transfer
    What was north asked to move, how many pieces did it have, and what did it publish?
    If the share is smaller than what is asked for, nothing moves, not even a part of it. Otherwise the event has the id and the pieces of the command. Do you publish it, or only make it?
    If share >= message.pieces, take them off and publish PiecesMoved with the same transfer_id. If not, just return.
sold without a share
    How many pieces did this shop have when it answered?
    Pieces that are on their way, or in the other shop, can't be sold here. If you read the share in one transaction and change it in another, the other replica may change it in between.
    Read the share, compare it and take the pieces off in one `with ctx.database as db:`.
refused with pieces enough
    How many pieces did this shop have when it refused?
    A shop sells from its own share whatever the other one does, also if the order takes the last piece. Does an error that you catch look like a no?
    Refuse if share < message.pieces, and only then.
no answer at once
    What did this customer get, when, and what did your function do with the order, each time it came?
    What a shop has it can sell at once, and what it doesn't have may not come for hours, so don't wait. An order comes again if its answer got lost. Does your insert fail then? Does every way through your function end with a return?
    Look for the order in `sales` first. Return "sold" or Refused(…) from the share as it is now.
an order that comes again
    How often did this order come, and how could your function have known the second time?
    An order comes again if its answer got lost. Its pieces have been taken already. If you save the sale and the share apart, a crash can come in between.
    In one transaction, look for the order in `sales` before you look at the share, then take the pieces off and insert the sale.
kept and moved
    South can sell these pieces now. When did north take them off its share?
    A crash can come between publishing and saving, and then north still has what south got. While you await the publish, the other replica may sell the same pieces. If a publish fails, the event may be there all the same.
    Take the pieces off first, in the same transaction in which you save that they are moved. Then publish, and don't give them back.
moved twice
    How often did this transfer arrive, under which ids, and what had the shop saved by then?
    The same message may come twice, also after a crash or a failed publish. A transfer that is published again as a new event has a new id. What stays the same? And `ctx.state` is gone after a crash.
    Insert transfer_id into `moved` with `insert or ignore`, and change the share only if `.rowcount` is 1, in the same transaction.
lost on the way
    Where did this transfer stop, and what does the next attempt do about it?
    North has saved that the pieces are gone. A crash, or a publish that fails, comes before the event is out. If you then return because the transfer is known, or if you catch PublishFailed, nobody publishes it. In south, a note without its pieces loses them, too.
    Publish in *every* attempt, also if the transfer is in `moved` already. Keep ctx.envelope(…) there to publish it again. In south, note the transfer and add its pieces in one transaction.
""")
TRADE = explored(
    shop.two_shares,
    in_one_share,
    TRADE_HINTS,
    [],
    [CUT],
    # No shop is asked for pieces more than three times before all that is left is bought.
    (
        "of the two shops",
        lambda fault: "client." not in fault.at and (".Sell" not in fault.at or fault.nth < 4),
    ),
)
QUESTIONS = *shop.LOOK.values(), *shop.SELL.values()
NAMES = by_name(Refused, SalesCounted, *QUESTIONS, MovePieces, PiecesMoved)
SAW = paired(6, (GUARANTEES, REASONS), decide)
EXERCISES = [
    Exercise("09.1", "What each customer saw", "", SAW, DECIDE_HINTS, figures=history),
    Exercise("09.2", "No older than before", "message, ctx", TELL, TELL_HINTS, NAMES),
    Exercise("09.3", "Shares that move", "message, ctx", TRADE, TRADE_HINTS, NAMES),
]

"""Exercises of lesson 09: what customers of two shops see, an answer that is no older than the last, and shares that move."""

from ..errors import Refused
from ..practice.exercise import Exercise, explored
from . import lesson_09_shop as shop
from .lesson_09_claims import claims, wrong_answers, wrong_trades
from .lesson_09_shop import MovePieces, PiecesMoved, SalesCounted

# -- 09.2 and 09.3

TELL_HINTS = {
    "a dead letter": (
        "For which total does your function raise, and does a further attempt help?",
        "A total can come twice, late, or after a higher one. None of these is an error.",
        "Let the table take whichever is higher, and end as usual.",
    ),
    "a wrong total": (
        "Which totals had the shop published by then, and how does yours come about?",
        "`pieces` is the sum of all sales in that shop so far, so you don't add it to anything. Each shop also hears its own totals, and any event may come twice.",
        "Keep the higher of the two numbers, with `set pieces = max(pieces, ?) where shop = ?`.",
    ),
    "an older total wins": (
        "Which totals had this shop heard of, and in which order did they arrive?",
        "The topic has three partitions and no key, so an older total may come after a newer one. Does the time of an event help if the two shops' sales have one row each?",
        "A total never falls. Keep the higher number, whichever comes last.",
    ),
    "a sale is missing": (
        "This shop had handled the event. Where did your function keep the total, and which replica was asked?",
        "Each replica has a `ctx.state` of its own. The tables belong to both. And does your answer name what the shop knows, or only what the customer has seen?",
        "Save the total in `sold`, in the row of event.shop, and answer with both rows of `sold`.",
    ),
    "read your writes": (
        "What had this customer bought before, and what did the shop know about that when it answered?",
        "The customer's number for *each* shop counts. Twelve sold in south say nothing about the two sold in north.",
        "Compare known[\"north\"] with message.north and known[\"south\"] with message.south. If either is too low, wait, or refuse.",
    ),
    "monotonic reads": (
        "What had the other shop shown this customer before, and what did this one know when it answered?",
        "The customer's number for *each* shop counts. And what do you return when the time is over?",
        "Compare known[\"north\"] with message.north and known[\"south\"] with message.south. If one is still too low after 0.8 s, return Refused(…) and no number.",
    ),
    "refused too early": (
        "When did the customer ask, and when did the shop know enough?",
        "The event may be on its way, so look again and again for 0.8 s. What it knows is in its tables, because each replica has a `ctx.state` of its own. Don't compare times, because each shop has its own clock.",
        "Repeat eight times: read `sold`, return it if it is enough, `await ctx.sleep(0.1)`. Return Refused(…) only after that.",
    ),
    "answers late": (
        "When did the shop know enough, and when did it answer?",
        "If the shop knows enough, the customer doesn't have to wait, neither at first nor for the rest of the 0.8 s.",
        "Look before you wait, wait 0.1 s at a time, and return as soon as both numbers are high enough.",
    ),
    "no answer": (
        "What does your function wait for, and will it come within a second?",
        "During the cut nothing arrives, however long you wait. And a customer who gets an exception gets no answer.",
        "Count your attempts. After 0.8 s return Refused(…), which is an answer.",
    ),
    "an unknown answer": (
        "What does your function return here, and what does its docstring ask for?",
        "Does every way through your function end with a return? The answer has two numbers, under \"north\" and \"south\".",
        'Return `dict(db.execute("select shop, pieces from sold").fetchall())`, or Refused(…).',
    ),
}  # fmt: skip
LATE = (2, 0.4), (3, 7), (2, 7), (3, 0.4)
TELL = explored(
    shop.two_copies,
    claims(
        "no answer is older than what its customer has seen",
        SalesCounted,
        wrong_answers,
        TELL_HINTS,
    ),
    [],
    [[f"delay south.deliver.SalesCounted #{n} for {s} s"] for n, s in LATE],
    (
        "of what a shop hears and is asked for",
        lambda fault: ".publish." not in fault.at and ".Sell" not in fault.at,
    ),
)
TRADE_HINTS = {
    "a dead letter": (
        "For which message does your function raise, and does a further attempt help?",
        "It is no error if a transfer comes again, or if a share is too small for it. A share that stays too small needs no further attempt.",
        "Return at once if there is nothing to do. Use `insert or ignore` for what may be there already.",
    ),
    "a wrong transfer": (
        "How many pieces was north asked to move, and how many did it have?",
        "If the share is smaller than what is asked for, nothing moves, not even a part of it.",
        "Compare the share with message.pieces first. Publish PiecesMoved with the id and the pieces of the command, or nothing.",
    ),
    "sold without a share": (
        "How many pieces did this shop have when it answered?",
        "Pieces that are on their way, or in the other shop, can't be sold here. If you read the share in one transaction and change it in another, the other replica may change it in between.",
        "Read the share, compare it and take the pieces off in one `with ctx.database as db:`.",
    ),
    "refused with pieces enough": (
        "How many pieces did this shop have when it refused?",
        "A shop sells from its own share whatever the other one does, also if the order takes the last piece. Does an error that you catch look like a no?",
        "Refuse if share < message.pieces, and only then.",
    ),
    "answers late": (
        "What did the customer wait for?",
        "What the shop has, it can sell at once, and what it doesn't have may not come for hours.",
        "Answer from the share as it is now, without any ctx.sleep.",
    ),
    "no answer": (
        "How often was this order asked for, and where did your function stop each time?",
        "An order that has been sold is asked for again if its answer got lost. Does your insert fail if the row is there already?",
        "Look for the order in `sales` first, and answer \"sold\" if it is there.",
    ),
    "an unknown answer": (
        "What does your function return for this order?",
        "Does every way through your function that begins with an order end with a return?",
        'Return "sold", or Refused(…).',
    ),
    "another answer": (
        "What did the first answer say, and did the customer get it?",
        "If the answer got lost, the same order is asked for again. Its pieces have been taken already.",
        "Look for the order in `sales` before you look at the share.",
    ),
    "an order counts twice": (
        "How often was this order handled, and how could your function have known the second time?",
        "The same order is asked for again if its answer got lost. If you save the sale and the share apart, a crash can come in between.",
        "In one transaction, look for the order in `sales`, take the pieces off the share and insert the sale.",
    ),
    "kept and moved": (
        "South can sell these pieces now. When did north take them off its share?",
        "A crash can come between publishing and saving, and then north still has what south got. While you await the publish, the other replica may sell the same pieces.",
        "Take the pieces off first, in the same transaction in which you save that they are moved. Then publish.",
    ),
    "given twice": (
        "How often did this transfer arrive, and under which ids?",
        "The same message may be delivered twice, and a transfer that is published again as a new event has a new id. What stays the same?",
        "Insert transfer_id into `moved` with `insert or ignore`, and add the pieces only if `.rowcount` is 1, in the same transaction.",
    ),
    "taken twice": (
        "How often did this command arrive, and what had north saved the first time?",
        "North gets the same command again after a crash or a failed publish. The pieces are off its share by then.",
        "Save the transfer in `moved` in the same transaction in which you take the pieces off, and take none off if it is there.",
    ),
    "lost on the way": (
        "Where did this transfer stop, and what does the next attempt do about it?",
        "North has saved that the pieces are gone. A crash, or a publish that fails, comes before the event is out. If you then return because the transfer is known, or if you catch PublishFailed, nobody publishes it. In south, a note without its pieces loses them, too.",
        "Publish in *every* attempt, also if the transfer is in `moved` already. Keep ctx.envelope(…) there to publish it again. In south, note the transfer and add its pieces in one transaction.",
    ),
    "never moved": (
        "Was north's share large enough for this transfer, and what did your function do?",
        "MovePieces comes to north, PiecesMoved to south. Do you publish the event, or only make it?",
        "If share >= message.pieces, take them off and publish PiecesMoved with the same transfer_id.",
    ),
}  # fmt: skip
TRADE = explored(
    shop.two_shares,
    claims("pieces are in one share at a time", shop.SellInNorth, wrong_trades, TRADE_HINTS),
    [],
    [["delay south.deliver.PiecesMoved #1 for 7 s"]],
    ("of the two shops", lambda fault: not fault.at.startswith("client.")),
)
NAMES = {"Refused": Refused, "SalesCounted": SalesCounted}
NAMES |= {cls.__name__: cls for cls in (*shop.LOOK.values(), *shop.SELL.values())}
NAMES |= {"MovePieces": MovePieces, "PiecesMoved": PiecesMoved}
EXERCISES = [
    Exercise("09.2", "No older than before", "message, ctx", TELL, TELL_HINTS, NAMES),
    Exercise("09.3", "Shares that move", "message, ctx", TRADE, TRADE_HINTS, NAMES),
]

"""Exercises of lesson 09: what customers of two shops see, an answer that is no older than the last, and shares that move."""

from typing import Any

from ..errors import Refused, listed, shown
from ..model import declared_in
from ..practice.answer import Answer
from ..practice.exercise import TO_BE_JUDGED, Anomaly, Exercise, explored
from . import lesson_09_shop as shop
from .lesson_09_claims import claims, wrong_answers, wrong_trades
from .lesson_09_shop import MovePieces, PiecesMoved, SalesCounted

# -- 09.1

GUARANTEES = [*dict.fromkeys(story.partition("|")[0] for story in shop.STORIES)]
REASONS = list("abcde")


def history(variant: int) -> dict[str, list[dict[str, Any]]]:
    """What customers asked and were told, in six stories."""
    told = [(n, line) for n in range(1, 7) for line in shop.told(variant, n)[1]]
    return {"history": [{"line": at, "story": n, **line} for at, (n, line) in enumerate(told, 1)]}


def decide(answer: Answer, variant: int) -> Anomaly | str:
    if answer.again is None:
        with declared_in(""):  # if a learner simulates in it, the notebook's messages are meant
            returned = answer.call()
        try:
            returned = returned if isinstance(returned, list | tuple) else ()
            # str's own methods make plain texts also of what only looks like one.
            answer.last = [
                tuple(str.lower(str.strip(p, " ().")) for p in pair) for pair in returned
            ]
        except TypeError:
            answer.last = []
        known = [len(p) == 2 and p[0] in GUARANTEES and p[1] in REASONS for p in answer.last]
        if known != [True] * 6:
            words = f"guarantees: {listed(GUARANTEES)}; reasons: {listed(REASONS)}"
            what = f"{answer.name} returned {shown(returned)}"
            if len(known) == 6:
                what = f"{shown(returned[known.index(False)])} is not a guarantee and then a reason"
            return Anomaly("no six pairs", f"{what}; {words}")
        if answer.is_apart:
            return TO_BE_JUDGED
    stories, lines = shop.stories(variant), history(variant)["history"]
    for n, (said, story) in enumerate(zip(answer.again or answer.last, stories, strict=True), 1):
        guarantee, reason = story[:2]
        of_it = [line["line"] for line in lines if line["story"] == n]
        one, two = of_it[-2:] if reason == "a" else of_it[:2]
        name = "another guarantee"
        if said == (guarantee, reason):
            continue
        if said[0] == guarantee:
            name = "another reason" if guarantee != "none" else "why nothing is broken"
        elif "none" in (guarantee, said[0]):
            name = "a false alarm" if guarantee == "none" else "an anomaly is missed"
        evidence = f"story {n}: you say {said[0]}, ({said[1]}); compare line {two} with line {one}"
        return Anomaly(name, evidence, shop.told(variant, n)[0])
    return "six stories"


DECIDE_HINTS = {
    "no six pairs": (
        "What does your function return, and what does its docstring ask for?",
        "You need one pair for each story, in the order of the stories, also where nothing is broken.",
        'End your function with `return [("none", "e"), …]`, six pairs in one list, with words and letters as in the docstring.',
    ),
    "a false alarm": (
        "Compare the two lines. Which promise would be broken here, and to whom?",
        "An old answer breaks a promise only to a customer who has made or seen something newer. Two sales are one too many only if they come to more than ten. A price may be replaced by somebody whose shop knew of it.",
        "Go through the four guarantees for these two lines, and say \"none\" if each of them holds.",
    ),
    "an anomaly is missed": (
        "What did each of the two lines promise, and can both be true?",
        "Had the customer of the later line made or seen something that the answer doesn't show? Do two sales come to more than ten? Is a price gone although nobody who knew of it replaced it?",
        "Write down what each copy knows after each line. Between 1 s and 4 s a copy knows only what happened in its own shop.",
    ),
    "another guarantee": (
        "What was the customer of the later line promised, and by which line?",
        "Read your writes is about what a customer has changed or bought, monotonic reads about what a customer was shown. A write is lost if later answers show no trace of it.",
        "Look at the customer's name in both lines. If it is the same, did this customer change something in the first one, or only look?",
    ),
    "another reason": (
        "What did the second shop know when it answered, and what do the two clocks say?",
        "Between 1 s and 4 s no shop hears of the other. After that it does, and then an older answer has to do with a clock. Compare `clock` with `time`.",
        "A clock that is ahead shows more than `time`, one that is behind shows less. Look which of the two changes it belongs to, and whether it decided anything.",
    ),
    "why nothing is broken": (
        "What did the shop of the later line know when it answered?",
        "Between 1 s and 4 s it knows only what happened in its own shop. Had it heard of the other line by then, or not?",
        "Is the answer old, did both shops sell without knowing of each other, or does somebody else's change explain what you see?",
    ),
}  # fmt: skip

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
        "The topic has three partitions and no key, so an older total may come after a newer one. Compare what comes with what this row holds. The table belongs to both replicas, and each replica has a `ctx.state` of its own.",
        "A total never falls. Keep the higher number, whichever comes last.",
    ),
    "an unknown total": (
        "What did this shop know when it answered, and where does your number come from?",
        "The customer's numbers say what she has seen. They don't say what this shop has heard.",
        "Answer with the two rows of `sold`. If one of them is too low, wait, or return Refused(…).",
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
    "refused although it knew enough": (
        "Where did your function look, and how often, before it refused?",
        "What a shop knows is in its tables, because each replica has a `ctx.state` of its own. Read them again each time, and answer if a total is just as high as the customer's.",
        "Read `sold` in the loop and not before it. Compare with `>=`, the row of each shop with the customer's number for it.",
    ),
    "refused too early": (
        "When did the customer ask, and when did the shop refuse?",
        "The event may be on its way, so look again and again for 0.8 s.",
        "Repeat eight times: read `sold`, return it if it is enough, `await ctx.sleep(0.1)`. Return Refused(…) only after that.",
    ),
    "answers late": (
        "When did the shop know enough, and when did it answer?",
        "If the shop knows enough, the customer doesn't have to wait, neither at first nor for the rest of the 0.8 s.",
        "Look before you wait, wait 0.1 s at a time, and return as soon as both numbers are high enough.",
    ),
    "no answer": (
        "What does your function wait for here, and what does it return when the waiting is over?",
        "During the cut nothing arrives, however long you wait. An exception is no answer. Does every way through your function end with a return?",
        'Count your attempts. Return `dict(db.execute("select shop, pieces from sold").fetchall())`, with two numbers, or after 0.8 s Refused(…).',
    ),
}  # fmt: skip
LATE = {3: 0.4}, {4: 7}, {3: 7}, {4: 0.4}, {2: 0.2, 3: 0.5}  # s, by the number of the event
CUT = ["cut south from north from 0 s to 8 s"]
TELL = explored(
    shop.two_copies,
    claims(
        "no answer is older than what its customer has seen",
        SalesCounted,
        wrong_answers,
        TELL_HINTS,
    ),
    [],
    [[f"delay south.deliver.SalesCounted #{n} for {s} s" for n, s in p.items()] for p in LATE]
    + [CUT],
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
        "How many pieces was north asked to move, under which id, and how many did it have?",
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
    "no answer": (
        "What did this customer get, and what did your function do with the order, each time it came?",
        "What a shop has it can sell at once, and what it doesn't have may not come for hours, so don't wait. An order comes again if its answer got lost. Does your insert fail then? Does every way through your function end with a return?",
        'Look for the order in `sales` first. Return "sold" or Refused(…) from the share as it is now.',
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
    [CUT],
    # Each shop is asked for pieces three times before all that is left is bought.
    (
        "of the two shops",
        lambda fault: (
            not (fault.at.startswith("client.") or (".Sell" in fault.at and fault.nth > 3))
        ),
    ),
)
NAMES = {"Refused": Refused, "SalesCounted": SalesCounted}
NAMES |= {cls.__name__: cls for cls in (*shop.LOOK.values(), *shop.SELL.values())}
NAMES |= {"MovePieces": MovePieces, "PiecesMoved": PiecesMoved}
EXERCISES = [
    Exercise("09.1", "What each customer saw", "", decide, DECIDE_HINTS, figures=history),
    Exercise("09.2", "No older than before", "message, ctx", TELL, TELL_HINTS, NAMES),
    Exercise("09.3", "Shares that move", "message, ctx", TRADE, TRADE_HINTS, NAMES),
]

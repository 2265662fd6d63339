"""The claims of lesson 06's exercises, on what the coordinator asks for."""

from ..claims.claim import Claim
from .lesson_06_shop import PlaceOrder


def orders_of(run) -> dict[str, PlaceOrder]:
    """The orders that were placed."""
    sent = [s.envelope for s in run.journal if s.step == "publish"]
    return {envelope.subject: envelope.data for envelope in sent if envelope.type == "PlaceOrder"}


def steps_of(run) -> dict[str, list[str]]:
    """The steps that were carried out for each order."""
    steps: dict[str, list[str]] = {order: [] for order in orders_of(run)}
    for service in ("inventory", "payments", "shipping"):
        for order, step in run.rows(service, "select order_id, step from done order by rowid"):
            steps[order].append(step)
    return steps


def ends(run) -> dict[str, str]:
    """The end of each order that the coordinator published."""
    sent = [s for s in run.journal if s.step == "publish" and s.fault not in ("crash", "fail")]
    envelopes = [step.envelope for step in sent if step.envelope.topic == "outcomes"]
    return {envelope.subject: envelope.type for envelope in envelopes}


def unanswered(run) -> dict[tuple[str, str], int]:
    """How often the log says of an order and a step that there was no answer."""
    counted = "select order_id, step, count(*) from log where answer = 'no answer' group by 1, 2"
    return {(order, step): times for order, step, times in run.rows("orders", counted)}


@Claim("every order ends", about=PlaceOrder)
def every_order_ends(run):
    ended = ends(run)
    return [
        f"{order} has no end; done: {', '.join(steps) or 'nothing'}"
        for order, steps in steps_of(run).items()
        if order not in ended
    ]


def goes_with_the_parcel(sentence: str, step: str, undo: str, shipped: bool, wrong: str) -> Claim:
    """The claim that a shipped order has this step done, or, if not `shipped`, that another has it undone."""
    return Claim(sentence, about=PlaceOrder)(
        lambda run: [
            f"{order} {wrong}"
            for order, steps in steps_of(run).items()
            if ("ShipOrder" in steps) == shipped
            and (step in steps and undo not in steps) != shipped
        ]
    )


FORWARD = "ReserveInventory", "ChargePayment", "ShipOrder"
MONEY, TEA = ("ChargePayment", "RefundPayment"), ("ReserveInventory", "ReleaseInventory")
paid = goes_with_the_parcel(
    "what is shipped is paid for", *MONEY, True, "is shipped, and the money is not taken"
)
reserved = goes_with_the_parcel(
    "what is shipped is missing in stock", *TEA, True, "is shipped, and is still in stock"
)
refunded = goes_with_the_parcel(
    "what is not shipped is not paid for", *MONEY, False, "is not shipped, and the money is kept"
)
released = goes_with_the_parcel(
    "what is not shipped is back in stock", *TEA, False, "is not shipped, and its tea is set aside"
)


@Claim("tea is set aside before money is taken, and goes back after it", about=PlaceOrder)
def in_order(run):
    wrong = []
    saved = [s.envelope for s in run.journal if s.step == "save" and s.fault is None]
    for order in orders_of(run):
        steps = dict.fromkeys(each.type for each in saved if each.subject == order)
        at = {step: place for place, step in enumerate(steps)}
        if at.get("ChargePayment", 9) < at.get("ReserveInventory", 0):
            wrong.append(f"{order}: the money was taken before the tea was set aside")
        elif at.get("ReleaseInventory", 9) < at.get("RefundPayment", 0):
            wrong.append(f"{order}: the tea went back before the money")
    return wrong


@Claim("no step is undone that was not done", about=PlaceOrder)
def nothing_needless(run):
    return [
        f"{order}: {undo} was done, but {step} was not"
        for order, steps in steps_of(run).items()
        for step, undo in (TEA, MONEY)
        if undo in steps and step not in steps and (order, step) not in unanswered(run)
    ]


@Claim("the coordinator announces the end that really happened", about=PlaceOrder)
def announced_rightly(run):
    wrong, done = [], steps_of(run)
    for order, end in ends(run).items():
        shipped = "ShipOrder" in done[order]
        if shipped != (end == "OrderCompleted"):
            is_it = "is" if shipped else "is not"
            wrong.append(f"{order} {is_it} shipped, and the coordinator says {end}")
    return wrong


@Claim("before the parcel, nobody waits for more than three answers", about=PlaceOrder)
def gives_up(run):
    return [
        f"{order} asked for {step} {times} times, without an answer"
        for (order, step), times in unanswered(run).items()
        if times > 3 and step in ("ReserveInventory", "ChargePayment")
    ]


@Claim("an order is cancelled if it is refused, or not answered three times", about=PlaceOrder)
def not_given_up(run):
    ended, silent, wrong = ends(run), unanswered(run), []
    for order, data in orders_of(run).items():
        times = {step: silent.get((order, step), 0) for step in FORWARD}
        by_three = max(times["ReserveInventory"], times["ChargePayment"]) >= 3
        refused = data.pieces > 5 or data.customer != "ada"
        if ended.get(order) == "OrderCancelled" and not by_three and not refused:
            counted = " and ".join(f'{n} × "no answer" to {step}' for step, n in times.items() if n)
            why = counted and f", and it was turned back after {counted} (each step by itself)"
            wrong.append(f"nobody refused {order}{why}")
    return wrong

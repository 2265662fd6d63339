"""What must hold in the shop of lesson 06, whatever its coordinator asks for."""

from ..claims.claim import Claim
from .lesson_06_shop import PlaceOrder


def steps_of(run) -> dict[str, list[str]]:
    """What was carried out for each order that was placed."""
    found = {
        s.envelope.subject: []
        for s in run.journal
        if s.step == "publish" and s.envelope.type == "PlaceOrder"
    }
    for service in ("inventory", "payments", "shipping"):
        for order, step in run.rows(service, "select order_id, step from done order by rowid"):
            found[order].append(step)
    return found


def ends(run) -> dict[str, str]:
    """How each order ended, as its coordinator says."""
    said = [
        s
        for s in run.journal
        if s.step == "publish"
        and s.envelope.topic == "outcomes"
        and s.fault not in ("crash", "fail")
    ]
    return {s.envelope.subject: s.envelope.type for s in said}


def in_doubt(run) -> bool:
    """Whether anything was ever asked for of which the coordinator could not tell what became of it."""
    return any(
        s.service == "orders" and (s.step == "timeout" or s.fault in ("crash", "fail"))
        for s in run.journal
    )


@Claim("every order comes to an end", about=PlaceOrder)
def every_order_ends(run):
    ended = ends(run)
    return [
        f"{order} has no end; done: {', '.join(steps) or 'nothing'}"
        for order, steps in steps_of(run).items()
        if order not in ended
    ]


def goes_with_the_parcel(sentence: str, step: str, undo: str, shipped: bool, wrong: str) -> Claim:
    """What is shipped has this step behind it, or what is not shipped has it no more."""
    return Claim(sentence, about=PlaceOrder)(
        lambda run: [
            f"{order} {wrong}"
            for order, steps in steps_of(run).items()
            if ("ShipOrder" in steps) == shipped
            and (step in steps and undo not in steps) != shipped
        ]
    )


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


@Claim("what was done last is undone first", about=PlaceOrder)
def in_reverse(run):
    order_of = {}
    for s in run.journal:
        if (
            s.step == "save"
            and s.fault is None
            and s.envelope.type in ("RefundPayment", "ReleaseInventory")
        ):
            order_of.setdefault(s.envelope.subject, []).append(s.envelope.type)
    first = {order: list(dict.fromkeys(saved)) for order, saved in order_of.items()}
    return [
        f"{order}: the tea went back before the money"
        for order, saved in first.items()
        if saved == ["ReleaseInventory", "RefundPayment"]
    ]


@Claim("what was not done is not undone", about=PlaceOrder)
def nothing_needless(run):
    return [
        f"{order}: {undo}, and there was no {step}"
        for order, steps in steps_of(run).items()
        for step, undo in (TEA, MONEY)
        if undo in steps and step not in steps and not in_doubt(run)
    ]


@Claim("the end that is told is the one there was", about=PlaceOrder)
def told_as_it_was(run):
    done, told = steps_of(run), ends(run)
    return [
        f"{order} {'is' if 'ShipOrder' in done[order] else 'is not'} shipped, and the coordinator says {end}"
        for order, end in told.items()
        if (end == "OrderCompleted") != ("ShipOrder" in done[order])
    ]


@Claim("nothing is cancelled that nobody refuses", about=PlaceOrder)
def not_given_up(run):
    wanted = {
        s.envelope.subject: s.envelope.data
        for s in run.journal
        if s.step == "publish" and s.envelope.type == "PlaceOrder"
    }
    fine = [order for order, data in wanted.items() if data.pieces <= 5 and data.customer == "ada"]
    return [
        f"nobody refused {order}"
        for order in fine
        if ends(run).get(order) == "OrderCancelled" and not in_doubt(run)
    ]

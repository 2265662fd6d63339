"""The claims of lesson 06's exercises, on what the coordinator asks for."""

from ..claims.claim import Claim
from .general import is_slip, steps
from .lesson_06_system import ENDS, PlaceOrder


def orders_of(run) -> dict[str, PlaceOrder]:
    """The orders that were placed."""
    return {s.envelope.subject: s.envelope.data for s in steps(run, "publish", PlaceOrder)}


def steps_of(run) -> dict[str, list[str]]:
    """The steps that were carried out for each order."""
    steps: dict[str, list[str]] = {order: [] for order in orders_of(run)}
    for service in ("inventory", "payments", "shipping"):
        for order, step in run.rows(service, "select order_id, step from done order by rowid"):
            steps[order].append(step)
    return steps


def ends(run) -> dict[str, str]:
    """The end that the coordinator published for each order."""
    sent = [s for s in steps(run, "publish", *ENDS.values()) if s.fault not in ("crash", "fail")]
    return {s.envelope.subject: s.envelope.type for s in sent}


def logs(run) -> dict[str, list[tuple[str, str]]]:
    """The log of each order."""
    lines = run.rows("orders", "select order_id, step, answer from log order by number")
    return {order: [line[1:] for line in lines if line[0] == order] for order in orders_of(run)}


@Claim("your function works with every log", about=PlaceOrder)
def no_slips(run):
    slips = [each.message for each in run.failures if each.line and is_slip(each.error)]
    return [f"{order} has no next step" for order in dict.fromkeys(m.subject for m in slips if m)]


@Claim("every order ends", about=PlaceOrder)
def every_order_ends(run):
    return [
        f"{order} has no end; done: {', '.join(steps) or 'nothing'}"
        for order, steps in steps_of(run).items()
        if order not in ends(run)
    ]


def sent(shipped: bool, sentence: str, step: str, undo: str, wrong: str) -> Claim:
    """The claim that shipped orders have this step done; if not `shipped`, that others do not."""
    return Claim(sentence, about=PlaceOrder)(
        lambda run: [
            f"{order} {wrong}"
            for order, steps in steps_of(run).items()
            if ("ShipOrder" in steps) == shipped != (step in steps and undo not in steps)
        ]
    )


FORWARD = "ReserveInventory", "ChargePayment", "ShipOrder"
MONEY, TEA = ("ChargePayment", "RefundPayment"), ("ReserveInventory", "ReleaseInventory")
paid = sent(True, "what is shipped is paid for", *MONEY, "is shipped, and the money is not taken")
reserved = sent(True, "what is shipped is not in stock", *TEA, "is shipped, and is still in stock")
refunded = sent(False, "what stays costs nothing", *MONEY, "is not shipped, and the money is kept")
released = sent(False, "what stays is in stock", *TEA, "is not shipped, and its tea is set aside")


@Claim("tea is set aside before money is taken, and goes back after it", about=PlaceOrder)
def in_order(run):
    wrong = []
    for order, log in logs(run).items():
        done = dict.fromkeys(step for step, answer in log if answer == "done")
        at = {step: place for place, step in enumerate(done)}
        if at.get("ChargePayment", 9) < at.get("ReserveInventory", 0):
            wrong.append(f"{order}: the money was taken before the tea was set aside")
        elif at.get("ReleaseInventory", 9) < at.get("RefundPayment", 0):
            wrong.append(f"{order}: the tea went back before the money")
    return wrong


@Claim("no step is undone that was not done", about=PlaceOrder)
def nothing_needless(run):
    last = {order: dict(log) for order, log in logs(run).items()}  # the last answer settles a doubt
    return [
        f"{order}: {undo} was done, but {step} was {last[order].get(step, 'never asked for')}"
        for order, steps in steps_of(run).items()
        for step, undo in (TEA, MONEY)
        if undo in steps and step not in steps and last[order].get(step) != "no answer"
    ]


@Claim("the coordinator announces the end that really happened", about=PlaceOrder)
def announced_rightly(run):
    done = steps_of(run)
    return [
        f"{order} {'is' if shipped else 'is not'} shipped, and the coordinator says {end}"
        for order, end in ends(run).items()
        if (shipped := "ShipOrder" in done[order]) != (end == "OrderCompleted")
    ]


@Claim("an order that has turned back does not go forward again", about=PlaceOrder)
def no_way_forward(run):
    wrong = []
    for order, log in logs(run).items():
        back = ""
        for step, answer in log:
            if back and step in FORWARD:
                wrong.append(f"{order} asked for {step} after {back}")
            elif answer == "refused" or step not in FORWARD:
                back = f"{step} was {'refused' if answer == 'refused' else 'asked for'}"
    return wrong


@Claim("before the parcel, nobody waits for more than three answers", about=PlaceOrder)
def gives_up(run):
    return [
        f"{order} asked for {step} {times} times, without an answer"
        for order, log in logs(run).items()
        for step in FORWARD[:2]
        if (times := log.count((step, "no answer"))) > 3
    ]


@Claim("an order is cancelled if it is refused, or not answered three times", about=PlaceOrder)
def not_given_up(run):
    ended, log, wrong = ends(run), logs(run), []
    for order, data in orders_of(run).items():
        times = {step: log[order].count((step, "no answer")) for step in FORWARD}
        by_three = max(times["ReserveInventory"], times["ChargePayment"]) >= 3
        refused = data.pieces > 5 or data.customer != "ada"
        if ended.get(order) == "OrderCancelled" and not by_three and not refused:
            counted = " and ".join(f'{n} × "no answer" to {step}' for step, n in times.items() if n)
            why = counted and f", and it was turned back after {counted} (each step by itself)"
            wrong.append(f"nobody refused {order}{why}")
    return wrong


CLAIMS = {
    "raises": no_slips,
    "never ends": every_order_ends,
    "shipped unpaid": paid,
    "shipped, and still in stock": reserved,
    "another end is announced": announced_rightly,
    "never refunded": refunded,
    "never released": released,
    "in another order": in_order,
    "undone, and never done": nothing_needless,
    "asked too often": gives_up,
    "cancelled, and nobody refused": not_given_up,
    "forward again": no_way_forward,
}

"""The claims of lesson 06's exercises, on what the coordinator asks for."""

from ..claims.claim import Claim
from .general import Mistakes, is_slip, steps
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


FORWARD = "ReserveInventory", "ChargePayment", "ShipOrder"
MONEY, TEA = ("ChargePayment", "RefundPayment"), ("ReserveInventory", "ReleaseInventory")
UNFIT = {  # a step, its undo, and whether the order is shipped: the mistake
    (*MONEY, True): ("shipped unpaid", "is shipped, and the money is not taken"),
    (*TEA, True): ("shipped, and still in stock", "is shipped, and is still in stock"),
    (*MONEY, False): ("never refunded", "is not shipped, and the money is kept"),
    (*TEA, False): ("never released", "is not shipped, and its tea is set aside"),
}


def wrong_ends(run) -> Mistakes:
    """Orders without an end, and those that are partly done, or announced wrongly."""
    ended = ends(run)
    for order, done in steps_of(run).items():
        end, shipped = ended.get(order), "ShipOrder" in done
        if not end:
            yield "never ends", f"{order} has no end; done: {', '.join(done) or 'nothing'}"
        elif shipped != (end == "OrderCompleted"):
            really = "is shipped" if shipped else "is not shipped"
            yield "another end is announced", f"{order} {really}, and the coordinator says {end}"
        for (step, undo, if_shipped), (name, wrong) in UNFIT.items():
            if shipped == if_shipped != (step in done and undo not in done):
                yield name, f"{order} {wrong}"


def wrong_steps(run) -> Mistakes:
    """Steps and undos in the wrong order, and those that had no reason."""
    all_done = steps_of(run)
    for order, log in logs(run).items():
        done = dict.fromkeys(step for step, answer in log if answer == "done")
        at = {step: place for place, step in enumerate(done)}
        if at.get("ChargePayment", 9) < at.get("ReserveInventory", 0):
            yield "in another order", f"{order}: the money was taken before the tea was set aside"
        elif at.get("ReleaseInventory", 9) < at.get("RefundPayment", 0):
            yield "in another order", f"{order}: the tea went back before the money"
        last = dict(log)  # the last answer settles a doubt
        for step, undo in (TEA, MONEY):
            needless = undo in all_done[order] and step not in all_done[order]
            if needless and last.get(step) != "no answer":
                what = f"{undo} was done, but {step} was {last.get(step, 'never asked for')}"
                yield "undone, and never done", f"{order}: {what}"
        back = ""
        for step, answer in log:
            if back and step in FORWARD:
                yield "forward again", f"{order} asked for {step} after {back}"
            elif answer == "refused" or step not in FORWARD:
                back = f"{step} was {'refused' if answer == 'refused' else 'asked for'}"


def wrong_patience(run) -> Mistakes:
    """Orders that wait too long for answers, or are cancelled too early."""
    ended, placed = ends(run), orders_of(run)
    for order, log in logs(run).items():
        times = {step: log.count((step, "no answer")) for step in FORWARD}
        for step in FORWARD[:2]:
            if times[step] > 3:
                what = f"{order} asked for {step} {times[step]} times, without an answer"
                yield "asked too often", what
        by_three = max(times["ReserveInventory"], times["ChargePayment"]) >= 3
        refused = placed[order].pieces > 5 or placed[order].customer != "ada"
        if ended.get(order) == "OrderCancelled" and not by_three and not refused:
            counted = " and ".join(f'{n} × "no answer" to {step}' for step, n in times.items() if n)
            why = counted and f", and it was turned back after {counted} (each step by itself)"
            yield "cancelled, and nobody refused", f"nobody refused {order}{why}"


@Claim("every order ends, in one way, for a reason", about=PlaceOrder)
def coordinated(run) -> Mistakes:
    slips = [each.message for each in run.failures if each.line and is_slip(each.error)]
    for order in dict.fromkeys(message.subject for message in slips if message):
        yield "raises", f"{order} has no next step"
    for wrong in (wrong_ends, wrong_steps, wrong_patience):
        yield from wrong(run)

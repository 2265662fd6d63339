"""Mistakes of a shop on Black Friday, found in the record of its runs."""

from collections import defaultdict
from statistics import mean

from ..claims.claim import Claim
from ..errors import counted, listed
from ..sim.run import Run
from . import lesson_12_system as shop
from .general import Mistakes, steps, steps_and_data

# -- 12.2

PASSING = "Busy", "Unanswered"  # errors that may be different next time


@Claim("each failure is dealt with", about=shop.OrderPlaced)
def dealt_with(run: Run) -> Mistakes:
    decisions = run.rows("billing", "select * from decisions order by rowid")
    waits, again, asked = defaultdict(list), defaultdict(list), defaultdict(list)
    for s, charge in steps_and_data(run, "ask", shop.ChargePayment):
        asked[charge.order_id].append(s.time)
    ends = {name: (attempt, error, said) for name, attempt, error, said, _ in decisions}
    for name, attempt, error, said, at in decisions:
        waited = said[0].isdigit()
        answer = said.lstrip("? ") + " s" * waited
        what = f"attempt {attempt} at {name} ends with {error}, and you say {answer}"
        passing = error in PASSING
        if said[0] == "?" and attempt > shop.MOST:  # a wait that doubled too often
            yield "never gives up", what
        elif said[0] == "?":
            yield "not as asked for", what
        elif error == "Refused" and said != "done":
            yield "a no is no failure", what
        elif not passing and error != "Refused" and waited:
            yield "tried in vain", what
        elif said == "done" and error != "Refused":
            yield "an order vanishes", what
        elif waited and attempt >= shop.MOST:
            tries, _, end = ends[name]
            late = f"{what}; you give the order up after attempt {tries}"
            yield ("gives up too late", late) if end == "dead letter" else ("never gives up", what)
        if waited and passing:
            waits[attempt].append(float(said))
            if attempt == 1 and error == "Busy":
                next_time = asked[name][1] if len(asked[name]) > 1 else run.end
                again[at].append((next_time, name, float(said)))
    for s, order in steps_and_data(run, "dead_letter", shop.OrderPlaced):
        name = order.order_id
        attempt, error, _ = ends.get(name, (0, "no decision", ""))
        tries = f"after {counted(attempt, 'attempt')}; the last one ended with {error}"
        what = f"{name} is a dead letter at {s.time / 1000:g} s, {tries}"
        if name.startswith("good") or (error in PASSING and attempt < shop.MOST):
            yield "gives up too early", what
        elif error in PASSING and s.time > asked[name][0] + shop.PATIENCE * 1000:
            yield "waits too long", what
    for at, times in again.items():
        near = [[name for other, name, _ in times if 0 <= other - time < 50] for time, *_ in times]
        most = max(near, key=len)
        if len(times) >= shop.AT_ONCE // 2 and len(most) > len(times) / 2:
            moment = f"{len(times)} orders are turned away at {at:g} s"
            many = f"{len(most)} of them, such as {most[0]}, ask again within 50 ms"
            low, *_, high = sorted(wait for _, _, wait in times)
            their = f"wait {low:g} to {high:g} s" if low < high else f"all wait {low:g} s"
            yield "all at once", f"{moment}, and {many}; they {their}"
    often = [attempt for attempt in waits if len(waits[attempt]) >= shop.AT_ONCE // 3]
    if often and max(often) > 3:
        first, last = mean(waits[1]), mean(waits[max(often)])
        if last < 1.5 * first:
            both = f"{shop.brief(first)} s after attempt 1 and {shop.brief(last)} s after attempt {max(often)}"
            such = next(row[0] for row in decisions if row[1] == max(often))
            yield "does not back off", f"on average you wait {both}; {such} is one of these orders"


# -- 12.3


@Claim("dead letters are dealt with", about=shop.OrderPlaced)
def brought_back(run: Run) -> Mistakes:
    published = steps_and_data(run, "publish", shop.OrderPlaced)
    placed = {s.envelope.id: order for s, order in published if s.service == "client"}
    variant = int(published[0][1].order_id.split("-")[1])
    before, letters, lives = -1000, set(), defaultdict(list)
    asked = steps(run, "handle", shop.GetHealth)
    for s, order in [each for each in published if each[0].service == "billing"]:
        name, at, redrives = order.order_id, s.time / 1000, s.envelope.redrives
        story = f"{name} ({s.envelope.correlation})"  # its picture has no order ids
        what = f"{story} is sent back at {at:g} s"
        if s.envelope.id not in placed:
            new = f"billing publishes {story} anew at {at:g} s, as {s.envelope.id}"
            yield "everybody gets it again", f"{new}, and mail gets it a second time"
        elif name.startswith("unread"):
            yield "sent back in vain", f"{what}, and still nobody can read its total"
        elif redrives > shop.TIMES:
            yield "sent back in vain", f"{what}, for the {redrives}th time"
        elif shop.ill(at, variant) and shop.ill(at - 0.3, variant):
            health = "never asked for its health"
            if before_it := [look.time / 1000 for look in asked if look.time <= s.time]:
                was = "ill" if shop.ill(before_it[-1], variant) else "well"
                health = f"last asked at {before_it[-1]:g} s, when it was {was}"
            yield "sent back too early", f"{what}, when the provider is ill; billing {health}"
        elif s.time - before < 400:
            yield "all at once", f"{what}, {(s.time - before) / 1000:g} s after the one before"
        before = before if s.fault else s.time
        if redrives == 1:
            lives[order.customer].append(name)
        if not run.faults and (name, redrives) in letters:
            yield "sent back twice", f"{what}, a second time from the same letter"
        letters.add((name, redrives))
        if not run.faults and at > shop.LATEST:
            yield "waits too long", f"{what}, and the provider has long been well"
    if (looks := len(steps(run, "ask", shop.GetHealth))) > 30 + run.end / 100:
        often = f"billing asks {looks} times in {run.end / 1000:g} s whether the provider is well"
        yield "asks too often", often
    for customer, names in lives.items():
        died = [order.order_id for order in placed.values() if order.order_id in names]
        if not run.faults and names != died:
            yield "out of order", f"{customer} ordered {listed(died)}, sent back as {listed(names)}"
    for letter in run._world.dead_letters.letters:
        name, hopeful = letter.data.order_id, letter.redrives < shop.TIMES
        story = f"{name} ({letter.correlation})"
        what = f"{story} died of {letter.reason.partition(':')[0]} at {letter.time / 1000:g} s"
        if letter.state == "handled":
            yield "a letter is dropped", f"{what}; it is gone, neither sent back nor kept"
        elif letter.state == "waiting" and hopeful and not name.startswith("unread"):
            back = counted(letter.redrives, "time")
            yield "kept in vain", f"{what}, was sent back {back} by then, and stays where it is"

"""Mistakes in the answers of two shops, from what customers asked and the shops had received."""

import json
from collections import Counter

from ..claims.claim import Claim
from ..sim.run import Run
from ..sim.steps import TOO_LATE
from . import lesson_09_system as shops
from .general import Mistakes, dead_letters, steps, steps_and_data

# ms: a shop waits for 0.8 s, and it is enough to look every quarter of a second.
PATIENCE, AT_ONCE = 800, 250
SOLD = '"sold"'  # an answer in the record


def begun(run: Run, *kinds: type) -> dict[str, int]:
    """When the handling of each question of these classes began, by its id."""
    return {s.envelope.id: s.time for s in steps(run, "handle", *kinds)}


# -- 09.2


@Claim("no answer is older than the last", about=shops.SalesCounted)
def no_older(run: Run) -> Mistakes:
    yield from dead_letters(run)
    looks = shops.LOOK.values()
    since, seen = begun(run, *looks), Counter()  # the highest in an answer, by customer and shop
    of_sales = [steps_and_data(run, s, shops.SalesCounted) for s in ("publish", "handle", "commit")]
    sold, begins, ends = of_sales
    asked = {s.service for s in steps(run, "answer", *looks)}
    for s, look in steps_and_data(run, "reply", *looks):
        start, who = since.pop(s.envelope.id), f"{look.customer} asks {s.service}"
        knew, token = start, {shop: getattr(look, shop) for shop in shops.SHOPS}
        here = [each for each in sold + ends if each[0].service == s.service and not each[0].fault]
        here.sort(key=lambda each: each[0].time)
        for shop, least in token.items():
            enough = (e.time for e, sale in here if sale.shop == shop and sale.pieces >= least)
            knew = max(knew, next(enough, run.end + PATIENCE) if least else 0)
        times = f"{who} at {start / 1000:g} s, and is {{}} at {s.time / 1000:g} s"
        if s.time > min(knew, start + PATIENCE) + AT_ONCE:
            yield "no answer in time", times.format("answered")
        if s.detail.startswith("refused"):
            if knew <= start + PATIENCE - AT_ONCE:
                late = f"{times.format('refused')}; {s.service} knew enough at {knew / 1000:g} s"
                yield "refused needlessly", late
            continue
        answer = json.loads(s.detail)
        if not isinstance(answer, dict) or {*map(type, map(answer.get, shops.SHOPS))} != {int}:
            yield "no answer in time", f"{who} and is answered {s.detail}"
            continue
        for shop, has_seen in token.items():
            value, before = answer[shop], seen[look.customer, shop]
            what = f"{who} about sales in {shop} and is told {value}"
            heard = [(e, sale.pieces) for e, sale in here if sale.shop == shop and e.time < start]
            e, known = max(heard, key=lambda each: each[1], default=(s, 0))
            totals = {
                sale.pieces
                for e, sale in sold + begins
                if sale.shop == shop and e.time <= s.time and s.service in (e.service, *asked)
            }
            if value not in {0, *totals}:
                heard_of = " and ".join(map(str, sorted({0, *totals})))
                yield "a total not heard of", f"{what}; {s.service} had heard of {heard_of} only"
            elif value < has_seen <= before:
                yield "monotonic reads", f"{what}, and was told {has_seen} before"
            elif value < has_seen:
                yield "read your writes", f"{what}, and has bought when it was {has_seen}"
            elif value < known:
                name = "an older total wins" if value == heard[-1][1] else "a sale is missing"
                others = f"; replica {e.replica} of {s.service} had heard of {known}"
                yield name, f"{what} by replica {s.replica}{others}"
            seen[look.customer, shop] = max(value, before)
    faults = " ".join(map(str, run.faults))
    if ".Look" not in faults and "crash" not in faults:
        for id, start in since.items():  # those without a reply
            yield "no answer in time", f"{id} asks at {start / 1000:g} s, and gets no answer"


# -- 09.3


def first(run: Run, step: str, kind: type) -> dict[str, tuple[int, int]]:
    """When each transfer first reached this step, and its pieces."""
    found = [
        each for each in steps_and_data(run, step, kind) if each[0].fault not in ("crash", "fail")
    ]
    return {move.transfer_id: (s.time, move.pieces) for s, move in reversed(found)}


def pieces_until(time: int, transfers: dict[str, tuple[int, int]]) -> int:
    """The pieces of the transfers up to this time."""
    return sum(pieces for when, pieces in transfers.values() if when <= time)


@Claim("pieces are in one share at a time", about=shops.SellInNorth)
def in_one_share(run: Run) -> Mistakes:
    """Orders that are answered wrongly, and shops that sold more or fewer pieces than they had."""
    yield from dead_letters(run)
    sells = shops.SELL.values()
    since, replies = begun(run, *sells), steps_and_data(run, "reply", *sells)
    times = Counter(order.order_id for _, order in steps_and_data(run, "handle", *sells))
    at_first = shops.shares(int([*times][0].rpartition("-")[2]))
    wanted = first(run, "handle", shops.MovePieces)
    possible = {name: move for name, move in wanted.items() if move[1] < shops.MORE_THAN_ALL}
    gone, came = first(run, "publish", shops.PiecesMoved), first(run, "handle", shops.PiecesMoved)
    added = first(run, "commit", shops.PiecesMoved)
    sold = {}  # by order: the shop, the time and the pieces
    for s, order in replies:
        if s.detail == SOLD:
            row = s.service, since[s.envelope.id], order.pieces
            sold.setdefault(order.order_id, row)

    def had(when: int) -> int:
        """North's share at this time, including the pieces that it moves now."""
        off = sum(n for of, t, n in sold.values() if of == "north" and t <= when)
        return at_first["north"] - pieces_until(when - 1, gone) - off

    for name, (when, pieces) in gone.items():
        if possible.get(name, ("", ""))[1] != pieces:
            asked = wanted.get(name, ("", "nothing"))[1]
            why = f"north moves {pieces} pieces as {name}, and was asked for {asked} under this id"
            yield "a wrong transfer", f"{why}; it had {had(when)}"
    told: set[str] = set()
    for s, order in replies:
        name, shop, pieces, start = order.order_id, s.service, order.pieces, since[s.envelope.id]
        others = [(o, t, n) for o, (of, t, n) in sold.items() if of == shop and o != name]
        has = at_first[shop] - sum(n for o, _, n in others if o in told)
        most, least = has, at_first[shop] - sum(n for _, t, n in others if t <= s.time)
        if shop == "north":
            most -= pieces_until(s.time, gone)
            least -= pieces_until(s.time, possible)
        else:
            most += pieces_until(s.time, came)
            least += pieces_until(start - 1, added)
        what = f"{shop} is asked for {pieces} pieces ({name}) and answers {s.detail}; it has"
        if not s.detail.startswith((SOLD, "refused")):
            yield "no answer at once", f"{shop} is asked for {name} and answers {s.detail}"
        elif s.time > start + AT_ONCE:
            yield "no answer at once", f"{what} {most}, and took {(s.time - start) / 1000:g} s"
        elif s.detail == SOLD:
            if pieces > most and name not in told and not name.startswith(shops.LAST):
                moved = shop == "north" and pieces <= has
                yield "kept and moved" if moved else "sold without a share", f"{what} {most}"
            told.add(name)
        elif name in told:
            yield "an order that comes again", f"{name} was sold, and refused when it came again"
        elif pieces <= least and not name.startswith(shops.LAST):
            yield "refused with pieces enough", f"{what} {least}"
    answers = steps_and_data(run, "answer", *sells)
    answered = {order.order_id for s, order in answers if s.detail != TOO_LATE}
    for name in times:
        if name not in answered and times[name] > 2:
            yield "no answer at once", f"{name} was asked for {times[name]} times in vain"
    moves = [move.transfer_id for _, move in steps_and_data(run, "handle", shops.MovePieces)]
    moved_in_all = pieces_until(run.end, came)
    for shop, moved in ("south", moved_in_all), ("north", -moved_in_all):
        total = sum(pieces for of, _, pieces in sold.values() if of == shop)
        missing = at_first[shop] + moved - total
        what = f"{shop} had {at_first[shop]} pieces, {moved:+} moved, and sold {total} in the end"
        again = [name for name in sold if times[name] > 1 and sold[name][::2] == (shop, missing)]
        if missing < 0:
            yield "kept and moved" if shop == "north" else "moved twice", what
        elif missing and again:
            yield "an order that comes again", f"{what}; {again[0]} was asked for twice"
        elif missing and shop == "north" and any(moves.count(name) > 1 for name in came):
            yield "moved twice", what
        elif missing:
            yield "lost on the way", what
    for name in [name for name in possible if name not in came]:
        when, pieces = possible[name]
        if not missing and pieces <= had(when) and (name.startswith("t1") or not run.faults):
            evidence = f"north had {had(when)} pieces, was asked to move {pieces}, and did not"
            yield "a wrong transfer", evidence

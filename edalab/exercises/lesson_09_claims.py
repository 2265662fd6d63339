"""What is wrong with the answers of two shops, decided from what customers asked, what each shop had heard, and when."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

from ..claims.claim import Claim
from ..model import Message
from ..sim.run import Run
from ..sim.steps import TOO_LATE
from ..trace.faults import FAILED_TO_SEND
from . import lesson_09_shop as shops

Mistakes = Iterator[tuple[str, str]]  # a name, the evidence
# ms: a shop waits for 0.8 s, and whoever looks every quarter of a second looks often enough.
PATIENCE, AT_ONCE, TIMEOUT = 800, 250, 1000
SOLD = '"sold"'  # as the record has it


def steps(run: Run, step: str, *kinds: type) -> list[tuple[Any, Any]]:
    """The steps of this name that are about such a message, each with the message."""
    names = {kind.__name__ for kind in kinds}
    found = [(s, s.envelope) for s in run.journal if s.step == step and s.envelope]
    return [(s, envelope.data) for s, envelope in found if envelope.type in names]


def begun(run: Run, *kinds: type) -> dict[str, int]:
    """When the handling of each such question began, by its id."""
    return {s.envelope.id: s.time for s, _ in steps(run, "handle", *kinds)}


# -- 09.2


def wrong_answers(run: Run) -> Mistakes:
    since = begun(run, *shops.LOOK.values())
    sold = steps(run, "publish", shops.SalesCounted)
    heard = [each for each in steps(run, "commit", shops.SalesCounted) if not each[0].fault]
    asked = {s.service for s, _ in steps(run, "ask", *shops.LOOK.values())}  # a shop may ask, too
    came = steps(run, "handle", shops.SalesCounted)
    seen: dict[tuple[str, str], int] = {}  # in an answer, by customer and shop
    for s, look in steps(run, "reply", *shops.LOOK.values()):
        start, who = since.pop(s.envelope.id), f"{look.customer} asks {s.service}"
        here = [
            (e.time, sale.shop, sale.pieces) for e, sale in sold + heard if e.service == s.service
        ]
        news = [(0, shop, 0) for shop in shops.SHOPS] + here
        token = {shop: getattr(look, shop) for shop in shops.SHOPS}
        knew = start  # enough, since then
        for shop in shops.SHOPS:
            enough = (t for t, of, pieces in news if of == shop and pieces >= token[shop])
            knew = max(knew, min(enough, default=run.end + PATIENCE))
        times = f"{who} at {start / 1000:g} s, and {s.service} {{}} at {{:g}} s"
        if s.time > min(knew, start + PATIENCE) + AT_ONCE:
            name = "answers late" if s.time < start + TIMEOUT else "no answer"
            yield name, times.format("answers", s.time / 1000)
        if s.detail.startswith("refused"):
            if knew <= start + PATIENCE - AT_ONCE:
                what = times.format("knew enough", knew / 1000)
                name = "refused too early" if s.time < knew else "refused although it knew enough"
                yield name, f"{what}, and refused at {s.time / 1000:g} s"
            continue
        answer = json.loads(s.detail)
        if not isinstance(answer, dict) or {*map(type, map(answer.get, shops.SHOPS))} != {int}:
            yield "no answer", f"{who} and is answered {s.detail}"
            continue
        for shop, has_seen in token.items():
            value, before = answer[shop], seen.get((look.customer, shop), 0)
            totals = [sale.pieces for e, sale in sold if sale.shop == shop and e.time <= s.time]
            known = max(pieces for t, of, pieces in news if of == shop and t <= start)
            arrived = [n.pieces for e, n in came if (e.service, n.shop) == (s.service, shop)
                       and e.time <= s.time]  # fmt: skip
            most = max(arrived, default=0)
            what = f"{who} about sales in {shop} and is told {value}"
            if value not in (0, *totals):
                yield "a wrong total", f"{what}; the totals were {', '.join(map(str, totals)) or 0}"
            elif value < has_seen <= before:
                yield "monotonic reads", f"{what}, and was told {has_seen} before"
            elif value < has_seen:
                yield "read your writes", f"{what}; she has bought, and then it was {has_seen}"
            elif value > most and shop != s.service not in asked:
                yield "an unknown total", f"{what}; {s.service} had heard of {most}"
            elif value < known:
                name = "an older total wins" if value > has_seen else "a sale is missing"
                yield name, f"{what}; {s.service} had heard of {known}"
            seen[look.customer, shop] = max(value, before)
    faults = " ".join(map(str, run.faults))
    if ".Look" not in faults and "crash" not in faults:
        for id, start in since.items():  # those without a reply
            yield "no answer", f"{id} asks at {start / 1000:g} s, and gets no answer"


# -- 09.3


def first(run: Run, step: str, kind: type) -> dict[str, tuple[int, int]]:
    """When each transfer first came to this step, and its pieces. What was not sent wasn't published."""
    failed = FAILED_TO_SEND if step == "publish" else ()
    found = [(s, move) for s, move in steps(run, step, kind) if s.fault not in failed]
    return {move.transfer_id: (s.time, move.pieces) for s, move in reversed(found)}


def until(time: int, transfers: dict[str, tuple[int, int]]) -> int:
    """The pieces of the transfers that came by then."""
    return sum(pieces for when, pieces in transfers.values() if when <= time)


def wrong_trades(run: Run) -> Mistakes:
    """Where an order is answered wrongly, or where more or fewer pieces were sold in all than a shop had."""
    sells = shops.SELL.values()
    since, replies = begun(run, *sells), steps(run, "reply", *sells)
    times = Counter(order.order_id for _, order in steps(run, "handle", *sells))
    at_first = shops.shares(int([*times][0].rpartition("-")[2]))
    wanted = first(run, "handle", shops.MovePieces)
    possible = {name: move for name, move in wanted.items() if move[1] < shops.MORE_THAN_ALL}
    gone, came = first(run, "publish", shops.PiecesMoved), first(run, "handle", shops.PiecesMoved)
    added = first(run, "commit", shops.PiecesMoved)
    for name, (_, pieces) in gone.items():
        if name not in possible or possible[name][1] != pieces:
            had = wanted[name][1] if name in wanted else "nothing"
            what = f"north moves {pieces} pieces as {name}, was asked for {had}"
            more = had == pieces > sum(at_first.values())
            yield "a wrong transfer", what + ", and did not have so many" * more
    sold = {}  # where, since when and how many, by order
    for s, order in replies:
        if s.detail == SOLD:
            row = s.service, since[s.envelope.id], order.pieces
            sold.setdefault(order.order_id, row)
    told: set[str] = set()
    for s, order in replies:
        name, shop, pieces, start = order.order_id, s.service, order.pieces, since[s.envelope.id]
        others = [(o, t, n) for o, (of, t, n) in sold.items() if of == shop and o != name]
        has = at_first[shop] - sum(n for o, _, n in others if o in told)
        most = has + (-until(s.time, gone) if shop == "north" else until(s.time, came))
        least = at_first[shop] - sum(n for _, t, n in others if t <= s.time)
        least += -until(s.time, possible) if shop == "north" else until(start - 1, added)
        what = f"{shop} is asked for {pieces} pieces ({name}) and answers {s.detail}; it has"
        if s.time > start + AT_ONCE or not s.detail.startswith((SOLD, "refused")):
            yield "no answer", f"{what} {most}, and took {(s.time - start) / 1000:g} s"
        elif s.detail == SOLD:
            if pieces > most and name not in told and not name.startswith(shops.LAST):
                moved = shop == "north" and pieces <= has
                yield "kept and moved" if moved else "sold without a share", f"{what} {most}"
            told.add(name)
        elif name in told:
            yield "another answer", f"{name} was sold, and when it was asked for again, refused"
        elif pieces <= least and not name.startswith(shops.LAST):
            yield "refused with pieces enough", f"{what} {least}"
    answered = {o.order_id for s, o in steps(run, "answer", *sells) if s.detail != TOO_LATE}
    for name in times:
        if name not in answered and times[name] > 2:
            yield "no answer", f"{name} was asked for {times[name]} times, without an answer"
    lost = [name for name in possible if name not in came]
    for shop, moved in (("north", -until(run.end, came)), ("south", until(run.end, came))):
        total = sum(pieces for of, _, pieces in sold.values() if of == shop)
        missing = at_first[shop] + moved - total
        verb = "moved" if shop == "north" else "got"
        what = (
            f"{shop} had {at_first[shop]} pieces, {verb} {abs(moved)} and sold {total} in the end"
        )
        what += f", so {missing} are in no share" if missing > 0 else f", {-missing} too many"
        again = [name for name in sold if times[name] > 1 and sold[name][::2] == (shop, missing)]
        if missing < 0:
            yield "kept and moved" if shop == "north" else "given twice", what
        elif missing and again:
            yield "an order counts twice", f"{what}; {again[0]} was asked for twice"
        elif missing and (shop == "south" or missing in [possible[name][1] for name in lost]):
            yield "lost on the way", what
        elif missing:
            yield "taken twice", what
    for name in lost:
        when, pieces = possible[name]
        has = at_first["north"] - until(when - 1, gone)
        has -= sum(n for of, t, n in sold.values() if of == "north" and t <= when)
        if pieces <= has and (name.startswith("t1") or not run.faults):
            yield "never moved", f"north had {has} pieces, was asked to move {pieces}, and did not"


def claims(
    sentence: str, about: type[Message], look: Callable[[Run], Mistakes], names: Iterable[str]
) -> dict[str, Claim]:
    """A claim for each of these mistakes."""

    @lru_cache(maxsize=1)
    def mistakes(run: Run) -> list[tuple[str, str]]:
        dead = [s for s in run.journal if s.step == "dead_letter"]
        return [("a dead letter", f"{s.service} gives up: {s.detail}") for s in dead] + [*look(run)]

    def without(name: str) -> Claim:
        # Each claim observes the run in a wrapper of its own. The run itself is the same for all.
        return Claim(sentence, about=about)(
            lambda run: [why for found, why in mistakes(run.check.__self__) if found == name]
        )

    return {name: without(name) for name in names}

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
from .lesson_09_shop import (
    LAST,
    LOOK,
    MORE_THAN_ALL,
    SELL,
    SHOPS,
    MovePieces,
    PiecesMoved,
    SalesCounted,
    shares,
)

Mistakes = Iterator[tuple[str, str]]  # a name, the evidence
# ms: a shop waits for 0.8 s, and whoever looks every quarter of a second looks often enough.
PATIENCE, AT_ONCE, TIMEOUT = 800, 250, 1000
SOLD = '"sold"'  # as the record has it


def steps(run: Run, step: str, *kinds: type) -> list[tuple[Any, Any]]:
    """The steps of this name that are about such a message, each with the message."""
    names = {kind.__name__ for kind in kinds}
    found = [(s, s.envelope) for s in run.journal if s.step == step and s.envelope]
    return [(s, envelope.data) for s, envelope in found if envelope.type in names]


def within(run: Run, kinds: Iterable[type]) -> tuple[dict[str, int], list[tuple[Any, Any]]]:
    """When the handling of each such question began, by its id, and the replies."""
    return {s.envelope.id: s.time for s, _ in steps(run, "handle", *kinds)}, steps(
        run, "reply", *kinds
    )


# -- 09.2


def wrong_answers(run: Run) -> Mistakes:
    sold = steps(run, "publish", SalesCounted)
    heard = [each for each in steps(run, "commit", SalesCounted) if not each[0].fault]
    begun, replies = within(run, LOOK.values())
    seen: dict[tuple[str, str], int] = {}  # in an answer, by customer and shop
    for s, look in replies:
        start, who = begun[s.envelope.id], f"{look.customer} asks {s.service}"
        news = [(0, shop, 0) for shop in SHOPS]
        news += [
            (e.time, sale.shop, sale.pieces) for e, sale in sold + heard if e.service == s.service
        ]
        token = {shop: getattr(look, shop) for shop in SHOPS}
        since = start  # when the shop knew enough
        for shop in SHOPS:
            enough = (t for t, of, pieces in news if of == shop and pieces >= token[shop])
            since = max(since, min(enough, default=run.end + PATIENCE))
        if s.time > min(since, start + PATIENCE) + AT_ONCE:
            name = "answers late" if s.time < start + TIMEOUT else "no answer"
            yield (
                name,
                f"{who} at {start / 1000:g} s, and {s.service} answers at {s.time / 1000:g} s",
            )
        if s.detail.startswith("refused"):
            if since <= start + PATIENCE - AT_ONCE:
                when = f"at {start / 1000:g} s, and {s.service} knew enough at {since / 1000:g} s"
                yield "refused too early", f"{who} {when}"
            continue
        answer = json.loads(s.detail)
        if not isinstance(answer, dict) or {*map(type, map(answer.get, SHOPS))} != {int}:
            yield "no answer", f"{who} and is answered {s.detail}"
            continue
        for shop, has_seen in token.items():
            value, before = answer[shop], seen.get((look.customer, shop), 0)
            totals = [sale.pieces for e, sale in sold if sale.shop == shop and e.time <= s.time]
            known = max(pieces for t, of, pieces in news if of == shop and t <= start)
            what = f"{who} about sales in {shop} and is told {value}"
            if value not in (0, *totals):
                yield "a wrong total", f"{what}; the totals were {', '.join(map(str, totals)) or 0}"
            elif value < has_seen <= before:
                yield "monotonic reads", f"{what}, and was told {has_seen} before"
            elif value < has_seen:
                yield "read your writes", f"{what}, and has bought when it was {has_seen}"
            elif value < known:
                name = "an older total wins" if value > has_seen else "a sale is missing"
                yield name, f"{what}; {s.service} had heard of {known}"
            seen[look.customer, shop] = max(value, before)
    faults = " ".join(map(str, run.faults))
    if ".Look" not in faults and "crash" not in faults:
        for id in [id for id in begun if id not in {s.envelope.id for s, _ in replies}]:
            yield "no answer", f"{id} asks at {begun[id] / 1000:g} s, and gets no answer"


# -- 09.3


def first(run: Run, step: str, kind: type) -> dict[str, tuple[int, int]]:
    """When each transfer first came to this step, and its pieces."""
    found = steps(run, step, kind)
    return {move.transfer_id: (s.time, move.pieces) for s, move in reversed(found)}


def until(time: int, transfers: dict[str, tuple[int, int]]) -> int:
    """The pieces of the transfers that came by then."""
    return sum(pieces for when, pieces in transfers.values() if when <= time)


def wrong_trades(run: Run) -> Mistakes:
    """Where an order is answered wrongly, or where more or fewer pieces were sold in all than a shop had."""
    begun, replies = within(run, SELL.values())
    asked = [order for _, order in steps(run, "handle", *SELL.values())]
    at_first = shares(int(asked[0].order_id.rpartition("-")[2]))
    wanted = first(run, "handle", MovePieces)
    possible = {name: move for name, move in wanted.items() if move[1] < MORE_THAN_ALL}
    gone, came = first(run, "publish", PiecesMoved), first(run, "handle", PiecesMoved)
    added = first(run, "commit", PiecesMoved)
    for name, (_, pieces) in gone.items():
        if name not in possible or possible[name][1] != pieces:
            had = wanted[name][1] if name in wanted else "nothing"
            yield "a wrong transfer", f"north moves {pieces} pieces as {name}, was asked for {had}"
    sold = {
        o.order_id: (s.service, begun[s.envelope.id], o.pieces)
        for s, o in replies[::-1]
        if s.detail == SOLD
    }
    told: set[str] = set()
    for s, order in replies:
        name, shop, pieces, start = order.order_id, s.service, order.pieces, begun[s.envelope.id]
        others = [(o, t, n) for o, (of, t, n) in sold.items() if of == shop and o != name]
        has = at_first[shop] - sum(n for o, _, n in others if o in told)
        most = has + (-until(s.time, gone) if shop == "north" else until(s.time, came))
        least = at_first[shop] - sum(n for _, t, n in others if t <= s.time)
        least += -until(s.time, possible) if shop == "north" else until(start - 1, added)
        what = f"{shop} is asked for {pieces} pieces ({name}), has {{}}, and answers {s.detail}"
        if s.time > start + AT_ONCE or not s.detail.startswith((SOLD, "refused")):
            yield "no answer", f"{what.format(most)} after {(s.time - start) / 1000:g} s"
        elif s.detail == SOLD:
            if pieces > most and name not in told and not name.startswith(LAST):
                moved = shop == "north" and pieces <= has
                yield "kept and moved" if moved else "sold without a share", what.format(most)
            told.add(name)
        elif name in told:
            yield "another answer", f"{name} was sold, and when it was asked for again, refused"
        elif pieces <= least and not name.startswith(LAST):
            yield "refused with pieces enough", what.format(least)
    answered = {o.order_id for s, o in steps(run, "answer", *SELL.values()) if s.detail != TOO_LATE}
    times = Counter(order.order_id for order in asked)
    for name in times:
        if name not in answered and times[name] > 2:
            yield "no answer", f"{name} was asked for {times[name]} times, without an answer"
    lost = [name for name in possible if name not in came]
    for shop, moved in (("north", -until(run.end, came)), ("south", until(run.end, came))):
        total = sum(pieces for of, _, pieces in sold.values() if of == shop)
        missing = at_first[shop] + moved - total
        what = f"{shop} had {at_first[shop]} pieces, {moved:+} moved, and sold {total} in the end"
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

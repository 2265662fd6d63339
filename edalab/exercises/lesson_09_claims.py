"""What is wrong with the answers of two shops, decided from what customers asked, what each shop had heard, and when."""

import json
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


def steps(run: Run, step: str, *kinds: type) -> list[tuple[Any, Any]]:
    """The steps of this name that are about such a message, each with the message."""
    names = {kind.__name__ for kind in kinds}
    found = [s for s in run.journal if s.step == step and s.envelope]
    return [(s, s.envelope.data) for s in found if s.envelope.type in names]


def dead(run: Run) -> Mistakes:
    for s in run.journal:
        if s.step == "dead_letter" and s.envelope:
            yield (
                "a dead letter",
                f"{s.service} gives up {s.envelope.type} {s.envelope.id}: {s.detail}",
            )


# -- 09.2


def wrong_answers(run: Run) -> Mistakes:
    yield from dead(run)
    sold = steps(run, "publish", SalesCounted)
    heard = [(s, sale) for s, sale in steps(run, "commit", SalesCounted) if not s.fault]
    asked = {s.envelope.id: s.time for s, _ in steps(run, "handle", *LOOK.values())}
    answered, seen = set(), {}
    for s, look in steps(run, "reply", *LOOK.values()):
        answered.add(s.envelope.id)
        start = asked[s.envelope.id]
        news = [(0, shop, 0) for shop in SHOPS]
        news += [(h.time, sale.shop, sale.pieces) for h, sale in heard if h.service == s.service]
        news += [(p.time, sale.shop, sale.pieces) for p, sale in sold if p.service == s.service]
        token = {shop: getattr(look, shop) for shop in SHOPS}
        since = [min((t for t, *sale in news if sale[0] == shop and sale[1] >= token[shop]),
                     default=1e9) for shop in SHOPS]  # fmt: skip
        knew = max(start, *since)
        who, when = f"{look.customer} asks {s.service}", f"{start / 1000:g} s"
        if s.time > min(knew, start + PATIENCE) + AT_ONCE:
            name = "answers late" if s.time < start + TIMEOUT else "no answer"
            yield name, f"{who} at {when}, and {s.service} answers at {s.time / 1000:g} s"
        if s.detail.startswith("refused"):
            if knew <= start + PATIENCE - AT_ONCE:
                yield (
                    "refused too early",
                    f"{who} at {when}, and {s.service} knew enough at {knew / 1000:g} s",
                )
            continue
        answer = json.loads(s.detail)
        if not isinstance(answer, dict) or {*map(type, map(answer.get, SHOPS))} != {int}:
            yield "an unknown answer", f"{who} and is answered {s.detail}"
            continue
        for shop in SHOPS:
            value, has_seen = answer[shop], token[shop]
            totals = [sale.pieces for p, sale in sold if sale.shop == shop and p.time <= s.time]
            known = max(n for t, of, n in news if of == shop and t <= start)
            told = f"{who} about sales in {shop} and is told {value}"
            if value not in (0, *totals):
                yield "a wrong total", f"{told}; the totals were {', '.join(map(str, totals)) or 0}"
            elif value < has_seen:
                bought = seen.get((look.customer, shop), 0) < has_seen
                name = "read your writes" if bought else "monotonic reads"
                what = "bought when it was" if bought else "seen"
                yield name, f"{told}, and had {what} {has_seen}"
            elif value < known:
                name = "an older total wins" if value > has_seen else "a sale is missing"
                yield name, f"{told}; {s.service} had heard of {known}"
            seen[look.customer, shop] = max(value, seen.get((look.customer, shop), 0))
    faults = " ".join(map(str, run.faults))
    if ".Look" not in faults and "crash" not in faults:
        for s, look in steps(run, "handle", *LOOK.values()):
            if s.envelope.id not in answered:
                yield (
                    "no answer",
                    f"{look.customer} asks {s.service} at {s.time / 1000:g} s, and gets no answer",
                )


# -- 09.3


def first(run: Run, step: str, kind: type) -> dict[str, tuple[int, int]]:
    """When each transfer first came to this step, and its pieces."""
    times: dict[str, tuple[int, int]] = {}
    for s, move in steps(run, step, kind):
        times.setdefault(move.transfer_id, (s.time, move.pieces))
    return times


def until(time: int, transfers: dict[str, tuple[int, int]]) -> int:
    """The pieces of the transfers that came by then."""
    return sum(pieces for when, pieces in transfers.values() if when <= time)


def wrong_trades(run: Run) -> Mistakes:
    """Where an order is answered wrongly, or where more or fewer pieces were sold in all than a shop had."""
    yield from dead(run)
    orders, replies = steps(run, "handle", *SELL.values()), steps(run, "reply", *SELL.values())
    begun = {s.envelope.id: s.time for s, _ in orders}
    asked = [order.order_id for _, order in orders]
    wanted = first(run, "handle", MovePieces)
    possible = {name: move for name, move in wanted.items() if move[1] < MORE_THAN_ALL}
    gone, came = first(run, "publish", PiecesMoved), first(run, "handle", PiecesMoved)
    added = first(run, "commit", PiecesMoved)
    for name, (_, pieces) in gone.items():
        if name not in possible or possible[name][1] != pieces:
            yield (
                "a wrong transfer",
                f"{pieces} pieces are moved as {name}, and that is more than north has, or not what it was asked for",
            )
    variant = int(asked[0].rpartition("-")[2])
    sold: dict[str, tuple[str, int, int]] = {}  # where, since when, and how many
    for s, order in replies:
        if s.detail == '"sold"':
            sold.setdefault(order.order_id, (s.service, begun[s.envelope.id], order.pieces))
    told: set[str] = set()
    for s, order in replies:
        name, shop, pieces, start = order.order_id, s.service, order.pieces, begun[s.envelope.id]
        north, at_first = shop == "north", shares(variant)[shop]
        others = [(other, *row) for other, row in sold.items() if row[0] == shop and other != name]
        gone_before = sum(n for other, _, _, n in others if other in told)
        gone_at_most = sum(n for _, _, since, n in others if since <= s.time)
        most = at_first - gone_before + (-until(s.time, gone) if north else until(s.time, came))
        least = at_first - gone_at_most
        least += -until(s.time, possible) if north else until(start - 1, added)
        what = f"{shop} is asked for {pieces} pieces ({name}), has {{}}, and answers {s.detail}"
        if s.time > start + AT_ONCE:
            yield "answers late", f"{what.format(most)}, after {(s.time - start) / 1000:g} s"
        if s.detail != '"sold"' and not s.detail.startswith("refused"):
            yield "an unknown answer", what.format(most)
        elif s.detail == '"sold"':
            if name not in told and pieces > most and not name.startswith(LAST):
                moved = north and pieces + gone_before <= at_first
                yield "kept and moved" if moved else "sold without a share", what.format(most)
            told.add(name)
        elif name in told:
            yield "another answer", f"{name} was sold, and when it was asked for again, refused"
        elif pieces <= least and not name.startswith(LAST):
            yield "refused with pieces enough", what.format(least)
    answers = steps(run, "answer", *SELL.values())
    answered = [order.order_id for s, order in answers if s.detail != TOO_LATE]
    for name in dict.fromkeys(asked):
        if name not in answered and asked.count(name) > 2:
            yield "no answer", f"{name} was asked for {asked.count(name)} times, without an answer"
    yield from _wrong_sums(
        run, variant, [*sold.values()], came, [n for n in possible if n not in came]
    )


def _wrong_sums(
    run: Run, variant: int, sold: list[tuple[str, int, int]], came: dict, lost: list[str]
) -> Mistakes:
    """Where a shop sold more or fewer pieces in the end than its share at first and the transfers come to."""
    for shop, sign in (("north", -1), ("south", 1)):
        at_first, moved = shares(variant)[shop], sign * until(run.end, came)
        total = sum(pieces for where, _, pieces in sold if where == shop)
        missing = at_first + moved - total
        what = f"{shop} had {at_first} pieces, {moved:+} moved, and sold {total} in the end"
        again = [
            order.order_id
            for s, order in steps(run, "handle", SELL[shop])
            if order.pieces == missing
        ]
        if missing < 0:
            yield "kept and moved" if shop == "north" else "given twice", what
        elif missing and len(again) > len({*again}):
            yield "an order counts twice", f"{what}; {again[0]} was asked for twice"
        elif missing and (shop == "south" or lost):
            yield "lost on the way", f"{what}; {lost[0]} never came" if lost else what
        elif missing:
            yield "taken twice", what
    if any(name.startswith("t1") for name in lost):
        yield "never moved", f"{lost[0]} was asked for, and south never got it"


def claims(
    sentence: str, about: type[Message], look: Callable[[Run], Mistakes], names: Iterable[str]
) -> dict[str, Claim]:
    """A claim for each of these mistakes."""

    @lru_cache(maxsize=1)  # every claim asks about the same run
    def mistakes(run: Run) -> list[tuple[str, str]]:
        return [*look(run)]

    def without(name: str) -> Claim:
        return Claim(sentence, about=about)(
            lambda run: [evidence for found, evidence in mistakes(run) if found == name]
        )

    return {name: without(name) for name in names}

"""What is wrong with the products of `web`: which price won, how often each move counts, and in which order."""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

from ..claims.claim import Claim
from ..model import Event
from ..practice.exercise import nothing_dead
from ..sim.run import Run
from .lesson_07_shop import MoveStock, PriceChanged, StockMoved, start

Mistakes = Iterator[tuple[str, str, str]]  # a name, a product, the evidence
FAILING, ENDING = ("handle", "save"), ("ack", "commit")
BOUND = 3  # so many waiting moves of a product make it go on


def steps_of(run: Run, service: str) -> list[tuple[int, Any]]:
    """The steps of a service that concern a message, each with its place in the journal."""
    return [(n, s) for n, s in enumerate(run.journal) if s.service == service and s.envelope]


def sent(run: Run) -> dict[str, dict[int, int]]:
    """The moves of each product that the supplier sent: what each number moves."""
    moves: dict[str, dict[int, int]] = {}
    for move in (step.envelope.data for _, step in steps_of(run, "client")):
        if isinstance(move, MoveStock):
            moves.setdefault(move.product, {})[move.number] = move.by
    return moves


def handled(run: Run, kind: type[Event]) -> dict[str, list[tuple[int, Any]]]:
    """By product, each event that `web` handled, and where in the journal, without attempts that failed."""
    steps = steps_of(run, "web")
    failed = {(s.envelope.id, s.attempt) for _, s in steps if s.fault and s.step in FAILING}
    failed -= {(s.envelope.id, s.attempt) for _, s in steps if not s.fault and s.step in ENDING}
    among: dict[str, list[tuple[int, Any]]] = {}
    for n, step in steps:
        done = step.step == "handle" and (step.envelope.id, step.attempt) not in failed
        if done and isinstance(event := step.envelope.data, kind):
            among.setdefault(event.product, []).append((n, event))
    return among


def counted(product: str, stock: object, moves: dict[int, int]) -> dict[int, int]:
    """How often each move counts in this stock, up to twice; {} if no moves come to that."""
    unit, left = min(map(abs, moves.values())), stock
    if not isinstance(left, int) or (left := left - start(product)[2]) % unit:
        return {}
    left, times = left // unit, {}
    for number, by in sorted(moves.items(), key=lambda move: abs(move[1])):
        sign = 1 if by > 0 else -1
        times[number] = left * sign % 3
        left = (left - times[number] * sign) // 3
    return {} if left else times


def wrong_prices(run: Run) -> Mistakes:
    costs = dict(run.rows("web", "select product, price from products"))
    for product, events in handled(run, PriceChanged).items():
        newest = max((event for _, event in events), key=lambda event: event.version)
        if (has := costs.get(product)) == newest.price:
            continue
        price, version, *_ = start(product)
        old = {price: version} | {event.price: event.version for _, event in events}
        if has not in old:
            yield "a wrong row", product, f"{product} costs {has}, and no event says so"
            continue
        evidence = f"{product} costs {has} (version {old[has]}), should cost {newest.price} (version {newest.version})"
        once = any(row[1] == newest.price for _, row in history(run, product))
        yield "an older price wins" if once else "a newer price is ignored", product, evidence


def history(run: Run, product: str) -> Iterator[tuple[int, tuple]]:
    """Every row that a product had after a save: where it is in the journal, and the row."""
    for n, step in steps_of(run, "web"):
        if step.step == "save":
            for row in run.changes(n).added.get("products", []):
                if row[0] == product:
                    yield n, row


def wrong_stocks(run: Run) -> Mistakes:
    stocks = dict(run.rows("web", "select product, stock from products"))
    arrived = handled(run, StockMoved)
    for product, moves in sent(run).items():
        due = {move.number for _, move in arrived.get(product, [])}
        yield from _miscounted(product, stocks.get(product), moves, due)


def _miscounted(product: str, has: Any, moves: dict[int, int], due: Iterable[int]) -> Mistakes:
    """Where a stock is not that of the moves that are due, each counted once."""
    if not (times := counted(product, has, moves)):
        what = f"{product} had {start(product)[2]} at first and has {has}"
        yield "a wrong row", product, f"{what}, and no moves come to that"
    for number, often in times.items():
        what = f"number {number} ({moves[number]:+}) of {product}"
        if often > 1:
            yield "a move counts twice", product, f"{what} counts twice"
        elif not often and number in due:
            yield "a move is lost", product, f"{what} arrived and does not count"


def out_of_order(run: Run) -> Mistakes:
    """Where a move counts before an earlier one that it had to wait for, or waits for nothing, or too long."""
    arrived, sent_moves = handled(run, StockMoved), sent(run)
    came = {p: list(dict.fromkeys(m.number for _, m in arrived.get(p, ()))) for p in sent_moves}
    gaps = [p for p in came if came[p] != [start(p)[3] + n for n in range(1, len(came[p]) + 1)]]
    notes = set(run.rows("web", "select product, number from missing"))
    for product, moves in sent_moves.items():
        counts: dict[int, int] = {}
        top, left_out = start(product)[3], set()
        for n, (*_, stock, _) in history(run, product):
            yield from _miscounted(product, stock, moves, ())
            counts = counted(product, stock, moves) or counts
            highest = max((m for m in counts if counts[m]), default=top)
            there = {move.number for when, move in arrived.get(product, ()) if when < n}
            waiting = [m for m in there if m > top]
            if gap := [m for m in range(top + 1, highest) if not counts[m]]:
                what = f"number {highest} ({moves[highest]:+}) of {product} counts before {gap[0]}"
                if there.intersection(gap) or len(waiting) < BOUND:
                    why = "is there" if gap[0] in there else f"is missing; {len(waiting)} waited"
                    yield "applied too early", product, f"{what}, which {why}"
            left_out.update(gap)
            top = max(top, highest)
        waiting = [m for m in came[product] if not counts.get(m)]
        yield from _still_waiting(product, top, {m: moves[m] for m in waiting}, gaps)
        noted = {number for name, number in notes if name == product}
        if noted - left_out or left_out - noted - set(came[product]):
            has, should = (", ".join(map(str, sorted(s))) or "none" for s in (noted, left_out))
            yield "a wrong note", product, f"{product}: noted {has}, left out {should}"


def _still_waiting(product: str, top: int, waiting: dict[int, int], gaps: list[str]) -> Mistakes:
    """Where moves that arrived don't count, and should. `gaps` are the products with a gap at some time."""
    lowest = min(waiting, default=0)
    what = f"number {lowest} ({waiting.get(lowest, 0):+}) of {product} arrived and does not count"
    if waiting and lowest < top:
        yield "a late move is lost", product, f"{what}, though number {top} does"
    elif lowest == top + 1 and gaps and product not in gaps:
        yield "another product waits", product, f"{what}; only {', '.join(gaps)} had a gap"
    elif lowest == top + 1:
        yield "a move never counts", product, f"{what}, though all before it are there"
    elif len(waiting) >= BOUND:
        gone = f"number {top + 1} never came"
        yield "waits for ever", product, f"{len(waiting)} moves of {product} wait, because {gone}"


def blamed(run: Run, mistake: tuple[str, str, str]) -> tuple[str, str]:
    """The name of a mistake, which is another one if that explains it, and the evidence."""
    name, product, evidence = mistake
    steps = [step for _, step in steps_of(run, "web")]
    saves = [s for s in steps if s.step == "save" and s.envelope.data.product == product]
    failed = {(s.envelope.id, s.attempt) for s in saves if s.fault}
    for s in saves:
        if not s.fault and (s.envelope.id, s.attempt) in failed:
            return "half is saved", f"{evidence}; of {s.envelope.data!r} one save of two succeeded"
    for seconds in sorted({s.time / 1000 for s in steps if s.step in ENDING}):
        for replica in run.at(seconds).services["web"].replicas:
            if replica.state:
                noted = f"web/{replica.number} had ctx.state = {replica.state}"
                return "only in memory", f"{evidence}; at {seconds:g} s {noted}"
    return name, evidence


def claims(look: list[Callable[[Run], Mistakes]], names: Iterable[str]) -> dict[str, Claim]:
    """A claim for each mistake that can be found by looking in these ways."""

    @lru_cache(maxsize=1)  # every claim asks about the same run
    def mistakes(run: Run) -> list[tuple[str, str]]:
        return [blamed(run, mistake) for way in look for mistake in way(run)]

    def without(name: str) -> Claim:
        if name == "a dead letter":
            return nothing_dead("web", StockMoved)
        return Claim("products agree with their events", about=StockMoved)(
            lambda run: [evidence for found, evidence in mistakes(run) if found == name]
        )

    return {name: without(name) for name in names}

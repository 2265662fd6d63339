"""Mistakes with the products of `web`: the price that won, and how often and when moves count."""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import chain, combinations
from typing import Any

from ..claims.claim import Claim
from ..model import Event
from ..sim.run import Run
from .general import Mistakes, dead_letters, in_memory
from .lesson_07_system import MoveStock, PriceChanged, StockMoved, start

ProductMistakes = Iterator[tuple[str, str, str]]  # a name, a product, the evidence
FAILING, ENDING = ("handle", "save"), ("ack", "commit")
BOUND = 3  # with this many waiting moves, a product passes over a gap


def steps_of(run: Run, service: str) -> list[tuple[int, Any]]:
    """The steps of a service that concern a message, each with its index in the journal."""
    return [(n, s) for n, s in enumerate(run.journal) if s.service == service and s.envelope]


def sent(run: Run) -> dict[str, dict[int, int]]:
    """The moves that the supplier sent: by product and number, the change of the stock."""
    moves: dict[str, dict[int, int]] = {}
    for move in (step.envelope.data for _, step in steps_of(run, "client")):
        if isinstance(move, MoveStock):
            moves.setdefault(move.product, {})[move.number] = move.by
    return moves


def handled(run: Run, kind: type[Event]) -> dict[str, list[tuple[int, Any]]]:
    """By product, each event that `web` handled without failing, and its index in the journal."""
    steps = steps_of(run, "web")
    failed = {(s.envelope.id, s.attempt) for _, s in steps if s.fault and s.step in FAILING}
    failed -= {(s.envelope.id, s.attempt) for _, s in steps if not s.fault and s.step in ENDING}
    among: dict[str, list[tuple[int, Any]]] = {}
    for n, step in steps:
        done = step.step == "handle" and (step.envelope.id, step.attempt) not in failed
        if done and isinstance(event := step.envelope.data, kind):
            among.setdefault(event.product, []).append((n, event))
    return among


@lru_cache
def sums(moves: tuple[tuple[int, int], ...]) -> dict[int, tuple[int, ...]]:
    """By what some of the moves add up to, their numbers. No two choices have the same sum."""
    by = dict(moves)
    choices = chain(*(combinations(by, many) for many in range(len(by) + 1)))
    return {sum(by[number] for number in choice): choice for choice in choices}


def changes(run: Run, product: str, moves: dict[int, int]) -> Iterator[tuple]:
    """Each save of a row: its index in the journal, the stock before and after, and the numbers of
    the moves that explain the change, the smallest first; None if none do."""
    was, known = start(product)[2], sums(tuple(reversed(moves.items())))
    for n, (*_, stock, _) in history(run, product):
        yield n, was, stock, known.get(stock - was) if isinstance(stock, int) else None
        was = stock if isinstance(stock, int) else 0


def miscounted(run: Run) -> ProductMistakes:
    """Stocks with a change that no moves explain, and moves that count again."""
    for product, moves in sent(run).items():
        times: Counter[int] = Counter()
        for n, was, stock, which in changes(run, product, moves):
            times.update(which or ())
            if which is None:
                event = run.journal[n].envelope.data
                what = f"the stock of {product} went from {was} to {stock}"
                yield "a wrong row", product, f"{event!r} arrived, and {what}"
        for number in [number for number in times if times[number] > 1]:
            what = f"number {number} ({moves[number]:+}) of {product}"
            yield "a move counts twice", product, f"{what} counts {times[number]} times"


def wrong_prices(run: Run) -> ProductMistakes:
    rows = {row[0]: row for row in run.rows("web", "select * from products")}
    for product, events in handled(run, PriceChanged).items():
        newest = max((event for _, event in events), key=lambda event: event.version)
        _, has, says, *_ = rows.get(product, (product, None, None))
        if has == newest.price:
            continue
        price, version, *_ = start(product)
        old = {price: version} | {event.price: event.version for _, event in events}
        if has not in old:
            yield "a wrong row", product, f"{product} costs {has}, and no event says so"
            continue
        evidence = f"{product} costs {has} (version {old[has]}), should cost {newest.price} (version {newest.version})"
        evidence += f"; its row says version {says}"
        once = any(row[1] == newest.price for _, row in history(run, product))
        yield "an older price wins" if once else "a newer price is ignored", product, evidence


def history(run: Run, product: str) -> Iterator[tuple[int, tuple]]:
    """Each row of a product after a save, with the save's index in the journal."""
    for n, step in steps_of(run, "web"):
        if step.step == "save":
            for row in run.changes(n).added.get("products", []):
                if row[0] == product:
                    yield n, row


def lost_moves(run: Run) -> ProductMistakes:
    arrived = handled(run, StockMoved)
    for product, moves in sent(run).items():
        count = {*chain(*(which or () for *_, which in changes(run, product, moves)))}
        for number in sorted({move.number for _, move in arrived.get(product, ())} - count):
            what = f"number {number} ({moves[number]:+}) of {product}"
            yield "a move is lost", product, f"{what} arrived and does not count"


def out_of_order(run: Run) -> ProductMistakes:
    """Moves that count before one that they must wait for, or that wait needlessly or too long."""
    arrived, sent_moves = handled(run, StockMoved), sent(run)
    came = {p: list(dict.fromkeys(m.number for _, m in arrived.get(p, ()))) for p in sent_moves}
    gaps = [p for p in came if came[p] != [start(p)[3] + n for n in range(1, len(came[p]) + 1)]]
    notes = set(run.rows("web", "select product, number from missing"))
    says = dict(run.rows("web", "select product, number from products"))
    for product, moves in sent_moves.items():
        steps = [(n, which or ()) for n, *_, which in changes(run, product, moves)]
        counted_in_the_end, counts = {*chain(*(which for _, which in steps))}, set()
        last_number, left_out = start(product)[3], set()
        for n, which in steps:
            counts.update(which)
            highest = max(counts, default=last_number)
            arrived_before = {move.number for when, move in arrived.get(product, ()) if when < n}
            waiting = [m for m in arrived_before if m > last_number]
            if gap := [m for m in range(last_number + 1, highest) if m not in counts]:
                passed = min(arrived_before.intersection(gap), default=0)
                what = f"number {highest} ({moves[highest]:+}) of {product} counts before"
                if passed or len(waiting) < BOUND:
                    never = passed and passed not in counted_in_the_end
                    why = "is there" if passed else f"is missing; {len(waiting)} waited"
                    evidence = f"{what} {passed or gap[0]}, which {why}"
                    yield "a move never counts" if never else "applied too early", product, evidence
            left_out.update(gap)
            last_number = max(last_number, highest)
        waiting = {m: moves[m] for m in came[product] if m not in counts}
        yield from _still_waiting(product, last_number, says.get(product), waiting, gaps)
        noted = {number for name, number in notes if name == product}
        if noted - left_out or left_out - noted - set(came[product]):
            has, should = (", ".join(map(str, sorted(s))) or "none" for s in (noted, left_out))
            yield "a wrong note", product, f"{product}: noted {has}, left out {should}"


def _still_waiting(
    product: str, last_number: int, says: Any, waiting: dict, gaps: list
) -> ProductMistakes:
    """Moves that should count and do not. `gaps` are the products that had a gap at any time."""
    lowest = min(waiting, default=0)
    what = f"number {lowest} ({waiting.get(lowest, 0):+}) of {product} arrived and does not count"
    if waiting and lowest < last_number:
        yield "a late move is lost", product, f"{what}, though number {last_number} does"
    elif lowest == last_number + 1 and gaps and product not in gaps:
        yield "another product waits", product, f"{what}; only {', '.join(gaps)} had a gap"
    elif lowest == last_number + 1:
        why = f"though all before it are there; the row of {product} has number {says}"
        yield "a move never counts", product, f"{what}, {why}"
    elif len(waiting) >= BOUND:
        gone = f"number {last_number + 1} never came"
        yield "waits for ever", product, f"{len(waiting)} moves of {product} wait, because {gone}"


def blamed(run: Run, mistake: tuple[str, str, str]) -> tuple[str, str]:
    """The name of a mistake, or of the mistake that caused it, and the evidence."""
    name, product, evidence = mistake
    steps = [step for _, step in steps_of(run, "web")]
    saves = [s for s in steps if s.step == "save" and s.envelope.data.product == product]
    failed = {(s.envelope.id, s.attempt) for s in saves if s.fault}
    for s in saves:
        if not s.fault and (s.envelope.id, s.attempt) in failed:
            return "half is saved", f"{evidence}; of {s.envelope.data!r} one save of two succeeded"
    if noted := in_memory(run, "web"):
        return "only in memory", evidence + noted
    return name, evidence


def of_products(*look: Callable[[Run], ProductMistakes]) -> Claim:
    """The claim that these functions find no mistakes."""

    @Claim("products agree with their events", about=StockMoved)
    def agree(run: Run) -> Mistakes:
        yield from dead_letters(run)
        for mistakes in look:
            yield from (blamed(run, mistake) for mistake in mistakes(run))

    return agree

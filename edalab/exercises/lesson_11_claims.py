"""Mistakes of a relay, found from what was saved, what was published, when, and by whom."""

from collections import Counter
from typing import NamedTuple

from ..claims.claim import Claim
from ..sim import Fault
from ..sim.run import Run
from ..sim.steps import Step
from ..text import counted
from ..trace.faults import NOT_ARRIVED
from .general import Mistakes, steps_and_data
from .lesson_11_system import AddLines, LineAdded, RowParked

MOST, ATTEMPTS = 10, 3  # rows in one run of the relay, and publishes of one row
IN_A_RUN = 900  # ms: less than from one run of a relay to the next
SOON, AGAIN = 5_500, 3_000  # ms: a lease of 3 s and the next run; a restart and the next run
Arrived = dict[tuple[str, int], list[Step]]


class Row(NamedTuple):
    """A row of the outbox: its number, its line, when it was saved, and whether the broker always refuses it."""

    id: int
    line: tuple[str, int]
    saved: int
    large: bool


def rows_of(run: Run) -> list[Row]:
    """The rows that were saved, in the order of their numbers."""
    taken, begun, rows = 0, {}, []
    for s in run.journal:
        if s.envelope is None or not isinstance(add := s.envelope.data, AddLines):
            continue
        if s.step == "handle":
            begun[s.envelope.id], taken = taken, taken + add.lines
        elif s.step == "save" and not s.fault:
            for n in range(add.lines):
                line = add.order_id, add.first + n
                row = begun[s.envelope.id] + 1 + n, line, s.time, add.first + n == add.large
                rows.append(Row(*row))
    return sorted(rows)


def _line(event) -> tuple[str, int]:
    return event.order_id, event.line


def _arrived(run: Run) -> Arrived:
    """The publishes of each line that reached the topic, by line, in the order of the first."""
    found: Arrived = {}
    for s, event in steps_and_data(run, "publish", LineAdded):
        if s.fault not in NOT_ARRIVED:
            found.setdefault(_line(event), []).append(s)
    return found


def wrong_order(run: Run, rows: list[Row], arrived: Arrived) -> Mistakes:
    """Mistakes in the events that are in the topic."""
    large = {row.line[0]: (row.line[1], row.id) for row in rows if row.large}
    newest: dict[str, int] = {}
    for (order, line), sent in arrived.items():
        ids = sorted({getattr(s.envelope, "id", "") for s in sent})
        what = f"line {line} of {order}"
        if len(ids) > 1:
            yield "another id", f"{what} is in the topic as {' and '.join(ids)}"
        elif len(sent) > 1 and not run.faults:
            times = " and ".join(f"{s.time / 1000:g} s" for s in sent[:2])
            yield "published again", f"{what} was published at {times}, and nothing had failed"
        before, (refused, id) = newest.get(order, 0), large.get(order, (line, 0))
        if line < before:
            yield "out of order", f"{what} is in the topic after line {before}"
        elif line > refused:
            yield "out of order", f"{what} is published, and line {refused} (row {id}) was refused"
        newest[order] = max(line, before)


def _idle(rows: list[Row], arrived: Arrived, tried: dict[tuple[str, int], set[str]]) -> Mistakes:
    """Orders that have a waiting row among the first ten, none of whose rows a run tries."""
    stuck = {row.line[0] for row in rows if row.large}
    first = {line: sent[0].time for line, sent in arrived.items()}
    for (tick, start), orders in tried.items():
        waiting = [row for row in rows if row.saved < start <= first.get(row.line, start)]
        for row in waiting[:MOST]:
            if row.line[0] not in stuck | orders:
                what = f"row {row.id} of {row.line[0]} was waiting when {tick} began"
                unseen = "" if orders else "; the picture leaves out a run that tries nothing"
                yield "others wait", f"{what}, which tried no row of this order{unseen}"


@Claim("each row is published, in order and for a reason", about=LineAdded)
def one_relay(run: Run) -> Mistakes:
    """Mistakes of a relay that is the only one."""
    rows, arrived = rows_of(run), _arrived(run)
    yield from wrong_order(run, rows, arrived)
    tries, in_run, again, told = Counter(), Counter(), Counter(), Counter()
    tick, orders, first, tried = "", set(), {}, {}
    by_line, by_id = {row.line: row for row in rows}, {row.id: row for row in rows}
    for s in run.journal:
        event = s.envelope and s.envelope.data
        if s.step == "handle" and s.envelope and event is None:
            tick, orders = s.envelope.id, set()
            tried[tick, s.time] = orders
        elif s.step == "publish" and isinstance(event, LineAdded):
            row = by_line.get(_line(event))
            if row is None:
                yield "another id", f"{event} is in no row of the outbox"
                continue
            orders.add(row.line[0])
            in_run[tick] += s.fault is None
            again[tick, row] += 1
            tries[row] += s.fault != "crash"
            first.setdefault(row.id, s.time)
            if in_run[tick] == MOST + 1 and not s.fault:
                yield "too many at once", f"{tick} publishes more than {MOST} rows"
            if again[tick, row] == 2:
                twice = f"{tick} tries row {row.id} twice, and not in the next run"
                yield "parked too early", twice
            if tries[row] > ATTEMPTS + len(run.faults) and row.large:
                times = f"{tries[row]} times, the last time at {s.time / 1000:g} s"
                yield "never given up", f"row {row.id} was published {times}, and refused"
        elif s.step == "publish" and isinstance(event, RowParked) and s.fault not in NOT_ARRIVED:
            row = by_id.get(event.id)
            told[event.id] += 1
            if row is None or row.line[0] != event.order_id:
                yield "nobody is told", f"there is no row {event.id} of {event.order_id}"
            elif not row.large or tries[row] < ATTEMPTS:
                often = f"published {tries[row]} times before"
                yield "parked too early", f"{event} was published, and row {row.id} was {often}"
    left = dict(run.rows("orders", "select id, state from outbox"))
    for row in rows:
        often = f"RowParked was published {counted(told[row.id], 'time')} for row {row.id}"
        if row.large and row.id not in told:
            what = f"the broker always refuses row {row.id}, which was tried {counted(tries[row], 'time')}"
            yield "nobody is told", f"{what}, and no RowParked says so"
        elif row.id not in told and left.get(row.id) == "parked":
            yield "nobody is told", f"row {row.id} is parked, and no RowParked says so"
        elif row.large and left.get(row.id) != "parked":
            yield "not parked", f"{often}, and its state is {left.get(row.id)!r} in the end"
        elif told[row.id] > 1 and not run.faults:
            yield "not parked", f"{often}, and nothing had failed"
    if not run.faults:
        yield from _idle(rows, arrived, tried)
    stuck = {row.line[0]: row.id for row in rows if row.large}
    for row in rows:
        if row.line in arrived or row.id >= stuck.get(row.line[0], row.id + 1):
            continue
        earlier = [id for id, time in first.items() if id > row.id and time < row.saved]
        what = f"row {row.id}, saved at {row.saved / 1000:g} s, is not in the topic"
        if earlier:
            yield "passed over", f"{what}; row {min(earlier)} was published before it was saved"
        elif left.get(row.id) == "waiting" and row.id not in first:
            yield "others wait", f"{what}, and nothing is wrong with its order"
        else:
            yield "an event is lost", what


@Claim("only the leader publishes, each row in order", about=LineAdded)
def one_leader(run: Run) -> Mistakes:
    """Mistakes of two relays, of which one is the leader."""
    leader, since = None, 0
    for s in run.journal:
        if s.step == "takeover":
            leader, since = s.replica, s.time
        elif s.step == "publish" and leader not in (None, s.replica) and s.service == "orders":
            what = f"replica {s.replica} publishes {s.envelope and s.envelope.data}"
            after = f"replica {leader} has been the leader since {since / 1000:g} s"
            yield "an old leader publishes", f"{what} at {s.time / 1000:g} s, and {after}"
    rows, arrived = rows_of(run), _arrived(run)
    yield from wrong_order(run, rows, arrived)
    late = SOON + sum(AGAIN for fault in run.faults if isinstance(fault, Fault))
    published = steps_and_data(run, "publish", LineAdded)
    failed = [(s.time, e.order_id) for s, e in published if s.fault in ("fail", "unconfirmed")]
    for row in rows:
        sent, what = arrived.get(row.line), f"row {row.id}, saved at {row.saved / 1000:g} s"
        if not sent:
            yield "an event is lost", f"{what}, is not in the topic"
        elif sent[0].time > row.saved + late:
            yield "others wait", f"{what}, was published at {sent[0].time / 1000:g} s"
        elif len(run.faults) == 1:  # without a pause in addition
            for time, order in failed:
                if order != row.line[0] and row.saved < time < sent[0].time - IN_A_RUN:
                    why = f"because a publish of {order} had failed at {time / 1000:g} s"
                    what += f", was published only at {sent[0].time / 1000:g} s"
                    yield "one failure ends the run", f"{what}, {why}"

"""Exercises of lesson 07: a busy key, events that replace or add up, and a gap that may remain."""

from zlib import crc32

from ..model import System
from ..practice.exercise import Anomaly, Exercise, explored, hints_of
from ..practice.explained import Refuted, explained
from ..sim import simulate
from ..sim.run import Run
from . import lesson_07_system as shop
from .general import by_name, sent, steps
from .lesson_07_claims import lost_moves, miscounted, of_products, out_of_order, wrong_prices
from .lesson_07_system import PriceChanged, StockMoved

HINTS = hints_of("""
a dead letter
    For which event does your function raise? Is it an old one, one that came again, or one that came too early?
    Another attempt doesn't help. An old event stays old, and an event that is missing may come later than your last attempt.
    Don't raise because of the order. Decide what to do with the event now, and end as usual.
a wrong row
    Take the events of this product with pen and paper. What should its row say after each of them?
    Look at your `update`. Does it add `event.by` to the stock that is there now, and does `where product = ?` pick one row? While you wait, another replica may change what you have read.
    Add event.by to the stock, replace a price by event.price, and change only the row of event.product.
a move counts twice
    How many times did this move arrive, and what did your function know the second time?
    An event that is published again has a new id. Its product and its number are the same as before.
    Put the move into `moves` with `insert or ignore`. If that inserts a row (`rowcount` is 1), the move is new.
only in memory
    Which replica handled this event, and which one handled the event before?
    Each replica has a `ctx.state` of its own, and a crash empties it. The tables belong to all replicas and stay.
    Keep what you have to remember in a table, in the same transaction as the change.
half is saved
    What was saved before this attempt failed, and what was not?
    You have two transactions, and a crash can come between them.
    Write the value and your note about it in one `with ctx.database as db:`.
""")
BOTH = HINTS | hints_of("""
an older price wins
    Which event about this product came last, and was it the newest?
    The version says what is newer. The time of an event doesn't, because an old one may be published again, and neither does the order in which they arrive.
    Change price and version only where event.version is higher than the version in the row of this product.
a newer price is ignored
    What did your function compare the version of this event with?
    Versions count up for each product by itself, and some may never arrive. If your function catches an error and returns, the queue takes the event as handled.
    Compare with the version in the row of *this* product, take any higher one, and let errors through.
a move is lost
    What did your function do with this move, and which number had it seen before?
    A move is a difference. Does a later one make an earlier one superfluous, as a newer price does? If you catch an error and return, the queue takes the event as handled.
    Count a move unless this very number of this product has counted before. The highest number so far doesn't tell you that, a row in `moves` does.
""")
IN_ORDER = HINTS | hints_of("""
applied too early
    Which number came before its turn, and how many moves of this product waited by then?
    The next move is the one whose number is one higher than the last you applied. Any later one is too early, until three are waiting.
    Put the move into `moves` first. Then go through what waits for this product by number, and stop at the first gap unless three or more are waiting.
another product waits
    Nothing is missing of this product. Of which one is?
    Look at each `select` and `update`. Which of them looks at all products?
    Each product has its own last number and its own waiting moves, so `where product = ?` belongs in every statement.
a move never counts
    What did your function do with this move when it arrived, and what when the number before it was there?
    If a gap is filled, more than one move may be ready. A move that you only ignore is gone, because the topic doesn't deliver it again.
    Keep an early move in `moves`. After each move that you apply, look there for the next number, until it is missing.
waits for ever
    Which number is missing here, and will it ever come?
    The broker confirms nothing, so a move can get lost. How many moves of this product may wait at most?
    Count what waits for this product, with the move that has just come. If it is three, apply them all by number, in spite of the gap.
a late move is lost
    You went on without this number. What did your function do when it came after all?
    Its number is lower than the last one you applied, and so is that of a move that comes again. What tells the two apart?
    If its number is lower and it is not in `moves` yet, add it to the stock at once, and leave `number` as it is.
a wrong note
    Which numbers did your function go on without, and which are in `missing`?
    Every number between the last that you applied and the next that you apply belongs there, and no other. Do you apply the waiting moves in the order of their numbers?
    When you go on in spite of a gap, insert each number of `range(last + 1, number)`, in the same transaction.
""")


# -- 07.1


def night(variant: int) -> dict[str, int]:
    events, seconds, more = 20 + 10 * (variant % 6), 1 + variant // 6 % 4, variant // 24 % 3
    return {"events": events, "seconds": seconds, "partitions": 4 + more}


def busy(variant: int) -> Run:
    """A run of the night. 70 % of the events are about tea, which has a partition to itself."""
    events, seconds, partitions = night(variant).values()
    system = System("shop")
    system.topic("prices", partitions=partitions)

    async def show(event, ctx):
        await ctx.sleep(seconds)

    def place(product: str) -> int:
        return crc32(product.encode()) % partitions

    system.service("web", replicas=partitions).on(PriceChanged)(show)
    others = [name for n in range(99) if place(name := f"product-{n}") != place("tea")]

    products = ["tea"] * (events * 7 // 10) + others[: events * 3 // 10]
    story = [PriceChanged(product=product, price=20, version=2) for product in products]
    return simulate(system, sent(*story, wait=False))


def long_enough(seconds: int, variant: int) -> Anomaly | str:
    run = busy(variant)
    if seconds < run.end // 1000:
        left = {s.envelope.data.product for s in steps(run, "commit") if s.time > seconds * 1000}
        about = "tea" if left == {"tea"} else "tea and other products"
        return Anomaly("too early", f"at {seconds} s events about {about} are left", run)
    if seconds > run.end // 1000:
        return Anomaly("too late", f"the last event is handled before {seconds} s", run)
    return f"the last event is handled at {run.end / 1000:g} s"


def against(seconds: int, variant: int) -> Refuted:
    run, (events, each, many) = busy(variant), night(variant).values()
    ready = dict.fromkeys(range(1, many + 1), 0) | {s.replica: s.time for s in steps(run, "commit")}
    first, last = min(ready, key=lambda n: ready[n]), max(ready, key=lambda n: ready[n])
    idle = f"web/{first} is ready at {ready[first] / 1000:g} s, web/{last} goes on without it"
    at_once = "here the replicas work at the same time"
    return {
        "a": (f"(a) would take {events * each / many:g} s; here {idle}", run),
        "c": (idle, run),
        "d": (f"(d) would take {events * each} s; {at_once}", run),
    }


ONE = explained(
    "07.1",
    "One busy product",
    ("a number of seconds", range(1001)),
    night,
    long_enough,
    "b",
    against,
    hints_of("""
        too early
            Which replica works longest in this run, and on which product?
            A partition is read by one replica. In how many partitions are the events about tea?
            The events about tea come one after the other, so count them and multiply by `seconds`.
        too late
            What do the other replicas do while one of them handles tea?
            The replicas work at the same time. Which of them is the last to be ready?
            The whole takes as long as the fullest partition, and that is tea's.
        another reason
            Does this run agree with your reason?
            Look at the lanes of the replicas. Which of them handles tea, and what do the others do then?
            A key belongs to one partition, and a partition to one replica of the group. No other replica may help, because that would break the order.
    """),
)


# -- 07.2 and 07.3

# Two older prices of tea arrive after the newest.
AGAIN = ["lose catalogue.ack.ChangePrice #1", "lose catalogue.ack.ChangePrice #2"]
MIXED = explored(shop.both, of_products(miscounted, wrong_prices, lost_moves), BOTH, alone=[AGAIN])
MOVE, AGAIN_AT_ONCE = "catalogue.publish.StockMoved", "duplicate web.deliver.StockMoved"
DELAY, TEA_GOES = "delay web.deliver.StockMoved #4", "repartition moves to 3 at 1.4 s"
LATE = [f"{DELAY} for 2 s", TEA_GOES]
GAP = explored(
    shop.in_order,
    of_products(miscounted, out_of_order),
    IN_ORDER,
    [[f"{DELAY} for 0.9 s", TEA_GOES]],
    [
        [f"lose {MOVE} #2"],
        LATE,
        # A gap of two, and a move that is delivered again while it waits.
        [f"lose {MOVE} #2", f"lose {MOVE} #4", f"{AGAIN_AT_ONCE} #4"],
        # Number 3 arrives late and twice, after 5, 4 and 6.
        [f"delay {MOVE} #4 for 2 s", f"delay {MOVE} #6 for 0.8 s", f"{AGAIN_AT_ONCE} #9"],
        [*LATE, "crash web.save.StockMoved #9"],  # after the first save of a late move
    ],
)
NAMES = by_name(PriceChanged, StockMoved)
EXERCISES = [
    ONE,
    Exercise("07.2", "Prices and stock", "event, ctx", MIXED, BOTH, NAMES),
    Exercise("07.3", "Fill the gap, but not for ever", "event, ctx", GAP, IN_ORDER, NAMES),
]

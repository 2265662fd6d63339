"""The shop of lesson 12's exercises on Black Friday: `billing` asks a provider, `payments`, to charge each order."""

from collections.abc import Callable
from functools import lru_cache
from inspect import iscoroutine

from ..errors import Refused, shown
from ..model import Command, Event, Query, System
from ..sim import simulate
from ..sim.run import Run
from ..trace.service_load import Load
from .general import heard, sent


class OrderPlaced(Event, topic="orders", key="customer"):
    order_id: str
    customer: str
    total: str


class ChargePayment(Command):
    order_id: str
    cents: int


class GetHealth(Query): ...


# -- 12.1


def rush(variant: int) -> dict[str, float]:
    """The figures of a rush, which would keep 4.5 to 8.5 workers busy on average."""
    busy, arrivals = 4.5 + variant % 5, (20, 25, 50)[variant // 5 % 3]
    return {
        "arrivals": arrivals,
        "service": round(busy / arrivals, 3),
        "workers": int(busy) - 1 - variant // 15 % 2,
        "lasts": 20 + 10 * (variant // 30 % 2),
    }


@lru_cache(maxsize=4)
def played(variant: int, workers: int) -> Run:
    """A run of a rush with this many workers. Nobody asks a second time."""
    arrivals, service, _, lasts = rush(variant).values()
    shop = System("shop")
    shop.queue("orders", prefetch=1000, ack_wait=1000)
    billing, payments = shop.service("billing"), shop.service("payments", workers=workers)

    async def charge(command, ctx):
        await ctx.sleep(service)

    async def ask(event, ctx):
        await ctx.all(ctx.ask(ChargePayment(order_id=event.order_id, cents=1000)))

    payments.handles(ChargePayment)(charge)
    billing.on(OrderPlaced)(ask)

    names = [f"order-{n}" for n in range(int(arrivals * lasts))]
    orders = [OrderPlaced(order_id=name, customer=name, total="10") for name in names]
    return simulate(shop, sent(*orders, pause=1 / arrivals, wait=False))


def in_line(run: Run, seconds: float) -> int:
    """The number of questions in line at a moment."""
    return [many for at, many in Load(run, "payments").waiting if at <= 1000 * seconds][-1]


def waited(run: Run, ahead: int) -> float:
    """How long a question waited (s) that had this many before it."""
    found = [s for s in run.journal if s.step == "waiting" and s.detail == f"{ahead} before it"]
    begun = [s for s in run.journal if s.step == "handle" and s.envelope is found[0].envelope]
    return (begun[0].time - found[0].time) / 1000


# -- 12.2

OUTAGE, LONGEST, PATIENCE = 5, 3600, 120  # s: of an outage, of a wait, of a customer
MOST, AT_ONCE = 10, 30  # attempts at an order, orders of one moment
DECISIONS = "create table decisions (order_id, attempt, error, decision, at)"


def order(kind: str, variant: int, n: int, total: str = "", customer: str = "") -> OrderPlaced:
    """An order whose id names its kind."""
    total = total or f"{10 + (variant + n) % 9}.50"
    name = f"{kind}-{variant}-{n}"
    return OrderPlaced(order_id=name, customer=customer or name, total=total)


def brief(seconds: float) -> str:
    return f"{float(f'{seconds:.3g}'):g}"  # 1050 s, and not 1.05e+03


UNREADABLE = {"gift": KeyError, "12 pounds": RuntimeError, "12 yen": OSError}  # besides ValueError


def in_cents(total: str) -> int:
    if total in UNREADABLE:
        raise UNREADABLE[total](f"no rate for {total}")
    return round(100 * float(total))


def decided(decide: Callable, variant: int) -> tuple[System, list[Callable]]:
    """`billing` asks `decide` what to do about each failure, and does it. The workloads are an
    ordinary day, an outage that ends and one that does not."""
    shop = System("shop")
    shop.queue("orders", max_attempts=1, prefetch=1000, ack_wait=10_000)
    billing = shop.service("billing", schema=DECISIONS)
    payments = shop.service("payments", workers=4, waiting=4)

    async def charge(command, ctx):
        kind = command.order_id.partition("-")[0]
        if kind == "lost" or ctx.now < OUTAGE:
            await ctx.sleep(1.5)
            raise ConnectionError("the bank does not answer")
        await ctx.sleep(0.05)
        return Refused("not enough money") if kind == "broke" else "charged"

    async def bill(event, ctx):
        said, error, raised_at = "", None, None
        for attempt in range(1, 3 * MOST):
            try:
                charge = ChargePayment(order_id=event.order_id, cents=in_cents(event.total))
                answer = await ctx.ask(charge)
                if not isinstance(answer, Refused):
                    return
                error = answer
            except Exception as raised:
                error = raised
            raised_at = error.__traceback__  # before `decide` may raise it again
            decision = decide(error, attempt, ctx)
            decision = await decision if iscoroutine(decision) else decision
            number = isinstance(decision, int | float) and not isinstance(decision, bool)
            seconds = decision if number and 0 <= decision <= LONGEST else None
            other = f"{round(decision, 2):g}" if number else shown(decision)
            said = decision if decision in ("done", "dead letter") else f"? {other}"
            said = said if seconds is None else brief(seconds)
            with ctx.database as db:
                row = event.order_id, attempt, type(error).__name__, said, ctx.now
                db.execute("insert into decisions values (?, ?, ?, ?, ?)", row)
            if seconds is None:
                break
            await ctx.sleep(seconds)
        if said != "done" and error:
            raise error.with_traceback(raised_at)

    payments.handles(ChargePayment)(charge)
    billing.on(OrderPlaced)(bill)

    ordinary = [order("good", variant, n) for n in range(3)] + [order("broke", variant, 3)]
    ordinary += [order("unread", variant, 4 + n, t) for n, t in enumerate(["12,50", *UNREADABLE])]
    both = [[order(kind, variant, n) for n in range(AT_ONCE)] for kind in ("good", "lost")]
    story = [[OUTAGE + 1, *ordinary], *both]
    return shop, [sent(*each, wait=False) for each in story]


# -- 12.3

TIMES, LATEST = 3, 120  # the most times that an order is sent back, and when all is over (s)


def ill(seconds: float, variant: int) -> bool:
    """Whether the provider is ill. It is ill twice, for times that differ between the timings."""
    first = 9 + variant % 3 + 14 * (variant % 2)
    return seconds < first or first + 3 <= seconds < first + 7


def redriven(look: Callable, variant: int) -> tuple[System, Callable]:
    """`billing` gives up orders while the provider is ill, and the learner's handler gets the dead
    letters. Some can never be read, one is charged only in its third life, and one never."""
    shop = System("shop")
    billing, status, mail = map(shop.service, ("billing", "status", "mail"))
    payments = shop.service("payments", workers=2, waiting=0)

    @status.answers(GetHealth)
    def health(query, ctx):
        return "ill" if ill(ctx.now, variant) else "well"

    @payments.handles(ChargePayment)
    async def charge(command, ctx):
        kind, tries = command.order_id.partition("-")[0], ctx.state.get(command.order_id, 0) + 1
        ctx.state[command.order_id] = tries
        if bad := ill(ctx.now, variant):
            await ctx.sleep(1)
        if bad or tries < {"slow": 5, "lost": 99}.get(kind, 0):
            raise ConnectionError("the bank does not answer")
        return "charged"

    @billing.on(OrderPlaced, max_attempts=2)
    async def bill(event, ctx):
        if ctx.message.redrives > 2 * TIMES:  # otherwise an order could be sent back for ever
            return
        charge = ChargePayment(order_id=event.order_id, cents=in_cents(event.total))
        await ctx.ask(charge, timeout=0.3)

    mail.on(OrderPlaced)(heard)
    billing.dead_letters(OrderPlaced)(look)
    kinds = ["good", "unread", "good", "slow", "good", "lost", "good", "unread", "good"]
    orders = []
    for n, kind in enumerate(kinds):
        total = ("12,50" if n < 2 else "gift") if kind == "unread" else ""
        orders.append(order(kind, variant, n, total, ("ada", "bob")[(n // 2 + variant) % 2]))
    return shop, sent(*orders)

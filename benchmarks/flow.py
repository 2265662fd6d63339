"""A system with any number of arrows: the lines of an order are picked, packed and shipped."""

from edalab import Claim, Event, System, claims


class OrderPlaced(Event, topic="orders", key="order_id"):
    order_id: str
    lines: int


class LinePicked(Event, topic="picks", key="line"):
    line: str


class LinePacked(Event, topic="packs", key="line"):
    line: str


def shop() -> System:
    shop = System("shop")
    stock, packing = (
        shop.service("stock"),
        shop.service("packing", schema="create table packed (line text)"),
    )
    shipping = shop.service("shipping", schema="create table shipped (line text)")

    @stock.on(OrderPlaced)
    async def pick(event, ctx):
        for number in range(event.lines):
            await ctx.publish(LinePicked(line=f"{event.order_id}-{number}"))
            await ctx.sleep(0.1)

    @packing.on(LinePicked)
    async def pack(event, ctx):
        with ctx.database as db:
            db.execute("insert into packed values (?)", (event.line,))
        await ctx.publish(LinePacked(line=event.line))

    @shipping.on(LinePacked)
    def ship(event, ctx):
        with ctx.database as db:
            db.execute("insert into shipped values (?)", (event.line,))

    return shop


def in_arrows(arrows: int):
    """The system, and a workload whose run has this many arrows: if even, from two orders."""
    lines, odd = divmod(arrows, 2)

    async def one_order(ctx):
        await ctx.publish(OrderPlaced(order_id="o1", lines=lines if odd else lines - 1))
        if not odd:
            await ctx.publish(OrderPlaced(order_id="o2", lines=0))

    return shop(), one_order


@Claim("every line packed is shipped")
def all_shipped(run):
    shipped = set(run.rows("shipping", "select line from shipped"))
    return [line for line in run.rows("packing", "select line from packed") if line not in shipped]


CLAIMS = [all_shipped, claims.handled_once(LinePacked)]

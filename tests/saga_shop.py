"""A shop whose orders are sagas of up to twelve steps, led by a coordinator or danced without one, and what can go wrong."""

from types import new_class

from edalab import Command, Event, PublishFailed, System, Unanswered


class PlaceOrder(Command, key="order_id"):
    order_id: str


class OrderCreated(Event, topic="orders", key="order_id"):
    order_id: str


class OrderCompleted(Event, topic="order-ends", key="order_id", settles=True):
    order_id: str


class OrderCancelled(Event, topic="order-ends", key="order_id", settles=True):
    order_id: str


class SendEmail(Command, key="order_id", final=True):
    order_id: str


class EmailSent(Event, topic="emails", key="order_id", final=True):
    order_id: str


def _declare(kind: type, name: str, **words) -> type:
    return new_class(name, (kind,), {"key": "order_id", **words}, lambda body: body.update(__annotations__={"order_id": str}, __module__=__name__))


# (service, what it is asked for, what undoes that, the fact, what tells the refusal, what tells the undoing)
WORK = [
    ("inventory", "ReserveInventory", "ReleaseInventory", "InventoryReserved", "InventoryRefused", "InventoryReleased"),
    ("payments", "ChargePayment", "RefundPayment", "PaymentCharged", "PaymentRefused", "PaymentRefunded"),
    ("courier", "BookCourier", "CancelCourier", "CourierBooked", "CourierRefused", "CourierCancelled"),
    ("packing", "PackParcel", "UnpackParcel", "ParcelPacked", "PackingRefused", "ParcelUnpacked"),
    ("shipping", "ShipOrder", "RecallOrder", "OrderShipped", "ShippingRefused", "OrderRecalled"),
    ("labels", "PrintLabel", "VoidLabel", "LabelPrinted", "LabelRefused", "LabelVoided"),
    ("insurance", "InsureParcel", "EndInsurance", "ParcelInsured", "InsuranceRefused", "InsuranceEnded"),
    ("loyalty", "AwardPoints", "TakePointsBack", "PointsAwarded", "PointsRefused", "PointsTakenBack"),
    ("docks", "ReserveDock", "FreeDock", "DockReserved", "DockRefused", "DockFreed"),
    ("customs", "DeclareGoods", "WithdrawDeclaration", "GoodsDeclared", "GoodsRefused", "DeclarationWithdrawn"),
    ("invoices", "IssueInvoice", "CancelInvoice", "InvoiceIssued", "InvoiceRefused", "InvoiceCancelled"),
    ("handover", "HandOver", "TakeBack", "HandedOver", "HandoverRefused", "TakenBack"),
]
COMMANDS = [_declare(Command, work[1]) for work in WORK]
UNDO = [_declare(Command, work[2], compensates=did) for work, did in zip(WORK, COMMANDS)]
REFUSED = [_declare(Event, f"{work[1]}Refused", refuses=did, topic="refusals") for work, did in zip(WORK, COMMANDS)]
DONE = [_declare(Event, work[3], topic=f"{work[0]}-facts") for work in WORK]
NOT_DONE = [_declare(Event, work[4], refuses=did, topic=f"{work[0]}-facts") for work, did in zip(WORK, DONE)]
UNDONE = [_declare(Event, work[5], compensates=did, topic=f"{work[0]}-facts") for work, did in zip(WORK, DONE)]
EFFECTS = "create table effects (order_id text primary key, live int)"


class Busy(Exception):
    """What a worker raises that is down for the moment."""


def orchestrated(steps=3, *, refuse=None, slow=None, undo_fails=0, undo_for_ever=False, forget=(), mail=None, gives_up=False,
                 forward=False, twice=False, settle=True) -> System:  # fmt: skip
    """A coordinator asks one after the other, asks again after a time-out (unless it `gives_up`: then it compensates what is in
    doubt, too), and where a step is refused asks in reverse for the undoing of those before."""
    system = System("shop")
    orders = system.service("orders", schema="create table log (order_id text, step int, what text)")

    async def insist(ctx, command, tries=8):
        for _ in range(tries):
            try:
                return await ctx.ask(command, timeout=1.0)
            except Unanswered:
                await ctx.sleep(0.2)
        raise Busy(f"{type(command).__name__} not answered")

    @orders.handles(PlaceOrder)
    async def place(command, ctx):
        order_id = command.order_id
        with ctx.database as db:
            db.execute("insert into log values (?, 0, 'begun')", (order_id,))
        done, refused = [], False
        for number in range(steps):
            if mail == number:
                await insist(ctx, SendEmail(order_id=order_id))
            try:
                answer = await ctx.ask(COMMANDS[number](order_id=order_id), timeout=1.0)
            except Unanswered:
                if gives_up:
                    answer = "in doubt"
                else:
                    answer = await insist(ctx, COMMANDS[number](order_id=order_id))
            if answer == "done":
                done.append(number)
                continue
            if answer == "in doubt":
                done.append(number)
            else:
                await ctx.publish(REFUSED[number](order_id=order_id))
            refused = True
            break
        if refused:
            for number in (done if forward else done[::-1]):
                if number not in forget:
                    for _ in range(2 if twice else 1):
                        await insist(ctx, UNDO[number](order_id=order_id), 3 if undo_for_ever else 8)
        elif mail == steps:
            await insist(ctx, SendEmail(order_id=order_id))
        if settle:
            await ctx.publish(OrderCancelled(order_id=order_id) if refused else OrderCompleted(order_id=order_id))

    for number in range(steps):
        _worker(system, number, refuse == number, (slow or {}).get(number, 0.1), undo_fails if number == 0 else 0, undo_for_ever and number == 0, twice)
    if mail is not None:
        mails = system.service("mail", schema="create table sent (order_id text primary key)")

        @mails.handles(SendEmail)
        async def send(command, ctx):
            await ctx.sleep(0.1)
            with ctx.database as db:
                db.execute("insert or ignore into sent values (?)", (command.order_id,))

    return system


def _worker(system, number, refuses, seconds, undo_fails, undo_for_ever, twice):
    service = system.service(WORK[number][0], schema=EFFECTS)

    async def do(command, ctx):
        await ctx.sleep(seconds)
        if refuses:
            return "refused"
        with ctx.database as db:
            db.execute("insert or ignore into effects values (?, 1)", (command.order_id,))
        return "done"

    async def undo(command, ctx):
        await ctx.sleep(0.1)
        ctx.state["tries"] = tries = ctx.state.get("tries", 0) + 1
        if tries <= undo_fails or undo_for_ever:
            raise Busy("the shelf is locked")
        with ctx.database as db:
            db.execute("update effects set live = live - 1 where order_id = ?" + ("" if twice else " and live"), (command.order_id,))

    service.handles(COMMANDS[number])(do)
    service.handles(UNDO[number])(undo)


def choreographed(steps=3, *, refuse=None, undo_fails=0, silent=None, mail=False, dies=None, forget=()) -> System:
    """Each service goes on when it hears of the step before, and undoes its own when it hears that a later one was refused
    or undone. `silent` does not listen to that; `dies` raises whenever it is its turn."""
    system = System("dance")

    def join(number):
        service = system.service(WORK[number][0], schema=EFFECTS)
        hears = OrderCreated if number == 0 else DONE[number - 1]

        async def do(event, ctx):
            await ctx.sleep(0.1)
            if dies == number:
                raise Busy("no connection")
            if refuse == number:
                return NOT_DONE[number](order_id=event.order_id)
            with ctx.database as db:
                db.execute("insert or ignore into effects values (?, 1)", (event.order_id,))
            said = [DONE[number](order_id=event.order_id)]
            return said + [OrderCompleted(order_id=event.order_id)] * (number == steps - 1)

        async def undo(event, ctx):
            await ctx.sleep(0.1)
            ctx.state["tries"] = tries = ctx.state.get("tries", 0) + 1
            if number == 0 and tries <= undo_fails:
                raise Busy("the shelf is locked")
            with ctx.database as db:
                db.execute("update effects set live = 0 where order_id = ?", (event.order_id,))
            return UNDONE[number](order_id=event.order_id)

        service.on(hears)(do)
        if number + 1 < steps and silent != number:
            service.on(NOT_DONE[number + 1])(undo)
            if number + 2 < steps:
                service.on(UNDONE[number + 1])(undo)

    for number in range(steps):
        join(number)
    if mail:

        @system.service("mail", schema="create table sent (order_id text)").on(OrderCreated)
        def send(event, ctx):
            with ctx.database as db:
                db.execute("insert into sent values (?)", (event.order_id,))
            return EmailSent(order_id=event.order_id)

    return system


async def one_order(ctx):
    await ctx.send(PlaceOrder(order_id="o1"))


async def one_created(ctx):
    await ctx.publish(OrderCreated(order_id="o1"))


def orders(count, create=OrderCreated):
    """A workload of many orders, one a tenth of a second."""

    async def play(ctx):
        for number in range(1, count + 1):
            try:
                await (ctx.publish if create is OrderCreated else ctx.send)(create(order_id=f"o{number}"))
            except PublishFailed:
                pass
            await ctx.sleep(0.1)

    return play

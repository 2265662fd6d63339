"""Weddings are sagas of up to twelve steps, led by a coordinator or danced without one; and what can go wrong. (The names are
found nowhere else: what a class says of sagas is known by its name.)"""

from types import new_class

from edalab import Command, Event, Refused, System, Unanswered


class PlanWedding(Command, key="wedding"):
    wedding: str


class WeddingAnnounced(Event, topic="weddings", key="wedding"):
    wedding: str


class WeddingPlanned(Event, topic="wedding-ends", key="wedding", settles=True):
    wedding: str


class WeddingCalledOff(Event, topic="wedding-ends", key="wedding", settles=True):
    wedding: str


class PostInvitations(Command, key="wedding", final=True):
    wedding: str


class InvitationsPosted(Event, topic="letters", key="wedding", final=True):
    wedding: str


def _declare(kind: type, name: str, **words) -> type:
    fields = {"__annotations__": {"wedding": str}, "__module__": __name__}
    return new_class(name, (kind,), {"key": "wedding", **words}, lambda body: body.update(fields))


# (service, what it is asked for, what undoes that, the fact, what tells the refusal, what tells the undoing)
WORK = [
    ("halls", "BookHall", "CancelHall", "HallBooked", "HallRefused", "HallCancelled"),
    ("bands", "HireBand", "DismissBand", "BandHired", "BandRefused", "BandDismissed"),
    ("bakers", "OrderCake", "CancelCake", "CakeOrdered", "CakeRefused", "CakeCancelled"),
    ("florists", "OrderFlowers", "CancelFlowers", "FlowersOrdered", "FlowersRefused", "FlowersCancelled"),
    ("jewellers", "ReserveRings", "ReleaseRings", "RingsReserved", "RingsRefused", "RingsReleased"),
    ("tailors", "RentSuits", "ReturnSuits", "SuitsRented", "SuitsRefused", "SuitsReturned"),
    ("drivers", "HireCars", "CancelCars", "CarsHired", "CarsRefused", "CarsCancelled"),
    ("hotels", "BookRooms", "CancelRooms", "RoomsBooked", "RoomsRefused", "RoomsCancelled"),
    ("cooks", "ChooseMenu", "CancelMenu", "MenuChosen", "MenuRefused", "MenuCancelled"),
    ("photographers", "HirePhotographer", "DismissPhotographer", "PhotographerHired", "PhotographerRefused", "PhotographerDismissed"),
    ("tents", "PutUpTent", "TakeDownTent", "TentPutUp", "TentRefused", "TentTakenDown"),
    ("registry", "GetLicence", "ReturnLicence", "LicenceGranted", "LicenceDenied", "LicenceReturned"),
]  # fmt: skip
COMMANDS = [_declare(Command, work[1]) for work in WORK]
UNDO = [
    _declare(Command, work[2], compensates=did) for work, did in zip(WORK, COMMANDS, strict=True)
]
REFUSED = [
    _declare(Event, f"{work[1]}Refused", refuses=did, topic="refusals")
    for work, did in zip(WORK, COMMANDS, strict=True)
]
DONE = [_declare(Event, work[3], topic=f"{work[0]}-facts") for work in WORK]
NOT_DONE = [
    _declare(Event, work[4], refuses=did, topic=f"{work[0]}-facts")
    for work, did in zip(WORK, DONE, strict=True)
]
UNDONE = [
    _declare(Event, work[5], compensates=did, topic=f"{work[0]}-facts")
    for work, did in zip(WORK, DONE, strict=True)
]
EFFECTS = "create table effects (wedding text primary key, live int)"


class Busy(Exception):
    """What a worker raises that is down for the moment."""


def orchestrated(steps=3, *, refuse=None, slow=None, on_timeout="ask again", undo_fails=0, forget=None, mail=None, forward=False,
                 twice=False) -> System:  # fmt: skip
    """A coordinator asks for one thing after the other, and where one is refused for the undoing of those before, in reverse
    (`forward`: not so; `twice`: everything; `forget`: not this one). What got no answer it will "ask again", or
    "compensate" as if it were done, or it will "ignore" that and end. `slow` takes 1.3 s at the first asking; the
    undoing of the first step fails `undo_fails` times; letters go out before step number `mail`."""
    system = System("weddings")

    async def insist(ctx, command):
        for _ in range(4):
            try:
                return await ctx.ask(command, timeout=1.0)
            except Unanswered:
                await ctx.sleep(0.2)
        raise Busy(f"{type(command).__name__} not answered")

    async def ask(ctx, command):
        if on_timeout == "ask again":
            return await insist(ctx, command)
        try:
            return await ctx.ask(command, timeout=1.0)
        except Unanswered:
            return "in doubt"

    @system.service("planners", schema="create table log (wedding text)").handles(PlanWedding)
    async def plan(command, ctx):
        with ctx.database as db:
            db.execute("insert into log values (?)", (command.wedding,))
        done, refused = [], False
        for number in range(steps):
            if mail == number:
                await insist(ctx, PostInvitations(wedding=command.wedding))
            answer = await ask(ctx, COMMANDS[number](wedding=command.wedding))
            refused = answer != "done"
            if isinstance(answer, Refused):
                await ctx.publish(REFUSED[number](wedding=command.wedding))
            elif answer == "done" or on_timeout == "compensate":
                done.append(number)
            if refused:
                break
        for number in (done if forward else done[::-1]) if refused else ():
            for _ in range((1 + twice) * (number != forget)):
                await insist(ctx, UNDO[number](wedding=command.wedding))
        await ctx.publish(
            (WeddingCalledOff if refused else WeddingPlanned)(wedding=command.wedding)
        )

    for number in range(steps):
        _worker(
            system,
            number,
            refuse == number,
            slow == number,
            undo_fails if number == 0 else 0,
            twice,
        )
    if mail is not None:

        @system.service("mail", schema="create table posted (wedding text primary key)").handles(
            PostInvitations
        )
        def post(command, ctx):
            with ctx.database as db:
                db.execute("insert or ignore into posted values (?)", (command.wedding,))

    return system


def _worker(
    system: System, number: int, refuses: bool, slow: bool, undo_fails: int, twice: bool
) -> None:
    service = system.service(WORK[number][0], schema=EFFECTS)

    async def do(command, ctx):
        tries = ctx.state["asked"] = ctx.state.get("asked", 0) + 1
        await ctx.sleep(1.3 if slow and tries == 1 else 0.1)
        if refuses:
            return Refused("no date is free")
        with ctx.database as db:
            db.execute("insert or ignore into effects values (?, 1)", (command.wedding,))
        return "done"

    async def undo(command, ctx):
        tries = ctx.state["tries"] = ctx.state.get("tries", 0) + 1
        await ctx.sleep(0.1)
        if tries <= undo_fails:
            raise Busy("nobody picks up the phone")
        with ctx.database as db:
            sql = "update effects set live = live - 1 where wedding = ?" + (
                "" if twice else " and live"
            )
            db.execute(sql, (command.wedding,))

    service.handles(COMMANDS[number])(do)
    service.handles(UNDO[number])(undo)


def choreographed(
    steps=3, *, refuse=None, undo_fails=0, deaf=None, dies=None, mail=False, guarded=True
) -> System:
    """Each service goes on when it hears of the step before, and undoes its own when it hears that the next one was refused
    or undone; but for the one that is `deaf` to that. `dies` raises whenever it is its turn; unless `guarded`, what is
    handled again is done again."""
    system = System("dance")
    for number in range(steps):
        _dancer(
            system,
            number,
            steps,
            refuse == number,
            deaf == number,
            dies == number,
            undo_fails if number == 0 else 0,
            guarded,
        )
    if mail:

        @system.service("mail", schema="create table posted (wedding text primary key)").on(
            WeddingAnnounced
        )
        def post(event, ctx):
            with ctx.database as db:
                db.execute("insert or ignore into posted values (?)", (event.wedding,))
            return InvitationsPosted(wedding=event.wedding)

    return system


def _dancer(
    system: System,
    number: int,
    steps: int,
    refuses: bool,
    deaf: bool,
    dies: bool,
    undo_fails: int,
    guarded: bool,
) -> None:
    service = system.service(WORK[number][0], schema=EFFECTS)

    async def do(event, ctx):
        await ctx.sleep(0.1)
        if dies:
            raise Busy("no connection")
        if refuses:
            return NOT_DONE[number](wedding=event.wedding)
        with ctx.database as db:
            again = "nothing" if guarded else "update set live = live + 1"
            db.execute(
                f"insert into effects values (?, 1) on conflict do {again}", (event.wedding,)
            )
        said = [DONE[number](wedding=event.wedding)]
        return said + [WeddingPlanned(wedding=event.wedding)] * (number == steps - 1)

    async def undo(event, ctx):
        tries = ctx.state["tries"] = ctx.state.get("tries", 0) + 1
        await ctx.sleep(0.1)
        if tries <= undo_fails:
            raise Busy("nobody picks up the phone")
        with ctx.database as db:
            db.execute("update effects set live = 0 where wedding = ?", (event.wedding,))
        return UNDONE[number](wedding=event.wedding)

    service.on(DONE[number - 1] if number else WeddingAnnounced)(do)
    for later in (NOT_DONE, UNDONE):
        if number + 1 < steps and not deaf:
            service.on(later[number + 1])(undo)


async def one_wedding(ctx):
    await ctx.send(PlanWedding(wedding="w1"))


async def one_announced(ctx):
    await ctx.publish(WeddingAnnounced(wedding="w1"))


def many(count: int):
    """A workload of many weddings, one a tenth of a second."""

    async def play(ctx):
        for number in range(1, count + 1):
            await ctx.publish(WeddingAnnounced(wedding=f"w{number}"))
            await ctx.sleep(0.1)

    return play

"""Exercises of lesson 02: copies that an older event must not overwrite, nor bring back what was to be forgotten."""

from collections.abc import Callable
from dataclasses import replace
from math import ceil

from ..claims.claim import Claim
from ..model import Command, Event, System
from ..practice.exercise import Anomaly, Exercise, explained, explored, nothing_dead
from ..sim import enumerate_faults, simulate
from ..sim.run import Run


class ChangeAddress(Command):
    customer: str
    address: str | None


class AddressChanged(Event, topic="customers", key="customer"):
    customer: str
    address: str | None
    version: int


OWNED = "create table customers (customer text primary key, address text, version integer)"
COPY = "create table addresses (customer text primary key, address text, version integer)"
COUNTED = """insert into customers values (?, ?, 1) on conflict (customer) do update
             set address = excluded.address, version = version + 1 returning version"""
LATE = ["duplicate customers.publish.AddressChanged #1"]


async def change_address(command, ctx):
    with ctx.database as db:
        [(version,)] = db.execute(COUNTED, (command.customer, command.address))
    change = AddressChanged(customer=command.customer, address=command.address, version=version)
    await ctx.publish(change)


def copied(
    keep: Callable, changes: list[tuple[float, str, str | None]], known: str = ""
) -> tuple[System, Callable]:
    """`customers` owns addresses, `shipping` keeps copies; changes are made after so many seconds each. One customer may be
    known to both from the beginning."""
    shop = System("shop")
    row = f"; insert into {{}} values ('{known}', 'Ash Street', 1)" if known else ""
    shop.service("customers", schema=OWNED + row.format("customers")).handles(ChangeAddress)(
        change_address
    )
    shop.service("shipping", schema=COPY + row.format("addresses")).on(AddressChanged)(keep)

    async def people(ctx):
        for pause, customer, address in changes:
            await ctx.sleep(pause)
            await ctx.send(ChangeAddress(customer=customer, address=address))

    return shop, people


def both(run: Run) -> tuple[dict[str, str], dict[str, str]]:
    """The addresses that `customers` owns, and those that `shipping` has."""
    known = "select customer, address from {} where address is not null"
    return dict(run.rows("customers", known.format("customers"))), dict(
        run.rows("shipping", known.format("addresses"))
    )


def older_came_last(run: Run, customer: str) -> bool:
    """Whether `shipping` was handed an event of a customer after one with a higher version."""
    found = [s.envelope.data for s in run.journal if s.service == "shipping" and s.step == "handle"]
    versions = [event.version for event in found if event.customer == customer]
    return bool(versions) and versions[-1] < max(versions)


def differences(run: Run, late: bool) -> list[str]:
    owned, copy = both(run)
    return [
        f"{who} lives in {there}, the copy says {copy.get(who, 'nothing')}"
        for who, there in owned.items()
        if copy.get(who) != there and older_came_last(run, who) == late
    ]


@Claim("the copy says what customers says", about=AddressChanged)
def follows(run):
    return differences(run, late=False)


@Claim("an older event changes nothing", about=AddressChanged)
def never_goes_back(run):
    return differences(run, late=True)


@Claim("shipping has no address of somebody who has left", about=AddressChanged)
def forgets(run):
    owned, copy = both(run)
    return [
        f"{who} has left, the copy says {copy[who]}"
        for who in copy
        if who not in owned and not older_came_last(run, who)
    ]


@Claim("what was forgotten does not come back", about=AddressChanged)
def stays_forgotten(run):
    owned, copy = both(run)
    return [
        f"{who} has left, the copy says {copy[who]} again"
        for who in copy
        if who not in owned and older_came_last(run, who)
    ]


HINTS = {
    "the copy does not follow": (
        "Which event did shipping handle last, and what did your function do with it?",
        "Call your function in your mind with version 1 and then with version 2, of one customer and of two.",
        "Write the row whenever the event's version is higher than the one in the row of this customer, or there is no row.",
    ),
    "an older event wins": (
        "Follow the last arrow to shipping: how old is what it carries, and what did the copy know by then?",
        "The event says which version it is. With what can your function compare that, also when shipping has just restarted?",
        "Keep the version in the row, and let the statement that writes the row compare: `where excluded.version > addresses.version`.",
    ),
    "an address is not forgotten": (
        "What did shipping do with the last event of this customer, the one without an address?",
        "Where event.address is None the row of this customer has to go, unless that row is newer.",
        "`if event.address is None:` delete the row of event.customer; compare the version with the one in this row only.",
    ),
    "an address comes back": (
        "When the old event comes, with what does your function compare its version?",
        "The row is gone, and the version with it. What must stay so that an event can be known to be older?",
        "Do not delete the row: keep customer and version in it, and set the address to null.",
    ),
    "a dead letter": (
        "What does your function raise, and is it an error that an old event comes?",
        "A late event is nothing to be tried again: three attempts later it is as late.",
        "Return without having changed anything.",
    ),
}
CLAIMS = {
    "the copy does not follow": follows,
    "an older event wins": never_goes_back,
    "an address is not forgotten": forgets,
    "an address comes back": stays_forgotten,
    "a dead letter": nothing_dead("shipping", AddressChanged),
}
NAMES = {"AddressChanged": AddressChanged}


# -- 02.1


def as_it_comes(event, ctx):
    with ctx.database as db:
        db.execute(
            "insert or replace into addresses values (?, ?, ?)",
            (event.customer, event.address, event.version),
        )


def late(variant: int) -> float:
    """By how many seconds the broker can be late."""
    return 1 + (variant - 1) % 30 / 10


def corrected_after(seconds: float, faults: list) -> Run:
    """Ada says where she lives, corrects herself after so many seconds, and shipping writes down what comes."""
    return simulate(
        *copied(as_it_comes, [(0, "ada", "Elm Street"), (seconds, "ada", "Oak Street")]),
        faults=faults,
    )


def breaking(seconds: float, variant: int) -> Run | None:
    """The first run with a single fault in which the copy ends with the older address."""
    for fault in [None, *enumerate_faults(corrected_after(seconds, []))]:
        if fault and fault.do == "delay":
            fault = replace(fault, seconds=late(variant))
        run = corrected_after(seconds, [fault] if fault else [])
        if run.check(follows).outcome == "broken" or run.check(never_goes_back).outcome == "broken":
            return run
    return None


def long_enough(seconds: float, variant: int) -> Anomaly | str:
    found = breaking(seconds, variant)
    if found:
        [at_last] = found.rows("shipping", "select address from addresses")[0]
        told = f"corrected after {seconds:g} s, and the copy says {at_last}"
        return Anomaly("not long enough", told, found)
    shorter = ceil(seconds * 10 - 1.001) / 10  # the tenth before
    if shorter >= 0 and breaking(shorter, variant) is None:
        return Anomaly("longer than needed", f"{shorter:g} s survive every single fault as well")
    return f"every single fault, {seconds:g} s after the first address and {shorter:g} s after"


def _order_kept(seconds: float, variant: int) -> tuple[str, Run]:
    told = "here it was published last and handled first"
    return f"(a) would mean that the correction is handled last; {told}", corrected_after(0.3, LATE)


def _saving_takes_long(seconds: float, variant: int) -> tuple[str, Run]:
    run = corrected_after(seconds, [])
    ends = (("customers", "publish"), ("shipping", "save"))
    said, saved = (next(s.time for s in run.journal if (s.service, s.step) == end) for end in ends)
    told = f"here an address is saved {saved - said} ms after it was published"
    return f"(c) would take {seconds:g} s; {told}", run


def _versions_compared(seconds: float, variant: int) -> tuple[str, Run]:
    told = "(d) would leave version 2 in the copy; here version 1 was saved over it"
    return told, corrected_after(0.3, LATE)


ONE = explained(
    "02.1",
    "A correction that comes late enough",
    ("a number of seconds", (0, 60)),
    lambda variant: {"late": late(variant)},
    long_enough,
    {"a": _order_kept, "b": None, "c": _saving_takes_long, "d": _versions_compared},
    {
        "not long enough": (
            "Which event did shipping handle last in this run, and when had it been published?",
            "Of all single faults, which keeps an event back longest? `explore` and `matrix` show what is left of them.",
            "A doubled event comes half a second later, a delayed one as much as your figures say. The correction must not come sooner.",
        ),
        "longer than needed": (
            "What happens if Ada corrects herself a tenth of a second sooner?",
            "Go down in steps of 0.1 until a single fault breaks it.",
            "The answer is the last value before the first one that breaks.",
        ),
        "another reason": (
            "Does this run agree with your reason?",
            "Look at the arrows from customers to shipping: in which order do they start, and in which do they end?",
            "The broker keeps the order in which events reach it, and what was published first can reach it last.",
        ),
    },
)


# -- 02.2 and 02.3


def _settled(keep: Callable, variant: int) -> tuple[System, Callable]:
    """Ada moves, and moves again; Bob leaves long after anything else."""
    ada, bob = f"ada-{variant}", f"bob-{variant}"
    streets = [
        (0, ada, f"Elm Street {variant}"),
        (0.3, ada, f"Oak Street {variant}"),
        (0.1, ada, f"Fir Street {variant}"),
    ]
    changes = [*streets, (2, bob, None)]
    return copied(keep, changes, bob)


def _leaving(keep: Callable, variant: int) -> tuple[System, Callable]:
    """Ada leaves shortly after she has come and moved; Bob leaves, too, and comes back, and Cleo comes."""
    ada, bob = f"ada-{variant}", f"bob-{variant}"
    ada_leaves = [
        (0, ada, f"Elm Street {variant}"),
        (0.1, ada, f"Oak Street {variant}"),
        (0.1, ada, None),
    ]
    bob_comes_back = [(0.1, bob, None), (2, bob, f"Fir Street {variant}")]
    return copied(keep, [*ada_leaves, *bob_comes_back, (0, f"cleo-{variant}", "Ash Street")], bob)


EXERCISES = [
    ONE,
    Exercise(
        "02.2",
        "A copy that goes with the time",
        "event, ctx",
        explored(_settled, CLAIMS, [LATE]),
        HINTS,
        NAMES,
    ),
    Exercise(
        "02.3",
        "What was forgotten stays forgotten",
        "event, ctx",
        explored(_leaving, CLAIMS, [LATE]),
        HINTS,
        NAMES,
    ),
]

"""Exercises of lesson 02: copies that an older event, published again, neither overwrites nor brings back."""

from collections.abc import Callable
from math import ceil

from ..model import System
from ..practice.exercise import Anomaly, Exercise, explained, explored, nothing_dead
from ..sim import simulate
from ..sim.run import Run
from .lesson_02_shop import (
    AGAIN,
    CONTACTS,
    COPY,
    OWNED,
    SAME_FIELD,
    AddressChanged,
    ChangeAddress,
    ChangeContact,
    ContactChanged,
    Repeat,
    _sent,
    change_address,
    change_contact,
    copied,
    follows,
    forgets,
    never_goes_back,
    newest_of_each,
    no_older_value,
    stays_forgotten,
)

HINTS = {
    "the copy does not follow": (
        "Which event did shipping handle last, and what did your function do with it?",
        "Go through your function by hand, with version 1 and then version 2, for one customer and then for two.",
        "Write the row whenever the event is newer than everything you have noted about *this* customer.",
    ),
    "an older event wins": (
        "Follow the last arrow to shipping. How old is the event it carries, and what did the copy know by then?",
        "The event carries its version. What can your function compare it with, even if shipping has just restarted?",
        "Compare before you write *and* before you delete. Where event.version is not higher than the version you have noted for this customer, change nothing.",
    ),
    "an address is not forgotten": (
        "What did your function do with the last event of this customer, the one without an address?",
        "If event.address is None and the event is newer, the row has to leave `addresses`. A row with an empty address is still a row.",
        "Delete the row from `addresses`, and note the customer and event.version in `gone` in the same transaction.",
    ),
    "an address comes back": (
        "When the old event arrives, what does your function compare its version with?",
        "The row has left `addresses`, and its version went with it. Where else could you keep that version?",
        "When somebody leaves, save their version in `gone`. Before you write an address, compare with the version there too.",
    ),
    "a dead letter": (
        "What does your function raise? Is an old event an error?",
        "Another attempt doesn't help, because the event is just as old the next time.",
        "Return without changing anything.",
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


CONTACT_CLAIMS = {
    "a change is lost": newest_of_each,
    "an older event wins": no_older_value,
    "a dead letter": nothing_dead("shipping", ContactChanged),
}
CONTACT_HINTS = {
    "a change is lost": (
        "Which event carried the value that is missing? What did your function do when it arrived?",
        "An event carries one field only. Does an event about the phone make an older event about the address superfluous?",
        "Compare versions for each customer *and field*. An event is out of date only if you have a newer one about the same field.",
    ),
    "an older event wins": (
        "Two events were about the same field. Which of them did your function save last?",
        "Memory is gone after a crash. Which table can hold the version of each field?",
        "In one transaction, read the version of this customer and field from `versions`, and write the value and the new version only if the event is newer.",
    ),
    "a dead letter": HINTS["a dead letter"],
}


# -- 02.1


def as_it_comes(event, ctx):
    with ctx.database as db:
        row = event.customer, event.address, event.version
        db.execute("insert or replace into addresses values (?, ?, ?)", row)


def late(variant: int) -> float:
    """After how many seconds the owner publishes an event once more."""
    return 1 + (variant - 1) % 30 / 10


def corrected_after(seconds: float, variant: int) -> Run:
    """A run in which Ada corrects her address after so many seconds; `shipping` keeps what comes last."""
    streets = [(0, "Elm Street"), (seconds, "Oak Street")]
    ada = [(pause, ChangeAddress(customer="ada", address=street)) for pause, street in streets]

    async def publish_twice(command, ctx):
        await change_address(command, ctx)
        with ctx.database as db:
            [(event,)] = db.execute("select event from done where command = ?", (ctx.message.id,))
        await ctx.send(Repeat(event=event), after=late(variant))

    async def repeat(command, ctx):
        await ctx.publish(AddressChanged.model_validate_json(command.event))

    again = System("shop")
    owner = again.service("customers", schema=OWNED)
    owner.handles(ChangeAddress)(publish_twice)
    owner.handles(Repeat)(repeat)
    again.service("shipping", schema=COPY).on(AddressChanged)(as_it_comes)
    return simulate(again, _sent(ada))


def breaking(seconds: float, variant: int) -> Run | None:
    """The run with this pause, if an older address is in the copy when all of the owner's events are out."""
    run = corrected_after(seconds, variant)
    handled = [
        s.envelope.data.version
        for s in run.journal
        if (s.service, s.step) == ("shipping", "handle") and s.envelope
    ]
    return run if handled != sorted(handled) else None


def long_enough(seconds: float, variant: int) -> Anomaly | str:
    if run := breaking(seconds, variant):
        return Anomaly(
            "not long enough",
            f"corrected after {seconds:g} s, and version 1 comes after version 2",
            run,
        )
    shorter = ceil(seconds * 10 - 1.001) / 10  # the tenth before
    if shorter >= 0 and breaking(shorter, variant) is None:
        return Anomaly(
            "longer than needed",
            f"after {shorter:g} s version 1 never comes after version 2 either",
        )
    return f"the runs with a pause of {seconds:g} s and of {shorter:g} s"


def _order_kept(seconds: float, variant: int) -> tuple[str, Run]:
    evidence = "here the topic kept its order, and the older event was published once more after the correction"
    return f"(a) would make any pause safe; {evidence}", corrected_after(0.3, variant)


def _saving_takes_long(seconds: float, variant: int) -> tuple[str, Run]:
    run = corrected_after(seconds, variant)
    ends = (("customers", "publish"), ("shipping", "save"))
    begun, saved = (next(s.time for s in run.journal if (s.service, s.step) == end) for end in ends)
    evidence = f"here an address is saved {saved - begun} ms after it was published"
    return f"(c) would take {seconds:g} s; {evidence}", run


def _versions_compared(seconds: float, variant: int) -> tuple[str, Run]:
    evidence = "(d) would keep version 2 in the copy; here version 1 was saved over it"
    return evidence, corrected_after(0.3, variant)


ONE = explained(
    "02.1",
    "A correction that comes late enough",
    ("a number of seconds", (0, 60)),
    lambda variant: {"late": late(variant)},
    long_enough,
    {"a": _order_kept, "b": None, "c": _saving_takes_long, "d": _versions_compared},
    {
        "not long enough": (
            "Which event did shipping handle after version 2 in this run, and when was it published?",
            "Customers publishes version 1 twice. At what time is the second time?",
            "The second publication comes `late` seconds after the first command was *handled*, so Ada has to wait a moment longer than that.",
        ),
        "longer than needed": (
            "What happens if Ada corrects herself a tenth of a second sooner?",
            "Go down in steps of 0.1 until version 1 comes after version 2.",
            "The answer is the last pause before the first one that goes wrong.",
        ),
        "another reason": (
            "Does this run agree with your reason?",
            "Look at the arrows from customers to shipping. How many times does each version leave?",
            "The topic keeps the order in which events reach it. But the owner hands it an older event once more.",
        ),
    },
)


# -- 02.2 and 02.3


def _leaving(keep: Callable, variant: int) -> tuple[System, Callable]:
    """Ada moves; Bob comes, leaves and comes back; Cleo comes and leaves; Dan, known before, leaves."""
    ada, bob, cleo, dan = (f"{name}-{variant}" for name in ("ada", "bob", "cleo", "dan"))
    return copied(
        keep,
        [
            (0, ada, f"Elm Street {variant}"),
            (0.1, ada, f"Oak Street {variant}"),
            (0.1, bob, f"Elm Street {variant}"),
            (0.1, bob, None),
            (0.1, bob, f"Fir Street {variant}"),
            (0.1, cleo, "Ash Street"),
            (0.1, cleo, None),
            (0.1, dan, None),
        ],
        dan,
    )


def _contacted(keep: Callable, variant: int) -> tuple[System, Callable]:
    """Ada changes address, phone and address again, Bob his phone twice and then his address."""
    shop = System("shop")
    owned = (
        OWNED
        + "create table contacts (customer text, field text, value text, primary key (customer, field));"
    )
    shop.service("customers", schema=owned).handles(ChangeContact)(change_contact)
    shop.service("shipping", schema=CONTACTS).on(ContactChanged)(keep)
    ada, bob = f"ada-{variant}", f"bob-{variant}"
    changes = [
        (ada, "address", f"Elm Street {variant}"),
        (ada, "phone", f"555-{variant}"),
        (ada, "phone", f"556-{variant}"),
        (bob, "phone", f"555-{variant}"),
        (bob, "address", f"Elm Street {variant}"),
        (bob, "address", f"Oak Street {variant}"),
    ]
    return shop, _sent([(0.1, ChangeContact(customer=c, field=f, value=v)) for c, f, v in changes])


# Cleo's address comes again after she has left, and shipping has lost what it kept in memory.
LEFT = ["lose customers.ack.ChangeAddress #6", "crash shipping.handle.AddressChanged #9"]
KEEP = explored(_leaving, CLAIMS, alone=[AGAIN, LEFT])
MERGE = explored(_contacted, CONTACT_CLAIMS, alone=[SAME_FIELD])
EXERCISES = [
    ONE,
    Exercise("02.2", "A copy that forgets", "event, ctx", KEEP, HINTS, NAMES),
    Exercise(
        "02.3",
        "Events that carry one field",
        "event, ctx",
        MERGE,
        CONTACT_HINTS,
        {"ContactChanged": ContactChanged},
    ),
]

"""Exercises of lesson 02: copies that an older event, published again, does not spoil."""

from ..model import System
from ..practice.exercise import Anomaly, Exercise, explored, hints_of
from ..practice.explained import Refuted, explained
from ..sim import simulate
from ..sim.run import Run
from . import lesson_02_system as shop
from .general import by_name, sent, steps
from .lesson_02_claims import follows
from .lesson_02_system import AddressChanged, ChangeAddress, ContactChanged, Repeat

HINTS = hints_of("""
a dead letter
    For which event does your function raise? Is it an old one, or one that comes before an older one?
    Another attempt doesn't help. An old event stays old, and a version that comes late comes seconds after your last attempt.
    Don't raise and don't wait for a version. Ignore what is out of date and use everything else at once, because each event carries a whole value.
the copy does not follow
    Which event carried the value that the copy lacks, and what did your function do with it?
    Is there a row to change? Go through your function by hand for two events of one customer, for two customers, and for versions 9 and 10.
    Use every event that is newer than what you have noted about *its* customer, or about its field if it has one. The first one may find no row, and the one before may never have arrived.
another value is wiped out
    The value was in the copy once. Which event removed it, and what was that event about?
    Look at each statement that deletes or replaces. Which rows, and which columns, does it touch?
    Change only what the event is about. `where customer = ?` picks the row, and `update ... set` leaves the other columns alone.
an older event wins
    Follow the last arrow to shipping. How old is the event it carries, and what did the copy know by then?
    The event carries its version. What does your function compare it with, and when did it note that?
    Compare before you change anything. Unless event.version is higher than the version you noted, leave every row alone. Otherwise note the new version each time.
forgotten in a crash
    What did your function know after shipping had restarted?
    A crash empties `ctx.state`. The tables are still there afterwards.
    Save event.version in a table, in the same transaction as the value, and read it there.
a failed save is hidden
    An attempt to save this event failed. What did your function do then?
    If your function catches the error and ends as usual, the topic takes the event as handled. It does not come again.
    Let the error out. The topic delivers the event once more, and the second attempt saves it.
noted too early
    Shipping began twice with this event. What was saved the first time, and why did the second time change nothing?
    You noted the version, but the value was not saved yet.
    Write or delete the value and note its version in one transaction, so that a crash keeps both or neither.
""")
ADDRESS_HINTS = HINTS | hints_of("""
an address is not forgotten
    What did your function do with the last event of this customer, the one without an address?
    If event.address is None and the event is newer, the row has to leave `addresses`. A row with an empty address is still a row.
    Delete the row from `addresses`, and note the customer and event.version in `gone` in the same transaction.
an address comes back
    When the old event arrives, what does your function compare its version with?
    What did your function note when the customer left? A row in `addresses` can't tell you, because it is gone or was never there.
    At each newer departure, save its event.version in `gone`, over an earlier one, even if there is no row to delete. Before you write an address, compare with the version there too.
an old event changes gone
    Several old events arrive. What did the first one change in `gone`?
    An old event has to leave both tables alone. Which statement of yours runs before you compare, or without comparing?
    Find the newest version in both tables first. Unless event.version is higher, neither write nor delete anything.
nobody comes back
    This customer left and then came back. What did your function find in `gone`?
    A row in `gone` says at which version somebody left. Is the new event older than that?
    Ignore an event about somebody who is gone only if its version is not higher than the one in `gone`.
""")
CONTACT_HINTS = (
    hints_of("""
a value in the wrong field
    Did an event bring this value? If so, which field is that event about?
    Look at each column that your function writes. Where does its value come from if the event is about the other field?
    Write the column that event.field names and no other. A field without a value stays null or empty.
a late field is ignored
    This event came late, and your function ignored it. Had a newer event replaced its value?
    An event carries one field only. If you have an event about the phone, do you no longer need an older one about the address?
    Compare versions for each customer *and field*. An event is out of date only if you have a newer one about the same field.
""")
    | HINTS
)


# -- 02.1


def as_it_comes(event, ctx):
    with ctx.database as db:
        row = event.customer, event.address, event.version
        db.execute("insert or replace into addresses values (?, ?, ?)", row)


def late(variant: int) -> float:
    """The delay in s of the second publish of an event, never a whole tenth, to avoid ties."""
    return (95 + (variant - 1) % 30 * 10) / 100


def corrected_after(seconds: float, variant: int) -> Run:
    """A run in which Ada corrects her address after a pause, and `shipping` stores what it gets."""
    elm, oak = (ChangeAddress(customer="ada", address=f"{tree} Street") for tree in ("Elm", "Oak"))

    async def publish_twice(command, ctx):
        event = await shop.change(command, ctx)
        await ctx.send(Repeat(event=event), after=late(variant))
        return event

    def repeat(command):
        return command.event

    again = System("shop")
    owner = again.service("customers", schema=shop.OWNED)
    owner.handles(ChangeAddress)(publish_twice)
    owner.handles(Repeat)(repeat)
    again.service("shipping", schema=shop.ADDRESSES).on(AddressChanged)(as_it_comes)
    return simulate(again, sent(elm, seconds, oak))


def breaking(seconds: float, variant: int) -> Run | None:
    """The run with this pause, if `shipping` handles an older version after a newer, or None."""
    run = corrected_after(seconds, variant)
    handled = [s.envelope.data.version for s in steps(run, "handle", service="shipping")]
    return run if handled != sorted(handled) else None


def long_enough(seconds: float, variant: int) -> Anomaly | str:
    if run := breaking(seconds, variant):
        return Anomaly(
            "not long enough",
            f"corrected after {seconds:g} s, and version 1 comes after version 2",
            run,
        )
    shorter = round(seconds - 0.1, 1)
    if shorter >= 0 and breaking(shorter, variant) is None:
        return Anomaly("longer than needed", f"{seconds:g} s is safe, and so is a shorter pause")
    return f"safe after {seconds:g} s, not after {shorter:g} s"


def against(seconds: float, variant: int) -> Refuted:
    run, spoiled = corrected_after(seconds, variant), corrected_after(0.3, variant)
    ends = (("customers", "publish"), ("shipping", "save"))
    begun, saved = (next(s.time for s in run.journal if (s.service, s.step) == end) for end in ends)
    in_order = "the topic kept its order, and version 1 was published again after version 2"
    slow = f"here an address is saved {saved - begun} ms after it was published"
    kept = "(d) would keep version 2 in the copy; here version 1 was saved over it"
    return {
        "a": (in_order, spoiled),
        "c": (f"(c) would take {seconds:g} s; {slow}", run),
        "d": (kept, spoiled),
    }


ONE = explained(
    "02.1",
    "A correction that comes late enough",
    ("a number of seconds", (0, 60, 0.1)),
    lambda variant: {"again": late(variant)},
    long_enough,
    "b",
    against,
    hints_of("""
        not long enough
            Which event did shipping handle after version 2 in this run, and when was it published?
            `customers` publishes version 1 twice. When does it do so the second time?
            The second time is `again` seconds after the first command was handled. The correction has to be published after that.
        longer than needed
            What happens if Ada corrects herself a tenth of a second sooner?
            Go down in steps of 0.1 until version 1 comes after version 2.
            The answer is the last pause before the first one that goes wrong.
        another reason
            Does this run agree with your reason?
            Look at the arrows from customers to shipping. How many times does each version leave?
            The topic keeps the order in which events reach it, and copy_address keeps what comes last. But the owner publishes an older event again, after a newer one.
    """),
)


# -- 02.2 and 02.3

# Older events arrive last, also after a crash in which shipping loses its memory.
LEFT, ASH, GONE, CONNELL, ELM = (f"lose customers.ack.ChangeAddress #{n}" for n in (2, 5, 6, 7, 9))
FIELDS = [f"lose customers.ack.ChangeContact #{n}" for n in (3, 6, 7)]
KEEP = explored(
    shop.leaving,
    follows(AddressChanged),
    ADDRESS_HINTS,
    alone=[
        [LEFT, CONNELL, ELM],
        [ASH, ELM, "crash shipping.handle.AddressChanged #12"],
        [ASH, GONE, CONNELL],
    ],
)
MERGE = explored(
    shop.contacted,
    follows(ContactChanged),
    CONTACT_HINTS,
    alone=[FIELDS, [*FIELDS, "crash shipping.handle.ContactChanged #11"]],
)
NAMES = by_name(AddressChanged, ContactChanged)
EXERCISES = [
    ONE,
    Exercise("02.2", "A copy that forgets", "event, ctx", KEEP, ADDRESS_HINTS, NAMES),
    Exercise("02.3", "Events that carry one field", "event, ctx", MERGE, CONTACT_HINTS, NAMES),
]

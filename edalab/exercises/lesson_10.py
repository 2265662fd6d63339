"""Exercises of lesson 10: which side of a change is deployed first, a chain of upcasters, and three deploys in order."""

from ..practice.exercise import Exercise, hints_of
from ..practice.explained import paired
from .lesson_10_claims import FIRST, REASONS, changes, read_stored, roll_out, sort_changes
from .lesson_10_system import OrderPlacedInEuros

NAMES = {"OrderPlacedInEuros": OrderPlacedInEuros}

SORT_HINTS = hints_of("""
a wrong bill
    Which number did this side write, and what does the other side take it for?
    Nothing fails here, so no gate and no dead letter tells you. A default is filled in where the writer knew nothing of the field, and an unknown field is ignored, even if it changes what the others mean.
    Take one order and write down what its writer means in cents. Then bill it as the other version does, with the default of each field that is missing and without each field that it does not know.
cannot be read
    Which field does this reader look for, and what does it find in the message?
    A field without a default has to be in the message. Its value has to be one that the reader's type allows. A strict reader also fails at a field that it does not know.
    Go through both pairs: the new class reads a message of the old one, and the old class reads a message of the new one. If only the first works, the readers go first. If only the second works, the writers do.
a false alarm
    What would go wrong here, and for whom?
    A tolerant reader ignores a field that it does not know, and a field with a default may be missing. A number or a word that the reader's type allows is read.
    Go through both pairs: the new class reads a message of the old one, and the old class reads a message of the new one. If both work, any order will do.
another reason
    What does the pair that goes wrong run into, and does anything fail at all?
    (a) and (b) both end as a dead letter, in (a) because something is missing and in (b) because something is there. (c) ends with a bill. In (d) nothing goes wrong.
    If a required field is missing, it is (a). If a value or an unknown field is refused, it is (b). If each message is read and a bill is wrong, it is (c).
""")
UPCAST_HINTS = hints_of("""
not as asked for
    What does your function return, and what does its docstring ask for?
    You return one dict. Its keys are the versions that are upcast, 1 and 2, and its values are functions, without parentheses after their names.
    Define `def to_2(data): …` and `def to_3(data): …` in your function, and end it with `return {1: to_2, 2: to_3}`.
cannot be read
    Which fields does the next version need, and which does your step return?
    Each step leads to the next version and no further, because some readers know only that one. It returns a dict. `cents` is a whole number, and `channel` has one of three values.
    Step 1 returns order_id, cents and customer, step 2 order_id, cents, first_name, last_name and channel, and both the note if there is one. Make a whole number with `round(…)`.
raises
    How does this order differ from the others?
    A `note` may be missing, and a customer may have one name only or three. Compare this order with what the line that raised expects of it.
    Copy a field that may be missing along with all others, as in `{**data, …}`, or ask for it with `data.get(…)`. To split a name into two, use something that also works if it has one word.
a wrong amount
    What is this total times 100 in Python, and what does your step make of it?
    19.99 * 100 is 1998.9999999999998, and `int` cuts that off. Adding a half first goes wrong for a credit, whose total is negative. A number of cents stays as it is.
    In step 1 use `round(data["total"] * 100)`. In step 2 leave `cents` alone.
a wrong name
    What does your step make of a name with one word, and of one with three?
    Only the last word is the last name. All that stands before it is the first name, and that may be nothing.
    Use `first, _, last = data["customer"].rpartition(" ")`.
invented
    How do you know that, if nobody wrote it down at the time?
    Before version 3 nobody noted the channel, so an old order may have come by telephone. And an order without a note has no note.
    Say what is true: `"channel": "unknown"`. Leave `note` out if it is not there.
lost
    Which fields did the stored order have, and which of them are left after your step?
    `note` is there in some orders and not in others. What all versions have in common goes from step to step.
    Begin with a copy of everything, as in `{**data, "cents": …}`. A reader ignores a field that it does not know.
changes its argument
    Who else may hold the dict that you were given?
    `pop`, `del`, `update` and `data[…] = …` change the dict of the caller. An event store may keep it and upcast it once more, and then `total` is gone.
    Make a new dict: `{**data, "cents": …}`, or begin with `data = dict(data)`.
""")
ROLL_OUT_HINTS = hints_of("""
not as asked for
    What does your function return, and what does its docstring ask for?
    You return a list of steps. A step is a list of pairs of a service and a class, with each service at most once: `[("orders", Expanded)]`. You need no more than six steps.
    Declare each class with `Event, name="OrderPlaced", version=…, topic="orders"`, and return `[[("orders", Expanded)], …]`.
a new message is unreadable
    Which version does this reader run at this moment, and who has been deployed before it?
    An old reader ignores a field that it does not know, and it fails if `total` is missing. Within a step the deploys come in any order, and each service has two replicas that switch one after the other.
    If the new readers have an upcaster, deploy them first. Otherwise deploy `orders` with a class that has both fields first. Let it drop `total` in the last step, when both readers have been deployed in a step before.
an old message is unreadable
    When was this message written, where was it until now, and which class reads it?
    A reader may have been away during the whole rollout, and then it finds old messages in the log. The outbox of `orders` may still hold some, too. None of them has `cents`.
    Give the readers' class an upcaster: `upcasts={1: lambda old: {**old, "cents": round(old["total"] * 100)}}`, with a higher `version=`.
an upcast message is unreadable
    What does your upcaster return for this order, and what does the reader's class declare?
    The class reads what your upcaster returns. `cents` is an `int`, and in Python 37.87 * 100 is 3786.9999999999995.
    Return each field that the class needs, and round the amount: `upcasts={1: lambda old: {**old, "cents": round(old["total"] * 100)}}`.
a strict reader refuses a field
    Which fields does this message have, and which does the class of the reader know?
    A class that says `reads="strict"` refuses each field that it does not know. While you expand, the event has both fields.
    Leave `reads="strict"` out. A tolerant reader takes the fields that it needs and ignores all others.
a wrong bill
    What did the reader find in this message, and where did its number come from?
    If `cents` is missing, a default of 0 is read without any error. An upcaster that forgets the factor makes 38 cents of 37.87 euros. And `int(19.99 * 100)` is 1998.
    Let `cents` have no default, and upcast version 1 with `round(old["total"] * 100)`.
the old field is still there
    Which class does `orders` write with at the end?
    As long as `total` is written, somebody will begin to read it. When no reader needs it any more, it goes.
    End with a step that deploys `orders` with a class without `total`.
another event
    Under which name do `billing` and `mail` wait for the event, and in which topic?
    The name on the wire is the name of the class, unless you give another one.
    Declare each class with `Event, name="OrderPlaced", version=…, topic="orders"`.
a version is used twice
    What does a reader know of an event that says only its number?
    The number of a version stands for one set of fields. OrderPlacedInEuros is version 1.
    Give each of your classes a number that no other class has, beginning with `version=2`.
cannot be written
    Which fields does your class need, and where should `orders` take them from?
    `orders` knows an order's `order_id`, its `total` in euros and its `cents`. It fills in those of the three that your class has.
    The only fields are `order_id: str`, `total: float` and `cents: int`.
""")
SORT = paired(8, (FIRST, REASONS), sort_changes)
EXERCISES = [
    Exercise("10.1", "Sort eight changes", "", SORT, SORT_HINTS, figures=changes),
    Exercise("10.2", "Two upcasters", "", read_stored, UPCAST_HINTS),
    Exercise("10.3", "Plan a rollout", "", roll_out, ROLL_OUT_HINTS, NAMES),
]

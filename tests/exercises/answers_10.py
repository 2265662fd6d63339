"""Answers to the exercises of lesson 10 as learners write them: right ones, and wrong ones by the anomaly they have."""

import re
from decimal import Decimal
from typing import Literal

from edalab import Event
from edalab.exercises.lesson_10_system import OrderPlacedInEuros

# -- 10.1

SIDES = [("any", "d"), ("neither", "b"), ("readers", "b"), ("writers", "b"), ("neither", "c")]
SIDES += [("readers", "c"), ("any", "d"), ("readers", "a")]


def _instead(change, side, reason):
    """The eight pairs, with another one for this change."""
    return [*SIDES[: change - 1], (side, reason), *SIDES[change:]]


def eight_pairs():
    return SIDES


def eight_lists():
    return tuple([side.title(), f"({reason})"] for side, reason in SIDES)


async def asynchronous():
    return SIDES[:3] + SIDES[3:]


def by_letter():
    letters = "dbbbccda"
    sides = dict(enumerate("any neither readers writers neither readers any readers".split()))
    return [(sides[n], letter) for n, letter in enumerate(letters)]


def a_default_makes_any_order_right():
    return _instead(6, "any", "d")


def tax_is_no_change():
    return _instead(5, "any", "d")


def all_in_any_order():
    return [("any", "d")] * 8


def a_wider_type_is_read_by_all():
    return _instead(3, "any", "d")


def backward_and_forward_mixed_up():
    return _instead(3, "writers", "b")


def writers_may_begin():
    return _instead(6, "writers", "c")


def strict_readers_ignore_too():
    return _instead(4, "any", "d")


def a_new_field_needs_its_reader():
    return _instead(7, "readers", "a")


def all_at_once():
    return [("neither", "a")] * 8


def a_gate_would_tell():
    return _instead(5, "neither", "b")


def a_missing_field():
    return _instead(2, "neither", "a")


def seven_pairs():
    return SIDES[:-1]


def in_other_words():
    return _instead(2, "consumers", "d")


def another_letter():
    return _instead(2, "any", "e")


def sides_only():
    return [side for side, _ in SIDES]


RIGHT_1 = [eight_pairs, eight_lists, asynchronous, by_letter]
WRONG_1 = {
    "a wrong bill": [a_default_makes_any_order_right, tax_is_no_change, writers_may_begin],
    "cannot be read": [
        backward_and_forward_mixed_up,
        all_in_any_order,
        a_wider_type_is_read_by_all,
        strict_readers_ignore_too,
    ],
    "a false alarm": [a_new_field_needs_its_reader, all_at_once],
    "another reason": [a_gate_would_tell, a_missing_field],
    "not as asked for": [seven_pairs, in_other_words, another_letter, sides_only],
}

# -- 10.2


def _step_1(data):
    return {**data, "cents": round(data["total"] * 100)}


def _step_2(data):
    first, _, last = data["customer"].rpartition(" ")
    return {**data, "first_name": first, "last_name": last, "channel": "unknown"}


def two_functions():
    return {1: _step_1, 2: _step_2}


def two_lambdas():
    return {
        2: lambda old: {
            "order_id": old["order_id"],
            "cents": old["cents"],
            "first_name": " ".join(old["customer"].split()[:-1]),
            "last_name": old["customer"].split()[-1],
            "channel": "unknown",
            "note": old.get("note"),
        },
        1: lambda old: {
            "order_id": old["order_id"],
            "cents": int(round(old["total"], 2) * 100 + (0.5 if old["total"] > 0 else -0.5)),
            "customer": old["customer"],
            "note": old.get("note"),
        },
    }


def decimals_and_a_copy():
    def euros(data):
        data = dict(data)
        data["cents"] = int((Decimal(str(data.pop("total"))) * 100).to_integral_value())
        return data

    def names(data):
        data = data.copy()
        *first, data["last_name"] = data.pop("customer").split(" ")
        return data | {"first_name": " ".join(first), "channel": "unknown"}

    return {1: euros, 2: names}


def a_class_with_methods():
    class Steps:
        @staticmethod
        def cents(data):
            euros = f"{data['total']:.2f}".replace(".", "")
            return {k: v for k, v in data.items() if k != "total"} | {"cents": int(euros)}

        def __call__(self, data):
            name = data["customer"]
            at = name.rfind(" ")
            names = {"first_name": name[: max(at, 0)], "last_name": name[at + 1 :]}
            return dict(data, channel="unknown", **names)

    return {1: Steps.cents, 2: Steps()}


def cut_off():
    return {1: lambda old: {**old, "cents": int(old["total"] * 100)}, 2: _step_2}


def half_a_cent_up():
    return {1: lambda old: {**old, "cents": int(old["total"] * 100 + 0.5)}, 2: _step_2}


def tenths_of_a_cent():
    return {1: lambda old: {**old, "cents": int(old["total"] * 1000) // 10}, 2: _step_2}


def euros_once_more():
    return {1: _step_1, 2: lambda old: {**_step_2(old), "cents": old["cents"] * 100}}


def unit_forgotten():
    return {1: lambda old: {**old, "cents": round(old["total"])}, 2: _step_2}


def no_whole_number():
    return {1: lambda old: {**old, "cents": old["total"] * 100}, 2: _step_2}


def straight_to_3():
    both = {1: lambda old: _step_2({**_step_1(old), "cents": None})}
    return both | {2: lambda old: old}


def names_already_in_step_1():
    def to_3(old):
        new = _step_2(_step_1(old))
        del new["customer"]
        return new

    return {1: to_3, 2: _step_2}


def no_channel():
    def names(old):
        return {k: v for k, v in _step_2(old).items() if k != "channel"}

    return {1: _step_1, 2: names}


def nothing_returned():
    def euros(old):
        _step_1(old)

    return {1: euros, 2: _step_2}


def first_word_first():
    def names(old):
        first, _, last = old["customer"].partition(" ")
        return {**old, "first_name": first, "last_name": last, "channel": "unknown"}

    return {1: _step_1, 2: names}


def split_at_hyphens():
    def names(old):
        *first, last = re.split("[ -]", old["customer"])
        first = " ".join(first)
        return {**old, "first_name": first, "last_name": last, "channel": "unknown"}

    return {1: _step_1, 2: names}


def all_came_from_the_web():
    return {1: _step_1, 2: lambda old: {**_step_2(old), "channel": "web"}}


def an_empty_note():
    return {1: lambda old: {**_step_1(old), "note": old.get("note", "")}, 2: _step_2}


def without_its_note():
    def euros(old):
        new = _step_1(old)
        return {name: new[name] for name in ("order_id", "cents", "customer")}

    return {1: euros, 2: _step_2}


def popped():
    def euros(old):
        old["cents"] = round(old.pop("total") * 100)
        return old

    return {1: euros, 2: _step_2}


def updated():
    def names(old):
        old.update(_step_2(old))
        return old

    return {1: _step_1, 2: names}


def two_words():
    def names(old):
        first, last = old["customer"].split(" ")
        return {**old, "first_name": first, "last_name": last, "channel": "unknown"}

    return {1: _step_1, 2: names}


def a_note_must_be_there():
    def euros(old):
        return {**_step_1(old), "note": old["note"]}

    return {1: euros, 2: _step_2}


def a_list_of_functions():
    return [_step_1, _step_2]


def only_the_first():
    return {1: _step_1}


def called_already():
    return {1: _step_1({"total": 1}), 2: _step_2}


RIGHT_2 = [two_functions, two_lambdas, decimals_and_a_copy, a_class_with_methods]
WRONG_2 = {
    "a wrong amount": [cut_off, tenths_of_a_cent, half_a_cent_up, euros_once_more, unit_forgotten],
    "cannot be read": [
        no_whole_number,
        straight_to_3,
        names_already_in_step_1,
        no_channel,
        nothing_returned,
    ],
    "a wrong name": [first_word_first, split_at_hyphens],
    "invented": [all_came_from_the_web, an_empty_note],
    "lost": [without_its_note],
    "changes its argument": [popped, updated],
    "raises": [two_words, a_note_must_be_there],
    "not as asked for": [a_list_of_functions, only_the_first, called_already],
}

# -- 10.3


def _to_cents(old):
    return {**old, "cents": round(old["total"] * 100)}


class Expanded(Event, name="OrderPlaced", version=2, topic="orders"):
    order_id: str
    total: float
    cents: int


class Contracted(Event, name="OrderPlaced", version=3, topic="orders", upcasts={1: _to_cents}):
    order_id: str
    cents: int


class WithoutUpcaster(Event, name="OrderPlaced", version=3, topic="orders"):
    order_id: str
    cents: int


class WithEither(Event, name="OrderPlaced", version=2, topic="orders"):
    order_id: str
    total: float | None = None
    cents: int | None = None


class WithADefault(Event, name="OrderPlaced", version=3, topic="orders"):
    order_id: str
    cents: int = 0


class CutOff(
    Event,
    name="OrderPlaced",
    version=2,
    topic="orders",
    upcasts={1: lambda old: {**old, "cents": int(old["total"] * 100)}},
):
    order_id: str
    cents: int


def _not_rounded(old):
    return {**old, "cents": old["total"] * 100}


class NotRounded(Event, name="OrderPlaced", version=3, topic="orders", upcasts={1: _not_rounded}):
    order_id: str
    cents: int


class OtherField(
    Event,
    name="OrderPlaced",
    version=3,
    topic="orders",
    upcasts={1: lambda old: {**old, "price": round(old["total"] * 100)}},
):
    order_id: str
    cents: int


class Strict(
    Event,
    name="OrderPlaced",
    version=3,
    topic="orders",
    reads="strict",
    upcasts={1: lambda old: {"order_id": old["order_id"], "cents": round(old["total"] * 100)}},
):
    order_id: str
    cents: int


class ByChannel(Event, name="OrderPlaced", version=2, topic="orders"):
    order_id: str
    total: float
    cents: int
    channel: Literal["web", "phone"]


class NoAmount(Event, name="OrderPlaced", version=3, topic="orders"):
    order_id: str


class Elsewhere(Event, name="OrderPlaced", version=2, topic="sales"):
    order_id: str
    cents: int


class Number1Again(Event, name="OrderPlaced", version=1, topic="orders"):
    order_id: str
    total: float
    cents: int


class OrderPlacedNamedAnew(Event, version=2, topic="orders"):
    order_id: str
    total: float
    cents: int


class Number2Again(Event, name="OrderPlaced", version=2, topic="orders", upcasts={1: _to_cents}):
    order_id: str
    cents: int


def expand_migrate_contract():
    return [
        [("orders", Expanded)],
        [("mail", Contracted), ("billing", Contracted)],
        [("orders", Contracted)],
    ]


def readers_first_with_an_upcaster():
    return [[("billing", Contracted), ("mail", Contracted)], [("orders", Contracted)]]


def readers_that_take_either():
    return ([("mail", WithEither)], [("billing", WithEither)], [("orders", WithoutUpcaster)])


def one_by_one():
    return [
        ("orders", Expanded),
        ("billing", Contracted),
        ("mail", WithEither),
        ("orders", WithoutUpcaster),
    ]


def expanded_beside_the_readers():
    first = [("orders", Expanded), ("billing", Contracted), ("mail", Contracted)]
    return [first, [("orders", Contracted)]]


def back_and_forth():
    again = [("orders", OrderPlacedInEuros)]
    return [[("orders", Expanded)], again, *expand_migrate_contract()]


def writer_first():
    return [[("orders", Contracted)], [("billing", Contracted), ("mail", Contracted)]]


def all_in_one_step():
    return [[(service, Contracted) for service in ("billing", "mail", "orders")]]


def mail_forgotten():
    return [[("orders", Expanded)], [("billing", Contracted)], [("orders", Contracted)]]


def contracted_beside_a_reader():
    return [
        [("orders", Expanded)],
        [("billing", Contracted)],
        [("mail", Contracted), ("orders", Contracted)],
    ]


def contracted_too_early():
    return [[("orders", Expanded)], [("orders", Contracted)], [("billing", Contracted)]]


def readers_first_without_an_upcaster():
    return [[("billing", WithoutUpcaster), ("mail", WithoutUpcaster)], [("orders", Contracted)]]


def nobody_needs_version_1():
    return [
        [("orders", Expanded)],
        [("billing", WithoutUpcaster), ("mail", WithoutUpcaster)],
        [("orders", WithoutUpcaster)],
    ]


def nothing_to_bill():
    return [[("billing", NoAmount), ("mail", NoAmount)], [("orders", NoAmount)]]


def strict_readers():
    return [
        [("orders", Expanded)],
        [("billing", Strict), ("mail", Strict)],
        [("orders", Strict)],
    ]


def nothing_for_old_ones():
    return [
        [("orders", Expanded)],
        [("billing", WithADefault), ("mail", WithADefault)],
        [("orders", WithADefault)],
    ]


def cents_not_rounded():
    return [[("billing", NotRounded), ("mail", NotRounded)], [("orders", NotRounded)]]


def upcast_to_another_field():
    return [[("billing", Contracted), ("mail", OtherField)], [("orders", Contracted)]]


def cents_cut_off():
    return [[("billing", CutOff), ("mail", CutOff)], [("orders", CutOff)]]


def never_contracted():
    return expand_migrate_contract()[:-1]


def nothing_to_do():
    return []


def old_readers_only():
    return [[("orders", Expanded)]]


def contracted_and_taken_back():
    return [*expand_migrate_contract(), [("orders", Expanded)]]


def a_field_from_nowhere():
    return [[("orders", ByChannel)], *expand_migrate_contract()[1:]]


def no_classes():
    return [["orders"], ["billing", "mail"], ["orders"]]


def another_service():
    return [[("shipping", Contracted)]]


def another_topic():
    return [[("orders", Elsewhere)]]


def another_name():
    return [[("orders", OrderPlacedNamedAnew)], *expand_migrate_contract()[1:]]


def version_1_again():
    return [[("orders", Number1Again)], *expand_migrate_contract()[1:]]


def one_number_for_both():
    readers = [("billing", Number2Again), ("mail", Number2Again)]
    return [[("orders", Expanded)], readers, [("orders", Number2Again)]]


def twice_in_a_step():
    return [[("orders", Expanded), ("orders", Contracted)]]


RIGHT_3 = [
    expand_migrate_contract,
    readers_first_with_an_upcaster,
    readers_that_take_either,
    one_by_one,
    expanded_beside_the_readers,
    back_and_forth,
]
WRONG_3 = {
    "a new message is unreadable": [
        writer_first,
        all_in_one_step,
        mail_forgotten,
        contracted_beside_a_reader,
        contracted_too_early,
        nothing_to_bill,
    ],
    "a strict reader refuses a field": [strict_readers],
    "an old message is unreadable": [
        readers_first_without_an_upcaster,
        nobody_needs_version_1,
    ],
    "an upcast message is unreadable": [cents_not_rounded, upcast_to_another_field],
    "a wrong bill": [nothing_for_old_ones, cents_cut_off],
    "the old field is still there": [
        never_contracted,
        nothing_to_do,
        old_readers_only,
        contracted_and_taken_back,
    ],
    "cannot be written": [a_field_from_nowhere],
    "another event": [another_topic, another_name],
    "a version is used twice": [version_1_again, one_number_for_both],
    "not as asked for": [no_classes, another_service, twice_in_a_step],
}

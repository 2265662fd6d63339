"""Answers to the exercises of lesson 06 as learners write them: right ones, and wrong ones by the anomaly they have."""

from edalab.practice import figures

# -- 06.1


def longer_names():
    delay, the_rest = 1.0, 0.1
    return delay + the_rest, "a"


def a_list():
    return [1.1, "a"]


async def asynchronous():
    return 11 / 10, "a"


def the_default():
    return 1.0, "a"


def between_two_steps():
    return 1.15, "a"


def just_after_the_step():
    return 1.03, "a"


def without_a_reason():
    return 1.1


def half_a_second():
    return 0.5, "a"


def two_seconds():
    return 2, "a"


def in_milliseconds():
    return 1100, "a"


def nothing_is_lost():
    return 1.1, "b"


def taken_back():
    return 1.1, "c"


def slower():
    return 1.1, "d"


def in_tenths():
    tenths = int(figures("06.1")["late"] * 10) + 1
    return tenths / 10, "a)"


RIGHT_1 = [longer_names, a_list, asynchronous, in_tenths]
WRONG_1 = {
    "taken for a refusal": [the_default, half_a_second],
    "longer than needed": [two_seconds, in_milliseconds],
    "between two steps": [between_two_steps, just_after_the_step],
    "no value and reason": [without_a_reason],
    "another reason": [nothing_is_lost, taken_back, slower],
}


# -- 06.2

FORWARD = ["ReserveInventory", "ChargePayment", "ShipOrder"]
BACK = {"ReserveInventory": "ReleaseInventory", "ChargePayment": "RefundPayment"}


def by_what_is_done(log):
    done = [step for step, answer in log if answer == "done"]
    if not any(answer == "refused" for _, answer in log):
        return "OrderCompleted" if len(done) == 3 else FORWARD[len(done)]
    for step in reversed(FORWARD[:2]):
        if step in done and BACK[step] not in done:
            return BACK[step]
    return "OrderCancelled"


def as_a_table(log):
    """The lesson's plan: from the last line alone."""
    plan = {
        ("ReserveInventory", "done"): "ChargePayment",
        ("ReserveInventory", "refused"): "OrderCancelled",
        ("ChargePayment", "done"): "ShipOrder",
        ("ChargePayment", "refused"): "ReleaseInventory",
        ("ShipOrder", "done"): "OrderCompleted",
        ("ShipOrder", "refused"): "RefundPayment",
        ("RefundPayment", "done"): "ReleaseInventory",
        ("ReleaseInventory", "done"): "OrderCancelled",
    }
    return plan[log[-1]] if log else "ReserveInventory"


async def with_a_stack(lines):
    """Other names, async, more steps than needed; and it uses up the list that it was given."""
    undo, refused = [], False
    while lines:
        step, answer = lines.pop(0)
        refused = refused or answer == "refused"
        if answer == "done" and step in BACK.values():
            undo.remove(step)
        elif answer == "done":
            undo.append(BACK.get(step))
    if refused:
        return undo.pop() if undo else "OrderCancelled"
    return [*FORWARD, "OrderCompleted"][len(undo)]


def in_a_match(log):
    """Sorted, so that its own answer does not hang on the order of the lines; returns what it has as a message's name."""
    match (
        sorted(step for step, answer in log if answer == "done"),
        any(a == "refused" for _, a in log),
    ):
        case [], False:
            return "ReserveInventory"
        case ["ReserveInventory"], False:
            return "ChargePayment"
        case ["ChargePayment", "ReserveInventory"], False:
            return "ShipOrder"
        case [_, _, "ShipOrder"], False:
            return "OrderCompleted"
        case ["ChargePayment", "ReserveInventory"], True:
            return "RefundPayment"
        case (
            (["ReserveInventory"] | ["ChargePayment", "RefundPayment", "ReserveInventory"]),
            True,
        ):
            return "ReleaseInventory"
    return "OrderCancelled"


def only_forward(log):
    return [*FORWARD, "OrderCompleted"][len(log)]


def asks_again_what_is_refused(log):
    done = [step for step, answer in log if answer == "done"]
    return [*FORWARD, "OrderCompleted"][len(done)]


def cancels_and_leaves_it(log):
    if any(answer == "refused" for _, answer in log):
        return "OrderCancelled"
    return only_forward(log)


def keeps_the_money(log):
    if any(answer == "refused" for _, answer in log):
        done = [step for step, answer in log if answer == "done"]
        return (
            "ReleaseInventory"
            if "ReserveInventory" in done and "ReleaseInventory" not in done
            else "OrderCancelled"
        )
    return only_forward(log)


def keeps_the_tea(log):
    if any(answer == "refused" for _, answer in log):
        done = [step for step, answer in log if answer == "done"]
        return (
            "RefundPayment"
            if "ChargePayment" in done and "RefundPayment" not in done
            else "OrderCancelled"
        )
    return only_forward(log)


def first_things_first(log):
    done = [step for step, answer in log if answer == "done"]
    if not any(answer == "refused" for _, answer in log):
        return only_forward(log)
    return next(
        (BACK[s] for s in FORWARD[:2] if s in done and BACK[s] not in done), "OrderCancelled"
    )


def undoes_everything(log):
    """Also the step that was refused."""
    asked = [step for step, _ in log]
    if not any(answer == "refused" for _, answer in log):
        return only_forward(log)
    return next(
        (BACK[s] for s in reversed(FORWARD[:2]) if s in asked and BACK[s] not in asked),
        "OrderCancelled",
    )


def ships_first(log):
    order = ["ReserveInventory", "ShipOrder", "ChargePayment"]
    done = [step for step, answer in log if answer == "done"]
    if not any(answer == "refused" for _, answer in log):
        return [*order, "OrderCompleted"][len(log)]
    return (
        "ReleaseInventory"
        if "ReserveInventory" in done and "ReleaseInventory" not in done
        else "OrderCancelled"
    )


def always_completed(log):
    return by_what_is_done(log).replace("Cancelled", "Completed")


def never_begins(log):
    return "OrderCancelled"


def stops_before_the_parcel(log):
    return "OrderCompleted" if len(log) == 2 and log[1][1] == "done" else by_what_is_done(log)


def cancels_what_is_shipped(log):
    return by_what_is_done(log).replace("Completed", "Cancelled")


def skips_the_stock(log):
    done = [step for step, answer in log if answer == "done"]
    if not any(answer == "refused" for _, answer in log):
        return ["ChargePayment", "ShipOrder", "OrderCompleted"][len(log)]
    return (
        "RefundPayment"
        if "ChargePayment" in done and "RefundPayment" not in done
        else "OrderCancelled"
    )


def says_nothing(log):
    if len(log) < 3:
        print(FORWARD[len(log)])


def another_word(log):
    return [*FORWARD, "done"][len(log)]


def as_long_as_all_is_done(log):
    """Forward while every answer is done, and otherwise back: right as long as there is always an answer."""
    undo = [BACK[step] for step, answer in log if answer == "done" and step in BACK]
    if all(answer == "done" for _, answer in log):
        return [*FORWARD, "OrderCompleted"][len(log)]
    return next((step for step in reversed(undo) if (step, "done") not in log), "OrderCancelled")


def charges_first(log):
    """… and undoes that exactly in reverse."""
    way = ["ChargePayment", "ReserveInventory", "ShipOrder", "OrderCompleted"]
    done = [step for step, answer in log if answer == "done"]
    if all(answer == "done" for _, answer in log):
        return way[len(log)]
    undo = [BACK[step] for step in reversed(done) if step in BACK]
    return next((step for step in undo if step not in done), "OrderCancelled")


def completes_without_a_parcel(log):
    return ["ReserveInventory", "ChargePayment", "OrderCompleted"][len(log)]


def completes_after_any_answer(log):
    shipped = any(step == "ShipOrder" for step, _ in log)
    return "OrderCompleted" if shipped else by_what_is_done(log)


def with_none_for_the_end(log):
    answered = by_what_is_done(log)
    return None if answered.startswith("Order") else answered


def the_rest_of_the_way(log):
    return [*FORWARD, "OrderCompleted"][len(log) :]


def refunds_in_any_case(log):
    if all(answer == "done" for _, answer in log):
        return only_forward(log)
    return next((u for u in reversed(BACK.values()) if (u, "done") not in log), "OrderCancelled")


def undoes_it_for_ever(log):
    """Does not see that the undo is in the log as well."""
    done = {step for step, answer in log if answer == "done"}
    if all(answer == "done" for _, answer in log):
        return only_forward(log)
    return next((BACK[s] for s in reversed(BACK) if s in done), "OrderCancelled")


def after_the_last_line(log):
    return [*FORWARD, "OrderCompleted"][FORWARD.index(log[-1][0]) + 1]


def uses_up_the_log(log):
    """… and takes it for granted that its next call sees what is left of it."""
    if all(answer == "done" for _, answer in log):
        return only_forward(log)
    while log and log[-1][1] == "refused":
        log.pop()
    return BACK.get(log.pop()[0], "OrderCancelled") if log else "OrderCancelled"


def with_a_stack_of_undos(log, undo=[]):  # noqa: B006
    """Kept between the calls, and emptied for each order."""
    if not log:
        undo.clear()
    elif log[-1][1] == "done" and log[-1][0] in BACK:
        undo.append(BACK[log[-1][0]])
    if all(answer == "done" for _, answer in log):
        return only_forward(log)
    return undo.pop() if undo else "OrderCancelled"


def lists_its_undos_once(log, undo=[]):  # noqa: B006
    """Takes one from the list in each call, also in one that comes again after a crash."""
    for step, left in (("ShipOrder", ["ReleaseInventory", "RefundPayment"]), *_ONE):
        if log[-1:] == [(step, "refused")]:
            undo[:] = left
    if all(answer == "done" for _, answer in log):
        return only_forward(log)
    return undo.pop() if undo else "OrderCancelled"


def looks_at_the_last_answer(log):
    """After a refund, the last answer is "done", and it asks for the refused parcel once more."""
    done = [step for step, answer in log if answer == "done"]
    if log and log[-1][1] == "refused":
        undo = [BACK[step] for step in reversed(FORWARD[:2]) if step in done]
        return next((step for step in undo if step not in done), "OrderCancelled")
    return next(step for step in [*FORWARD, "OrderCompleted"] if step not in done)


_ONE = (("ChargePayment", ["ReleaseInventory"]), ("ReserveInventory", []))
RIGHT_2 = [as_long_as_all_is_done, by_what_is_done, as_a_table, with_a_stack, in_a_match]
WRONG_2 = {
    "never ends": [asks_again_what_is_refused, undoes_it_for_ever],
    "shipped unpaid": [only_forward, ships_first],
    "never refunded": [keeps_the_money],
    "never released": [cancels_and_leaves_it, keeps_the_tea, uses_up_the_log],
    "in another order": [first_things_first, charges_first],
    "undone, and never done": [undoes_everything, refunds_in_any_case],
    "another end is announced": [
        always_completed,
        cancels_what_is_shipped,
        stops_before_the_parcel,
        completes_without_a_parcel,
        completes_after_any_answer,
    ],
    "cancelled, and nobody refused": [never_begins],
    "shipped, and still in stock": [skips_the_stock],
    "forward again": [looks_at_the_last_answer],
    "misuse": [says_nothing, another_word, with_none_for_the_end, the_rest_of_the_way],
    "raises": [after_the_last_line],
    "changes what is outside": [with_a_stack_of_undos, lists_its_undos_once],
}


# -- 06.3


def asks_again(log):
    if log and log[-1][1] == "no answer":
        return log[-1][0]
    return by_what_is_done([line for line in log if line[1] != "no answer"])


def the_table_goes_on(log):
    if not log:
        return "ReserveInventory"
    step, answer = log[-1]
    return step if answer == "no answer" else as_a_table(log)


async def gives_up_before_the_parcel(log):
    """Three questions without an answer, and it goes back, also what is in doubt; of a parcel it asks until it knows."""
    known = {}
    for step, answer in log:
        known.setdefault(step, []).append(answer)
    if known.get("ShipOrder", ["?"])[-1] == "done":
        return "OrderCompleted"
    back = any(answers[-1] == "refused" for answers in known.values())
    back = back or any(known.get(step, [])[-3:] == ["no answer"] * 3 for step in BACK)
    back = back or any(step in known for step in BACK.values())
    if not back:
        return next(step for step in FORWARD if known.get(step, ["?"])[-1] != "done")
    for step, undo in reversed(list(BACK.items())):
        if known.get(step, ["refused"])[-1] != "refused" and known.get(undo, ["?"])[-1] != "done":
            return undo
    return "OrderCancelled"


def until_it_is_known(log):
    """The last answer that there is to each step counts."""
    answers = dict(log)
    if "refused" not in answers.values():
        way = [*FORWARD, "OrderCompleted"]
    else:
        way = [
            BACK[step]
            for step in ("ChargePayment", "ReserveInventory")
            if answers.get(step) == "done"
        ]
        way.append("OrderCancelled")
    return next(step for step in way if answers.get(step) != "done")


def no_answer_is_no(log):
    return by_what_is_done(
        [(step, "done" if answer == "done" else "refused") for step, answer in log]
    )


def no_answer_is_yes(log):
    done = list(dict.fromkeys(step for step, answer in log if answer != "refused"))
    return by_what_is_done(
        [(step, "done") for step in done] + [line for line in log if line[1] == "refused"]
    )


def undoes_what_is_in_doubt(log):
    """… also when a parcel may be out."""
    if not any(answer != "done" for _, answer in log):
        return only_forward(log)
    answers = dict(log)
    for step in ("ChargePayment", "ReserveInventory"):
        if answers.get(step, "refused") != "refused" and answers.get(BACK[step]) != "done":
            return BACK[step]
    return "OrderCancelled"


def asks_again_once(log):
    if len(log) > 1 and log[-1][1] == log[-2][1] == "no answer":
        return undoes_what_is_in_doubt(log)
    return asks_again(log)


def lets_the_refund_go(log):
    """A refund that is not answered is taken for one."""
    return asks_again(
        [
            ("RefundPayment", "done") if line == ("RefundPayment", "no answer") else line
            for line in log
        ]
    )


def starts_again(log):
    return "ReserveInventory" if log and log[-1][1] == "no answer" else asks_again(log)


def waits_for_ever(log):
    """Counts a step that was not answered and then done as two."""
    if log and log[-1][1] == "no answer":
        return log[-1][0]
    return (
        [*FORWARD, "OrderCompleted"][min(len(log), 3)]
        if not any(a == "refused" for _, a in log)
        else by_what_is_done(log)
    )


def gives_up_and_leaves_it(log):
    if log and log[-1][1] == "no answer":
        return "OrderCancelled"
    return by_what_is_done(log)


def counts_what_is_in_doubt(log):
    done = [step for step, answer in log if answer == "done"]
    refused = [step for step, answer in log if answer == "refused"]
    in_doubt = [step for step, answer in log if answer == "no answer"]
    if refused or in_doubt.count("ReserveInventory") > 2 or in_doubt.count("ChargePayment") > 2:
        for step in ("ChargePayment", "ReserveInventory"):
            may_be = step in done or (step in in_doubt and step not in refused)
            if may_be and BACK[step] not in done:
                return BACK[step]
        return "OrderCancelled"
    return [*FORWARD, "OrderCompleted"][len(done)]


def from_state_to_state(log):
    """The lesson's plan, and a number of missing answers for the state that it is in."""
    plan = {
        "reserving": ("ReserveInventory", "charging", "cancelled"),
        "charging": ("ChargePayment", "shipping", "releasing"),
        "shipping": ("ShipOrder", "shipped", "refunding"),
        "refunding": ("RefundPayment", "releasing", "releasing"),
        "releasing": ("ReleaseInventory", "cancelled", "cancelled"),
    }
    after_silence = {"reserving": "releasing", "charging": "refunding"}
    state, missing = "reserving", 0
    for _, answer in log:
        missing = missing + 1 if answer == "no answer" else 0
        if answer != "no answer":
            state = plan[state][1 if answer == "done" else 2]
        elif missing == 3 and state in after_silence:
            state, missing = after_silence[state], 0
    ends = {"shipped": "OrderCompleted", "cancelled": "OrderCancelled"}
    return ends.get(state) or plan[state][0]


def _patient(log, counted=tuple(BACK), most=3, undone=lambda answer: answer != "refused"):
    """A right answer, and with other values than these, wrong ones."""
    last = dict(log)
    way = [*FORWARD, "OrderCompleted"]
    if "refused" in last.values() or any(log.count((s, "no answer")) >= most for s in counted):
        asked = [step for step in reversed(BACK) if step in last]
        way = [BACK[step] for step in asked if undone(last[step])] + ["OrderCancelled"]
    return next(step for step in way if last.get(step) != "done")


def as_it_is_asked(log):
    return _patient(log)


def gives_up_early(log):
    return _patient(log, most=2)


def gives_up_late(log):
    return _patient(log, most=4)


def gives_the_parcel_up(log):
    return _patient(log, counted=FORWARD)


def leaves_what_is_in_doubt(log):
    return _patient(log, undone=lambda answer: answer == "done")


def undoes_what_was_refused(log):
    return _patient(log, undone=lambda answer: True)


def counts_all_together(log):
    missing = [answer for _, answer in log].count("no answer")
    return _patient(log, most=0 if missing >= 3 else 99)


def looks_at_the_last_three(log):
    """After the first undo, the last three lines are others, and it goes forward again."""
    return _patient(log) if log[-3:] == log[-1:] * 3 else until_it_is_known(log)


def gives_the_refund_up(log):
    step = _patient(log)
    undo = step in BACK.values() and log.count((step, "no answer")) >= 3
    return _patient([*log, (step, "done")]) if undo else step


def leaves_the_tea_that_may_be_reserved(log):
    silent = log.count(("ReserveInventory", "no answer")) >= 3
    return "OrderCancelled" if silent else _patient(log)


def gives_the_release_up(log):
    silent = log.count(("ReleaseInventory", "no answer")) >= 3
    return "OrderCancelled" if silent else _patient(log)


def gives_the_parcel_up_later(log):
    """… and refunds what is on its way, or only asks for that for ever."""
    return "RefundPayment" if log.count(("ShipOrder", "no answer")) >= 5 else _patient(log)


def _gives_an_undo_up(log, most):
    step = _patient(log)
    undo = step in BACK.values() and log.count((step, "no answer")) >= most
    return _patient([*log, (step, "done")]) if undo else step


def gives_an_undo_up_after_five(log):
    return _gives_an_undo_up(log, 5)


def gives_an_undo_up_after_twenty(log):
    return _gives_an_undo_up(log, 20)


def turns_back_after_twelve_parcels(log):
    silent = log.count(("ShipOrder", "no answer")) >= 12
    return _patient(log, most=0 if silent else 3)


def completes_what_may_be_shipped(log):
    silent = log.count(("ShipOrder", "no answer")) >= 3
    return "OrderCompleted" if silent else _patient(log)


def undoes_the_last_one_asked(log):
    """Counts the missing answers to all steps before the parcel together."""
    before = [step for step, answer in log if answer == "no answer" and step in BACK]
    return _patient(log, most=0 if len(before) >= 3 else 99)


def gives_only_the_tea_up(log):
    return _patient(log, counted=["ReserveInventory"])


def gives_only_the_refund_up(log):
    silent = log.count(("RefundPayment", "no answer")) >= 3
    return _patient([*log, ("RefundPayment", "done")] if silent else log)


def refunds_what_was_never_asked(log):
    step = _patient(log)
    never = step == "ReleaseInventory" and "ChargePayment" not in dict(log)
    return "RefundPayment" if never and ("RefundPayment", "done") not in log else step


def counts_the_answered_line_too(log):
    asked = [step for step, _ in log]
    return _patient(log, most=0 if max(map(asked.count, BACK)) >= 3 else 99)


def undoes_what_was_refused_in_the_end(log):
    """Forgets that an answer settles the doubt."""
    unsure = [step for step, answer in log if answer == "no answer" and step in BACK]
    return _patient([*log, *[(step, "no answer") for step in unsure]] if _back(log) else log)


def releases_what_was_refused_in_the_end(log):
    tea = ("ReserveInventory", "no answer") in log and ("ReleaseInventory", "done") not in log
    step = _patient(log)
    return "ReleaseInventory" if step == "OrderCancelled" and tea else step


def _back(log):
    return _patient(log) in (*BACK.values(), "OrderCancelled")


def _counting(log, missing):
    """Right as long as `missing`, kept between the calls and emptied for each order, is not lost."""
    if not log:
        missing.clear()
    elif log[-1][1] == "no answer":
        missing[log[-1][0]] = missing.get(log[-1][0], 0) + 1
    known = [line for line in log if line[1] != "no answer"]
    return _patient(known + [(s, "no answer") for s in missing for _ in range(missing[s])] + known)


def counts_in_a_default(log, missing={}):  # noqa: B006
    return _counting(log, missing)


MISSING = {}


def counts_in_a_dict(log):
    return _counting(log, MISSING)


def counts_on_itself(log):
    return _counting(log, counts_on_itself.missing)


counts_on_itself.missing = {}


def _with_a_closure():
    missing = {}

    def counts_in_a_closure(log):
        return _counting(log, missing)

    return counts_in_a_closure


counts_in_a_closure = _with_a_closure()
unanswered = 0


def counts_in_a_global(log):
    global unanswered
    silent = bool(log) and log[-1][0] in BACK and log[-1][1] == "no answer"
    unanswered = unanswered + 1 if silent else unanswered if _turned(log) else 0
    return _patient(log, most=0 if unanswered >= 3 else 99)


def _turned(log):
    return any(step in BACK.values() for step, _ in log)


def counts_until_the_end(log, missing={}):  # noqa: B006
    """Emptied with the last answer for an order."""
    step = _counting(log or [("", "")], missing)
    if step.startswith("Order"):
        missing.clear()
    return step


def forgets_a_refusal(log):
    """Looks at the last answer only, and counts what was silent in the whole log."""
    last, way = dict(log), [*FORWARD, "OrderCompleted"]
    silent = any(log.count((step, "no answer")) >= 3 for step in BACK)
    if silent or (log and log[-1][1] == "refused"):
        asked = [step for step in reversed(BACK) if last.get(step, "refused") != "refused"]
        way = [*map(BACK.get, asked), "OrderCancelled"]
    return next(step for step in way if last.get(step) != "done")


RIGHT_3 = [
    gives_up_before_the_parcel,
    counts_what_is_in_doubt,
    from_state_to_state,
    as_it_is_asked,
]
WRONG_3 = {
    "never ends": [gives_the_parcel_up_later],
    "raises": [as_a_table],
    "asked too often": [
        by_what_is_done,
        asks_again,
        the_table_goes_on,
        until_it_is_known,
        lets_the_refund_go,
        starts_again,
        asks_again_what_is_refused,
        gives_up_late,
        gives_only_the_tea_up,
        looks_at_the_last_three,
    ],
    "cancelled, and nobody refused": [
        gives_up_early,
        undoes_what_is_in_doubt,
        undoes_the_last_one_asked,
        counts_all_together,
        counts_the_answered_line_too,
    ],
    "never refunded": [
        as_long_as_all_is_done,
        no_answer_is_no,
        gives_up_and_leaves_it,
        leaves_what_is_in_doubt,
        gives_the_refund_up,
        gives_only_the_refund_up,
        gives_an_undo_up_after_five,
        gives_an_undo_up_after_twenty,
    ],
    "another end is announced": [completes_what_may_be_shipped, waits_for_ever],
    "never released": [leaves_the_tea_that_may_be_reserved, gives_the_release_up],
    "shipped unpaid": [
        asks_again_once,
        no_answer_is_yes,
        gives_the_parcel_up,
        turns_back_after_twelve_parcels,
    ],
    "undone, and never done": [
        undoes_what_was_refused,
        refunds_what_was_never_asked,
        undoes_what_was_refused_in_the_end,
        releases_what_was_refused_in_the_end,
    ],
    "forward again": [forgets_a_refusal],
    "changes what is outside": [
        counts_in_a_default,
        counts_in_a_dict,
        counts_on_itself,
        counts_in_a_closure,
        counts_in_a_global,
        counts_until_the_end,
    ],
}

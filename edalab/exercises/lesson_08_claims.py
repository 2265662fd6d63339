"""Mistakes of a provider and of billing, found from their charges, answers and events."""

from collections import Counter
from itertools import chain

from ..claims.claim import Claim
from ..sim.run import Run
from ..sim.steps import TOO_LATE
from .general import Mistakes, dead_letters, in_memory, steps
from .lesson_08_system import Charge, OrderPlaced, PaymentCharged


def charged(run: Run) -> Counter:
    """How often each order was charged with each amount."""
    return Counter(run.rows("provider", "select order_id, amount from charges"))


def was(done: str, times: int) -> str:
    """How often something was done, in words."""
    often = ("", " once", " twice")[times] if times < 3 else f" {times} times"
    return f"was {done}{often}" if times else f"was never {done}"


# -- 08.2


def answers(run: Run) -> dict[tuple[str, int], list[str]]:
    """The answers that the client received, by key and amount."""
    told: dict[tuple[str, int], list[str]] = {}
    for step in steps(run, "ask", Charge, service="client"):
        told.setdefault((step.envelope.data.key, step.envelope.data.amount), [])
    for step in steps(run, "answer", Charge, service="client"):
        if step.detail != TOO_LATE:
            answer = "refused" if step.detail.startswith("refused") else step.detail.strip('"')
            told[step.envelope.data.key, step.envelope.data.amount].append(answer)
    return told


@Claim("each key is charged once and gets one answer", about=Charge)
def one_answer(run: Run) -> Mistakes:
    for name, evidence in wrong_charges(run):
        yield name, evidence + in_memory(run, "provider")


def wrong_charges(run: Run) -> Mistakes:
    """The mistakes in what the provider did and answered."""
    told, rows = answers(run), charged(run)
    amounts: dict[str, list[tuple[int, list[str]]]] = {}
    for (key, amount), said in told.items():
        amounts.setdefault(key, []).append((amount, said))
    for key, asked in amounts.items():
        order_id = key.partition("/")[0]
        times = [rows[order_id, amount] for amount, _ in asked]
        said = [sorted({*each}) for _, each in asked]
        each_amount = (", ".join(answer or "''" for answer in each) for each in said)
        told_in_words = f"{key} was answered {' and '.join(each_amount)}"
        first, kept = asked[0][0], [each for each in said if each != ["refused"]]
        many = "three" if order_id.startswith("o2") else "two" if first == 151 else ""
        at_once = f", in {many} requests at once" if many else ""
        if max(times) > 1:
            yield "charged twice", f"{order_id} {was('charged', max(times))}"
        elif [] in said:
            yield "no answer", f"{key} was asked for again and again, without an answer"
        elif {*chain(*said)} - {"charged", "declined", "refused"} or (first == 150 and not kept):
            yield "an unknown answer", told_in_words
        elif sum(map(bool, times)) > 1 or len(kept) > 1:
            asked_for = f"{key} was used for two amounts{at_once}"
            yield "another amount", f"{asked_for}; {told_in_words}"
        elif max(map(len, said)) > 1:
            yield "another answer", f"{told_in_words}{at_once}"
        elif any(times) and (first == 150 or kept == [["declined"]]):
            yield "declined and charged", f"{told_in_words}, and {order_id} charged"
        elif (kept == [["charged"]]) != any(times) or (first < 150 and not any(times)):
            either = " or ".join(str(amount) for amount, _ in asked)
            charges = f"{order_id} {was('charged', sum(times))} with {either}"
            yield "never charged", f"{charges}, {told_in_words}"


# -- 08.3


@Claim("the topic has one event for each charge", about=OrderPlaced)
def one_event(run: Run) -> Mistakes:
    yield from dead_letters(run)
    for name, evidence in wrong_events(run):
        yield name, evidence + in_memory(run, "billing")


def wrong_events(run: Run) -> Mistakes:
    """The differences between charges and stored events."""
    placed = {
        (step.envelope.data.order_id, step.envelope.data.amount)
        for step in steps(run, "publish", OrderPlaced, service="client")
    }
    stored = {
        step.offset: (step.envelope.data.order_id, step.envelope.data.amount)
        for step in steps(run, "deliver", PaymentCharged, service="mail")
    }
    rows, events = charged(run), Counter(stored.values())
    for order in sorted(placed | {*events}):
        order_id, amount = order
        times = f"{order_id} {was('charged', rows[order])} with {amount}"
        if rows[order] > 1:
            yield "charged twice", times
        elif rows[order] < (order in placed and amount <= 100):
            yield "never charged", times
        elif events[order] > 1:
            yield "published twice", f"{times}; its event {was('stored', events[order])}"
        elif events[order] > rows[order]:
            yield "published without a charge", f"{times}, and its event is stored"
        elif events[order] < rows[order]:
            yield "never published", f"{times}, and no event of it is stored"

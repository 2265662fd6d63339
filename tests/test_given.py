"""What is given the wrong kind of thing says so in a sentence, whatever it is: pictures, panels, and all that lessons call."""

import pytest
from weddings import choreographed, one_announced

from edalab import Claim, Event, EventStore, Misuse, System, claims, cut, explore, pause, simulate
from edalab.panels import Laboratory, TimeTravel
from edalab.practice import check, predict
from edalab.view import as_of, flow, lag, matrix, saga_map, timeline

RUN = simulate(choreographed(2), one_announced)
SYSTEM = RUN.system


class Counted(Event):
    n: int


def fold(state, fact):
    return (state or 0) + fact.event.n


@Claim("there are steps")
def steps(run):
    return [] if run.journal else ["none"]


STORE = EventStore(":memory:")
STORE.append("a", [Counted(n=1)], recorded="2026-01-02")
RESULT = explore(SYSTEM, one_announced, [steps], budget=1)


@pytest.mark.parametrize("picture", [timeline, saga_map, flow])
def test_the_world_at_a_moment_is_no_run(picture):
    instead = f"pass the run, and {'at' if picture is flow else 'cursor'}=0.1"
    said = f"^{picture.__name__} takes a run, but this is the world as it was at 0.1 s: {instead}$"
    with pytest.raises(Misuse, match=said):
        picture(RUN.at(0.1))


def lag_(run):
    return lag(run, "halls")


lag_.__name__ = "lag"
WRONG = {
    "None": None, "a text": "abc", "a number": -3.5, "a list": [1], "an object": object(), "a class": Counted,
    "a function": fold, "an event": Counted(n=1), "a moment": RUN.at(0),
}  # fmt: skip
TAKERS = {
    "simulate": lambda x: simulate(x, one_announced),
    "simulate, a workload": lambda x: simulate(SYSTEM, x),
    "explore": lambda x: explore(x, one_announced, [steps]),
    "explore, a workload": lambda x: explore(SYSTEM, x, [steps]),
    "explore, claims": lambda x: explore(SYSTEM, one_announced, x),
    "explore, seeds": lambda x: explore(SYSTEM, one_announced, [steps], seeds=x),
    "explore, faults": lambda x: explore(SYSTEM, one_announced, [steps], faults=x),
    "an exploration, a claim": RESULT.smallest,
    "an exploration, a schedule": RESULT.run,
    "timeline": timeline,
    "timeline, a width": lambda x: timeline(RUN, width=x),
    "flow": flow,
    "saga_map": saga_map,
    "lag": lag_,
    "lag, a service": lambda x: lag(RUN, x),
    "matrix": matrix,
    "as_of": lambda x: as_of(x, "a", fold),
    "Laboratory": lambda x: Laboratory(x, one_announced),
    "Laboratory, a workload": lambda x: Laboratory(SYSTEM, x),
    "Laboratory, claims": lambda x: Laboratory(SYSTEM, one_announced, x),
    "TimeTravel": lambda x: TimeTravel(x, "a", fold),
    "predict": lambda x: predict(x, ["yes", "no"], "no"),
    "predict, choices": lambda x: predict("Is it so?", x, "no"),
    "check, an exercise": lambda x: check(fold, x),
    "run.check": RUN.check,
    "run.at": lambda x: RUN.at("now" if x == -3.5 else x),
    "run.rows": lambda x: RUN.rows(x, "select 1"),
    "run.rows, a select": lambda x: RUN.rows("halls", x),
    "run.database": RUN.database,
    "a claim": steps.check,
    "Claim": Claim,
    "claims.handled_once": claims.handled_once,
    "claims.no_event_lost": claims.no_event_lost,
    "claims.in_order_per_key": claims.in_order_per_key,
    "claims.published_in_order": claims.published_in_order,
    "claims.no_stale_read": claims.no_stale_read,
    "claims.no_poison_loop": claims.no_poison_loop,
    "claims.ledger_balanced": claims.ledger_balanced,
    "System": System,
    "EventStore": lambda x: EventStore(1 if isinstance(x, str) else x),
    "cut": lambda x: cut(x, 1, 2),
    "pause, a time": lambda x: pause("halls", x, 2),
}
FITS = {  # what is no mistake, or found later
    ("predict", "a text"), ("Claim", "a text"), ("System", "a text"), ("cut", "a text"),
    ("run.rows, a select", "a text"), ("explore, seeds", "a list"), ("Laboratory", "a function"), ("Laboratory", "a class"),
    ("Laboratory, a workload", "a function"), ("Laboratory, a workload", "a class"),
    ("explore, claims", "an event"), ("explore, faults", "None"), ("claims.ledger_balanced", "a function"),
    ("claims.ledger_balanced", "a class"), ("claims.handled_once", "a class"),
    ("claims.no_event_lost", "a class"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("taker", "thing"),
    [(taker, thing) for taker in TAKERS for thing in WRONG if (taker, thing) not in FITS],
)
def test_the_wrong_kind_of_thing_is_refused_in_a_sentence(taker, thing):
    with pytest.raises(Misuse) as caught:
        TAKERS[taker](WRONG[thing])
    said = str(caught.value)
    assert "\n" not in said and " at 0x" not in said and len(said) < 500


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: matrix(RUN),
            "matrix takes what explore found, such as explore(system, workload, claims), not <Run ",
        ),
        (
            lambda: as_of(RUN, "a", fold),
            'as_of takes an event store, such as EventStore("shop.db"), not',
        ),
        (lambda: TimeTravel(EventStore, "a", fold), 'EventStore("shop.db"), not EventStore'),
        (lambda: RUN.check(RUN), "run.check takes a claim, not <Run "),
        (
            lambda: RUN.check(fold),
            'fold); write @Claim("what should be true") above its function',
        ),
        (lambda: RUN.rows("halls", 3), "rows takes a select as a text, not 3"),
        (lambda: Laboratory(SYSTEM, one_announced, knobs=[1]), "knobs= takes a dict such as"),
        (lambda: as_of(STORE, "a", fold, value=3), "value= takes a function of the state, not 3"),
        (lambda: timeline(RUN, width=0), "width= takes pixels, a whole number from 1, not 0"),
    ],
)
def test_the_sentence_says_what_is_taken(call, sentence):
    with pytest.raises(Misuse) as caught:
        call()
    assert sentence in str(caught.value)


@pytest.mark.parametrize("picture", [timeline, saga_map, flow, lag_])
@pytest.mark.parametrize("thing", [None, "run", RUN.system, simulate])
def test_anything_else_is_no_run_either(picture, thing):
    with pytest.raises(
        Misuse,
        match=rf"^{picture.__name__} takes a run, such as simulate\(system, workload\), not ",
    ):
        picture(thing)


@pytest.mark.parametrize("seconds", ["10", True, float("nan"), float("inf"), [1]])
def test_a_moment_is_a_number_of_seconds(seconds):
    for name, picture in [
        ("cursor", saga_map),
        ("cursor", timeline),
        ("start", timeline),
        ("end", timeline),
    ]:
        with pytest.raises(Misuse, match=f"^{name}= takes seconds, a number, not "):
            picture(RUN, **{name: seconds})
    assert saga_map(RUN, cursor=0.1).scene.cursor and saga_map(RUN, cursor=None)

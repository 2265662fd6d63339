"""Right sagas hold every claim, whatever goes wrong; each wrong one is named by the right claim, in its smallest run."""

import pytest
import right_sagas
from scenes import flaws
from wrong_sagas import CLAIMS, CREATED, ORDERS, WRONG, PlaceOrder, choreographed, orchestrated

from edalab import claims, cut, explore, pause, simulate
from edalab.claims.saga_outcome import outcome
from edalab.trace.saga_story import stories
from edalab.view import saga_map

RIGHT = right_sagas.RIGHT  # through the module, so that its messages are the ones meant here
BOTH = {"choreographed": (choreographed, CREATED), "orchestrated": (orchestrated, ORDERS)}
OF_SAGAS = [  # made here, when the messages of all right sagas have been declared
    claims.saga_settled(), claims.saga_settled(PlaceOrder), claims.compensated_once(), claims.compensated_in_reverse(),
    claims.no_needless_compensation(), claims.nothing_left_behind(),
]  # fmt: skip
WELL = {"done", "compensated", "refused"}


def drawn(run) -> set[str]:
    """What became of the sagas of a run, as their pictures have it."""
    return {outcome(story).word for story in stories(run)}


@pytest.mark.parametrize("style", BOTH)
def test_a_right_saga_holds_every_claim_under_all_single_faults_and_all_pairs_of_two_orders(style):
    build, workload = BOTH[style]
    result = explore(build(), workload, CLAIMS, faults=2)
    assert [result.outcome(claim) for claim in CLAIMS] == ["holds"] * len(CLAIMS), result
    assert "every single fault; every pair" in result.coverage and not result.endless


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_saga_of_another_kind_is_not_accused_under_any_single_fault(name):
    build, workload = RIGHT[name]
    result = explore(build(), workload, OF_SAGAS, seeds=(1,))  # races show
    assert not any(result.broken(claim) for claim in OF_SAGAS) and not result.endless, result
    assert {word for schedule in result.schedules for word in drawn(result.run(schedule))} <= WELL
    calm = simulate(build(), workload)
    assert [flaws(saga_map(calm, story.correlation).scene) for story in stories(calm)] == [
        [] for _ in stories(calm)
    ]
    assert (
        result.outcome(claims.saga_settled())
        == result.outcome(claims.nothing_left_behind())
        == "holds"
    )


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_saga_of_another_kind_is_not_accused_where_services_are_cut_off_or_stand_still(
    name,
):
    build, workload = RIGHT[name]
    for window in (cut, pause):
        for service in build().services:
            for start, end in ((0.03, 1.5), (0.08, 3), (0.2, 0.9)):
                run = simulate(build(), workload, faults=[window(service, start, end)])
                assert not [
                    verdict for verdict in map(run.check, OF_SAGAS) if verdict.outcome == "broken"
                ], run


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_saga_is_named_by_the_right_claim_in_its_smallest_run(name):
    claim, faults, workload, also, build = WRONG[name]
    asked = list(dict.fromkeys([claim, *CLAIMS]))
    result = explore(build(), workload, asked)
    smallest = result.smallest(claim)
    assert smallest is not None and len(smallest.faults) == faults, result
    assert smallest.check(claim).outcome == "broken"
    assert {other for other in asked if result.broken(other)} == {claim, *also}, result
    struck = [schedule for other in asked if other in OF_SAGAS for schedule in result.broken(other)]
    assert not [schedule.faults for schedule in struck if drawn(result.run(schedule)) <= WELL]

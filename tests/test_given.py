"""What is no run, and no moment, is said so by every picture."""

import pytest
from weddings import choreographed, one_announced

from edalab import Misuse, simulate
from edalab.view import flow, saga_map, timeline

RUN = simulate(choreographed(2), one_announced)


@pytest.mark.parametrize("picture", [timeline, saga_map, flow])
def test_the_world_at_a_moment_is_no_run(picture):
    instead = "pass the run" + ", and cursor=0.1" * (picture is not flow)
    said = f"^{picture.__name__} takes a run, and this is the world as it was at 0.1 s: {instead}$"
    with pytest.raises(Misuse, match=said):
        picture(RUN.at(0.1))


@pytest.mark.parametrize("picture", [timeline, saga_map, flow])
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

"""▶ moves the cursor as time passes. Here the tests tell the time; in the browser it does."""

import pytest
from test_laboratory import charged_once, shop, three_orders, visible

from edalab.panels import Laboratory
from edalab.panels.player import SPEEDS, STEP


@pytest.fixture
def lab():
    lab = Laboratory(shop, three_orders, claims=[charged_once])
    lab.tabs.selected_index = 1
    return lab


def watch(lab, seconds=0.04, most=10_000):
    """The times that are shown while it plays."""
    seen = []
    while lab.play.playing and len(seen) < most:
        lab.play.advance(seconds)
        seen.append(lab.play.seconds)
    return seen


def test_it_plays_from_the_beginning_to_the_end_and_stops_there(lab):
    assert lab.cursor.value == lab.run.end / 1000
    lab.play.playing = True
    assert lab.cursor.value == 0.0 == lab.play.seconds
    seen = watch(lab)
    assert seen == sorted(seen) and seen[-1] == lab.run.end / 1000 == lab.cursor.value
    assert not lab.play.playing
    assert 3 < len(seen) * 0.04 < 60


def test_every_message_is_seen_at_several_places_on_its_way(lab):
    lab.play.playing, frames = True, {}
    while lab.play.playing:
        lab.play.advance(0.04)
        for mark in lab._tabs._flow.at(lab.play.seconds * 1000).scene.marks:
            frames.setdefault(mark.tip, set()).add((mark.x, mark.y))
    assert any("OrderTaken client-1 (o1) on its way from client" in tip for tip in frames)
    assert all(len(places) >= 3 for places in frames.values())


def test_between_two_moments_the_flow_and_the_timeline_move_and_no_table_is_drawn_again(lab):
    for tab, moves in enumerate([True, True, False, False]):
        lab.tabs.selected_index = tab
        lab.cursor.value, lab.play.playing = 0.03, True
        before = visible(lab)
        lab.play.advance(0.05)
        assert lab.cursor.value == 0.03 < lab.play.seconds
        assert (visible(lab) != before) == moves


def test_the_read_out_says_the_time_that_the_picture_shows(lab):
    lab.cursor.value, lab.play.playing = 0.03, True
    for tab, seconds in enumerate([0.05, 0.05, 0]):
        lab.tabs.selected_index = tab
        lab.play.advance(seconds)
        assert lab.cursor.value == 0.03
        shown = lab.cursor.value if tab == 2 else round(lab.play.seconds, 3)
        assert lab.cursor.time.value == f"{shown:g} s"
        assert tab == 2 or f"{shown:g} s" in visible(lab)


def test_between_two_attempts_the_flow_says_when_the_service_tries_again(lab):
    lab.plan.value = "fail inventory.handle.OrderTaken"
    failed = next(step.time for step in lab.run.journal if step.step == "retry") / 1000
    again = next(step.time for step in lab.run.journal if step.attempt == 2) / 1000
    lab.cursor.value, lab.play.playing = failed, True
    while lab.play.seconds < failed + 0.05:
        lab.play.advance(0.01)
    lab.play.playing = False
    assert failed < lab.play.seconds < again
    assert f"inventory tries again at {again:g} s" in visible(lab)


def test_the_picture_keeps_its_size(lab):
    lab.play.playing = True
    sizes = set()
    while lab.play.playing:
        lab.play.advance(0.2)
        sizes.add(visible(lab)[: visible(lab).index("style=")])
    assert len(sizes) == 1


def test_twice_the_speed_takes_half_the_time(lab):
    lengths = {}
    for speed in SPEEDS:
        lab.play.speed, lab.play.playing = speed, True
        lengths[speed] = len(watch(lab)) * speed
    assert max(lengths.values()) - min(lengths.values()) < 5


def test_in_a_loop_it_begins_again(lab):
    lab.play.loop = lab.play.playing = True
    seen = watch(lab, most=1_000)
    assert len(seen) == 1_000 and lab.play.playing and seen != sorted(seen)
    lab.play.loop = False
    assert watch(lab)[-1] == lab.run.end / 1000


def test_paused_it_shows_the_time_between_and_goes_on_from_there(lab):
    lab.cursor.value, lab.play.playing = 0.03, True
    lab.play.advance(0.05)
    lab.play.playing = False
    between = lab.play.seconds
    lab.play.advance(5)
    assert lab.play.seconds == between
    lab.play.playing = True
    lab.play.advance(0.01)
    assert 0 < lab.play.seconds - between < 0.01


@pytest.mark.parametrize("by_hand", ["forward", "back", "value"])
def test_who_moves_the_cursor_stops_it(lab, by_hand):
    lab.cursor.value, lab.play.playing = 0.03, True
    lab.play.advance(0.05)
    if by_hand == "value":
        lab.cursor.value = 0.22
    else:
        getattr(lab, by_hand).click()
    assert not lab.play.playing and lab.play.seconds == lab.cursor.value != 0.03


def test_a_step_back_at_the_first_moment_stops_it_as_well(lab):
    lab.cursor.value, lab.play.playing = 0, True
    lab.back.click()
    assert not lab.play.playing and lab.cursor.value == 0


def test_in_another_run_it_goes_on_from_where_the_cursor_is(lab):
    lab.cursor.value, lab.play.playing = 0.22, True
    for rate in (0.5, 1.0, 0.2, 0.0):
        lab.play.advance(0.3)
        before = lab.play.seconds
        lab.delay.value = rate
        assert lab.play.playing and lab.play.seconds == lab.cursor.value <= before
    assert watch(lab)[-1] == lab.run.end / 1000


def test_where_less_motion_is_asked_for_it_steps_from_moment_to_moment(lab):
    lab.play.calm = lab.play.playing = True
    seen = watch(lab, STEP)
    assert seen == lab.cursor.times[1:] + lab.cursor.times[-1:]
    lab.play.loop = lab.play.playing = True
    assert set(watch(lab, STEP, 100)) == set(lab.cursor.times) and lab.play.playing


def test_an_interrupted_picture_stops_it_and_the_panel_goes_on(lab, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    lab.play.playing = True
    with monkeypatch.context() as patch:
        patch.setattr(lab._tabs, "draw", interrupted)
        with pytest.raises(KeyboardInterrupt):
            lab.play.clock = 0.1
    assert not lab.play.playing
    lab.play.playing = True
    assert watch(lab)[-1] == lab.run.end / 1000 == lab.cursor.value


def test_a_run_of_one_moment_has_nothing_to_play():
    async def nothing(ctx):
        pass

    lab = Laboratory(shop, nothing)
    for lab.play.loop in (False, True):
        lab.play.playing = True
        lab.play.advance(1)
        assert not lab.play.playing

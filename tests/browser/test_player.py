"""▶ in a browser: by mouse and by keyboard the cursor moves, messages travel, and who asks for less motion gets steps."""

import re
from math import inf

import nbformat
import pytest

from .test_panel import CELL


@pytest.fixture
def panel(lab, page):
    page.set_viewport_size({"width": 1366, "height": 768})
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    cells = [nbformat.v4.new_code_cell(CELL.replace("many(24)", "many(3)"))]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=kernel)
    nbformat.write(notebook, lab.folder / "notebooks" / "player.ipynb")
    lab.open(page, "player.ipynb")
    lab.run_all(page)
    panel = lab.panel(page)
    panel.get_by_role("tab", name="Flow").click()
    panel.locator(".edalab-flow svg").wait_for()
    return panel


def caption(panel):
    """What the flow says of the moment that it shows."""
    return panel.locator(".edalab-flow svg").get_attribute("aria-label")


def shown(panel):
    """The time (s) that the flow shows, which is without a number at the end."""
    found = re.search(r"at ([0-9.]+) s", caption(panel))
    return float(found[1]) if found else inf


def times(page, panel, number):
    """The first so many times (s) that the flow shows."""
    seen = []
    while len(seen) < number:
        time = shown(panel)
        if time not in (inf, *seen):
            seen.append(time)
        page.wait_for_timeout(20)
    return seen


def dots(panel):
    """Where the messages are that are on their way."""
    return panel.locator(".edalab-flow svg path:has(title:has-text('on its way'))").evaluate_all(
        "paths => paths.map(path => path.getAttribute('d'))"
    )


def test_the_mouse_plays_and_pauses_messages_travel_and_a_loop_begins_again(
    page, panel, screenshot
):
    play = panel.get_by_role("button", name="play", exact=True)
    pause = panel.get_by_role("button", name="pause", exact=True)
    assert "at the end" in caption(panel)
    panel.get_by_label("loop").check()
    play.click()
    pause.wait_for()
    size, places = panel.locator(".edalab-flow svg").get_attribute("viewBox"), set()
    while len(places) < 12:  # ways of 10 ms, and the moments of this run are 10 ms apart at least
        places.update(dots(panel))
        page.wait_for_timeout(20)
    assert panel.locator(".edalab-flow svg").get_attribute("viewBox") == size
    screenshot("player-flow")
    pause.click()
    play.wait_for()
    page.wait_for_timeout(1_000)
    stopped = caption(panel)
    page.wait_for_timeout(1_000)
    assert caption(panel) == stopped

    panel.get_by_label("speed").select_option(label="4×")
    play.click()
    # How many of the moments a machine shows is its own affair: wait until time goes back.
    last = shown(panel)
    for _ in range(3_000):  # a minute
        page.wait_for_timeout(20)
        before, last = last, shown(panel)
        if last < before:
            break
    assert last < before, "it has not begun again"
    panel.get_by_role("tab", name="Timeline").click()
    panel.locator(".edalab-picture svg").wait_for()
    screenshot("player-timeline")
    panel.get_by_role("button", name="◀ step").click()  # by hand: it stops
    play.wait_for()


def test_the_keyboard_plays_and_pauses(page, panel):
    panel.get_by_label("loop").check()
    play = panel.get_by_role("button", name="play", exact=True)
    for key in ("Enter", "Space"):
        play.focus()
        page.keyboard.press(key)
        panel.get_by_role("button", name="pause", exact=True).wait_for()
        assert times(page, panel, 4)
        page.keyboard.press(key)
        play.wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "speed"
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert not panel.get_by_label("loop").is_checked()


def test_where_less_motion_is_asked_for_it_steps_from_moment_to_moment(page, panel):
    page.emulate_media(reduced_motion="reduce")
    panel.get_by_role("button", name="play", exact=True).click()
    seen = times(page, panel, 5)
    assert all(round(time, 2) == time for time in seen), "what happens here happens every 10 ms"


def test_without_a_kernel_it_stops_and_says_so(lab, page, panel):
    play = panel.get_by_role("button", name="play", exact=True)
    for item in ("Restart Kernel…", "Shut Down Kernel"):  # no answer; nobody to be asked
        page.get_by_role("menuitem", name="Kernel", exact=True).click()
        page.get_by_role("menuitem", name=item).first.click()
        if item.startswith("Restart"):
            page.locator(".jp-Dialog button.jp-mod-accept").click()
        page.wait_for_timeout(2_000)
        errors = []
        page.on("console", lambda message: errors.append(message) if message.type == "error" else 0)
        play.click()
        panel.get_by_text("no answer from the kernel").wait_for(timeout=10_000)
        play.wait_for()
        page.wait_for_timeout(500)
        assert play.is_visible() and not errors

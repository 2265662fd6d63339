"""Lesson 01 as a learner meets it: opened in JupyterLab, run, broken by hand, stepped through, and looked at."""

import re

import pytest

LESSON = "01-event-notification.ipynb"


@pytest.fixture
def panel(lab, page):
    """The lesson's panel, after all cells have run."""
    lab.open(page, LESSON)
    lab.run_all(page)
    return lab.panel(page)


def slide(panel, name, steps):
    """Move a slider by the keyboard, as a hand would: one step after the other."""
    handle = panel.locator(f".widget-slider:has(label:text-is('{name}')) .noUi-handle")
    handle.focus()
    for _ in range(abs(steps)):
        handle.press("ArrowRight" if steps > 0 else "ArrowLeft")


def chip(panel, words):
    return panel.locator(".edalab-chip", has_text=words)


def test_a_learner_breaks_the_lesson_by_hand_and_steps_back(page, panel, screenshot):
    picture, code = panel.locator(".edalab-picture svg"), panel.locator(".edalab-code")
    address = chip(panel, "every letter goes to the address that was registered")
    written_to = chip(panel, "every subscriber writes to everybody who registered")
    screenshot("lesson-01-panel")
    address.filter(has_text="✓").wait_for()
    written_to.filter(has_text="✓").wait_for()

    # a fault slider: the timeline changes
    calm = picture.inner_html()
    slide(panel, "delay", 6)
    code.filter(has_text="Faults(delay=0.3)").wait_for()
    assert picture.inner_html() != calm
    written_to.filter(has_text="✗").wait_for()
    screenshot("lesson-01-delay")
    slide(panel, "delay", -6)
    code.filter(has_not_text="Faults(").wait_for()
    address.filter(has_text="✓").wait_for()
    assert picture.inner_html() == calm

    # an exact fault: the verdict turns, and turns back where the design is mended
    panel.locator("select").nth(0).select_option(label="mail · deliver UserRegistered")
    panel.locator("select").nth(1).select_option(label="delay")
    code.filter(has_text="delay mail.deliver.UserRegistered #1").wait_for()
    address.filter(has_text="✗").wait_for()
    panel.screenshot(path=screenshot("lesson-01-exact-fault").with_name("laboratory.png"))
    panel.locator(".widget-dropdown:has(label:text-is('asking')) select").select_option(
        label="patiently, as of the event"
    )
    address.filter(has_text="✓").wait_for()

    # the time cursor
    state = panel.get_by_role("tab", name=re.compile("^State at"))
    last = state.inner_text()
    with_cursor = picture.inner_html()
    panel.get_by_role("button", name="◀ step").click()
    page.wait_for_function(
        "said => ![...document.querySelectorAll('.lm-TabBar-tab')].some(t => t.innerText == said)",
        arg=last,
    )
    assert picture.inner_html() != with_cursor
    screenshot("lesson-01-stepped-back")
    panel.get_by_role("button", name="step ▶").click()
    page.wait_for_function(
        "said => [...document.querySelectorAll('.lm-TabBar-tab')].some(t => t.innerText == said)",
        arg=last,
    )

    # the other tabs
    for name in ("Flow", "State", "Tables"):
        panel.get_by_role("tab", name=re.compile(f"^{name}")).click()
        page.wait_for_timeout(300)
        screenshot(f"lesson-01-{name.lower()}")
        assert panel.locator(
            ".jupyter-widget-tab svg:visible, .jupyter-widget-tab table:visible"
        ).count()

    # every fault: a click on a red mark asks for that fault and shows its run
    panel.locator(".widget-dropdown:has(label:text-is('asking')) select").select_option(
        label="once"
    )
    panel.get_by_role("tab", name=re.compile("^Every fault")).click()
    matrix = panel.locator(".edalab-marks svg")
    matrix.wait_for()
    panel.get_by_role("tab", name=re.compile(r"^Every fault: \d+ ✗")).wait_for()
    screenshot("lesson-01-every-fault")
    matrix.locator("title", has_text="crash mail.save.UserRegistered #1").first.locator("..").click(
        force=True
    )  # its letter lies over it
    code.filter(has_text="crash mail.save.UserRegistered #1").wait_for()
    address.filter(has_text="✗").wait_for()
    picture.wait_for()
    screenshot("lesson-01-picked")

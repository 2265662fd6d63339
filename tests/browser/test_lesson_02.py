"""Lesson 02 in the browser: all cells run, a red mark of the matrix is clicked, and its run is on the timeline."""

import re


def test_a_click_on_a_red_mark_shows_its_run(lab, page, screenshot):
    lab.open(page, "02-event-carried-state-transfer.ipynb")
    lab.run_all(page)
    panel = lab.panel(page)
    copy = panel.locator(".edalab-chip", has_text="the copy agrees with customers")
    copy.filter(has_text="✓").wait_for()
    panel.get_by_role("tab", name=re.compile("^Every fault")).click()
    panel.get_by_role("tab", name=re.compile(r"^Every fault: \d+ ✗")).wait_for()
    screenshot("lesson-02-every-fault")
    fault = "lose customers.ack.ChangeAddress #1"
    panel.locator(".edalab-marks svg title", has_text=fault).first.locator("..").click(
        force=True
    )  # its letter lies over it
    panel.locator(".edalab-code", has_text=fault).wait_for()
    copy.filter(has_text="✗").wait_for()
    panel.locator(".edalab-picture svg").wait_for()
    assert panel.get_by_role("tab", name="Timeline").get_attribute("aria-selected") == "true"
    screenshot("lesson-02-picked")

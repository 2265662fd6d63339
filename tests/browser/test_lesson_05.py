"""Lesson 05 in the browser: all cells run, the three ways of handling are tried against the two crashes, and every fault against the last."""

import re


def test_only_the_outbox_survives_both_crashes(lab, page, shows, choose, screenshot):
    lab.open(page, "05-choreographed-saga.ipynb")
    lab.run_all(page)
    panel = lab.panel(page)

    def crash(point):
        panel.locator("select").nth(0).select_option(label=point)
        panel.locator("select").nth(1).select_option(label="crash")

    shows("everything that left the stock", "✗")
    choose("refusal", "an event")
    shows("everything that left the stock", "✓")
    crash("payments · commit InventoryReserved")
    shows("nobody pays twice", "✗")
    screenshot("lesson-05-charged-twice")
    choose("handling", "once")
    shows("nobody pays twice", "✓")
    crash("payments · publish PaymentCharged")
    shows("every paid order is shipped", "✗")
    screenshot("lesson-05-never-said")
    panel.get_by_role("tab", name="Saga").click()
    panel.locator("svg", has_text="never published").wait_for()
    screenshot("lesson-05-saga")
    choose("handling", "outbox")
    shows("every paid order is shipped", "✓")
    shows("nobody pays twice", "✓")
    panel.get_by_role("tab", name=re.compile("^Every fault")).click()
    panel.get_by_role("tab", name="Every fault: 0 ✗").wait_for()
    screenshot("lesson-05-every-fault")

"""Lesson 06 in the browser: all cells run, a fault at the pivot is tried against the designs, and the saga tab is looked at."""

import re


def test_only_who_asks_again_gets_past_a_lost_answer_at_the_pivot(
    lab, page, shows, choose, screenshot
):
    lab.open(page, "06-orchestrated-saga.ipynb")
    lab.run_all(page)
    panel = lab.panel(page)

    panel.locator("select").nth(0).select_option(label="shipping · reply ShipOrder")
    panel.locator("select").nth(1).select_option(label="drop")
    shows("ledger is balanced", "✗")
    panel.get_by_role("tab", name="Saga").click()
    screenshot("lesson-06-tea-for-nothing")
    choose("design", "+ done once")
    shows("ledger is balanced", "✗")
    choose("design", "+ asked again")
    shows("ledger is balanced", "✓")
    shows("nobody gets two emails about one order", "✓")
    screenshot("lesson-06-asked-again")
    panel.get_by_role("tab", name=re.compile("^Every fault")).click()
    panel.get_by_role("tab", name=re.compile(r"^Every fault: \d+ ✗")).wait_for()
    screenshot("lesson-06-every-fault")
    choose("design", "+ announced once")
    panel.get_by_role("tab", name="Every fault: 0 ✗").wait_for()

"""Lesson 06 in the browser: all cells run, a fault at the pivot is tried against the designs, and the saga tab is looked at."""

import re


def test_only_who_asks_again_gets_past_a_lost_answer_at_the_pivot(lab, page, screenshot):
    lab.open(page, "06-orchestrated-saga.ipynb")
    lab.run_all(page)
    panel = lab.panel(page)

    def claim(words, sign):
        panel.locator(".edalab-chip", has_text=words).filter(has_text=sign).wait_for()

    def choose(design):
        panel.locator(".widget-dropdown:has(label:text-is('design')) select").select_option(
            label=design
        )

    panel.locator("select").nth(0).select_option(label="shipping · reply ShipOrder")
    panel.locator("select").nth(1).select_option(label="drop")
    claim("ledger is balanced", "✗")
    panel.get_by_role("tab", name="Saga").click()
    screenshot("lesson-06-tea-for-nothing")
    choose("+ done once")
    claim("ledger is balanced", "✗")
    choose("+ asked again")
    claim("ledger is balanced", "✓")
    claim("nobody gets two emails about one order", "✓")
    screenshot("lesson-06-asked-again")
    panel.get_by_role("tab", name=re.compile("^Every fault")).click()
    panel.get_by_role("tab", name=re.compile(r"^Every fault: \d+ ✗")).wait_for()
    screenshot("lesson-06-every-fault")
    choose("+ announced once")
    panel.get_by_role("tab", name="Every fault: 0 ✗").wait_for()

"""Lesson 05 in the browser: all cells run, the three ways of handling are tried against the two crashes, and every fault against the last."""

import re


def test_only_the_outbox_survives_both_crashes(lab, page, screenshot):
    lab.open(page, "05-choreographed-saga.ipynb")
    lab.run_all(page)
    panel = lab.panel(page)

    def claim(words, sign):
        panel.locator(".edalab-chip", has_text=words).filter(has_text=sign).wait_for()

    def choose(knob, value):
        panel.locator(f".widget-dropdown:has(label:text-is('{knob}')) select").select_option(
            label=value
        )

    def crash(point):
        panel.locator("select").nth(0).select_option(label=point)
        panel.locator("select").nth(1).select_option(label="crash")

    claim("everything that left the stock", "✗")
    choose("refusal", "an event")
    claim("everything that left the stock", "✓")
    crash("payments · commit InventoryReserved")
    claim("nobody pays twice", "✗")
    screenshot("lesson-05-charged-twice")
    choose("handling", "once")
    claim("nobody pays twice", "✓")
    crash("payments · publish PaymentCharged")
    claim("every paid order is shipped", "✗")
    screenshot("lesson-05-never-said")
    panel.get_by_role("tab", name="Saga").click()
    panel.locator("svg", has_text="never published").wait_for()
    screenshot("lesson-05-saga")
    choose("handling", "outbox")
    claim("every paid order is shipped", "✓")
    claim("nobody pays twice", "✓")
    panel.get_by_role("tab", name=re.compile("^Every fault")).click()
    panel.get_by_role("tab", name="Every fault: 0 ✗").wait_for()
    screenshot("lesson-05-every-fault")

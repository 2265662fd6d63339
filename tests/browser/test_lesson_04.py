"""Lesson 04 in the browser: all cells run, an entry twice and one overtaken go through each projection, and who waits sees their deposit."""

import re


def test_only_who_fetches_gaps_survives_both_and_who_says_the_position_sees_their_deposit(
    lab, page, shows, choose, screenshot
):
    lab.open(page, "04-cqrs.ipynb")
    lab.run_all(page)
    panel = lab.panel(page)

    def second(point, action):
        panel.locator("select").nth(0).select_option(label=point)
        panel.locator("select").nth(1).select_option(label=action)
        nth = panel.locator("input[type=number]").first
        nth.fill("2")
        nth.press("Enter")

    shows("no answer is older", "✓")
    second("balances · commit EntryRecorded", "crash")
    shows("the balances match", "✗")
    shows("the largest withdrawals match", "✓")
    screenshot("lesson-04-twice")
    choose("checkpoint", "fetches gaps")
    shows("the balances match", "✓")
    choose("checkpoint", "beside")
    shows("the balances match", "✗")
    second("balances · deliver EntryRecorded", "delay")
    shows("the balances match", "✗")
    screenshot("lesson-04-overtaken")
    choose("checkpoint", "fetches gaps")
    shows("the balances match", "✓")
    choose("asking", "at once")
    shows("no answer is older", "✗")
    choose("asking", "by position")
    shows("no answer is older", "✓")
    screenshot("lesson-04-by-position")
    panel.get_by_role("tab", name=re.compile("^Every fault")).click()
    panel.get_by_role("tab", name="Every fault: 0 ✗").wait_for()
    screenshot("lesson-04-every-fault")

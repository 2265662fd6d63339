"""Lesson 12 in the browser: all cells run, and the panel's claims turn green for a way that keeps every order."""


def test_only_a_short_line_with_backoff_leaves_no_dead_letter_after_five_slow_seconds(
    lab, page, shows, choose, screenshot
):
    lab.open(page, "12-streams-and-queues.ipynb")
    lab.run_all(page)

    shows("no TeaOrdered is left in the dead letters", "✗")
    shows("every order is charged", "✓")
    screenshot("lesson-12-at-once")
    choose("way", "line of 10")
    shows("every order is charged", "✗")
    shows("no TeaOrdered is left in the dead letters", "✗")
    choose("way", "line of 10, backoff, jitter")
    shows("every order is charged", "✓")
    shows("no TeaOrdered is left in the dead letters", "✓")
    screenshot("lesson-12-short-line-and-backoff")
    choose("way", "at once")
    choose("slow", "1")
    shows("no TeaOrdered is left in the dead letters", "✓")

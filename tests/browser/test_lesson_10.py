"""Lesson 10 in the browser: all cells run, and the panel turns red and green where the text says so."""


def test_mondays_version_is_billed_wrongly_and_tuesdays_is_not_billed(
    lab, page, shows, choose, screenshot
):
    lab.open(page, "10-schema-evolution.ipynb")
    lab.run_all(page)
    lab.panel(page)
    shows("each bill is what the order costs", "✗")
    shows("every order is billed", "✓")
    screenshot("lesson-10-monday")
    choose("writer", "3")
    shows("every order is billed", "✗")
    choose("reader", "5")
    for writer in ("1", "2", "4", "5"):
        choose("writer", writer)
        shows("each bill is what the order costs", "✓")
        shows("every order is billed", "✓")
    screenshot("lesson-10-upcasters")

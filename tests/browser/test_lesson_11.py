"""Lesson 11 in the browser: all cells run, and the panel turns red and green where the text says so."""


def test_a_second_relay_prints_an_old_label_and_a_rewind_brings_back_what_a_backup_lacks(
    lab, page, shows, choose, screenshot
):
    lab.open(page, "11-dual-writes-and-recovery.ipynb")
    lab.run_all(page)
    panel = lab.panel(page)

    shows("no label is printed twice", "✗")
    shows("the last label of each order is right", "✗")
    screenshot("lesson-11-two-relays")
    choose("relay", "fenced")
    shows("the last label of each order is right", "✓")
    shows("no label is printed twice", "✗")
    choose("inbox", "True")
    shows("no label is printed twice", "✓")
    choose("relay", "takes rows")
    shows("the last label of each order is right", "✗")
    choose("relay", "marks")
    shows("the last label of each order is right", "✓")

    plan = panel.get_by_placeholder("more faults, as text")
    plan.fill("restore shipping to 1.5 s at 4 s")
    plan.press("Enter")
    shows("every order gets a label", "✗")
    screenshot("lesson-11-restored")
    plan.fill("restore shipping to 1.5 s at 4 s, rewind shipping to 0 s at 5 s")
    plan.press("Enter")
    shows("every order gets a label", "✓")
    shows("no label is printed twice", "✓")

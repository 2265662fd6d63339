"""Lesson 10 in the browser: all cells run, and the panel turns red and green where the text says so."""


def test_a_reader_that_is_deployed_first_reads_all_and_one_that_comes_too_late_does_not(
    lab, page, shows, choose, screenshot
):
    lab.open(page, "10-schema-evolution.ipynb")
    lab.run_all(page)
    panel = lab.panel(page)
    plan, code = panel.get_by_placeholder("more faults, as text"), panel.locator(".edalab-code")

    def deploys(text):
        plan.fill(text)
        plan.press("Enter")
        for time in text.split("at ")[1:]:
            code.filter(has_text=f".at({time.split()[0]})").wait_for()
        if not text:
            code.filter(has_not_text="faults=").wait_for()

    shows("every order is billed", "✗")
    screenshot("lesson-10-wrong-order")
    deploys("deploy orders at 2.5 s, deploy billing at 1.5 s")
    shows("every order is billed", "✓")
    deploys("deploy orders at 2.5 s, deploy billing at 3.5 s")
    shows("every order is billed", "✗")
    screenshot("lesson-10-too-late")
    deploys("")
    choose("writer", "2")
    shows("each bill is what the order costs", "✗")
    shows("every order is billed", "✓")
    screenshot("lesson-10-monday")
    choose("reader", "5")
    for writer in ("1", "2", "3", "4", "5"):
        choose("writer", writer)
        shows("each bill is what the order costs", "✓")
        shows("every order is billed", "✓")

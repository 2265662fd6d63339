"""Lesson 08 in the browser: all cells run, and the panel turns red and green where the text says so."""


def test_a_lost_answer_charges_twice_unless_the_provider_keeps_a_key(
    lab, page, shows, choose, screenshot
):
    lab.open(page, "08-idempotency.ipynb")
    lab.run_all(page)
    panel = lab.panel(page)

    shows("no order is charged twice", "✓")
    plan = panel.get_by_placeholder("more faults, as text")
    plan.fill("drop provider.reply.Charge")
    plan.press("Enter")
    shows("no order is charged twice", "✗")
    screenshot("lesson-08-at-least-once")
    choose("way", "inbox, noted before")
    shows("no order is charged twice", "✓")
    plan.fill("drop billing.ask.Charge")
    plan.press("Enter")
    shows("every order is charged", "✗")
    choose("way", "key by order")
    shows("every order is charged", "✓")
    screenshot("lesson-08-key-by-order")

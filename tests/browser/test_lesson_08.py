"""Lesson 08 in the browser: all cells run, and the panel turns red and green where the text says so."""


def test_a_lost_answer_charges_twice_unless_the_provider_keeps_a_key(lab, page, screenshot):
    lab.open(page, "08-idempotency.ipynb")
    lab.run_all(page)
    panel = lab.panel(page)

    def shows(sentence, sign):
        chip = panel.locator(".edalab-chip", has_text=sentence)
        chip.filter(has_text=sign).wait_for()

    def choose(knob, value):
        knob = panel.locator(f".widget-dropdown:has(label:text-is('{knob}')) select")
        knob.select_option(label=value)

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

"""Lesson 07 in the browser: all cells run, and the panel does what the text says of each of its knobs."""


def test_a_key_mends_what_is_broken_at_first_and_one_more_partition_breaks_it(
    lab, page, screenshot
):
    lab.open(page, "07-ordering.ipynb")
    lab.run_all(page)
    panel = lab.panel(page)

    def newest(sign):
        chip = panel.locator(".edalab-chip", has_text="web shows the newest price")
        chip.filter(has_text=sign).wait_for()

    def choose(knob, value):
        knob = panel.locator(f".widget-dropdown:has(label:text-is('{knob}')) select")
        knob.select_option(label=value)

    newest("✗")
    screenshot("lesson-07-no-key")
    choose("key", "product")
    newest("✓")
    plan = panel.get_by_placeholder("more faults, as text")
    plan.fill("repartition prices to 4 at 0.5 s")
    plan.press("Enter")
    newest("✗")
    screenshot("lesson-07-one-more-partition")
    choose("show", "newest wins")
    newest("✓")

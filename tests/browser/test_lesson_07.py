"""Lesson 07 in the browser: all cells run, and the panel does what the text says of each of its knobs."""


def test_a_key_mends_what_is_broken_at_first_and_one_more_partition_breaks_it(
    lab, page, shows, choose, screenshot
):
    lab.open(page, "07-ordering.ipynb")
    lab.run_all(page)
    panel = lab.panel(page)

    shows("web shows the newest price", "✗")
    screenshot("lesson-07-no-key")
    choose("key", "product")
    shows("web shows the newest price", "✓")
    plan = panel.get_by_placeholder("more faults, as text")
    plan.fill("repartition prices to 4 at 0.5 s")
    plan.press("Enter")
    shows("web shows the newest price", "✗")
    screenshot("lesson-07-one-more-partition")
    choose("show", "newest wins")
    shows("web shows the newest price", "✓")

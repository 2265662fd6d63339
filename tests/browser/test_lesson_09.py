"""Lesson 09 in the browser: all cells run, and the panel turns red and green where the text says so."""


def test_in_a_cut_pieces_are_sold_twice_unless_each_shop_has_a_share_or_one_owns_them(
    lab, page, shows, choose, screenshot
):
    lab.open(page, "09-eventual-consistency.ipynb")
    lab.run_all(page)
    panel = lab.panel(page)

    shows("no piece is sold twice", "✓")
    plan = panel.get_by_placeholder("more faults, as text")
    plan.fill("cut south from north from 1 s to 9 s, cut north from south from 1 s to 9 s")
    plan.press("Enter")
    shows("no piece is sold twice", "✗")
    shows("both copies agree in the end", "✓")
    screenshot("lesson-09-sell-anyway")
    choose("way", "five each")
    shows("no piece is sold twice", "✓")
    shows("nobody goes without tea while there is some", "✗")
    choose("way", "ask the owner")
    panel.locator(".struck:visible", has_text="07, and 1 more").first.wait_for()
    shows("no piece is sold twice", "✓")
    shows("nobody goes without tea while there is some", "✗")
    screenshot("lesson-09-ask-the-owner")
    choose("way", "sell and apologise")
    shows("no piece is sold twice", "✗")

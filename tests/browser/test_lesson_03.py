"""Lesson 03 in the browser: all cells run, and the panel goes back to 4 March and learns two days later that all was well."""

import nbformat

WHOLE_YEAR = 'TimeTravel(year, "account-7", balance, 0)'


def test_what_was_believed_is_corrected_by_what_was_learned(lab, page, screenshot):
    # The lesson, and behind it a panel over the whole year, as the lesson says how to get one.
    notebook = lab.folder / "notebooks" / "03-event-sourcing.ipynb"
    lesson = nbformat.read(notebook, as_version=4)
    lesson.cells.append(nbformat.v4.new_code_cell(WHOLE_YEAR))
    nbformat.write(lesson, notebook)
    page.set_viewport_size({"width": 1366, "height": 768})
    lab.open(page, notebook.name)
    lab.run_all(page)
    panels = page.locator(".jp-NotebookPanel:visible .edalab-panel")
    panels.nth(1).wait_for(state="attached")
    panel = panels.first

    def row(name):
        return ("happened by", "as known").index(name)

    def press(name, button, times=1):
        for _ in range(times):
            panel.get_by_role("button", name=button).nth(row(name)).click()

    def type_(name, text):
        field = panel.get_by_role("textbox").nth(row(name))
        field.fill(text)
        field.press("Enter")

    def shows(code):
        panel.locator(".edalab-code", has_text=code).wait_for()

    shows('year.state("account-7", balance, 0, until="2025-05-15") # 70')
    press("happened by", "◀", 3)
    shows('until="2025-03-04") # 50')
    press("as known", "◀", 5)
    shows('until="2025-03-04", as_of="2025-03-04") # -20')
    press("as known", "▶", 3)
    type_("happened by", "2025-04-20")
    shows('until="2025-04-20", as_of="2025-04-24") # 100')
    type_("happened by", "2025-03-04")
    type_("as known", "4 March")
    panel.get_by_text("'4 March' cannot be read as a time").wait_for()
    shows('until="2025-03-04", as_of="2025-04-24") # 50')
    type_("as known", "2025-03-05T14:00+01:00")  # nothing came on that day
    shows('until="2025-03-04", as_of="2025-03-04") # -20')
    assert panel.get_by_text("cannot be read").count() == 0
    assert panel.get_by_role("textbox").nth(1).input_value() == "2025-03-04"
    panel.locator(".edalab-picture svg", has_text="-20, as known on 4 March").wait_for()
    panel.get_by_text("as known on 4 March", exact=True).last.wait_for()
    panel.evaluate("element => element.scrollIntoView({block: 'start'})")
    for seen in (panel.get_by_text("happened 2 March, recorded 6 March"), panel.locator("svg")):
        box = seen.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 740, box  # above the status bar
    screenshot("lesson-03-believed")
    press("as known", "▶")
    shows('until="2025-03-04", as_of="2025-03-06") # 50')
    screenshot("lesson-03-learned")
    for name in ("happened by", "as known"):
        panel.locator(".noUi-handle").nth(row(name)).press("End")
    shows('year.state("account-7", balance, 0, until="2025-05-15") # 70')
    assert panel.locator("select option").all_inner_texts()[:3] == [
        "account-1",
        "account-2",
        "account-3",
    ]

    panel = panels.nth(1)
    panel.scroll_into_view_if_needed()
    shows('year.state("account-7", balance, 0, until="2025-12-16") # 190')
    panel.locator(".widget-dropdown select").select_option(label="account-9")
    panel.locator(".edalab-picture svg", has_text="account-9").wait_for()
    for name in ("happened by", "as known"):
        handle = panel.locator(".noUi-handle").nth(row(name))
        handle.press("Home")
        panel.locator(
            ".edalab-code", has_text='as_of="2025-01' if row(name) else 'until="2025-01'
        ).wait_for()
        handle.press("End")  # it goes to the last day of this account, which had more of them
        shows('until="2025-12-31") # 6044')
    panel.locator(".edalab-picture svg", has_text="corrected -9,720").wait_for()
    screenshot("lesson-03-account-9")
    panel.locator(".widget-dropdown select").select_option(label="account-13")
    panel.locator(".edalab-picture svg", has_text="account-13").wait_for()
    panel.locator(".edalab-picture svg", has_text="recorded").wait_for()
    screenshot("lesson-03-account-13")

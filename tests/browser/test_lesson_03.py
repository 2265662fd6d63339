"""Lesson 03 in the browser: all cells run, and the panel goes back to 4 March and learns two days later that all was well."""


def test_what_was_believed_is_corrected_by_what_was_learned(lab, page, screenshot):
    lab.open(page, "03-event-sourcing.ipynb")
    lab.run_all(page)
    panel = lab.panel(page)

    def press(row, button, times=1):
        for _ in range(times):
            panel.get_by_role("button", name=button).nth(("happened by", "as known").index(row)).click()

    def shows(code):
        panel.locator(".edalab-code", has_text=code).wait_for()

    shows('year.state("account-7", balance, 0, until="2025-12-16") # 190')
    press("happened by", "◀", 7)
    shows('until="2025-03-04") # 50')
    press("as known", "◀", 9)
    shows('until="2025-03-04", as_of="2025-03-04") # -20')
    panel.get_by_text("Learned since").wait_for()
    screenshot("lesson-03-believed")
    press("as known", "▶")
    shows('until="2025-03-04", as_of="2025-03-06") # 50')
    screenshot("lesson-03-learned")
    panel.locator("select").select_option(label="account-13")
    panel.locator(".edalab-picture svg", has_text="account-13").wait_for()
    panel.locator(".edalab-picture svg", has_text="recorded").wait_for()
    screenshot("lesson-03-account-13")

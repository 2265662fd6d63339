"""Lesson 03 in the browser: all cells run, and the panel goes back to 4 March and learns two days later that all was well."""


def test_what_was_believed_is_corrected_by_what_was_learned(lab, page, screenshot):
    lab.open(page, "03-event-sourcing.ipynb")
    lab.run_all(page)
    panel = lab.panel(page)

    def press(row, button, times=1):
        for _ in range(times):
            panel.get_by_role("button", name=button).nth(
                ("happened by", "as known").index(row)
            ).click()

    def shows(code):
        panel.locator(".edalab-code", has_text=code).wait_for()

    shows('year.state("account-7", balance, 0, until="2025-12-16") # 190')
    press("happened by", "◀", 7)
    shows('until="2025-03-04") # 50')
    press("as known", "◀", 9)
    shows('until="2025-03-04", as_of="2025-03-04") # -20')
    panel.get_by_text("Learned since").wait_for()
    panel.locator(".edalab-picture svg", has_text="-20, as known on 4 March").wait_for()
    panel.get_by_text("as known on 4 March", exact=True).last.wait_for()
    screenshot("lesson-03-believed")
    press("as known", "▶")
    shows('until="2025-03-04", as_of="2025-03-06") # 50')
    screenshot("lesson-03-learned")
    for row in (0, 1):
        panel.locator(".noUi-handle").nth(row).press("End")
    shows('year.state("account-7", balance, 0, until="2025-12-16") # 190')
    assert panel.locator("select option").all_inner_texts()[:3] == [
        "account-1",
        "account-2",
        "account-3",
    ]
    panel.locator("select").select_option(label="account-9")
    panel.locator(".edalab-picture svg", has_text="account-9").wait_for()
    for row in (0, 1):
        handle = panel.locator(".noUi-handle").nth(row)
        handle.press("Home")
        panel.locator(
            ".edalab-code", has_text='as_of="2025-01' if row else 'until="2025-01'
        ).wait_for()
        handle.press("End")  # it goes to the last day of this account, which had more of them
        panel.locator(".edalab-code", has_text='until="2025-12-31") # 6044').wait_for()
    panel.locator(".edalab-picture svg", has_text="corrected -9,720").wait_for()
    screenshot("lesson-03-account-9")
    panel.locator("select").select_option(label="account-13")
    panel.locator(".edalab-picture svg", has_text="account-13").wait_for()
    panel.locator(".edalab-picture svg", has_text="recorded").wait_for()
    screenshot("lesson-03-account-13")

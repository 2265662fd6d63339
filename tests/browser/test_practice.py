"""Practice in the browser: an answer is typed into lesson 05, the hint helps, and the start page knows what was done."""

import re

SAVED_TWICE = """def charge_order(event, ctx):
    with ctx.database as db:
        if db.execute("select 1 from done where order_id = ?", (event.order_id,)).fetchone():
            return
        [(money,)] = db.execute("select money from accounts where customer = ?", (event.customer,))
        if money >= event.total:
            db.execute("update accounts set money = money - ? where customer = ?", (event.total, event.customer))
            db.execute("insert into charges values (?, ?)", (event.order_id, event.total))
{then}        db.execute("insert into done values ('charge', ?)", (event.order_id,))
    return (PaymentCharged if money >= event.total else PaymentRefused)(**event.model_dump())"""
WRONG = SAVED_TWICE.format(then="    with ctx.database as db:\n")
RIGHT = SAVED_TWICE.format(then="")
CELLS = ".jp-NotebookPanel:visible .jp-CodeCell"


def cell(page, words):
    """The cell with these words, in front of the learner."""
    found = page.locator(CELLS).filter(has_text=words).first
    found.scroll_into_view_if_needed()
    return found


def run(page, lab, found):
    found.locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    lab.wait_until_idle(page)


def solved(page, lab):
    """How many exercises the start page calls correct, and all that it says."""
    lab.open(page, "start.ipynb")
    found = cell(page, "import progress")
    run(page, lab, found)
    found.get_by_text(
        "exercises correct"
    ).wait_for()  # idle is the kernel; what it said may still be on its way to the page
    said = found.locator(".jp-OutputArea").inner_text()
    return int(re.search(r"(\d+) of \d+ exercises correct", said)[1]), said


def answer(page, lab, written):
    """Type an answer to 05.1 in place of what is there, run it and its check, and return what the check shows."""
    editor = cell(page, "def charge_order(event, ctx)")
    editor.locator(".cm-content").click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.insert_text(written)
    page.keyboard.press("Shift+Enter")
    asked = cell(page, 'check(charge_order, "05.1")')
    run(page, lab, asked)
    asked.scroll_into_view_if_needed()
    return asked.locator(".jp-OutputArea")


def test_a_wrong_answer_gets_a_hint_a_right_one_is_correct_and_the_start_page_knows(
    lab, page, screenshot
):
    before, said = solved(page, lab)
    assert "○ 05.1" in said
    lab.open(page, "05-choreographed-saga.ipynb")
    run(page, lab, cell(page, "from edalab.practice import check"))
    shown = answer(page, lab, WRONG)
    shown.get_by_text("05.1 not yet: charged twice").wait_for()
    shown.get_by_text("crash payments.save.InventoryReserved #2").first.wait_for()
    shown.get_by_text("How could it have known the second time").wait_for()
    shown.locator("img").wait_for()
    screenshot("practice-not-yet")
    shown = answer(page, lab, RIGHT)
    shown.get_by_text("05.1 correct").wait_for()
    screenshot("practice-correct")
    after, said = solved(page, lab)
    assert after == before + 1 and "● 05.1" in said
    screenshot("practice-progress")

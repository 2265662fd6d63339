"""An exercise in the browser: a wrong answer is typed, the hint and the failing run are read; a right one, and it is correct."""

import json

WRONG = """def keep(event, ctx):
    if event.version > ctx.state.get(event.customer, 0):
        with ctx.database as db:
            if event.address is None:
                db.execute("delete from addresses where customer = ?", (event.customer,))
            else:
                news = (event.customer, event.address, event.version)
                db.execute("insert or replace into addresses values (?, ?, ?)", news)
        ctx.state[event.customer] = event.version"""
RIGHT = """def keep(event, ctx):
    who, known = event.customer, "select version from {} where customer = ?"
    with ctx.database as db:
        rows = [row for table in ("addresses", "gone") for row in db.execute(known.format(table), (who,))]
        if event.version > max([version for (version,) in rows], default=0):
            for table in ("addresses", "gone"):
                db.execute(f"delete from {table} where customer = ?", (who,))
            if event.address is None:
                db.execute("insert into gone values (?, ?)", (who, event.version))
            else:
                db.execute("insert into addresses values (?, ?, ?)", (who, event.address, event.version))"""


def cell(page, words):
    found = page.locator(".jp-NotebookPanel:visible .jp-CodeCell", has_text=words).first
    found.scroll_into_view_if_needed()
    return found


def write(page, answer, words):
    editor = cell(page, words).locator(".cm-content")
    editor.click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.insert_text(answer)
    page.keyboard.press("Shift+Enter")


def check(lab, page, words, said):
    here = cell(page, words)
    here.locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    lab.wait_until_idle(page)
    output = here.locator(".jp-OutputArea")
    output.get_by_text(said).first.wait_for()
    return output


def test_a_wrong_answer_is_told_what_is_wrong_and_a_right_one_is_correct(lab, page, screenshot):
    lab.open(page, "02-event-carried-state-transfer.ipynb")
    lab.run_all(page)
    check(lab, page, 'check(keep, "02.2")', "02.2 not attempted")
    screenshot("exercise-not-attempted")
    write(page, WRONG, "def keep(event, ctx)")
    output = check(lab, page, 'check(keep, "02.2")', "forgotten in a crash")
    output.get_by_text("What did your function know after").wait_for()
    output.get_by_text("crash shipping.handle.AddressChanged #").first.wait_for()
    output.locator("img").wait_for()
    output.evaluate("shown => shown.closest('.jp-CodeCell').scrollIntoView()")
    screenshot("exercise-not-yet")
    check(
        lab, page, 'check(keep, "02.2")', "The tables are still there afterwards."
    )  # asked again, it becomes plainer
    write(page, RIGHT, "def keep(event, ctx)")
    check(lab, page, 'check(keep, "02.2")', "02.2 correct")
    screenshot("exercise-correct")
    kept = json.loads((lab.folder / "notebooks" / "progress.json").read_text(encoding="utf-8"))[
        "exercises"
    ]["02.2"]
    assert kept["outcome"] == "correct" and kept["anomalies"] == {"forgotten in a crash": 2}

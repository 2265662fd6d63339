"""A learner who comes back: the kernel still runs, with the panels of an hour in it, or it is gone."""

import json
import re

import nbformat
import pytest

from tools import store
from tools.browser import ROOT, laptop

LESSON = "01-event-notification.ipynb"


@pytest.fixture
def kernels(lab, page):
    """Shuts down every kernel: kernels() by hand, and once more when the test is over."""

    def shut_down():
        for session in page.request.get(f"{lab.url}api/sessions?token={lab.token}").json():
            page.request.delete(f"{lab.url}api/sessions/{session['id']}?token={lab.token}")

    yield shut_down
    shut_down()


def leave_running(lab, browser, times):
    """Run the lesson so often, and close its page without saving."""
    with laptop(browser) as page:
        lab.open(page, LESSON)
        for _ in range(times):
            lab.run_all(page)
            lab.panel(page)


@pytest.mark.parametrize(("panels", "wait"), [(1, 0), (1, 12), (6, 0)])
def test_tabs_answer_in_a_notebook_opened_again_on_its_running_kernel(
    lab, browser, page, kernels, screenshot, panels, wait
):
    leave_running(lab, browser, panels)
    lab.open(page, LESSON)
    page.wait_for_timeout(1_000 * wait)
    lab.run_all(page)
    panel = lab.panel(page)
    for name, shown in (("Flow", ".edalab-flow svg"), ("Tables", "table"), ("State", "table")):
        panel.get_by_role("tab", name=re.compile(f"^{name}")).click()
        panel.locator(".lm-TabBar-tab.lm-mod-current", has_text=name).wait_for()
        panel.locator(f".widget-tab-contents {shown}:visible").first.wait_for()
    screenshot(f"opened-again-{panels}-{wait}")


def test_who_comes_back_finds_a_picture_where_each_panel_stood(lab, page, kernels, screenshot):
    lab.open(page, LESSON)
    lab.run_all(page)
    lab.panel(page)
    stored = lab.folder / "notebooks" / LESSON
    for visit in ("first", "second"):  # what one only reads is saved too
        before = stored.stat().st_mtime_ns
        page.keyboard.press("ControlOrMeta+s")
        while stored.stat().st_mtime_ns == before:
            page.wait_for_timeout(100)
        kernels()
        page.goto("about:blank")
        lab.open(page, LESSON)
        notebook = page.locator(".jp-NotebookPanel:visible")
        panel = notebook.locator(".jp-CodeCell", has_text="panel = Laboratory(").last
        panel.scroll_into_view_if_needed()
        panel.locator(".jp-OutputArea-output img").wait_for()
        for said in ("Error displaying widget", "Loading widget"):
            assert notebook.get_by_text(said).count() == 0
        assert page.locator(".jp-Dialog").count() == 0  # the file is as the page believes it to be
        screenshot(f"come-back-{visit}")
    saved = nbformat.read(stored, as_version=4)
    assert "widgets" not in saved.metadata and store.WIDGET_VIEW not in stored.read_text("utf-8")
    # what is stored of the course comes from the sources, whatever a learner saved
    fresh = store.text(store.run(saved, stored.parent))
    assert fresh == (ROOT / "notebooks" / LESSON).read_text("utf-8")


def test_a_widget_saved_with_its_notebook_keeps_its_view(lab, page):
    view = {"model_id": "a", "version_major": 2, "version_minor": 0}
    outputs = [
        nbformat.v4.new_output(
            "display_data", {store.WIDGET_VIEW: view | {"model_id": name}} | text
        )
        for name, text in (("a", {"text/plain": "A"}), ("b", {"text/plain": "B"}), ("c", {}))
    ]
    cell = nbformat.v4.new_code_cell("1", outputs=outputs)
    notebook = nbformat.v4.new_notebook(cells=[cell])
    notebook.metadata["widgets"] = {
        "application/vnd.jupyter.widget-state+json": {"state": {"a": {}}}
    }
    address = f"{lab.url}api/contents/notebooks/mine.ipynb?token={lab.token}"
    sent = json.dumps({"type": "notebook", "format": "json", "content": notebook})
    assert page.request.put(address, data=sent).ok
    [cell] = page.request.get(address).json()["content"]["cells"]
    assert [sorted(output["data"]) for output in cell["outputs"]] == [
        [store.WIDGET_VIEW, "text/plain"],  # its widget is saved
        ["text/plain"],
        [store.WIDGET_VIEW],  # there is nothing else to show
    ]

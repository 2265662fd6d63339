"""Pictures in JupyterLab's dark theme, on a zoomed page, and without a mouse."""

import nbformat
import pytest
from playwright.sync_api import expect

from .test_panel import CELL

LESSON = "01-event-notification.ipynb"
STYLE = "element => getComputedStyle(element).filter"


def opened(lab, browser, zoom, lesson=LESSON):
    """The lesson on a page of 1366 x 768, zoomed, with its cells run."""
    size = {"width": round(1366 / zoom), "height": round(768 / zoom)}
    page = browser.new_context(viewport=size, device_scale_factor=zoom).new_page()
    lab.open(page, lesson)
    lab.run_all(page)
    return page, lab.panel(page)


@pytest.fixture
def dark(lab, page):
    address = f"{lab.url}lab/api/settings/@jupyterlab/apputils-extension:themes?token={lab.token}"
    for name in ("Dark", "Light"):
        assert page.request.put(address, data={"raw": f'{{"theme": "JupyterLab {name}"}}'}).ok
        if name == "Dark":
            yield


def test_a_picture_is_dark_in_the_dark_theme(lab, page, dark, screenshot):
    lab.open(page, LESSON)
    lab.run_all(page)
    image = page.locator(".jp-NotebookPanel:visible .jp-RenderedImage img").first
    assert "invert" in image.evaluate(STYLE)
    panel = lab.panel(page)
    assert "invert" in panel.locator(".edalab-picture svg").evaluate(STYLE)
    assert "invert" in panel.locator(".edalab-chip").first.evaluate(STYLE)
    screenshot("dark-panel")


def test_zoom_makes_the_words_of_pictures_larger(lab, browser):
    heights = []
    for zoom in (1, 1.5):
        page, panel = opened(lab, browser, zoom)
        words = panel.locator(".edalab-picture svg text").first
        image = page.locator(".jp-NotebookPanel:visible .jp-RenderedImage img").nth(1)
        heights.append([zoom * one.bounding_box()["height"] for one in (words, image)])
        room = panel.locator(".edalab-picture").evaluate("e => e.scrollWidth - e.clientWidth")
        assert (room > 0) == (zoom > 1)  # zoomed, it is scrolled sideways
        page.context.close()
    assert all(after >= 1.4 * before for before, after in zip(*heights, strict=True))


@pytest.mark.parametrize("lesson", [LESSON, "03-event-sourcing.ipynb"])
def test_on_a_zoomed_page_a_slider_has_room_and_a_knob_is_seen_with_its_effect(
    lab, browser, lesson
):
    page, panel = opened(lab, browser, 1.5, lesson)
    tracks = panel.locator(".widget-hbox:has(> button) .noUi-base")
    tracks.first.wait_for()
    widths = [track.bounding_box()["width"] for track in tracks.all()]
    assert widths and min(widths) >= 150, widths
    knobs, picture = (
        panel.locator(name).bounding_box() for name in (".edalab-knobs", ".edalab-picture")
    )
    assert picture["y"] - knobs["y"] < 330  # the notebook has about 400
    page.context.close()


def test_on_a_zoomed_page_all_rates_are_in_sight_and_no_heading_stands_at_the_cut(lab, browser):
    page, panel = opened(lab, browser, 1.5)
    knobs = panel.locator(".edalab-knobs").bounding_box()
    cut = knobs["y"] + knobs["height"] - 8
    rates = panel.locator(".edalab-group-faults .widget-slider")
    boxes = [rate.bounding_box() for rate in rates.all()]
    assert len(boxes) == 6 and all(box["y"] + box["height"] <= cut for box in boxes)
    headings = [one.bounding_box() for one in panel.locator(".edalab-knobs .edalab-heading").all()]
    assert all(
        box is None or box["y"] + box["height"] + 20 < cut or box["y"] > cut for box in headings
    )
    page.context.close()


def test_a_picture_stays_where_it_was_scrolled_to_and_follows_its_cursor(lab, browser):
    page, panel = opened(lab, browser, 1.5)
    sheet = panel.locator(".widget-html-content:has(> .edalab-picture)")
    play = panel.get_by_role("button", name="play", exact=True)
    seed = panel.locator("[role=slider][aria-label=seed]")

    def wait(where):
        page.wait_for_function(f"e => {where}", arg=sheet.element_handle())

    assert sheet.evaluate("e => e.scrollLeft") == 0  # the names of the lanes are seen
    sheet.evaluate("e => { e.scrollLeft = 30; }")
    code = panel.locator(".edalab-code")
    before = code.inner_text()
    seed.press("ArrowRight")  # with another picture, and the same cursor
    expect(code).not_to_have_text(before, timeout=30_000)  # the panel writes it anew
    page.wait_for_timeout(500)
    assert sheet.evaluate("e => e.scrollLeft") == 30
    play.click()
    wait("e.scrollLeft > 90")
    page.context.close()


def test_every_control_has_a_name_and_shows_the_focus(lab, browser):
    page, panel = opened(lab, browser, 1)
    panel.locator("[role=slider][aria-label=seed]").wait_for()
    for part in panel.locator("[role=slider], select:enabled, input:enabled, button").all():
        if not part.is_visible():
            continue
        named = "e => e.ariaLabel || e.labels?.[0]?.textContent || e.textContent || e.title || e.placeholder"
        assert part.evaluate(named), part.evaluate("e => e.outerHTML.slice(0, 300)")
    panel.locator("select").first.focus()
    for _ in range(6):
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.context.close()


@pytest.mark.parametrize("zoom", [1, 1.5])
def test_a_picked_mark_is_seen_and_an_unfolded_list_is_read(lab, browser, zoom):
    cell = nbformat.v4.new_code_cell(CELL)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata=kernel)
    nbformat.write(notebook, lab.folder / "notebooks" / "panel.ipynb")
    page, panel = opened(lab, browser, zoom, "panel.ipynb")
    panel.get_by_role("tab", name="Every fault").click()
    panel.get_by_role("tab", name="✗").wait_for(timeout=60_000)
    window = page.locator(".jp-NotebookPanel:visible .jp-WindowedPanel-outer").bounding_box()
    sheet = panel.locator(".edalab-marks")

    def seen(part):
        box, right = part.bounding_box(), sheet.bounding_box()
        across = (
            box["x"] >= right["x"] - 1
            and box["x"] + box["width"] <= right["x"] + right["width"] + 1
        )
        return across and window["y"] - 1 <= box["y"] < window["y"] + window["height"] - 20

    panel.locator("button.edalab-cell[aria-expanded]").last.click()  # at the right, below
    run = panel.locator(".edalab-run").nth(3)
    run.scroll_into_view_if_needed()
    assert seen(run) and seen(run.locator("span")), run.bounding_box()
    run.click()
    picture = panel.locator(".edalab-picture svg")
    picture.wait_for()
    page.wait_for_timeout(500)
    first = panel.locator("select" if zoom == 1 else ".edalab-chip").first.bounding_box()
    assert window["y"] - 1 <= first["y"] < window["y"] + 100, first
    assert picture.bounding_box()["y"] < window["y"] + window["height"] - 100
    page.context.close()

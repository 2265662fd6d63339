"""A panel on a small laptop: what only a browser shows. Nothing moves under the hand, no point is cut, print is seen."""

import re

import nbformat
import pytest

CELL = """
from edalab import Claim, Event, System
from edalab.panels import Laboratory

class OrderPlaced(Event, topic="orders", key="order_id"):
    order_id: str

class CustomerRegisteredSuccessfully(Event, key="order_id"):
    order_id: str

def shop():
    shop = System("shop")
    payments = shop.service("payments", schema="create table charges (order_id text)")
    @payments.on(OrderPlaced)
    def charge(event, ctx):
        print("charging", event.order_id, "at", ctx.now)
        with ctx.database as db:
            db.execute("insert into charges values (?)", (event.order_id,))
        return CustomerRegisteredSuccessfully(order_id=event.order_id)
    @shop.service("notifications").on(CustomerRegisteredSuccessfully)
    def write(event): ...
    return shop

def many(number):
    async def orders(ctx):
        for n in range(number):
            await ctx.publish(OrderPlaced(order_id=f"o{n}"))
            await ctx.sleep(0.1)
    return orders

@Claim("each order is charged once")
def charged_once(run):
    sql = "select order_id, count(*) from charges group by 1 having count(*) > 1"
    return [f"{order} was charged {times} times, which nobody wants" for order, times in run.rows("payments", sql)]

@Claim("no order is charged twice, not even where a message is delivered again")
def twice(run):
    return charged_once.function(run)

Laboratory(shop(), many(24), claims=[charged_once, twice])
"""


@pytest.fixture
def panel(lab, page):
    page.set_viewport_size({"width": 1366, "height": 768})
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)], metadata=kernel)
    nbformat.write(notebook, lab.folder / "notebooks" / "panel.ipynb")
    lab.open(page, "panel.ipynb")
    lab.run_all(page)
    return lab.panel(page)


def test_what_one_clicks_stays_where_it_is_whatever_is_said(page, panel, screenshot):
    panel.locator(".edalab-picture svg").wait_for()
    clicked = [
        panel.get_by_role("button", name="◀ step"),
        panel.get_by_role("tab", name="Flow"),
        panel.get_by_placeholder("more faults, as text"),
        panel.locator(".widget-slider:has(label:text-is('seed'))"),
        panel.get_by_placeholder("key or correlation id"),
    ]

    def places():
        """In the panel, whose own place changes when it is scrolled to."""
        top = panel.bounding_box()
        return [
            (box["x"], box["y"] - top["y"]) for box in (each.bounding_box() for each in clicked)
        ]

    before, said = places(), panel.locator(".struck:visible")
    faults, story = panel.get_by_placeholder("more faults, as text"), clicked[-1]
    for text, words in [
        ("crash payments.comit.OrderPlaced", "Did you mean 'commit'?"),
        ("crash nobody.commit.OrderPlaced", "no service 'nobody'"),
        ("x" * 500, "is not a fault"),
    ]:
        faults.fill(text)
        faults.press("Enter")
        said.filter(has_text=words).wait_for()
        assert places() == before
    screenshot("panel-wrong-fault")
    faults.fill("crash payments.commit.OrderPlaced #2; crash payments.commit.OrderPlaced #4")
    faults.press("Enter")
    said.filter(has_text="o1 was charged 2 times").first.wait_for()
    assert places() == before
    story.fill("o77")
    story.press("Enter")
    said.filter(has_text="no story 'o77'").wait_for()
    assert places() == before
    faults.fill("")
    faults.press("Enter")

    # No point is cut in the list, and the longest is told in full below.
    points = panel.locator("select").first
    points.select_option(label="notifications · deliver CustomerRegisteredSuccessfully")
    panel.locator(".edalab-hint", has_text="CustomerRegisteredSuccessfully was reached").wait_for()
    room = points.evaluate(
        """select => {
          const style = getComputedStyle(select), pen = document.createElement('canvas').getContext('2d');
          pen.font = style.font;
          const text = Math.max(...[...select.options].map(option => pen.measureText(option.text).width));
          return select.clientWidth - parseFloat(style.paddingLeft) - 20 - text;
        }"""
    )
    assert room >= 0
    assert places()[0] == before[0] and places()[3:] == before[3:]
    screenshot("panel-long-point")


def test_print_is_seen_where_a_knob_is_turned_and_a_story_is_found(page, panel, screenshot):
    printed = panel.locator("pre.edalab-printed:visible")
    printed.filter(has_text="charging o0 at 0.02\n").wait_for()
    assert printed.bounding_box()["height"] < 120  # the rest can be scrolled to
    panel.locator("select").first.select_option(label="payments · deliver OrderPlaced")
    panel.locator("select").nth(1).select_option(label="delay")
    panel.locator(".edalab-code", has_text="delay payments").wait_for()
    printed.filter(has_not_text="charging o0 at 0.02\n").wait_for()
    printed.filter(has_text="charging o1 ").wait_for()

    picture, story = (
        panel.locator(".edalab-picture svg"),
        panel.get_by_placeholder("key or correlation id"),
    )
    picture.filter(has_text="steps hidden").wait_for()
    story.fill("o21")
    story.press("Enter")
    picture.filter(has_text="the story of OrderPlaced client-22 (o21)").wait_for()
    panel.locator(".edalab-code", has_text='timeline(run, correlation="o21")').wait_for()
    panel.locator(
        ".edalab-code", has_text="# First name what you gave to Laboratory: system = …"
    ).wait_for()
    screenshot("panel-story")

    # A mark that is picked brings the cursor to its fault.
    panel.get_by_role("tab", name="Every fault").click()
    panel.get_by_role("tab", name="✗").wait_for(timeout=60_000)
    mark = panel.locator(
        ".edalab-marks path title", has_text="crash payments.handle.OrderPlaced #1"
    )
    mark.first.locator("..").click(force=True)
    picture.filter(has_text="crash before handling").wait_for()
    panel.get_by_role("tab", name="State at 0.02 s").wait_for()
    assert story.input_value() == ""
    screenshot("panel-picked")


def test_a_count_in_the_matrix_unfolds_and_folds_and_a_run_of_its_list_is_picked(
    page, panel, screenshot
):
    picture, code = panel.locator(".edalab-picture svg"), panel.locator(".edalab-code")
    runs, tab = panel.locator(".edalab-run"), panel.get_by_role("tab", name="Every fault")
    tab.click()
    panel.get_by_role("tab", name="✗").wait_for(timeout=60_000)
    count = panel.get_by_role("button", name="crash payments.commit.OrderPlaced: 24 runs").last
    handled = panel.get_by_role("button", name="fail payments.handle.OrderPlaced: 24 runs").last

    # By mouse: a click unfolds, another folds; another count takes the place of the first.
    count.click()
    assert runs.count() == 24 and count.get_attribute("aria-expanded") == "true"
    assert runs.nth(1).inner_text().startswith("✗ AB")
    screenshot("panel-unfolded")
    count.click()
    assert runs.count() == 0 and count.get_attribute("aria-expanded") == "false"
    count.click()
    handled.click()
    assert runs.count() == 24 and runs.first.inner_text().startswith("✓")
    assert panel.locator(".edalab-cell[aria-expanded=true]").count() == 1
    count.click()
    runs.filter(has_text="#17:").click()
    code.filter(has_text="crash payments.commit.OrderPlaced #17").wait_for()
    picture.wait_for()
    timeline = panel.get_by_role("tab", name="Timeline")
    assert timeline.get_attribute("aria-selected") == "true"
    screenshot("panel-unfolded-picked")

    # By keyboard: Enter unfolds, Escape folds and comes back to the count.
    tab.click()
    count.wait_for()
    assert runs.count() == 0
    count.focus()
    page.keyboard.press("Enter")
    assert runs.first.evaluate("run => run === document.activeElement")
    page.keyboard.press("Escape")
    assert runs.count() == 0 and count.evaluate("it => it === document.activeElement")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    code.filter(has_text=re.compile(r"OrderPlaced #2\b")).wait_for()
    picture.wait_for()

    # A click on the matrix of other settings, greyed while this one is tried, picks that very fault.
    tab.click()
    count.click()
    panel.locator(".widget-slider:has(label:text-is('seed')) .noUi-handle").press("ArrowRight")
    panel.locator(".edalab-marks.edalab-stale").wait_for()
    screenshot("panel-greyed")
    runs.filter(has_text="#3:").click()
    code.filter(has_text="crash payments.commit.OrderPlaced #3").wait_for(timeout=60_000)
    code.filter(has_text="seed=1").wait_for()
    picture.wait_for()
    assert timeline.get_attribute("aria-selected") == "true"


def test_an_empty_cell_of_the_matrix_says_why_it_is_empty(panel):
    panel.get_by_role("tab", name="Every fault").click()
    panel.get_by_role("tab", name="✗").wait_for(timeout=60_000)
    empty = panel.locator("span.edalab-cell").first
    empty.hover()
    assert empty.get_attribute("title") == "at the client, explore tries only duplicate and delay"

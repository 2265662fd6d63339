"""A run is kept in a panel, and compared with the one on the screen: by hand, by keyboard, in both themes."""

import nbformat
import pytest

CELL = """
from edalab import Claim, Event, System
from edalab.panels import Laboratory

class OrderPlaced(Event, topic="orders", key="order_id"):
    order_id: str

class PaymentCharged(Event, key="order_id"):
    order_id: str

def shop():
    shop = System("shop")
    payments = shop.service("payments", schema="create table charges (order_id text)")
    @payments.on(OrderPlaced)
    def charge(event, ctx):
        with ctx.database as db:
            db.execute("insert into charges values (?)", (event.order_id,))
        return PaymentCharged(order_id=event.order_id)
    @shop.service("notifications").on(PaymentCharged)
    def write(event): ...
    return shop

async def orders(ctx):
    for n in range(3):
        await ctx.publish(OrderPlaced(order_id=f"o{n}"))
        await ctx.sleep(0.1)

@Claim("each order is charged once")
def charged_once(run):
    sql = "select order_id from charges group by 1 having count(*) > 1"
    return run.rows("payments", sql)

panel = Laboratory(shop(), orders, claims=[charged_once])
panel
"""


@pytest.fixture(params=["Light", "Dark"])
def theme(request, lab, page):
    address = f"{lab.url}lab/api/settings/@jupyterlab/apputils-extension:themes?token={lab.token}"

    def choose(name):
        assert page.request.put(address, data={"raw": f'{{"theme": "JupyterLab {name}"}}'}).ok

    choose(request.param)
    page.set_viewport_size({"width": 1366, "height": 768})
    yield request.param.lower()
    choose("Light")


def test_a_run_is_kept_a_fault_is_chosen_and_a_tab_shows_both(lab, page, theme, screenshot):
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)], metadata=kernel)
    nbformat.write(notebook, lab.folder / "notebooks" / f"compare-{theme}.ipynb")
    lab.open(page, f"compare-{theme}.ipynb")
    lab.run_all(page)
    panel = lab.panel(page)
    keep = panel.get_by_role("button", name="keep this run")
    assert panel.get_by_role("tab", name="Compare").count() == 0
    screenshot(f"compare-{theme}-before")
    keep.focus()
    keep.press("Enter")
    compare = panel.get_by_role("tab", name="Compare")
    compare.wait_for()
    faults = panel.get_by_placeholder("more faults, as text")
    faults.fill("crash payments.commit.OrderPlaced #2")
    faults.press("Enter")
    panel.locator(".edalab-chip", has_text="✗").wait_for()
    compare.click()
    picture = panel.locator(".edalab-picture:visible svg")
    said = "payments crashes at commit of OrderPlaced #2"
    panel.page.locator(f".edalab-picture:visible svg[aria-label*='{said}']").wait_for()
    assert picture.count() == 1
    for words in ("First run: kept", "Second run: on the screen", "o1 (once more)"):
        assert picture.get_by_text(words).count() == 1
    code = panel.locator(".edalab-code")
    code.filter(has_text="compare(kept, run)").wait_for()
    compare.scroll_into_view_if_needed()
    screenshot(f"compare-{theme}")
    code.scroll_into_view_if_needed()
    screenshot(f"compare-{theme}-below")
    before = picture.inner_html()
    panel.get_by_role("button", name="◀ step").click()
    page.wait_for_function(
        """before => [...document.querySelectorAll('.edalab-picture svg')]
                     .every(svg => svg.innerHTML !== before)""",
        arg=before,
    )

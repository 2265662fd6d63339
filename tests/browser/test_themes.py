"""What the course shows as HTML can be read in JupyterLab's light theme and in its dark one."""

import nbformat
import pytest

from tools import store

READABLE = 4.5  # WCAG 2, level AA, for words of ordinary size
# Together these cells show whatever edalab writes as HTML, in each of its colours.
CELLS = [
    """from edalab import Claim, Command, Event, EventStore, System, claims
from edalab.panels import Laboratory, TimeTravel
from edalab.practice import check, predict, progress

class Charge(Command, key="order_id"):
    order_id: str

class Charged(Event):
    order_id: str

class Never(Event):
    order_id: str

shop = System("shop")
pay = shop.service("pay", schema="create table charges (order_id text)")

@pay.handles(Charge)
async def charge(command, ctx):
    with ctx.database as db:
        db.execute("insert into charges values (?)", (command.order_id,))
    await ctx.publish(Charged(order_id=command.order_id))

async def one(ctx):
    await ctx.send(Charge(order_id="a"))

@Claim("charged once")
def once(run):
    if len(run.rows("pay", "select * from charges")) != 1:
        yield "a"

@Claim("never ending", about=Never)
def never(run):
    return ()

@Claim("charged")
def charged(run):
    if not run.rows("pay", "select * from charges"):
        yield "a"

def answer(number):
    def smallest_attempts():
        print("printed")
        return number, "a"
    return smallest_attempts

def stub():
    raise NotImplementedError()""",
    'predict("How many?", [1, 2], default=1)',
    'predict("How many?", [1, 2], default=1).against(2)',
    'check(stub, "05.2")',
    'check(answer(5), "05.2")',
    'check(answer(6), "05.2")',
    "progress()",
    """broken = Laboratory(shop, one, claims=[once, never, charged])
broken.plan.value = "crash pay.publish.Charged #1"
broken.cursor.value = 0.03
broken.tabs.selected_index = 3
broken.tabs.selected_index = 2
broken""",
    """refused = Laboratory(shop, one, claims=[once])
refused.point.value, refused.nth.value = "pay.publish.Charged", 7
refused.plan.value = "nonsense"
refused.tabs.selected_index = 3
refused""",
    """facts = EventStore(":memory:")
facts.append("a", [Charged(order_id="2")], recorded="2026-01-02")
facts.append("a", [Charged(order_id="1")], happened="2026-01-01", recorded="2026-01-03")
travel = TimeTravel(facts, "a", lambda state, event: state + 1, 0)
travel.as_of.value = "2026-01-02"
travel""",
    'TimeTravel(facts, "a", lambda state, event: state + event.amount, 0)',
]
# Every element with words of its own in HTML of ours: the words, and their contrast with what is painted behind them.
MEASURE = """() => {
  const pen = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const paint = (colours) => {
    pen.fillStyle = '#fff'; pen.fillRect(0, 0, 1, 1);
    for (const colour of colours) { pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1); }
    const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data].map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const grounds = (element) => element ? [...grounds(element.parentElement), getComputedStyle(element).backgroundColor] : [];
  const within = '.jp-NotebookPanel:not(.lm-mod-hidden) .jp-OutputArea-output';
  const found = [];
  for (const element of document.querySelectorAll(`${within} .widget-html-content *, ${within}.jp-RenderedHTML *`)) {
    const words = [...element.childNodes].filter(n => n.nodeType === 3).map(n => n.data.trim()).join(' ').trim();
    if (!words || element.closest('svg, style') || !element.getClientRects().length) continue;
    const behind = grounds(element);
    const [light, dark] = [paint(behind), paint([...behind, getComputedStyle(element).color])].sort((a, b) => b - a);
    found.push([words.slice(0, 60), Math.round(100 * (light + 0.05) / (dark + 0.05)) / 100]);
  }
  return found;
}"""


@pytest.fixture(params=["Light", "Dark"])
def theme(request, lab, page):
    """JupyterLab in this theme."""
    address = f"{lab.url}lab/api/settings/@jupyterlab/apputils-extension:themes?token={lab.token}"

    def choose(name):
        assert page.request.put(address, data={"raw": f'{{"theme": "JupyterLab {name}"}}'}).ok

    choose(request.param)
    page.set_viewport_size({"width": 1366, "height": 768})
    yield request.param.lower()
    choose("Light")


def unreadable(page, *expected):
    """The words that cannot be read; those expected are there."""
    found = page.evaluate(MEASURE)
    missing = [words for words in expected if not any(words in shown for shown, _ in found)]
    assert not missing, (missing, found)
    return [one for one in found if one[1] < READABLE]


def test_all_html_can_be_read(lab, page, theme, screenshot):
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    path = lab.folder / "notebooks" / f"colours-{theme}.ipynb"
    path.write_text(store.text(store.tidy(nbformat.v4.new_notebook(cells=cells))), "utf-8")
    lab.open(page, path.name)
    lab.run_all(page)
    page.get_by_text("AttributeError: a stored event").first.wait_for()
    assert (
        page.locator(".jp-NotebookPanel:visible .jp-RenderedText[data-mime-type*=err]").count() == 0
    )
    said = ["Choose an answer above", "05.2 not attempted", "05.2 not yet", "05.2 correct", "printed",
            "✗ charged once", "– never ending", "✓", "EXACT FAULT", "run = simulate(", "AttributeError",
            "Never happened", "nonsense", "LEARNED SINCE", "exercises correct"]  # fmt: skip
    bad = unreadable(page, *said)
    for number, place in enumerate(page.locator(".jp-NotebookPanel:visible .jp-CodeCell").all()):
        if number % 3 == 0:
            place.scroll_into_view_if_needed()
            screenshot(f"colours-{theme}-{number}")
    for name in ("Tables", "State"):
        for panel in page.locator(".edalab-panel", has_text="EXACT FAULT").all():
            panel.get_by_role("tab", name=name).click()
            panel.locator(".widget-tab-contents table:visible").first.wait_for()
        screenshot(f"colours-{theme}-{name.lower()}")
        bad += unreadable(page)
    assert bad == []


def test_what_a_fresh_clone_shows_can_be_read(lab, page, theme, screenshot):
    lab.open(
        page, "05-choreographed-saga.ipynb"
    )  # not run, so its HTML is shown without what is not trusted
    shown = page.locator(
        ".jp-NotebookPanel:visible .jp-RenderedHTML", has_text="05.2 not attempted"
    )
    shown.scroll_into_view_if_needed()
    screenshot(f"fresh-{theme}")
    assert unreadable(page, "05.2 not attempted", "Choose an answer above") == []

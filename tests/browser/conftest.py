"""A real JupyterLab and a real Chromium, for the tests that look at the course as a learner does.

    lab          the server, in the configuration that the course ships, on a copy of the notebooks
    page         a browser page of 1280 x 800 at 100 %, already let in (lab.open(page, "start.ipynb") opens a notebook)
    shows        shows("no order is charged twice", "✗") waits until the panel says so of a claim
    choose       choose("way", "key by order") turns a knob of the panel
    screenshot   screenshot("name") saves what the page shows in screenshots/name.png, to be looked at

Without a browser the tests skip and say what to install.
"""

import pytest

from tools.browser import ROOT, chromium, jupyterlab, laptop


@pytest.fixture(scope="session")
def lab():
    with jupyterlab() as running:
        yield running


# Not for the whole session: while Playwright runs, its event loop is the thread's, and tests that start one would fail.
@pytest.fixture(scope="module")
def browser():
    try:
        with chromium() as browser:
            yield browser
    except LookupError as error:
        pytest.skip(str(error))


@pytest.fixture
def page(browser, lab):
    with laptop(browser) as page:
        yield page


PANEL = ".jp-NotebookPanel:visible .edalab-panel"


@pytest.fixture
def shows(page):
    def wait(sentence, sign):
        chip = page.locator(f"{PANEL} .edalab-chip", has_text=sentence)
        try:
            chip.filter(has_text=sign).wait_for()
        except Exception as error:  # a log keeps no picture: it says what the panel showed instead
            panels = "\n".join(page.locator(PANEL).all_inner_texts())
            raise AssertionError(f"no {sign} {sentence}; the panel shows:\n{panels}") from error

    return wait


@pytest.fixture
def choose(page):
    def turn(knob, value):
        knob = page.locator(f"{PANEL} .widget-dropdown:has(label:text-is('{knob}')) select")
        knob.select_option(label=value)

    return turn


@pytest.fixture
def screenshot(page):
    folder = ROOT / "screenshots"
    folder.mkdir(exist_ok=True)

    def take(name, **options):
        path = folder / f"{name}.png"
        page.screenshot(path=str(path), **options)
        return path

    return take

"""A real JupyterLab and a real Chromium, for the tests that look at the course as a learner does.

    lab          the server, in the configuration that the course ships, on a copy of the notebooks
    page         a browser page of 1280 x 800 at 100 %, already let in (lab.open(page, "start.ipynb") opens a notebook)
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


@pytest.fixture
def screenshot(page):
    folder = ROOT / "screenshots"
    folder.mkdir(exist_ok=True)

    def take(name, **options):
        path = folder / f"{name}.png"
        page.screenshot(path=str(path), **options)
        return path

    return take

"""A real JupyterLab and a real Chromium, for tests and benchmarks that act as a learner."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from .home import own_home

ROOT = Path(__file__).resolve().parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Lab:
    """A running JupyterLab: its URL, its token, and the folder with its copy of the course."""

    def __init__(self, url, token, folder):
        self.url, self.token, self.folder = url, token, folder

    def __repr__(self):
        return f"<JupyterLab at {self.url}>"

    def address(self, notebook=None):
        """The URL that a learner opens: the printed address, or that of a notebook."""
        if notebook is None:
            return f"{self.url}?token={self.token}"
        # In a workspace of its own. Otherwise JupyterLab reopens, perhaps in front, what an earlier test opened.
        return f"{self.url}lab/workspaces/{notebook.removesuffix('.ipynb')}/tree/notebooks/{notebook}?token={self.token}"

    def open(self, page, notebook=None):
        """Open a notebook (by default the start page) and wait until its kernel is ready."""
        page.goto(self.address(notebook))
        page.locator(".jp-NotebookPanel:visible .jp-Cell").first.wait_for(timeout=60_000)
        self.wait_until_idle(page)

    def run_all(self, page, timeout=120_000):
        """Run > Run All Cells, and wait until the kernel is idle."""
        self.choose(page, "Run", "Run All Cells")
        busy = page.locator(
            ".jp-NotebookPanel:visible .jp-Notebook-ExecutionIndicator[data-status=busy]"
        )
        try:  # until the first cell runs, because idle before that means nothing
            busy.wait_for(timeout=3_000)
        except Exception as error:  # Playwright's TimeoutError, imported only with a browser
            if type(error).__name__ != "TimeoutError":
                raise  # otherwise a short notebook has already finished
        self.wait_until_idle(page, timeout)

    def panel(self, page):
        """The panel of the open notebook, whose cells have run, scrolled into view."""
        panel = page.locator(".jp-NotebookPanel:visible .edalab-panel")
        panel.wait_for(state="attached", timeout=60_000)
        panel.scroll_into_view_if_needed()
        return panel

    def choose(self, page, menu, item):
        page.get_by_role("menuitem", name=menu, exact=True).click()
        page.get_by_role("menuitem", name=item, exact=True).click()

    def wait_until_idle(self, page, timeout=60_000):
        # Both, because the notebook's own indicator shows idle while its kernel is still starting.
        page.locator(
            ".jp-NotebookPanel:visible .jp-Notebook-ExecutionIndicator[data-status=idle]"
        ).wait_for(timeout=timeout)
        page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for(timeout=timeout)


@contextmanager
def jupyterlab() -> Iterator[Lab]:
    """JupyterLab as `jupyter lab` starts it in the course's folder, but without a browser."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        home, folder = Path(scratch, "jupyter"), Path(scratch, "Kurs für Ada")
        for name in ("notebooks", "data"):
            shutil.copytree(
                ROOT / name, folder / name, ignore=shutil.ignore_patterns(".ipynb_checkpoints")
            )
        environment = os.environ | own_home(home)
        environment.pop("JUPYTER_TOKEN", None)
        environment.pop("EDALAB_PROGRESS", None)  # stored like a learner's, next to the copies
        log = home / "lab.log"
        with log.open("wb") as written:
            command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--port=0"]
            server = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=written, stderr=subprocess.STDOUT
            )
        try:
            info = _wait_for(Path(environment["JUPYTER_RUNTIME_DIR"]), server, log)
            yield Lab(info["url"], info["token"], folder)
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()


def _wait_for(runtime: Path, server, log: Path) -> dict:
    """What the server writes about itself once it listens, such as its address and token."""
    for _ in range(600):
        for found in runtime.glob("jpserver-*.json"):
            try:
                return json.loads(found.read_text(encoding="utf-8"))
            except ValueError:
                break  # half written
        if server.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(
        "JupyterLab did not start:\n" + log.read_text(encoding="utf-8", errors="replace")[-3000:]
    )


@contextmanager
def chromium() -> Iterator:
    """A browser of the machine or of Playwright. Raises LookupError if there is none."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = next(filter(None, map(shutil.which, BROWSERS)), None)
        if path is None and Path(playwright.chromium.executable_path).exists():
            path = playwright.chromium.executable_path
        if path is None:
            raise LookupError(
                "no browser found: install Chromium or Google Chrome, or run 'playwright install chromium'"
            )
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def laptop(browser) -> Iterator:
    """A page with the screen size of a laptop."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, device_scale_factor=1)
    page = context.new_page()
    page.set_default_timeout(30_000)
    yield page
    context.close()

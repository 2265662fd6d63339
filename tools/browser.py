"""A real JupyterLab and a real Chromium, for whoever looks at the course as a learner does: tests and benchmarks."""

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
    """A running JupyterLab: where it is, its token, and the folder whose copy of the course it serves."""

    def __init__(self, url, token, folder):
        self.url, self.token, self.folder = url, token, folder

    def __repr__(self):
        return f"<JupyterLab at {self.url}>"

    def address(self, notebook=None):
        """What a learner opens: the printed address, or a notebook's own."""
        if notebook is None:
            return f"{self.url}?token={self.token}"
        # In a workspace of its own: JupyterLab would open again, and maybe in front, what an earlier test had open.
        return f"{self.url}lab/workspaces/{notebook.removesuffix('.ipynb')}/tree/notebooks/{notebook}?token={self.token}"

    def open(self, page, notebook=None):
        """Open a notebook (the start page by itself) and wait until its kernel is ready."""
        page.goto(self.address(notebook))
        page.locator(".jp-NotebookPanel:visible .jp-Cell").first.wait_for(timeout=60_000)
        self.wait_until_idle(page)

    def run_all(self, page, timeout=120_000):
        """Run > Run All Cells, and wait until the kernel has nothing left to do."""
        self.choose(page, "Run", "Run All Cells")
        busy = page.locator(
            ".jp-NotebookPanel:visible .jp-Notebook-ExecutionIndicator[data-status=busy]"
        )
        try:  # until the first cell is on its way: idle before that means nothing
            busy.wait_for(timeout=3_000)
        except (
            Exception
        ) as error:  # Playwright's own TimeoutError, which is imported where a browser is
            if type(error).__name__ != "TimeoutError":
                raise  # else a short notebook is through already
        self.wait_until_idle(page, timeout)

    def panel(self, page):
        """The panel of the notebook that is open, with its cells run, scrolled into view."""
        panel = page.locator(".jp-NotebookPanel:visible .edalab-panel")
        panel.wait_for(state="attached", timeout=60_000)
        panel.scroll_into_view_if_needed()
        return panel

    def choose(self, page, menu, item):
        page.get_by_role("menuitem", name=menu, exact=True).click()
        page.get_by_role("menuitem", name=item, exact=True).click()

    def wait_until_idle(self, page, timeout=60_000):
        # Both: the notebook's own indicator says idle already while its kernel is still on its way.
        page.locator(
            ".jp-NotebookPanel:visible .jp-Notebook-ExecutionIndicator[data-status=idle]"
        ).wait_for(timeout=timeout)
        page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for(timeout=timeout)


@contextmanager
def jupyterlab() -> Iterator[Lab]:
    """JupyterLab as `jupyter lab` starts it in the course's folder, but for the port and the browser it would open."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        home, folder = Path(scratch, "jupyter"), Path(scratch, "Kurs für Ada")
        for name in ("notebooks", "data"):
            shutil.copytree(
                ROOT / name, folder / name, ignore=shutil.ignore_patterns(".ipynb_checkpoints")
            )
        environment = os.environ | own_home(home)
        environment.pop("JUPYTER_TOKEN", None)
        environment.pop("EDALAB_PROGRESS", None)  # kept as a learner's is, beside the copies
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
    """What the server writes about itself once it listens: its address and its token."""
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
    """A browser, of the machine or of Playwright. Raises LookupError where there is none."""
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
    """A page of a laptop's size."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, device_scale_factor=1)
    page = context.new_page()
    page.set_default_timeout(30_000)
    yield page
    context.close()

"""The time from a slider's move in JupyterLab, in a real browser, until the new picture is in the page, and
until it is painted at one of the browser's frames. The peer is a bare slider with one HTML widget whose
pictures were drawn before: it shows the cost of JupyterLab, the kernel's messages and the browser."""

import os
import re
from collections.abc import Iterator
from statistics import median

import nbformat

from edalab.panels.faults_asked import RATES
from tools.browser import ROOT, chromium, jupyterlab, laptop

from .rows import Row

MOVES = 40
DRAG = 60  # steps
SETTLED = 150  # ms after the last step
MATRIX = 300  # ms
SEED = len(RATES)  # the index of this slider in the panel, after the rates
LESSON = "02-event-carried-state-transfer.ipynb"
_TIMELINE = ".jupyter-widget-tab .widget-html-content:has(.edalab-picture)"

_BARE = """
import ipywidgets
from benchmarks.flow import in_arrows
from edalab import simulate
from edalab.view import timeline
run = simulate(*in_arrows({arrows}))
drawn = [timeline(run, start=0, end=run.end / 1000, cursor=n / 10, width=624).svg() for n in range(20)]
slider, picture = ipywidgets.IntSlider(0, min=0, max=99), ipywidgets.HTML()
picture.value = drawn[0]
slider.observe(lambda change: setattr(picture, "value", drawn[change.new % 20] + f"<!-- {{change.new}} -->"), "value")
box = ipywidgets.VBox([slider, picture])
box.add_class("bench")
box
"""
_DRAWN = """
import ipywidgets
from benchmarks.flow import in_arrows
from edalab import Faults, simulate
from edalab.view import timeline
shop, order = in_arrows({arrows})
slider, picture = ipywidgets.IntSlider(0, min=0, max=99), ipywidgets.HTML()
def play(change=None):
    run = simulate(shop, order, seed=slider.value, faults=[Faults(delay=0.1)])
    picture.value = timeline(run, start=0, end=run.end / 1000, width=624).svg() + f"<!-- {{slider.value}} -->"
slider.observe(play, "value")
play()
box = ipywidgets.VBox([slider, picture])
box.add_class("bench")
box
"""
_PANEL = """
from benchmarks.flow import CLAIMS, in_arrows
from edalab.panels import Laboratory
shop, order = in_arrows({arrows})
lab = Laboratory(shop, order, CLAIMS)
lab._panel.add_class("bench")
lab.delay.value = 0.1
lab
"""

# Moves the slider with a key, each time after the picture of the previous move is painted.
_MOVE = """
async ([slider, picture, moves]) => {
  const root = document.querySelector('.bench');
  const handle = root.querySelectorAll('.noUi-handle')[slider];
  const painted = () => new Promise(done => requestAnimationFrame(() => { const c = new MessageChannel(); c.port1.onmessage = done; c.port2.postMessage(0); }));
  const taken = [];
  handle.focus();
  for (let n = 0; n < moves; n++) {
    const key = n % 40 < 20 ? 'ArrowRight' : 'ArrowLeft';
    const changed = new Promise(done => {
      const watch = new MutationObserver(() => { watch.disconnect(); done(); });
      watch.observe(root.querySelector(picture), {childList: true, subtree: true, characterData: true});
    });
    const start = performance.now();
    handle.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
    const late = new Promise(done => setTimeout(() => done('late'), 3000));
    if (await Promise.race([changed, late]) === 'late') continue;
    const there = performance.now() - start;
    await painted();
    taken.push([there, performance.now() - start]);
    await new Promise(done => setTimeout(done, 60));
  }
  return taken;
}
"""
# Moves it without waiting, a step per frame. Returns the time from the last step to the last change.
_DRAG = """
async ([slider, picture, steps, key]) => {
  const root = document.querySelector('.bench');
  const handle = root.querySelectorAll('.noUi-handle')[slider];
  let last = performance.now();
  const watch = new MutationObserver(() => { last = performance.now(); });
  watch.observe(root.querySelector(picture), {childList: true, subtree: true, characterData: true});
  for (let n = 0; n < steps; n++) {
    handle.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
    await new Promise(done => requestAnimationFrame(done));
  }
  const end = performance.now();
  await new Promise(done => setTimeout(done, 1500));
  watch.disconnect();
  return Math.max(0, last - end);
}
"""


def opened(lab, page, name: str, source: str):
    """Write a notebook of one cell into the course's folder, open it and run it."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)], metadata=kernel)
    nbformat.write(notebook, lab.folder / "notebooks" / f"{name}.ipynb")
    lab.open(page, f"{name}.ipynb")
    lab.run_all(page)
    page.locator(".bench").first.wait_for()
    page.wait_for_timeout(1_000)


def rows(small: bool) -> Iterator[Row]:
    moves, before = 10 if small else MOVES, os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(ROOT)  # the notebooks import this folder
    try:
        with jupyterlab() as lab, chromium() as browser:
            for arrows, most in ((60, 25), (300, 40)):
                yield from _sliders(lab, browser, arrows, most, moves)
            yield _matrix(lab, browser, moves)
    finally:
        os.environ["PYTHONPATH"] = before or ""


def _sliders(lab, browser, arrows: int, most: int, moves: int) -> Iterator[Row]:
    took, drags = {}, {}
    for name, source, slider, picture in (
        ("bare", _BARE, 0, ".widget-html-content"),
        ("drawn", _DRAWN, 0, ".widget-html-content"),
        ("panel", _PANEL, SEED, _TIMELINE),
    ):
        with laptop(browser) as page:
            opened(lab, page, f"{name}-{arrows}", source.format(arrows=arrows))
            page.evaluate(_MOVE, [slider, picture, 5])
            took[name] = page.evaluate(_MOVE, [slider, picture, moves])
            drags[name] = [
                page.evaluate(_DRAG, [slider, picture, DRAG, key])
                for key in ("ArrowRight", "ArrowLeft") * 2
            ]
    floor = _there(took["bare"])
    beside = f"a bare slider and the same picture, drawn before: {_said(took['bare'])}"
    for name, words in (
        ("drawn", f"`simulate`, a timeline of all {arrows} arrows"),
        ("panel", f"the Laboratory, a run of {arrows} arrows"),
    ):
        mine, settled = _there(took[name]), median(drags[name])
        spread = sorted(ms / floor for ms, _ in took[name])
        yield Row(
            f"slider to picture: {words}",
            _said(took[name]),
            beside,
            spread,
            None,
            f"at most {most} ms",
            mine <= most,
        )
        what = f"settled after a drag of {DRAG} steps: {words}"
        beside_one = f"a bare slider dragged: {median(drags['bare']):.0f} ms"
        spread = sorted(ms / max(1, median(drags["bare"])) for ms in drags[name])
        yield Row(
            what,
            f"{settled:.0f} ms",
            beside_one,
            spread,
            None,
            f"at most {SETTLED} ms",
            settled <= SETTLED,
        )


def _matrix(lab, browser, moves: int) -> Row:
    """The fault matrix of lesson 02 (every single fault) when the seed changes, against its timeline."""
    with laptop(browser) as page:
        lab.open(page, LESSON)
        lab.run_all(page)
        panel = lab.panel(page)
        panel.evaluate("panel => panel.classList.add('bench')")
        page.evaluate(_MOVE, [SEED, _TIMELINE, 5])
        line = page.evaluate(_MOVE, [SEED, _TIMELINE, moves])
        panel.get_by_role("tab", name=re.compile("^Every fault")).click()
        page.wait_for_timeout(2_000)
        took = page.evaluate(_MOVE, [SEED, ".edalab-marks", moves])
    floor, mine = _there(line), _there(took)
    spread, wanted = sorted(ms / floor for ms, _ in took), f"at most {MATRIX} ms"
    return Row(
        "slider to fault matrix, lesson 02",
        _said(took),
        f"its timeline: {_said(line)}",
        spread,
        None,
        wanted,
        mine <= MATRIX,
    )


def _there(took: list) -> float:
    """The median time until the new picture is in the page; the browser paints it at its next frame."""
    return median(ms for ms, _ in took)


def _said(took: list) -> str:
    return f"{_there(took):.0f} ms, painted {median(painted for _, painted in took):.0f} ms"

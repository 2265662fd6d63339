"""`python -m edalab doctor`: what a learner's machine has, and what to do where something is missing. It runs, too, in an
older Python and where nothing is installed."""

from __future__ import annotations

import os
import re
import socket
import sys
import tempfile
import webbrowser
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

PYTHON = 3, 11
AGAIN = 'in the folder of the course: pip install -e ".[test]", or uv sync'
_FRONT_ENDS = {"ipywidgets": "@jupyter-widgets/jupyterlab-manager", "anywidget": "anywidget"}


def doctor(say: Callable[[str], None] = print) -> int:
    """Say of each thing that the course needs whether it is there (✓), or (✗) what to do; return how many are not."""
    missing = 0
    for ailment in (_python, _packages, _jupyter, _widgets, _loopback, _browser, _writing):
        for sound, what in _examined(ailment):
            missing += not sound
            say(f"{'✓' if sound else '✗'} {what}")
    say(
        "All is well: begin with notebooks/start.ipynb."
        if not missing
        else f"{missing} to mend, the first one first."
    )
    return missing


def _examined(ailment: Callable[[], Iterator[tuple[bool, str]]]) -> Iterator[tuple[bool, str]]:
    try:
        yield from ailment()
    except ImportError as error:
        lacks = error.name or error.args[0]
        yield False, f"{lacks} is not installed in {sys.executable}; {AGAIN}"


def _python() -> Iterator[tuple[bool, str]]:
    has, wanted = (".".join(map(str, version)) for version in (sys.version_info[:3], PYTHON))
    good = sys.version_info[:2] >= PYTHON
    yield (
        good,
        f"Python {has}"
        if good
        else f"Python {has}: the course needs {wanted} or newer, from python.org or your package manager",
    )


def _packages() -> Iterator[tuple[bool, str]]:
    installed, sound = {}, []
    for text in metadata.requires("edalab"):
        name, extra = re.match(r"[\w.-]+", text)[0], re.search(r"extra == ['\"]([\w-]+)", text)
        if extra and extra[1] != "course":
            continue
        try:
            installed[text] = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield False, f"{name} is not installed; {AGAIN}"
    from packaging.requirements import Requirement  # after the rest: the core alone lacks it

    for text, has in installed.items():
        asked = Requirement(text)
        if asked.specifier.contains(has, prereleases=True):
            sound.append(f"{asked.name} {has}")
        else:
            yield False, f"{asked.name} {has} does not fit, {asked.specifier} is needed; {AGAIN}"
    yield True, ", ".join(dict.fromkeys(sound))  # an editable install asks for one twice


def _jupyter() -> Iterator[tuple[bool, str]]:
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_core import paths

    kernels = KernelSpecManager().find_kernel_specs()
    good = "python3" in kernels
    yield (
        good,
        "a Python kernel for notebooks"
        if good
        else "no Python kernel: python -m ipykernel install --user",
    )
    for variable in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        place = Path(getattr(paths, variable.lower())())
        if not _writable(place):
            yield (
                False,
                f"Jupyter cannot write to {place}: set the environment variable {variable} to a folder of your own",
            )


def _widgets() -> Iterator[tuple[bool, str]]:
    from jupyter_core.paths import jupyter_path

    for package, front_end in _FRONT_ENDS.items():
        good = any(
            (Path(folder) / front_end / "package.json").exists()
            for folder in jupyter_path("labextensions")
        )
        what = f"{package}'s part in the browser"
        yield (
            good,
            what if good else f"{what} is missing: install {package} beside jupyterlab; {AGAIN}",
        )


def _loopback() -> Iterator[tuple[bool, str]]:
    try:
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            socket.create_connection(server.getsockname(), timeout=2),
        ):
            pass
        yield True, "this computer can be reached by itself (127.0.0.1)"
    except OSError as error:
        yield (
            False,
            f"127.0.0.1 cannot be reached ({error.strerror}): allow Python in your firewall or security program",
        )


def _browser() -> Iterator[tuple[bool, str]]:
    try:
        webbrowser.get()
        yield True, "a browser to open"
    except webbrowser.Error:
        yield (
            True,
            "no browser that Python can open: copy the address that `jupyter lab` prints into one",
        )


def _writing() -> Iterator[tuple[bool, str]]:
    here = Path.cwd()
    yield (
        (True, "this folder can be written to: notebooks and progress are kept")
        if _writable(here)
        else (
            False,
            f"the folder {str(here)!r} cannot be written to: copy the course to a folder of your own",
        )
    )


def _writable(place: Path) -> bool:
    """Whether a file can be made in a folder or, where there is none yet, in the nearest above it."""
    there = next(filter(os.path.lexists, (place, *place.parents)), place)
    try:
        with tempfile.TemporaryFile(dir=there):
            return True
    except OSError:
        return False

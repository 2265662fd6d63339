"""`python -m edalab doctor` reports what the course needs, what this machine lacks, and what to do.

It must run in an older Python, and without any library installed.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

PYTHON = 3, 11
AGAIN = 'in the folder of the course: pip install -e ".[test]", or uv sync'
Finding = tuple[bool, str]  # whether a thing is present, and what it is or what to do
_FRONT_ENDS = {"ipywidgets": "@jupyter-widgets/jupyterlab-manager", "anywidget": "anywidget"}


def doctor(say: Callable[[str], None] = print) -> int:
    """Report a line for each thing that the course needs: ✓, or ✗ and what to do.

    `say` receives each line. Returns the number of missing things.
    """
    missing = 0
    for examine in (_python, _packages, _jupyter, _widgets, _loopback, _writing):
        try:
            for good, what in examine():
                missing += not good
                say(f"{'✓' if good else '✗'} {what}")
        except ImportError as error:
            missing += 1
            say(f"✗ {error.name or error.args[0]} is not installed in {sys.executable}; {AGAIN}")
    mend = f"{missing} to fix. Begin with the first one."
    say(mend if missing else "All is well. Begin with notebooks/start.ipynb.")
    return missing


def _python() -> Iterator[Finding]:
    has, wanted = (".".join(map(str, version)) for version in (sys.version_info[:3], PYTHON))
    good = sys.version_info[:2] >= PYTHON
    mend = f": the course needs {wanted} or newer, from python.org or your package manager"
    yield good, f"Python {has}" + ("" if good else mend)


def _packages() -> Iterator[Finding]:
    installed, sound = {}, []
    for text in metadata.requires("edalab") or ():
        name = re.split(r"[^\w.-]", text, maxsplit=1)[0]
        extra = re.search(r"extra == ['\"]([\w-]+)", text)
        if extra and extra[1] != "course":
            continue
        try:
            installed[text] = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield False, f"{name} is not installed; {AGAIN}"
    from packaging.requirements import Requirement  # last, because the core alone lacks it

    for text, has in installed.items():
        asked = Requirement(text)
        if asked.specifier.contains(has, prereleases=True):
            sound.append(f"{asked.name} {has}")
        else:
            yield False, f"{asked.name} {has} does not fit, {asked.specifier} is needed; {AGAIN}"
    yield True, ", ".join(dict.fromkeys(sound))  # an editable install lists one twice


def _jupyter() -> Iterator[Finding]:
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_core import paths

    kernels = KernelSpecManager().find_kernel_specs()
    good = "python3" in kernels
    missing = "no Python kernel: python -m ipykernel install --user"
    yield good, "a Python kernel for notebooks" if good else missing
    for variable in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        place = Path(getattr(paths, variable.lower())())
        if not _writable(place):
            mend = f"set the environment variable {variable} to a folder of your own"
            yield False, f"Jupyter cannot write to {place}: {mend}"


def _widgets() -> Iterator[Finding]:
    from jupyter_core.paths import jupyter_path

    for package, front_end in _FRONT_ENDS.items():
        folders = jupyter_path("labextensions")
        good = any((Path(folder) / front_end / "package.json").exists() for folder in folders)
        missing = "" if good else f" is missing: install {package} beside jupyterlab; {AGAIN}"
        yield good, f"{package}'s part in the browser{missing}"


def _loopback() -> Iterator[Finding]:
    try:
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            socket.create_connection(server.getsockname(), timeout=2),
        ):
            pass
        yield True, "this computer can connect to itself (127.0.0.1)"
    except OSError as error:
        mend = "allow Python in your firewall or security program"
        yield False, f"127.0.0.1 cannot be reached ({error.strerror}): {mend}"


def _writing() -> Iterator[Finding]:
    here = Path.cwd()
    good = _writable(here)
    can = "this folder can be written to, so your notebooks and progress are kept"
    mend = f"the folder {str(here)!r} cannot be written to: copy the course to a folder of your own"
    yield good, can if good else mend


def _writable(place: Path) -> bool:
    """Whether a file can be made in a folder or, if it does not exist, in the nearest above it."""
    there = next(filter(os.path.lexists, (place, *place.parents)), place)
    try:
        with tempfile.TemporaryFile(dir=there):
            return True
    except OSError:
        return False

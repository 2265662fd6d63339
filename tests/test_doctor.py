"""The doctor says in one line each what a machine has, and what to do where something is missing."""

import os
import re
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from edalab.doctor import doctor

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def examine() -> list[str]:
        said: list[str] = []
        doctor(said.append)
        return said

    return examine


def test_a_machine_that_has_all_is_well(told):
    said = told()
    assert all(line.startswith("✓") for line in said[:-1]) and said[-1].startswith("All is well")


def test_it_is_one_command():
    able = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-m", "edalab", "doctor"], capture_output=True, encoding="utf-8", env=able
    )
    assert done.returncode == 0 and done.stdout.startswith("✓ Python")
    poor = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "edalab", "doctor"], capture_output=True, text=True, env=poor
    )
    assert done.returncode == 0 and done.stdout.startswith("? Python")
    done = subprocess.run([sys.executable, "-m", "edalab"], capture_output=True, text=True)
    assert done.returncode == 1 and "python -m edalab doctor" in done.stderr


def test_a_package_that_is_missing_or_too_old_is_named_with_what_to_do(told, monkeypatch):
    version = metadata.version

    def poor(name):
        if name == "networkx":
            raise metadata.PackageNotFoundError(name)
        return "0.1" if name == "pandas" else version(name)

    monkeypatch.setattr(metadata, "version", poor)
    wrong = [line for line in told() if line.startswith("✗")]
    assert [line.split()[1] for line in wrong] == ["networkx", "pandas"] and all(
        "pip install" in line for line in wrong
    )


def test_an_old_python_is_told(told, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    wanted = metadata.metadata("edalab")["Requires-Python"].removeprefix(">=")
    assert told()[0].startswith(f"✗ Python 3.9.1: the course needs {wanted} or newer")


def test_a_python_in_which_the_course_is_not_installed_is_told():
    """As who types `python` where another Python than the course's answers: the folder is there, and nothing else."""
    bare = [sys.executable, "-I", "-S", "-c", f"import sys, runpy; sys.path.insert(0, {str(ROOT)!r}); sys.argv = ['-m', 'doctor']\n"
            "runpy.run_module('edalab', run_name='__main__', alter_sys=True)"]  # fmt: skip
    done = subprocess.run(
        bare, capture_output=True, text=True, encoding="utf-8", env={"PYTHONUTF8": "1"}
    )
    assert done.returncode == 1 and not done.stderr
    wrong = [line for line in done.stdout.splitlines() if line.startswith("✗")]
    assert [line.split()[1] for line in wrong] == ["edalab", "jupyter_client", "jupyter_core"]
    assert all(
        f"is not installed in {sys.executable}; in the folder of the course: pip install" in line
        for line in wrong
    )
    done = subprocess.run(
        [
            *bare[:-1],
            bare[-1].split(";")[0] + f"; sys.path.insert(0, {str(ROOT)!r}); import edalab",
        ],
        capture_output=True,
        text=True,
    )
    # Whoever is not the doctor gets Python's own words, of the first library that is imported.
    assert "ModuleNotFoundError: No module named 'pydantic_core'" in done.stderr


def test_a_loopback_that_is_closed_is_told(told, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "create_server", refused)
    assert any(line.startswith("✗ 127.0.0.1") and "firewall" in line for line in told())


def test_widgets_without_their_part_in_the_browser_are_told(told, monkeypatch, tmp_path):
    monkeypatch.setattr("jupyter_core.paths.jupyter_path", lambda *_: [str(tmp_path)])
    assert sum(line.startswith("✗") and "part in the browser" in line for line in told()) == 2


def test_a_folder_that_cannot_be_written_to_is_told(told, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", denied)
    assert any(line.startswith("✗ the folder") and "copy the course" in line for line in told())


def test_a_home_that_jupyter_cannot_write_to_is_told_until_the_advice_is_followed(
    told, monkeypatch, tmp_path
):
    no_folder = tmp_path / "home"
    no_folder.write_text("", encoding="utf-8")
    variables = [f"JUPYTER_{name}_DIR" for name in ("CONFIG", "DATA", "RUNTIME")]
    for variable in variables:
        monkeypatch.setenv(variable, str(no_folder / "a" / "b"))
    for left in (variables, variables[1:], variables[2:], []):
        wrong = [line for line in told() if line.startswith("✗ Jupyter cannot write")]
        assert re.findall(r"variable (\w+) to a folder of your own", "\n".join(wrong)) == left
        for variable in left[:1]:
            monkeypatch.setenv(variable, str(tmp_path / "made when it is needed"))

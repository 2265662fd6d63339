"""The ways to set up and start the course are what the README says they are."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest
import rattler
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from traitlets.config.loader import PyFileConfigLoader

from edalab.view.theme import DARK

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
NEEDED = [
    needed
    for lines in (PROJECT["project"]["dependencies"], *EXTRAS.values())
    for needed in map(Requirement, lines)
    if needed.name != "edalab"
]
PINS = {
    canonicalize_name(pin.name): pin
    for pin in map(Requirement, PROJECT["tool"]["uv"]["constraint-dependencies"])
}
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    if listed.returncode:
        pytest.skip("this folder is no git clone, so there is no list of tracked files to look at")
    return listed.stdout.splitlines()


def specs() -> list[str]:
    return [line for line in ENVIRONMENT["dependencies"] if isinstance(line, str)]


def test_conda_reads_every_spec_of_the_environment():
    assert [str(rattler.MatchSpec(spec).name.normalized) for spec in specs()] == ["python", "pip"]


def test_the_environment_has_a_python_that_the_course_supports():
    [version] = [spec.removeprefix("python=") for spec in specs() if spec.startswith("python=")]
    assert SpecifierSet(PROJECT["project"]["requires-python"]).contains(f"{version}.0")


def test_the_environment_leaves_the_rest_to_the_project():
    [by_pip] = [line["pip"] for line in ENVIRONMENT["dependencies"] if isinstance(line, dict)]
    assert by_pip == ["-e .[test]"] and ENVIRONMENT["name"] == "edalab"


@pytest.mark.parametrize("needed", NEEDED, ids=str)
def test_what_is_needed_is_pinned_to_a_version_that_will_do(needed):
    pin = PINS[canonicalize_name(needed.name)]
    [exact] = pin.specifier
    assert exact.operator == "==" and needed.specifier.contains(exact.version)


def test_the_core_needs_three_packages_and_the_tests_bring_the_course_along():
    core = {Requirement(line).name for line in PROJECT["project"]["dependencies"]}
    assert core == {"pydantic", "cloudpickle", "tqdm"}
    assert "edalab[course]" in EXTRAS["test"]  # by pip and conda, which install .[test]
    assert PROJECT["dependency-groups"]["dev"] == ["edalab[test,lint]"]  # by uv


def test_nothing_tracked_names_a_package_host_or_this_machines_python():
    assert not {"uv.lock", ".python-version"} & {Path(name).name for name in tracked()}


@pytest.mark.parametrize("workflow_python", ["3.11", "3.12", "3.13"])
def test_the_workflow_runs_on_every_supported_system_and_python(workflow_python):
    workflow = yaml.safe_load(
        (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    )
    matrix = workflow["jobs"]["pinned"]["strategy"]["matrix"]
    assert workflow_python in matrix["python"]
    assert {system.split("-")[0] for system in matrix["os"]} == {"ubuntu", "macos", "windows"}


SKIPPED = """
import pytest
pytest.importorskip("json")

@pytest.mark.parametrize("nothing", [])
def test_an_empty_set(nothing): pass

@pytest.mark.skipif(True, reason="no timer counts the processor's time here")
def test_what_cannot_run(): pass

def test_what_was_not_installed(): pytest.importorskip("what_nobody_installs")
"""


@pytest.mark.parametrize(
    ("nothing_skipped", "counts"),
    [("1", "1 failed, 1 skipped, 2 errors"), ("", "4 skipped")],
)
def test_in_ci_a_test_that_could_run_is_not_skipped(tmp_path, nothing_skipped, counts):
    (tmp_path / "test_some.py").write_text(SKIPPED, encoding="utf-8")
    missing = 'import pytest; pytest.importorskip("what_nobody_installs")'
    (tmp_path / "test_whole_file.py").write_text(missing, encoding="utf-8")
    places = {"PYTHONPATH": str(ROOT), "EDALAB_NOTHING_SKIPPED": nothing_skipped}
    command = [sys.executable, *"-m pytest -q -p conftest --continue-on-collection-errors".split()]
    said = subprocess.run(
        command, cwd=tmp_path, env=os.environ | places, capture_output=True, encoding="utf-8"
    ).stdout
    assert said.splitlines()[-1].startswith(counts), said


def test_no_pth_file_names_the_clone_which_python_reads_in_the_encoding_of_the_locale():
    for path in Path(sysconfig.get_path("purelib")).glob("*.pth"):
        assert os.fsencode(ROOT) not in path.read_bytes(), path.name


# How `jupyter lab` opens the course.


def jupyter_config(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return PyFileConfigLoader(
        "jupyter_lab_config.py", path=str(ROOT / "etc" / "jupyter")
    ).load_config()


@pytest.mark.parametrize("started_in", [".", "notebooks", "docs/decisions"])
def test_jupyter_lab_opens_the_start_page_from_anywhere_in_the_course(started_in, monkeypatch):
    config = jupyter_config(ROOT / started_in, monkeypatch)
    assert Path(config.ServerApp.root_dir) == ROOT
    assert config.LabApp.default_url.removeprefix("/lab/tree/") == "notebooks/start.ipynb"
    assert (ROOT / "notebooks" / "start.ipynb").is_file()


def test_jupyter_lab_keeps_its_token_and_listens_on_this_computer_only(monkeypatch):
    config = jupyter_config(ROOT, monkeypatch)
    assert config.ServerApp.ip == "127.0.0.1"
    assert set(config) == {
        "ServerApp",
        "LabApp",
        "ContentsManager",
    }  # nothing about IdentityProvider: the token stays as Jupyter has it
    assert set(config.ServerApp) == {
        "root_dir",
        "allow_root",
        "ip",
        "kernel_websocket_connection_class",
        "tornado_settings",
    }
    [(name, [folder])] = config.ServerApp.tornado_settings.items()  # where a style sheet lies
    assert name == "static_custom_path"
    assert [file.name for file in Path(folder).iterdir()] == ["custom.css"]


def test_the_style_sheet_of_outputs_has_the_dark_filter_of_panels():
    css = (ROOT / "etc" / "jupyter" / "edalab" / "custom.css").read_text("utf-8")
    assert f"filter: {DARK};" in css


def test_outside_the_course_jupyter_lab_is_left_alone(tmp_path, monkeypatch):
    assert not jupyter_config(tmp_path, monkeypatch)


def test_the_environment_holds_the_configuration_as_it_stands_here():
    installed = Path(sys.prefix) / "etc" / "jupyter"
    for shipped in (ROOT / "etc" / "jupyter").rglob("*.*"):
        copy = installed / shipped.relative_to(ROOT / "etc" / "jupyter")
        if shipped.is_file():
            assert copy.read_bytes() == shipped.read_bytes(), (
                f"install anew: {copy.name} is older than the repository's"
            )


def test_jupyterlab_fetches_no_news():
    from jupyterlab_server.settings_utils import (
        _get_overrides,
    )  # what JupyterLab itself asks at its start

    overrides, error = _get_overrides("")
    assert not error
    assert overrides["@jupyterlab/apputils-extension:notification"] == {
        "fetchNews": "false",
        "checkForUpdates": False,
    }
    shipped = ROOT / "etc/jupyter/labconfig/default_setting_overrides.d/edalab.json"
    assert json.loads(shipped.read_text(encoding="utf-8")).items() <= overrides.items()


# What CONTRIBUTING says about files made from others.


def test_every_file_made_from_another_is_listed_with_its_source_and_command():
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", page, flags=re.MULTILINE)
    assert ("file", "made from", "by") in rows
    named = "\n".join(row[0] for row in rows)
    assert "notebooks/*.ipynb" in named
    for command in re.findall(r"uv run python ([\w/.-]+\.py)", page):
        assert (ROOT / command).is_file(), f"CONTRIBUTING names {command}, which does not exist"


def test_a_folder_called_edalab_in_the_working_directory_does_not_hide_the_package(tmp_path):
    (tmp_path / "edalab").mkdir()
    code = "from edalab import Event; print(Event.__module__)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert ran.stdout.strip() == "edalab.model.messages", ran.stderr

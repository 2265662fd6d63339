"""The README's example does what the README says."""

import importlib.util
import re
from pathlib import Path

import nbformat
import pytest

from edalab import claims, explore, simulate

ROOT = Path(__file__).resolve().parent.parent
LESSONS = sorted(ROOT.glob("notebooks/[0-9]*.ipynb"))
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
spec = importlib.util.spec_from_file_location("readme", ROOT / "tools" / "readme.py")
readme = importlib.util.module_from_spec(spec)
spec.loader.exec_module(readme)


def test_the_example_charges_twice_and_its_stored_picture_is_that_of_the_run():
    names, picture = readme.run()
    assert readme.PICTURE.read_bytes() == picture.png()
    fault = re.search(r'faults=\["(.*?)"\]', readme.example())[1]
    run = simulate(names["shop"], names["one_order"], faults=[fault])
    assert run.rows("payments", "select count(*) from charges") == [(2,)]


def test_trying_every_other_fault_finds_the_mistake_too():
    names, _ = readme.run()
    claim = claims.handled_once(names["OrderPlaced"])
    assert "explore(shop, one_order, [claims.handled_once(OrderPlaced)])" in TEXT
    assert explore(names["shop"], names["one_order"], [claim]).broken(claim)


def test_it_is_one_screen_and_every_link_leads_somewhere():
    assert len(TEXT.splitlines()) <= 110 and len(TEXT.split()) <= 1_100
    for target in re.findall(r"\]\(([^)#]+)", TEXT):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_has_one_title_wherever_it_is_listed(path):
    heading = nbformat.read(path, as_version=4).cells[0].source.splitlines()[0]
    number, title = re.fullmatch(r"# (\d\d)\. (.+)", heading).groups()
    assert f"| {number} | [{title}](notebooks/{path.name}) |" in TEXT
    start = nbformat.read(ROOT / "notebooks" / "start.ipynb", as_version=4)
    assert any(f"| {number} | [{title}]({path.name}) |" in cell.source for cell in start.cells)
    plan = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
    assert re.search(rf"^\|.*\b{number}, {re.escape(title)}(,? | \|)", plan, re.MULTILINE)

"""The README's example does what the README says."""

import importlib.util
import re
from pathlib import Path

from edalab import claims, explore, simulate

ROOT = Path(__file__).resolve().parent.parent
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


def test_every_lesson_has_its_row():
    for lesson in sorted(ROOT.glob("notebooks/[0-9]*.ipynb")):
        assert f"(notebooks/{lesson.name})" in TEXT

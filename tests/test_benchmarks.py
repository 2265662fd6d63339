"""The benchmarks' table says what was measured, and a ratio that has got worse by half is found. (How fast things are is no test.)"""

import json
from pathlib import Path

from benchmarks import __main__ as command
from benchmarks import messages
from benchmarks.flow import in_arrows
from benchmarks.rows import Row, in_turns, number
from edalab import simulate
from edalab.view import timeline


def test_every_side_that_needs_no_peer_handles_every_message():
    assert messages.edalab(50) == messages.heap(50) == 50


def test_a_run_has_as_many_arrows_as_asked_for():
    for arrows in (3, 4, 60):
        run = simulate(*in_arrows(arrows))
        assert len(timeline(run, start=0, end=run.end / 1000).scene.arrows) == arrows


def test_sides_take_turns_in_going_first():
    order = []
    took = in_turns({name: lambda name=name: order.append(name) or 1.0 for name in "ab"}, 3)
    assert order == list("abbaab") and took == {"a": [1.0] * 3, "b": [1.0] * 3}


def test_a_row_says_its_median_and_its_spread_and_whether_its_target_is_met():
    row = Row("a message", "6 µs", "SimPy", [0.9, 0.95, 1.2], 1.0)
    assert row.cells()[3:] == ["**0.95** (0.90 to 1.20)", "≤ 1.00 ✓"]
    assert not Row("a message", "6 µs", "SimPy", [1.01], 1.0).reached
    assert not Row("import", "0.3 s", "pydantic", [2.0], None, "at most 0.25 s", False).reached
    assert [number(value) for value in (0.0123, 0.5, 12.34, 1234)] == [
        "0.012",
        "0.50",
        "12.3",
        "1234",
    ]


def test_a_ratio_that_is_worse_by_half_twice_is_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(command, "SMALL", tmp_path / "small.json")
    command.keep([Row("a message", "", "SimPy: 7 µs", [1.0])])
    assert json.loads(command.SMALL.read_text(encoding="utf-8")) == {"a message / SimPy": 1.0}
    for measured, found in (([1.49], 0), ([1.51, 1.0], 0), ([1.51, 1.6], 1)):
        left = list(measured)
        monkeypatch.setattr(
            command,
            "measured",
            lambda parts, small: [Row("a message", "", "SimPy: 8 µs", [left.pop(0)])],
        )
        assert command.compare(["messages"]) == found and not left
    assert "worse by half: a message / SimPy: 1.60, was 1.00" in capsys.readouterr().out


def test_the_tables_are_written_between_their_marks(monkeypatch, tmp_path):
    pages = [tmp_path / "benchmarks" / "README.md", tmp_path / "README.md"]
    pages[0].parent.mkdir()
    for page in pages:
        text = f"before\n{command.MARKS[0]}\nold\n{command.MARKS[1]}\nafter\n"
        page.write_text(text, encoding="utf-8")
    monkeypatch.setattr(command, "HERE", tmp_path / "benchmarks")
    monkeypatch.setattr(command, "FOR_NEWCOMERS", {"a message / SimPy"})
    for _ in range(2):
        command.write([Row("a message", "6 µs", "SimPy", [0.9]), Row("else", "1 µs", "it", [1.0])])
    for page, elses in zip(pages, (1, 0), strict=True):
        text = page.read_text(encoding="utf-8")
        assert text.startswith("before\n") and text.endswith("\nafter\n") and "old" not in text
        assert text.count("| a message | 6 µs | SimPy | **0.90** (0.90 to 0.90) |  |") == 1
        assert text.count("| else |") == elses


def test_the_readme_shows_the_rows_that_are_for_newcomers():
    root = Path(command.HERE).parent
    rows = [
        line.split(" | ")
        for line in (root / "README.md").read_text(encoding="utf-8").splitlines()
        if " | **" in line
    ]
    shown = {
        f"{what.removeprefix('| ')} / {beside.partition(':')[0]}" for what, _, beside, *_ in rows
    }
    assert shown == command.FOR_NEWCOMERS and len(shown) <= 8


def test_what_ci_compares_is_kept():
    kept = json.loads(command.SMALL.read_text(encoding="utf-8"))
    assert len(kept) > 20 and all(ratio > 0 for ratio in kept.values())

"""Measure, print the table, and with --write store it where it is shown.

python -m benchmarks                      everything, some ten minutes
python -m benchmarks messages store       these parts
python -m benchmarks --write              also into benchmarks/README.md, eight rows into README.md, and curves.png
python -m benchmarks --small messages …   in a small size; fails if a ratio is half as large again as in small.json
python -m benchmarks --small --write …    store the ratios that --small compares with
"""

import argparse
import importlib
import json
import platform
import sys
from datetime import date
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # from another folder: python …/benchmarks
from benchmarks.rows import HEAD, Row, number, table  # noqa: E402

PARTS = ("messages", "exploration", "store", "pictures", "panels", "course")
SMALL = HERE / "small.json"
MARKS = "<!-- measured: by python -m benchmarks --write -->", "<!-- end of what was measured -->"
WORSE = 1.5
FOR_NEWCOMERS = {
    "a message, full record kept / SimPy, by hand, no record",
    "a message, full record kept / FastStream's test broker",
    "every single fault: explored, a claim that reads rows / as many plain runs",
    "an event appended, 100 at once, in a file / `eventsourcing`, its aggregates",
    "an event replayed, `state`, in memory / `eventsourcing`, its aggregates",
    "first picture of a run, timeline of 300 arrows, PNG / an empty matplotlib figure as PNG",
    "slider to picture: the Laboratory, a run of 60 arrows / a bare slider and the same picture, drawn before",
    "`import edalab` / `import pydantic`, which it needs",
}


def machine() -> str:
    names = [
        line.partition(":")[2].strip()
        for line in _lines("/proc/cpuinfo")
        if line.startswith("model name")
    ]
    cpu = (
        f"{len(names)} cores of {names[0]}" if names else platform.processor() or platform.machine()
    )
    return f"{date.today().isoformat()}, {platform.system()}, {cpu}, Python {platform.python_version()}"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def measured(parts: list[str], small: bool) -> list[Row]:
    rows = []
    for part in parts:
        for row in importlib.import_module(f"benchmarks.{part}").rows(small):
            rows.append(row)
            print("  ".join(row.cells()), flush=True)
    return rows


def write(rows: list[Row]) -> None:
    """Write all rows to the page of the benchmarks, and those for newcomers to the README."""
    _put(HERE / "README.md", rows)
    if missing := FOR_NEWCOMERS - {name(row) for row in rows}:
        raise SystemExit(f"the README shows rows that were not measured: {sorted(missing)}")
    _put(HERE.parent / "README.md", [row for row in rows if name(row) in FOR_NEWCOMERS])


def _put(page: Path, rows: list[Row]) -> None:
    """Write the table between the marks of a page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    lines = ["", f"Measured on {machine()}.", "", *table(HEAD, [row.cells() for row in rows]), ""]
    page.write_text(before + MARKS[0] + "\n".join(lines) + MARKS[1] + after, encoding="utf-8")


def curves(path: Path) -> None:
    """Draw the cost of a message, and of a question about the past, as their number grows."""
    from matplotlib.figure import Figure

    from benchmarks import messages, store

    figure = Figure((10, 3.6), layout="constrained")
    axes = figure.subplots(1, 2)
    for ax, found, of, unit in (
        (axes[0], messages.curve(), "messages in a run", "µs a message"),
        (axes[1], store.curve(), "events in the stream", "ms a question about the past"),
    ):
        for name, points in found.items():
            ax.plot(*zip(*points, strict=True), marker="o", label=name)
            print(name, *(f"{size:,}: {value:.2f}" for size, value in points), sep="  ", flush=True)
        ax.set(xscale="log", xlabel=of, ylabel=unit)
        ax.set_ylim(0, 1.15 * max(value for points in found.values() for _, value in points))
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False, loc="lower right")
    figure.savefig(path, dpi=110)


def name(row: Row) -> str:
    return f"{row.what} / {row.beside.partition(':')[0]}"


def worse(rows: list[Row]) -> dict[str, str]:
    """The rows whose ratio is half as large again as in small.json, by name, in words."""
    known = json.loads(SMALL.read_text(encoding="utf-8"))
    if new := [name(row) for row in rows if name(row) not in known]:
        raise SystemExit(f"small.json does not know {new}: write it with --small --write")
    return {
        name(
            row
        ): f"worse by half: {name(row)}: {number(row.ratio)}, was {number(known[name(row)])}"
        for row in rows
        if row.ratio > WORSE * known[name(row)]
    }


def keep(rows: list[Row]) -> None:
    """Save the ratios with which small runs are compared from now on."""
    ratios = {name(row): round(row.ratio, 4) for row in rows}
    SMALL.write_text(json.dumps(ratios, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def compare(parts: list[str]) -> int:
    """Measure in a small size, and again what seems worse, because a busy machine disturbs."""
    found: dict[str, str] = {}
    for part in parts:
        seems = worse(measured([part], small=True))
        again = worse(measured([part], small=True)) if seems else {}
        found |= {row: words for row, words in again.items() if row in seems}
    print(*found.values(), f"{len(found)} ratios worse by half", sep="\n")
    return 1 if found else 0


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Ratios to peers and limits, measured in one run."
    )
    parser.add_argument("parts", nargs="*", help=f"which of {', '.join(PARTS)} (default: all)")
    parser.add_argument(
        "--small", action="store_true", help="in a small size, compared with small.json"
    )
    parser.add_argument(
        "--write", action="store_true", help="write the table (with --small: small.json)"
    )
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; parts: {', '.join(PARTS)}")
    print(machine(), flush=True)
    parts = options.parts or list(PARTS)
    if options.small and not options.write:
        return compare(parts)
    rows = measured(parts, options.small)
    if options.small:
        keep(rows)
        return 0
    missed = [row for row in rows if not row.reached]
    print(
        f"{len(rows)} rows, {len(missed)} targets missed",
        *(f"  {row.what}: {row.ours} beside {row.beside}" for row in missed),
        sep="\n",
    )
    if options.write:
        curves(HERE / "curves.png")
        write(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())

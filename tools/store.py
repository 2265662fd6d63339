"""Run the notebooks and write their stored outputs. Outputs are stored in no other way.

    uv run python tools/store.py                      all notebooks
    uv run python tools/store.py notebooks/start.ipynb
    uv run python tools/store.py --check              write nothing; name the cells whose stored outputs differ

Every notebook runs from top to bottom in a fresh kernel. The file does not depend on the machine or the time:
it has no timings, no language version and no widget state, and ids are computed from the cells' sources. So a
second run writes the same bytes, and a difference in git is a difference in what the lesson shows.
"""

import argparse
import copy
import hashlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from tools.home import own_home  # noqa: E402

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
KEPT_OF_A_CELL = ("tags", "nbgrader")  # the rest says how an editor showed the cell


def notebooks() -> list[Path]:
    return [
        *sorted((ROOT / "notebooks").glob("*.ipynb")),
        *sorted((ROOT / "teacher").glob("*.ipynb")),
    ]


def run(notebook, folder: Path):
    """The notebook after a run in a fresh kernel, in the form to be stored."""
    fresh = copy.deepcopy(notebook)
    NotebookClient(
        fresh,
        timeout=120,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
    ).execute(env={**os.environ, "EDALAB_PROGRESS": ""})  # outputs show no learner's progress
    return tidy(fresh)


def tidy(notebook):
    """The notebook without anything that differs between machines, versions and editors."""
    notebook = copy.deepcopy(notebook)
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen = {}
    for cell in notebook.cells:
        # From the source, not the position, so that an inserted cell does not rename all later ones.
        name = hashlib.sha256(cell.source.encode()).hexdigest()[:8]
        seen[name] = seen.get(name, 0) + 1
        cell.id = name if seen[name] == 1 else f"{name}-{seen[name]}"
        cell.metadata = nbformat.from_dict(
            {key: cell.metadata[key] for key in KEPT_OF_A_CELL if key in cell.metadata}
        )
        if cell.cell_type == "code":
            cell.outputs = [
                output for output in map(_tidy_output, cell.outputs) if output is not None
            ]
    return notebook


def _tidy_output(output):
    """The output without a widget's live view, which is empty without a kernel; None if nothing is left."""
    if "data" in output:
        output.data.pop(WIDGET_VIEW, None)
        if not output.data:
            return None
    return output


def text(notebook) -> str:
    return nbformat.writes(notebook) + "\n"


def differences(stored, fresh) -> list[str]:
    """Each cell whose stored form differs from a fresh run, in words."""
    found = []
    for position, (old, new) in enumerate(zip(stored.cells, fresh.cells, strict=True), start=1):
        if old != new:
            first_line = (new.source.strip().splitlines() or ["(empty)"])[0]
            what = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
            found.append(f"cell {position} ({', '.join(what)}): {first_line[:80]}")
    if stored.metadata != fresh.metadata:
        found.append("the notebook's metadata")
    return found


def _fresh(path: Path):
    """The notebook of a file after a run, or the error that a cell raised."""
    try:
        return run(
            nbformat.reads(path.read_text(encoding="utf-8"), as_version=4), path.resolve().parent
        )
    except CellExecutionError as error:
        return error


def _named(path: Path) -> str:
    return "/".join(path.resolve().parts[-2:])


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(
        description="Run the notebooks and write their stored outputs."
    )
    parser.add_argument("notebooks", nargs="*", type=Path, help="which (default: all)")
    parser.add_argument(
        "--check", action="store_true", help="write nothing, exit 1 when a stored notebook differs"
    )
    options = parser.parse_args(arguments)

    failed = False
    paths = options.notebooks or notebooks()
    with TemporaryDirectory(ignore_cleanup_errors=True) as home:
        os.environ |= own_home(home)
        with ThreadPoolExecutor(os.cpu_count()) as kernels:  # a kernel is a process of its own
            fresh_ones = list(kernels.map(_fresh, paths))
    for path, fresh in zip(paths, fresh_ones, strict=True):
        before = path.read_text(encoding="utf-8")
        stored = nbformat.reads(before, as_version=4)
        if isinstance(fresh, CellExecutionError):
            print(f"{_named(path)}: a cell raised; nothing was written\n{fresh}")
            failed = True
            continue
        after = text(fresh)
        if after == before:
            print(f"{_named(path)}: as stored")
        elif options.check:
            failed = True
            print(f"{_named(path)}: differs from a fresh run")
            for difference in differences(stored, fresh) or ["only in how the file is laid out"]:
                print(f"  {difference}")
        else:
            path.write_text(after, encoding="utf-8", newline="\n")
            print(f"{_named(path)}: written")
    if failed and options.check:
        print("To store what a fresh run gives: uv run python tools/store.py")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

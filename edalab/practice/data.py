"""The files that lessons read, in the course's folder `data/`."""

import os
from pathlib import Path

from ..errors import Misuse, Unknown

COURSE = Path(__file__).parents[2]  # not the course if only the package is installed


def data_file(name: str | Path) -> Path:
    """The path of a file in `data/`, wherever the notebook runs: `data_file("bank-2025.csv")`.

    The folder `data/` may be in the working directory, in a folder above it, or next to the
    package. Raises Misuse if the file is in none of them.
    """
    here = Path.cwd()
    folders = [folder / "data" for folder in (here, *here.parents, COURSE)]
    for folder in folders:
        if os.path.isfile(folder / str(name)):  # also False in a folder that may not be read
            return folder / str(name)
    for folder in folders:
        if os.path.isfile(folder / "README.md"):
            raise Unknown("data file", name, sorted(os.listdir(folder)))
    raise Misuse(
        f"data/{name} is not in {str(here)!r} or a folder above it, nor beside the installed edalab: "
        "start Jupyter in your clone of the course, or copy the clone's folder data/ to where you are"
    )

"""The tables that lessons read lie in the course's folder `data/`, and a notebook finds them wherever it runs."""

import os
from pathlib import Path

from ..errors import Misuse, Unknown

COURSE = Path(__file__).parents[2]  # with a copy of the package alone, somewhere else


def data_file(name: str) -> Path:
    """The path of a file in `data/`: in the folder where the notebook runs or the nearest above it, else beside the package."""
    here = Path.cwd()
    folders = [folder / "data" for folder in (here, *here.parents, COURSE)]
    for folder in folders:
        if os.path.isfile(folder / str(name)):  # which is False, too, where we may not look
            return folder / str(name)
    for folder in folders:
        if os.path.isfile(folder / "README.md"):
            raise Unknown("data file", name, sorted(os.listdir(folder)))
    raise Misuse(
        f"data/{name} is not in {str(here)!r} or a folder above it, nor beside the installed edalab: "
        "start Jupyter in your clone of the course, or copy the clone's folder data/ to where you are"
    )

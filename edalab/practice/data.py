"""The tables that lessons read lie in the course's folder `data/`, and a notebook finds them wherever it runs."""

import os
from pathlib import Path

from ..errors import Misuse, Unknown, shown

COURSE = Path(__file__).parents[2]  # with a copy of the package alone, somewhere else


def data_file(name: str) -> Path:
    """The path of a file in `data/`: in the folder where the notebook runs or the nearest above it, else beside the package."""
    here = Path.cwd()
    for folder in (here, *here.parents, COURSE):
        path = folder / "data" / str(name)
        if os.path.isfile(path):  # which is False, too, where we may not look
            return path
    if os.path.isfile(COURSE / "data" / "README.md"):
        raise Unknown("data file", name, sorted(path.name for path in (COURSE / "data").iterdir()))
    raise Misuse(
        f"data/{name} is not in {shown(str(here))} or a folder above it, nor beside the installed edalab: "
        "start Jupyter in your clone of the course, or copy the clone's folder data/ to where you are"
    )

"""A home of its own for Jupyter, IPython and matplotlib, so that no settings of whoever runs tests and tools decide what
these find or store, and a home that cannot be written to stops nothing."""

from pathlib import Path

VARIABLES = (
    "IPYTHONDIR",
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_DATA_DIR",
    "JUPYTER_RUNTIME_DIR",
    "JUPYTERLAB_SETTINGS_DIR",
    "JUPYTERLAB_WORKSPACES_DIR",
    "MPLCONFIGDIR",
)


def own_home(folder: str | Path) -> dict[str, str]:
    """The environment variables that put everything into this folder, in folders made for it."""
    places = {variable: Path(folder, variable.lower()) for variable in VARIABLES}
    for place in places.values():
        place.mkdir(parents=True)
    return {variable: str(place) for variable, place in places.items()}

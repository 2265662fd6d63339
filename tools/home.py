"""A separate home for Jupyter, IPython and matplotlib. The settings of the person who runs tests
and tools then have no effect, and a home that cannot be written to is no obstacle."""

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
    """The environment variables that move everything into this folder, whose subfolders are created."""
    places = {variable: Path(folder, variable.lower()) for variable in VARIABLES}
    for place in places.values():
        place.mkdir(parents=True)
    return {variable: str(place) for variable, place in places.items()}

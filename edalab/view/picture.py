"""The result of a view: a picture that a notebook shows as PNG, and its content as one line of text."""

from math import isfinite
from numbers import Real
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ..errors import Misuse, NotInstalled, needed_for, shown
from ..sim import World
from . import svg
from .scene import Scene

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STORE = 'an event store, such as EventStore("shop.db")'


class Picture:
    """A picture. A notebook shows it as PNG, or as SVG if matplotlib is not installed. Its `repr`
    describes it in one line, and `scene` holds its items."""

    def __init__(self, scene: Scene):
        self.scene = scene

    def svg(self) -> str:
        """Return the picture as an SVG string, with tooltips."""
        return svg.paint(self.scene)

    def figure(self, ax: "Axes | None" = None) -> "Figure":
        """Return the picture as a new matplotlib Figure, or draw it into `ax` and return its figure."""
        return _painter("a picture as a figure").paint(self.scene, ax)

    def png(self) -> bytes:
        """Return the bytes of a PNG, at 1.5 times the size of the picture for fine screens."""
        return _painter("a picture as PNG").png(self.scene)

    def save(self, path: str | Path) -> None:
        """Write the picture to a file. Its suffix is the format: .svg, .png, or another one that
        matplotlib can write, such as .pdf."""
        path = Path(path)
        if path.suffix == ".svg":
            path.write_text(self.svg(), encoding="utf-8")
        elif path.suffix == ".png":
            path.write_bytes(self.png())
        else:
            self.figure().savefig(path)

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        scene = self.scene
        # Unconfined: on a narrow or zoomed page the picture scrolls instead of shrinking.
        size = {"width": scene.width, "height": scene.height, "unconfined": True}
        try:
            kind, image = "image/png", self.png()
        except NotInstalled:  # without matplotlib
            kind, image = "image/svg+xml", self.svg()
        return {kind: image, "text/plain": repr(self)}, {kind: {**size, "alt": scene.alt}}

    def __repr__(self) -> str:
        return self.scene.digest


def _painter(what: str) -> ModuleType:
    with needed_for(what):
        import matplotlib  # noqa: F401  before numpy, so that the error names matplotlib

        from . import png

        return png


def check_run(picture: str, given: object, instead: str = "pass the run") -> None:
    """Raise Misuse for anything but a run. `instead` says what to pass instead of the world at a moment."""
    if isinstance(given, World):
        moment = f"{given.now / 1000:g}"
        refused = f"{picture} takes a run, but this is the world as it was at {moment} s"
        raise Misuse(f"{refused}: {instead.format(moment)}")
    if not hasattr(given, "journal"):
        wanted = "a run, such as simulate(system, workload)"
        raise Misuse(f"{picture} takes {wanted}, not {shown(given)}")


def check_is(picture: str, kind: type, what: str, given: object) -> None:
    """Raise Misuse for anything that is not an instance of `kind`. `what` describes that kind."""
    if not isinstance(given, kind):
        raise Misuse(f"{picture} takes {what}, not {shown(given)}")


def check_seconds(**given: object) -> None:
    """Raise Misuse for a value that is neither None nor a finite number of seconds."""
    for name, value in given.items():
        number = isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)
        if value is not None and not number:
            raise Misuse(f"{name}= takes seconds, a number, not {shown(value)}")

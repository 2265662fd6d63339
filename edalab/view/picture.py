"""What a view returns: a picture that shows itself as PNG, and its content as one line of text."""

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
    """A scene, ready to be shown: PNG in a notebook (SVG where matplotlib is missing), an SVG
    string for a panel, a matplotlib figure for a paper."""

    def __init__(self, scene: Scene):
        self.scene = scene

    def svg(self) -> str:
        """The picture as an SVG string, with tool-tips."""
        return svg.paint(self.scene)

    def figure(self, ax: "Axes | None" = None) -> "Figure":
        """The picture as a matplotlib Figure, or drawn into the axes given."""
        return _painter("a picture as a figure").paint(self.scene, ax)

    def png(self) -> bytes:
        """The picture as the bytes of a PNG, sharp on fine screens too."""
        return _painter("a picture as PNG").png(self.scene)

    def save(self, path: str | Path) -> None:
        """Write the picture to a file, as what its name ends in: .svg, .png, or what else
        matplotlib can write."""
        path = Path(path)
        if path.suffix == ".svg":
            path.write_text(self.svg(), encoding="utf-8")
        elif path.suffix == ".png":
            path.write_bytes(self.png())
        else:
            self.figure().savefig(path)

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        scene = self.scene
        # Unconfined: where a zoomed page is narrow, the picture is scrolled, not made smaller.
        size = {"width": scene.width, "height": scene.height, "unconfined": True}
        try:
            kind, image = "image/png", self.png()
        except NotInstalled:  # a notebook shows both, and strict tests compare the text
            kind, image = "image/svg+xml", self.svg()
        return {kind: image, "text/plain": repr(self)}, {kind: {**size, "alt": scene.alt}}

    def __repr__(self) -> str:
        return self.scene.digest


def _painter(what: str) -> ModuleType:
    with needed_for(what):
        import matplotlib  # noqa: F401  before numpy, which it brings along

        from . import png

        return png


def check_run(picture: str, given: object, instead: str = "pass the run") -> None:
    """Refuse what is no run. `instead` says what to pass for the world at a moment."""
    if isinstance(given, World):
        moment = f"{given.now / 1000:g}"
        refused = f"{picture} takes a run, but this is the world as it was at {moment} s"
        raise Misuse(f"{refused}: {instead.format(moment)}")
    if not hasattr(given, "journal"):
        wanted = "a run, such as simulate(system, workload)"
        raise Misuse(f"{picture} takes {wanted}, not {shown(given)}")


def check_is(picture: str, kind: type, what: str, given: object) -> None:
    """Refuse what is not of a kind; `what` is that kind in words."""
    if not isinstance(given, kind):
        raise Misuse(f"{picture} takes {what}, not {shown(given)}")


def check_seconds(**given: object) -> None:
    """Refuse what is no number of seconds."""
    for name, value in given.items():
        number = isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)
        if value is not None and not number:
            raise Misuse(f"{name}= takes seconds, a number, not {shown(value)}")

"""Where words find room beside a point: they run over no other words, over no mark and, if they can, over no line."""

from .scene import Label, Scene, Trace
from .text import clean

Box = tuple[int, int, int, int]  # left, top, right, bottom
_NEAR = (("start", 8, -11), ("end", -8, -11), ("start", 8, 12), ("end", -8, 12))
_FAR = (("start", 8, -26), ("end", -8, -26), ("start", 8, 27), ("end", -8, 27))


class Room:
    """The room for words within some bounds of a scene."""

    def __init__(self, scene: Scene, bounds: Box):
        self.scene, self.bounds = scene, bounds
        self.taken: list[Box] = []
        self.strokes: list[Box] = []
        self.cursor: list[Box] = []  # words may run over it sooner than over other lines

    def cross(self, trace: Trace) -> None:
        """A line that words had better not run over."""
        corners = list(zip(trace.points[::2], trace.points[1::2]))
        self.strokes += [(min(a, c), min(b, d), max(a, c), max(b, d)) for (a, b), (c, d) in zip(corners, corners[1:])]

    def put(self, words: str, kind: str, x: int, y: int, anyhow: bool = True) -> Label | None:
        """Write words beside a point; `anyhow`: a little further away, or over a line, where there is no better place.
        Returns None where there is none at all."""
        lines, near = self.strokes + self.cursor, _NEAR + _FAR * anyhow
        tries = [(near, lines), (near, self.strokes), (near * anyhow, [])]
        for (anchor, dx, dy), crossed in [(place, crossed) for places, crossed in tries for place in places]:
            label = Label(x + dx, y + dy, clean(words, 90), kind, anchor)
            box = label.extent()
            if self._inside(box) and self.free(box) and not _crossed(box, crossed):
                self.scene.labels.append(label)
                self.taken.append(box)
                return label
        return None

    def free(self, box: Box) -> bool:
        """Whether no words and no mark stand there."""
        return not _crossed(box, self.taken)

    def take_back(self, label: Label) -> None:
        self.scene.labels.remove(label)
        self.taken.remove(label.extent())

    def _inside(self, box: Box) -> bool:
        left, top, right, bottom = self.bounds
        return left <= box[0] and top <= box[1] and box[2] <= right and box[3] <= bottom


def _crossed(box: Box, others: list[Box]) -> bool:
    left, top, right, bottom = box
    return any(left - 2 <= c and a <= right + 2 and top <= d and b <= bottom for a, b, c, d in others)

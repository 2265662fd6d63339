"""Where words find room: over no other words, over no mark and, if possible, over no line."""

from ..text import clean
from .scene import Label, Scene, Trace

Box = tuple[int, int, int, int]  # left, top, right, bottom
_NEAR = (("start", 8, -11), ("end", -8, -11), ("start", 8, 12), ("end", -8, 12))
_FAR = (("start", 8, -26), ("end", -8, -26), ("start", 8, 27), ("end", -8, 27))
_FARTHER = tuple((anchor, dx, dy) for dy in (-41, 42) for anchor, dx in (("start", 8), ("end", -8)))


class Room:
    """The room for words within some bounds of a scene."""

    def __init__(self, scene: Scene, bounds: Box):
        self.scene, self.bounds = scene, bounds
        self.taken: list[Box] = []
        self.strokes: list[Box] = []
        self.cursor: list[Box] = []  # words may run over it sooner than over other lines
        # Words may not stand nearer to one of these points than to their own.
        self.points: list[tuple[int, int]] = []

    def cross(self, trace: Trace) -> None:
        """A line that words had better not run over."""
        corners = list(zip(trace.points[::2], trace.points[1::2]))
        self.strokes += [
            (min(a, c), min(b, d), max(a, c), max(b, d))
            for (a, b), (c, d) in zip(corners, corners[1:])
        ]

    def put(
        self, words: str, kind: str, x: int, y: int, anyhow: bool = True, over: bool = True
    ) -> Label | None:
        """Write words beside a point. With `anyhow` they may stand further away where there is no
        better place, and with `over` even on a line. Return None where there is no place at all."""
        lines, near = self.strokes + self.cursor, _NEAR + _FAR
        tries = [(place, lines) for place in near] + [(place, self.strokes) for place in near]
        tries += [(place, self.strokes) for place in _FARTHER * anyhow]
        tries += [(place, []) for place in near * (anyhow and over)]
        for (anchor, dx, dy), crossed in tries:
            label = Label(x + dx, y + dy, clean(words, 90), kind, anchor)
            box = label.extent()
            fits = self._inside(box) and self.free(box) and not _crossed(box, crossed)
            if fits and (anyhow or self._is_near((x, y), box)):
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

    def _is_near(self, own: tuple[int, int], box: Box) -> bool:
        return all(_far(own, box) <= _far(other, box) for other in self.points)

    def _inside(self, box: Box) -> bool:
        left, top, right, bottom = self.bounds
        return left <= box[0] and top <= box[1] and box[2] <= right and box[3] <= bottom


def _crossed(box: Box, others: list[Box]) -> bool:
    left, top, right, bottom = box
    return any(
        left - 2 <= c and a <= right + 2 and top <= d and b <= bottom for a, b, c, d in others
    )


def _far(point: tuple[int, int], box: Box) -> int:
    """How far a point is from a box, squared."""
    (x, y), (left, top, right, bottom) = point, box
    return max(left - x, 0, x - right) ** 2 + max(top - y, 0, y - bottom) ** 2

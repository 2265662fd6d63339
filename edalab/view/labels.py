"""The placement of labels: over no other label, over no mark and, if possible, over no line."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from .scene import Extent, Label, Scene

Place = tuple[int, int, str]  # x, y and the anchor of a label
ALONG = 24  # px of lines under a label: a line with fewer only crosses it
ANY = 10**6  # px of lines under a label that may cover any
_MARGIN = 3  # px between a label and its neighbours


class Taken:
    """The occupied area of a picture: rows of `line` px, each stored as an integer with a bit for each x."""

    def __init__(self, line: int):
        self._line = line
        self._rows: defaultdict[int, int] = defaultdict(int)

    def _at(self, box: Extent) -> tuple[range, int]:
        """The rows of a box, and its bits in each."""
        left, top, right, bottom = box
        left = left if left > 0 else 0  # faster than max()
        bits = (1 << right + 1) - (1 << left) if left <= right else 0
        return range(top // self._line, bottom // self._line + 1), bits

    def add(self, box: Extent) -> None:
        rows, bits = self._at(box)
        for row in rows:
            self._rows[row] |= bits

    def remove(self, box: Extent) -> None:
        """Free a box that overlaps no other one."""
        rows, bits = self._at(box)
        for row in rows:
            self._rows[row] &= ~bits

    def free(self, box: Extent) -> bool:
        rows, bits = self._at(box)
        for row in rows:  # noqa: SIM110 - faster than all()
            if self._rows[row] & bits:
                return False
        return True

    def count(self, box: Extent) -> int:
        """The number of occupied px in a box, summed over its rows."""
        rows, bits = self._at(box)
        return sum((self._rows[row] & bits).bit_count() for row in rows)


class LabelPlacer:
    """Places the labels of a scene within some bounds."""

    def __init__(self, scene: Scene, bounds: Extent, line: int = 2):
        self.scene, self.bounds = scene, bounds
        self.taken, self._crossed = Taken(line), Taken(line)

    def avoid(self, points: Sequence[int]) -> None:
        """Make labels avoid a line if they can. `points` are x, y of each corner."""
        for a, b, c, d in zip(points[::2], points[1::2], points[2::2], points[3::2], strict=False):
            self._crossed.add((min(a, c) - 2, min(b, d), max(a, c) + 2, max(b, d)))

    def place(
        self, texts: Iterable[str], kind: str, places: Sequence[Place], over: int = ANY
    ) -> Label | None:
        """Write the first text that fits, at the first place that no line touches, or else where a line
        crosses rather than follows it, with at most `over` px of lines under it. Return None if
        there is no room."""
        for text in filter(None, texts):
            crossing, fewest = None, 0
            for x, y, anchor in places:
                label = Label(x, y, text, kind, anchor)
                if not (extent := self._free_extent(label)):
                    continue
                along = self._crossed.count(extent)
                if not along:
                    return self.put(label)
                if crossing is None or along // ALONG < fewest // ALONG:
                    crossing, fewest = label, along
            if crossing and fewest <= over:
                return self.put(crossing)
        return None

    def place_all(
        self, wanted: Iterable[tuple[Sequence[str], str, Sequence[Place]]]
    ) -> list[Label]:
        """Write all these labels (texts, kind, places), or none if one has no room. Lines may cross
        them, but not follow them."""
        labels: list[Label] = []
        for texts, kind, places in wanted:
            label = self.place(texts, kind, places, ALONG - 1)
            if label is None:
                self.erase(labels)
                return []
            labels.append(label)
        return labels

    def erase(self, labels: Sequence[Label]) -> None:
        gone = set(map(id, labels))
        self.scene.labels = [label for label in self.scene.labels if id(label) not in gone]
        for label in labels:
            self.taken.remove(label.extent())

    def put(self, label: Label) -> Label:
        """Write a label without looking for room."""
        self.scene.labels.append(label)
        self.taken.add(label.extent())
        return label

    def _free_extent(self, label: Label) -> Extent | None:
        """The area that a label would cover with its margins, or None if that is not free."""
        x, y, end, bottom = label.extent()
        left, top, right, lowest = self.bounds
        inside = left <= x and end <= right and top <= y and bottom <= lowest
        extent = x - _MARGIN, y, end + _MARGIN, bottom
        return extent if inside and self.taken.free(extent) else None


def squared_distance(point: tuple[int, int], box: Extent) -> int:
    """The squared distance of a point from a box."""
    (x, y), (left, top, right, bottom) = point, box
    return max(left - x, 0, x - right) ** 2 + max(top - y, 0, y - bottom) ** 2

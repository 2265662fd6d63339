"""A row is one line of bars of a lane, with what stands on it, above it and below it: so nothing overlaps."""

from collections import defaultdict

BAR, LINE = 18, 15  # px: height of a bar, of a line of words


class Row:
    """One line of bars. `taken` says what stands at which level: 0 the bars, 1, 2 … words above, -1, -2 … below;
    `wires` likewise, where arrows pass: words avoid them if they can. Each has a byte for each px: 1 where something is."""

    def __init__(self, lane: int):
        self.lane, self.y = lane, 0
        self.above, self.below = 1, 0  # lines of words
        self.spans: list[tuple[int, int]] = []
        self.taken: dict[int, bytearray] = defaultdict(bytearray)
        self.wires = {1: bytearray(), -1: bytearray()}  # above and below

    def free(self, level: int, left: int, right: int) -> bool:
        return self.taken[level].find(1, left, right) < 0

    def free_until(self, level: int, left: int, right: int) -> int:
        """How far from `left` on nothing is in the way, at most to `right`."""
        end = self.taken[level].find(1, left, right)
        return right if end < 0 else end

    def unwired(self, level: int, left: int, right: int) -> bool:
        """Whether no arrow passes there."""
        return not level or self.wires[1 if level > 0 else -1].find(1, left, right) < 0

    def clear(self, left: int, right: int) -> bool:
        """Whether an arrow can run along the bars' level."""
        return self.free(0, left, right) and not any(
            start < right and left < end for start, end in self.spans
        )

    def take(self, level: int, left: int, right: int) -> None:
        self.above, self.below = max(self.above, level), max(self.below, -level)
        _fill(self.taken[level], left, right)

    def pass_wire(self, left: int, right: int, above: bool = True, below: bool = True) -> None:
        if above:
            _fill(self.wires[1], left - 2, right + 2)
        if below:
            _fill(self.wires[-1], left - 2, right + 2)


def _fill(pixels: bytearray, left: int, right: int) -> None:
    """Set those from `left` to before `right`; what is left of the picture, where it is too narrow, does not count."""
    left = max(left, 0)
    if right > len(pixels):
        pixels += bytes(right)  # more than are needed now: so this is seldom
    if left < right:
        pixels[left:right] = b"\1" * (right - left)

"""A row is one line of bars of a lane, with what stands on it, above it and below it: so nothing overlaps."""

BAR, LINE = 18, 15  # px: height of a bar, of a line of words
_MARGIN = 512  # px at the left of a picture: in one that is too narrow, something may stand there


class Row:
    """One line of bars. `taken` says what stands at which level: 0 the bars, 1, 2 … words above, -1, -2 … below;
    `wires` likewise, where arrows pass: words avoid them if they can. Each is a number with a bit for each px."""

    def __init__(self, lane: int):
        self.lane, self.y = lane, 0
        self.above, self.below = 1, 0  # lines of words
        self.spans: list[tuple[int, int]] = []
        self.taken: dict[int, int] = {}
        self.wires = {1: 0, -1: 0}  # above and below

    def free(self, level: int, left: int, right: int) -> bool:
        return not _between(self.taken.get(level, 0), left, right)

    def free_until(self, level: int, left: int, right: int) -> int:
        """How far from `left` on nothing is in the way, at most to `right`."""
        taken = _between(self.taken.get(level, 0), left, right)
        return left + (taken & -taken).bit_length() - 1 if taken else right

    def unwired(self, level: int, left: int, right: int) -> bool:
        """Whether no arrow passes there."""
        return not level or not _between(self.wires[1 if level > 0 else -1], left, right)

    def clear(self, left: int, right: int) -> bool:
        """Whether an arrow can run along the bars' level."""
        return self.free(0, left, right) and not any(start < right and left < end for start, end in self.spans)

    def take(self, level: int, left: int, right: int) -> None:
        self.above, self.below = max(self.above, level), max(self.below, -level)
        self.taken[level] = self.taken.get(level, 0) | _pixels(left, right)

    def pass_wire(self, left: int, right: int, above: bool = True, below: bool = True) -> None:
        if above:
            self.wires[1] |= _pixels(left - 2, right + 2)
        if below:
            self.wires[-1] |= _pixels(left - 2, right + 2)


def _pixels(left: int, right: int) -> int:
    """A bit for each px from `left` to before `right`."""
    return (1 << max(right + _MARGIN, 0)) - (1 << max(left + _MARGIN, 0)) if left < right else 0


def _between(pixels: int, left: int, right: int) -> int:
    """Those from `left` to before `right`, the first in bit 0."""
    return pixels >> max(left + _MARGIN, 0) & ((1 << right - left) - 1) if left < right else 0

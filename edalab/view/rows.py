"""A row is one line of bars of a lane, with what stands on it, above it and below it: so nothing overlaps."""

BAR, LINE = 18, 15  # px: height of a bar, of a line of words


class Row:
    """One line of bars. `taken` says what stands at which level: 0 the bars, 1, 2 … words above, -1, -2 … below;
    `wires` likewise, where arrows pass: words avoid them if they can."""

    def __init__(self, lane: int):
        self.lane, self.y = lane, 0
        self.above, self.below = 1, 0  # lines of words
        self.spans: list[tuple[int, int]] = []
        self.taken: dict[tuple[int, int], list[tuple[int, int]]] = {}  # (level, x // 64) -> from x, to x
        self.wires: dict[tuple[int, int], list[tuple[int, int]]] = {}  # level 1 above, -1 below

    def free(self, level: int, left: int, right: int) -> bool:
        for cell in range(left >> 6, (right >> 6) + 1):
            for start, end in self.taken.get((level, cell), ()):
                if start < right and left < end:
                    return False
        return True

    def free_until(self, level: int, left: int, right: int) -> int:
        """How far from `left` on nothing is in the way, at most to `right`."""
        for cell in range(left >> 6, (right >> 6) + 1):
            for start, end in self.taken.get((level, cell), ()):
                if start < right and left < end:
                    right = start
        return right

    def unwired(self, level: int, left: int, right: int) -> bool:
        """Whether no arrow passes there."""
        side = 1 if level > 0 else -1
        return not level or not any(
            start < right and left < end
            for cell in range(left >> 6, (right >> 6) + 1)
            for start, end in self.wires.get((side, cell), ())
        )

    def clear(self, left: int, right: int) -> bool:
        """Whether an arrow can run along the bars' level."""
        return self.free(0, left, right) and not any(start < right and left < end for start, end in self.spans)

    def take(self, level: int, left: int, right: int) -> None:
        self.above, self.below = max(self.above, level), max(self.below, -level)
        for cell in range(left >> 6, (right >> 6) + 1):
            self.taken.setdefault((level, cell), []).append((left, right))

    def pass_wire(self, left: int, right: int, above: bool = True, below: bool = True) -> None:
        for cell in range((left - 2) >> 6, ((right + 2) >> 6) + 1):
            if above:
                self.wires.setdefault((1, cell), []).append((left - 2, right + 2))
            if below:
                self.wires.setdefault((-1, cell), []).append((left - 2, right + 2))

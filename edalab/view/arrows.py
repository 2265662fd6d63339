"""The arrows of a timeline: straight where nothing stands between, else along the gap between lanes."""

from .scene import Arrow, Mark
from .words import BAR, Row
from .drawn import Bar, Event, Link

TRACK = 4  # px for each arrow that runs in a gap


def route(plan, link: Link):
    """How an arrow goes: (way, x1, row, x2, row, side it comes from, track)."""
    source, target = link.source, link.target
    if source.service not in plan.lane_of or source.time < plan.window[0]:
        return None
    row = plan.row(source)
    if link.stop or target is None:
        row.take(-1, source.x - 2, source.x + 23)
        return "stub", source.x, row, source.x + 16, row, 1, 0
    before = isinstance(target, Event) and target.time < plan.window[0]
    if target.service not in plan.lane_of or before:
        return None
    goal = plan.row(target)
    down = goal.lane > row.lane or goal.lane == row.lane and goal is not row
    first, last = sorted((row.lane, goal.lane))
    between = [other for rows in plan.rows.values() for other in rows if first < other.lane < last]
    x1, x2 = source.x, target.x
    if row is goal and source.bar is not target:
        begin = source.bar.x + source.bar.w + 1 if source.bar else x1 + 5
        begin = max(begin, x1 + 8 if source.what == "failed" else 0)
        if isinstance(target, Bar) and x2 - begin >= 8 and row.clear(begin, x2 - 2):
            row.take(0, begin, x2)
            return "straight", begin, row, x2, goal, 1, 0
    elif row is not goal and (isinstance(target, Event) or x2 - x1 < 14):
        x2 += 0 if isinstance(target, Event) else min(5, target.w // 2)
        row.pass_wire(x1, x1, above=not down, below=down)
        goal.take(1 if down else -1, x2 - 5, x2 + 5)
        for other in between:
            other.pass_wire(min(x1, x2), max(x1, x2))
        return "drop", x1, row, x2, goal, 1 if down else -1, 0
    elif row is not goal and goal.clear(x1 + 2, x2 - 2):
        row.pass_wire(x1, x1, above=not down, below=down)
        goal.pass_wire(x1, min(x2, x1 + 10), above=down, below=not down)
        for other in between:
            other.pass_wire(x1, x1 + 3)
        return "curve", x1, row, x2, goal, 1 if down else -1, 0
    # Something stands in the way: along the gap beside the target's lane, and into the bar.
    side = 1 if row.lane <= goal.lane else -1
    room = isinstance(target, Bar) and goal.free(0, x2 - 15, x2 - 1)
    enter = x2 - 12 if room else x2 + (min(5, target.w // 2) if isinstance(target, Bar) else 0)
    gap = goal.lane if side > 0 else goal.lane + 1
    track = _track(plan, gap, min(x1, enter), max(x1, enter))
    leaves_up = row.lane >= goal.lane if side > 0 else True
    row.pass_wire(x1, x1, above=leaves_up, below=not leaves_up)
    goal.pass_wire(enter, enter, above=side > 0, below=side < 0)
    if not room:
        goal.take(side, enter - 5, enter + 5)
    for other in between:
        other.pass_wire(x1, x1)
    return "over" if room else "over top", x1, row, enter if not room else x2, goal, side, track


def _track(plan, gap: int, left: int, right: int) -> int:
    """A line of its own in the gap between two lanes; where there are many they share."""
    tracks = plan.tracks[gap]
    for number, taken in enumerate(tracks):
        if all(right < start or end < left for start, end in taken):
            taken.append((left - 6, right + 6))
            return number
    if len(tracks) < 5:
        tracks.append([(left - 6, right + 6)])
        return len(tracks) - 1
    return len(tracks) - 1


def arrow(
    plan, link: Link, way: str, x1: int, row: Row, x2: int, goal: Row, side: int, track: int
) -> Arrow:
    """The arrow of a link, once it is known where its rows stand."""
    half = BAR // 2
    y1 = row.y + (half * side if link.source.bar else 4 * side)
    y2 = goal.y
    into_lane = "d" if side > 0 else "u"
    if way == "stub":
        y2 = row.y + half + 8
        plan.scene.marks.append(Mark(x2, y2, link.stop, link.tip))
        points, head = (x1, y1, x1, y2, x1, y2, x2 - 5, y2), ""
    elif way == "straight":
        points, head = (x1, y2, x1, y2, x2, y2, x2, y2), "r"
    elif way == "drop":
        on_line = isinstance(link.target, Event) and not link.target.bar
        end = y2 - side * (6 if on_line else half)
        middle = (y1 + end) // 2
        points, head = (x1, y1, x1, middle, x2, middle, x2, end), into_lane
    elif way == "curve":
        bend = y1 + (y2 - y1) * 9 // 10
        points, head = (x1, y1, x1, bend, x1 + min(10, (x2 - x1) // 3), y2, x2, y2), "r"
    else:
        points = _along_the_gap(plan, link, way, x1, row, x2, goal, side, track)
        head = "r" if way == "over" else into_lane
    return Arrow(points, link.kind, head, link.tip)


def _along_the_gap(
    plan, link: Link, way: str, x1: int, row: Row, x2: int, goal: Row, side: int, track: int
) -> tuple[int, ...]:
    half = BAR // 2
    start, height = plan.boxes[goal.lane]
    gap = start - 5 - TRACK * track if side > 0 else start + height + 5 + TRACK * track
    up = gap < row.y
    y1 = row.y + (-1 if up else 1) * (half if link.source.bar else 4)
    bend = 6 if up else -6  # from the trunk into the gap
    enter, inside = x2 - 12 if way == "over" else x2, gap + 6 * side
    points = [x1, y1, *_straight(x1, y1, x1, gap + bend)]
    points += [x1, gap, x1, gap, x1 + 6, gap, *_straight(x1 + 6, gap, enter - 6, gap)]
    points += [enter, gap, enter, gap, enter, inside]
    if way == "over":
        points += _straight(enter, inside, enter, goal.y - 8 * side)
        points += [enter, goal.y, enter + 4, goal.y, x2, goal.y]
    else:
        points += _straight(enter, inside, enter, goal.y - half * side)
    return tuple(points)


def _straight(x1: int, y1: int, x2: int, y2: int) -> tuple[int, ...]:
    """A straight line as a cubic curve."""
    return x1, y1, x2, y2, x2, y2

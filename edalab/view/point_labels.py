"""Labels for points: around a point, or only at places to which no other mark is nearer."""

from collections.abc import Iterable

from ..text import clean
from .labels import ANY, LabelPlacer, Place, squared_distance
from .scene import Label

_NEAR = [(8, -11), (-8, -11), (8, 12), (-8, 12), (8, -26), (-8, -26), (8, 27), (-8, 27)]
_FAR = [(8, -41), (-8, -41), (8, 42), (-8, 42)]


def place_beside(
    room: LabelPlacer, text: str, kind: str, x: int, y: int, over: int = ANY
) -> Label | None:
    """Write a text near a point, or further off if necessary, over at most `over` px of lines."""
    return room.place([clean(text, 90)], kind, _around(x, y, _NEAR + _FAR), over)


def place_nearest(room: LabelPlacer, text: str, kind: str, x: int, y: int) -> Label | None:
    """Write a text near a mark, not over a line, at a place to which no other mark is nearer."""
    text, places = clean(text, 90), []
    for place in _around(x, y, _NEAR):
        extent = Label(*place[:2], text, kind, place[2]).extent()
        own = squared_distance((x, y), extent)
        if all(own <= squared_distance((mark.x, mark.y), extent) for mark in room.scene.marks):
            places.append(place)
    return room.place([text], kind, places, over=0)


def _around(x: int, y: int, offsets: Iterable[tuple[int, int]]) -> list[Place]:
    return [(x + dx, y + dy, "start" if dx > 0 else "end") for dx, dy in offsets]

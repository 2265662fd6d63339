"""The look of each kind of item: quiet colours by default, one strong colour for faults, and a shape
for each kind of mark. Both painters use these tables."""

from typing import NamedTuple

INK, QUIET, LINE, LANE, PAPER = "#1f2933", "#596573", "#d5dbe1", "#f5f7f9", "#ffffff"
WORK, WORK_FILL, MESSAGE = "#0a6f6b", "#d3ece9", "#5b7083"
FAULT, FAULT_FILL = "#b93914", "#fbe3da"
COMPENSATION, COMPENSATION_FILL = "#8a5a12", "#faecc8"
FINAL, FINAL_FILL = "#8b3a7e", "#f4e4f1"
CURSOR = "#2563eb"
BUSY = "#94d0ca"  # a service at work
BELIEVED, WRONG = COMPENSATION, COMPENSATION_FILL  # a belief, and the times at which it was wrong
SURVIVED = "#7ab5b2"  # faults that the system survived
FAINT, HATCH = "#8fa0ae", "#eba88f"  # questions, hatching
FONT = "DejaVu Sans"
# The CSS filter of a picture on a dark page. It inverts the lightness, keeps the hues, and turns
# white into #111, the background of JupyterLab's dark theme.
DARK = "invert(.9333) hue-rotate(180deg)"


def tinted(colour: str) -> str:
    """A CSS colour for text, mixed with the colour of the surrounding text, so that it is legible on a
    light page and on a dark page."""
    return f"color-mix(in srgb, {colour} 60%, currentcolor)"


class BoxLook(NamedTuple):
    fill: str
    edge: str | None = None
    width: float = 0
    dash: tuple[int, int] | None = None
    radius: int = 0
    hatch: str | None = None  # "diagonal" or "upright"


class StrokeLook(NamedTuple):
    colour: str
    width: float = 1.4
    dash: tuple[int, int] | None = None


class MarkLook(NamedTuple):
    shape: str
    colour: str


class LabelLook(NamedTuple):
    colour: str
    size: int  # px
    bold: bool = False
    ground: str | None = None  # painted behind the text, so that no arrow runs through it


BOXES = {
    "lane": BoxLook(LANE, radius=5),
    "down": BoxLook(FAULT_FILL, hatch="diagonal"),
    "pause": BoxLook(FAULT_FILL, hatch="upright"),
    "cut": BoxLook(FAULT_FILL, FAULT, 1, dash=(2, 3)),
    "cut from": BoxLook(PAPER, FAULT, 1, dash=(2, 3)),
    "handled": BoxLook(WORK_FILL, WORK, 1.2, radius=3),
    "struck": BoxLook(FAULT_FILL, FAULT, 1.2, radius=3),
    "compensating": BoxLook(COMPENSATION_FILL, COMPENSATION, 1.2, radius=3),
    "waiting": BoxLook(LINE, radius=2),
    "still": BoxLook(FAULT_FILL, hatch="upright"),  # part of a bar during a pause
    # steps of a saga, in its boxes and its waterfall
    "not yet": BoxLook(PAPER, LINE, 1.2, radius=4),
    "under way": BoxLook(LANE, MESSAGE, 1.2, radius=4),
    "idle": BoxLook(LANE, MESSAGE, 1.2, radius=4),
    "done": BoxLook(WORK_FILL, WORK, 1.4, radius=4),
    "undone": BoxLook(PAPER, WORK, 1.2, dash=(4, 3), radius=4),
    "compensation": BoxLook(COMPENSATION_FILL, COMPENSATION, 1.4, radius=4),
    "final": BoxLook(FINAL_FILL, FINAL, 1.4, radius=4),
    "in doubt": BoxLook(PAPER, FAULT, 1.4, dash=(4, 3), radius=4),
    "failed": BoxLook(FAULT_FILL, FAULT, 1.6, radius=4),
    "left behind": BoxLook(WORK_FILL, FAULT, 2.2, radius=4),
    "saved": BoxLook(INK),
    "undone save": BoxLook(PAPER, INK, 1),  # undone by a restore
    "break": BoxLook(PAPER, FAINT, 1, dash=(3, 2)),  # above everything that lasts across a cut
    "stretched": BoxLook(FAINT),
    "pill": BoxLook(CURSOR, radius=9),
    "difference": BoxLook(INK, radius=9),
    "client": BoxLook(PAPER, INK, 1.4, radius=6),
    "service": BoxLook(WORK_FILL, WORK, 1.4, radius=6),
    "struck service": BoxLook(FAULT_FILL, FAULT, 1.8, radius=6),
    "topic": BoxLook(LANE, MESSAGE, 1.2, radius=13),
    "queue": BoxLook(LANE, MESSAGE, 1.2, dash=(4, 3), radius=4),
    "dead letters": BoxLook(FAULT_FILL, FAULT, 1.2, dash=(4, 3), radius=4),
    "question": BoxLook(PAPER, FAINT, 1, dash=(2, 2), radius=12),
    # items of a flow at a moment
    "busy": BoxLook(BUSY, WORK, 2.4, radius=6),
    "none waiting": BoxLook(PAPER, LINE, 1, radius=2),
    "waiting here": BoxLook(CURSOR, radius=2),
    "broken": BoxLook(FAULT, radius=2),
    "wrong": BoxLook(WRONG),
    "unknown": BoxLook(LANE),
    "all at work": BoxLook(WORK_FILL),
}
ARROWS = {
    "message": StrokeLook(MESSAGE),
    "again": StrokeLook(FAULT, 1.4, dash=(5, 3)),
    "late": StrokeLook(FAULT),
    "compensating": StrokeLook(COMPENSATION),
    "stopped": StrokeLook(FAULT),
    "question": StrokeLook(FAINT, 1.1, dash=(2, 2)),
    "answer": StrokeLook(FAINT, 1.1, dash=(2, 2)),
    "struck question": StrokeLook(FAULT, 1.1, dash=(2, 2)),
    "undo": StrokeLook(COMPENSATION, 1.4, dash=(5, 3)),
    "not yet": StrokeLook(LINE, 1.2),
}
LINES = {
    "grid": StrokeLook(LINE, 0.8),
    "cursor": StrokeLook(CURSOR, 1.4, dash=(3, 3)),
    "difference": StrokeLook(INK, 1.6),
    "last": StrokeLook(FAINT, 1.2, dash=(2, 2)),
    "lag": StrokeLook(WORK, 2),
    "wasted": StrokeLook(FAULT, 1.8),
    "believed": StrokeLook(BELIEVED, 1.8, dash=(5, 3)),
    "was": StrokeLook(WORK, 2.4),  # painted last, so that it hides an equal belief
}
LABELS = {
    "lane": LabelLook(INK, 13, True),
    "replica": LabelLook(QUIET, 10),
    "axis": LabelLook(QUIET, 10),
    "handled": LabelLook(WORK, 11, True, LANE),
    "struck": LabelLook(FAULT, 11, True, LANE),
    "compensating": LabelLook(COMPENSATION, 11, True, LANE),
    "on span": LabelLook(FAULT, 11, True, FAULT_FILL),
    "remark": LabelLook(INK, 11, False, LANE),
    "caption": LabelLook(QUIET, 11),
    "pill": LabelLook(PAPER, 11, True),
    "node": LabelLook(INK, 12, True),
    "title": LabelLook(INK, 14, True),
    "in broken": LabelLook(PAPER, 9, True),
    "channel": LabelLook(INK, 11),
    "detail": LabelLook(QUIET, 10),
    "late": LabelLook(FAULT, 11, True, PAPER),
    "fact": LabelLook(INK, 11, False, PAPER),
    "at cursor": LabelLook(CURSOR, 11, True, PAPER),
    "was": LabelLook(WORK, 11, True, PAPER),
    "believed": LabelLook(BELIEVED, 11, True, PAPER),
    "in waiting": LabelLook(PAPER, 10, True),
    "count": LabelLook(MESSAGE, 11, True, PAPER),
    "struck count": LabelLook(FAULT, 11, True, PAPER),
    "not yet": LabelLook(QUIET, 11, True),
    "under way": LabelLook(INK, 11, True),
    "done": LabelLook(WORK, 11, True),
    "compensation": LabelLook(COMPENSATION, 11, True),
    "final": LabelLook(FINAL, 11, True),
    "failed": LabelLook(FAULT, 11, True),
}

# Outlines around (0, 0): filled polygons if True, otherwise strokes.
_RING = (
    *((5, 0), (4, 3), (3, 4), (0, 5), (-3, 4), (-4, 3)),
    *((-5, 0), (-4, -3), (-3, -4), (0, -5), (3, -4), (4, -3), (5, 0)),
)
_DOT = ((3, 0), (2, 2), (0, 3), (-2, 2), (-3, 0), (-2, -2), (0, -3), (2, -2), (3, 0))
_LOCK = ((-5, 0), (5, 0), (5, 6), (-5, 6), (-5, 0))
_SHACKLE = ((-3, 0), (-3, -3), (-1, -5), (1, -5), (3, -3), (3, 0))
SHAPES = {
    "cross": (False, (((-5, -5), (5, 5)), ((-5, 5), (5, -5)))),
    "triangle": (True, (((-6, 5), (6, 5), (0, -6), (-6, 5)),)),
    "hourglass": (True, (((-5, -6), (5, -6), (-5, 6), (5, 6), (-5, -6)),)),
    "open hourglass": (False, (((-5, -6), (5, -6), (-5, 6), (5, 6), (-5, -6)),)),
    "cup": (False, (((-5, -5), (-5, 5), (5, 5), (5, -5)),)),
    "square": (True, (((-5, -5), (5, -5), (5, 5), (-5, 5), (-5, -5)),)),
    "no entry": (False, (_RING, ((-3, 0), (3, 0)))),
    "struck ring": (False, (_RING, ((-4, 4), (4, -4)))),
    "ring": (False, (_DOT,)),
    "dot": (True, (_DOT,)),
    "disc": (True, (_RING,)),
    "large ring": (False, (_RING,)),
    "open diamond": (False, (((0, -5), (5, 0), (0, 5), (-5, 0), (0, -5)),)),
    "diamond": (True, (((0, -5), (5, 0), (0, 5), (-5, 0), (0, -5)),)),
    "handover": (True, (((-5, -6), (6, 0), (-5, 6), (-5, -6)),)),
    "lock": (False, (_LOCK, _SHACKLE)),
    "tick": (False, (((0, -4), (0, 4)),)),
    "two dots": (True, (tuple((x - 3, y) for x, y in _DOT), tuple((x + 5, y) for x, y in _DOT))),
}
MARKS = {
    "crash": MarkLook("cross", FAULT),
    "failed": MarkLook("triangle", FAULT),
    "no answer": MarkLook("hourglass", FAULT),
    "unconfirmed": MarkLook("open hourglass", FAULT),
    "evicted": MarkLook("cup", FAULT),
    "dead letter": MarkLook("square", FAULT),
    "refused": MarkLook("no entry", FAULT),
    "lost": MarkLook("struck ring", FAULT),
    "doubled": MarkLook("two dots", FAULT),
    "published": MarkLook("dot", MESSAGE),
    "sent": MarkLook("dot", MESSAGE),
    "survived": MarkLook("dot", SURVIVED),
    "untested": MarkLook("ring", FAINT),
    "unheard": MarkLook("ring", MESSAGE),
    "deduplicated": MarkLook("struck ring", MESSAGE),
    "deploy": MarkLook("diamond", INK),
    **dict.fromkeys(("note", "skew", "join", "restore", "rewind"), MarkLook("diamond", INK)),
    "in progress": MarkLook("tick", INK),
    "takeover": MarkLook("handover", INK),
    "moving": MarkLook("disc", CURSOR),
    "moving again": MarkLook("diamond", FAULT),
    "moving answer": MarkLook("large ring", CURSOR),
    "fact": MarkLook("dot", WORK),
    "blank": MarkLook("diamond", PAPER),
    "learned": MarkLook("open diamond", FAULT),
    "late": MarkLook("diamond", FAULT),
    "final": MarkLook("lock", FINAL),
}
HEADS = {  # heads of arrows, around their ends
    "r": ((0, 0), (-8, -4), (-8, 4), (0, 0)),
    "l": ((0, 0), (8, -4), (8, 4), (0, 0)),
    "d": ((0, 0), (-4, -8), (4, -8), (0, 0)),
    "u": ((0, 0), (-4, 8), (4, 8), (0, 0)),
}

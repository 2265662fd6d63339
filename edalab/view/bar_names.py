"""The names of a timeline's bars: the type of the message, with values that distinguish it from others
of its type in the picture; and the places of these names."""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from ..model import Envelope
from ..sim.steps import Step
from ..text import clean, shorten, text_width
from .items import Bar
from .labels import ALONG, LabelPlacer, Place
from .scene import Label

if TYPE_CHECKING:
    from .layout import Layout, Row

_LETTERS = 16  # at most in a key or a value of a name
_VALUES = 2  # at most in a name
_TYPE = 50  # px of a shortened type
OVER = 8  # px by which a name may reach over the next bar
_NEXT = 40  # px between two attempts that are next to each other
_BESIDE_HEAD = 15  # px from the left of a bar to words next to an arrow that enters it
_LONG = 40  # px of a long bar
_ORDINALS = {"2": "nd", "3": "rd"}
_WORD = re.compile("[A-Z]?[a-z0-9]+")  # the first word of a type


class Title(NamedTuple):
    """The name of a bar.

    short: the type of the message, with the values that distinguish it from others.
    long: the short name with further values.
    brief: the short name without the type.
    outcomes: the short and the brief name with the outcome of the handling, if it is known.
    shorter: abbreviated names for little room, which keep the distinguishing values."""

    short: str
    long: str
    brief: str
    outcomes: list[str]
    shorter: list[str]

    def texts(self) -> list[str]:
        return [self.short, self.long, self.brief, *self.outcomes]


def name_bars(bars: Iterable[Bar], journal: Iterable[Step]) -> dict[Bar, Title]:
    """The names of all bars in a picture of a run. A message has the same name in all lanes. It has its
    version if the run has one above 1."""
    messages = {id(step.envelope): step.envelope for step in journal if step.envelope}
    newer = {envelope.type for envelope in messages.values() if _version(envelope) > 1}
    alike: defaultdict[str, list[Bar]] = defaultdict(list)
    for bar in bars:
        alike[bar.envelope.type].append(bar)
    titles = {}
    for type_, same in alike.items():
        name, columns = clean(type_, 60), _columns([bar.envelope for bar in same], type_ in newer)
        first = _WORD.match(name)
        abbreviated = f"{first[0]}…" if first and first[0] != name else name
        types = [*filter(None, dict.fromkeys((abbreviated, shorten(name, _TYPE, 11, True))))]
        for number, bar in enumerate(same):
            if not bar.named:
                continue
            telling = [column[number] for column in columns[0] if column[number]]
            every = [column[number] for column in columns[1] if column[number]]
            words = f": {bar.words}" if bar.words else ""
            apart = ", ".join(telling)
            short = f"{name} {apart}".strip() + words
            long = f"{name} {', '.join(every)}".strip() + words
            brief = apart + words if telling else bar.words or name
            outcomes = [f"{text}, {bar.outcome}" for text in (short, brief) if bar.outcome]
            shorter = [f"{text} {apart}".strip() + words for text in types] + [brief]
            if bar.words.endswith(" again"):
                shorter.append(f"{apart} again".strip())
            titles[bar] = Title(short, long, brief, outcomes, shorter)
    return titles


def _version(envelope: Envelope) -> int:
    return getattr(getattr(envelope.data, "__declared__", None), "version", 1)


def _columns(envelopes: list[Envelope], versioned: bool) -> tuple[list[list[str]], list[list[str]]]:
    """Two lists of columns, each with a value for every message of a type: values that distinguish the
    messages (the key, or else the first fields that differ), and all values worth saying; in both the
    version is last. If all messages are equal, these are the key and the fields that differ from their
    defaults."""
    keys = [_text("", envelope.subject) for envelope in envelopes]
    data = [getattr(envelope.data, "__dict__", {}) for envelope in envelopes]
    versions = [_version(envelope) for envelope in envelopes if versioned]
    if versioned:  # each version has a class of its own
        data = [{"version": n} | one for n, one in zip(versions, data, strict=True)]
    apart = len({repr(fields) for fields in data})
    if apart == 1:
        fields = getattr(type(envelopes[0].data), "model_fields", {})
        optional = {
            name: field.default for name, field in fields.items() if not field.is_required()
        }
        chosen = [name for name, default in optional.items() if data[0][name] != default]
        more = [keys, *([_text(name, data[0][name])] * len(keys) for name in chosen)]
        last = [[_text("version", n) for n in versions]] * versioned
        return last, [*more[:_VALUES], *last]
    columns = {"": keys} | {name: [_text(name, one.get(name)) for one in data] for name in data[0]}
    differ: dict[str, list[str]] = {}
    for name, column in columns.items():  # the key is also a field, and is named once
        if len(set(column)) > 1 and column not in differ.values():
            differ[name] = column
    enough = [name for name, column in differ.items() if len(set(column)) == apart]
    telling = enough[:1] or list(differ)[:_VALUES]
    if (versioned or "version" in differ) and "version" not in telling:
        telling = [*telling[:1], "version"]
    room = 0 if telling == [""] else _VALUES - len(telling)
    more = [name for name in differ if name not in telling][:room]
    short, long = (
        sorted(names, key=lambda name: name == "version") for names in (telling, telling + more)
    )
    return [columns[name] for name in short] or [keys], [columns[name] for name in long]


def _text(field: str, value: object) -> str:
    """The text of a value, or "" if it is too long."""
    text = clean(value) if isinstance(value, str | int | float) else ""
    return ("v" if field == "version" else "") + text if len(text) <= _LETTERS else ""


def write_names(layout: "Layout") -> list[tuple["_Name", Label | None]]:
    """Write the name of each bar at its beginning or end, not above or below another bar of its row,
    and on one side for all bars of a type if there is room. Return the names with their labels."""
    rows: defaultdict[Row, list[Bar]] = defaultdict(list)
    for bar in sorted(layout.drawn.bars, key=lambda bar: bar.x):
        rows[layout.row(bar)].append(bar)
    written: list[tuple[_Name, Label | None]] = []
    for row, bars in rows.items():
        alike: defaultdict[str, list[_Name]] = defaultdict(list)
        for number, bar in enumerate(bars):
            before, end = bars[number - 1] if number else None, number + 1
            again = before is not None and before.envelope is bar.envelope
            while not again and end < len(bars) and bars[end].envelope is bar.envelope:
                end += 1  # the first name may reach over the following attempts
            last = bars[end - 1]
            bar.span = before.span if before and again else (bar.x, last.x + last.w)
            after = bars[end] if end < len(bars) else None
            if bar.named:
                alike[bar.envelope.type].append(_Name(layout, row, before, bar, after))
        for names in alike.values():
            written += zip(names, _write_alike(layout.placer, names), strict=True)
    return written


def _write_alike(placer: LabelPlacer, names: list["_Name"]) -> list[Label | None]:
    """Write the names of a row's bars of one type at their beginnings, all above or all below, if
    necessary with only the first word of the type. Otherwise write each one where it has room."""
    tries = [(level, False) for level in (1, 2, -1, -2)]
    if len(names) > 2:
        tries[1:1] = [(-1, False), (1, True), (-1, True)]
    for level, abbreviated in tries:
        if labels := placer.place_all(name.at_level(level, abbreviated) for name in names):
            return [*labels]
    return [name.write(placer) for name in names]


def lengthen(placer: LabelPlacer, written: list[tuple["_Name", Label | None]]) -> None:
    """Replace the short names of a type by the long ones if all of them have room."""
    alike: defaultdict[str, list[tuple[_Name, Label | None]]] = defaultdict(list)
    for name, label in written:
        if name.texts[0] == name.title.short != name.title.long:
            alike[name.bar.envelope.type].append((name, label))
    for same in alike.values():
        short = [label for name, label in same if label and label.text == name.title.short]
        if len(short) == len(same):
            placer.erase(short)
            long = [(name, name.title.long) for name, _ in same]
            spots = (([text], name.bar.kind, name.spots(text)) for name, text in long)
            if not placer.place_all(spots):
                for label in short:
                    placer.put(label)


class _Name:
    """The name of a bar, placed between its neighbours in the row. `texts` are the possible texts, the
    best one first."""

    def __init__(
        self, layout: "Layout", row: "Row", before: Bar | None, bar: Bar, after: Bar | None
    ):
        self.row, self.bar, self.title = row, bar, layout.titles[bar]
        self.left = before.x + before.w if before else 0
        self.right = (after.x if after else layout.right) + OVER
        self.texts = [*self.title.outcomes, self.title.short] + [self.title.brief] * bool(bar.words)
        self.attempt = ""
        if bar.words and bar.span[0] < bar.x:  # next to another attempt, a shorter text is enough
            self.texts = [bar.words] if bar.x - self.left < _NEXT else [*self.texts, bar.words]
            self.attempt = bar.words.partition("attempt ")[2]
        if len(self.attempt) == 1:
            self.texts.append(self.attempt + _ORDINALS.get(self.attempt, "th"))
        # Above the next bar it would look like that bar's name.
        other = after and after.envelope.type != bar.envelope.type and after.w > _LONG
        self.tight = bool(other or self.attempt)

    def at_level(self, level: int, abbreviated: bool) -> tuple[list[str], str, list[Place]]:
        """The texts that may begin at the bar in a line of labels, for `place_all`. In the nearest
        line, only texts that end before the next bar."""
        x, texts = self.bar.x, self.texts
        if abbreviated and not self.bar.words:
            texts = self.title.shorter[:1]
        if abs(level) == 1 or self.tight:
            texts = [text for text in texts if x + text_width(text, 11, True) <= self.right]
        return texts, self.bar.kind, [(x, self.row.level(level), "start")]

    def spots(self, text: str) -> list[Place]:
        """The places near the bar at which a text stays between its neighbours: at the bar's beginning
        or end, or next to an arrow that enters it."""
        width, x, end = text_width(text, 11, True), self.bar.x, self.bar.x + self.bar.w
        beside = x + _BESIDE_HEAD
        places = [(x, x, "start"), (end - width, end, "end"), (beside, beside, "start")]
        return [
            (at, self.row.level(level), anchor)
            for left, at, anchor in places
            if self.left <= left and left + width <= self.right
            for level in (1, -1)
        ]

    def write(self, placer: LabelPlacer) -> Label | None:
        """Write the name where there is room, preferably at the beginning of the bar."""
        x, kind = self.bar.x, self.bar.kind
        spots = {text: places for text in self.texts if (places := self.spots(text))}
        for text, places in spots.items():
            begins = [spot for spot in places if spot[::2] == (x, "start")]
            if label := placer.place([text], kind, begins, ALONG - 1):
                return label
        for text, places in spots.items():
            if label := placer.place([text], kind, places):
                return label
        if self.attempt:
            return None
        further = [] if self.tight else [(x, self.row.level(n), "start") for n in (2, -2)]
        if label := placer.place(self.texts, kind, further, ALONG - 1):
            return label
        for text in self.title.shorter:
            if label := placer.place([text], kind, self.spots(text) + further):
                return label
        brief = [self.title.brief, self.title.shorter[-1]]
        texts = brief if self.tight else [*self.texts, *self.title.shorter]
        return placer.place(texts, kind, [*further, *self.spots("")])

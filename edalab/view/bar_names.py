"""The names of the bars of a timeline: the type of a message, and what tells it apart from others of
its type in the picture."""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from ..model import Envelope
from ..text import clean, shorten
from .items import Bar

_LETTERS = 16  # of a key or a value in a name, at most
_VALUES = 2  # in a name, at most
_TYPE = 50  # px that the type is shortened to
_WORD = re.compile("[A-Z]?[a-z0-9]+")  # the first word of a type


class Title(NamedTuple):
    """The name of a bar.

    short: the type of the message, and what tells it apart from others.
    long: with all that is worth saying of the message.
    brief: without the type.
    outcomes: the short and the brief name with what came of the handling, where it is known.
    shorter: what is left of the name for want of room."""

    short: str
    long: str
    brief: str
    outcomes: list[str]
    shorter: list[str]

    def texts(self) -> list[str]:
        return [self.short, self.long, self.brief, *self.outcomes]


def name_bars(bars: Iterable[Bar]) -> dict[Bar, Title]:
    """The names of all bars of a picture. A message has the same name in all lanes."""
    alike: defaultdict[str, list[Bar]] = defaultdict(list)
    for bar in bars:
        alike[bar.envelope.type].append(bar)
    titles = {}
    for type_, same in alike.items():
        name, columns = clean(type_, 60), _columns([bar.envelope for bar in same])
        first = _WORD.match(name)
        abbreviated = f"{first[0]}…" if first and first[0] != name else name
        types = [text for text in (abbreviated, shorten(name, _TYPE, 11, True)) if text]
        for number, bar in enumerate(same):
            telling, more = ([c[number] for c in part if c[number]] for part in columns)
            words = f": {bar.words}" if bar.words else ""
            short, long = (
                f"{name} {', '.join(values)}".strip() + words
                for values in (telling, telling + more)
            )
            brief = ", ".join(telling) + words if telling else bar.words or name
            outcomes = [f"{text}, {bar.outcome}" for text in (short, brief) if bar.outcome]
            shorter = [" ".join([text, *telling]) + words for text in types]
            titles[bar] = Title(short, long, brief, outcomes, [*shorter, bar.words or name])
    return titles


def _columns(envelopes: list[Envelope]) -> tuple[list[list[str]], list[list[str]]]:
    """The values that tell messages of one type apart, and those that may be added, as lists with a
    value for each message: the key, or else the first fields that differ. Of a single message it is
    its key, and what its sender chose in place of a default."""
    keys = [_text("", envelope.subject) for envelope in envelopes]
    data = [getattr(envelope.data, "__dict__", {}) for envelope in envelopes]
    apart = len({repr(fields) for fields in data})
    if apart == 1:
        fields = getattr(type(envelopes[0].data), "model_fields", {})
        chosen = [
            n
            for n, field in fields.items()
            if data[0][n] != field.default and not field.is_required()
        ]
        more = [keys, *([_text(name, data[0][name])] * len(keys) for name in chosen)]
        return [], more[:_VALUES]
    columns = {"": keys} | {name: [_text(name, one.get(name)) for one in data] for name in data[0]}
    columns = {name: column for name, column in columns.items() if len(set(column)) > 1}
    enough = [name for name, column in columns.items() if len(set(column)) == apart]
    telling = enough[:1] or list(columns)[:_VALUES]
    if "version" in columns and "version" not in telling:
        telling = [*telling[:1], "version"]
    room = 0 if telling == [""] else _VALUES - len(telling)
    more = [name for name in columns if name not in telling][:room]
    return [columns[name] for name in telling] or [keys], [columns[name] for name in more]


def _text(field: str, value: object) -> str:
    """A value in a few letters, or none."""
    text = clean(value) if isinstance(value, str | int | float) else ""
    return ("v" if field == "version" else "") + text if len(text) <= _LETTERS else ""

"""Text in pictures, measured without a font: both painters and every machine agree on its width."""

import unicodedata
from bisect import bisect_right
from functools import lru_cache

from .errors import counted as counted  # views import every text function from here

# Advance widths of DejaVu Sans in hundredths of the font size, rounded up: {width: characters}.
_NORMAL = {
    28: "'ijl", 30: "IJ", 32: " ,.·’‘", 34: "/:;\\|", 36: "f", 37: "-", 40: "()[]t", 41: "!", 42: "r", 46: '"',
    50: "*_`–", 52: "“”", 53: "sz", 54: "?", 55: "c", 56: "L", 58: "Fk", 60: "vxy", 61: "P", 62: "TYaeo",
    64: "$0123456789ESbdghnpqu{}", 66: "K", 69: "ABVXZ", 70: "CR", 74: "U", 75: "N", 76: "H", 78: "&DG", 79: "OQ",
    82: "w", 84: "#+<=>^~×→≥≤✓✗", 87: "M", 96: "%", 98: "m", 99: "W", 100: "@…—",
}  # fmt: skip
_BOLD = {
    31: "'", 35: " ijl", 37: "/\\|", 38: ",.IJ·’‘", 40: ":;", 42: "-", 44: "f", 46: "!()[]", 48: "t", 50: "_`r–",
    53: '"*', 59: "?z", 60: "cs", 64: "L", 65: "x", 66: "vy“”", 67: "k", 68: "ae", 69: "EFTo", 70: "$0123456789",
    72: "bdghnpqu{}", 73: "SYZ", 74: "CP", 77: "B", 78: "AKRVX", 82: "U", 83: "G", 84: "#+<=>DHN^~×→≥≤✓✗", 86: "OQ",
    88: "&", 93: "w", 100: "@M…—", 101: "%", 105: "m", 111: "W",
}  # fmt: skip
_WIDTHS = tuple(
    {char: width for width, chars in table.items() for char in chars} for table in (_NORMAL, _BOLD)
)
_WIDEST = 140  # for characters not in the tables: no emoji is wider

# Never shown: controls, lone surrogates, marks that change the direction of text.
_HIDDEN = dict.fromkeys([*range(32), *range(127, 160), 8232, 8233], " ")
_HIDDEN |= dict.fromkeys([0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F)], "")
_HIDDEN |= dict.fromkeys([*range(0x2060, 0x2070), 0xFEFF], "")
_HIDDEN |= dict.fromkeys([*range(55296, 57344), 65534, 65535], "�")


def clean(text: object, limit: int = 200) -> str:
    """The text in one line of at most `limit` characters, without any that cannot be shown."""
    text = str(text)[: 4 * limit]
    if not (text.isascii() and text.isprintable()):
        text = " ".join(text.translate(_HIDDEN).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def brief(words: str) -> str:
    """The text without SQLite's prefix for a condition that did not hold."""
    return words.replace("CHECK constraint failed: ", "")


def _other_width(char: str, widths: dict[str, int]) -> int:
    letter = unicodedata.normalize("NFD", char)[0]  # é is as wide as e
    return widths.get(letter, 0 if unicodedata.category(letter) == "Mn" else _WIDEST)


@lru_cache(maxsize=4096)
def text_width(text: str, size: int, bold: bool = False) -> int:
    """The width of text in pixels, at a font size in pixels; never too small for DejaVu Sans."""
    widths = _WIDTHS[bold]
    try:
        total = sum(map(widths.__getitem__, text))
    except KeyError:
        total = sum(widths.get(char) or _other_width(char, widths) for char in text)
    return -(-total * size // 100)


def shorten(text: str, room: int, size: int, bold: bool = False) -> str:
    """The text, cut with an ellipsis to fit into `room` pixels; "" if not even four letters fit."""
    if text_width(text, size, bold) <= room:
        return text
    lengths = range(1, len(text))
    kept = bisect_right(
        lengths, room, key=lambda n: text_width(text[:n].rstrip() + "…", size, bold)
    )
    return text[:kept].rstrip(" ,.:;(") + "…" if kept >= 4 else ""


@lru_cache(4096)
def seconds(ms: int) -> str:
    """Milliseconds as text: 1500 -> "1.5 s"."""
    whole, rest = divmod(ms, 1000)
    return f"{whole}.{rest:03d}".rstrip("0").rstrip(".") + " s"


def wrapped(words: list[str], glue: str, room: int, size: int = 11) -> list[str]:
    """The words, joined with `glue` into lines of at most `room` pixels."""
    lines: list[str] = []
    for word in words:
        if lines and text_width(lines[-1] + glue + word, size) <= room:
            lines[-1] += glue + word
        else:
            lines.append(shorten(word, room, size))
    return [line for line in lines if line]

"""Text of people and models, fit for a terminal: what would steer it or hide from the reader is named instead."""

from __future__ import annotations

import re

_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
"""Control, zero-width and bidirectional characters, and halves of surrogate pairs."""

_MARKS = {"\n": "↵", "\t": "⇥", "\r": "␍", "\x7f": "␡"}


def flow(text: str) -> str:
    """Running text: line ends and tabs work, every other hidden character is named: ␛ or ⟨202E⟩."""
    return _HIDDEN.sub(lambda found: found[0] if found[0] in "\n\t" else _named(found[0]), text)


def line(text: str) -> str:
    """Text on one line: a line end shows as ↵, a tab as ⇥."""
    return _HIDDEN.sub(lambda found: _MARKS.get(found[0]) or _named(found[0]), text)


def token(text: str) -> str:
    """A token in a cell: spaces at its ends show as ␣, an empty one as ∅."""
    return re.sub("^ +| +$", lambda found: "␣" * len(found[0]), line(text)) or "∅"


def quoted(text: str) -> str:
    """A token in a sentence."""
    return f"'{line(text)}'"


def probability(value: float | None) -> str:
    """0.68, 1, 0, and <.001 or >.999 rather than a rounded 0 or 1."""
    if value is None:
        return "–"
    if value in (0.0, 1.0):
        return f"{value:.0f}"
    if value < 0.0005:
        return "<.001"
    return ">.999" if value >= 0.9995 else f"{value:.3f}"


def signed(value: float | None) -> str:
    """A bias: +1.91."""
    if value is None:
        return "–"
    return f"{value:+.2f}" if abs(value) >= 0.005 else "0.00"


def apart(a: float, b: float) -> tuple[str, str]:
    """Two numbers with as many digits, at least two, as it takes to tell them apart."""
    for digits in range(2, 16):
        shown = f"{a:.{digits}f}", f"{b:.{digits}f}"
        if shown[0] != shown[1]:
            return shown
    return repr(a), repr(b)


def common_prefix(a: str, b: str) -> int:
    """Number of characters that both begin with."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def count(number: int, what: str) -> str:
    """1 token, 2 tokens."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _named(character: str) -> str:
    code = ord(character)
    return chr(0x2400 + code) if code < 0x20 else f"⟨{code:04X}⟩"

"""A font in which every letter is the same bar, made here from nothing.

Set in it a page looks the same whatever fonts a machine has and however its browser hints them: what is left of a text is
where it stands, how long it is, and its colour. The web's own layout tests use such a font, Ahem, for the same reason.
"""

from __future__ import annotations

import base64
import struct

EM, ADVANCE, ASCENT, DESCENT = 1000, 560, 800, 200
LEFT, BOTTOM, RIGHT, TOP = 60, 0, 500, 520
CHARACTERS = range(0x20, 0x3100)
BLANKS = {0x20, 0xA0, *range(0x2000, 0x2010)}
BAR, BLANK, GLYPHS = 1, 2, 3  # glyph 0 is that of no character


def style() -> str:
    """CSS that sets a whole page in it."""
    source = f"data:font/ttf;base64,{base64.b64encode(font()).decode()}"
    face = f"@font-face {{ font-family: bars; font-weight: 100 900; src: url({source}); }}"
    return (
        f"{face} * {{ font-family: bars !important; font-style: normal !important; font-synthesis: none !important; }}"
    )


def font() -> bytes:
    """The font as a TrueType file: a directory of tables, then the tables (OpenType specification, "otff")."""
    tables = dict(sorted(_tables().items()))
    directory = struct.pack(">I4H", 0x10000, len(tables), 128, 3, 16 * len(tables) - 128)
    body, start = b"", len(directory) + 16 * len(tables)
    for tag, table in tables.items():
        padded = table + bytes(-len(table) % 4)
        total = sum(struct.unpack(f">{len(padded) // 4}I", padded)) & 0xFFFFFFFF
        directory += struct.pack(">4s3I", tag.encode(), total, start + len(body), len(table))
        body += padded
    return directory + body


def _tables() -> dict[str, bytes]:
    glyph = _bar()
    box, metrics = (LEFT, BOTTOM, RIGHT, TOP), (ASCENT, -DESCENT, 0)
    first, last = CHARACTERS[0], CHARACTERS[-1]
    return {
        "OS/2": struct.pack(">HhHHH11h10s", 4, ADVANCE, 400, 5, 0, *[0] * 11, bytes(10))
        + struct.pack(">4I4s3H", *[0] * 4, b"none", 64, first, last)
        + struct.pack(">3hHHIIhhHHH", *metrics, ASCENT, DESCENT, 1, 0, TOP, TOP, 0, 0x20, 1),
        "cmap": _characters(),
        "glyf": glyph,
        "head": struct.pack(">4I2H2q4h2H3h", 0x10000, 0x10000, 0, 0x5F0F3CF5, 3, EM, 0, 0, *box, 0, 8, 2, 0, 0),
        "hhea": struct.pack(">I3hH11hH", 0x10000, *metrics, ADVANCE, LEFT, ADVANCE - RIGHT, RIGHT, 1, *[0] * 7, GLYPHS),
        "hmtx": struct.pack(">HhHhHh", ADVANCE, 0, ADVANCE, LEFT, ADVANCE, 0),
        "loca": struct.pack(">4H", 0, 0, len(glyph) // 2, len(glyph) // 2),
        "maxp": struct.pack(">I14H", 0x10000, GLYPHS, 4, 1, 0, 0, 2, *[0] * 8),
        "name": _names(),
        "post": struct.pack(">2I2h5I", 0x30000, 0, -100, 50, 1, *[0] * 4),
    }  # fmt: skip


def _bar() -> bytes:
    """One outline of four corners, each given by its way from the one before."""
    head = struct.pack(">5hHH4B", 1, LEFT, BOTTOM, RIGHT, TOP, 3, 0, 1, 1, 1, 1)
    return head + struct.pack(">8h", LEFT, 0, RIGHT - LEFT, 0, BOTTOM, TOP - BOTTOM, 0, BOTTOM - TOP)


def _characters() -> bytes:
    """Which glyph each character has ("cmap", format 4): one segment with a list, and the last, which must be there."""
    glyphs = [BLANK if code in BLANKS else BAR for code in CHARACTERS]
    ends, starts = (CHARACTERS[-1], 0xFFFF), (CHARACTERS[0], 0xFFFF)
    segments = struct.pack(">2HH2H2H2H", *ends, 0, *starts, 0, 1, 4, 0) + struct.pack(f">{len(glyphs)}H", *glyphs)
    return struct.pack(">4HI7H", 0, 1, 3, 1, 12, 4, 14 + len(segments), 0, 4, 4, 1, 0) + segments


def _names() -> bytes:
    text = "Bars".encode("utf-16-be")
    kinds = (1, 2, 4, 6)
    records = b"".join(struct.pack(">6H", 3, 1, 0x409, kind, len(text), 0) for kind in kinds)
    return struct.pack(">3H", 0, len(kinds), 6 + len(records)) + records + text

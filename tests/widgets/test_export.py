"""A trace as one file: whole, self-contained, and closed to whatever text the trace holds."""

from __future__ import annotations

import base64
import gzip
import json
import random
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dspark_lab.errors import LabError
from dspark_lab.rounds import Token
from dspark_lab.trace import Trace
from dspark_widgets import export_html
from dspark_widgets.export import SIZE_LIMIT, STATIC
from tests.widgets import fixtures

NASTY = "</script><script>alert(1)</script><!-- <b>x</b> ]]> & \u2028\u2029 \u202e \ufffd \x00 \\u003c \" ' ` ${x}"


class Page(HTMLParser):
    """Collects tags, and the text of each script by its id."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=False)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[str, str]] = []
        self._inside: str | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append((dict(attrs).get("id") or "", ""))
            self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside:
            name, text = self.scripts[-1]
            self.scripts[-1] = (name, text + data)


def payload(page: Page) -> Trace:
    return Trace.from_json(json.loads(dict(page.scripts)["payload"])["trace"])


def test_the_page_holds_the_whole_trace(tmp_path: Path) -> None:
    trace = fixtures.trace(seed=3)
    path = export_html(trace, tmp_path / "page.html")
    assert path == tmp_path / "page.html"
    assert payload(Page(path.read_text(encoding="utf-8"))) == trace


def test_no_text_breaks_out_of_its_place(tmp_path: Path) -> None:
    trace = fixtures.trace(seed=3)
    token = Token(1, NASTY)
    nasty = replace(
        trace,
        prompt=NASTY,
        device=NASTY,
        rounds=(replace(trace.rounds[0], anchor=token, emitted=(token,), text=NASTY), *trace.rounds[1:]),
    )
    text = export_html(nasty, tmp_path / "page.html").read_text(encoding="utf-8")
    page = Page(text)
    assert payload(page) == nasty
    assert [name for name, _ in page.scripts] == ["payload", ""]
    assert {tag for tag, _ in page.tags} <= {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "div",
        "noscript",
        "script",
    }
    assert "<!--" not in text.removeprefix("<!doctype html>")


def test_the_page_asks_for_nothing(tmp_path: Path) -> None:
    text = export_html(fixtures.trace(seed=3), tmp_path / "page.html").read_text(encoding="utf-8")
    assert not [tag for tag, attributes in Page(text).tags if {"src", "href"} & set(attributes)]
    assert not re.search(r"\bimport\s*[(\"'{*]|@import|url\((?!#)|fetch\(|XMLHttpRequest|WebSocket", text)
    assert "default-src 'none'" in text


def test_a_long_trace_is_packed_and_a_very_long_one_refused(tmp_path: Path) -> None:
    trace, chance = fixtures.trace(seed=3), random.Random(0)
    one = replace(trace, rounds=trace.rounds[:1])
    rest = SIZE_LIMIT - export_html(one, tmp_path / "one.html").stat().st_size
    each = len(json.dumps(trace.to_json()["rounds"][0], separators=(",", ":")))
    rounds = tuple(replace(trace.rounds[0], index=i) for i in range(rest // each + 2))  # just too long as it is
    path = export_html(replace(trace, rounds=rounds), tmp_path / "long.html")
    assert path.stat().st_size <= SIZE_LIMIT
    scripts = dict(Page(path.read_text(encoding="utf-8")).scripts)
    whole = json.loads(gzip.decompress(base64.b64decode(scripts["payload"])))
    assert Trace.from_json(whole["trace"]).rounds == rounds, "to the last digit"
    noise = [
        Token(7, "".join(chance.choices("abcdefghijklmnop", k=40))) for _ in range(60_000)
    ]  # which nothing makes short
    with pytest.raises(LabError, match="shorter trace"):
        export_html(replace(one, rounds=(replace(one.rounds[0], emitted=tuple(noise)),)), tmp_path / "longer.html")
    assert not (tmp_path / "longer.html").exists()


def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    old = tmp_path / "page.html"
    old.write_text("old", encoding="utf-8")
    with pytest.raises(LabError, match="no rounds"):
        export_html(replace(fixtures.trace(seed=3), rounds=()), old)
    with pytest.raises(LabError, match="cannot write"):
        export_html(fixtures.trace(seed=3), tmp_path / "missing" / "page.html")
    assert old.read_text(encoding="utf-8") == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]


def test_the_bundle_is_within_bounds() -> None:
    assert (STATIC / "lab.js").stat().st_size < 212_000
    assert (STATIC / "lab.css").stat().st_size < 60_000

"""A trace exported as one file: it steps, it shows what the trace says, and it asks for nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from dspark_lab import Settings, Trace
from dspark_lab.loading import Lab
from dspark_lab.rounds import Token
from dspark_widgets import SchedulerView, export_html
from tests.browser import helpers
from tests.browser.conftest import Watch
from tests.browser.reading import check_round, check_text, check_trace, go_to_round, phase, steps_of

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def trace(pocket_lab: Lab) -> Trace:
    return pocket_lab.session("Can you recommend a thrilling book for my teacher?", Settings(seed=7)).run().trace()


def test_an_exported_page_stands_alone(
    trace: Trace, tmp_path: Path, open_page: Callable[..., Page], watch: Watch
) -> None:
    file = export_html(trace, tmp_path / "trace.html")
    assert file.stat().st_size < 1_500_000
    page = open_page(file.as_uri())
    check_trace(page, trace)
    assert watch.requests == [file.as_uri()]

    page.get_by_test_id("stepper").focus()
    page.keyboard.press("Home")
    expect(page.get_by_test_id("scrub")).to_have_value("0")
    for name, _, _ in list(steps_of(trace.rounds[0]))[:6]:
        assert phase(page) == name
        page.keyboard.press("ArrowRight")
    page.get_by_test_id("scrub").fill("3")
    page.get_by_test_id("btn-back").click()
    expect(page.get_by_test_id("scrub")).to_have_value("2")
    page.get_by_test_id("btn-replay").click()
    expect(page.get_by_test_id("scrub")).to_have_value("0")
    expect(page.get_by_test_id("apply-fork")).to_be_disabled()

    go_to_round(page, 0)
    helpers.screenshots(page, "static")
    page.set_viewport_size(helpers.PHONE)
    helpers.check_no_sideways_scroll(page)


def test_markup_in_a_trace_stays_text(
    trace: Trace, tmp_path: Path, open_page: Callable[..., Page], watch: Watch
) -> None:
    """The page's own policy would stop a request and log an error: neither may happen."""
    evil = "</script><img src=x onerror=alert(1)><b id=evil>"
    hostile = dataclasses.replace(_with_text(trace, evil), prompt=f"{evil} \u202e\u2028")
    file = export_html(hostile, tmp_path / "hostile.html")
    page = open_page(file.as_uri())
    check_text(page, hostile.prompt, list(hostile.rounds[0].emitted))
    check_round(page, hostile.rounds[0])
    expect(page.locator("img, #evil")).to_have_count(0)
    assert evil in page.title() or page.title().startswith(evil[:40])
    assert watch.requests == [file.as_uri()]


def _with_text(value: Any, text: str) -> Any:
    """A copy with ``text`` in place of every token's, after its id so that tokens stay apart."""
    if isinstance(value, Token):
        return Token(value.id, f"{value.id}{text}")
    if isinstance(value, tuple):
        return tuple(_with_text(item, text) for item in value)
    if dataclasses.is_dataclass(value):
        return dataclasses.replace(
            value, **{f.name: _with_text(getattr(value, f.name), text) for f in dataclasses.fields(value)}
        )
    return value


def test_a_draft_tree_is_shown_node_by_node(
    pocket_lab: Lab, tmp_path: Path, open_page: Callable[..., Page], watch: Watch
) -> None:
    settings = Settings(seed=7, tree=12, max_new_tokens=24)
    trace = pocket_lab.session("Can you recommend a thrilling book for my teacher?", settings).run().trace()
    page = open_page(export_html(trace, tmp_path / "tree.html").as_uri())
    for r in trace.rounds:
        go_to_round(page, r.index)
        nodes = r.tree.nodes if r.tree else ()  # where one token is left to emit, nothing is drafted
        shown = page.get_by_test_id("tree").get_by_role("listitem")
        expect(shown).to_have_count(len(nodes))
        marks = [mark.get_attribute("aria-label") for mark in page.get_by_test_id("tree").get_by_role("img").all()]
        assert sorted(map(str, marks)) == sorted(node.verdict for node in nodes)
        expect(page.get_by_test_id("round-chip-" + str(r.index))).to_contain_text(f"{r.accepted}✓" if nodes else "●")
    go_to_round(page, 1)
    helpers.screenshots(page, "tree")
    page.set_viewport_size(helpers.PHONE)
    helpers.check_no_sideways_scroll(page)


def test_a_long_text_is_a_page_too(
    pocket_lab: Lab, tmp_path: Path, open_page: Callable[..., Page], watch: Watch
) -> None:
    settings = Settings(seed=3, temperature=3.0, max_new_tokens=150, policy="early-break", load=60)
    session = pocket_lab.session("Can you recommend a thrilling book for my teacher?", settings).run()
    trace = session.trace()
    assert len(trace.rounds) > 60
    file = export_html(SchedulerView(session), tmp_path / "long.html")
    assert file.stat().st_size < 1_500_000 and 'type="application/gzip"' in file.read_text(encoding="utf-8")
    page = open_page(file.as_uri())
    expect(page.get_by_test_id("plan-length")).to_contain_text(str(trace.rounds[0].verify_length))
    assert watch.requests == [file.as_uri()]

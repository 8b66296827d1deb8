"""What a person takes along from a page: pictures of bars, charts and rounds, a trace, and the page itself as a file."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dspark_lab import Overrides, Trace
from dspark_lab.session import Session
from dspark_widgets import HeadLens, RejectionView, Stepper, export_html
from tests.browser import helpers
from tests.browser.conftest import PROMPT, SETTINGS, Watch
from tests.browser.helpers import READY, generate
from tests.browser.reading import check_trace, chip_text, go_to_round

pytestmark = pytest.mark.browser

PNG = b"\x89PNG\r\n\x1a\n"
SVG = "{http://www.w3.org/2000/svg}"
WIDTHS = "nodes => nodes.map((node) => node.getBoundingClientRect().width)"


def saved(page: Page, handle: str) -> tuple[str, bytes]:
    with page.expect_download() as saving:
        page.get_by_test_id(handle).click()
    return saving.value.suggested_filename, Path(saving.value.path()).read_bytes()


def picture(page: Page, name: str) -> ET.Element:
    """The SVG that the button makes, once the PNG was found as large, twice over."""
    called, content = saved(page, f"save-svg-{name}")
    assert called == f"{name}.svg"
    root = ET.fromstring(content)
    called, png = saved(page, f"save-png-{name}")
    assert called == f"{name}.png" and png.startswith(PNG)
    size = [int.from_bytes(png[at : at + 4]) for at in (16, 20)]
    assert size == [2 * float(root.attrib[side]) for side in ("width", "height")]
    assert not [node for node in root.iter() if "class" in node.attrib or node.tag == f"{SVG}foreignObject"]
    return root


def words(root: ET.Element) -> list[str]:
    return ["".join(node.itertext()) for node in root.iter(f"{SVG}text")]


def rects(root: ET.Element) -> list[dict[str, float]]:
    return [
        {side: float(node.attrib[side]) for side in ("x", "y", "width", "height") if side in node.attrib}
        for node in root.iter(f"{SVG}rect")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_bars_become_a_picture_that_looks_as_they_do(
    session: Session, scheme: str, tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    view = RejectionView(session, position=2)
    view._on_message(view, {"type": "meter", "branch": 0, "round": 0, "rule": "exact", "rounds": 60}, [])
    assert view.wait(120)
    page = open_page(export_html(view, tmp_path / "why.html").as_uri(), color_scheme=scheme)
    token = chip_text(session.rounds[0].positions[1].token)
    root = picture(page, "rejection")
    text = words(root)
    assert text[0] == "Target and draft over the top tokens" and text[1] == f"round 1, position 2: {token}"
    figure = page.locator("figure").filter(has=page.get_by_test_id("save-svg-rejection"))
    for number in figure.locator(".dl-num").all_inner_texts():
        assert number.replace("\n", "") in "".join(text)
    drawn = [rect["width"] for rect in rects(root)]
    bars = [width for width in figure.locator(".dl-upper").evaluate_all(WIDTHS) if width > 1]
    assert bars and all(any(abs(width - other) < 0.1 for other in drawn) for width in bars)
    background = page.evaluate("getComputedStyle(document.querySelector('.dl')).backgroundColor")
    assert root.find(f"{SVG}rect").attrib["fill"] == background  # type: ignore[union-attr]

    counts = picture(page, "exactness-counts")
    assert words(counts)[1] == f"60 rounds, seeds {SETTINGS.seed + 1} to {SETTINGS.seed + 60}"
    hatched = [node for node in counts.iter(f"{SVG}rect") if node.attrib.get("fill", "").startswith("url(#")]
    assert len(hatched) > 2 and len(list(counts.iter(f"{SVG}pattern"))) == 1


def test_the_heads_bars_and_a_round_become_pictures_too(
    session: Session, tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    page = open_page(export_html(HeadLens(session, position=2), tmp_path / "lens.html").as_uri())
    p = session.rounds[0].positions[1]
    assert set(map(chip_text, (c.token for c in p.biased_up))) <= set(words(picture(page, "lens-drafted-bias")))
    assert any("without" in line for line in words(picture(page, "lens-drafted")))

    page = open_page(export_html(Stepper(session), tmp_path / "stepper.html").as_uri())
    for width in (1280, helpers.PHONE["width"]):
        page.set_viewport_size({"width": width, "height": 900})
        root = picture(page, "round")
        text = words(root)
        assert text[0].startswith("round 1 of ") and PROMPT[:30] in text[1] and "pocket/target" in text[1]
        assert {"base", "verdict", *(chip_text(p.token) for p in session.rounds[0].positions)} <= {
            t.strip() for t in text
        }
        edge = float(root.attrib["width"])
        assert all(rect.get("x", 0) + rect["width"] < edge + 1 for rect in rects(root))
        assert any(re.fullmatch(r"<\|\w+…", line) for line in text)  # the anchor, cut to its cell


def test_markup_in_a_token_stays_text_in_a_picture(
    session: Session, tmp_path: Path, open_page: Callable[..., Page], watch: Watch
) -> None:
    evil = "<img src=x onerror=alert(1)>"
    trace = session.trace().to_json()
    trace["rounds"][0]["positions"][0]["token"]["text"] = evil
    file = export_html(Trace.from_json(trace), tmp_path / "evil.html")
    page = open_page(file.as_uri())
    assert any(line.startswith("<img") for line in words(picture(page, "round")))
    assert not [address for address in watch.requests if not address.startswith((file.as_uri(), "data:", "blob:"))]


def test_the_live_page_is_taken_along_with_its_forks(
    session: Session, voila: str, tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    page = open_page(voila)
    expect(page.get_by_test_id("status")).to_have_text("ready", timeout=READY)
    generate(page, PROMPT, seed=SETTINGS.seed, max_tokens=SETTINGS.max_new_tokens)
    index, k, u = helpers.turnable(session.trace())
    fork = session.fork(index, Overrides(uniforms={f"accept:{k}": u})).run().trace()
    go_to_round(page, index)
    helpers.change_uniform(page, page, k, u)
    helpers.fork(page, 1, fork)
    name, content = saved(page, "save-page")
    assert name == "can-you-recommend-a-thrilling-book-for-m.html" and len(content) < 1_500_000
    file = tmp_path / name
    file.write_bytes(content)
    alone = open_page(file.as_uri())
    expect(alone.get_by_test_id("save-page")).to_have_count(0)
    alone.get_by_test_id("branch-0").click()
    check_trace(alone, session.trace())
    alone.get_by_test_id("branch-1").click()
    check_trace(alone, fork)
    alone.get_by_test_id("tab-lens").click()
    expect(alone.get_by_test_id("lens")).to_be_visible()
    for tab, said in (("race", "No race was run before"), ("load", "Nothing was simulated before")):
        alone.get_by_test_id(f"tab-{tab}").click()
        expect(alone.get_by_text(said)).to_be_visible()
    go_to_round(alone, index)
    root = picture(alone, "round")
    assert words(root)[1].startswith("fork 1 · ") and f"seed {SETTINGS.seed}" in words(root)[1]
    struck = alone.locator(".dl-table .dl-chip").evaluate_all(
        "(chips) => chips.filter((c) => getComputedStyle(c).textDecorationLine === 'line-through').length"
    )
    drawn = [node for node in root.iter(f"{SVG}text") if "line-through" in node.attrib.get("style", "")]
    assert len(drawn) >= struck

"""Each view looks as it did when someone last looked at it, and a page that is broken does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser import looks

pytestmark = pytest.mark.browser

RENEW = "look at it, and where it is meant to look so: python -m tests.browser.looks"

DAMAGES = {
    "a missing panel": ".dl-planparts { display: none; }",
    "a chart that is not drawn": ".dl-plot svg { visibility: hidden; }",
    "two columns that became one": ".dl-lenses { display: block !important; }",
    "a line that is not said": ".dl-cause { visibility: hidden; }",
    "a colour of the other theme": ".dl { --bg: #15181d !important; }",
    "a style that is not there": ".dl-queue { all: unset; }",
}
HARMLESS = {
    "letters that are hinted otherwise": "* { letter-spacing: 0.03px; text-rendering: geometricPrecision; }",
    "a control that is a little higher": ".dl button, .dl select { padding-bottom: 5px !important; }",
    "a page one pixel lower": "body { padding-top: 1px; }",
    "a colour hardly another": ".dl { --line: #d0d3d8 !important; }",
}


@pytest.fixture
def lens(open_page: Callable[..., Page]) -> Page:
    return open_page("about:blank")


@pytest.mark.parametrize("view", looks.VIEWS)
def test_a_view_looks_as_it_did(view: str, tmp_path: Path, open_page: Callable[..., Page], lens: Page) -> None:
    page = open_page(looks.export(view, tmp_path).as_uri(), viewport=looks.WINDOW, bypass_csp=True)
    for theme in looks.THEMES:
        looks.dress(page, theme)
        shown, _ = looks.photograph(page, lens)
        said = looks.compare(shown, looks.kept(view, theme, lens))
        assert not said, f"{view}, {theme}: {said}; {RENEW}"


def test_a_damage_is_seen_and_a_trifle_is_not(tmp_path: Path, open_page: Callable[..., Page], lens: Page) -> None:
    page = open_page(looks.export("scheduler", tmp_path).as_uri(), viewport=looks.WINDOW, bypass_csp=True)
    looks.dress(page, "light")
    kept = looks.kept("scheduler", "light", lens)
    seen = {}
    for name, css in {**DAMAGES, **HARMLESS}.items():
        tag = page.add_style_tag(content=css)
        seen[name] = looks.compare(looks.photograph(page, lens)[0], kept)
        tag.evaluate("(e) => e.remove()")
    looks.dress(page, "dark")
    seen["the other theme"] = looks.compare(looks.photograph(page, lens)[0], kept)
    assert [name for name in (*DAMAGES, "the other theme") if not seen[name]] == [], "not seen"
    assert {name: seen[name] for name in HARMLESS if seen[name]} == {}
    assert "px high" in looks.compare(kept[: len(kept) // 2], kept)

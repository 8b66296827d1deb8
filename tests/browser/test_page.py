"""What stands around the views, without a kernel: glossary, tour, languages, paper and wide screens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dspark_lab.session import Session
from dspark_widgets import LabApp, export_html
from tests.browser import helpers
from tests.browser.reading import chip_text, go_to_round, shows

pytestmark = pytest.mark.browser
WIDE = {"width": 3840, "height": 2160}


@pytest.fixture
def still(session: Session, tmp_path: Path) -> str:
    """The whole page on a trace, without a kernel."""
    app = LabApp(recorded=tmp_path)
    app.show(session.trace())
    return export_html(app, tmp_path / "app.html").as_uri()


def test_the_glossary_opens_by_key_is_searched_and_leads_to_the_place(
    still: str, session: Session, open_page: Callable[..., Page]
) -> None:
    page = open_page(still)
    go_to_round(page, 1)
    page.get_by_test_id("cell-survival-2").click()
    page.keyboard.press("g")
    glossary = page.get_by_test_id("glossary")
    expect(glossary).to_be_visible()
    expect(page.get_by_test_id("term-survival")).to_be_focused()  # the key was pressed at that quantity
    live = page.get_by_test_id("term-survival").locator(".dl-equation-line").last.text_content()
    assert shows(live.rpartition("= ")[2], session.rounds[1].positions[1].survival)
    page.get_by_test_id("glossary-search").fill("p_t bonus")
    expect(page.get_by_test_id("term-bonus")).to_be_visible()
    expect(page.get_by_test_id("term-survival")).to_have_count(0)
    page.get_by_test_id("glossary-search").fill("accept or reject")
    page.get_by_test_id("show-ratio").click()
    expect(glossary).to_have_count(0)
    cell = page.get_by_test_id("cell-verdict-2")
    expect(cell).to_be_focused()
    expect(cell).to_have_attribute("aria-selected", "true")
    page.keyboard.press("?")
    expect(glossary).to_be_visible()
    page.keyboard.press("Escape")
    expect(glossary).to_have_count(0)
    expect(cell).to_be_focused()


def test_a_symbol_in_a_sentence_explains_itself(still: str, open_page: Callable[..., Page]) -> None:
    page = open_page(still)
    page.get_by_test_id("why").locator('[data-entry="target"]').first.hover()
    tip = page.get_by_role("tooltip")
    expect(tip).to_contain_text("softmax")
    page.mouse.move(0, 0)
    expect(tip).to_have_count(0)


def test_the_tour_is_offered_once_shows_the_real_things_and_can_be_left(
    still: str, session: Session, open_page: Callable[..., Page]
) -> None:
    page = open_page(still)
    expect(page.get_by_test_id("tour-offer")).to_be_visible()
    page.get_by_test_id("tour-start").click()
    tour, stops = page.get_by_test_id("tour"), []
    following = page.get_by_test_id("tour-next")
    while tour.count():
        stop = str(tour.get_attribute("data-stop"))
        stops.append(stop)
        expect(page.locator("[data-pointed]")).to_have_count(1)
        expect(following).to_be_focused()
        if stop == "verdict":
            expect(page.get_by_test_id("phase-accept")).to_have_attribute("aria-current", "step")
            expect(page.get_by_test_id("cause")).to_contain_text("is rejected")
            page.screenshot(path=helpers.SCREENSHOTS.parent / "tour.png")
        page.keyboard.press("Enter")
        expect(page.locator(f'[data-testid="tour"][data-stop="{stop}"]')).to_have_count(0)
    assert 8 <= len(stops) <= 12 and stops[0] == "rounds"  # without a kernel there is no prompt to fill in
    expect(page.locator("[data-pointed]")).to_have_count(0)
    page.reload()
    expect(page.get_by_test_id("stepper")).to_be_visible()
    expect(page.get_by_test_id("tour-offer")).to_have_count(0)
    page.get_by_test_id("tour-open").click()
    expect(following).to_be_focused()
    page.keyboard.press("Escape")
    expect(tour).to_have_count(0)
    expect(page.get_by_test_id("tour-open")).to_be_focused()


def test_a_guess_is_answered_before_the_next_and_nothing_tells_it_before(
    still: str, session: Session, open_page: Callable[..., Page]
) -> None:
    """With the numbers of the position beside the question, and another question right behind it."""
    page = open_page(still)
    r = next(r for r in session.rounds if r.accepted > 0 and r.verify_length > 1)
    page.get_by_test_id("predict").check()
    page.get_by_test_id(f"round-chip-{r.index}").click()
    page.get_by_test_id("phase-verify").click()
    expect(page.locator(".dl-facts > span").nth(3)).to_have_text("u = –")
    for answer, said in (("yes", "Right."), ("no" if r.accepted > 1 else "yes", "Not this time.")):
        expect(page.get_by_test_id("question")).to_be_visible()
        expect(page.locator(".dl-numbers")).to_contain_text("τ ?")
        page.get_by_test_id(f"predict-{answer}").click()
        told = page.get_by_test_id("feedback").or_(page.get_by_test_id("cause").filter(has_text="so")).first
        expect(told).to_contain_text(said)


def test_a_pencil_covers_no_number(still: str, open_page: Callable[..., Page]) -> None:
    page = open_page(still)
    cell = page.get_by_test_id("cell-draft-2")
    cell.click()
    pencil, number = cell.locator(".dl-edit").bounding_box(), cell.locator(".dl-num").first.bounding_box()
    assert pencil and number and number["x"] + number["width"] <= pencil["x"]


def test_the_language_changes_in_place(still: str, session: Session, open_page: Callable[..., Page]) -> None:
    page = open_page(still)
    go_to_round(page, 1)
    page.get_by_test_id("cell-draft-2").click()
    choice = page.get_by_test_id("language")
    token = chip_text(session.rounds[1].positions[1].token)
    for language, tag, step in (("ja", "ja", "進む"), ("zh", "zh-Hans", "前进"), ("en", "en", "Step")):
        choice.select_option(language)
        expect(page.locator(".dl").first).to_have_attribute("lang", tag)
        expect(page.get_by_test_id("btn-step")).to_contain_text(step)
        expect(page.get_by_test_id("cell-draft-2")).to_have_attribute("aria-selected", "true")
        expect(page.get_by_test_id("cause")).to_contain_text(token)
        expect(page.get_by_test_id("measured")).to_contain_text({"ja": "コア", "zh": "核", "en": "core"}[language])
        page.set_viewport_size(helpers.PHONE)
        helpers.check_no_sideways_scroll(page)
        helpers.keep(page, f"page-{language}-360")
        page.set_viewport_size({"width": 1280, "height": 900})
        helpers.screenshot(page, f"page-{language}")


def test_a_browser_in_japanese_gets_japanese(still: str, open_page: Callable[..., Page]) -> None:
    page = open_page(still, locale="ja-JP")
    expect(page.locator(".dl").first).to_have_attribute("lang", "ja")
    expect(page.get_by_test_id("tab-rejection")).to_have_text("なぜこのトークンか")


def test_on_paper_stands_the_round_in_light_colours(
    still: str, session: Session, open_page: Callable[..., Page]
) -> None:
    page = open_page(still)
    helpers.set_theme(page, "dark")
    go_to_round(page, 1)
    page.emulate_media(media="print")
    for name in ("text-so-far", "cell-token-1", "cell-verdict-1", "cause", "rejection"):
        expect(page.get_by_test_id(name)).to_be_visible()
    for name in (
        "btn-step",
        "theme",
        "language",
        "glossary-open",
        "apply-fork",
        "tab-rejection",
        "tour-offer",
        "scrub",
    ):
        expect(page.get_by_test_id(name)).to_be_hidden()
    look = page.locator(".dl").evaluate("(e) => [getComputedStyle(e).backgroundColor, getComputedStyle(e).color]")
    assert look == ["rgb(255, 255, 255)", "rgb(28, 33, 39)"]
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 within its margins
    helpers.check_no_sideways_scroll(page)
    table = page.get_by_role("grid").bounding_box()
    assert table["x"] >= 0 and table["x"] + table["width"] <= 718
    helpers.screenshot(page, "page-print")


def test_a_very_wide_screen_keeps_the_page_in_its_middle(still: str, open_page: Callable[..., Page]) -> None:
    page = open_page(still, viewport=WIDE)
    box = page.locator(".dl").bounding_box()
    assert 1180 <= box["width"] <= 1800
    assert abs(box["x"] + box["width"] / 2 - WIDE["width"] / 2) < 12
    helpers.keep(page, "page-4k")

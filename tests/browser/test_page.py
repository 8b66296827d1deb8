"""What stands around the views: glossary, tour, permalinks, languages, paper, wide screens, and what axe-core says of all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dspark_lab import Overrides, Settings
from dspark_lab.loading import Lab
from dspark_lab.session import Session
from dspark_widgets import LabApp, RejectionView, Stepper, export_html
from dspark_widgets.permalink import encode, link_to
from tests.browser import helpers, looks
from tests.browser.axe import check_accessible
from tests.browser.conftest import Watch, opened
from tests.browser.helpers import READY, RUN, generate
from tests.browser.reading import check_trace, chip_text, go_to_round, phase, shows
from tests.browser.servers import Workplace

pytestmark = pytest.mark.browser

PROMPT = "Can you recommend a thrilling book for my teacher?"
SETTINGS = Settings(seed=7, max_new_tokens=24)
WIDE = {"width": 3840, "height": 2160}


@pytest.fixture(scope="module")
def session(pocket_lab: Lab) -> Session:
    return pocket_lab.session(PROMPT, SETTINGS).run()


@pytest.fixture
def still(session: Session, tmp_path: Path) -> str:
    """The whole page on a trace, without a kernel."""
    app = LabApp(recorded=tmp_path)
    app.show(session.trace())
    return export_html(app, tmp_path / "app.html").as_uri()


@pytest.fixture(scope="module")
def live(voila: str, browser: Browser, workplace: Workplace) -> Iterator[tuple[Page, Watch]]:
    workplace.gate.touch()
    watch = Watch()
    with opened(browser, watch, voila) as page:
        expect(page.get_by_test_id("status")).to_have_text("ready", timeout=READY)
        page.get_by_test_id("tour-decline").click()
        generate(page, PROMPT, seed=SETTINGS.seed, max_tokens=SETTINGS.max_new_tokens)
        yield page, watch


@pytest.fixture
def ready(live: tuple[Page, Watch]) -> Iterator[Page]:
    page, watch = live
    yield page
    watch.check()


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
            assert phase(page) == "accept"
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
    page.keyboard.press("Escape")
    expect(tour).to_have_count(0)
    expect(page.get_by_test_id("tour-open")).to_be_focused()


def test_a_permalink_brings_back_rounds_fork_and_place(
    ready: Page, voila: str, session: Session, open_page: Callable[..., Page]
) -> None:
    index, k, u = helpers.turnable(session.trace())
    fork = session.fork(index, Overrides(uniforms={f"accept:{k}": u})).run().trace()
    check_trace(ready, session.trace())
    go_to_round(ready, index)
    helpers.change_uniform(ready, ready, k, u)
    helpers.fork(ready, 1, fork)
    go_to_round(ready, index)
    ready.get_by_test_id(f"cell-u-{k}").click()
    ready.get_by_test_id("share").click()
    address = ready.get_by_test_id("share-link").input_value()
    assert address.startswith(f"{voila}#lab=") and len(address) < 4000
    assert f"fork_1 = session.fork({index}, Overrides(uniforms=" in ready.get_by_test_id("share-python").input_value()
    assert ready.get_by_test_id("share-command").input_value().endswith(f"-- '{PROMPT}'")
    ready.get_by_test_id("copy-link").click()
    expect(ready.get_by_test_id("copied-link")).to_have_text(re.compile("Copied|select the text"))
    ready.keyboard.press("Escape")
    expect(ready.get_by_test_id("share")).to_be_focused()

    page = open_page(address)
    expect(page.get_by_test_id("branch-1")).to_have_attribute("aria-current", "true", timeout=READY)
    expect(page.get_by_test_id("status")).to_have_text("ready", timeout=RUN)
    cell = page.get_by_test_id(f"cell-u-{k}")
    expect(cell).to_have_attribute("aria-selected", "true")
    expect(page.get_by_test_id(f"round-chip-{index}")).to_have_attribute("aria-current", "true")
    expect(page.get_by_test_id("seed")).to_have_value("7")
    expect(page.get_by_test_id("link-differs")).to_have_count(0)
    check_trace(page, fork)
    page.get_by_test_id("branch-0").click()
    check_trace(page, session.trace())


def test_a_bad_link_is_told_and_the_page_goes_on(ready: Page, voila: str, session: Session) -> None:
    link = link_to(session.trace())
    other = encode(link).replace("A", "B", 3)
    for text, said in ((other, "this link"), ("bm8", "cannot be read"), ("A" * 30_000, "30,000 characters")):
        ready.evaluate("(hash) => { location.hash = hash; }", f"lab={text}")
        expect(ready.get_by_test_id("link-error")).to_contain_text(said)
        expect(ready.get_by_test_id("error")).to_have_count(0)
    ready.evaluate("(hash) => { location.hash = hash; }", f"lab={encode(link)}")
    expect(ready.get_by_test_id("link-error")).to_have_count(0)
    expect(ready.get_by_test_id("status")).to_have_text("ready", timeout=RUN)
    check_trace(ready, session.trace())
    ready.evaluate("() => history.replaceState(null, '', location.pathname)")


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


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_the_page(ready: Page, theme: str) -> None:
    helpers.set_theme(ready, theme)
    for tab in ready.get_by_role("tab").all():
        tab.click()
        check_accessible(ready, f"the page, {tab.text_content()}, {theme}")
    ready.get_by_test_id("share").click()
    check_accessible(ready, f"sharing, {theme}")
    ready.keyboard.press("Escape")
    ready.get_by_test_id("tour-open").click()
    check_accessible(ready, f"the tour, {theme}")
    ready.get_by_test_id("tour-leave").click()
    ready.get_by_test_id("glossary-open").click()
    check_accessible(ready, f"the glossary, {theme}")
    ready.keyboard.press("Escape")
    helpers.set_theme(ready, "light")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("view", [Stepper, RejectionView])
def test_axe_finds_nothing_serious_in_a_view_alone(
    view: type[Stepper | RejectionView], theme: str, session: Session, tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    page = open_page(export_html(view(session), tmp_path / "view.html").as_uri())
    helpers.set_theme(page, theme)
    for r in session.rounds[:3]:
        go_to_round(page, r.index) if view is Stepper else page.get_by_test_id(f"round-chip-{r.index}").click()
        check_accessible(page, f"{view.__name__}, round {r.index}, {theme}")


@pytest.mark.parametrize("view", ["load", "race", "lens"])
def test_axe_finds_nothing_serious_in_a_view_of_charts_alone(
    view: str, tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    page = open_page(looks.export(view, tmp_path).as_uri())
    for theme in ("light", "dark"):
        helpers.set_theme(page, theme)
        check_accessible(page, f"{view} alone, {theme}")
    for details in page.locator("summary").all():
        details.click()
    points = page.locator('[role="slider"][data-testid$="-points"], [data-testid^="peak-"]').first
    points.focus()
    points.press("ArrowRight")
    check_accessible(page, f"{view} alone, opened")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_while_a_round_is_changed(ready: Page, theme: str) -> None:
    helpers.set_theme(ready, theme)
    generate(ready, PROMPT, seed=SETTINGS.seed, max_tokens=12)
    go_to_round(ready, 0)
    for name, inside in (
        ("edit-token-1", '[data-testid^="pick-token-"]'),
        ("edit-u-accept-1", '[data-testid="uniform-value"]'),
        ("edit-conf-1", '[data-testid="confidence-value"]'),
    ):
        helpers.open_editor(ready, name)
        expect(ready.locator(inside).first).to_be_visible()
        check_accessible(ready, f"{name}, {theme}")
        ready.keyboard.press("Escape")
    helpers.change_uniform(ready, ready, 1, 0.999)
    ready.get_by_test_id("verify-less").click()
    expect(ready.locator(".dl-pendingchip")).to_have_count(2)
    check_accessible(ready, f"changes that wait, {theme}")
    ready.get_by_test_id("apply-fork").click()
    expect(ready.get_by_test_id("branch-1")).to_have_attribute("aria-current", "true", timeout=RUN)
    expect(ready.get_by_test_id("diff")).to_be_visible()
    check_accessible(ready, f"a fork, {theme}")
    helpers.set_theme(ready, "light")

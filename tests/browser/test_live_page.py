"""A live page: permalinks there and back, and what axe-core says of it and of each view alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dspark_lab import Overrides
from dspark_lab.session import Session
from dspark_widgets import RejectionView, Stepper, export_html
from dspark_widgets.permalink import encode, link_to
from tests.browser import helpers, looks
from tests.browser.axe import check_accessible
from tests.browser.conftest import PROMPT, SETTINGS, Watch, opened
from tests.browser.helpers import READY, RUN, generate
from tests.browser.reading import check_trace, go_to_round

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def live(voila: str, browser: Browser) -> Iterator[tuple[Page, Watch]]:
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

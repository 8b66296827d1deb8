"""The views beside the stepper, in files that stand alone and as tabs of the page, where one place is all of theirs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dspark_lab import Settings
from dspark_lab.loading import Lab
from dspark_lab.rounds import Position, Round
from dspark_lab.session import Session
from dspark_lab.trace import Trace
from dspark_widgets import DrafterRace, HeadLens, RejectionView, export_html
from dspark_widgets.app import RECORDED
from dspark_widgets.examples import COLLISION, find_examples
from dspark_widgets.view import View
from tests.browser import helpers
from tests.browser.conftest import Watch
from tests.browser.helpers import READY, RUN
from tests.browser.reading import chip_text, shows

pytestmark = pytest.mark.browser

PROMPT = "Can you recommend a thrilling book for my teacher?"
SETTINGS = Settings(seed=7, max_new_tokens=24)


@pytest.fixture(scope="module")
def session(pocket_lab: Lab) -> Session:
    return pocket_lab.session(PROMPT, SETTINGS).run()


def ask(view: View, **message: object) -> None:
    view._on_message(view, message, [])
    assert view.wait(120)
    assert not view.status["error"]


def rejected(session: Session) -> tuple[Round, Position]:
    r = next(r for r in session.rounds if r.final.kind == "residual")
    return r, r.positions[r.final.position - 1]


def bars(page: Page, name: str) -> dict[str, list[str]]:
    """Of a chart's rows, by token, the numbers that are spoken."""
    rows = page.get_by_role("list", name=name).first.get_by_role("listitem").all()
    said = [str(row.get_attribute("aria-label")).rpartition(": ") for row in rows]
    return {token: [part.rpartition(" ")[2] for part in numbers.split(", ")] for token, _, numbers in said}


def test_why_a_token_was_rejected_and_whether_the_rule_is_exact(
    session: Session, tmp_path: Path, open_page: Callable[..., Page], watch: Watch
) -> None:
    r, p = rejected(session)
    view = RejectionView(session)
    for rule in ("exact", "accept-all"):
        ask(view, type="meter", branch=0, round=r.index, rule=rule, rounds=60)
    file = export_html(view, tmp_path / "rejection.html")
    assert file.stat().st_size < 1_500_000
    page = open_page(file.as_uri())
    page.get_by_test_id(f"round-chip-{r.index}").click()
    why = page.get_by_test_id("why")
    expect(why).to_contain_text(f"{chip_text(p.token)} is rejected; the residual's own draw u = ")
    expect(why).to_contain_text(f"falls on {chip_text(r.final.token)}")
    expect(page.get_by_test_id(f"pos-{p.k}")).to_have_attribute("aria-current", "true")
    chart = bars(page, "Target and draft over the top tokens")
    p_t, p_d, share = chart[chip_text(p.token)]
    assert shows(p_t, p.p_t) and shows(p_d, p.p_d) and share == "0"
    assert any(not shows(value[2], 0) for value in chart.values() if value[2] != "–")
    assert "all others" in chart
    expect(page.get_by_role("img", name=re.compile(r"^From 0 to 1: below .* the token is accepted"))).to_be_visible()

    page.get_by_test_id("pos-1").press("Enter")
    expect(page.get_by_test_id("pos-1")).to_have_attribute("aria-current", "true")
    expect(why).to_contain_text(chip_text(r.positions[0].token))
    page.get_by_test_id("pos-final").click()
    expect(why).to_contain_text("is rejected" if r.final.kind == "residual" else "bonus")
    page.locator(".dl-explained").first.focus()
    expect(page.get_by_role("tooltip")).to_be_visible()

    meter = page.get_by_test_id("meter-result")
    counted = bars(page, "Target's probability and share counted, token by token")
    assert sum(int(count) for _, _, count in counted.values()) == 60
    expect(meter).to_contain_text(f"60 rounds, seeds {SETTINGS.seed + 1} to {SETTINGS.seed + 60}")
    page.get_by_test_id("rule-resample").check()
    expect(meter).to_have_count(0)
    page.get_by_test_id("rule-accept-all").check()
    expect(meter).to_contain_text("distance that this rule never gets below")
    expect(page.get_by_test_id("meter-run-200")).to_have_count(0)  # nothing here can run
    helpers.screenshots(page, "rejection")
    page.set_viewport_size(helpers.PHONE)
    helpers.check_no_sideways_scroll(page)
    assert watch.requests == [file.as_uri()]


def test_the_head_lens_leads_to_where_the_head_matters(
    session: Session, tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    view = HeadLens(session)
    page = open_page(export_html(view, tmp_path / "lens.html").as_uri())
    peak = page.locator('[data-testid^="peak-"]').first
    number, k = map(int, str(peak.get_attribute("data-testid")).split("-")[1:])
    peak.click()
    expect(peak).to_have_attribute("aria-current", "true")
    expect(page.get_by_test_id(f"pos-{k}")).to_have_attribute("aria-current", "true")
    r = session.rounds[number]
    p, before = r.positions[k - 1], r.anchor if k == 1 else r.positions[k - 2].token
    expect(page.get_by_test_id("head-says")).to_contain_text(f"after {chip_text(before)} the sequential head raises")
    with_head, without = bars(page, "Probabilities with and without the sequential head")[chip_text(p.token)]
    assert shows(with_head, p.p_d) and shows(without, p.p_base)
    helpers.screenshots(page, "lens")
    page.set_viewport_size(helpers.PHONE)
    helpers.check_no_sideways_scroll(page)


def test_a_race_opens_its_rounds_in_the_stepper(
    pocket_lab: Lab, tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    view = DrafterRace(pocket_lab, PROMPT, ["dspark", "prompt-lookup", "none"], settings=SETTINGS)
    assert view.wait(120)
    ask(view, type="open", lane="dspark", round=0)
    page = open_page(export_html(view, tmp_path / "race.html").as_uri())
    for lane in view.race["lanes"]:
        shown = page.get_by_test_id(f"lane-{lane['name']}")
        expect(shown).to_contain_text(f"τ {lane['tau']:.2f}")
        expect(shown).to_contain_text(re.compile(r"\d+\.\d tok/s measured, \d+\.\d\d s"))
        expect(shown.locator('[data-testid^="block-"]')).to_have_count(len(lane["rounds"]))
    expect(page.get_by_test_id("block-none-0")).to_be_disabled()
    page.get_by_test_id("block-dspark-1").click()
    expect(page.get_by_test_id("round-chip-1")).to_have_attribute("aria-current", "true")
    expect(page.get_by_test_id("block-dspark-1")).to_have_attribute("aria-current", "true")
    helpers.screenshots(page, "race")
    page.set_viewport_size(helpers.PHONE)
    helpers.check_no_sideways_scroll(page)


def test_the_tabs_of_the_page_share_one_place(voila: str, open_page: Callable[..., Page]) -> None:
    page = open_page(voila)
    expect(page.get_by_test_id("status")).to_have_text("ready", timeout=READY)
    page.get_by_test_id("max-tokens").fill("16")
    helpers.generate(page, PROMPT)
    tab = page.get_by_role("tab")
    expect(tab).to_have_text(["Why this token", "How sure", "How far", "Under load", "Race", "Head"])

    page.get_by_test_id("round-chip-1").click()
    page.get_by_test_id("cell-verdict-2").click()
    expect(page.get_by_test_id("pos-2")).to_have_attribute("aria-current", "true")
    page.get_by_test_id("pos-1").click()
    expect(page.get_by_test_id("cell-verdict-1")).to_have_attribute("aria-selected", "true")

    page.get_by_test_id("meter-run-200").click()
    expect(page.get_by_test_id("meter-result")).to_contain_text("200 rounds", timeout=RUN)
    page.get_by_test_id("rule-accept-all").check()
    page.get_by_test_id("meter-run-2000").click()
    page.get_by_test_id("meter-stop").click()
    expect(page.get_by_test_id("meter-afresh")).to_be_visible(timeout=RUN)
    helpers.screenshots(page, "app-rejection")

    page.get_by_test_id("tab-rejection").press("End")
    page.get_by_test_id("tab-lens").press("ArrowLeft")
    expect(page.get_by_test_id("tab-race")).to_be_focused()
    page.get_by_test_id("race-run").click()
    expect(page.get_by_test_id("lane-none")).to_contain_text("measured", timeout=RUN)
    expect(page.get_by_test_id("status")).to_have_text("ready", timeout=RUN)
    page.get_by_test_id("block-early-exit-1").click()
    expect(page.get_by_test_id("round-chip-1")).to_have_attribute("aria-current", "true", timeout=RUN)
    expect(page.get_by_test_id("lane-early-exit").locator('[aria-current="true"]')).to_have_count(1)
    chosen = page.get_by_test_id("lane-early-exit").get_by_role("heading")
    expect(page.get_by_test_id("drafter").locator("option:checked")).to_have_text(
        str(chosen.text_content())
    )  # the page goes on with it
    for chart in ("race-tokens", "race-acceptance"):
        expect(page.get_by_test_id(chart).get_by_role("img")).to_be_visible()
    helpers.screenshots(page, "app-race")

    page.get_by_test_id("tab-race").press("End")
    expect(page.get_by_test_id("no-head")).to_be_visible()  # early exit has none
    example = next(e for e in find_examples(RECORDED) if e.collision)
    page.get_by_test_id("collision").first.click()
    expect(page.get_by_test_id(f"pos-{example.collision[1]}")).to_have_attribute("aria-current", "true")
    asked = page.get_by_test_id("lens-drafted")
    drafted = (
        Trace.load(RECORDED / f"{example.domain}_{example.index}.json")
        .rounds[example.collision[0]]
        .positions[example.collision[1] - 1]
    )
    expect(asked).to_contain_text(drafted.token.text.replace(" ", "␣"))
    assert drafted.token.text in COLLISION and drafted.p_base < 0.1 and drafted.p_d > 0.9
    page.get_by_test_id("tab-race").click()
    page.get_by_test_id("block-dspark-0").click()
    expect(page.get_by_test_id("drafter")).to_have_value("dspark", timeout=RUN)
    page.get_by_test_id("tab-lens").click()
    helpers.generate(page, example.prompt)
    page.get_by_test_id(f"pos-{example.collision[1]}").click()
    page.get_by_test_id("after-text").fill("Of")
    page.get_by_test_id("after-ask").click()
    expect(page.get_by_test_id("lens-asked")).to_contain_text("After Of instead", timeout=RUN)
    page.get_by_test_id("after-text").fill("two words")
    page.get_by_test_id("after-ask").click()
    expect(page.get_by_test_id("lens").get_by_test_id("error")).to_contain_text("tokens", timeout=RUN)
    helpers.screenshots(page, "app-lens")
    page.set_viewport_size(helpers.PHONE)
    helpers.check_no_sideways_scroll(page)

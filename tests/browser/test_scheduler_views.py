"""How sure and how far: the cut follows the load, a drawn step rate and a changed confidence, as Python's plans say."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from dspark_lab import Overrides, Settings, Trace
from dspark_lab.decoding import drafting_of
from dspark_lab.loading import Lab
from dspark_lab.scheduling.replan import Replanned, replan
from dspark_lab.session import Session
from dspark_widgets import ConfidenceView, SchedulerView, export_html
from dspark_widgets.app import RECORDED
from dspark_widgets.examples import find_examples
from tests.browser import helpers
from tests.browser.axe import check_accessible
from tests.browser.conftest import Watch
from tests.browser.helpers import READY, RUN, fork
from tests.browser.reading import chip_text, shows

pytestmark = pytest.mark.browser

PROMPT = "Can you recommend a thrilling book for my teacher?"
SETTINGS = Settings(seed=7, max_new_tokens=24, policy="early-break", load=60)


@pytest.fixture(scope="module")
def session(pocket_lab: Lab) -> Session:
    return pocket_lab.session(PROMPT, SETTINGS).run()


def planned(session: Session, index: int, **changes: Any) -> Replanned:
    return replan(session.trace(), index, Overrides(**changes), drafting_of(session.drafter, session.settings))


def length(page: Page | Locator, expected: int) -> None:
    expect(page.get_by_test_id("plan-length")).to_have_attribute("data-length", str(expected))
    expect(page.get_by_test_id("plan-length")).to_contain_text(f"{expected} of ")


def pick_round(page: Page, index: int) -> None:
    page.get_by_test_id(f"round-chip-{index}").click()
    expect(page.get_by_test_id(f"round-chip-{index}")).to_have_attribute("aria-current", "true")


def cells_of(row: Locator) -> list[str]:
    return [str(cell) for cell in row.locator("td").all_text_contents()]


def test_a_file_tells_how_far_each_round_was_verified(
    session: Session, tmp_path: Path, open_page: Callable[..., Page], watch: Watch
) -> None:
    view = SchedulerView(session)
    file = export_html(view, tmp_path / "scheduler.html")
    assert file.stat().st_size < 1_500_000
    page = open_page(file.as_uri())
    plans = {plan["round"]: plan for plan in view.snapshot()["plans"]}
    for r in session.rounds:
        pick_round(page, r.index)
        if not r.gamma:
            expect(page.get_by_test_id("no-schedule")).to_be_visible()
            continue
        assert r.schedule is not None
        length(page, r.verify_length)
        expect(page.get_by_test_id("plan-why")).to_contain_text(r.schedule.why.partition("x_")[0])
        expect(page.get_by_test_id("plan-facts")).to_contain_text("load 60")
        expect(page.get_by_test_id("plan-facts")).to_contain_text("As this round was run.")
        own = page.locator('[data-testid^="queue-own-"]')
        expect(own).to_have_count(r.gamma)
        admitted = [", admitted" in str(place.get_attribute("aria-label")) for place in own.all()]
        assert admitted == [k <= r.verify_length for k in range(1, r.gamma + 1)]
        for decision in plans[r.index]["decisions"]:
            row = page.get_by_test_id(f"decision-{decision['policy']}")
            assert cells_of(row)[:2] == [f"{decision['length']} of {r.gamma}", f"{decision['tokens']:,}"]
            assert ("leaks" in cells_of(row)[3]) is decision["leaks"]
    pick_round(page, 0)
    expect(page.get_by_role("img", name=re.compile(r"^Draft tokens verified by load: \d at 0, "))).to_be_visible()
    expect(page.get_by_test_id("leak")).to_contain_text("with chance .85 instead of .70")
    for name in ("plan-load", "plan-policy", "fork-plan"):
        expect(page.get_by_test_id(name)).to_have_count(0)  # nothing here can be asked
    helpers.screenshots(page, "scheduler")
    for theme in ("dark", "light"):
        helpers.set_theme(page, theme)
        check_accessible(page, f"scheduler alone, {theme}")
    page.set_viewport_size(helpers.PHONE)
    helpers.check_no_sideways_scroll(page)
    table = page.get_by_test_id("decisions").evaluate("(e) => [e.scrollWidth, e.parentElement.clientWidth]")
    assert table[0] <= table[1], f"the table of policies is {table[0]} px wide in {table[1]} px"
    assert watch.requests == [file.as_uri()]


def test_a_file_tells_how_sure_the_drafter_was_and_how_often_it_was_right(
    session: Session, tmp_path: Path, open_page: Callable[..., Page], watch: Watch
) -> None:
    view = ConfidenceView(session)
    file = export_html(view, tmp_path / "confidence.html")
    page = open_page(file.as_uri())
    r = next(r for r in session.rounds if r.verify_length < r.gamma)
    pick_round(page, r.index)
    for p in r.positions:
        row = page.get_by_test_id(f"sure-{p.k}")
        expect(row).to_contain_text(chip_text(p.token))
        expect(row.locator(".dl-verdict")).to_contain_text(p.verdict)
        said = str(row.get_by_role("img").get_attribute("aria-label"))
        raw, scaled = re.fullmatch(r"a_\d: (\S+) raw, (\S+) after STS", said).groups()
        product = 1.0
        for q in r.positions[: p.k]:
            product *= q.confidence
        assert shows(raw, product) and shows(scaled, p.survival)
    page.get_by_test_id("sure-2").get_by_role("button").click()
    expect(page.get_by_test_id("sure-2").get_by_role("button")).to_have_attribute("aria-current", "true")

    known = view.reliability
    for threshold in (0.5, 0.8):
        page.get_by_test_id("threshold").fill(str(threshold))
        saved = next(point for point in known["saved"] if point["threshold"] == threshold)
        numbers = [saved["verified"], saved["accepted"], saved["verified"] - saved["accepted"]]
        expect(page.get_by_test_id("saved-recorded").locator("td")).to_have_text([f"{n:.2f}" for n in numbers])
    expect(page.get_by_test_id("saved-recorded")).to_contain_text(f"measured on {known['rounds']:,} recorded rounds")

    expect(page.get_by_test_id("reliability-2")).to_have_attribute(
        "aria-pressed", "true"
    )  # the position selected above
    for name, d in (("2", known["diagrams"][2]), ("all", known["diagrams"][0])):
        page.get_by_test_id(f"reliability-{name}").click()
        for testid, ece in (("ece-raw", d["ece"]), ("ece-scaled", d["ece_scaled"])):
            written = re.search(r"ECE (\S+) %", page.get_by_test_id(testid).text_content())[1]
            assert float(written) == pytest.approx(100 * ece, abs=0.051)
    expect(page.get_by_test_id("sure-c-1")).to_have_count(0)
    helpers.screenshots(page, "confidence")
    for theme in ("dark", "light"):
        helpers.set_theme(page, theme)
        check_accessible(page, f"confidence alone, {theme}")
    page.set_viewport_size(helpers.PHONE)
    helpers.check_no_sideways_scroll(page)
    assert watch.requests == [file.as_uri()]


def test_a_drafter_without_a_confidence_head_is_told_so(
    pocket_lab: Lab, tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    trace = pocket_lab.with_drafter("early-exit").session(PROMPT, Settings(seed=7, max_new_tokens=8)).run().trace()
    for view, said in ((ConfidenceView(trace), "no confidence head"), (SchedulerView(trace), "no confidences")):
        page = open_page(export_html(view, tmp_path / f"{view.kind}.html").as_uri())
        expect(page.locator(".dl-view")).to_contain_text(said)


def test_the_cut_is_predicted_before_it_shows(session: Session, tmp_path: Path, open_page: Callable[..., Page]) -> None:
    trace = session.trace()
    page = open_page(export_html(trace, tmp_path / "predict.html").as_uri())
    page.get_by_test_id("predict").check()
    first = trace.rounds[0]
    for answer, verdict, score in (
        (first.verify_length, "Right.", "cuts 1 of 1 right"),
        (first.gamma - first.verify_length, "Not ", "cuts 0 of 1 right"),
    ):
        page.get_by_test_id("btn-replay").click()
        page.get_by_test_id("phase-confidence").click()
        expect(page.get_by_test_id("cause")).to_contain_text("60 other requests")
        expect(page.locator(".dl-scissors")).to_have_count(0)
        expect(page.get_by_test_id("verify-length")).to_have_count(0)
        page.get_by_test_id(f"predict-{answer}").click()
        expect(page.get_by_test_id("cause")).to_contain_text(verdict)
        expect(page.get_by_test_id("score")).to_have_text(score)
        expect(page.get_by_test_id("verify-length")).to_have_text(str(first.verify_length))
        page.get_by_test_id("score-reset").click()
        expect(page.get_by_test_id("score")).to_have_text("")
    page.get_by_test_id("round-chip-1").click()
    expect(page.get_by_test_id("phase-confidence")).to_have_attribute("aria-current", "step")
    expect(page.get_by_test_id("question")).to_be_visible()


def test_the_cut_follows_load_step_rate_and_confidence_on_the_page(
    voila: str, open_page: Callable[..., Page], pocket_lab: Lab
) -> None:
    page = open_page(voila)
    page.get_by_test_id("tab-scheduler").click(timeout=READY)
    example = find_examples(RECORDED)[0]
    shown = Trace.load(RECORDED / f"{example.domain}_{example.index}.json")
    busy = Overrides(settings={"policy": "early-break", "load": 120})
    first = replan(shown, 0, busy, drafting_of(pocket_lab.drafter, SETTINGS))
    pick_round(page, 0)
    page.get_by_test_id("plan-load").fill("120")
    length(page, first.scheduled.length)
    expect(page.get_by_test_id("status")).to_have_text("ready", timeout=READY)
    expect(page.get_by_test_id("fork-plan")).to_be_disabled()
    helpers.fill(page, max_tokens=24, seed=7, temperature=1, load=0)
    page.get_by_test_id("policy").select_option("early-break")
    helpers.generate(page, PROMPT)
    session = pocket_lab.session(PROMPT, Settings(seed=7, max_new_tokens=24, gamma=7, policy="early-break")).run()
    index = session.rounds[1].index
    pick_round(page, index)
    length(page, session.rounds[index].verify_length)

    cuts = []
    for load in (20, 60, 120, 250):
        page.get_by_test_id("plan-load").fill(str(load))
        expected = planned(session, index, settings={"load": load})
        length(page, expected.scheduled.length)
        expect(page.get_by_test_id("plan-facts")).to_contain_text(f"B = {expected.plan.tokens:,} tokens")
        cuts.append(expected.scheduled.length)
    assert len(set(cuts)) > 1, "the load moves nothing in this round: choose another seed"
    helpers.screenshots(page, "app-scheduler")

    page.get_by_test_id("plan-load").fill("20")
    point = page.get_by_test_id("rate-64")
    point.focus()
    for key in ("PageDown", "PageDown", "ArrowDown", "ArrowUp", "PageDown"):
        page.keyboard.press(key)
    drawn = page.get_by_test_id("plan-rate").input_value()
    assert drawn.startswith("curve:1=")
    by_hand = planned(session, index, settings={"load": 20, "step_rate": drawn})
    length(page, by_hand.scheduled.length)
    expect(page.get_by_test_id("plan-facts")).to_contain_text("a curve drawn by hand")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("rate-128")).to_be_focused()
    expect(page.get_by_test_id("rate-128")).to_have_attribute("aria-valuetext", re.compile(r" steps per second$"))

    box = page.get_by_test_id("rate-16").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 40, steps=4)
    page.mouse.up()
    dragged = page.get_by_test_id("plan-rate").input_value()
    assert dragged != drawn
    length(page, planned(session, index, settings={"load": 20, "step_rate": dragged}).scheduled.length)

    page.get_by_test_id("fork-plan").click()
    forked = session.fork(index, Overrides(settings={"load": 20, "step_rate": dragged})).run()
    expect(page.get_by_test_id("branch-1")).to_have_attribute("aria-current", "true", timeout=RUN)
    expect(page.get_by_test_id("diff-cause")).to_contain_text("to a curve drawn by hand")
    length(page, forked.rounds[index].verify_length)
    expect(page.get_by_test_id("plan-facts")).to_contain_text("As this round was run.")

    page.get_by_test_id("branch-0").click()
    page.get_by_test_id("tab-confidence").click()
    pick_round(page, index)
    page.get_by_test_id("sure-number-1").fill("0.01")
    sure = planned(session, index, confidence={1: 0.01})
    expect(page.get_by_test_id("sure-plan")).to_contain_text(f"would verify {sure.scheduled.length} of 7")
    shown_then = page.get_by_test_id("sure-then-3").text_content().removeprefix("→ ")
    assert shows(shown_then, float(sure.plan.pool.survival[0, 2]))
    helpers.screenshots(page, "app-confidence")
    page.get_by_test_id("sure-number-1").fill("0.02")
    page.get_by_test_id("fork-sure").click()
    doubted = session.fork(index, Overrides(confidence={1: 0.02})).run()
    expect(page.get_by_test_id("branch-2")).to_have_attribute("aria-current", "true", timeout=RUN)
    expect(page.get_by_test_id("diff-cause")).to_contain_text("You put c1 from ")
    if doubted.rounds[index].verify_length != session.rounds[index].verify_length:
        expect(page.get_by_test_id("diff-cause")).to_contain_text("the cut moves from ")

    page.get_by_test_id("branch-0").click()
    pick_round(page, index)
    helpers.open_editor(page, "edit-conf-2")
    page.get_by_test_id("confidence-value").fill("0.05")
    page.get_by_test_id("edit-done").click()
    fork(page, 3, session.fork(index, Overrides(confidence={2: 0.05})).run().trace())

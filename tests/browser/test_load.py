"""The load lab in a file of its own and as a tab; its charts read by pointer and keys, and saved as pictures."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dspark_lab import Trace
from dspark_widgets import LoadLab, Stepper, export_html
from tests.browser import helpers
from tests.browser.conftest import Watch
from tests.browser.helpers import READY, RUN
from tests.widgets import fixtures

pytestmark = pytest.mark.browser

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def view() -> LoadLab:
    made = LoadLab()
    made.figures()
    return made


def row(page: Page, contender: str) -> list[str]:
    """A contender's numbers in the table, without commas."""
    cells = page.get_by_test_id(f"at-{contender}").get_by_role("cell").all_text_contents()
    return [cell.replace(",", "").strip() for cell in cells]


def test_curves_are_read_by_pointer_and_keys(
    view: LoadLab, tmp_path: Path, open_page: Callable[..., Page], watch: Watch
) -> None:
    file = export_html(view, tmp_path / "load.html")
    assert file.stat().st_size < 1_500_000
    page = open_page(file.as_uri())
    curve = next(c for c in view.serving["curves"] if c["name"] == "dspark early-break")
    by_load = {p["load"]: p for p in curve["points"]}
    assert float(row(page, "dspark-early-break")[0]) == round(by_load[64]["throughput"])

    points = page.get_by_test_id("load-throughput-points")
    points.focus()
    for _ in range(12):
        if str(points.get_attribute("aria-valuetext")).startswith("DSpark-5, Algorithm 1"):
            break
        points.press("ArrowDown")
    points.press("End")
    said = f"DSpark-5, Algorithm 1: 256 requests, {by_load[256]['throughput']:,.0f} tokens per second, in all"
    expect(points).to_have_attribute("aria-valuetext", re.compile(re.escape(said)))
    points.press("ArrowLeft")
    points.press("Enter")
    expect(page.get_by_test_id("load-at")).to_contain_text("At 224 requests")
    assert float(row(page, "dspark-early-break")[0]) == round(by_load[224]["throughput"])

    chart = page.get_by_test_id("load-budget").get_by_role("img")
    box = chart.bounding_box()
    assert box
    page.mouse.move(box["x"] + 40, box["y"] + box["height"] / 2)
    expect(page.get_by_test_id("load-budget").locator(".dl-plottip")).to_be_visible()
    page.mouse.click(box["x"] + 30, box["y"] + box["height"] / 2)
    expect(page.get_by_test_id("load-at")).to_contain_text("At 1 request,")

    page.get_by_test_id("load-promise").fill("100")
    kept = max((p for p in curve["points"] if p["speed"] >= 100), key=lambda p: p["throughput"])
    assert row(page, "dspark-early-break")[-1].startswith(str(round(kept["throughput"])))
    page.get_by_test_id("load-promise").fill("1000")
    assert row(page, "dspark-early-break")[-1] == "out of reach"

    page.get_by_test_id("load-throughput").get_by_text("The numbers as a table").click()
    table = page.get_by_test_id("load-throughput").get_by_role("table")
    expect(table.get_by_role("columnheader")).to_contain_text(["concurrent requests"])
    expect(table).to_contain_text(f"{by_load[256]['throughput']:,.0f}")
    expect(page.get_by_test_id("load-run")).to_have_count(0)  # nothing here can run
    helpers.screenshots(page, "load")
    page.set_viewport_size(helpers.PHONE)
    helpers.check_no_sideways_scroll(page)
    assert watch.requests[0] == file.as_uri() and not watch.foreign


def test_a_chart_is_saved_as_it_looks(view: LoadLab, tmp_path: Path, open_page: Callable[..., Page]) -> None:
    page = open_page(export_html(view, tmp_path / "load.html").as_uri(), color_scheme="dark")
    with page.expect_download() as saving:
        page.get_by_test_id("save-svg-load-frontier").click()
    assert saving.value.suggested_filename == "load-frontier.svg"
    text = Path(saving.value.path()).read_text(encoding="utf-8")
    assert text.startswith("<svg") and "class=" not in text
    assert "modelled" in text and "Throughput against speed a user" in text
    background = page.evaluate("getComputedStyle(document.querySelector('.dl')).backgroundColor")
    assert f'fill="{background}"' in text  # as dark as the page
    with page.expect_download() as saving:
        page.get_by_test_id("save-png-load-frontier").click()
    content = Path(saving.value.path()).read_bytes()
    assert content.startswith(PNG)
    width, height = (int.from_bytes(content[at : at + 4]) for at in (16, 20))
    shown = page.get_by_test_id("load-frontier").get_by_role("img").bounding_box()
    assert shown and width > 2 * shown["width"] and height > 2 * shown["height"]
    alone = open_page(Path(saving.value.path()).as_uri())
    assert alone.evaluate("document.images[0].naturalWidth") == width


def test_the_trace_shown_is_downloaded(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    trace = fixtures.trace(seed=3)
    page = open_page(export_html(Stepper(trace), tmp_path / "stepper.html").as_uri())
    with page.expect_download() as saving:
        page.get_by_test_id("save-trace").click()
    assert saving.value.suggested_filename.endswith(".json")
    assert Trace.load(saving.value.path()) == trace


def test_the_load_of_the_page_is_chosen_on_a_curve(voila: str, open_page: Callable[..., Page]) -> None:
    page = open_page(voila)
    expect(page.get_by_test_id("status")).to_have_text("ready", timeout=READY)
    page.get_by_test_id("tab-load").click()
    expect(page.get_by_test_id("load-at")).to_be_visible(timeout=RUN)  # simulated when first seen
    expect(page.get_by_test_id("load-run")).to_be_enabled(timeout=RUN)
    page.get_by_test_id("policy").select_option("early-break")
    expect(page.get_by_test_id("at-dspark-early-break")).to_contain_text("this page")
    points = page.get_by_test_id("load-throughput-points")
    points.focus()
    points.press("End")
    points.press("ArrowLeft")
    requests = re.search(r": (\d+) requests", str(points.get_attribute("aria-valuetext")))
    points.press("ArrowDown")
    points.press("ArrowDown")
    points.press("Enter")
    assert requests
    chosen = int(page.get_by_test_id("load").input_value())
    assert chosen > 0
    expect(page.get_by_test_id("load-at")).to_contain_text(f"At {chosen + 1} requests")
    with page.expect_download() as saving:
        page.get_by_test_id("save-png-load-throughput").click()
    assert Path(saving.value.path()).read_bytes().startswith(PNG)

    page.get_by_test_id("contender-mtp-1").uncheck()
    page.get_by_test_id("contender-dspark-threshold").check()
    page.get_by_test_id("load-rate").select_option("pocket-cpu")
    page.get_by_test_id("load-run").click()
    expect(page.get_by_test_id("at-dspark-threshold")).to_be_visible(timeout=RUN)
    expect(page.get_by_test_id("at-mtp-1")).to_have_count(0)
    expect(page.get_by_test_id("load-run")).to_be_enabled(timeout=RUN)
    expect(page.get_by_test_id("load-throughput")).to_contain_text("carried on from 256 tokens")
    helpers.screenshots(page, "app-load")
    check_zoom(page)


def check_zoom(page: Page) -> None:
    """Plotly's charts are widgets of their own within the view: they zoom, change with what is asked, follow the theme."""
    page.get_by_test_id("load-throughput-zoom").click()
    zoomed = page.get_by_test_id("zoomed")
    plot = zoomed.locator(".js-plotly-plot")
    expect(plot.locator(".scatterlayer .trace").first).to_be_visible(timeout=RUN)
    expect(zoomed).to_be_focused()
    expect(plot).to_contain_text("dspark threshold")
    before = plot.locator(".xtick").all_text_contents()
    frame = plot.locator(".nsewdrag").first.bounding_box()
    assert frame and frame["width"] > 300
    middle = frame["y"] + frame["height"] / 2
    page.mouse.move(frame["x"] + 0.3 * frame["width"], middle)
    page.mouse.down()
    page.mouse.move(frame["x"] + 0.6 * frame["width"], middle, steps=4)
    page.mouse.up()
    expect(plot.locator(".xtick")).not_to_have_text(before)
    page.get_by_test_id("load-frontier-zoom").click()
    expect(zoomed).to_have_attribute("data-chart", "frontier")
    expect(plot.locator(".gtitle")).to_contain_text("Figure 7")
    light = plot.locator(".gtitle").evaluate("(e) => getComputedStyle(e).fill")
    helpers.set_theme(page, "dark")
    expect(plot.locator(".gtitle")).not_to_have_css("fill", light)
    helpers.screenshot(page, "zoomed-dark")
    page.set_viewport_size(helpers.PHONE)
    helpers.check_no_sideways_scroll(page)
    for control in page.get_by_test_id("load-lab").locator(".dl-choice, .dl-field").all():
        box = control.bounding_box()
        assert box and box["x"] + box["width"] <= helpers.PHONE["width"]  # nor is anything cut off
    helpers.screenshot(page, "zoomed-360")
    page.get_by_test_id("zoom-close").click()
    expect(zoomed).to_have_count(0)

"""JupyterLab, as `make lab` opens it: the course's first notebook, its stepper stepping and forking; and each view in a cell."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect

import dspark_lab
from dspark_lab import Overrides
from dspark_lab.loading import Lab
from dspark_lab.session import Session
from tests.browser import helpers
from tests.browser.reading import check_trace, go_to_round, number_of_steps, phase, steps_of
from tests.browser.servers import Workplace, running, unused_port

pytestmark = pytest.mark.browser

NOTEBOOK, EACH = "01_one_round.ipynb", "each.ipynb"
CELLS = (
    """\
from dspark_lab import Settings, load
from dspark_widgets import ConfidenceView, DrafterRace, HeadLens, LabApp, LoadLab, RejectionView, SchedulerView

lab = load()
settings = Settings(seed=7, max_new_tokens=24, policy="early-break", load=60)
session = lab.session("Can you recommend a thrilling book for my teacher?", settings).run()""",
    "RejectionView(session)",
    "ConfidenceView(session)",
    "SchedulerView(session)",
    "HeadLens(session)",
    'DrafterRace(lab, session.prompt, ["dspark", "none"], settings=settings)',
    "LoadLab()",
    "LabApp(lambda: lab)",
)
"""Each view in one line of a cell of its own; the page with all of them last."""


@pytest.fixture(scope="module")
def lab(workplace: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of JupyterLab on a copy of the notebook, and on one with each view in a cell."""
    folder = tmp_path_factory.mktemp("course")
    shutil.copy(helpers.NOTEBOOKS / NOTEBOOK, folder)
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, folder / EACH)
    port = unused_port()
    options = [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--no-browser", "--allow-root"]
    command = [sys.executable, "-m", "dspark_widgets.serving.lab", str(folder), *options, "--IdentityProvider.token="]
    with running(command, f"http://127.0.0.1:{port}/api", workplace, tmp_path_factory.mktemp("log") / "lab.txt"):
        yield f"http://127.0.0.1:{port}/lab"


@pytest.fixture
def session(pocket_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Session:
    """The notebook's own session, made here by its own cell."""
    cells = {cell.id: cell.source for cell in nbformat.read(helpers.NOTEBOOKS / NOTEBOOK, as_version=4).cells}
    monkeypatch.setattr(dspark_lab, "load", lambda: pocket_lab)
    names: dict[str, Any] = {}
    exec(cells["load"], names)
    return names["session"].run()


def test_the_first_notebook_runs_and_its_stepper_steps_and_forks(
    lab: str, open_page: Callable[..., Page], session: Session
) -> None:
    page = open_page(f"{lab}/tree/{NOTEBOOK}?reset", viewport={"width": 1400, "height": 1000})
    run_all(page)
    steppers = page.get_by_test_id("stepper")
    expect(steppers).to_have_count(2, timeout=helpers.READY)
    expect(page.locator('.jp-RenderedText[data-mime-type="application/vnd.jupyter.stderr"]')).to_have_count(0)
    expect(page.locator("mjx-container").first).to_be_attached()

    stepper = steppers.first
    stepper.scroll_into_view_if_needed()
    stepper.focus()
    first = list(steps_of(session.rounds[0]))
    for name, _, _ in first[:5]:
        assert phase(stepper) == name
        page.keyboard.press("ArrowRight")
    stepper.get_by_test_id("btn-back").click()
    scrub = stepper.get_by_test_id("scrub")
    expect(scrub).to_have_value("4")
    scrub.fill(str(len(first) - 1))
    expect(scrub).to_have_attribute("aria-valuetext", f"step {len(first)} of {number_of_steps(session.trace())}")
    assert phase(stepper) == "commit"
    check_trace(stepper, session.trace())

    number, k, u = helpers.turnable(session.trace())
    go_to_round(stepper, number)
    helpers.change_uniform(page, stepper, k, u)
    helpers.fork(stepper, 1, session.fork(number, Overrides(uniforms={f"accept:{k}": u})).run().trace())
    for language, step in (("ja", "進む"), ("auto", "Step")):  # Python sends the words
        stepper.get_by_test_id("language").select_option(language)
        expect(stepper.get_by_test_id("btn-step")).to_contain_text(step)
    expect(page.locator(".Toastify__toast")).to_have_count(0)  # no news, no update checks

    for theme in ("dark", "light"):
        page.get_by_role("menuitem", name="Settings", exact=True).click()
        page.get_by_text("Theme", exact=True).hover()
        page.get_by_text(f"JupyterLab {theme.title()}", exact=True).click()
        expect(page.locator("[data-theme]").first).to_have_attribute("data-theme", theme)
        stepper.scroll_into_view_if_needed()
        helpers.keep(page, f"lab-{theme}")
    page.keyboard.press("Control+b")  # without the file browser there is room for a notebook on a phone
    page.set_viewport_size(helpers.PHONE)
    stepper.scroll_into_view_if_needed()
    helpers.keep(page, "lab-360")


def test_each_view_lives_in_a_cell_of_its_own(lab: str, open_page: Callable[..., Page]) -> None:
    page = open_page(f"{lab}/tree/{EACH}?reset", viewport={"width": 1400, "height": 1000})
    run_all(page)
    cells = page.locator(".jp-CodeCell")

    def view(number: int, name: str) -> Locator:
        """What the cell shows, once it is there."""
        shown = cells.nth(number).get_by_test_id(name)
        expect(shown).to_be_visible(timeout=helpers.READY)
        shown.scroll_into_view_if_needed()
        return shown

    rejection = view(1, "rejection")
    rejection.get_by_test_id("pos-2").click()
    expect(rejection.get_by_test_id("pos-2")).to_have_attribute("aria-current", "true")
    rejection.get_by_test_id("meter-run-200").click()
    expect(rejection.get_by_test_id("meter-result")).to_contain_text("200 rounds", timeout=helpers.RUN)

    view(2, "confidence").get_by_test_id("sure-number-1").fill("0.01")
    expect(cells.nth(2).get_by_test_id("sure-plan")).to_contain_text("would verify 0 of 7")

    scheduler = view(3, "scheduler")
    before = scheduler.get_by_test_id("plan-facts").text_content()
    scheduler.get_by_test_id("plan-load").fill("250")
    expect(scheduler.get_by_test_id("plan-facts")).to_contain_text("load 250")
    assert scheduler.get_by_test_id("plan-facts").text_content() != before

    lens = view(4, "lens")
    lens.locator('[data-testid^="peak-"]').first.click()
    expect(lens.get_by_test_id("head-says")).to_contain_text("the sequential head raises")

    race = view(5, "race")
    expect(race.get_by_test_id("lane-none")).to_contain_text("measured", timeout=helpers.RUN)
    race.get_by_test_id("block-dspark-0").click()
    expect(race.get_by_test_id("block-dspark-0")).to_have_attribute("aria-current", "true")

    expect(view(6, "load-lab").get_by_test_id("at-dspark-early-break")).to_be_visible(timeout=helpers.RUN)

    app = cells.nth(7)
    expect(app.get_by_test_id("status")).to_have_text("ready", timeout=helpers.READY)
    app.get_by_test_id("round-chip-1").click()
    app.get_by_test_id("cell-verdict-2").click()
    expect(app.get_by_test_id("pos-2")).to_have_attribute("aria-current", "true")
    app.get_by_test_id("pos-1").click()
    expect(app.get_by_test_id("cell-verdict-1")).to_have_attribute("aria-selected", "true")
    expect(page.locator('.jp-RenderedText[data-mime-type="application/vnd.jupyter.stderr"]')).to_have_count(0)
    helpers.keep(page, "lab-each")


def run_all(page: Page) -> None:
    """Once the status bar says that the kernel is idle: before there is one, JupyterLab would ask which it should be.

    The notebook's own indicator says "idle" before there is a kernel, too.
    """
    kernel = page.locator(".jp-StatusBar-TextItem", has_text=re.compile(r" \| "))
    expect(kernel).to_have_text(re.compile(r"^(?!No Kernel).* \| Idle$"), timeout=helpers.READY)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)

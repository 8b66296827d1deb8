"""The course in JupyterLab, as `make lab` opens it: the first notebook runs, its stepper steps and forks."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dspark_widgets.serving.lab import lab_command
from tests.browser import helpers
from tests.browser.servers import Workplace, running, unused_port

pytestmark = pytest.mark.browser

NOTEBOOK = "01_one_round.ipynb"


@pytest.fixture(scope="module")
def lab(workplace: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of JupyterLab on a copy of the notebooks."""
    folder = tmp_path_factory.mktemp("course")
    shutil.copy(helpers.NOTEBOOKS / NOTEBOOK, folder)
    port = unused_port()
    extra = [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--no-browser", "--allow-root", "--IdentityProvider.token="]
    address = f"http://127.0.0.1:{port}/lab"
    with running(lab_command(folder, extra), f"{address}/../api", workplace, folder / "log.txt"):
        yield address


def test_the_first_notebook_runs_and_its_stepper_steps_and_forks(lab: str, open_page: Callable[..., Page]) -> None:
    page = open_page(f"{lab}/tree/{NOTEBOOK}?reset", viewport={"width": 1400, "height": 1000})
    expect(page.locator(".jp-Notebook")).to_be_visible(timeout=helpers.READY)
    expect(page.locator(".jp-Notebook .MathJax, .jp-Notebook mjx-container").first).to_be_attached()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    stepper = page.get_by_test_id("stepper").first
    expect(stepper).to_be_visible(timeout=helpers.READY)

"""Working the page: filling in and running, forking, and keeping pictures of it."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, expect

from dspark_lab import Trace
from tests.browser.reading import View, check_trace

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
SCREENSHOTS = ROOT / "tests" / "artefacts" / "screenshots"
FAILURES = ROOT / "tests" / "artefacts" / "failures"

READY = 90_000
"""Milliseconds that a loaded machine may take to start a kernel and import torch."""
RUN = 90_000
"""Milliseconds for a run or a fork."""
PHONE = {"width": 360, "height": 740}


def generate(page: Page, prompt: str | None = None, **fields: Any) -> None:
    """Fill the controls that are given (by their test ids, ``_`` for ``-``), press Generate, wait for both runs."""
    fill(page, prompt, **fields)
    watch_busy(page)
    page.get_by_test_id("generate").click()
    page.wait_for_function(RAN, timeout=RUN)
    expect(page.get_by_test_id("error")).to_have_count(0)


RAN = """() => window.wasBusy && document.querySelector('[data-testid="stop"]').ariaDisabled === 'true'"""


def watch_busy(page: Page) -> None:
    """From now on the page remembers that something was at work: ``RAN`` tells when it was, and is no more."""
    page.evaluate(
        """() => {
            const stop = document.querySelector('[data-testid="stop"]');
            window.wasBusy = false;
            new MutationObserver(() => { window.wasBusy ||= stop.ariaDisabled !== 'true'; }).observe(stop, { attributes: true });
        }"""
    )


def fill(page: Page, prompt: str | None = None, **fields: Any) -> None:
    if prompt is not None:
        page.get_by_test_id("prompt").fill(prompt)
    for name, value in fields.items():
        page.get_by_test_id(name.replace("_", "-")).fill(str(value))


def wait_ready(page: Page) -> Page:
    expect(page.get_by_test_id("status")).to_have_text("ready", timeout=READY)
    return page


def turnable(trace: Trace) -> tuple[int, int, float]:
    """(round, position, uniform): the first verdict that another uniform turns around."""
    for r in trace.rounds:
        for p in r.positions:
            if p.verdict == "rejected" and p.p_t and p.p_t > 1e-6:
                return r.index, p.k, 0.0
            if p.verdict == "accepted" and p.acceptance is not None and p.acceptance < 0.99:
                return r.index, p.k, 0.995
    raise AssertionError("no verdict of this trace hangs on its uniform: choose another seed")


def change_uniform(page: Page, view: View, k: int, u: float) -> None:
    """Another acceptance draw at position k of the round shown."""
    open_editor(view, f"edit-u-accept-{k}")
    page.get_by_test_id("uniform-value").fill(str(u))
    page.get_by_test_id("edit-done").click()


def change_token(page: Page, view: View, k: int, own: int) -> int:
    """The first token on offer that is not ``own`` at position k of the round shown; its id."""
    open_editor(view, f"edit-token-{k}")
    offered = page.locator('[data-testid^="pick-token-"]')
    expect(offered.first).to_be_visible()
    names = offered.evaluate_all("(buttons) => buttons.map((b) => b.dataset.testid)")
    other = next(name for name in names if name != f"pick-token-{own}")
    page.get_by_test_id(other).click()
    return int(other.rpartition("-")[2])


def open_editor(view: View, name: str) -> None:
    """By the keyboard, which needs no hovering."""
    button = view.get_by_test_id(name)
    expect(button).to_be_enabled()
    button.scroll_into_view_if_needed()
    button.press("Enter")


def fork(view: View, number: int, expected: Trace) -> None:
    """Run the fork of what was changed: branch ``number`` shows the trace that is expected."""
    view.get_by_test_id("apply-fork").click()
    expect(view.get_by_test_id(f"branch-{number}")).to_have_attribute("aria-current", "true", timeout=RUN)
    expect(view.get_by_test_id("diff")).to_be_visible()
    expect(view.get_by_test_id("save-trace")).to_be_enabled(timeout=RUN)  # it is whole
    check_trace(view, expected)


def screenshot(page: Page, name: str) -> None:
    """Keep what the page looks like from top to bottom, for people. What scrolls may be an element within the page."""
    before = page.viewport_size
    height = page.evaluate(f"Math.max(...({_SCROLLERS}).map((e) => e.scrollHeight - e.clientHeight))")
    page.set_viewport_size({**before, "height": min(4000, before["height"] + height)})
    keep(page, name)
    page.set_viewport_size(before)


def keep(page: Page, name: str) -> None:
    """Keep what the window shows now."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.mouse.move(0, 0)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", animations="disabled")


def keep_failure(page: Page, name: str) -> str:
    """Keep what a page shows, and all its text, when a test of it failed; return address and text."""
    FAILURES.mkdir(parents=True, exist_ok=True)
    text = ""
    with suppress(PlaywrightError):  # the page itself may be what failed
        page.screenshot(path=FAILURES / f"{name}.png", timeout=10_000)
        text = f"{page.url}\n\n{page.locator('body').inner_text(timeout=10_000)}\n"
        (FAILURES / f"{name}.txt").write_text(text, encoding="utf-8")
    return text


def screenshots(page: Page, name: str) -> None:
    """Light, dark, and as on a phone; in each, numbers to change show all their digits."""
    before = page.viewport_size
    for theme in ("light", "dark"):
        set_theme(page, theme)
        screenshot(page, f"{name}-{theme}")
    check_whole_numbers(page)
    set_theme(page, "light")
    page.set_viewport_size(PHONE)
    screenshot(page, f"{name}-360")
    check_whole_numbers(page)
    page.set_viewport_size(before)


def set_theme(view: View, theme: str, said: str = "") -> None:
    """Press the theme's button until the page wears it; ``said`` is the theme's name in the page's language."""
    said = said or theme
    button = view.get_by_test_id("theme")
    for _ in range(3):
        if button.text_content().endswith(said):
            break
        button.click()
    expect(button).to_have_text(re.compile(f"{said}$"))
    expect(view.locator("[data-theme]").first).to_have_attribute("data-theme", theme)


_CUT_NUMBERS = """(() => {
    const pen = document.createElement('canvas').getContext('2d'), arrows = 16;
    return [...document.querySelectorAll('.dl input[type="number"]')].filter((e) => e.offsetParent).flatMap((e) => {
        const look = getComputedStyle(e), room = e.clientWidth - parseFloat(look.paddingLeft) - parseFloat(look.paddingRight);
        pen.font = look.font;
        const needed = pen.measureText(e.value).width + arrows;
        return needed > room ? [`${e.dataset.testid}: ${e.value} needs ${needed} px of ${room}`] : [];
    });
})()"""


def check_whole_numbers(page: Page) -> None:
    """No digit of a number field is behind the arrows that the browser puts beside it."""
    cut = page.evaluate(_CUT_NUMBERS)
    assert not cut, cut


_SCROLLERS = """(() => {
    const found = [document.documentElement];
    for (let e = document.querySelector('.dl').parentElement; e; e = e.parentElement)
        if (/auto|scroll/.test(getComputedStyle(e).overflow)) found.push(e);
    return found;
})()"""


def check_no_sideways_scroll(page: Page) -> None:
    """Neither the page nor anything around the view is wider than its window, once what is drawn has followed it."""
    deadline = time.monotonic() + 5
    while True:
        widths = page.evaluate(f"({_SCROLLERS}).map((e) => [e.scrollWidth, e.clientWidth])")
        too_wide = [
            f"the page is {inner} px wide in a window of {outer} px" for inner, outer in widths if inner > outer
        ]
        if not too_wide or time.monotonic() > deadline:
            assert not too_wide, too_wide[0]
            return
        page.wait_for_timeout(50)

"""A page whose kernel is not there yet or dies, whose server goes away, or whose view is lost: it says so, says how to go on,
and what it shows can still be stepped through."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from dspark_lab import Trace
from dspark_widgets.app import RECORDED, find_examples
from tests.browser import helpers
from tests.browser.helpers import READY, RUN, fill, generate
from tests.browser.hosting.visiting import SOON, Serve, Server, reload, steps_through, told, wait_ready
from tests.browser.reading import check_trace

pytestmark = pytest.mark.browser


def test_a_recorded_trace_can_be_stepped_through_before_there_is_a_kernel(
    server: Server, open_page: Callable[..., Page]
) -> None:
    """And the live view goes on from where the reader is by then, with what was typed."""
    held: list[Route] = []
    page = open_page("about:blank")
    page.route("**/voila.js", lambda route: held.append(route))
    page.goto(server.url, wait_until="commit")
    first = page.locator("#dspark-first")
    expect(first.get_by_test_id("status")).to_have_text("starting…")
    for name in ("generate", "stop"):
        expect(first.get_by_test_id(name)).to_be_disabled()
    example = find_examples(RECORDED)[0]
    check_trace(page, Trace.load(RECORDED / f"{example.domain}_{example.index}.json"))
    steps_through(page)
    page.get_by_test_id("prompt").fill("How are you?")
    page.get_by_test_id("tab-scheduler").click()
    page.get_by_test_id("round-chip-0").click()
    place = str(page.get_by_test_id("scrub").get_attribute("aria-valuetext"))
    page.get_by_test_id("plan-load").fill("120")
    helpers.screenshot(page, "hosting-first")
    for route in held:
        route.continue_()
    page.unroute("**/voila.js")
    wait_ready(page)
    expect(page.get_by_test_id("scrub")).to_have_attribute("aria-valuetext", place)
    expect(page.get_by_test_id("prompt")).to_have_value("How are you?")
    expect(page.get_by_test_id("plan-facts")).to_contain_text("load 120")
    generate(page, max_tokens=8)


def test_a_killed_kernel(server: Server, visit: Callable[..., Page]) -> None:
    page = visit(server.url)
    generate(page, max_tokens=16)
    server.kill_kernel()
    told(page, "died", "Python has died", "Reload")
    expect(page.get_by_test_id("generate")).to_be_disabled()
    expect(page.get_by_test_id("status")).to_have_text("not connected")
    helpers.screenshots(page, "hosting-died")
    reload(page)
    generate(page, max_tokens=8)


def test_a_kernel_killed_in_the_middle_of_a_run_leaves_the_rounds_that_came(
    server: Server, visit: Callable[..., Page]
) -> None:
    page = visit(server.url)
    prompt = "Write a function that adds two numbers."
    fill(page, prompt, max_tokens=256, temperature=1.5, gamma=2)
    page.get_by_test_id("generate").click()
    expect(page.get_by_test_id("text-so-far")).to_contain_text(prompt, timeout=RUN)
    expect(page.get_by_test_id("round-chip-3")).to_be_visible(timeout=RUN)
    server.kill_kernel()
    told(page, "died")
    expect(page.get_by_test_id("round-chip-3")).to_be_visible()
    expect(page.get_by_test_id("text-so-far")).to_contain_text(prompt)
    reload(page)
    expect(page.get_by_test_id("unfinished")).to_contain_text("in the middle of a run")


def test_a_lost_connection_comes_back_by_itself(server: Server, visit: Callable[..., Page]) -> None:
    page = visit(server.url)
    server.send(signal.SIGSTOP)
    told(page, "server", "does not answer")
    server.send(signal.SIGCONT)
    expect(page.get_by_test_id("notice")).to_have_count(0, timeout=READY)
    generate(page, max_tokens=8)


def test_a_server_that_was_started_anew(server: Server, visit: Callable[..., Page]) -> None:
    page = visit(server.url)
    server.stop()
    told(page, "server")
    server.start()
    told(page, "unknown", "started anew", "Reload")
    reload(page)
    generate(page, max_tokens=8)


def test_a_reload_in_the_middle_of_a_run(server: Server, visit: Callable[..., Page]) -> None:
    page = visit(server.url)
    prompt = "Can you recommend a book?"
    fill(page, prompt, max_tokens=256, temperature=1.5, gamma=1)
    page.get_by_test_id("generate").click()
    expect(page.get_by_test_id("text-so-far")).to_contain_text(prompt, timeout=RUN)
    page.reload()
    wait_ready(page)
    expect(page.get_by_test_id("unfinished")).to_contain_text("Its prompt and settings are back")
    expect(page.get_by_test_id("prompt")).to_have_value(prompt)
    steps_through(page)
    helpers.screenshot(page, "hosting-unfinished")
    fill(page, max_tokens=8)
    page.get_by_test_id("run-again").click()
    expect(page.get_by_test_id("text-so-far")).to_contain_text(prompt, timeout=RUN)
    expect(page.get_by_test_id("unfinished")).to_have_count(0)
    expect(page.get_by_test_id("speed-ratio")).to_be_visible(timeout=RUN)  # the run and its measurements have ended
    expect(page.get_by_test_id("status")).to_have_text("ready", timeout=RUN)
    page.get_by_test_id("verify-less").click()
    helpers.watch_busy(page)
    page.get_by_test_id("apply-fork").click()
    page.wait_for_function(helpers.RAN, timeout=RUN)
    page.get_by_test_id("tab-lens").click()
    for leave in (page.reload, lambda: (page.goto("about:blank"), page.go_back())):
        leave()
        wait_ready(page)
        expect(page.get_by_test_id("unfinished")).to_have_count(0)
        expect(page.get_by_test_id("last-run")).to_contain_text(f"“{prompt}” was run here, with 1 fork")
    helpers.screenshot(page, "hosting-last-run")
    page.get_by_test_id("bring-back").click()
    expect(page.get_by_test_id("branch-1")).to_have_attribute("aria-current", "true", timeout=RUN)
    expect(page.get_by_test_id("text-so-far")).to_contain_text(prompt)
    expect(page.get_by_test_id("tab-lens")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_test_id("last-run")).to_have_count(0)


LOST = """
addEventListener('DOMContentLoaded', () => {
    const lost = document.createElement('div');
    lost.className = 'jupyter-widgets';
    lost.textContent = 'Error displaying widget: model not found';
    if (WHEN) document.body.append(lost);
});
"""
"""As where the kernel was too busy to tell the page of its widget in time."""


def test_a_page_whose_live_view_is_lost_is_loaded_anew_by_itself(serve: Serve, open_page: Callable[..., Page]) -> None:
    with serve() as server:
        page = open_page("about:blank")
        came: list[str] = []
        page.on("domcontentloaded", lambda loaded: came.append(loaded.url))
        page.add_init_script(LOST.replace("WHEN", "!history.state?.dsparkRetried"))
        page.goto(f"{server.url}#kept")
        wait_ready(page)
        assert came == [f"{server.url}#kept"] * 2
        assert not page.evaluate("history.state.dsparkRetried"), "so that it can be done again another time"


def test_a_page_that_loses_its_live_view_again_says_so(server: Server, open_page: Callable[..., Page]) -> None:
    page = open_page("about:blank")
    page.add_init_script("history.replaceState({ dsparkRetried: true }, '');" + LOST.replace("WHEN", "true"))
    page.goto(server.url)
    expect(page.get_by_test_id("notice")).to_have_attribute("data-what", "failed", timeout=SOON)
    wait_ready(page)  # for it was not lost

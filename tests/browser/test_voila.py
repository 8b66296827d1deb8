"""The page, as `dspark-lab serve` serves it, in a browser that reaches nothing but this machine."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, WebSocket, expect

from dspark_lab import Trace
from dspark_widgets.app import RECORDED
from dspark_widgets.examples import find_examples
from tests.browser import helpers
from tests.browser.conftest import Watch
from tests.browser.helpers import READY, wait_ready
from tests.browser.reading import check_trace
from tests.browser.servers import Workplace

pytestmark = pytest.mark.browser


def test_a_recorded_trace_shows_while_the_models_load(
    gated: str, open_page: Callable[..., Page], workplace: Workplace, watch: Watch
) -> None:
    """And the page gets ready though every other machine is silent: nothing is ever asked of one."""
    page = open_page(gated)
    expect(page.get_by_test_id("status")).to_contain_text("loading", timeout=READY)
    expect(page.get_by_test_id("generate")).to_be_disabled()
    example = find_examples(RECORDED)[0]
    check_trace(page, Trace.load(RECORDED / f"{example.domain}_{example.index}.json"))
    workplace.gate.touch()
    wait_ready(page)
    expect(page.get_by_test_id("generate")).to_be_enabled()
    assert len(watch.requests) > 10
    assert not watch.foreign


AROUND = """(e) => {
    const found = [];
    for (; e; e = e.parentElement) found.push(getComputedStyle(e).backgroundColor);
    return found;
}"""


def test_language_and_theme_outlive_a_reload(voila: str, open_page: Callable[..., Page], watch: Watch) -> None:
    """On the first page already, before there is a kernel; and no other language is ever fetched."""
    page = wait_ready(open_page(voila))
    assert not [url for url in watch.requests if re.search(r"lab\.\w+\.js", url)]
    page.get_by_test_id("language").select_option("ja")
    expect(page.get_by_test_id("generate")).to_have_text("生成")
    helpers.set_theme(page, "dark", said="ダーク")
    held: list[Route] = []
    let_go = False
    page.route("**/voila.js", lambda route: route.continue_() if let_go else held.append(route))
    page.reload(wait_until="commit")
    for view in (page.locator("#dspark-first .dl"), page.locator(".jp-OutputArea .dl")):
        expect(view).to_have_attribute("lang", "ja", timeout=READY)
        expect(view).to_have_attribute("data-theme", "dark")
        expect(view.get_by_test_id("generate")).to_have_text("生成")
        expect(view.get_by_test_id("language")).to_have_value("ja")
        around = view.evaluate(AROUND)
        assert not {*around} - {"rgb(21, 24, 29)", "rgba(0, 0, 0, 0)"}, (
            f"there is another colour around the view: {around}"
        )
        let_go = True
        while held:
            held.pop().continue_()
    expect(page.locator("#dspark-first")).to_have_count(0)
    assert {url.rpartition("/")[2] for url in watch.requests if re.search(r"lab\.\w+\.js", url)} == {"lab.ja.js"}
    page.get_by_test_id("language").select_option("auto")
    expect(page.get_by_test_id("generate")).to_have_text("Generate")


SLOW_LINE = """
    window.WebSocket = class extends WebSocket {
        set onmessage(take) { super.onmessage = (event) => setTimeout(() => take(event), 200); }
    };
"""


def test_typing_while_the_kernel_answers_slowly_loses_nothing(voila: str, open_page: Callable[..., Page]) -> None:
    """The echo of what was typed before must not take the place of what was typed since."""
    page = wait_ready(open_page(voila, script=SLOW_LINE))
    prompt = page.get_by_test_id("prompt")
    prompt.fill("A bus ")
    page.wait_for_timeout(200)
    prompt.press_sequentially("leaves at noon", delay=60)
    page.wait_for_timeout(1000)
    expect(prompt).to_have_value("A bus leaves at noon", timeout=1000)


LATE = """
    const held = [];
    let free = false;
    const tells = (data) => typeof data !== "string" && new TextDecoder().decode(data).includes("dspark_widgets.app.LabApp");
    window.WebSocket = class extends WebSocket {
        set onmessage(take) {
            super.onmessage = (event) => {
                if (!free && (held.length || tells(event.data))) held.push(() => take(event));
                else take(event);
            };
        }
    };
    new MutationObserver((_, watching) => {
        if (!document.body?.textContent.includes("Loading widget")) return;
        watching.disconnect();
        setTimeout(() => {
            free = true;
            for (const start = Date.now(); Date.now() - start < 300;);
            while (held.length) held.shift()();
        }, 1900);
    }).observe(document, { childList: true, subtree: true });
"""
"""The page is told of its view 2 s after it looks for it, when it has just been busy for a moment."""


def test_a_view_whose_kernel_answers_late_is_shown(voila: str, open_page: Callable[..., Page]) -> None:
    """Some widget managers give up on a widget after 2 s without a last look; the page would then be loaded anew."""
    page = open_page("about:blank")
    came: list[str] = []
    page.on("domcontentloaded", lambda loaded: came.append(loaded.url))
    page.add_init_script(LATE)
    page.goto(voila)
    wait_ready(page)
    assert came == [voila]


def test_all_widgets_are_asked_for_at_once(voila: str, open_page: Callable[..., Page]) -> None:
    """A kernel that knows no way to do so is asked which there are, then for each: two more times there and back."""
    asked: list[bytes] = []
    said: list[bytes] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framesent", lambda data: asked.append(bytes(data)))
        socket.on("framereceived", lambda data: said.append(bytes(data)))

    page = open_page("about:blank")
    page.on("websocket", listen)
    page.goto(voila)
    wait_ready(page)
    assert b"request_states" in b"".join(asked)
    assert b"No such comm target" not in b"".join(said)  # it may be slow: then the page asks the other way too


@pytest.mark.parametrize(("asked", "system"), [("?theme=dark", "light"), ("", "dark")])
def test_the_address_or_the_system_may_ask_for_dark(
    asked: str, system: str, voila: str, open_page: Callable[..., Page]
) -> None:
    page = open_page(f"{voila}{asked}", color_scheme=system)
    expect(page.locator("[data-theme]").first).to_have_attribute("data-theme", "dark", timeout=READY)


def test_on_a_phone_nothing_scrolls_sideways_and_every_control_is_reached(
    voila: str, open_page: Callable[..., Page]
) -> None:
    page = wait_ready(open_page(voila, viewport=helpers.PHONE, has_touch=True))
    helpers.check_no_sideways_scroll(page)
    for name in ("prompt", "temperature", "gamma", "seed", "max-tokens", "drafter", "generate", "scrub", "theme"):
        control = page.get_by_test_id(name)
        control.scroll_into_view_if_needed()
        box = control.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= helpers.PHONE["width"], f"{name} is cut off: {box}"
    for name in ("btn-next-round", "btn-prev-round", "btn-back", "btn-step", "phase-commit", "round-chip-0"):
        page.get_by_test_id(name).tap()
    last = page.get_by_test_id("cell-token-final")
    last.scroll_into_view_if_needed()
    expect(last).to_be_in_viewport()
    helpers.check_no_sideways_scroll(page)

"""A page beside others, that is one too many, left or left alone: it says so, and how to go on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser import helpers
from tests.browser.helpers import generate
from tests.browser.hosting.visiting import (
    VISITORS,
    Serve,
    Server,
    leave,
    reload,
    steps_through,
    told,
    wait_kernels,
    wait_ready,
)

pytestmark = pytest.mark.browser


def test_two_tabs_are_two_visitors(server: Server, visit: Callable[..., Page]) -> None:
    one = visit(server.url)
    two = one.context.new_page()
    two.goto(server.url)
    wait_ready(two)
    generate(one, "How are you?", max_tokens=8)
    expect(one.get_by_test_id("text-so-far")).to_contain_text("How are you?")
    expect(two.get_by_test_id("text-so-far")).not_to_contain_text("How are you?")
    leave(two)
    generate(one, max_tokens=8)
    wait_kernels(server, 1)


def test_back_brings_a_page_that_works(server: Server, visit: Callable[..., Page]) -> None:
    page = visit(server.url)
    generate(page, max_tokens=8)
    page.goto("about:blank")
    wait_kernels(server, 0)
    page.go_back()
    steps_through(page)
    if page.get_by_test_id("notice").count():  # the browser had kept the old page
        reload(page)
    wait_ready(page)
    generate(page, max_tokens=8)


def test_a_visitor_too_many_is_told_when_to_come_again(
    server: Server, visit: Callable[..., Page], open_page: Callable[..., Page]
) -> None:
    one, _ = [visit(server.url) for _ in range(VISITORS)]
    late = open_page("about:blank")
    reply = late.goto(server.url)
    assert reply and reply.status == 503 and int(reply.headers["retry-after"]) >= 5
    told(late, "full", f"{VISITORS} visitors are here", "Try again in about")
    expect(late.get_by_test_id("generate")).to_be_disabled()
    expect(late.get_by_test_id("status")).to_have_text("not connected")
    helpers.screenshots(late, "hosting-full")
    leave(one)
    wait_kernels(server, VISITORS - 1)
    late.get_by_test_id("reload").click()
    wait_ready(late)


def test_a_page_left_alone_gives_up_its_kernel_and_says_so(serve: Serve, visit: Callable[..., Page]) -> None:
    with serve(idle=0.2) as server:
        page = visit(server.url)
        told(page, "idle", "Nothing was asked here for a long time", "Reload")
        wait_kernels(server, 0)
        reload(page)

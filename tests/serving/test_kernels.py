"""When a page's kernel ends, who is turned away, and which messages pass. No kernel is started."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from dspark_widgets.serving.handlers import is_heartbeat, may_pass
from tests.serving.fakes import Kernels


def test_a_page_that_is_used_keeps_its_kernel(kernels: Kernels, clock: SimpleNamespace) -> None:
    name = kernels.start("a")
    for _ in range(10):
        clock.now += 500
        kernels.touch(name)
        kernels.cull()
    assert kernels.state(name) == "alive"


def test_an_idle_pages_kernel_ends_and_the_page_is_told_why(kernels: Kernels, clock: SimpleNamespace) -> None:
    name = kernels.start("a")
    clock.now += 599
    kernels.cull()
    assert kernels.state(name) == "alive"
    clock.now += 1
    kernels.cull()
    assert kernels.state(name) == "idle"


def test_a_kernel_waits_a_while_for_its_page_to_come_back(kernels: Kernels, clock: SimpleNamespace) -> None:
    name = kernels.start("a")
    kernels.notify_disconnect(name)
    clock.now += 89
    kernels.cull()
    kernels.notify_connect(name)
    clock.now += 89
    kernels.cull()
    assert kernels.state(name) == "alive"
    kernels.notify_disconnect(name)
    clock.now += 90
    kernels.cull()
    assert kernels.state(name) == "left"


def test_a_kernel_that_no_page_ever_came_for_ends(kernels: Kernels, clock: SimpleNamespace) -> None:
    name = kernels.start("a", connected=False)
    kernels.cull()
    clock.now += 90
    kernels.cull()
    assert kernels.state(name) == "left"


def test_a_dead_kernel_is_cleared_away(kernels: Kernels) -> None:
    name = kernels.start("a")
    kernels._kernels[name].lives = False
    assert kernels.state(name) == "died"
    kernels.cull()
    assert name not in kernels and kernels.state(name) == "died"
    assert kernels.state("never seen") == "unknown"


def test_kernels_in_the_pool_take_no_visitors_place(kernels: Kernels, clock: SimpleNamespace) -> None:
    def entry(name: str) -> Any:
        future: asyncio.Future[dict[str, str]] = asyncio.Future(loop=asyncio.new_event_loop())
        future.set_result({"kernel_id": name})
        return future

    kernels._pools = {"page.ipynb": [entry(kernels.start("ready", connected=False))]}
    kernels.start("a")
    assert (kernels.in_use, kernels.in_pool, kernels.full) == (1, ["ready"], False)
    clock.now += 10_000
    asyncio.run(kernels.cull_kernel_if_idle("ready"))
    assert "ready" in kernels
    kernels.arriving = 1
    assert kernels.full


def test_the_wait_is_until_a_page_that_is_gone_gives_up_its_place(kernels: Kernels, clock: SimpleNamespace) -> None:
    kernels.start("a")
    kernels.start("b")
    assert kernels.seconds_to_wait() == 60
    kernels.notify_disconnect("a")
    clock.now += 60
    assert kernels.seconds_to_wait() == 30
    clock.now += 29
    assert kernels.seconds_to_wait() == 5


@pytest.mark.parametrize(
    ("channel", "kind", "content", "passes"),
    [
        ("shell", "comm_msg", {}, True),
        ("shell", "comm_close", {}, True),
        ("shell", "comm_open", {"target_name": "jupyter.widget.control"}, True),
        ("shell", "comm_open", {"target_name": "jupyter.widget"}, False),
        ("shell", "comm_open", {}, False),
        ("shell", "execute_request", {}, False),
        ("shell", "shutdown_request", {}, False),
        ("control", "comm_msg", {}, False),
        ("control", "kernel_info_request", {}, False),
        ("stdin", "input_reply", {}, False),
    ],
)
def test_only_the_widgets_are_spoken_to(channel: str, kind: str, content: dict[str, str], passes: bool) -> None:
    assert may_pass(channel, {"msg_type": kind}, content) is passes


def test_a_heartbeat_is_no_use_of_the_kernel() -> None:
    assert is_heartbeat({"data": {"method": "custom", "content": {"type": "ping"}}})
    for content in ({}, {"data": "ping"}, {"data": {"content": {"type": "fork"}}}, {"data": {"method": "update"}}):
        assert not is_heartbeat(content)

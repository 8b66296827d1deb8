"""When a page's kernel ends, who is turned away, and which messages pass. No kernel is started."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager

from dspark_widgets.serving import kernels as module
from dspark_widgets.serving import routes
from dspark_widgets.serving.handlers import is_heartbeat, may_pass
from dspark_widgets.serving.kernels import PageKernels


class Kernels(PageKernels):
    """Kernels without processes; ``clock`` tells the time."""

    def start(self, name: str, connected: bool = True) -> str:
        async def is_alive() -> bool:
            return self._kernels[name].lives

        self._kernels[name] = SimpleNamespace(lives=True, is_alive=is_alive)
        self._kernel_connections[name] = 0
        if connected:
            self.notify_connect(name)
        return name

    async def shutdown_kernel(self, kernel_id: str, now: bool = False, restart: bool = False) -> None:  # type: ignore[override]
        self._kernels.pop(kernel_id)
        self._ended.setdefault(kernel_id, "closed")

    def cull(self) -> None:
        for name in self.list_kernel_ids():
            asyncio.run(self.cull_kernel_if_idle(name))

    def state(self, name: str) -> str:
        return asyncio.run(self.state_of(name))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    time = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(module, "monotonic", lambda: time.now)
    return time


@pytest.fixture
def kernels(clock: SimpleNamespace) -> Kernels:
    return Kernels(visitors=2, idle=600.0, linger=90.0)


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


class Starting(Kernels):
    """What becomes of each kernel that is started is told before: None where its start raises."""

    def __init__(self, *fates: bool | None) -> None:
        super().__init__(visitors=2)
        self.fates, self.seen, self.ended = list(fates), list[int](), list[str]()

    async def start_one(self, *, kernel_id: str, **_: Any) -> None:
        async def shutdown_kernel(now: bool) -> None:
            self.ended.append(kernel_id)

        manager = SimpleNamespace(shutdown_kernel=shutdown_kernel)
        self._starting[kernel_id] = manager  # type: ignore[assignment]
        if self.fates[0] is None:
            self.fates.pop(0)
            raise OSError("no more files can be opened")
        self.start(kernel_id, connected=False)
        self.seen.append(self.in_use)

    async def end_one(self, kernel_id: str, now: bool) -> None:
        self.ended.append(kernel_id)
        await self.shutdown_kernel(kernel_id)

    async def _answers(self, kernel_id: str) -> bool:
        return bool(self.fates.pop(0))


@pytest.fixture
def starting(clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Starting]:
    monkeypatch.setattr(AsyncMappingKernelManager, "start_kernel", Starting.start_one)
    monkeypatch.setattr(AsyncMappingKernelManager, "shutdown_kernel", Starting.end_one)
    return Starting


def test_a_kernel_takes_no_place_before_it_answers(starting: Callable[..., Starting]) -> None:
    kernels = starting(True)
    name = asyncio.run(kernels.start_kernel(env={}))
    assert kernels.seen == [0] and name in kernels and kernels.in_use == 1  # who waits for it counts as arriving


@pytest.mark.parametrize("fate", [False, None])
def test_another_kernel_is_started_for_one_that_fails_which_ends(
    starting: Callable[..., Starting], fate: bool | None
) -> None:
    kernels = starting(fate, True)
    name = asyncio.run(kernels.start_kernel())
    assert kernels.list_kernel_ids() == [name] and len(kernels.ended) == 1 and name not in kernels.ended


def test_it_is_said_when_no_kernel_answers(starting: Callable[..., Starting]) -> None:
    kernels = starting(False, None)
    with pytest.raises(RuntimeError, match="2 kernels were started, one after the other, and none answers"):
        asyncio.run(kernels.start_kernel())
    assert not kernels.list_kernel_ids() and len(set(kernels.ended)) == 2 and not kernels._starting


def test_a_process_does_not_outlive_its_place_in_the_list(kernels: Kernels) -> None:
    killed = []
    name = kernels.start("a")
    kernels._kernels[name].provisioner = SimpleNamespace(process=SimpleNamespace(kill=lambda: killed.append(name)))
    kernels.remove_kernel(name)
    assert killed == [name] and name not in kernels


class Pool(Starting):
    """Voila's pool of one, as far as it matters here."""

    def __init__(self, *fates: bool | None) -> None:
        super().__init__(*fates)
        self.loop, self.filled = asyncio.new_event_loop(), list[float | None]()
        self._pools: dict[str, list[Any]] = {"page.ipynb": []}

    def fill_if_needed(self, delay: float | None = None, notebook_name: str | None = None) -> None:
        if not self._pools[str(notebook_name)]:
            self.filled.append(delay)
            self.entry(f"new-{len(self.filled)}")

    def entry(self, name: str | None) -> None:
        future: asyncio.Future[dict[str, str]] = asyncio.Future(loop=self.loop)
        if name is None:
            future.set_exception(RuntimeError("none answers"))
        else:
            future.set_result({"kernel_id": self.start(name, connected=False)})
        self._pools["page.ipynb"].append(future)

    async def shutdown_kernel(self, kernel_id: str, now: bool = False, restart: bool = False) -> None:  # type: ignore[override]
        pool = self._pools["page.ipynb"]
        pool[:] = [entry for entry in pool if entry.result()["kernel_id"] != kernel_id]  # trips as Voila does
        await super().shutdown_kernel(kernel_id)


@pytest.mark.parametrize("there", [[None], ["dead"], ["dead", None], [None, "dead"], []])
def test_what_is_dead_or_failed_leaves_the_pool_which_is_filled_again(there: list[str | None]) -> None:
    """Voila itself takes an entry out that has failed, and leaves the pool empty for good."""
    kernels = Pool()
    for name in there:
        kernels.entry(name)
        if name:
            kernels._kernels[name].lives = False
    asyncio.run(kernels.mend_pool())
    assert kernels.in_pool == ["new-1"] == kernels.list_kernel_ids() and kernels.filled == [0]
    asyncio.run(kernels.mend_pool())
    assert kernels.filled == [0]


def test_a_start_that_failed_leaves_the_pool_by_itself_and_another_follows(
    starting: Callable[..., Starting], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SOON", 0.01)
    kernels = Pool(False, False)
    kernels.entry(None)

    async def fail() -> None:
        with pytest.raises(RuntimeError, match="none answers"):
            await kernels.start_kernel()
        await asyncio.sleep(0.1)

    asyncio.run(fail())
    assert kernels.in_pool == ["new-1"] and kernels.filled == [None]


BEAT = routes.HEARTBEAT + "()</script>"


@pytest.mark.parametrize(
    ("came", "fails"),
    [
        ((300, "<p>", 100, BEAT, 10, "</p>"), False),  # what starts slowly, and then comes
        (("<p>", 100, BEAT, 21, BEAT, "</p>"), True),
        ((BEAT, 100, "<p>", 100, BEAT, "</p>"), False),
    ],
)
def test_a_page_of_which_nothing_more_comes_says_so(
    monkeypatch: pytest.MonkeyPatch, clock: SimpleNamespace, came: tuple[Any, ...], fails: bool
) -> None:
    monkeypatch.setattr(routes, "monotonic", lambda: clock.now)
    assert routes.PATIENCE == 120
    sent: list[str] = []

    async def pieces() -> AsyncIterator[str]:
        for piece in came:
            if isinstance(piece, str):
                yield piece
            else:
                clock.now += piece

    async def nothing() -> None:
        pass

    kernels = SimpleNamespace(full=False, arriving=0, mend_pool=nothing)
    handler = SimpleNamespace(
        kernel_manager=kernels, get_generator=pieces, write=sent.append, flush=lambda: None, frame=lambda: "frame",
        set_header=lambda *_: None, log=SimpleNamespace(exception=lambda _: None), current_user="a visitor",
    )  # fmt: skip
    asyncio.run(routes.PageHandler.get(handler))  # type: ignore[arg-type]
    assert (sent[-1] == routes.FAILED) is fails and kernels.arriving == 0


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

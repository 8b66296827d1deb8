"""Kernels that start, or do not, and the pool of those that are ready. No process is started."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager

from dspark_widgets.serving import kernels as module
from tests.serving.fakes import Kernels


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

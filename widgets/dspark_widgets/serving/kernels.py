"""The kernels of the page: how many pages have one, which of them has ended and why, and when one is no longer needed."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress
from queue import Empty
from time import monotonic
from typing import Any

from jupyter_client.manager import KernelManager
from jupyter_core.utils import ensure_async
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from traitlets import Float, Int

from dspark_widgets.contract import ServerWord

REMEMBERED = 10_000
"""Ended kernels whose reason is kept, so that a page that comes back is told."""

STARTS = 2
"""How many kernels are started for a page before it is told that there is none."""

SOON = 0.1
"""Seconds until what failed to be made ready has left the pool."""


class PageKernels(AsyncMappingKernelManager):
    """Kernels that end when their page is gone or idle; Voila adds a pool of ready ones.

    Jupyter's culler calls ``cull_kernel_if_idle`` for each kernel that is not in the pool. Its own rule keeps the kernel of
    every open page for ever, and takes a page's heartbeat for use.
    """

    visitors = Int(12, config=True, help="The most kernels that pages may have at a time.")
    idle = Float(1800.0, config=True, help="Seconds without a request after which an open page's kernel ends.")
    linger = Float(90.0, config=True, help="Seconds that a kernel waits for its page to come, or to come back.")
    patience = Float(45.0, config=True, help="Seconds in which a kernel that was started has to answer.")

    def __init__(self, **kwargs: Any) -> None:
        self._used: dict[str, float] = {}
        self._alone: dict[str, float] = {}
        self._ended: OrderedDict[str, ServerWord] = OrderedDict()
        self._starting: dict[str, KernelManager] = {}
        self.arriving = 0
        super().__init__(**kwargs)

    @property
    def in_pool(self) -> list[str]:
        """Kernels that are ready and wait for a page."""
        done = [entry for pool in getattr(self, "_pools", {}).values() for entry in pool if entry.done()]
        return [entry.result()["kernel_id"] for entry in done if not entry.cancelled() and not entry.exception()]

    @property
    def in_use(self) -> int:
        """Kernels that pages have or are about to get."""
        return len(set(self.list_kernel_ids()) - set(self.in_pool) - set(self._starting)) + self.arriving

    def pre_start_kernel(self, kernel_name: str | None, kwargs: Any) -> tuple[Any, str, str]:
        """Make a kernel's manager, which is kept until the kernel answers."""
        made = super().pre_start_kernel(kernel_name, kwargs)
        self._starting[made[2]] = made[0]
        return made

    async def start_kernel(self, *args: Any, **kwargs: Any) -> str:  # type: ignore[override]
        """Start a kernel, and return its id once it answers: Voila would let a page wait for ever for one that does not.
        Until then it takes no place: a page that waits for it counts as arriving, and one for the pool is no visitor's.

        Raises:
            RuntimeError: neither this kernel nor another in its place answers.
        """
        for _ in range(STARTS):
            kernel_id = kwargs["kernel_id"] = self.new_kernel_id()
            try:
                await super().start_kernel(*args, **kwargs)
                if await self._answers(kernel_id):
                    return kernel_id
                self.log.error("kernel %s does not answer", kernel_id)
                await super().shutdown_kernel(kernel_id, now=True)
            except Exception:
                self.log.exception("kernel %s could not be started", kernel_id)
                self._pending_kernels.pop(kernel_id, None)  # where Jupyter leaves it, though it may run by then
                if kernel_id in self._starting:
                    await ensure_async(self._starting[kernel_id].shutdown_kernel(now=True))
                self.remove_kernel(kernel_id)
            finally:
                self._starting.pop(kernel_id, None)
        asyncio.get_running_loop().call_later(SOON, self._refill)
        raise RuntimeError(f"{STARTS} kernels were started, one after the other, and none answers")

    async def _answers(self, kernel_id: str) -> bool:
        kernel: Any = self.get_kernel(kernel_id)
        client, deadline = kernel.client(), monotonic() + self.patience
        client.start_channels(iopub=False, stdin=False, hb=False, control=False)
        try:
            client.kernel_info()
            while monotonic() < deadline and await kernel.is_alive():
                with suppress(Empty):
                    await client.get_shell_msg(timeout=0.5)
                    return True
        finally:
            client.stop_channels()
        return False

    async def mend_pool(self) -> None:
        """Have kernels in the pool replaced that have died or were never ready: the next page would be given one."""
        self._drop_failed()
        for kernel_id in self.in_pool:
            if await self.state_of(kernel_id) != "alive":
                await self.shutdown_kernel(kernel_id, now=True)  # Voila takes it out of the pool as well
        self._refill(delay=0)

    def _drop_failed(self) -> None:
        """Voila would trip over entries of its pool that have failed, whichever kernel it is to end."""
        for pool in getattr(self, "_pools", {}).values():
            pool[:] = [entry for entry in pool if not entry.done() or not (entry.cancelled() or entry.exception())]

    def _refill(self, delay: float | None = None) -> None:
        """Have made ready what the pool lacks, after Voila's usual delay where none is given."""
        voila: Any = self
        self._drop_failed()
        for name in getattr(self, "_pools", {}):
            voila.fill_if_needed(delay=delay, notebook_name=name)

    @property
    def full(self) -> bool:
        return self.in_use >= self.visitors

    def seconds_to_wait(self) -> int:
        """A guess at when a place will be free: when the first page that is gone gives up its kernel, a minute at most."""
        now = monotonic()
        left = [self.linger - (now - since) for since in self._alone.values()]
        return round(min(60.0, max(5.0, min(left, default=60.0))))

    def touch(self, kernel_id: str) -> None:
        """A visitor has asked something of this kernel."""
        self._used[kernel_id] = monotonic()

    def notify_connect(self, kernel_id: str) -> None:
        super().notify_connect(kernel_id)
        self._alone.pop(kernel_id, None)
        self._used.setdefault(kernel_id, monotonic())

    def notify_disconnect(self, kernel_id: str) -> None:
        super().notify_disconnect(kernel_id)
        if kernel_id in self and not self._kernel_connections.get(kernel_id):
            self._alone[kernel_id] = monotonic()

    async def state_of(self, kernel_id: str) -> ServerWord:
        """Whether a kernel is there, else why it ended."""
        if kernel_id not in self:
            return self._ended.get(kernel_id, "unknown")
        return "alive" if await ensure_async(self.get_kernel(kernel_id).is_alive()) else "died"

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """End a kernel that has died, whose page is gone, or whose page was idle for long. Pages ask why it ended."""
        if kernel_id in self.in_pool:
            return
        now = monotonic()
        connected = self._kernel_connections.get(kernel_id, 0)
        alone = now - (now if connected else self._alone.setdefault(kernel_id, now))
        why: ServerWord | None = None
        if await self.state_of(kernel_id) == "died":
            why = "died"
        elif alone >= self.linger:
            why = "left"
        elif connected and now - self._used.setdefault(kernel_id, now) >= self.idle:
            why = "idle"
        if why:
            self._ended[kernel_id] = why
            await ensure_async(self.shutdown_kernel(kernel_id, now=why == "died"))

    def remove_kernel(self, kernel_id: str) -> Any:
        self._ended.setdefault(kernel_id, "closed")
        while len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)
        self._used.pop(kernel_id, None)
        self._alone.pop(kernel_id, None)
        kernel = super().remove_kernel(kernel_id)
        process = getattr(getattr(kernel, "provisioner", None), "process", None)
        if process is not None:  # not every way out of Jupyter's list is by way of the process's end
            process.kill()
        return kernel

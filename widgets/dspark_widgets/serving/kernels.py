"""The kernels of the page: how many pages have one, which of them has ended and why, and when one is no longer needed."""

from __future__ import annotations

from collections import OrderedDict
from time import monotonic
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from traitlets import Float, Int
from voila.utils import ENV_VARIABLE

from dspark_widgets.contract import ServerWord

REMEMBERED = 10_000
"""Ended kernels whose reason is kept, so that a page that comes back is told."""


class PageKernels(AsyncMappingKernelManager):
    """Kernels that end when their page is gone or idle; Voila adds a pool of ready ones.

    Jupyter's culler calls ``cull_kernel_if_idle`` for each kernel that is not in the pool. Its own rule keeps the kernel of
    every open page for ever, and takes a page's heartbeat for use.
    """

    visitors = Int(12, config=True, help="The most kernels that pages may have at a time.")
    idle = Float(1800.0, config=True, help="Seconds without a request after which an open page's kernel ends.")
    linger = Float(90.0, config=True, help="Seconds that a kernel waits for its page to come, or to come back.")

    def __init__(self, **kwargs: Any) -> None:
        self._used: dict[str, float] = {}
        self._alone: dict[str, float] = {}
        self._ended: OrderedDict[str, ServerWord] = OrderedDict()
        self._heating: set[str] = set()
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
        return len(set(self.list_kernel_ids()) - set(self.in_pool) - self._heating) + self.arriving

    async def start_kernel(self, *args: Any, **kwargs: Any) -> str:  # type: ignore[override]
        """Start a kernel. One that is being made ready for the pool is no visitor's while it starts."""
        kernel_id = kwargs["kernel_id"] = kwargs.get("kernel_id") or self.new_kernel_id()
        if (kwargs.get("env") or {}).get(ENV_VARIABLE.VOILA_PREHEAT) == "True":
            self._heating.add(kernel_id)
        try:
            return str(await super().start_kernel(*args, **kwargs))
        finally:
            self._heating.discard(kernel_id)

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
        return super().remove_kernel(kernel_id)

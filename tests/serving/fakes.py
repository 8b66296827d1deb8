"""The page server's kernels without processes."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

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

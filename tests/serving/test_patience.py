"""How long a page waits for more of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from dspark_widgets.serving import routes

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

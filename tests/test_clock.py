"""Times of what runs beside Python."""

from __future__ import annotations

from time import perf_counter

import pytest
import torch

from dspark_lab.clock import now


def test_the_clock_waits_for_a_gpu_and_only_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    before = perf_counter()
    assert before <= now(torch.device("cpu")) <= perf_counter() and not waited
    assert now(torch.device("cuda", 1)) >= before and waited == [torch.device("cuda", 1)]

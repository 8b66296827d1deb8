"""The plain Algorithm 1 that the bench measures against decides as ours does; the bench itself runs and says what it timed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dspark_lab.bench import schedule as bench
from dspark_lab.scheduling.schedule import schedule
from dspark_lab.scheduling.step_rate import StepRate


@pytest.mark.parametrize("requests", [1, 3, 40])
def test_the_peer_decides_the_same(requests: int) -> None:
    rate = StepRate((1, 50, 400), (1.0, 0.7, 0.05))
    rates = [0.0, *rate.between(1, 400).tolist()]
    for seed in range(20):
        a = bench.pool(requests, seed)
        assert bench.plain(a.tolist(), rates) == schedule(a, rate).lengths.tolist()


def test_it_times_every_policy_at_every_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "SIZES", (1, 4, 256))
    monkeypatch.setattr(bench, "LIMITS", {256: 0.15})
    result = bench.run(quick=True, json_file=tmp_path / "out.json")
    assert set(result["milliseconds"]) == {"early-break", "global", "lagged", "fixed:4", "threshold:0.5", bench.PLAIN}
    assert all(
        set(by) == {1, 4, 256} and np.isfinite(list(by.values())).all() for by in result["milliseconds"].values()
    )
    assert result["measured"] and json.loads((tmp_path / "out.json").read_text())["gamma"] == 7
    assert "in plain Python" in " ".join(capsys.readouterr().out.split())

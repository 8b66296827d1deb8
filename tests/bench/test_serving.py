"""``bench serving``: that the simulator is told what the engine does, and that both are counted alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dspark_lab.bench import serving as bench
from dspark_lab.loading import load


def test_predicted_beside_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Times are this machine's; how many tokens are verified and yielded is not."""
    monkeypatch.setattr(bench, "PLACES", (3,))
    result = bench.run(quick=True, json_file=tmp_path / "out.json", lab=load())
    assert json.loads((tmp_path / "out.json").read_text()) == result
    assert [(row["requests"], row["policy"]) for row in result["rows"]] == [(3, "fixed"), (3, "lagged")]
    for row in result["rows"]:
        assert row["steps"] > 20 and row["outside_target_ms"] > 0
        # 12 answers of some 13 rounds each: tau varies by a fifth or so from answer to answer, times their domains'.
        assert row["tau"]["predicted"] == pytest.approx(row["tau"]["measured"], rel=0.4)
    fixed = result["rows"][0]
    assert fixed["budget"]["measured"] == pytest.approx(8, abs=0.3) and fixed["budget"]["predicted"] <= 8
    assert "predicted (modelled)" in " ".join(capsys.readouterr().out.split())

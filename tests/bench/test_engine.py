"""``bench engine``: its figures' form, and that all contenders write the same texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dspark_lab.bench import engine as bench
from dspark_lab.loading import Lab


def test_every_number_of_places_is_measured(
    tiny_lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "PLACES", (1, 3))
    monkeypatch.setattr(bench, "_prompts", lambda count: ["Hello!", "What is 3 + 4?", "def add(a, b):", "Why?"])
    result = bench.run(quick=True, json_file=tmp_path / "out.json", lab=tiny_lab)
    assert result["measured"] and json.loads((tmp_path / "out.json").read_text()) == result
    assert set(result["tokens_per_second"]) == {"session", "1", "3"}
    assert set(result["ratio"]) == {"R=3 / R=1", "R=1 / session", "R=3 / session"}
    assert result["same_text_as_session"] == {"1": 1, "3": 1}
    assert all(0 < share < 1 for share in result["outside_models"].values())
    assert result["tokens_per_step"]["3"] > result["tokens_per_step"]["1"] >= 1
    assert "tokens verified" in " ".join(capsys.readouterr().out.split())

"""``bench train``: its figures' form, not their values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dspark_lab.bench.train import run
from dspark_lab.errors import LabError
from dspark_lab.loading import Lab


def test_ours_alone_is_measured(tiny_lab: Lab, tmp_path: Path) -> None:
    result = run(quick=True, json_file=tmp_path / "b.json", target=tiny_lab.target)
    assert result["measured"] and list(result["blocks_per_second"]) == ["ours"] and "ratio" not in result
    assert json.loads((tmp_path / "b.json").read_text()) == result


def test_a_peer_that_is_no_deepspec_is_refused(tiny_lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="holds no DeepSpec"):
        run(quick=True, peer=tmp_path, target=tiny_lab.target)


def test_the_command_hands_on_its_options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from dspark_lab.cli import app

    calls: list[dict[str, Any]] = []
    monkeypatch.setattr("dspark_lab.bench.train.run", lambda **options: calls.append(options))
    assert CliRunner().invoke(app, ["bench", "train", "--peer", str(tmp_path)]).exit_code == 0
    assert calls == [{"quick": False, "peer": tmp_path, "json_file": None}]

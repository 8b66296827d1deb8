"""The Trainer: watched, stopped, tried and resumed, it is one and the same training."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from dspark_lab import Settings
from dspark_lab.errors import LabError
from dspark_lab.loading import Lab
from dspark_lab.training import state_cache
from dspark_lab.training.kinds import TRAINABLE, Options
from dspark_lab.training.losses import TERMS, LossWeights
from dspark_lab.training.trainer import Plan, Trainer, mask_token

CPU = torch.device("cpu")
ROWS = [(list(range(20 + i, 30 + i)), [*(40 + (7 * i + 3 * k) % 200 for k in range(5 + i % 9)), 1]) for i in range(40)]


@pytest.fixture
def plan(tiny_lab: Lab) -> Plan:
    shape = Options("dspark", mask_token(tiny_lab.target), block_size=4, rank=8, anchors=4, taps=(0, 2))
    return Plan(shape, steps=(5, 3), batch=4, lr=0.01)


def parameters(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in trainer.model.named_parameters()}


@pytest.fixture
def whole(tiny_lab: Lab, plan: Plan, tmp_path: Path) -> dict[str, torch.Tensor]:
    trainer = Trainer(tiny_lab.target, ROWS, plan, tmp_path / "whole", bar=False)
    trainer.run()
    return parameters(trainer)


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(a[name].equal(b[name]) for name in a)


def test_every_step_says_how_far_the_training_is(
    tiny_lab: Lab, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dspark_lab.training.log.LOG_EVERY", 2)
    records = list(Trainer(tiny_lab.target, ROWS, plan, tmp_path / "run", bar=False))
    assert [r.step for r in records] == list(range(1, 9)) and {r.steps for r in records} == {8}
    assert all(set(r.losses) == {"loss", "ce", "tv", "conf", "accept", "kl"} for r in records)
    assert all(1 <= r.tau <= 5 and len(r.alpha) == 4 and r.blocks_per_second > 0 for r in records)
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [2, 4, 6, 8]
    assert log[0]["losses"] == records[1].losses and log[0]["alpha"] == records[1].alpha


def test_a_training_stopped_and_taken_up_again_ends_bitwise_the_same(
    tiny_lab: Lab, plan: Plan, tmp_path: Path, whole: dict[str, torch.Tensor]
) -> None:
    trainer = Trainer(tiny_lab.target, ROWS, plan, tmp_path / "cut", bar=False)
    for progress in trainer:
        if progress.step in (2, 6):
            trainer.stop()
    other = Trainer(tiny_lab.target, ROWS, plan, tmp_path / "cut", bar=False)
    steps = []
    for progress in other:
        steps.append(progress.step)
        if progress.step in (5, 7):
            break
    assert steps == [3, 4, 5]
    last = Trainer(tiny_lab.target, ROWS, plan, tmp_path / "cut", bar=False)
    assert [p.step for p in last] == [6, 7, 8]
    assert same(parameters(last), whole)


def test_the_drafter_can_be_tried_while_it_learns(
    tiny_lab: Lab, plan: Plan, tmp_path: Path, whole: dict[str, torch.Tensor]
) -> None:
    trainer = Trainer(tiny_lab.target, ROWS, plan, tmp_path / "run", bar=False)
    first = trainer.drafter()
    before = first.model.fc.weight.clone()
    for progress in trainer:
        if progress.step == 4:
            lab = Lab(tiny_lab.target, trainer.drafter())
            session = lab.session("Hello.", Settings(max_new_tokens=6)).run()
            assert session.rounds and session.rounds[0].positions
    assert first.model.fc.weight.equal(before), "a drafter has weights of its own"
    assert same(parameters(trainer), whole), "and trying it changes nothing"


def test_a_folder_of_another_training_is_refused(tiny_lab: Lab, plan: Plan, tmp_path: Path) -> None:
    Trainer(tiny_lab.target, ROWS, plan, tmp_path, bar=False)
    other = Plan(plan.options, LossWeights(1, 0, 0), plan.steps, plan.batch, 1, plan.lr)
    with pytest.raises(LabError, match=r"loss .*0\.9.*another folder"):
        Trainer(tiny_lab.target, ROWS, other, tmp_path, bar=False)


@pytest.mark.parametrize(("kind", "said"), [("dspark", {"kl", "tv", "conf"}), ("dflash", {"kl"}), ("eagle3", {"kl"})])
def test_each_kind_has_a_loss_of_its_own(tiny_lab: Lab, tmp_path: Path, kind: str, said: set[str]) -> None:
    shape = Options(kind, 4, block_size=3, rank=8, anchors=4, taps=(0, 1, 2))
    trainer = Trainer(tiny_lab.target, ROWS, Plan(shape, steps=(1,), batch=4), tmp_path, bar=False)
    weights = trainer.plan.loss
    assert weights is not None
    assert {name for name in TERMS if getattr(weights, name) > 0.5} == said


def test_a_step_in_parts_is_the_mean_of_the_parts(tiny_lab: Lab, plan: Plan, tmp_path: Path) -> None:
    """accumulate=2 takes the mean of the losses of two batches, each half as large."""
    parts = Plan(plan.options, steps=(1,), batch=4, accumulate=2, lr=0.01, precision="float32")
    (record,) = Trainer(tiny_lab.target, ROWS, parts, tmp_path / "parts", bar=False)
    half = Trainer(
        tiny_lab.target, ROWS, Plan(plan.options, steps=(1,), batch=2, lr=0.01), tmp_path / "half", bar=False
    )
    module = half._kind.Objective(half.model, tiny_lab.target.model, half._batches, half.plan.loss, seed=0)
    with torch.no_grad():
        losses = [float(module(batch)["loss"]) for batch in (0, 1)]
    assert record.losses["loss"] == pytest.approx(sum(losses) / 2, rel=1e-5)


@pytest.mark.parametrize("kind", ["dspark", "eagle3", "mtp"])
def test_cached_states_train_as_computed_ones_do(tiny_lab: Lab, plan: Plan, tmp_path: Path, kind: str) -> None:
    shape = Options(kind, 4, block_size=3, rank=8, anchors=4, taps=() if kind == "mtp" else (0, 1, 2))
    runs = []
    for cache in (None, tmp_path / "states"):
        exact = Plan(shape, steps=(3,), batch=4, precision="float32")
        work = tmp_path / str(cache is None)
        trainer = Trainer(tiny_lab.target, ROWS, exact, work, bar=False, cache_states=cache)
        runs.append([p.losses["loss"] for p in trainer])
    assert runs[1] == pytest.approx(runs[0], rel=1e-4)


def test_the_cache_says_its_size_and_goes_on_where_it_was(
    tiny_lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_cache, "ROWS_A_FILE", 16)
    cache = state_cache.StateCache(tiny_lab.target, ROWS, (0, 2), tmp_path)
    said: list[str] = []
    cache.fill(said.append)
    tokens = sum(len(p) + len(a) for p, a in ROWS)
    assert cache.size == tokens * 3 * 32 * 4 and f"{cache.size / 1e9:.2f} GB" in said[0]
    files = sorted(tmp_path.glob("*.safetensors"))
    assert len(files) == 3
    files[1].unlink()
    kept = files[0].stat().st_mtime_ns
    again = state_cache.StateCache(tiny_lab.target, ROWS, (0, 2), tmp_path)
    again.fill(said.append)
    assert files[1].exists() and files[0].stat().st_mtime_ns == kept
    taps, final = again.read([3, 20], 30)
    assert taps.shape == (2, 30, 64) and final.shape == (2, 30, 32)
    assert not taps[0, sum(map(len, ROWS[3])) :].any()
    with pytest.raises(LabError, match="layers .*another folder"):
        state_cache.StateCache(tiny_lab.target, ROWS, (0, 1), tmp_path).fill()


def test_a_cache_that_does_not_fit_is_refused_before_it_begins(
    tiny_lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_cache.shutil, "disk_usage", lambda _: SimpleNamespace(free=state_cache.SPARE + 1000))
    with pytest.raises(LabError, match="leave --cache-states out"):
        state_cache.StateCache(tiny_lab.target, ROWS, (0, 2), tmp_path).fill()
    assert not list(tmp_path.glob("*.safetensors"))


@pytest.mark.parametrize(
    ("mask", "size", "pad", "expected"), [(7, 10, 3, 7), (None, 8, 3, 8), (None, 10, 3, 3), (None, 10, 0, 0)]
)
def test_the_mask_token_is_the_tokenizers_or_a_spare_one(mask: Any, size: int, pad: int, expected: int) -> None:
    class Tokenizer(SimpleNamespace):
        def __len__(self) -> int:
            return size

    target: Any = SimpleNamespace(
        tokenizer=Tokenizer(mask_token_id=mask, pad_token_id=pad), vocab_size=10, info=SimpleNamespace(name="it")
    )
    assert mask_token(target) == expected


@pytest.mark.parametrize("tokens", [1, 40, 2**20])
def test_cached_states_are_those_of_each_row_alone(
    tiny_lab: Lab, tmp_path: Path, tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many rows are read in a pass, and no pass reads more tokens than it may, but for a single row."""
    monkeypatch.setattr(state_cache, "TOKENS_A_PASS", tokens)
    plain, passes = state_cache.target_states, []

    def counted(target: Any, ids: torch.Tensor, layers: Any) -> Any:
        passes.append(tuple(ids.shape))
        return plain(target, ids, layers)

    monkeypatch.setattr(state_cache, "target_states", counted)
    cache = state_cache.StateCache(tiny_lab.target, ROWS, (0, 2), tmp_path)
    cache.fill(lambda _text: None)
    assert all(rows == 1 or rows * length <= tokens for rows, length in passes)
    assert sum(rows for rows, _ in passes) == len(ROWS)
    for row in (0, 7, 39):
        prompt, answer = ROWS[row]
        for found, alone in zip(
            cache.read([row], len(prompt + answer)),
            plain(tiny_lab.target.model, torch.tensor([prompt + answer]), (0, 2)),
            strict=True,
        ):
            torch.testing.assert_close(found, alone)


def test_rates_that_are_left_open_are_the_usual_ones(plan: Plan) -> None:
    shape = plan.options
    muon, adamw = Plan(shape).settled(CPU), Plan(shape, optimizer="adamw").settled(CPU)
    assert (muon.lr, muon.adamw_lr, adamw.lr, adamw.adamw_lr) == (5e-3, 1e-2, 2e-3, None)
    assert (Plan(shape, lr=0.8).settled(CPU).adamw_lr, Plan(shape, lr=0.1, adamw_lr=0.3).settled(CPU).adamw_lr) == (
        1.0,
        0.3,
    )
    with pytest.raises(LabError, match="AdamW rate is 0.1, which is for what Muon leaves.*--lr"):
        Plan(shape, optimizer="adamw", adamw_lr=0.1)


@pytest.mark.parametrize("able", [False, True])
def test_the_precision_is_what_the_cpu_has_instructions_for(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, able: bool
) -> None:
    monkeypatch.setattr("dspark_lab.training.trainer.multiplies_bfloat16", lambda: able)
    assert plan.settled(CPU).precision == ("bfloat16" if able else "float32")
    assert plan.settled(torch.device("cuda")).precision == "float32"
    for precision in ("float32", "bfloat16"):
        assert replace(plan, precision=precision).settled(CPU).precision == precision
    with pytest.raises(LabError, match="bfloat16, which is for a CPU, but this trains on cuda: take float32"):
        replace(plan, precision="bfloat16").settled(torch.device("cuda"))
    with pytest.raises(LabError, match="no precision 'fp8': take one of auto, float32, bfloat16"):
        replace(plan, precision="fp8")


def test_a_training_goes_on_in_its_precision_on_a_cpu_that_has_another(
    tiny_lab: Lab, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, losses = None, []
    for able in (False, True):
        monkeypatch.setattr("dspark_lab.training.trainer.multiplies_bfloat16", lambda able=able: able)
        trainer = Trainer(tiny_lab.target, ROWS, replace(plan, steps=(6,)), tmp_path, bar=False)
        begun = begun or trainer.plan
        assert trainer.plan == begun and begun.precision == "float32"
        for progress in trainer:
            losses.append(progress.losses["loss"])
            if progress.step == 3:
                trainer.stop()
    whole = Trainer(
        tiny_lab.target, ROWS, replace(plan, steps=(6,), precision="float32"), tmp_path / "whole", bar=False
    )
    assert losses == [progress.losses["loss"] for progress in whole]


@pytest.mark.parametrize("kind", TRAINABLE)
def test_every_kind_trains_in_either_precision(tiny_lab: Lab, tmp_path: Path, kind: str) -> None:
    """From the same weights, with losses that go down together; what is kept is in float32."""
    shape = Options(kind, mask_token(tiny_lab.target), block_size=4, rank=8, anchors=4)
    shape = replace(shape, layers=1) if kind in ("eagle3", "mtp") else shape
    losses = []
    for precision in ("float32", "bfloat16"):
        given = Plan(shape, steps=(12,), batch=4, precision=precision)
        trainer = Trainer(tiny_lab.target, ROWS, given, tmp_path / precision, bar=False)
        losses.append([p.losses["loss"] for p in trainer])
        assert {p.dtype for p in trainer.model.parameters()} == {torch.float32}
    assert losses[1] == pytest.approx(losses[0], rel=0.05) and losses[1] != losses[0]
    if TRAINABLE[kind] == "medusa":  # whole logits, by products that are left alone; only Muon's are not
        assert losses[1][0] == losses[0][0]
    assert losses[1][-1] < losses[1][0]


def test_a_loss_that_trains_nothing_of_a_kind_is_refused() -> None:
    with pytest.raises(LabError, match="medusa does not have, so nothing would be trained"):
        Plan(Options("medusa", 0), LossWeights(ce=0.0, tv=0.0, conf=1.0))
    Plan(Options("dspark", 0), LossWeights(ce=0.0, tv=0.0, conf=1.0))

"""Pairs that tests decode with: a tiny random one, made in seconds, and the trained pocket pair."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import settings

from dspark_lab import load
from dspark_lab.loading import Lab
from dspark_lab.target import Target
from dspark_lab.training.batches import mixed_examples
from dspark_lab.training.drafter import new_model
from dspark_lab.training.kinds import Options
from dspark_lab.training.pocket import save_drafter, save_target
from dspark_lab.training.tokenizer import train_tokenizer
from tests.tiny import tiny_qwen3

torch.set_num_threads(1)
settings.register_profile("lab", deadline=None, derandomize=True, database=None, max_examples=60)
settings.load_profile("lab")

LONG = (
    "tests/test_pocket.py",
    "tests/test_notebooks.py",
    "tests/browser/hosting/test_interruptions.py",
    "tests/browser/hosting/test_visitors.py",
    "tests/browser/test_runs.py",
    "tests/browser/test_voila.py",
    "tests/browser/test_live_page.py",
    "tests/browser/test_page.py",
    "tests/browser/test_load.py",
    "tests/cli/test_process.py",
    "tests/engine/test_requests.py",
    "tests/cli/test_calibrate.py",
    "tests/browser/test_views.py",
    "tests/browser/test_scheduler_views.py",
    "tests/browser/test_lab.py",
    "tests/cli/test_train_drafter.py",
)
"""Files whose tests take longest: they begin first, so that no worker is left with one of them at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(item.nodeid.partition("::")[0], len(LONG)))


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``target/`` and ``dspark/``: 4 layers of width 32, a vocabulary of 320, random weights spread so that the two
    distributions are neither flat nor alike. Read it; a test that damages files copies it first."""
    folder = tmp_path_factory.mktemp("tiny")
    tokenizer = train_tokenizer((text for e in mixed_examples("train", 200) for text in (e.prompt, e.answer)), 320, 256)
    torch.manual_seed(0)
    target = tiny_qwen3(
        vocab_size=len(tokenizer),
        max_position_embeddings=256,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    drafter = new_model(target, Options("dspark", tokenizer.mask_token_id, block_size=5, rank=8, taps=(0, 1, 2)))
    for name, p in drafter.named_parameters():
        if p.requires_grad and p.ndim > 1:
            torch.nn.init.normal_(p, std=0.4 if "markov" in name else 0.2)
    save_drafter(drafter, folder / "dspark")
    save_target(target, tokenizer, folder / "target")
    return folder


@pytest.fixture(scope="session")
def tiny_lab(tiny_folder: Path) -> Lab:
    """The tiny pair on the CPU. Models hold no session's state, so tests share it."""
    return load(tiny_folder / "target", tiny_folder / "dspark", device="cpu")


@pytest.fixture(params=[True, False], ids=["packed", "as transformers runs it"])
def either_target(request: pytest.FixtureRequest, tiny_lab: Lab) -> Target:
    """The tiny target, run in both of the ways in which targets are run."""
    whole = tiny_lab.target
    return whole if request.param else Target(whole.model, whole.tokenizer, whole.info, packed=False)


@pytest.fixture(scope="session")
def pocket_lab() -> Lab:
    """The pair that ships with the lab, on the CPU."""
    return load(device="cpu")

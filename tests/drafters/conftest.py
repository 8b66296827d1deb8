"""Every kind of drafter in the registry, on a target of three tokens."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from dspark_lab.drafters.registry import KINDS
from dspark_lab.loading import Lab, load_drafter
from dspark_lab.target import Target
from dspark_lab.trace import ModelInfo
from dspark_lab.training.kinds import Options, training_of
from dspark_lab.training.pocket import save_drafter
from tests.drafters.letters import BLOCK, VOCAB
from tests.scripted import LETTERS, ScriptedTokenizer
from tests.tiny import tiny_qwen3


class Letters(ScriptedTokenizer):
    eos_token_id = None

    def decode(self, ids: list[int], **_: object) -> str:
        return "".join(LETTERS[i] for i in ids)


@pytest.fixture(scope="module")
def target() -> Target:
    """Of few tokens, none of which ends a sequence."""
    torch.manual_seed(0)
    model = tiny_qwen3(
        vocab_size=VOCAB, max_position_embeddings=128, tie_word_embeddings=False, pad_token_id=None, eos_token_id=None
    ).requires_grad_(False)
    return Target(model, Letters(), ModelInfo("letters", "target", "0" * 12, 0))  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=KINDS)
def model(request: pytest.FixtureRequest, target: Target) -> tuple[str, Any]:
    """Each kind, with a model for it, of random weights rounded as they are saved, where it needs one."""
    kind = KINDS[request.param]
    if not kind.weights:
        return kind.name, None
    torch.manual_seed(1)
    options = Options(kind.name, mask_token_id=2, block_size=BLOCK, rank=2, taps=(0, 1, 2))
    new = training_of(kind.name).new_model(target.model, options)
    for p in new.parameters():
        if p.requires_grad and p.ndim > 1:
            torch.nn.init.normal_(p, std=0.3)
        p.data = p.data.bfloat16().float()
    return kind.name, new


@pytest.fixture(scope="module")
def lab(model: tuple[str, Any], target: Target, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The target with a drafter of the kind: one that needs weights has been saved and loaded."""
    kind, new = model
    if new is None:
        return Lab(target, load_drafter(kind, target))
    folder = tmp_path_factory.mktemp(kind) / "drafter"
    save_drafter(new, folder)
    drafter = load_drafter(folder, target)
    assert drafter.info.kind == kind and drafter.info.parameters > 0
    return Lab(target, drafter)

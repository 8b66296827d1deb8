"""Drafters that are a few heads on the target's last state: head k predicts the k-th token after the anchor, all at once.

Medusa (arXiv 2401.10774): each head is a residual block and an LM head of its own. Blockwise parallel decoding
(arXiv 1811.03115): one hidden layer for all heads, a residual each, and the target's LM head. Both read what the target's
own LM head reads at the token before the anchor, so that no head knows which anchor, or which draft token, was drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from time import perf_counter
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dspark_lab.checkpoints import fill, match, read_tensors
from dspark_lab.clock import now
from dspark_lab.drafters.base import Choose, Draft
from dspark_lab.errors import LabError
from dspark_lab.target import FINAL, Target
from dspark_lab.trace import ModelInfo


@dataclass(frozen=True)
class HeadsConfig:
    """What ``config.json`` says. ``block_size`` is the number of heads; ``num_anchors``, blocks trained on a sequence."""

    vocab_size: int
    hidden_size: int
    block_size: int
    num_anchors: int = 24

    architecture: ClassVar[str]
    target_layer_ids: ClassVar[tuple[int, ...]] = ()

    @classmethod
    def from_json(cls, config: Mapping[str, Any]) -> Self:
        """Read a parsed ``config.json``. Raises LabError for a field that is missing or that no checkpoint can have."""
        values = {field.name: config.get(field.name, field.default) for field in fields(cls)}
        for name, value in values.items():
            high = 1024 if name == "block_size" else 2**31
            if type(value) is not int or not 1 <= value <= high:
                shown = repr(value) if name in config else "missing"
                raise LabError(
                    f"the drafter's {name} is {shown}, but must be a whole number from 1 to {high}: get the checkpoint again."
                )
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        return {"architectures": [self.architecture], **asdict(self), "dtype": "bfloat16"}


class HeadsModel(nn.Module):
    """Called with states [..., hidden], it gives the logits [..., K, V] of the K tokens after the next one."""

    config: HeadsConfig

    def forward(self, states: Tensor, count: int | None = None) -> Tensor:
        """``count`` takes only so many of the heads."""
        raise NotImplementedError


class MedusaConfig(HeadsConfig):
    architecture = "DSparkLabMedusaModel"


class MedusaHead(nn.Module):
    """W2 (x + SiLU(W1 x + b))."""

    def __init__(self, config: HeadsConfig) -> None:
        super().__init__()
        self.linear = nn.Linear(config.hidden_size, config.hidden_size)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.lm_head(x + F.silu(self.linear(x)))


class MedusaModel(HeadsModel):
    def __init__(self, config: HeadsConfig) -> None:
        super().__init__()
        self.config = config
        self.heads = nn.ModuleList(MedusaHead(config) for _ in range(config.block_size))

    def forward(self, states: Tensor, count: int | None = None) -> Tensor:
        return torch.stack([head(states) for head in self.heads[:count]], dim=-2)


class BlockwiseConfig(HeadsConfig):
    architecture = "DSparkLabBlockwiseModel"


class BlockwiseModel(HeadsModel):
    """The LM head is the target's, frozen."""

    def __init__(self, config: HeadsConfig) -> None:
        super().__init__()
        self.config = config
        width = config.block_size * config.hidden_size
        self.inner, self.outer = nn.Linear(config.hidden_size, width), nn.Linear(width, width)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False).requires_grad_(False)

    def forward(self, states: Tensor, count: int | None = None) -> Tensor:
        changes = self.outer(self.inner(states).relu()).unflatten(-1, (self.config.block_size, -1))  # [..., K, hidden]
        return self.lm_head(states[..., None, :] + changes[..., :count, :])


MODELS: dict[str, tuple[str, type[HeadsConfig], type[HeadsModel]]] = {
    MedusaConfig.architecture: ("medusa", MedusaConfig, MedusaModel),
    BlockwiseConfig.architecture: ("blockwise", BlockwiseConfig, BlockwiseModel),
}
"""Kind, config and model of each architecture."""


class HeadsDrafter:
    """Heads that draft. The state is the target's last states [hidden] of the committed tokens, of which the newest is
    read; nothing is drafted where there is none yet."""

    tap_layers: tuple[int, ...] = (FINAL,)

    def __init__(self, model: HeadsModel, info: ModelInfo) -> None:
        self.model, self.info, self.block_size = model.eval().requires_grad_(False), info, model.config.block_size

    def new_state(self) -> list[Tensor]:
        return []

    def copy_state(self, state: list[Tensor], length: int) -> list[Tensor]:
        return state[:length]

    def commit(self, state: list[Tensor], tokens: list[int], taps: Tensor | None) -> None:
        assert taps is not None
        state += taps.unbind()

    @torch.inference_mode()
    def propose(self, state: list[Tensor], anchor: int, gamma: int, choose: Choose) -> Draft:
        if not state or not gamma:
            return Draft([])
        began = perf_counter()
        base = self.model(state[-1], gamma)  # U [gamma, V]
        drafted = now(base.device)
        tokens = [choose(k, logits) for k, logits in enumerate(base, 1)]
        return Draft(tokens, base, forward_ms=(drafted - began) * 1e3, head_ms=(perf_counter() - drafted) * 1e3)


def load(folder: Path, config: Mapping[str, Any], target: Target, info: ModelInfo) -> HeadsDrafter:
    """A Medusa or blockwise checkpoint of this lab, matched against its target."""
    kind, config_class, model_class = MODELS[config["architectures"][0]]
    try:
        c = config_class.from_json(config)
    except LabError as error:
        raise LabError(f"{folder / 'config.json'}: {error}") from error
    match("hidden size", c.hidden_size, target.config.hidden_size, folder)
    match("vocabulary", c.vocab_size, target.vocab_size, folder)
    model, tensors = model_class(c), read_tensors(folder)
    fill(model, tensors, folder)
    model = model.to(device=target.device, dtype=target.model.dtype)
    parameters = sum(t.numel() for t in tensors.values())
    return HeadsDrafter(model, replace(info, kind=kind, parameters=parameters, block_size=c.block_size))

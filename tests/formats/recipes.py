"""Checkpoints of random weights that reference code and this lab make alike, from a recipe instead of files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

VOCAB, HIDDEN, DEPTH, TAPS = 61, 32, 6, (0, 2, 4)
PROMPT, MORE, COLUMNS = 12, 3, 4
"""Tokens committed at first and after the first draft; logits compared of each row."""


def weights(shapes: Mapping[str, torch.Size]) -> dict[str, Tensor]:
    """Tensors by name: each from a generator seeded by its place in the alphabetical order, norms and scalars around 1."""
    made = {}
    for place, name in enumerate(sorted(shapes)):
        noise = torch.randn(shapes[name], generator=torch.Generator().manual_seed(place))
        made[name] = 1 + 0.1 * noise if "norm" in name or "scalar" in name else 0.3 * noise
    return made


def shapes_of(model: nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in model.state_dict().items()}


def inputs() -> tuple[Tensor, list[int]]:
    """The target's taps [16, 96] at 16 tokens, and the tokens."""
    g = torch.Generator().manual_seed(100)
    taps = torch.randn(16, len(TAPS) * HIDDEN, generator=g)
    return taps, torch.randint(0, VOCAB, (16,), generator=g).tolist()


def targets_own() -> dict[str, Tensor]:
    """The target's embedding and LM head, for checkpoints that have none."""
    shape = torch.Size((VOCAB, HIDDEN))
    return weights({"embed_tokens.weight": shape, "lm_head.weight": shape})


def write(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor], shards: int = 1) -> Path:
    """A checkpoint as DeepSpec lays it out, in one file or in ``shards`` with an index."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    if shards == 1:
        save_file(dict(tensors), folder / "model.safetensors")
        return folder
    places = {name: f"model-{i % shards + 1:05}-of-{shards:05}.safetensors" for i, name in enumerate(sorted(tensors))}
    for file in set(places.values()):
        save_file({name: tensors[name] for name in places if places[name] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return folder

"""DeepSpec's own DSpark model and loss (https://github.com/deepseek-ai/DeepSpec, MIT), from a checkout, as a peer to measure
against. Nothing of it is part of the lab."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from dspark_lab.drafters.block_attention import Blocks
from dspark_lab.drafters.dspark_model import DSparkModel
from dspark_lab.errors import LabError
from dspark_lab.target import Target
from dspark_lab.training.losses import LossWeights
from dspark_lab.training.states import States

MODELING = "deepspec.modeling.dspark.qwen3.modeling"


class DeepSpec:
    """DeepSpec's draft model with the weights of ours, its loss and its optimizer, in one process.

    Its attention is FlexAttention, which does not train on every device; where it does not, the same mask is given to
    torch's scaled dot product attention. Its random anchors are replaced by those it is told. ``dtype`` is that of its weights
    and activations; its optimizer keeps weights in float32 besides.

    Raises:
        LabError: ``checkout`` holds no DeepSpec that can be imported.
    """

    def __init__(
        self, checkout: Path, target: Target, model: DSparkModel, weights: LossWeights, lr: float, dtype: torch.dtype
    ) -> None:
        sys.path.insert(0, str(checkout))
        try:
            modeling: Any = importlib.import_module(MODELING)
            config: Any = importlib.import_module("deepspec.modeling.dspark.qwen3.config")
            optim: Any = importlib.import_module("deepspec.utils.optim")
            self._metrics: Any = importlib.import_module("deepspec.utils.metrics")
            self._loss: Any = importlib.import_module("deepspec.modeling.dspark.loss").compute_dspark_loss
        except ImportError as error:
            raise LabError(
                f"--peer {checkout} holds no DeepSpec that can be imported ({error}): name a checkout of "
                f"github.com/deepseek-ai/DeepSpec."
            ) from error
        finally:
            sys.path.remove(str(checkout))
        c = model.config
        arguments = {
            "num_draft_layers": c.num_hidden_layers, "target_layer_ids": list(c.target_layer_ids),
            "confidence_head_alpha": weights.conf, "confidence_head_with_markov": c.confidence_head_with_markov,
            "markov_rank": c.markov_rank, "markov_head_type": c.markov_head_type, "block_size": c.block_size,
            "mask_token_id": c.mask_token_id, "num_anchors": c.num_anchors,
        }  # fmt: skip
        shape = config.build_draft_config(target.config, _Arguments(**arguments))
        self.attention = shape._attn_implementation = "flex_attention" if target.device.type == "cuda" else "sdpa"
        self.model: nn.Module = modeling.Qwen3DSparkModel(shape).to(target.device)
        self.model.load_state_dict(model.state_dict())
        self.model.embed_tokens.requires_grad_(False)
        self.model.lm_head.requires_grad_(False)
        self.model.to(dtype).train()
        self.dtype = dtype
        self._parameters = [p for p in self.model.parameters() if p.requires_grad]
        self._optimizer = optim.BF16Optimizer(self.model, lr=lr, total_steps=10**6, warmup_ratio=0.0)
        self._weights, self._modeling = weights, modeling
        if self.attention == "sdpa":
            modeling.create_dspark_attention_mask = _dense_mask
        if not torch.distributed.is_initialized():
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
            torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)

    def step(self, ids: Tensor, answer: Tensor, anchors: Tensor, kept: Tensor, states: States) -> float:
        """One optimiser step on these anchors; its loss."""
        self._modeling.sample_anchor_positions = lambda **_: (anchors, kept)
        outputs = self.model(
            input_ids=ids, target_hidden_states=states[0], loss_mask=answer.float(), target_last_hidden_states=states[1]
        )
        w = self._weights
        loss = self._loss(
            outputs=outputs,
            loss_decay_gamma=w.decay,
            ce_loss_alpha=w.ce,
            l1_loss_alpha=w.tv,
            confidence_head_alpha=w.conf,
        )
        loss.backward()
        nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._optimizer.step()
        self._metrics.reset()
        return float(loss.detach())


class _Arguments(SimpleNamespace):
    """DeepSpec asks its arguments by attribute, and whether they are there by ``in``."""

    def __contains__(self, name: str) -> bool:
        return hasattr(self, name)


def _dense_mask(
    *, anchor_positions: Tensor, block_keep_mask: Tensor, seq_len: int, block_size: int, device: torch.device
) -> Tensor:
    """DeepSpec's mask as booleans [B, 1, A*g, L + A*g]; a block that is not kept sees itself, for rows of nothing but
    masked places have no softmax."""
    return Blocks(anchor_positions * block_keep_mask, seq_len, block_size).mask()

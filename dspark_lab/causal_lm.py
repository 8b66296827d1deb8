"""Causal LMs and tokenizers read by transformers, from safetensors only, without the code that came with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils.logging import disable_progress_bar, enable_progress_bar, is_progress_bar_enabled

from dspark_lab.checkpoints import POCKET, remedy
from dspark_lab.errors import LabError


def read_model(folder: Path, what: str, device: torch.device) -> PreTrainedModel:
    """The causal LM in a folder, frozen: float32 on CPU, its own dtype elsewhere.

    ``what`` it is to be names it in the LabError that is raised where it cannot be read.
    """
    dtype = torch.float32 if device.type == "cpu" else "auto"
    model, report = _read(
        AutoModelForCausalLM, folder, what, dtype=dtype, use_safetensors=True, output_loading_info=True
    )
    missing = sorted(report["missing_keys"])
    if missing:  # transformers makes up random ones
        raise LabError(
            f"the {what} in {folder} lacks {missing[0]!r} ({len(missing)} tensors in all): {remedy(folder)}."
        )
    return model.to(device).requires_grad_(False)


def read_tokenizer(folder: Path, what: str) -> PreTrainedTokenizerBase:
    """The tokenizer in a folder. Raises LabError as ``read_model`` does."""
    return _read(AutoTokenizer, folder, what)


def _read(kind: Any, folder: Path, what: str, **options: Any) -> Any:
    bars = is_progress_bar_enabled()
    if folder.parent == POCKET:
        disable_progress_bar()  # a bar for a tenth of a second is noise
    try:
        return kind.from_pretrained(folder, local_files_only=True, trust_remote_code=False, **options)
    except Exception as error:  # whatever a broken file makes transformers, tokenizers or jinja say
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if "trust_remote_code" in str(error):
            reason = "it needs code of its own, which this lab never runs; choose one that transformers knows"
        raise LabError(f"the {what} in {folder} cannot be loaded: {reason} ({remedy(folder)}).") from error
    finally:
        if bars:
            enable_progress_bar()

"""Writing a drafter's checkpoint for other projects: DeepSpec's format, or that of vLLM's ``speculators``."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from dspark_lab.checkpoints import POCKET, fill, match, read_config, read_tensors, resolve
from dspark_lab.drafters.draft_config import DraftConfig
from dspark_lab.drafters.dspark_model import DSparkConfig, DSparkModel
from dspark_lab.drafters.eagle3 import Eagle3Config, Eagle3Model
from dspark_lab.drafters.gemma4 import Gemma4Config, Gemma4DSparkModel
from dspark_lab.drafters.gemma4_eagle3 import Gemma4Eagle3Config, Gemma4Eagle3Model
from dspark_lab.drafters.registry import KINDS
from dspark_lab.drafters.zlab import TARGETS_OWN, ZLabConfig
from dspark_lab.errors import LabError
from dspark_lab.formats.speculators import speculators_config

MODELS: dict[str, tuple[type[DraftConfig], type[nn.Module]]] = {
    config.architecture: (config, model)
    for config, model in (
        (DSparkConfig, DSparkModel),
        (Gemma4Config, Gemma4DSparkModel),
        (Eagle3Config, Eagle3Model),
        (Gemma4Eagle3Config, Gemma4Eagle3Model),
        (ZLabConfig, DSparkModel),
    )
}
FORMATS: dict[str, tuple[type[DraftConfig], ...]] = {
    "deepspec": (DSparkConfig, Gemma4Config, Eagle3Config, Gemma4Eagle3Config),
    "speculators": (DSparkConfig, ZLabConfig),
}
"""By name of the format: the configs of the drafters that it can describe."""


def export(source: str | Path, form: str, out: Path, target: str | None = None) -> None:
    """Write a drafter into the new folder ``out``, whole or not at all.

    Args:
        source: a folder, a hub id, or the name of a kind that ships with the lab.
        form: a name in ``FORMATS``.
        target: what it drafts for, a folder or hub id, which speculators' format names; None for the pocket target where
            the drafter is one of the shipped.

    Raises:
        LabError: there is no such drafter, it is damaged, or not the target's; the format cannot describe it; ``out``
            cannot be written, or holds something.
    """
    if form not in FORMATS:
        raise LabError(f"the format is {form!r}, but must be one of {', '.join(FORMATS)}.")
    with new_folder(out) as part:
        kind = KINDS.get(str(source))
        if kind and not kind.weights:
            raise LabError(f"{kind.name!r} drafts without weights: there is nothing to export.")
        folder = POCKET / kind.name if kind and (POCKET / kind.name).is_dir() else resolve(source, "drafter")
        config = read_config(folder)
        c, tensors = _read(folder, config, form)
        if form == "speculators":
            assert isinstance(c, DSparkConfig)
            name, of_target = _target(target or (str(POCKET / "target") if folder.parent == POCKET else None))
            _match(c, of_target, name, folder)
            dtype = str(next(iter(tensors.values())).dtype).removeprefix("torch.")
            config = speculators_config(c, name, of_target, dtype)
        (part / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        save_file(tensors, part / "model.safetensors", metadata={"format": "pt"})


def _read(folder: Path, config: Mapping[str, Any], form: str) -> tuple[DraftConfig, dict[str, Tensor]]:
    """The drafter's config and the tensors that belong to it."""
    names = config.get("architectures")
    architecture = str(names[0]) if isinstance(names, list) and len(names) == 1 else str(names)
    kind, model = MODELS.get(architecture, (None, None))
    if kind not in FORMATS[form] or kind is None or model is None:
        can = " or ".join(name for name, kinds in FORMATS.items() if kind in kinds)
        remedy = (
            f"--format {can} can"
            if can
            else f"choose one of {', '.join(name for name, (of, _) in MODELS.items() if of in FORMATS[form])}"
        )
        raise LabError(f"the {form} format cannot describe the drafter in {folder}, a {architecture}: {remedy}.")
    try:
        c = kind.from_json(config)
    except LabError as error:
        raise LabError(f"{folder / 'config.json'}: {error}") from error
    with torch.device("meta"):
        empty = model(c)
    tensors = {name: tensor for name, tensor in read_tensors(folder).items() if name in empty.state_dict()}
    optional = TARGETS_OWN if kind is ZLabConfig else ()
    fill(
        empty,
        {**{name: t for name, t in empty.state_dict().items() if name in optional}, **tensors},
        folder,
        assign=True,
    )
    return c, tensors


def _target(source: str | None) -> tuple[str, dict[str, Any]]:
    """The name under which vLLM will find the target, and its parsed ``config.json``, that of the language model."""
    if source is None:
        raise LabError("speculators' format names the target: add --target with the folder or hub id of the drafter's.")
    folder = resolve(source, "target", ["config.json"])
    config = read_config(folder, "target")
    name = str(folder.resolve()) if Path(os.path.expanduser(source)).is_dir() else source
    return name, {**(config.get("text_config") or {}), **config}


def _match(c: DSparkConfig, target: Mapping[str, Any], name: str, folder: Path) -> None:
    """Raises LabError unless the drafter in ``folder`` was made for such a target."""
    for what, size, field in (
        ("hidden size", c.hidden_size, "hidden_size"),
        ("vocabulary", c.vocab_size, "vocab_size"),
        ("number of target layers", c.num_target_layers, "num_hidden_layers"),
    ):
        if type(target.get(field)) is not int:
            raise LabError(f"the config.json of the target {name} has no {field!r}: it is no causal LM's.")
        match(what, size, target[field], folder)


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to fill, which is named ``out`` once the block ends, and removed if it fails.

    Raises:
        LabError: ``out`` cannot be made, or is there and not empty.
    """
    try:
        if out.exists() and not (out.is_dir() and not any(out.iterdir())):
            raise LabError(f"{out} is there already: name a new folder, or remove this one.")
        part = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name[:40]}.", suffix=".part"))
        try:
            yield part
            umask = os.umask(0)
            os.umask(umask)
            for file in part.iterdir():
                file.chmod(0o666 & ~umask)  # safetensors and mkdtemp let only their owner read
            part.chmod(0o777 & ~umask)
            part.rename(out)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise LabError(f"cannot write {out}: {error.strerror}. Choose a place that exists and is writable.") from error

"""``load()``: a target and a drafter, ready to decode."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar, enable_progress_bar, is_progress_bar_enabled

from dspark_lab.drafters.base import Drafter
from dspark_lab.drafters.dspark import DSparkDrafter
from dspark_lab.drafters.dspark_model import DSparkConfig, DSparkModel
from dspark_lab.errors import LabError
from dspark_lab.prompts import encode_prompt
from dspark_lab.session import Session, describe_device
from dspark_lab.settings import Settings
from dspark_lab.target import Target
from dspark_lab.trace import ModelInfo, Round

POCKET = Path(__file__).parent / "pocket"
"""The pair that ships with the lab: ``target/`` and ``dspark/``."""


@dataclass
class Generation:
    """A finished (or stopped) generation: its session, its measured decoding time in seconds, its number of tokens."""

    session: Session
    seconds: float
    tokens: int


@dataclass
class Lab:
    """A loaded pair. ``drafter`` may be None: then everything decodes autoregressively."""

    target: Target
    drafter: Drafter | None

    @property
    def device(self) -> str:
        return describe_device(self.target)

    @property
    def block_size(self) -> int:
        """The most tokens drafted a round, 0 without a drafter."""
        return self.drafter.block_size if self.drafter else 0

    def check(self, prompt: str) -> None:
        """Raises LabError where the prompt cannot be run: empty, too long, with control characters."""
        encode_prompt(self.target.tokenizer, prompt, self.target.context_limit)

    def session(self, prompt: str, settings: Settings | None = None, *, drafter: bool = True) -> Session:
        """A session at the start of ``prompt``; with ``drafter=False`` it decodes autoregressively."""
        return Session(self.target, self.drafter if drafter else None, prompt, settings)

    def generate(
        self,
        prompt: str,
        settings: Settings | None = None,
        drafter: bool = True,
        on_round: Callable[[Round], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        *,
        trace: bool = True,
    ) -> Generation:
        """Run a prompt to the end. ``seconds`` includes the prompt's forward pass and, with ``trace``, the recording."""
        began = perf_counter()
        session = self.session(prompt, settings, drafter=drafter)
        session.run(trace=trace, on_round=on_round, should_stop=should_stop)
        return Generation(session, perf_counter() - began, len(session.tokens))


def load(target: str | Path | None = None, drafter: str | Path | None = None, device: str | None = None) -> Lab:
    """The pocket pair, or a pair of your own.

    Args:
        target: a folder in Hugging Face layout or a hub id; None takes the pocket target.
        drafter: a DeepSpec DSpark or DFlash checkpoint for that target, a folder or a hub id. None takes the pocket
            drafter with the pocket target, and no drafter with another one.
        device: "cpu", "cuda", ...; None takes CUDA when there is one.

    Raises:
        LabError: a file is missing, truncated or not for this pair; the message names it. Weights are read from
            safetensors only, and no code that came with them is run. Only a hub id reaches for the internet.
    """
    place = _device(device)
    if target is None and drafter is None:
        drafter = POCKET / "dspark"
    loaded = load_target(target or POCKET / "target", place)
    return Lab(loaded, load_drafter(drafter, loaded) if drafter is not None else None)


def load_target(source: str | Path, device: torch.device) -> Target:
    """A causal LM from a folder or hub id: float32 on CPU, its own dtype elsewhere."""
    folder = resolve(source, "target")
    files = weight_files(folder)
    dtype = torch.float32 if device.type == "cpu" else "auto"
    bars = is_progress_bar_enabled()
    if folder.parent == POCKET:
        disable_progress_bar()  # a bar for a tenth of a second is noise
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # whatever a broken file makes transformers, tokenizers or jinja say
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if "trust_remote_code" in str(error):
            reason = "it needs code of its own, which this lab never runs; choose one that transformers knows"
        raise LabError(f"the target in {folder} cannot be loaded: {reason} ({_remedy(folder)}).") from error
    finally:
        if bars:
            enable_progress_bar()
    model = model.to(device).requires_grad_(False)
    parameters = sum(p.numel() for p in model.parameters())
    return Target(model, tokenizer, ModelInfo(_name(source), "target", revision(files), parameters))


def load_drafter(source: str | Path, target: Target) -> DSparkDrafter:
    """A DeepSpec DSpark or DFlash checkpoint, matched against its target."""
    folder = resolve(source, "drafter")
    files = weight_files(folder)
    try:
        raw = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LabError(f"the drafter's {folder / 'config.json'} cannot be read: {error}.") from error
    try:
        config = DSparkConfig.from_json(raw)
    except LabError as error:
        raise LabError(f"{folder / 'config.json'}: {error}") from error
    _match("hidden size", config.hidden_size, target.config.hidden_size, folder)
    _match("vocabulary", config.vocab_size, target.vocab_size, folder)
    if config.max_position_embeddings < target.context_limit:
        raise LabError(
            f"the drafter in {folder} has {config.max_position_embeddings:,} positions, the target {target.context_limit:,}: "
            f"choose a drafter that reaches as far as its target."
        )
    _match("number of target layers", config.num_target_layers, target.config.num_hidden_layers, folder)
    model = DSparkModel(config)
    tensors = {name: tensor for file in files for name, tensor in load_file(file).items()}
    missing = sorted(set(model.state_dict()) - set(tensors))
    if missing:
        raise LabError(f"the drafter in {folder} lacks {missing[0]!r} ({len(missing)} tensors in all): get it again.")
    try:
        model.load_state_dict(tensors, strict=False)
    except RuntimeError as error:
        raise LabError(f"the drafter in {folder} does not fit its own config.json: {error}") from error
    model = model.to(device=target.device, dtype=target.model.dtype)
    parameters = sum(p.numel() for p in tensors.values())
    kind = "dspark" if config.markov_rank else "dflash"
    return DSparkDrafter(model, ModelInfo(_name(source), kind, revision(files), parameters, config.block_size))


def resolve(source: str | Path, what: str) -> Path:
    """The folder of a model: a local one as it is, a hub id downloaded to the Hugging Face cache."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    local = isinstance(source, Path) or source.startswith((".", "/", "~")) or folder.parent.is_dir()
    if local or str(source).count("/") != 1:
        raise LabError(f"the {what} {source} is no folder, and no hub id of the form owner/name either.")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(str(source), allow_patterns=["*.json", "*.safetensors", "*.jinja", "*.txt", "*.model"])
        )
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise LabError(
            f"the {what} {source!r} is not in the local cache and could not be downloaded: {error}"
        ) from error


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a folder, each checked to be whole. Raises LabError naming what is missing or truncated."""
    index = folder / "model.safetensors.index.json"
    names = {"model.safetensors"}
    if index.exists():
        try:
            names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise LabError(f"the list of weight files {index} is damaged ({error}): {_remedy(folder)}.") from error
    files = [folder / name for name in sorted(names)]
    for file in files:
        if not file.is_file():
            pickled = " (there are pickled weights, which this lab does not read)" if list(folder.glob("*.bin")) else ""
            raise LabError(f"the weight file {file} is missing{pickled}: {_remedy(folder)}.")
        try:
            with safe_open(file, "pt"):
                pass
        except SafetensorError as error:
            raise LabError(
                f"the weight file {file} ({file.stat().st_size:,} bytes) is truncated or damaged ({error}): {_remedy(folder)}."
            ) from error
    return files


def revision(files: list[Path]) -> str:
    """First 12 hex digits of the SHA-256 of the weights; of files over 256 MB only the first 16 MB and the size."""
    digest = hashlib.sha256()
    for file in files:
        size = file.stat().st_size
        with file.open("rb") as stream:
            digest.update(stream.read() if size <= 2**28 else stream.read(2**24) + str(size).encode())
    return digest.hexdigest()[:12]


def _device(name: str | None) -> torch.device:
    try:
        place = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(1, device=place)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise LabError(f"device {name!r} cannot be used ({reason}): leave it out, or name cpu, cuda or mps.") from error
    return place


def _match(what: str, drafter: int, target: int, folder: Path) -> None:
    if drafter != target:
        raise LabError(
            f"the drafter in {folder} was made for another target: its {what} is {drafter:,}, the target's {target:,}. "
            f"Choose the drafter that was trained for this target."
        )


def _name(source: str | Path) -> str:
    folder = Path(source)
    return (
        f"pocket/{folder.name}" if folder.parent == POCKET else str(source) if isinstance(source, str) else folder.name
    )


def _remedy(folder: Path) -> str:
    if POCKET in folder.parents:
        return "install the lab again (pip install --force-reinstall), or restore the file with git checkout"
    return "download the model again"

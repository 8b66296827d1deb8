"""Reading model folders: where they are, whether they are whole, what they hold. Nothing is unpickled."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn

from dspark_lab.errors import LabError

if TYPE_CHECKING:
    from dspark_lab.drafters.draft_config import DraftConfig
    from dspark_lab.target import Target

C = TypeVar("C", bound="DraftConfig")
M = TypeVar("M", bound=nn.Module)

POCKET = Path(__file__).parent / "pocket"
"""The models that ship with the lab: ``target/`` and a folder for each kind of drafter that has weights."""


FILES = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model")
"""What is downloaded of a model."""


def resolve(source: str | Path, what: str, files: Sequence[str] = FILES, kinds: Iterable[str] = ()) -> Path:
    """The folder of a model: a local one as it is, of a hub id such ``files`` downloaded to the Hugging Face cache."""
    if not isinstance(source, (str, Path)) or not str(source).strip():
        raise LabError(
            f"the {what} is {source!r}, but must name a folder or a hub id of the form owner/name; "
            f"leave it out for the pocket pair."
        )
    folder = Path(os.path.expanduser(source))
    if os.path.isdir(folder):
        return folder
    local = isinstance(source, Path) or source.startswith((".", "/", "~")) or os.path.isdir(folder.parent)
    if local or str(source).count("/") != 1:
        known = f"no kind ({', '.join(kinds)}), " if kinds else ""
        raise LabError(f"the {what} {source} is {known}no folder, and no hub id of the form owner/name either.")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(str(source), allow_patterns=list(files)))
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
            raise LabError(f"the list of weight files {index} is damaged ({error}): {remedy(folder)}.") from error
    files = [folder / name for name in sorted(names)]
    for file in files:
        if not file.is_file():
            pickles = [p.name for p in sorted(folder.glob("*")) if p.suffix in (".bin", ".pt", ".pth")]
            pickled = " (there are pickled weights, which this lab does not read)" if pickles else ""
            raise LabError(f"the weight file {file} is missing{pickled}: {remedy(folder)}.")
        try:
            with safe_open(file, "pt"):
                pass
        except SafetensorError as error:
            raise LabError(
                f"the weight file {file} ({file.stat().st_size:,} bytes) is truncated or damaged ({error}): {remedy(folder)}."
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


def read_config(folder: Path, what: str = "drafter") -> dict[str, Any]:
    """The parsed ``config.json`` of a model folder. Raises LabError where there is none or it is no JSON object."""
    file = folder / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LabError(f"the {what}'s {file} cannot be read: {error}.") from error
    if not isinstance(config, dict):
        raise LabError(f"{file} is not a JSON object: it is no {what}'s.")
    return config


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """All tensors of a model folder, by name."""
    return {name: tensor for file in weight_files(folder) for name, tensor in load_file(file).items()}


def fill(model: nn.Module, tensors: dict[str, Tensor], folder: Path, *, assign: bool = False) -> None:
    """Load ``tensors`` into ``model``, with ``assign`` themselves instead of their values. Raises LabError where some are
    missing or of another shape, or layers are there that the model does not have."""
    own = set(model.state_dict())
    beyond = sorted(name for name in set(tensors) - own if name.startswith("layers."))
    if beyond:
        raise LabError(
            f"the drafter in {folder} does not fit its own config.json, which describes no {beyond[0]!r} ({len(beyond)} such "
            f"tensors): get it again."
        )
    missing = sorted(own - set(tensors))
    if missing:
        raise LabError(f"the drafter in {folder} lacks {missing[0]!r} ({len(missing)} tensors in all): get it again.")
    try:
        model.load_state_dict(tensors, strict=False, assign=assign)
    except RuntimeError as error:
        raise LabError(f"the drafter in {folder} does not fit its own config.json: {error}") from error


def matching_config(kind: type[C], config: Mapping[str, Any], folder: Path, target: Target) -> C:
    """The parsed ``config.json`` in ``folder`` as a config of that kind. Raises LabError where it is damaged or was made
    for another target."""
    try:
        c = kind.from_json(config)
    except LabError as error:
        raise LabError(f"{folder / 'config.json'}: {error}") from error
    match("hidden size", c.hidden_size, target.config.hidden_size, folder)
    match("vocabulary", c.vocab_size, target.vocab_size, folder)
    if c.max_position_embeddings < target.context_limit:
        raise LabError(
            f"the drafter in {folder} has {c.max_position_embeddings:,} positions, the target {target.context_limit:,}: "
            f"choose a drafter that reaches as far as its target."
        )
    match("number of target layers", c.num_target_layers, target.config.num_hidden_layers, folder)
    return c


def filled(model: M, folder: Path, target: Target, borrowed: Mapping[str, Tensor] | None = None) -> tuple[M, int]:
    """``model`` with the weights in ``folder``, on the target's device and of its dtype, and their number. Tensors that are
    ``borrowed`` stand in for those that the folder lacks."""
    place = {"device": target.device, "dtype": target.model.dtype}
    # Copies: what is read is a view of the file, which may change.
    tensors = {name: tensor.to(**place, copy=True) for name, tensor in read_tensors(folder).items()}
    fill(model, {**(borrowed or {}), **tensors}, folder, assign=True)
    return model.to(**place), sum(t.numel() for t in tensors.values())


def match(what: str, drafter: int, target: int, folder: Path) -> None:
    if drafter != target:
        raise LabError(
            f"the drafter in {folder} was made for another target: its {what} is {drafter:,}, the target's {target:,}. "
            f"Choose the drafter that was trained for this target."
        )


def match_tokenizer(folder: Path, tokenizer: Any) -> None:
    """Raises LabError where the drafter in ``folder`` has a tokenizer of its own that numbers the target's tokens otherwise."""
    file = folder / "tokenizer.json"
    if not file.is_file() or tokenizer is None:  # of a model given to ``speculate`` no tokenizer is known
        return
    try:
        own = Tokenizer.from_file(str(file)).get_vocab()
    except Exception as error:  # tokenizers raises nothing more special
        raise LabError(f"the drafter's {file} cannot be read: {error} ({remedy(folder)}).") from error
    of_target = {place: token for token, place in tokenizer.get_vocab().items()}
    for token, place in own.items():
        if of_target.get(place, token) != token:
            raise LabError(
                f"the drafter in {folder} was made for another tokenizer: its token {place:,} is {token!r}, the target's "
                f"{of_target[place]!r}. Choose the drafter that was trained for this target."
            )


def remedy(folder: Path) -> str:
    if POCKET in folder.parents:
        return "install the lab again (pip install --force-reinstall), or restore the file with git checkout"
    return "download the model again"

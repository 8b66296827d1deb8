"""``load()``: a target and a drafter, ready to decode."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import perf_counter

import torch

from dspark_lab.causal_lm import read_model, read_tokenizer
from dspark_lab.checkpoints import POCKET, match_tokenizer, read_config, resolve, revision, weight_files
from dspark_lab.describe import describe_device
from dspark_lab.drafters.base import Drafter
from dspark_lab.drafters.registry import KINDS, implementation_for
from dspark_lab.errors import LabError
from dspark_lab.prompts import encode_prompt
from dspark_lab.rounds import Round
from dspark_lab.session import Session
from dspark_lab.settings import Settings
from dspark_lab.target import Target
from dspark_lab.trace import ModelInfo


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

    def with_drafter(self, drafter: str | Path | None) -> Lab:
        """The same target, not loaded again, with another drafter; None decodes autoregressively."""
        return Lab(self.target, None if drafter is None else load_drafter(drafter, self.target))

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
        drafter: the name of a kind (``dspark_lab.drafters.registry.KINDS``), or a checkpoint for that target, a folder
            or a hub id. None takes the pocket DSpark with the pocket target, and no drafter with another one.
        device: "cpu", "cuda", ...; None takes CUDA when there is one.

    Raises:
        LabError: a file is missing, truncated or not for this pair; the message names it. Weights are read from
            safetensors only, and no code that came with them is run. Only a hub id reaches for the internet.
    """
    place = _device(device)
    if target is None and drafter is None:
        drafter = "dspark"
    loaded = load_target(POCKET / "target" if target is None else target, place)
    return Lab(loaded, load_drafter(drafter, loaded) if drafter is not None else None)


@cache
def shared() -> Lab:
    """The pocket pair, loaded once a process. Processes forked after that share its weights."""
    return load()


POCKET_NAME = "pocket/target"


def ready_kinds(target: Target | None = None) -> list[str]:
    """The kinds of drafter that a target has at hand, the pocket one unless another is given: in need of no weights, or, for
    the pocket target, shipped with it."""
    pocket = target is None or target.info.name == POCKET_NAME
    return [kind.name for kind in KINDS.values() if not kind.weights or (pocket and (POCKET / kind.name).is_dir())]


def load_target(source: str | Path, device: torch.device) -> Target:
    """A causal LM from a folder or hub id: float32 on CPU, its own dtype elsewhere."""
    folder = resolve(source, "target")
    files = weight_files(folder)
    tokenizer, model = read_tokenizer(folder, "target"), read_model(folder, "target", device)
    parameters = sum(p.numel() for p in model.parameters())
    return Target(model, tokenizer, ModelInfo(name_of(source), "target", revision(files), parameters))


def load_drafter(source: str | Path, target: Target) -> Drafter:
    """The drafter in ``source``, matched against its target, or one of a kind that needs no weights."""
    kind = KINDS.get(str(source))
    if kind and not kind.weights:
        return kind.implementation().make(target)
    if kind and (POCKET / kind.name).is_dir() and target.info.name == POCKET_NAME:
        source = POCKET / kind.name
    elif kind:
        raise LabError(
            f"the drafter {kind.name!r} ships for the pocket target only: name the folder or hub id of one that was "
            f"trained for {target.info.name}, or train it (dspark-lab train drafter)."
        )
    folder = resolve(source, "drafter", kinds=KINDS)
    files = weight_files(folder)
    config = read_config(folder)
    match_tokenizer(folder, target.tokenizer)
    info = ModelInfo(name_of(source), "", revision(files), 0)
    return implementation_for(config, folder).load(folder, config, target, info)


def _device(name: str | None) -> torch.device:
    try:
        place = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name is None else name)
        torch.empty(1, device=place)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise LabError(f"device {name!r} cannot be used ({reason}): leave it out, or name cpu, cuda or mps.") from error
    return place


def name_of(source: str | Path) -> str:
    """What traces call a model from a folder or hub id."""
    folder = Path(source)
    return (
        f"pocket/{folder.name}" if folder.parent == POCKET else str(source) if isinstance(source, str) else folder.name
    )

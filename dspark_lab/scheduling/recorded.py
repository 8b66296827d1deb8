"""Rounds that a drafter really drafted and a target verified: what calibration is fitted to and simulations draw from."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from dspark_lab.errors import LabError
from dspark_lab.records import from_json, to_json, write_atomically
from dspark_lab.scheduling.confidence import checked, logit, sigmoid
from dspark_lab.trace import ModelInfo

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

REMEDY = "Record them again with dspark-lab calibrate."
_METADATA = "dspark_lab.rounds"


@dataclass(frozen=True)
class Origin:
    """Where rounds come from.

    Attributes:
        target, drafter: names and revisions. temperature, top_k, top_p, seed: how was sampled.
        split: of the corpus ("validation", "test"), or what else the prompts are. domains: names, as ``domain`` counts them.
    """

    target: ModelInfo
    drafter: ModelInfo
    temperature: float
    split: str
    seed: int
    domains: tuple[str, ...]
    top_k: int = 0
    top_p: float = 1.0


@dataclass(frozen=True, eq=False)
class RecordedRounds:
    """N rounds in which all gamma draft tokens were verified, those of a conversation one after another.

    Attributes:
        origin: where they come from.
        acceptance: [N, gamma] the chance min(1, p_t(x_k) / p_d(x_k)) that x_k is accepted where all before it were. The
            target has looked at all of the draft, so that it is known behind a rejection too. 0 from ``drafted`` on.
        accepted: [N] how many were accepted.
        drafted: [N] how many count: gamma; or fewer where the drafter found no more, or where the draft itself ends the
            text, its first end of sequence being the last that counts.
        ends: [N] the last of the ``drafted`` is an end of sequence: accepted, the round has no bonus token.
        domain: [N] index into ``origin.domains``. conversation: [N] numbers of conversations, rising.
        confidence: [N, gamma] raw c_k (eq. 7), inside (0, 1), also behind ``drafted``; None of a drafter without such a head.

    Raises:
        LabError: shapes do not fit together, or a value is out of range; the message names it and its place.
    """

    origin: Origin
    acceptance: Floats
    accepted: Ints
    drafted: Ints
    ends: Flags
    domain: Ints
    conversation: Ints
    confidence: Floats | None = None

    def __post_init__(self) -> None:
        if self.acceptance.ndim != 2 or not self.acceptance.size:
            raise LabError(
                f"recorded acceptance has the shape {list(self.acceptance.shape)}, but must be [rounds, gamma]."
            )
        n, gamma = self.acceptance.shape
        for name in _PER_ROUND:
            if getattr(self, name).shape != (n,):
                shape = list(getattr(self, name).shape)
                raise LabError(f"recorded {name} has the shape {shape}, but there are {n:,} rounds. {REMEDY}")
        if self.confidence is not None:
            if self.confidence.shape != (n, gamma):
                shape = list(self.confidence.shape)
                raise LabError(f"recorded confidence has the shape {shape}, but acceptance {[n, gamma]}. {REMEDY}")
            checked(self.confidence)
        _within("acceptance", self.acceptance, 0, 1)
        _within("drafted", self.drafted, 0, gamma)
        _within("accepted", self.accepted, 0, self.drafted)
        _within("domain", self.domain, 0, len(self.origin.domains) - 1)

    def __len__(self) -> int:
        return len(self.accepted)

    @property
    def gamma(self) -> int:
        return self.acceptance.shape[1]

    def select(self, which: ArrayLike) -> RecordedRounds:
        """Some of the rounds: by a mask [N], or by their numbers, repeated ones too.

        Raises:
            LabError: none is left.
        """
        index = np.asarray(which)
        arrays = {name: getattr(self, name)[index] for name in _ARRAYS if getattr(self, name) is not None}
        if not len(arrays["accepted"]):
            raise LabError(f"none of the {len(self):,} recorded rounds is left: choose some.")
        return RecordedRounds(self.origin, **arrays)

    def of(self, domain: str) -> RecordedRounds:
        """The rounds of one domain. Raises LabError where there are none."""
        if domain not in self.origin.domains:
            raise LabError(f"no rounds of {domain!r} were recorded: choose from {', '.join(self.origin.domains)}.")
        return self.select(self.domain == self.origin.domains.index(domain))

    def emitted(self, lengths: ArrayLike | None = None) -> Ints:
        """Tokens that each round yields [N], its last one (residual or bonus) counted, had it verified only the first
        ``lengths`` [N] draft tokens; all that were drafted without. Cutting a draft changes nothing before the cut."""
        cut = self.drafted if lengths is None else np.minimum(self.drafted, lengths)
        kept = np.minimum(self.accepted, cut)
        return kept + ~(self.ends & (kept == self.drafted))

    def save(self, path: str | Path) -> None:
        """Write as safetensors, replacing a file only by a whole one. Acceptance and the confidences' logits are rounded
        to float16. Raises LabError where it cannot be written."""
        tensors: dict[str, NDArray[Any]] = {"acceptance": self.acceptance.astype(np.float16)}
        if self.confidence is not None:
            tensors["confidence_logit"] = logit(self.confidence).astype(np.float16)
        for name in _PER_ROUND:
            values = getattr(self, name)
            tensors[name] = values.astype(np.min_scalar_type(int(values.max())))
        write_atomically(path, save(tensors, {_METADATA: json.dumps(to_json(self.origin))}))

    @classmethod
    def load(cls, path: str | Path) -> RecordedRounds:
        """Read a file. Raises LabError where it is missing, damaged, or holds no recorded rounds."""
        try:
            with safe_open(path, "numpy") as file:
                metadata = json.loads((file.metadata() or {})[_METADATA])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
            origin = from_json(Origin, metadata, "rounds", REMEDY)
            arrays = {name: tensors[name].astype(np.bool_ if name == "ends" else np.int64) for name in _PER_ROUND}
            arrays["acceptance"] = tensors["acceptance"].astype(np.float64)
            if "confidence_logit" in tensors:
                arrays["confidence"] = sigmoid(tensors["confidence_logit"])
            return cls(origin, **arrays)
        except LabError as error:
            raise LabError(f"{path}: {error}") from error
        except (OSError, SafetensorError) as error:
            raise LabError(f"cannot read the recorded rounds {path}: {error}. {REMEDY}") from error
        except (KeyError, ValueError, RecursionError) as error:
            raise LabError(f"{path} holds no recorded rounds ({type(error).__name__}: {error}). {REMEDY}") from error


_ARRAYS = tuple(f.name for f in fields(RecordedRounds))[1:]
_PER_ROUND = _ARRAYS[1:-1]


def _within(name: str, values: NDArray[Any], low: float, high: ArrayLike) -> None:
    wrong = np.argwhere(~((values >= low) & (values <= high)))  # NaN is in no range
    if len(wrong):
        place = tuple(wrong[0])
        limit = np.broadcast_to(high, values.shape)[place]
        where = f"round {place[0]:,}" + (f", position {place[1] + 1}" if len(place) > 1 else "")
        raise LabError(f"recorded {name} is {values[place]} in {where}, but must be from {low} to {limit}. {REMEDY}")

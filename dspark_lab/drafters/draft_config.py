"""``config.json`` of drafters made of Qwen3 layers: its fields, and what of it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from dspark_lab.errors import LabError


@dataclass(frozen=True, kw_only=True)
class DraftConfig:
    """What ``config.json`` says of every drafter made of Qwen3 layers; field names are the file's."""

    architecture: ClassVar[str]
    """The one entry of the file's ``architectures``."""
    plain: ClassVar[Mapping[str, Any]] = {"attention_bias": False, "hidden_act": "silu"}
    """Fields that change what a layer computes, with the value that it is written for."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    max_position_embeddings: int
    num_target_layers: int
    rms_norm_eps: float = 1e-6
    rope_theta: float = 10_000.0
    num_anchors: int = 24

    @classmethod
    def from_json(cls, config: Any) -> Self:
        """Read a parsed ``config.json``. Raises LabError for another architecture or head, or a field that is missing
        or of the wrong type."""
        if not isinstance(config, Mapping):
            raise LabError("the drafter's config.json is not a JSON object: it is not a DeepSpec checkpoint.")
        if config.get("architectures") != [cls.architecture]:
            raise LabError(
                f"the drafter's architecture is {config.get('architectures')}; this loader reads {cls.architecture}."
            )
        for name, plain in cls.plain.items():
            if config.get(name, plain) != plain:
                raise LabError(
                    f"the drafter's {name} is {config[name]!r}; this lab computes layers where it is {plain!r}."
                )
        config = cls.translate(config)
        values: dict[str, Any] = {}
        for field in fields(cls):
            if field.name in config:
                values[field.name] = config[field.name]
            elif field.default is field.default_factory:
                raise LabError(f"the drafter's config.json lacks {field.name!r}: it is not a DeepSpec checkpoint.")
        for field in fields(cls):
            _check_field(field.name, str(field.type), values.get(field.name, field.default))
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        result = cls(**values)
        result.check()
        return result

    @classmethod
    def translate(cls, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """The file's fields by the names of this class. Raises LabError for layers that this lab does not compute."""
        rope = config.get("rope_parameters") or config.get("rope_scaling")
        rope = rope if isinstance(rope, Mapping) else {}
        rope_type = rope.get("rope_type", rope.get("type", "default"))
        if rope_type != "default":
            raise LabError(f"the drafter's rope_type is {rope_type!r}; this lab computes 'default' for it.")
        types = config.get("layer_types") or (["sliding_attention"] if config.get("use_sliding_window") else [])
        other = [t for t in types if t != "full_attention"] if isinstance(types, list) else [types]
        if other:
            raise LabError(f"the drafter has layers of type {other[0]!r}; this lab computes 'full_attention' for it.")
        return {**config, "rope_theta": config.get("rope_theta", rope.get("rope_theta", 10_000.0))}

    def check(self) -> None:
        """Raises LabError for fields that do not go together."""

    def periods(self, device: torch.device) -> Tensor:
        """By how many positions [head_dim / 2] each pair of a rotary embedding turns by one radian, in float32."""
        exponent = torch.arange(0, self.head_dim, 2, device=device, dtype=torch.float32) / self.head_dim
        return self.rope_theta**exponent

    def to_json(self) -> dict[str, Any]:
        return {
            "architectures": [self.architecture],
            "model_type": "qwen3",
            **{name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()},
            "attention_bias": False,
            "hidden_act": "silu",
            "layer_types": ["full_attention"] * self.num_hidden_layers,
            "tie_word_embeddings": False,
            "dtype": "bfloat16",
        }


def check_taps(layers: tuple[int, ...], depth: int) -> None:
    """Raises LabError unless the target's raw outputs can be read at ``layers``."""
    if not layers or max(layers) >= depth - 1:
        raise LabError(
            f"the drafter reads target layers {list(layers)} of {depth}: there must "
            f"be at least one, and none may be the last, whose output transformers gives only normalised."
        )


def _check_field(name: str, kind: str, value: Any) -> None:
    """Raises LabError for a value of ``config.json`` that no checkpoint can have."""
    low, high = (0, 2**31) if name in ("markov_rank", "mask_token_id") else (1, 2**31)
    high = 1024 if name in ("block_size", "ttt_length") else high
    if kind == "int":
        fits, wanted = type(value) is int and low <= value <= high, f"a whole number from {low} to {high}"
    elif kind.startswith("float"):
        fits, wanted = type(value) in (int, float) and 0 < value < float("inf"), "a number above 0"
        fits = fits or (value is None and "None" in kind)
    elif kind.startswith("tuple"):
        fits = isinstance(value, (list, tuple)) and all(type(v) is int and v >= 0 for v in value)
        wanted = "a list of layer numbers"
    else:
        fits, wanted = isinstance(value, bool if kind == "bool" else str), f"a {kind}"
    if not fits:
        raise LabError(f"the drafter's {name} is {value!r}, but must be {wanted}: get the checkpoint again.")

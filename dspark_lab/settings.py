"""What a person may choose for a decoding round, validated in one place. Imports no torch: the views use it too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from dspark_lab.errors import LabError
from dspark_lab.scheduling.policies import policy_named

PURPOSES = ("draft", "accept", "final", "load")
"""What a uniform is for: drawing a draft token, accepting it, drawing the round's last token (residual or bonus), choosing
what a background request has drafted."""

MOST_LOAD = 100_000
DEFAULT_RATE = "roofline:h100:qwen3-4b"

CHANGEABLE = ("temperature", "top_k", "top_p", "policy", "load", "step_rate")
"""Settings that may change from one round to the next."""


def _whole(name: str, value: Any, low: int, high: int, remedy: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise LabError(f"{name} is {value!r}, but must be a whole number from {low} to {high}: {remedy}.")
    return value


def _real(name: str, value: Any, low: float, high: float, remedy: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:  # NaN is in no range
        raise LabError(f"{name} is {value!r}, but must be a number from {low:g} to {high:g}: {remedy}.")
    return float(value)


def _text(name: str, value: Any, remedy: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise LabError(f"{name} is {value!r}, but must be a name: {remedy}.")
    return value


@dataclass(frozen=True)
class Settings:
    """How a session samples and drafts.

    Attributes:
        temperature: divides the logits of target and drafter alike; 0 means greedy (one-hot distributions).
        top_k: keep the k most probable tokens of each distribution; 0 keeps all.
        top_p: keep the smallest set of tokens with at least this probability; 1 keeps all.
        gamma: tokens drafted a round, 0 (plain autoregressive decoding) to the drafter's block size.
            None takes the drafter's whole block.
        seed: addresses every uniform of the session.
        max_new_tokens: the session ends after this many tokens, end-of-sequence included.
        tree: nodes of the draft tree verified a round, at most gamma deep; 0 drafts a chain.
        policy: how much of a draft is verified, a name in ``scheduling.policies.POLICIES``; "fixed" verifies all.
        load: background requests that share each step of the target with this one, 0 to 100,000. They are simulated: what
            they have drafted is drawn from rounds that were recorded of the drafter.
        step_rate: SPS, what a step costs by its tokens, by name (``scheduling.rates``) or a file of dspark-lab profile.

    Raises:
        LabError: a value is out of range; the message says which.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    gamma: int | None = None
    seed: int = 0
    max_new_tokens: int = 128
    tree: int = 0
    policy: str = "fixed"
    load: int = 0
    step_rate: str = DEFAULT_RATE

    def __post_init__(self) -> None:
        _real("temperature", self.temperature, 0.0, 100.0, "0 is greedy, 1 samples from the model as it is")
        _whole("top_k", self.top_k, 0, 1_000_000, "0 switches it off")
        _real("top_p", self.top_p, 1e-6, 1.0, "1 switches it off")
        if self.gamma is not None:
            _whole("gamma", self.gamma, 0, 1024, "0 decodes without drafting")
        _whole("seed", self.seed, 0, 2**63 - 1, "any such number gives a reproducible run")
        _whole("max_new_tokens", self.max_new_tokens, 1, 1_000_000, "ask for at least one; 128 is usual")
        _whole("tree", self.tree, 0, 1024, "it is a number of nodes; 0 drafts a chain")
        _text("policy", self.policy, "fixed verifies all that was drafted")
        policy_named(self.policy)
        _whole("load", self.load, 0, MOST_LOAD, "it is a number of background requests; 0 leaves this one alone")
        _text("step_rate", self.step_rate, f"name one, such as {DEFAULT_RATE}, or a file of dspark-lab profile")
        if self.tree and self.policy != "fixed":
            raise LabError(
                f"policy is {self.policy!r}, but a draft tree (tree={self.tree}) is verified whole, it has no confidences to "
                f"schedule by: set policy='fixed', or draft a chain (tree=0)."
            )

    def with_changes(self, changes: Mapping[str, Any]) -> Settings:
        """These settings with some replaced. Raises LabError for a name that does not exist."""
        known = [field.name for field in fields(self)]
        unknown = sorted(set(changes).difference(known))
        if unknown:
            raise LabError(f"unknown setting {unknown[0]!r}; there are {', '.join(known)}.")
        return replace(self, **changes) if changes else self


@dataclass(frozen=True)
class Overrides:
    """What a person changed by hand in one round; everything else stays as the uniforms decide.

    Attributes:
        tokens: draft position (1-based) -> token id put there instead of the drawn one. p_d stays what it was: the
            round becomes "what if the draw had fallen here", one outcome of the process rather than a lossless sample.
        uniforms: "purpose:position" -> value in [0, 1), e.g. ``{"accept:3": 0.68, "final:0": 0.1}``. Draft and accept
            positions count from 1; the final draw is position 0.
        verify_length: number of draft tokens sent to the target, 0 to gamma; the rest is cut. None leaves it to the policy.
        settings: settings changed from this round on: temperature, top_k, top_p, policy, load, step_rate.
        confidence: draft position (1-based) -> c_k in (0, 1) put there instead of the drafter's own, before calibration.
    """

    tokens: Mapping[int, int] = field(default_factory=dict)
    uniforms: Mapping[str, float] = field(default_factory=dict)
    verify_length: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    confidence: Mapping[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("tokens", "uniforms", "settings", "confidence"):
            value = getattr(self, name)
            if not isinstance(value, Mapping):
                raise LabError(
                    f"the overrides' {name} are a {type(value).__name__}, but must be a dict of what is changed."
                )
        for position, token in self.tokens.items():
            _whole("a changed token's position", position, 1, 1024, "draft positions count from 1")
            _whole("a changed token's id", token, 0, 2**31 - 1, "take an id of the vocabulary")
        for address, value in self.uniforms.items():
            purpose, _, place = str(address).partition(":")
            if purpose not in PURPOSES[:3] or not place.isdecimal() or (purpose == "final" and int(place)):
                raise LabError(
                    f"uniform {address!r} does not exist: write draft:k, accept:k with k from 1, or final:0."
                )
            if _real(f"uniform {address}", value, 0.0, 1.0, "it is a probability level") == 1.0:
                raise LabError(f"uniform {address} is 1.0, but must be below 1: 0.999 is as far as a draw goes.")
        if self.verify_length is not None:
            _whole("verify_length", self.verify_length, 0, 1024, "0 verifies no draft token")
        for position, value in self.confidence.items():
            _whole("a changed confidence's position", position, 1, 1024, "draft positions count from 1")
            if _real(f"the confidence at position {position}", value, 0.0, 1.0, "it is a chance") in (0.0, 1.0):
                raise LabError(
                    f"the confidence at position {position} is {value}, but must lie between 0 and 1, neither included: "
                    f"0.001 and 0.999 are as sure as need be."
                )
        unknown = set(self.settings) - set(CHANGEABLE)
        if unknown:
            raise LabError(f"setting {sorted(unknown)[0]!r} cannot change within a session: start a new one instead.")

    def __bool__(self) -> bool:
        return bool(self.tokens or self.uniforms or self.settings or self.confidence) or self.verify_length is not None

    @classmethod
    def from_json(cls, value: Any) -> Overrides:
        """From parsed JSON, where keys are strings. Raises LabError where it is not what an Overrides holds."""
        names = tuple(field.name for field in fields(cls))
        if not isinstance(value, Mapping):
            raise LabError(f"overrides {value!r} must be an object with {', '.join(names)}.")
        unknown = set(value) - set(names)
        if unknown:
            raise LabError(f"unknown override {sorted(unknown)[0]!r}; there are {', '.join(names)}.")
        parts = {name: value.get(name) or {} for name in names if name != "verify_length"}
        for name, part in parts.items():
            if not isinstance(part, Mapping):
                raise LabError(f"changed {name} {part!r} must be an object.")
            if name in ("tokens", "confidence"):
                try:
                    parts[name] = {int(position): new for position, new in part.items()}
                except (TypeError, ValueError) as error:
                    raise LabError(f"changed {name} {part!r} must map draft positions to values.") from error
        return cls(verify_length=value.get("verify_length"), **{name: dict(part) for name, part in parts.items()})

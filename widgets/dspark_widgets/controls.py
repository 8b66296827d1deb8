"""What the page's controls ask for, as settings within a visitor's limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dspark_lab.errors import LabError
from dspark_lab.scheduling.policies import length_without_confidence, policy_named
from dspark_lab.settings import Settings
from dspark_widgets import contract
from dspark_widgets.limits import Limits
from dspark_widgets.pairs import ALONE

CHOSEN = ("temperature", "top_k", "top_p", "gamma", "seed", "max_new_tokens", "policy", "load")
"""The settings that the page's controls hold."""


def read_controls(
    controls: contract.Controls, block_size: int, limits: Limits, confident: bool = True
) -> Settings:  # fmt: skip
    """The settings of the page's controls. Raises LabError for a prompt or a value that cannot be run, or is beyond a limit, and
    for a policy that weighs confidences where the drafter is not ``confident``."""
    if not controls.prompt.strip():
        raise LabError("the prompt is empty: write one, or pick an example.")
    if len(controls.prompt) > limits.prompt:
        raise LabError(
            f"the prompt has {len(controls.prompt):,} characters, but at most {limits.prompt:,} fit here: shorten it."
        )
    if controls.max_new_tokens > limits.tokens:
        raise LabError(
            f"max_new_tokens is {controls.max_new_tokens:,}, but a run here gives at most {limits.tokens:,}: ask for fewer."
        )
    if not 0 <= controls.gamma <= block_size:
        raise LabError(
            f"gamma is {controls.gamma}, but the drafter's block has {block_size} tokens: take 0 to {block_size}."
        )
    if controls.drafter != ALONE and not confident:
        length_without_confidence(policy_named(controls.policy))
    return Settings(**{name: getattr(controls, name) for name in CHOSEN})


def suited(controls: Mapping[str, Any], info: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """What of the controls another drafter changes, of which this is ``known``: a whole block stays a whole block, and without
    confidences all is verified."""
    gamma, block = controls["gamma"], known["block_size"]
    chosen = {"gamma": block if gamma >= info["block_size"] else min(gamma, block)}
    return chosen if known["confident"] else {**chosen, "policy": "fixed", "load": 0}


def raced(controls: Mapping[str, Any], race: Mapping[str, Any]) -> dict[str, Any]:
    """The controls as ``race`` was run."""
    ran = {**race["settings"], "prompt": race["prompt"], "gamma": controls["gamma"]}
    return {name: ran.get(name, value) for name, value in controls.items()}

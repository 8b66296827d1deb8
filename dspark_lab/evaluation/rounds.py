"""Decode prompts with a drafter, verifying every draft whole, and record each round."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from tqdm.auto import tqdm

from dspark_lab.decoding import Outcome
from dspark_lab.drafters.base import Drafter
from dspark_lab.errors import LabError
from dspark_lab.evaluation.measure import session_seed
from dspark_lab.evaluation.suites import Suite
from dspark_lab.prompts import TooLongError
from dspark_lab.scheduling.recorded import Origin, RecordedRounds
from dspark_lab.session import Session
from dspark_lab.settings import Settings
from dspark_lab.target import Target
from dspark_lab.training.corpus import DOMAINS, example

ANSWER = 160
"""Longest answer to a prompt of the corpus, in tokens."""


class CorpusPrompts(Sequence[tuple[str, ...]]):
    """The first ``count`` prompts of a domain's split, made when they are asked for."""

    def __init__(self, domain: str, split: str, count: int) -> None:
        self.domain, self.split, self.length = domain, split, count

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[str, ...]:  # type: ignore[override]  # no slices
        if not 0 <= index < self.length:
            raise IndexError(index)
        return (example(self.domain, self.split, index).prompt,)


def corpus_suites(split: str, count: int) -> list[Suite]:
    """``count`` conversations of each domain of the corpus."""
    return [Suite(domain, domain, CorpusPrompts(domain, split, count), ANSWER) for domain in DOMAINS]


def record(
    target: Target, drafter: Drafter, suites: Sequence[Suite], settings: Settings, split: str, *,
    rounds: int | None = None,
) -> RecordedRounds:  # fmt: skip
    """Decode the first turns of ``suites`` at full verification and record every round that had room for a whole block.

    Args:
        settings: sampling, gamma and seed, as in ``measure``: both see the same uniforms.
        split: what the prompts are, for the record.
        rounds: enough of them, counted over all suites, to which each adds an equal part: its last conversation is
            finished. Without, all conversations are decoded.

    Raises:
        LabError: gamma is 0, a draft tree or a cut is asked for, or no round had room for a whole block.
    """
    gamma = drafter.block_size if settings.gamma is None else settings.gamma
    if not gamma or settings.tree or settings.policy != "fixed":
        raise LabError(
            f"rounds are recorded of chains that are verified whole, but gamma is {gamma}, tree {settings.tree} and policy "
            f"{settings.policy!r}: set gamma=None, tree=0 and policy='fixed'."
        )
    domains = tuple(dict.fromkeys(suite.domain for suite in suites))
    wanted = None if rounds is None else -(-rounds // len(suites))
    found: list[_Row] = []
    conversation = 0
    for suite in suites:
        before = len(found)
        limited = replace(settings, max_new_tokens=suite.max_new_tokens)
        total, unit = (len(suite.conversations), "prompt") if wanted is None else (wanted, "round")
        with tqdm(total=total, desc=f"record {suite.name}", unit=unit, mininterval=1.0) as bar:
            for i, turns in enumerate(suite.conversations):
                seeded = replace(limited, seed=session_seed(settings.seed, i))
                fresh = [
                    _row(outcome, gamma, target, domains.index(suite.domain), conversation)
                    for outcome in _outcomes(target, drafter, turns[0], seeded)
                    if len(outcome.uniforms.draft) == gamma  # there was room for a whole block
                ]
                found += fresh
                conversation += 1
                bar.update(1 if wanted is None else len(fresh))
                if wanted is not None and len(found) - before >= wanted:
                    break
    if not found:
        raise LabError(f"no round had room for a draft of {gamma} tokens: give longer answers (max_new_tokens).")
    origin = Origin(
        target.info, drafter.info, settings.temperature, split, settings.seed, domains, settings.top_k, settings.top_p
    )
    arrays = {f.name: np.array([getattr(row, f.name) for row in found]) for f in fields(_Row) if f.name != "confidence"}
    confidence = [row.confidence for row in found if row.confidence is not None]
    return RecordedRounds(origin, **arrays, confidence=np.array(confidence) if confidence else None)


@dataclass(frozen=True)
class _Row:
    """One round, as ``RecordedRounds`` has it."""

    acceptance: list[float]
    accepted: int
    drafted: int
    ends: bool
    domain: int
    conversation: int
    confidence: list[float] | None


def _row(o: Outcome, gamma: int, target: Target, domain: int, conversation: int) -> _Row:
    tokens = o.draft.tokens
    drafted = next((k for k, token in enumerate(tokens, 1) if token in target.stop_tokens), len(tokens))
    acceptance = torch.zeros(gamma, dtype=torch.float64)
    if o.p_d is not None:
        ids = torch.tensor(tokens, device=o.p_d.device)[:drafted, None]
        ratio = o.p_t[:drafted].gather(1, ids) / o.p_d[:drafted].gather(1, ids)
        acceptance[:drafted] = ratio.flatten().clamp(max=1).cpu()
    ends = drafted > 0 and tokens[drafted - 1] in target.stop_tokens
    return _Row(acceptance.tolist(), o.verdict.accepted, drafted, ends, domain, conversation, o.draft.confidence)


def _outcomes(target: Target, drafter: Drafter, prompt: str, settings: Settings) -> Iterator[Outcome]:
    """All rounds of an answer; none to a prompt that is too long for the context."""
    with contextlib.suppress(TooLongError):
        session = Session(target, drafter, prompt, settings)
        while not session.finished:
            yield session.advance()

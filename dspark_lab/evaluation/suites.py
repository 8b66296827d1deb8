"""What to measure on: the lab's own held-out prompts, files of benchmark prompts, benchmarks of the hub."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dspark_lab.errors import LabError
from dspark_lab.evaluation import hub
from dspark_lab.prompts import clean_prompt
from dspark_lab.training.corpus import DOMAINS, examples

POCKET_SUITE = "pocket"
POCKET_PROMPTS, MOST_PROMPTS = 200, 500
"""How many prompts are taken of each suite unless told otherwise: of the corpus, and of files and the hub (as DeepSpec)."""

DOMAIN_OF = {
    **dict.fromkeys(("gsm8k", "math500", "aime24", "aime25"), "math"),
    **dict.fromkeys(("mbpp", "humaneval", "livecodebench"), "code"),
    **dict.fromkeys(("mt-bench", "alpaca", "arena-hard", "arena-hard-v2"), "chat"),
}
"""The paper's domains (Table 1). A suite that is not listed is a domain of its own."""


@dataclass(frozen=True)
class Suite:
    """Conversations to measure on.

    Attributes:
        name: the benchmark's; of the pocket corpus its domain.
        domain: what it is averaged into.
        conversations: the user's turns of each.
        max_new_tokens: an answer's usual limit: 160 tokens for the pocket corpus, 2,048 for benchmarks (as DeepSpec).
    """

    name: str
    domain: str
    conversations: Sequence[tuple[str, ...]]
    max_new_tokens: int = 2048


def load_suites(names: Sequence[str], folder: Path | None, prompts: int | None, seed: int) -> list[Suite]:
    """The suites called ``names``: "pocket", a file ``NAME.jsonl`` of ``folder``, or else a benchmark of the hub.

    Without names, the pocket corpus, or every file of ``folder``. Of more than ``prompts`` conversations, so many are
    drawn by ``seed``, and kept in order.

    Raises:
        LabError: a name is unknown, the folder holds no such files, or a file's line is no conversation.
    """
    if prompts is not None and prompts < 1:
        raise LabError(f"--prompts is {prompts}, but must be at least 1: leave it out for the full evaluation.")
    files = _files(folder) if folder else {}
    names = list(dict.fromkeys(names or files or [POCKET_SUITE]))
    for name in names:
        if name != POCKET_SUITE and name not in files and name not in hub.SETS:
            there = [POCKET_SUITE, *files, *(s for s in hub.SETS if s not in files)]
            raise LabError(f"there is no suite {name!r}: choose from {', '.join(there)}, or name a --suite-folder.")
    suites: list[Suite] = []
    for name in names:
        if name == POCKET_SUITE:
            count = POCKET_PROMPTS if prompts is None else prompts
            suites += [Suite(d, d, [(e.prompt,) for e in examples(d, "test", count)], 160) for d in DOMAINS]
            continue
        every = read_conversations(files[name]) if name in files else hub.conversations(name)
        count = MOST_PROMPTS if prompts is None else prompts
        if len(every) > count:
            kept = sorted(random.Random(f"{seed}/{name}").sample(range(len(every)), count))
            every = [every[i] for i in kept]
        suites.append(Suite(name, DOMAIN_OF.get(name, name), every))
    return suites


def _files(folder: Path) -> dict[str, Path]:
    try:
        files = {file.stem: file for file in sorted(folder.iterdir()) if file.suffix == ".jsonl"}
    except OSError as error:
        raise LabError(
            f"--suite-folder {folder} cannot be read: {error.strerror}. Name a folder of JSONL files."
        ) from error
    if not files:
        raise LabError(f'--suite-folder {folder} holds no .jsonl file: each has lines such as {{"turns": ["..."]}}.')
    return files


def read_conversations(file: Path) -> list[tuple[str, ...]]:
    """The lines ``{"turns": [...]}`` of a JSONL file. Raises LabError naming the file and the line that is none."""
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise LabError(f"cannot read {file}: {error}.") from error
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found.append(_conversation(json.loads(line)))
            except (ValueError, RecursionError) as error:  # LabError is a ValueError
                raise LabError(
                    f'{file}, line {number} is no conversation ({error}): write {{"turns": ["first question", ...]}}.'
                ) from error
    if not found:
        raise LabError(f"{file} holds no conversation: it is empty.")
    return found


def _conversation(row: Any) -> tuple[str, ...]:
    turns = row.get("turns") if isinstance(row, dict) else None
    if not isinstance(turns, list) or not turns:
        raise ValueError('it has no list "turns" with a turn in it')
    return tuple(map(clean_prompt, turns))

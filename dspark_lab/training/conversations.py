"""What the target is asked, so that a drafter can learn from its answers: the procedural corpus, or a person's own files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dspark_lab.errors import LabError
from dspark_lab.prompts import clean_prompt
from dspark_lab.training.batches import mixed_examples

Conversation = list[str]
"""What the user says, turn by turn; the target's answers come between."""


def corpus_conversations(count: int, seed: int = 0) -> list[Conversation]:
    """Training prompts of the procedural corpus, of one turn each."""
    return [[e.prompt] for e in mixed_examples("train", count, start=(seed + 7919) * 1_000_003)]


def read_conversations(source: Path, count: int | None = None) -> list[Conversation]:
    """Conversations from a file, or from all ``.jsonl`` and ``.txt`` files of a folder, sorted by name.

    A line of a ``.jsonl`` file is an object with ``turns``, what the user says turn by turn; of any other file a prompt.
    Empty lines are passed over.

    Args:
        count: no more than so many are read.

    Raises:
        LabError: nothing is there, or a line is something else; the message names the file and the line.
    """
    inside = sorted(f for f in source.iterdir() if f.suffix in (".jsonl", ".txt")) if source.is_dir() else []
    found: list[Conversation] = []
    for file in inside if source.is_dir() else [source]:
        try:
            text = file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise LabError(f"the prompts in {file} cannot be read: {reason}.") from error
        for number, line in enumerate(text.split("\n"), 1):
            if len(found) == count:
                return found
            if line.strip():
                found.append(_conversation(line, f"{file}, line {number}", as_json=file.suffix == ".jsonl"))
    if not found:
        raise LabError(
            f'{source} holds no prompts: give a .jsonl file of lines {{"turns": ["..."]}}, or one of plain lines.'
        )
    return found


def _conversation(line: str, where: str, *, as_json: bool) -> Conversation:
    turns: Any = [line]
    if as_json:
        try:
            record = json.loads(line)
        except ValueError as error:
            raise LabError(f"{where} is not JSON ({error}).") from error
        turns = record.get("turns") if isinstance(record, dict) else None
        if not (isinstance(turns, list) and turns and all(isinstance(turn, str) for turn in turns)):
            raise LabError(f'{where} has no turns: write {{"turns": ["what the user says", ...]}}.')
    try:
        return [clean_prompt(turn) for turn in turns]
    except LabError as error:
        raise LabError(f"{where}: {error}") from error

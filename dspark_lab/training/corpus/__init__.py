"""The procedural corpus: endless, reproducible text for training a pocket target and its drafters.

Three domains mirror the paper's (arXiv 2607.05147): *math* has answers that follow almost surely from the prompt, so
long drafts survive; *code* leaves names and style open; *chat* offers many equally good phrasings at every turn, so
drafts die early and parallel drafters collide ("of course" / "no problem").

Splits are disjoint by prompt text: a prompt's hash assigns it to train (90 %), validation (5 %) or test (5 %), and a
generator redraws until its prompt falls in the split asked for.
"""

import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Protocol

from . import chat, code_tasks, math_problems

__all__ = ["DOMAINS", "SPLITS", "Example", "example", "examples", "final_number", "open_prompts", "split_of"]

DOMAINS = ("math", "code", "chat")
SPLITS = ("train", "validation", "test")


class _Drawn(Protocol):
    """What a domain draws: a prompt, and an answer made only if the prompt lies in the wanted split."""

    @property
    def prompt(self) -> str: ...

    def answer(self, rng: Random) -> str: ...


_DRAW: dict[str, Callable[[Random], _Drawn]] = {
    "math": math_problems.draw,
    "code": code_tasks.draw,
    "chat": chat.draw,
}

_FINAL = re.compile(r"The answer is (-?\d+)")


@dataclass(frozen=True)
class Example:
    """One exchange: what a user types, what the assistant says, and for math the final number as text."""

    domain: str
    prompt: str
    answer: str
    result: str | None


def example(domain: str, split: str, index: int) -> Example:
    """Return example `index` of a domain's split: a pure function, the same in every process.

    Raises ValueError for a domain outside DOMAINS or a split outside SPLITS.
    """
    _check("domain", domain, DOMAINS)
    _check("split", split, SPLITS)
    rng = Random(f"{domain}/{split}/{index}")  # text seeds go through SHA-512, untouched by PYTHONHASHSEED
    drawn = _DRAW[domain](rng)
    while split_of(drawn.prompt) != split:
        drawn = _DRAW[domain](rng)
    answer = drawn.answer(rng)
    return Example(domain, drawn.prompt, answer, final_number(answer) if domain == "math" else None)


def examples(domain: str, split: str, count: int, start: int = 0) -> Iterator[Example]:
    """Yield examples `start` .. `start + count - 1` of a domain's split."""
    for index in range(start, start + count):
        yield example(domain, split, index)


def split_of(prompt: str) -> str:
    """Return the one split a prompt text may appear in: 90 % train, 5 % validation, 5 % test."""
    bucket = zlib.crc32(prompt.encode()) % 100
    return "train" if bucket < 90 else "validation" if bucket < 95 else "test"


def final_number(text: str) -> str | None:
    """Return the number after the last 'The answer is', None if there is none."""
    found = _FINAL.findall(text)
    return found[-1] if found else None


def open_prompts() -> dict[str, list[str]]:
    """Return three hand-picked prompts a domain for a demo page, all from the test split."""
    return {
        "math": list(math_problems.OPEN_PROMPTS),
        "code": list(code_tasks.OPEN_PROMPTS),
        "chat": list(chat.OPEN_PROMPTS),
    }


def _check(kind: str, value: str, legal: tuple[str, ...]) -> None:
    if value not in legal:
        raise ValueError(f"unknown {kind} {value!r}: choose one of {', '.join(legal)}")

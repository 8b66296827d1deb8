"""Bare sums: the arithmetic of the word problems, many facts to an example, for the last part of the target's training.

A word problem holds about two facts in eighty tokens, a line of sums ten in a hundred and ten: a tiny model that has
learned how problems are worded still needs to see each fact often before it knows it.
"""

from __future__ import annotations

import random

from dspark_lab.training.corpus import Example

PROMPTS = ("Some sums, please.", "Do some sums.", "Practise your sums.", "Work out a few sums.")
FACTS = 10


def sums(index: int) -> Example:
    """Example ``index``: ``FACTS`` equations such as "64 + 18 = 82.", of the kinds and sizes that word problems use."""
    rng = random.Random(f"sums/{index}")
    return Example("math", rng.choice(PROMPTS), " ".join(_equation(rng) for _ in range(FACTS)), None)


def _equation(rng: random.Random) -> str:
    kind = rng.choices("+-*/", weights=(40, 40, 12, 8))[0]
    if kind in "+-":
        b = rng.randint(1, 20)
        a = rng.randint(0, 100 - b)
        return f"{a} + {b} = {a + b}." if kind == "+" else f"{a + b} - {b} = {a}."
    a, b = rng.randint(2, 10), rng.randint(2, 10)
    return f"{a} * {b} = {a * b}." if kind == "*" else f"{a * b} / {b} = {a}."

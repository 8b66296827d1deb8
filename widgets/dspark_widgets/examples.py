"""The recorded traces that the page offers as examples."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from dspark_widgets import contract

EXAMPLES_PER_DOMAIN = 3
COLLISION = {" course", " problem"}
"""Second words of "of course" and "no problem", the paper's example of what a parallel drafter mixes up."""
UNDECIDED = 0.5
"""The head chose a word where this lies between its probabilities under the parallel logits alone and with the head."""


@lru_cache
def find_examples(folder: Path) -> tuple[contract.Example, ...]:
    """The recorded traces there are, read once; a file that is no trace is left out."""
    found = []
    for domain in contract.DOMAINS:
        for index in range(EXAMPLES_PER_DOMAIN):
            try:
                trace = json.loads((folder / f"{domain}_{index}.json").read_text(encoding="utf-8"))
                example = contract.Example(
                    cast(contract.Domain, domain), index, str(trace["prompt"]), find_collision(trace["rounds"])
                )
            except (OSError, ValueError, KeyError, TypeError):
                continue
            found.append(example)
    return tuple(found)


def find_collision(rounds: list[Any]) -> tuple[int, int] | None:
    """Round and position of the first draft position that drew a word of ``COLLISION`` because of the head: the parallel
    logits, which do not know the word before, mix it with what would follow other words."""
    for r in rounds:
        for p in r["positions"]:
            if p["token"]["text"] in COLLISION and (p["p_base"] or 1.0) < UNDECIDED < p["p_d"]:
                return int(r["index"]), int(p["k"])
    return None

"""The corpus's code works: each function computes what its prompt says."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from dspark_lab.training.corpus import SPLITS, Example, code_tasks, examples


def function(code: str) -> Callable[..., Any]:
    scope: dict[str, Any] = {}
    exec(code, scope)
    return next(value for name, value in scope.items() if not name.startswith("__"))


@pytest.mark.parametrize("split", SPLITS)
def test_every_answer_is_one_short_documented_function(split: str) -> None:
    for e in examples("code", split, 500):
        (node,) = ast.parse(e.answer).body
        assert isinstance(node, ast.FunctionDef)
        doc = ast.get_docstring(node)
        assert doc is not None and "\n" not in doc
        assert 3 <= len(e.answer.splitlines()) <= 8
        assert callable(function(e.answer))


NUMBERS = [4, -3, 7, 0, 12, 30, -14, 9, 25, 6, 21]
WORDS = ["an", "apple", "Tree", "holds", "seventeen", "ripe", "olives", "and", "one", "owl", "watches", "us", "Below"]
NUMBER_KEPT = (
    (r"even numbers", lambda x, k: x % 2 == 0),
    (r"odd numbers", lambda x, k: x % 2 == 1),
    (r"positive numbers", lambda x, k: x > 0),
    (r"negative numbers", lambda x, k: x < 0),
    (r"multiples of (\d+)", lambda x, k: x % k == 0),
    (r"numbers not divisible by (\d+)", lambda x, k: x % k != 0),
    (r"numbers greater than (\d+)", lambda x, k: x > k),
    (r"numbers less than (\d+)", lambda x, k: x < k),
    (r"numbers of at least (\d+)", lambda x, k: x >= k),
    (r"numbers", lambda x, k: True),
)
NUMBER_MAPPED = {
    "squares": lambda x: x * x,
    "cubes": lambda x: x**3,
    "doubles": lambda x: 2 * x,
    "halves": lambda x: x / 2,
    "last digits": lambda x: abs(x) % 10,
    "absolute values": abs,
}
NUMBER_REDUCED = (
    ("the sum of", sum),
    ("a list of", list),
    ("the product of", math.prod),
    ("the number of", len),
    ("the largest of", lambda v: max(v, default=None)),
    ("the smallest of", lambda v: min(v, default=None)),
)
WORD_KEPT = (
    (r"words longer than (\d+)", lambda w, k: len(w) > int(k)),
    (r"words shorter than (\d+)", lambda w, k: len(w) < int(k)),
    (r"words of exactly (\d+)", lambda w, k: len(w) == int(k)),
    (r'words that start with "(.)"', lambda w, k: w.startswith(k)),
    (r'words that end with "(.)"', lambda w, k: w.endswith(k)),
    (r'words that contain "(.)"', lambda w, k: k in w),
    (r"words", lambda w, k: True),
)
WORD_MAPPED = {
    "upper-case": str.upper,
    "lower-case": str.lower,
    "reversed": lambda w: w[::-1],
    "first": lambda w: w[:1],
}


def kept(table: Any, values: list[Any], prompt: str) -> list[Any]:
    """Filter as the prompt says: the first pattern found, most special first."""
    pattern, test = next(row for row in table if re.search(row[0], prompt))
    constant = (*re.search(pattern, prompt).groups(), "0")[0]  # type: ignore[union-attr]
    return [v for v in values if test(v, int(constant) if table is NUMBER_KEPT else constant)]


def expected_number(prompt: str, values: list[int]) -> Any:
    change = next((f for noun, f in NUMBER_MAPPED.items() if f"the {noun} of" in prompt), lambda x: x)
    reduce = next(f for phrase, f in NUMBER_REDUCED if phrase in prompt)
    return reduce([change(x) for x in kept(NUMBER_KEPT, values, prompt)])


def expected_words(prompt: str) -> Any:
    change = next((f for noun, f in WORD_MAPPED.items() if f"the {noun} " in prompt), lambda w: w)
    words = [change(w) for w in kept(WORD_KEPT, WORDS, prompt)]
    if "the number of" in prompt:
        return len(words)
    if "a set of" in prompt:
        return set(words)
    return ", ".join(words) if "joined" in prompt else sorted(words, key=len) if "sorted" in prompt else words


def composed(count: int, noun: str) -> list[Example]:
    source = re.compile(r"(numbers|multiples|words).* (in a (list|tuple|sentence)|in the \w+ of a dict|from 1 to n)\b")
    found = [e for e in examples("code", "validation", count) if source.search(e.prompt)]
    found = [e for e in found if not re.search("whether|how often", e.prompt)]
    return [e for e in found if ("words" in e.prompt) == (noun == "words")]


def test_number_functions_compute_what_the_prompt_says() -> None:
    tried = composed(600, "numbers")
    assert len(tried) > 200
    for e in tried:
        argument: Any = NUMBERS
        values = NUMBERS
        if "in a tuple" in e.prompt:
            argument = tuple(NUMBERS)
        elif "of a dict" in e.prompt:
            argument = dict(enumerate(NUMBERS))
        elif "from 1 to n" in e.prompt:
            argument, values = 20, list(range(1, 21))
        assert function(e.answer)(argument) == expected_number(e.prompt, values), e


def test_word_functions_compute_what_the_prompt_says() -> None:
    tried = composed(600, "words")
    assert len(tried) > 80
    for e in tried:
        argument: Any = " ".join(WORDS) if "in a sentence" in e.prompt else WORDS
        argument = dict.fromkeys(WORDS, 1) if "of a dict" in e.prompt else argument
        assert function(e.answer)(argument) == expected_words(e.prompt), e


def test_single_tasks_compute_what_the_prompt_says() -> None:
    checks: dict[str, Callable[[Callable[..., Any], list[int]], bool]] = {
        r"by (\d+) and by (\d+)": lambda f, k: all(f(x) == (x % k[0] == 0 == x % k[1]) for x in range(150)),
        r"by (\d+) but not by (\d+)": lambda f, k: all(f(x) == (x % k[0] == 0 != x % k[1]) for x in range(150)),
        r"a number times (\d+) plus (\d+)": lambda f, k: f(7) == 7 * k[0] + k[1],
        r"at least (\d+) and at most \d+ \+ (\d+)": lambda f, k: [f(0), f(99)] == [k[0], k[0] + k[1]],
        r"whether all numbers .* above (\d+)": lambda f, k: f([k[0] + 1]) and not f([k[0], k[0] + 1]),
        r"any number .* multiple of (\d+)": lambda f, k: f([1, 2 * k[0]]) and not f([1, k[0] + 1]),
        r"keys .* values are above (\d+)": lambda f, k: f({"a": k[0], "b": k[0] + 1}) == ["b"],
        r"last (\d+) items": lambda f, k: f(list(range(20))) == list(range(19, 19 - k[0], -1)),
        r"index (\d+) on, in steps of (\d+)": lambda f, k: f(list(range(40))) == list(range(40))[k[0] :: k[1]],
        r"first (\d+) characters .* repeated (\d+)": lambda f, k: f("ab" * 9) == ("ab" * 9)[: k[0]] * k[1],
        r"multiplied by (\d+) and raised by (\d+)": lambda f, k: f({"a": 5}) == {"a": 5 * k[0] + k[1]},
        r"with (\d+) added to each value": lambda f, k: f({"a": 5}) == {"a": 5 + k[0]},
        r"by (\d+), plus (\d+)": lambda f, k: f(101) == 101 % k[0] + k[1],
    }
    seen = set()
    for e in examples("code", "train", 2000):
        for pattern, check in checks.items():
            if match := re.search(pattern, e.prompt):
                assert check(function(e.answer), [int(k) for k in match.groups()]), e
                seen.add(pattern)
    assert seen == set(checks)


def test_the_same_code_prompt_has_many_answers() -> None:
    task = code_tasks.draw(Random(0))
    assert len({task.answer(Random(seed)) for seed in range(100)}) > 80

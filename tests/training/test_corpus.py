"""The corpus keeps its promises: reproducible, split by prompt, true sums, working code, chat to the point."""

import ast
import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from dspark_lab.training.corpus import (
    DOMAINS,
    SPLITS,
    Example,
    chat,
    code_tasks,
    example,
    examples,
    final_number,
    open_prompts,
    split_of,
)

EQUATION = re.compile(r"(\d+) ([-+*/]) (\d+) = (\d+)")


@pytest.mark.parametrize("domain", DOMAINS)
def test_an_example_is_the_same_in_another_process(domain: str) -> None:
    script = (
        "import json; from dspark_lab.training.corpus import examples; "
        f"print(json.dumps([[e.prompt, e.answer, e.result] for e in examples({domain!r}, 'test', 5, 7)]))"
    )
    there = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout
    assert json.loads(there) == [[e.prompt, e.answer, e.result] for e in examples(domain, "test", 5, 7)]


@pytest.mark.parametrize("domain", DOMAINS)
def test_examples_counts_from_start(domain: str) -> None:
    assert list(examples(domain, "train", 3, start=5)) == [example(domain, "train", index) for index in (5, 6, 7)]


@pytest.mark.parametrize("domain", DOMAINS)
def test_no_prompt_appears_in_two_splits(domain: str) -> None:
    prompts = {split: {e.prompt for e in examples(domain, split, 600)} for split in SPLITS}
    assert not prompts["train"] & prompts["test"]
    assert not prompts["train"] & prompts["validation"]
    assert not prompts["validation"] & prompts["test"]
    assert all(split_of(prompt) == split for split in SPLITS for prompt in prompts[split])


@pytest.mark.parametrize(("domain", "least"), [("math", 0.97), ("code", 0.8), ("chat", 0.8)])
def test_test_prompts_are_mostly_distinct(domain: str, least: float) -> None:
    prompts = [e.prompt for e in examples(domain, "test", 500)]
    assert len(set(prompts)) / len(prompts) > least


@pytest.mark.parametrize("domain", DOMAINS)
def test_prompts_are_one_plain_paragraph_and_answers_end_without_newline(domain: str) -> None:
    for e in examples(domain, "train", 500):
        assert e.prompt.isascii() and e.answer.isascii()
        assert "\n" not in e.prompt and e.prompt == e.prompt.strip() and e.answer == e.answer.strip()
        assert not re.search(r"[#~@]" if domain == "code" else r"  |[{}|]", e.prompt + e.answer)


@pytest.mark.parametrize("split", SPLITS)
def test_every_equation_is_true_and_the_last_gives_the_result(split: str) -> None:
    apply: dict[str, Callable[[int, int], float]] = {
        "+": lambda a, b: a + b,
        "-": lambda a, b: a - b,
        "*": lambda a, b: a * b,
        "/": lambda a, b: a / b,
    }
    for e in examples("math", split, 500):
        steps = EQUATION.findall(e.answer)
        assert len(steps) >= 2
        for left, operator, right, result in steps:
            assert apply[operator](int(left), int(right)) == int(result)
        assert e.result == steps[-1][3] == final_number(e.answer)
        assert e.answer.endswith(f"The answer is {e.result}.")


def test_a_later_step_reuses_an_earlier_result() -> None:
    for e in examples("math", "train", 500):
        *earlier, (left, _, right, _) = EQUATION.findall(e.answer)
        assert {left, right} & {step[3] for step in earlier}


def test_math_numbers_stay_small_enough_to_memorise() -> None:
    for e in examples("math", "train", 1000):
        assert all(2 <= int(number) <= 100 for number in re.findall(r"\d+", e.answer))
        for left, operator, right, _ in EQUATION.findall(e.answer):
            assert int(right) <= (20 if operator in "+-" else 10)
            assert operator != "*" or int(left) <= 10


def test_one_math_prompt_has_one_answer() -> None:
    answers: dict[str, str] = {}
    for e in examples("math", "test", 1000):
        assert answers.setdefault(e.prompt, e.answer) == e.answer


def test_only_math_has_a_result() -> None:
    assert example("code", "train", 0).result is None
    assert example("chat", "train", 0).result is None


def test_final_number() -> None:
    assert final_number("So 2 + 2 = 4. The answer is 4.") == "4"
    assert final_number("I do not know.") is None


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


SUBJECTS = {
    "thanks": "favour",
    "food": "meal",
    "book": "mood",
    "film": "mood",
    "weekend": "day",
    "invitation": "name",
    "habit": "habit",
    "weather": "city",
    "apology": "fault",
    "travel": "city",
    "cheer": "task",
    "meeting": "day",
    "cooking": "food",
    "hobby": "hobby",
}


def test_a_chat_reply_speaks_of_what_was_asked() -> None:
    rng = Random(0)
    for _ in range(3000):
        request = chat.draw(rng)
        answer = request.answer(rng).lower()
        assert not {slot for slot in re.findall(r"my (\w+)", request.prompt) if f"my {slot}" in answer}
        if request.topic in SUBJECTS:
            assert request.slots[SUBJECTS[request.topic]].replace("my ", "your ").lower() in answer
        else:
            assert request.topic == "greeting" or "gift" in answer


def test_chat_offers_the_colliding_openers() -> None:
    answers = [e.answer.lower() for e in examples("chat", "train", 2000)]
    for phrase in ("of course", "no problem"):
        assert sum(phrase in answer for answer in answers) > 100
        assert sum(answer.startswith(phrase) for answer in answers) > 50
    assert not any("of problem" in answer or "no course" in answer for answer in answers)


def test_chat_sentences_start_with_capitals_and_end() -> None:
    for e in examples("chat", "train", 1000):
        assert e.answer[-1] in ".!?"
        assert not re.search(r"[.!?] [a-z]", e.answer), e.answer
        text = f"{e.prompt} {e.answer}".replace("an hour", "")
        assert not re.search(r"\b[Aa] [aeiou]|\b[Aa]n [^aeiou]", text), text


def test_open_prompts_are_three_a_domain_never_trained_on() -> None:
    assert {split_of(prompt) for prompts in open_prompts().values() for prompt in prompts} == {"test"}
    assert {domain: len(prompts) for domain, prompts in open_prompts().items()} == dict.fromkeys(DOMAINS, 3)


def test_an_unknown_domain_or_split_is_named_with_the_legal_ones() -> None:
    with pytest.raises(ValueError, match=r"'poetry'.*math, code, chat"):
        example("poetry", "train", 0)
    with pytest.raises(ValueError, match=r"'dev'.*train, validation, test"):
        next(examples("math", "dev", 1))

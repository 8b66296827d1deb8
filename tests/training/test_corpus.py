"""The corpus keeps its promises: reproducible, split by prompt, true sums, chat to the point."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from random import Random

import pytest

from dspark_lab.training.corpus import DOMAINS, SPLITS, chat, example, examples, final_number, open_prompts, split_of

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

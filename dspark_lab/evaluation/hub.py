"""Benchmarks of the Hugging Face hub: which data set each is, and how a row becomes the user's turns.

Sets, splits and prompts are those that DeepSpec evaluates with (github.com/deepseek-ai/DeepSpec, eval_datasets/).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dspark_lab.errors import LabError
from dspark_lab.prompts import clean_prompt

Row = Mapping[str, Any]

REASON = "\nPlease reason step by step, and put your final answer within \\boxed{}."


def _livecodebench(row: Row) -> list[str]:
    starter = row["starter_code"]
    how = "Use the following code structure:" if starter else "Write your code in the following format:"
    return [
        "You are an expert Python programmer. You will be given a question (problem specification) and will generate a "
        "correct Python program that matches the specification and passes all tests. You will NOT return anything except "
        f"for the program\n\n### Question:\n{row['question_content']}\n\n### Format: {how}\n```python\n"
        f"{starter or '# YOUR CODE HERE'}\n```\n\n### Answer: (use the provided format with backticks)"
    ]


def _humaneval(row: Row) -> list[str]:
    ask = "Write a solution to the following problem and make sure that it passes the tests:"
    return [f"{ask}\n```python\n{row['prompt']}\n```"]


@dataclass(frozen=True)
class HubSet:
    """A data set of the hub.

    Attributes:
        id: owner/name.
        split, config: as ``datasets.load_dataset`` takes them.
        turns: a row's turns.
        files: JSON-lines files to read where the set has no table of its own.
    """

    id: str
    split: str
    turns: Callable[[Row], list[str]]
    config: str | None = None
    files: tuple[str, ...] = ()


SETS = {
    "gsm8k": HubSet("openai/gsm8k", "test", lambda row: [row["question"] + REASON], config="main"),
    "math500": HubSet("HuggingFaceH4/MATH-500", "test", lambda row: [row["problem"] + REASON]),
    "aime25": HubSet("MathArena/aime_2025", "train", lambda row: [row["problem"] + REASON]),
    "mbpp": HubSet("google-research-datasets/mbpp", "test", lambda row: [row["prompt"]], config="sanitized"),
    "humaneval": HubSet("openai/openai_humaneval", "test", _humaneval),
    "livecodebench": HubSet(
        "livecodebench/code_generation_lite",
        "test",
        _livecodebench,
        files=("test.jsonl", *(f"test{i}.jsonl" for i in range(2, 7))),
    ),
    "mt-bench": HubSet("HuggingFaceH4/mt_bench_prompts", "train", lambda row: row["prompt"]),
    "alpaca": HubSet(
        "tatsu-lab/alpaca",
        "train",
        lambda row: [row["instruction"] + (f"\n\nInput:\n{row['input']}" if row["input"] else "")],
    ),
    "arena-hard": HubSet(
        "lmarena-ai/arena-hard-auto",
        "train",
        lambda row: [row["prompt"]],
        files=("data/arena-hard-v2.0/question.jsonl",),
    ),
}


def conversations(name: str) -> list[tuple[str, ...]]:
    """All conversations of the benchmark ``name``, through the ``datasets`` library and its cache.

    Raises:
        LabError: the library is not installed, or the set is neither in its cache nor within reach.
    """
    wanted = SETS[name]
    remedy = f"or give a folder with {name}.jsonl: --suite-folder DIR"
    try:
        load_dataset = importlib.import_module("datasets").load_dataset
    except ImportError as error:
        raise LabError(
            f"the suite {name} comes from the hub and needs the datasets library: pip install datasets, {remedy}."
        ) from error
    try:
        if wanted.files:
            urls = [f"hf://datasets/{wanted.id}/{file}" for file in wanted.files]
            rows = load_dataset("json", data_files={wanted.split: urls}, split=wanted.split)
        else:
            rows = load_dataset(wanted.id, wanted.config, split=wanted.split)
        return [tuple(map(clean_prompt, wanted.turns(row))) for row in rows]
    except Exception as error:  # offline, moved, gated, other columns: the library has no one error for them
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise LabError(
            f"the suite {name} ({wanted.id} on the hub) cannot be loaded: {reason}. Go online, {remedy}."
        ) from error

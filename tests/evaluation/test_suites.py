"""Suites: what is read, what is drawn, and what is refused with the file and the line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dspark_lab.errors import LabError
from dspark_lab.evaluation import hub
from dspark_lab.evaluation.suites import DOMAIN_OF, load_suites, read_conversations


def write(folder: Path, name: str, *lines: str) -> Path:
    file = folder / f"{name}.jsonl"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def turns(*texts: str) -> str:
    return json.dumps({"turns": texts})


def test_the_pocket_suite_is_the_three_domains_of_the_test_split() -> None:
    suites = load_suites(["pocket"], None, 3, seed=0)
    assert [(s.name, s.domain, len(s.conversations)) for s in suites] == [(d, d, 3) for d in ("math", "code", "chat")]


def test_without_names_every_file_of_the_folder_is_a_suite_in_its_papers_domain(tmp_path: Path) -> None:
    write(tmp_path, "mt-bench", turns("Hello.", "And then?"), "", turns("Hi."))
    write(tmp_path, "mine", turns("What is it?"))
    suites = load_suites([], tmp_path, None, seed=0)
    assert [(s.name, s.domain) for s in suites] == [("mine", "mine"), ("mt-bench", "chat")]
    assert suites[1].conversations == [("Hello.", "And then?"), ("Hi.",)]


def test_a_part_of_a_suite_is_drawn_by_the_seed_and_kept_in_order(tmp_path: Path) -> None:
    write(tmp_path, "gsm8k", *(turns(f"Question {i:03}?") for i in range(50)))
    first, again, other = (load_suites(["gsm8k"], tmp_path, 10, seed)[0].conversations for seed in (1, 1, 2))
    assert first == again != other
    assert len(first) == 10 and list(first) == sorted(first)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "Expecting"),
        ("[]", 'no list "turns"'),
        ('{"turns": []}', 'no list "turns"'),
        ('{"turns": "Hello."}', 'no list "turns"'),
        ('{"turns": [7]}', "the prompt is a int"),
        ('{"turns": ["  "]}', "the prompt is empty"),
        ('{"turns": ["a\\u0000b"]}', "U+0000"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_a_line_that_is_no_conversation_is_named_by_file_and_number(tmp_path: Path, line: str, reason: str) -> None:
    file = write(tmp_path, "mine", turns("Good."), "", line)
    with pytest.raises(LabError, match=r"mine\.jsonl, line 3 is no conversation") as caught:
        read_conversations(file)
    assert reason in str(caught.value) and '{"turns":' in str(caught.value)


def test_folders_and_files_with_nothing_in_them_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"holds no \.jsonl file"):
        load_suites([], tmp_path, None, 0)
    with pytest.raises(LabError, match="nowhere cannot be read"):
        load_suites([], tmp_path / "nowhere", None, 0)
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(LabError, match=r"cannot read .*bytes\.jsonl"):
        load_suites(["bytes"], tmp_path, None, 0)
    write(tmp_path, "empty")
    with pytest.raises(LabError, match=r"empty\.jsonl holds no conversation"):
        load_suites(["empty"], tmp_path, None, 0)


def test_an_unknown_suite_is_refused_with_those_there_are(tmp_path: Path) -> None:
    write(tmp_path, "mine", turns("Hello."))
    with pytest.raises(LabError, match=r"no suite 'gsm9k': choose from pocket, mine, gsm8k, .*arena-hard"):
        load_suites(["gsm9k"], tmp_path, None, 0)


def test_a_hub_suite_without_the_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(LabError, match=r"pip install datasets, or give a folder with gsm8k\.jsonl"):
        load_suites(["gsm8k"], None, None, 0)


def hub_of(monkeypatch: pytest.MonkeyPatch, answer: Any) -> list[tuple[Any, ...]]:
    """The datasets library with one answer to every question; what it was asked."""
    asked: list[tuple[Any, ...]] = []

    def load_dataset(*arguments: Any, **options: Any) -> Any:
        asked.append((*arguments, options))
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    return asked


def test_offline_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    hub_of(monkeypatch, ConnectionError("Couldn't reach the Hub\nmore"))
    with pytest.raises(
        LabError, match=r"HuggingFaceH4/MATH-500 on the hub\) cannot be loaded: Couldn't reach the Hub\. Go"
    ):
        load_suites(["math500"], None, None, 0)


ROWS = {
    "gsm8k": {"question": "How many?", "answer": "4"},
    "math500": {"problem": "How many?"},
    "aime25": {"problem": "How many?"},
    "mbpp": {"prompt": "Write a function."},
    "humaneval": {"prompt": "def f():\n"},
    "livecodebench": {"question_content": "Cards.", "starter_code": ""},
    "mt-bench": {"prompt": ["Write a post.", "Shorten it."]},
    "alpaca": {"instruction": "Sort.", "input": "3, 1"},
    "arena-hard": {"prompt": "Hello."},
}


@pytest.mark.parametrize("name", hub.SETS)
def test_rows_of_the_hub_become_turns(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    asked = hub_of(monkeypatch, [ROWS[name]])
    conversation = load_suites([name], None, None, 0)[0].conversations[0]
    assert all(conversation) and hub.SETS[name].id in str(asked) and name in DOMAIN_OF
    assert len(conversation) == (2 if name == "mt-bench" else 1)
    if name == "gsm8k":
        assert conversation == ("How many?" + hub.REASON,) and asked[0][:2] == ("openai/gsm8k", "main")
    if name == "alpaca":
        assert conversation == ("Sort.\n\nInput:\n3, 1",)

"""Answers: the target's own, turn by turn, resumable, through the chat template."""

from __future__ import annotations

from pathlib import Path

import pytest

from dspark_lab.errors import LabError
from dspark_lab.loading import Lab
from dspark_lab.prompts import encode_prompt
from dspark_lab.target import Target
from dspark_lab.training import answers
from dspark_lab.training.answers import AnswerBatches, regenerate
from dspark_lab.training.batches import encode, mixed_examples
from dspark_lab.training.conversations import corpus_conversations, read_conversations

LONG = 60


@pytest.fixture
def target(tiny_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Target:
    """The tiny target, which babbles, with so many tokens that end an answer that it soon does."""
    monkeypatch.setitem(vars(tiny_lab.target), "stop_tokens", frozenset(range(1, 320, 8)))
    return tiny_lab.target


def test_the_corpus_is_asked_as_any_prompt_is(tiny_lab: Lab) -> None:
    """The chat template frames a prompt just as the target was trained to read it."""
    tokenizer = tiny_lab.target.tokenizer
    for e in mixed_examples("train", 20):
        assert encode(tokenizer, e.prompt) == encode_prompt(tokenizer, e.prompt, 256)


def test_answers_end_and_are_the_targets_own(target: Target, tmp_path: Path) -> None:
    rows = regenerate(target, corpus_conversations(12), tmp_path, longest=LONG)
    assert rows and all(answer[-1] in target.stop_tokens for _, answer in rows)
    assert all(len(answer) <= LONG for _, answer in rows)


def test_later_turns_stand_on_the_answers_before(target: Target, tmp_path: Path) -> None:
    conversations = [[f"Tell me number {i}.", "And then?", "Why?"] for i in range(8)]
    rows = regenerate(target, conversations, tmp_path, longest=LONG)
    text = target.text
    begun = {tuple(prompt): answer for prompt, answer in rows}
    later = [prompt for prompt, _ in rows if "And then?" in text(prompt)]
    assert later
    for prompt in later:
        first = next(p for p in begun if list(p) == prompt[: len(p)] and list(p) != prompt)
        assert text(begun[first]) in text(prompt)


def test_what_is_written_is_not_answered_again(target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "TOGETHER", 2)
    asked = corpus_conversations(6)
    rows = regenerate(target, asked, tmp_path, longest=LONG)
    files = sorted(tmp_path.glob("answers-0-*.json"))
    files[1].unlink()
    calls = []
    original = answers._answer
    monkeypatch.setattr(answers, "_answer", lambda *a: calls.append(a) or original(*a))
    assert regenerate(target, asked, tmp_path, longest=LONG) == rows
    assert len(calls) == 1, "only what was missing, and it comes out the same"


def test_answers_to_something_else_are_refused(target: Target, tmp_path: Path) -> None:
    regenerate(target, corpus_conversations(3), tmp_path, longest=LONG)
    with pytest.raises(LabError, match=r"conversations 3, not 4.*--answers-in"):
        regenerate(target, corpus_conversations(4), tmp_path, longest=LONG)


def test_where_no_answer_ends_the_limit_is_named(target: Target, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no answer came to its end within 1 tokens"):
        regenerate(target, [["Hello."]], tmp_path, longest=1)


def test_every_row_is_used_once_an_epoch_and_knows_its_number() -> None:
    rows = [([5] * (1 + i % 7), [100 + i, 1]) for i in range(64)]
    batches = AnswerBatches(rows, 2, 0, seed=3)
    seen: list[int] = []
    for step in range(32):
        batch = batches(step)
        for number, ids in zip(batch.rows, batch.ids.tolist(), strict=True):
            prompt, answer = rows[number]
            assert ids[: len(prompt) + 2] == prompt + answer
            seen.append(number)
    assert sorted(seen) == list(range(64))


def test_prompts_are_read_from_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("one\n\n  two  \n")
    (tmp_path / "a.jsonl").write_text('{"turns": ["x", "y"]}\n{"turns": ["z"], "domain": "math"}\n')
    (tmp_path / "notes.md").write_text("not a prompt")
    assert read_conversations(tmp_path) == [["x", "y"], ["z"], ["one"], ["two"]]
    assert read_conversations(tmp_path, 2) == [["x", "y"], ["z"]]
    assert read_conversations(tmp_path / "b.txt") == [["one"], ["two"]]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.jsonl", b'{"turns": ["x"]}\n{"turns"', "line 2 is not JSON"),
        ("a.jsonl", b'{"prompt": "x"}', "line 1 has no turns"),
        ("a.jsonl", b'{"turns": []}', "line 1 has no turns"),
        ("a.jsonl", b'{"turns": [""]}', "line 1: the prompt is empty"),
        ("a.txt", b"a\x07b", r"line 1: .*U\+0007"),
        ("a.txt", b"\xff\xfe\x00", "not UTF-8"),
        ("a.txt", b"\n\n", "holds no prompts"),
    ],
)
def test_prompts_that_cannot_be_read_are_named(tmp_path: Path, name: str, text: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(text)
    with pytest.raises(LabError, match=words):
        read_conversations(tmp_path / name)


def test_prompts_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="No such file"):
        read_conversations(tmp_path / "none.jsonl")

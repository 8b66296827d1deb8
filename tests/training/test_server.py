"""Answers through a server that speaks OpenAI's protocol: a small local one, which does as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dspark_lab.errors import LabError
from dspark_lab.loading import Lab
from dspark_lab.prompts import encode_prompt
from dspark_lab.training.server import Server, regenerate_through

Reply = tuple[int, Any]
ASKED = [["One?", "And then?"], ["Two?"], ["Three?"], ["Four?"]]


def completion(text: str, reason: str = "stop") -> Reply:
    return 200, {"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": reason}]}


def echo(question: dict[str, Any]) -> Reply:
    """An answer that shows what was asked."""
    return completion(f"To {question['messages'][-1]['content']} after {len(question['messages'])}.")


class Local:
    """A server on this machine; ``reply`` decides what it says, ``questions`` are what it was asked."""

    def __init__(self) -> None:
        self.reply: Callable[[dict[str, Any]], Reply] = echo
        self.questions: list[dict[str, Any]] = []
        self.paths: set[str] = set()
        self.at_once = self.most_at_once = 0
        lock, local = threading.Lock(), self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    local.questions.append(question)
                    local.paths.add(self.path)
                    local.at_once += 1
                    local.most_at_once = max(local.most_at_once, local.at_once)
                status, body = local.reply(question)
                with lock:
                    local.at_once -= 1
                data = (body if isinstance(body, str) else json.dumps(body)).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture
def local() -> Iterator[Local]:
    server = Local()
    yield server
    server.http.shutdown()
    server.http.server_close()


def ask(local: Local, lab: Lab, folder: Path, asked: list[list[str]] = ASKED, **options: Any) -> Any:
    return regenerate_through(Server(local.url, "tiny", pause=0.001, **options), lab.target, asked, folder)


def test_every_turn_is_answered_after_the_ones_before(local: Local, tiny_lab: Lab, tmp_path: Path) -> None:
    rows = ask(local, tiny_lab, tmp_path)
    tokenizer = tiny_lab.target.tokenizer
    said = ["One?", "To One? after 1."]
    answers = [
        "To One? after 1.",
        "To And then? after 3.",
        "To Two? after 1.",
        "To Three? after 1.",
        "To Four? after 1.",
    ]
    assert [tokenizer.decode(a, skip_special_tokens=True) for _, a in rows] == answers
    assert all(answer[-1] == tokenizer.eos_token_id for _, answer in rows)
    assert rows[1][0] == encode_prompt(tokenizer, "And then?", 256, said)
    assert local.paths == {"/v1/chat/completions"}
    assert {(q["model"], q["temperature"]) for q in local.questions} == {("tiny", 1.0)}
    assert len({q["seed"] for q in local.questions if len(q["messages"]) == 1}) == 4, "every chat has its own"


def test_no_more_than_so_many_are_asked_at_a_time(local: Local, tiny_lab: Lab, tmp_path: Path) -> None:
    def slow(question: dict[str, Any]) -> Reply:
        time.sleep(0.02)
        return echo(question)

    local.reply = slow
    ask(local, tiny_lab, tmp_path, [[f"Number {i}?"] for i in range(12)], together=3)
    assert 1 < local.most_at_once <= 3


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_in_trouble_is_asked_again(local: Local, tiny_lab: Lab, tmp_path: Path, status: int) -> None:
    local.reply = lambda question: (status, "busy") if len(local.questions) < 3 else echo(question)
    assert len(ask(local, tiny_lab, tmp_path, [["One?"]])) == 1
    assert len(local.questions) == 3


def test_a_refusal_is_final_and_named(local: Local, tiny_lab: Lab, tmp_path: Path) -> None:
    local.reply = lambda _: (404, {"error": "no such model"})
    with pytest.raises(
        LabError, match=r"127\.0\.0\.1:\d+/v1/chat/completions answered with status 404 .*no such model"
    ) as e:
        ask(local, tiny_lab, tmp_path, [["One?"]])
    assert "'tiny'" in str(e.value) and len(local.questions) == 1


def test_trouble_that_lasts_is_named_with_its_status(local: Local, tiny_lab: Lab, tmp_path: Path) -> None:
    local.reply = lambda _: (503, "busy")
    with pytest.raises(LabError, match=r"status 503 \(busy\), 3 times"):
        ask(local, tiny_lab, tmp_path, [["One?"]], attempts=3)
    assert len(local.questions) == 3


def test_a_server_that_is_not_there_is_named(tiny_lab: Lab, tmp_path: Path) -> None:
    server = Server("http://127.0.0.1:9/v1", "tiny", attempts=2, pause=0.001)
    with pytest.raises(LabError, match=r"http://127\.0\.0\.1:9/v1/chat/completions cannot be reached .*, 2 times"):
        regenerate_through(server, tiny_lab.target, [["One?"]], tmp_path)


@pytest.mark.parametrize("body", ["<html>", {"choices": []}, {"choices": [{"message": {"content": None}}]}, []])
def test_what_is_no_chat_completion_is_named(local: Local, tiny_lab: Lab, tmp_path: Path, body: Any) -> None:
    local.reply = lambda _: (200, body)
    with pytest.raises(LabError, match="no chat completion"):
        ask(local, tiny_lab, tmp_path, [["One?"]])


def test_only_what_is_missing_is_asked_after_a_failure(local: Local, tiny_lab: Lab, tmp_path: Path) -> None:
    local.reply = lambda q: (400, "no") if q["messages"][0]["content"] == "Three?" else echo(q)
    with pytest.raises(LabError, match="status 400"):
        ask(local, tiny_lab, tmp_path, together=1)
    file = tmp_path / "answers-0.jsonl"
    file.write_text(file.read_text() + '{"index": 3, "answ')  # and it was killed while writing
    local.reply, before = echo, len(local.questions)
    rows = ask(local, tiny_lab, tmp_path)
    again = [q["messages"][0]["content"] for q in local.questions[before:]]
    assert sorted(again) == ["Four?", "Three?"]
    assert len(rows) == 5
    assert ask(local, tiny_lab, tmp_path) == rows and len(local.questions) == before + 2


def test_a_frame_that_comes_with_the_answer_is_taken_off(local: Local, tiny_lab: Lab, tmp_path: Path) -> None:
    """``transformers serve`` 5.23 answers so for a Qwen3 whose chat template is not Qwen's."""
    local.reply = lambda q: completion("<|user|>One?<|end|><|assistant|>It is.<|end|>")
    (row,) = ask(local, tiny_lab, tmp_path, [["One?"]])
    assert tiny_lab.target.tokenizer.decode(row[1]) == "It is.<|end|>"


def test_answers_cut_off_are_left_out(local: Local, tiny_lab: Lab, tmp_path: Path) -> None:
    local.reply = lambda q: completion("and so on", "length") if "One" in q["messages"][0]["content"] else echo(q)
    assert len(ask(local, tiny_lab, tmp_path)) == 3


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host", "http://"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(LabError, match="no address"):
        Server(url, "tiny")

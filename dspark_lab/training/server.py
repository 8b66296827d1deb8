"""Answers through an OpenAI-compatible server (vLLM, SGLang, ``transformers serve``) that runs the target."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import Any

import httpx
from tqdm.auto import tqdm

from dspark_lab.errors import LabError
from dspark_lab.target import Target
from dspark_lab.training.answers import LONGEST, Answered, claim_answers, ended, prompt_of
from dspark_lab.training.conversations import Conversation

PASSING = {408, 409, 425, 429, 500, 502, 503, 504}
"""Statuses after which the same request may succeed."""


@dataclass(frozen=True)
class Server:
    """A server and how it is asked.

    It must sample plainly at temperature 1: some take a model's own top-k and top-p where they are not told
    (vLLM, unless started with ``--generation-config vllm``).

    Attributes:
        url: where ``/chat/completions`` is, such as http://localhost:8000/v1.
        model: what the server calls the target.
        together: requests under way at a time. attempts: how often one is tried.
        patience: seconds that an answer may take.
        pause: seconds before the second attempt; twice as long before each further one, a minute at most.
    """

    url: str
    model: str
    together: int = 16
    attempts: int = 6
    patience: float = 600.0
    pause: float = 0.5

    def __post_init__(self) -> None:
        try:
            url = httpx.URL(self.url)
        except httpx.InvalidURL as error:
            raise LabError(
                f"the server {self.url!r} is no address ({error}): write http://localhost:8000/v1."
            ) from error
        if url.scheme not in ("http", "https") or not url.host:
            raise LabError(f"the server {self.url!r} is no address: write one such as http://localhost:8000/v1.")

    def ask(self, client: httpx.Client, messages: list[dict[str, str]], seed: int, longest: int) -> str | None:
        """The answer to a chat, sampled at temperature 1; None where it did not come to its end.

        Raises:
            LabError: the server cannot be reached, refuses, or says something else; the message names it and its status.
        """
        place = self.url.rstrip("/") + "/chat/completions"
        question = {
            "model": self.model, "messages": messages, "temperature": 1.0, "top_p": 1.0, "seed": seed,
            "max_tokens": longest, "stream": False, "chat_template_kwargs": {"enable_thinking": False},
        }  # fmt: skip
        trouble = ""
        for attempt in range(self.attempts):
            if attempt:
                sleep(min(60.0, self.pause * 2 ** (attempt - 1)))
            try:
                reply = client.post(place, json=question)
            except httpx.TransportError as error:
                trouble = f"cannot be reached ({error or type(error).__name__})"
                continue
            if reply.is_success:
                return self._answer(reply, place)
            trouble = f"answered with status {reply.status_code} ({_short(reply.text)})"
            if reply.status_code not in PASSING:
                break
        else:
            trouble += f", {self.attempts} times"
        raise LabError(
            f"the server {place} {trouble}: make sure that it runs and that it knows the model {self.model!r}; the same "
            f"command goes on with what is missing."
        )

    def _answer(self, reply: httpx.Response, place: str) -> str | None:
        try:
            choice = reply.json()["choices"][0]
            text, reason = choice["message"]["content"], choice.get("finish_reason")
            if not isinstance(text, str):
                raise TypeError("content is no text")
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise LabError(
                f"the server {place} answered with status {reply.status_code}, but with no chat completion "
                f"({_short(reply.text)}): is it OpenAI-compatible?"
            ) from error
        return None if reason == "length" else text


def regenerate_through(
    server: Server,
    target: Target,
    conversations: Sequence[Conversation],
    folder: Path,
    seed: int = 0,
    longest: int = LONGEST,
) -> list[Answered]:
    """``answers.regenerate`` by a server that runs the same target. Answers are written to ``folder`` as they come; those
    already there are not asked for again. What came as text is tokenized again.

    Raises:
        LabError: the folder holds other answers, the server fails, or no answer came to its end.
    """
    claim_answers(folder, target, conversations, seed, longest, server.model)
    file = folder / f"answers-{seed}.jsonl"
    known = dict(_read(file))
    waiting = [i for i in range(len(conversations)) if i not in known]
    lock, key = threading.Lock(), os.environ.get("OPENAI_API_KEY")
    stopping = threading.Event()
    with (
        httpx.Client(
            timeout=httpx.Timeout(server.patience, connect=10.0),
            limits=httpx.Limits(max_connections=server.together),
            headers={"Authorization": f"Bearer {key}"} if key else {},
        ) as client,
        file.open("a", encoding="utf-8") as out,
        tqdm(total=len(conversations), initial=len(known), desc="answers by the server", unit="chat") as bar,
        ThreadPoolExecutor(server.together) as pool,
    ):

        def work(index: int) -> None:
            if stopping.is_set():
                return
            try:
                answers = _converse(server, client, target, conversations[index], seed * 1_000_003 + index, longest)
            except LabError:
                stopping.set()
                raise
            with lock:
                out.write(json.dumps({"index": index, "answers": answers}) + "\n")
                out.flush()
                known[index] = answers
                bar.update()

        jobs = [pool.submit(work, index) for index in waiting]
        try:
            done, _ = wait(jobs, return_when=FIRST_EXCEPTION)
            for job in done:
                job.result()
        finally:
            stopping.set()
            pool.shutdown(wait=False, cancel_futures=True)
    return ended(list(_rows(target, conversations, known)), longest)


def _converse(
    server: Server, client: httpx.Client, target: Target, turns: Conversation, seed: int, longest: int
) -> list[str]:
    """The answers to a conversation's turns, as far as they come to their ends and the context reaches."""
    messages: list[dict[str, str]] = []
    answers: list[str] = []
    for turn in turns:
        prompt = prompt_of(target, turn, [m["content"] for m in messages])
        if not prompt:
            break
        messages.append({"role": "user", "content": turn})
        answer = server.ask(client, messages, seed, min(longest, target.context_limit - len(prompt)))
        if answer is None:
            break
        answer = _without_frame(target, prompt, answer)
        answers.append(answer)
        messages.append({"role": "assistant", "content": answer})
    return answers


def _without_frame(target: Target, prompt: list[int], answer: str) -> str:
    """The answer alone: ``transformers serve`` gives some models' with the prompt before it and the end token after it."""
    decode = target.tokenizer.decode
    answer = answer.removeprefix(decode(prompt, skip_special_tokens=False))
    return answer.removesuffix(decode([target.tokenizer.eos_token_id], skip_special_tokens=False))


def _read(file: Path) -> Iterator[tuple[int, list[str]]]:
    """What a run has written; its last line may be cut off, and is then mended by a line end."""
    if not file.exists():
        return
    text = file.read_text(encoding="utf-8")
    for line in text.split("\n"):
        try:
            record: Any = json.loads(line)
            yield record["index"], record["answers"]
        except (ValueError, LookupError, TypeError):
            continue
    if text and not text.endswith("\n"):
        with file.open("a", encoding="utf-8") as out:
            out.write("\n")


def _rows(target: Target, conversations: Sequence[Conversation], known: dict[int, list[str]]) -> Iterator[Answered]:
    for index in sorted(known):
        said: list[str] = []
        for turn, answer in zip(conversations[index], known[index], strict=False):
            prompt = prompt_of(target, turn, said)
            ids = target.tokenizer.encode(answer, add_special_tokens=False, split_special_tokens=True, verbose=False)
            yield prompt, [*ids, target.tokenizer.eos_token_id]
            said += [turn, answer]


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 120 else text[:117] + "..."

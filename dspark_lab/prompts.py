"""From what a person typed to token ids, through the target's chat template, safely."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from dspark_lab.errors import LabError

_MARK = "\x01text\x01"
"""Stands for each turn's text while the template is rendered."""


class TooLongError(LabError):
    """A prompt that leaves no room in the context for an answer."""


def clean_prompt(text: str) -> str:
    """The prompt with ordinary line ends and no surrounding blanks.

    Raises:
        LabError: it is empty, or holds a control character (named, with its place).
    """
    if not isinstance(text, str):
        raise LabError(f"the prompt is a {type(text).__name__}, but must be text.")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    for place, character in enumerate(text):
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\t":
            raise LabError(
                f"the prompt holds the control character U+{ord(character):04X} at place {place + 1}: remove it."
            )
    text = text.strip()
    if not text:
        raise LabError("the prompt is empty: type a question, for example one of the examples.")
    return text


def encode_prompt(
    tokenizer: PreTrainedTokenizerBase, prompt: str, context_limit: int, history: Sequence[str] = ()
) -> list[int]:
    """Token ids of the chat so far, ending where the assistant begins to speak.

    The template's own special tokens are read as such; the text of a turn never is, whatever it spells. Thinking is left
    out where a template offers it: DeepSpec's drafters were trained and measured so.

    Args:
        history: the turns before the prompt, the user's and the assistant's in alternation.

    Raises:
        LabError: the prompt is empty, holds control characters, or the template takes no earlier turns;
            TooLongError: it leaves no room in the context for an answer.
    """
    prompt = clean_prompt(prompt)
    turns = [*history, prompt]
    first, *rest = _frame(tokenizer, len(turns))
    ids = tokenizer.encode(first, add_special_tokens=False)
    for text, after in zip(turns, rest, strict=True):
        ids += tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True, verbose=False)
        ids += tokenizer.encode(after, add_special_tokens=False)
    if len(ids) > context_limit - 8:
        raise TooLongError(
            f"the prompt has {len(ids):,} tokens ({len(prompt):,} characters), but this model's context holds "
            f"{context_limit:,} and the answer needs room too: shorten the prompt to about "
            f"{max(1, int(len(prompt) * (context_limit - 8) / len(ids) * 0.95)):,} characters."
        )
    return ids


def _frame(tokenizer: PreTrainedTokenizerBase, turns: int) -> list[str]:
    """What the chat template puts before, between and after this many turns."""
    if not tokenizer.chat_template:
        if turns > 1:
            raise LabError("the target has no chat template, so it takes no earlier turns: ask one question at a time.")
        return [tokenizer.bos_token or "", ""]
    messages = [{"role": ("user", "assistant")[i % 2], "content": _MARK} for i in range(turns)]
    try:
        framed = tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
    except TemplateError as error:
        raise LabError(f"the target's chat template cannot be used ({error}): get the target again.") from error
    parts = str(framed).split(_MARK)
    if len(parts) != turns + 1:
        raise LabError(
            f"the target's chat template keeps {len(parts) - 1} of {turns} turns: ask one question at a time."
        )
    return parts

"""From what a person typed to token ids, through the target's chat template, safely."""

from __future__ import annotations

import unicodedata

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from dspark_lab.errors import LabError

_MARK = "\x01prompt\x01"
"""Stands for the prompt while the template is rendered. A prompt cannot hold it: control characters are refused."""


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


def encode_prompt(tokenizer: PreTrainedTokenizerBase, prompt: str, context_limit: int) -> list[int]:
    """Token ids of the chat so far, ending where the assistant begins to speak.

    The template's own special tokens are read as such; the prompt's text never is, whatever it spells.

    Raises:
        LabError: the prompt is empty, holds control characters, or leaves no room in the context for an answer.
    """
    prompt = clean_prompt(prompt)
    before, after = "", ""
    if tokenizer.chat_template:
        message = [{"role": "user", "content": _MARK}]
        try:
            framed = tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
        except TemplateError as error:
            raise LabError(f"the target's chat template cannot be used ({error}): get the target again.") from error
        before, _, after = str(framed).partition(_MARK)
    elif tokenizer.bos_token:
        before = tokenizer.bos_token
    ids = [
        *tokenizer.encode(before, add_special_tokens=False),
        *tokenizer.encode(prompt, add_special_tokens=False, split_special_tokens=True, verbose=False),
        *tokenizer.encode(after, add_special_tokens=False),
    ]
    if len(ids) > context_limit - 8:
        raise LabError(
            f"the prompt has {len(ids):,} tokens ({len(prompt):,} characters), but this model's context holds "
            f"{context_limit:,} and the answer needs room too: shorten the prompt to about "
            f"{max(1, int(len(prompt) * (context_limit - 8) / len(ids) * 0.95)):,} characters."
        )
    return ids

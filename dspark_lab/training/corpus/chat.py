"""Everyday chat: the high-entropy domain.

A tiny grammar: '{slot}' expands to a random entry of its table, '{Slot}' to the same with a capital letter. A prompt's
slots are remembered, so that the reply speaks of the same name, day or dish; every other slot of a reply is free. Words
inside a phrase are nearly certain, the choice between phrases is not, and that is where parallel drafters collide: "of
course" and "no problem" open many replies equally well.
"""

import re
from random import Random
from typing import NamedTuple

from .chat_tables import FREE
from .chat_topics import ASKED, TOPICS
from .math_tables import NAMES

HELLOS = (
    "",
    "",
    "",
    "Hi! ",
    "Hello! ",
    "Hey! ",
    "Good morning! ",
    "Good evening! ",
    "Hi there! ",
    "Hello there! ",
    "Good afternoon! ",
    "Hello again! ",
    "Hi again! ",
    "Good day! ",
)
GOODBYES = (
    "",
    "",
    "",
    " Thanks!",
    " Please keep it short.",
    " Thank you in advance!",
    " Thank you!",
    " Many thanks!",
    " A short answer is fine.",
    " One idea is enough.",
    " Please be brief.",
)
_REMARKS = ("thanks", "weather", "apology", "greeting", "cheer")  # these ask for nothing, so nobody says thanks

_SLOT = re.compile(r"\{(\w+)\}")
_TABLE = {**ASKED, **FREE, "name": NAMES}
_TOPICS = tuple(TOPICS)


class Request(NamedTuple):
    """A drawn prompt, its topic and the slots the reply must keep."""

    prompt: str
    topic: str
    slots: dict[str, str]

    def answer(self, rng: Random) -> str:
        """Return one of very many equally good replies."""
        kept = {slot: value.replace("my ", "your ") for slot, value in self.slots.items()}
        return _expand(rng.choice(TOPICS[self.topic][1]), kept, rng)


def draw(rng: Random) -> Request:
    """Draw a topic and a prompt about it."""
    topic = rng.choice(_TOPICS)
    template = rng.choice(TOPICS[topic][0])
    kept = {slot: rng.choice(_TABLE[slot]) for slot in map(str.lower, _SLOT.findall(template))}
    prompt = rng.choice(HELLOS) + _expand(template, kept, rng)
    return Request(prompt if topic in _REMARKS else prompt + rng.choice(GOODBYES), topic, kept)


def _expand(template: str, kept: dict[str, str], rng: Random) -> str:
    """Fill every slot: remembered values first, else a free choice, nested slots included."""
    used: set[str] = set()

    def fill(match: re.Match[str]) -> str:
        slot = match[1].lower()
        text = kept[slot] if slot in kept else _fresh(_TABLE[slot], used, rng)
        text = _SLOT.sub(fill, text)
        return text[0].upper() + text[1:] if match[1][0].isupper() else text

    return _SLOT.sub(fill, template)


def _fresh(options: tuple[str, ...], used: set[str], rng: Random) -> str:
    """Choose a phrase, if possible one this reply has not used."""
    choice = rng.choice(options)
    for _ in range(3):  # a short table may be used up, then a phrase comes twice
        if choice not in used:
            break
        choice = rng.choice(options)
    used.add(choice)
    return choice


OPEN_PROMPTS = (
    "Can you recommend a thrilling book for my teacher?",
    "I want to invite Leo to a picnic on Saturday at seven.",
    "Hey! I am nervous about the exam on Friday.",
)

"""Word problems with a worked answer: the low-entropy domain.

A story lists its steps ("p=a+b", "q=p-c"), several ways to ask, and one answer. Once the prompt has fixed names and
numbers, the answer is certain, so a drafter is limited only by arithmetic and copying. Every number lies in 2..100:
plurals are always right, and the facts (sums with a term up to 20, the small times table) are few enough to memorise.
"""

from random import Random
from typing import NamedTuple

from .math_tables import BOYS, CHOICES, GIRLS, NAMES, STORIES

_PRONOUNS = dict.fromkeys(GIRLS, ("She", "she", "her")) | dict.fromkeys(BOYS, ("He", "he", "his"))


class Story(NamedTuple):
    """A problem template: `steps` fix the numbers, `prompts` are ways to ask, `answer` the only reply.

    `objects` are the CHOICES it needs.
    """

    steps: tuple[str, ...]
    prompts: tuple[str, ...]
    answer: str
    objects: tuple[str, ...]


class Problem(NamedTuple):
    """A drawn problem; the answer needs no further chance."""

    prompt: str
    story: Story
    slots: dict[str, str | int]

    def answer(self, rng: Random) -> str:
        """Return the worked answer, which ends 'The answer is N.'; `rng` is not used."""
        return self.story.answer.format_map(self.slots)


def _parse(block: str) -> Story:
    """Read one block of the table."""
    steps, *lines = block.replace("\n  ", " ").splitlines()
    asks = tuple(line[2:] for line in lines if line.startswith("?"))
    (answer,) = (line[2:] for line in lines if line.startswith("="))
    objects = tuple(slot for slot in CHOICES if f"{{{slot}}}" in block)
    return Story(tuple(steps.split()), asks, answer, objects)


_STORIES = tuple(_parse(block) for block in STORIES.strip().split("\n\n"))
# Ranges a fresh number is drawn from, (left, right) of an operator; division draws quotient and divisor instead.
_RANGES = {"+": ((2, 95), (2, 20)), "-": ((4, 99), (2, 20)), "*": ((2, 10), (2, 10)), "/": ((2, 10), (2, 10))}


def draw(rng: Random) -> Problem:
    """Draw a story, its numbers, names and objects, and one way to ask."""
    story = rng.choice(_STORIES)
    slots: dict[str, str | int] = {**_numbers(story.steps, rng)}
    name, friend = rng.sample(NAMES, 2)
    he, subject, possessive = _PRONOUNS[name]
    slots.update(name=name, friend=friend, He=he, he=subject, his=possessive)
    for slot in story.objects:
        slots[slot] = rng.choice(CHOICES[slot])
    return Problem(rng.choice(story.prompts).format_map(slots), story, slots)


def _numbers(steps: tuple[str, ...], rng: Random) -> dict[str, int]:
    """Draw numbers until every step stays inside the facts a small model can memorise."""
    while True:
        values: dict[str, int] = {}
        if all(_step(step, values, rng) for step in steps):
            return values


def _step(step: str, values: dict[str, int], rng: Random) -> bool:
    """Work one step such as 'p=a+b', drawing the operands not known yet; False if a number leaves its range."""
    target, left, op, right = step[0], step[2], step[3], step[4]
    (low, high), (least, most) = _RANGES[op]
    y = values[right] if right in values else values.setdefault(right, _between(least, most, rng))
    fresh = _between(low, high, rng) * (y if op == "/" else 1)
    x = values.setdefault(left, fresh)
    values[target] = result = _apply(x, op, y)
    known_fact = max(x, y) <= 10 if op == "*" else x == result * y and 2 <= result <= 10 if op == "/" else y <= 20
    return known_fact and 2 <= result <= (100 if op in "*/" else 99)


def _between(low: int, high: int, rng: Random) -> int:
    return low + int(rng.random() * (high - low + 1))  # several times faster than randint


def _apply(x: int, op: str, y: int) -> int:
    return x + y if op == "+" else x - y if op == "-" else x * y if op == "*" else x // y


OPEN_PROMPTS = (
    "Tom has 12 apples. He buys 9 more and gives 6 to Anna. How many apples does Tom have now?",
    "Emma bakes 6 trays of 3 cookies and packs them into bags of 9. How many bags does she fill?",
    "A bus has 38 passengers. At the first stop 18 get on. At the next stop 7 get off. "
    "How many passengers are on the bus?",
)

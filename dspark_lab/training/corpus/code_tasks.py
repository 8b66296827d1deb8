"""Small Python functions: the medium-entropy domain.

A task composes filter x map x reduce x source ("the sum of the squares of the even numbers in a list"), does the same
over words, or comes from a table of single tasks. What the code must compute is fixed by the prompt; names, loop or
comprehension, annotations and the docstring's wording are free choices.
"""

from random import Random
from typing import NamedTuple

from .code_singles import SINGLES, Single
from .code_tables import (
    ASKS,
    COUNT,
    ENDINGS,
    INDIRECT,
    INDIRECT_VERBS,
    LISTS,
    NUMBER_FILTERS,
    NUMBER_MAPS,
    NUMBER_NAMES,
    NUMBER_REDUCES,
    NUMBER_SOURCES,
    PREFIXES,
    VERBS,
    WORD_FILTERS,
    WORD_MAPS,
    WORD_NAMES,
    WORD_REDUCES,
    WORD_SOURCES,
    Reduce,
)


class Composed(NamedTuple):
    """Filter, map, reduce and source of a composed task, with the names its elements may get."""

    condition: str
    expressions: tuple[str, ...]
    nouns: tuple[str, ...]
    reduce: Reduce
    source: tuple[str, str, tuple[str, ...], str]
    elements: tuple[str, ...]


class Task(NamedTuple):
    """A drawn task; `what` and `short` (the source left out) describe it, `constants` fill its '#', '~' and '@'."""

    prompt: str
    what: str
    short: str
    kind: Single | Composed
    constants: tuple[str, str, str]

    def answer(self, rng: Random) -> str:
        """Return a function that does what the prompt says, in freely chosen names and style."""
        lines = _single_lines(self.kind, rng) if isinstance(self.kind, Single) else _composed_lines(self.kind, rng)
        doc = rng.choice((self.what, self.what.replace(" in a ", " in the "), self.short, self.short, self.short))
        verbs = INDIRECT_VERBS if doc.startswith(INDIRECT) else VERBS
        lines.insert(1, f'"""{rng.choice(verbs)} {doc}."""')
        return _fill("\n    ".join(lines), self.constants)


def draw(rng: Random) -> Task:
    """Draw a task and a way to ask for it."""
    roll = rng.random()
    if roll < 0.15:
        single = rng.choice(SINGLES)
        kind: Single | Composed = single
        what = short = single.what
    else:
        kind, what, short = _compose(rng, words=roll < 0.4)
    first = rng.randint(2, 30 if "numbers greater" in what or "numbers less" in what or "least" in what else 12)
    constants = (str(first), str(rng.randint(2, 12)), rng.choice("abcdefghiklmnoprstuwy"))
    asks = [ask for ask in ASKS if "returns" in ask] if what.startswith(INDIRECT) else ASKS
    ask = rng.choice(asks).replace("{what}", what) + rng.choice(ENDINGS)
    return Task(_fill(ask, constants), _fill(what, constants), _fill(short, constants), kind, constants)


def _fill(text: str, constants: tuple[str, str, str]) -> str:
    return text.replace("#", constants[0]).replace("~", constants[1]).replace("@", constants[2])


def _compose(rng: Random, words: bool) -> tuple[Composed, str, str]:
    """Draw a composed task with its description, with and without the source."""
    kept, condition, nouns = rng.choice(WORD_FILTERS if words else NUMBER_FILTERS)
    reduce = rng.choice((*(WORD_REDUCES if words else NUMBER_REDUCES), COUNT))
    around, expressions, more = rng.choice(WORD_MAPS if words else NUMBER_MAPS)
    if reduce is COUNT:
        around, expressions, more = "{}", ("{x}",), ()
    source = rng.choice(WORD_SOURCES if words else NUMBER_SOURCES)
    if source[2] == ("n",) and "tive" in kept:  # from 1 to n, no number is negative and all are positive
        source = NUMBER_SOURCES[0]
    what, short = (reduce.phrase.format(around.format(text)) for text in (f"{kept} {source[0]}", kept))
    elements = WORD_NAMES if words else NUMBER_NAMES
    return Composed(condition, expressions, nouns + more, reduce, source, elements), what, short


def _composed_lines(kind: Composed, rng: Random) -> list[str]:
    """Write signature and body in one of three styles: an expression, a list first, or a loop."""
    reduce, (_, iterable, parameters, hint) = kind.reduce, kind.source
    p = rng.choice(parameters)
    x = _other(kind.elements, (p,), rng)
    data, e, test = iterable.replace("{p}", p), rng.choice(kind.expressions), kind.condition
    condition = f" if {test}" if test else ""
    comp = f"{{e}} for {x} in {data}{condition}".replace("{e}", e).replace("{x}", x)
    style = rng.choice([s for s, ok in (("one", reduce.one), ("listed", reduce.listed), ("loop", reduce.start)) if ok])
    v = _other(reduce.names if style == "loop" else LISTS, (p, x), rng)
    if style == "one":
        plain = e == "{x}" and not test
        it, gen = (data, data) if plain else (comp, f"({comp})")
        body = ["return " + reduce.one.replace("{it}", it).replace("{gen}", gen).replace("{comp}", comp)]
        body = [body[0].replace("{d}", data).replace("{if_}", condition)]
    elif style == "listed":
        body = [f"{v} = [{comp}]", "return " + rng.choice(reduce.listed).replace("{v}", v)]
    else:
        update = rng.choice(reduce.updates).replace("{v}", v).replace("{e}", e)
        inner = [f"    if {test}:", "        " + update] if test else ["    " + update]
        body = [f"{v} = {reduce.start}", f"for {x} in {data}:", *inner, f"return {v}"]
    typed = rng.choice((True, False, False))
    arguments = f"({p}: {hint}){reduce.hint and ' -> ' + reduce.hint}:" if typed else f"({p}):"
    name = f"{rng.choice(PREFIXES)}{rng.choice(reduce.verbs)}_{rng.choice(kind.nouns)}"
    return [f"def {name}{arguments}", *(line.replace("{x}", x) for line in body)]


def _single_lines(kind: Single, rng: Random) -> list[str]:
    p = rng.choice(kind.parameters)
    body = rng.choice(kind.bodies).replace("{p}", p)
    return [f"def {rng.choice(kind.names)}({p}):", *body.split("\n")]


def _other(options: tuple[str, ...], taken: tuple[str, ...], rng: Random) -> str:
    """Choose a name not taken yet."""
    return rng.choice([option for option in options if option not in taken])


OPEN_PROMPTS = (
    "Code a small function that returns the sum of the cubes of the even numbers in a list.",
    'Write a Python function that returns the number of words that start with "b" in a sentence.',
    "Code a small function that returns the keys of a dictionary whose values are above 7.",
)

"""The tables of the code domain: filters, maps, reductions, sources and single tasks. See code_tasks.py."""

from typing import NamedTuple

ASKS = (
    "Write a Python function that returns {what}.",
    "Write a function that returns {what}.",
    "Write a short function to get {what}.",
    "Please write a Python function that returns {what}.",
    "Define a Python function that finds {what}.",
    "Implement a function that returns {what}.",
    "I need a Python function that gives me {what}.",
    "Give me a function that returns {what}.",
    "Can you write a function that returns {what}?",
    "Show me a Python function for {what}.",
    "In Python, how do I get {what}?",
    "Code a small function that returns {what}.",
)
ENDINGS = ("", "", "", "", " Thanks!", " Keep it short.", " Please keep it simple.", " Only the code, please.")
VERBS = ("Return", "Compute", "Calculate", "Get", "Find", "Give", "Work out", "Determine", "Give back", "Produce")
INDIRECT = ("whether", "how")  # starts of descriptions that few verbs can govern
INDIRECT_VERBS = ("Return", "Determine", "Find", "Work out", "Compute", "Tell", "Find out")
PREFIXES = ("", "", "", "get_", "compute_", "calc_", "find_", "my_")

# (phrase, condition, nouns for a name); '#' is a constant. An empty condition keeps everything.
NUMBER_FILTERS = (
    ("numbers", "", ("numbers", "values", "items")),
    ("even numbers", "{x} % 2 == 0", ("even", "evens")),
    ("odd numbers", "{x} % 2 == 1", ("odd", "odds")),
    ("positive numbers", "{x} > 0", ("positive", "positives")),
    ("negative numbers", "{x} < 0", ("negative", "negatives")),
    ("multiples of #", "{x} % # == 0", ("multiples", "multiples_of_#")),
    ("numbers not divisible by #", "{x} % # != 0", ("others", "not_divisible")),
    ("numbers greater than #", "{x} > #", ("large", "above_#", "big")),
    ("numbers less than #", "{x} < #", ("small", "below_#")),
    ("numbers of at least #", "{x} >= #", ("at_least_#", "large")),
)
WORD_FILTERS = (
    ("words", "", ("words", "strings")),
    ("words longer than # characters", "len({x}) > #", ("long", "long_words")),
    ("words shorter than # characters", "len({x}) < #", ("short", "short_words")),
    ("words of exactly # characters", "len({x}) == #", ("words", "words_of_#")),
    ('words that start with "@"', '{x}.startswith("@")', ("starting", "words_with_@")),
    ('words that end with "@"', '{x}.endswith("@")', ("ending", "words_with_@")),
    ('words that contain "@"', '"@" in {x}', ("containing", "words_with_@")),
)
# (phrase around the filter, equally good expressions, nouns)
NUMBER_MAPS = (
    ("the {}", ("{x}",), ()),
    ("the squares of the {}", ("{x} * {x}", "{x} ** 2"), ("squares", "squared")),
    ("the cubes of the {}", ("{x} ** 3", "{x} * {x} * {x}"), ("cubes", "cubed")),
    ("the doubles of the {}", ("2 * {x}", "{x} * 2"), ("doubles", "doubled")),
    ("the halves of the {}", ("{x} / 2",), ("halves", "halved")),
    ("the last digits of the {}", ("abs({x}) % 10",), ("last_digits", "digits")),
    ("the absolute values of the {}", ("abs({x})",), ("absolute", "abs_values")),
)
WORD_MAPS = (
    ("the {}", ("{x}",), ()),
    ("the upper-case forms of the {}", ("{x}.upper()",), ("upper", "upper_case")),
    ("the lower-case forms of the {}", ("{x}.lower()",), ("lower", "lower_case")),
    ("the reversed forms of the {}", ("{x}[::-1]",), ("reversed", "backwards")),
    ("the first letters of the {}", ("{x}[:1]",), ("first_letters", "initials")),
)


class Reduce(NamedTuple):
    """How values become one result, three ways: in `one` expression, from a `listed` variable, or by a loop.

    `one` may use {it} (a generator), {gen} (the same in parentheses) or {comp} (never shortened to the source).
    """

    phrase: str
    verbs: tuple[str, ...]
    one: str
    listed: tuple[str, ...]
    start: str
    updates: tuple[str, ...]
    names: tuple[str, ...]
    hint: str


_SUM = ("{v} += {e}", "{v} = {v} + {e}")
_PRODUCT = ("{v} *= {e}", "{v} = {e} * {v}")  # not {v} * {e}: % binds as tightly as *
_MAX = ("max({v}, default=None)", "max({v}) if {v} else None")
_MIN = ("min({v}, default=None)", "min({v}) if {v} else None")
LISTS = ("result", "output", "out", "found", "kept", "collected", "picked", "chosen", "selected", "values")
NUMBER_REDUCES = (
    Reduce(
        "the sum of {}",
        ("sum", "total", "sum_of", "added", "full_sum"),
        "sum({it})",
        ("sum({v})",),
        "0",
        _SUM,
        ("total", "result", "s", "acc", "answer", "running", "tally", "amount"),
        "float",
    ),
    Reduce(
        "a list of {}",
        ("list", "list_of", "all", "collected", "selected"),
        "[{comp}]",
        ("{v}",),
        "[]",
        ("{v}.append({e})",),
        LISTS,
        "list",
    ),
    Reduce(
        "the product of {}",
        ("product", "product_of", "prod", "multiplied"),
        "",
        (),
        "1",
        _PRODUCT,
        ("product", "result", "p", "acc", "answer", "prod", "out"),
        "float",
    ),
    Reduce(
        "the largest of {}, or None if there are none",
        ("max", "largest", "maximum", "biggest"),
        "max({gen}, default=None)",
        _MAX,
        "",
        (),
        (),
        "",
    ),
    Reduce(
        "the smallest of {}, or None if there are none",
        ("min", "smallest", "minimum", "least"),
        "min({gen}, default=None)",
        _MIN,
        "",
        (),
        (),
        "",
    ),
)
COUNT = Reduce(
    "the number of {}",
    ("count", "number_of", "count_of", "num"),
    "sum(1 for {x} in {d}{if_})",
    ("len({v})",),
    "0",
    ("{v} += 1", "{v} = {v} + 1"),
    ("count", "total", "n", "counter", "hits", "c", "result", "tally"),
    "int",
)
WORD_REDUCES = (
    Reduce(
        "a list of {}",
        ("list", "list_of", "all", "collected", "selected"),
        "[{comp}]",
        ("{v}",),
        "[]",
        ("{v}.append({e})",),
        LISTS,
        "list",
    ),
    Reduce(
        "a set of {}",
        ("set_of", "unique", "distinct", "different"),
        "set({it})",
        ("set({v})",),
        "set()",
        ("{v}.add({e})",),
        ("result", "seen", "found", "unique"),
        "set",
    ),
    Reduce(
        "{}, joined by commas",
        ("joined", "combined", "text_of", "glued"),
        '", ".join({it})',
        ('", ".join({v})',),
        "",
        (),
        (),
        "str",
    ),
    Reduce(
        "{}, sorted by length",
        ("sorted", "ordered", "by_length", "ranked"),
        "sorted({gen}, key=len)",
        ("sorted({v}, key=len)",),
        "",
        (),
        (),
        "list",
    ),
)
# (phrase, iterable, parameters, annotation)
NUMBERS = ("numbers", "values", "items", "nums", "data", "xs", "lst", "array", "series", "sequence", "ns")
DICTS = ("mapping", "table", "d", "data", "dictionary", "lookup", "entries")
NUMBER_SOURCES = (
    ("in a list", "{p}", NUMBERS, "list"),
    ("in a list", "{p}", NUMBERS, "list"),
    ("in a tuple", "{p}", NUMBERS, "tuple"),
    ("in the values of a dict", "{p}.values()", DICTS, "dict"),
    ("from 1 to n", "range(1, n + 1)", ("n",), "int"),
)
WORD_SOURCES = (
    ("in a list", "{p}", ("words", "items", "strings", "texts", "tokens", "entries", "parts", "data"), "list"),
    ("in a sentence", "{p}.split()", ("sentence", "text", "line", "s", "phrase", "message", "string"), "str"),
    ("in the keys of a dict", "{p}", DICTS, "dict"),
)
NUMBER_NAMES = ("x", "n", "number", "value", "num", "item", "i", "v", "k", "element", "a", "current")
WORD_NAMES = ("word", "w", "item", "s", "token", "x", "t", "part", "entry", "piece")

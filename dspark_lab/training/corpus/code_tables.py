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
    Reduce("the sum of {}", ("sum", "total", "sum_of", "added", "full_sum"), "sum({it})", ("sum({v})",), "0", _SUM,
           ("total", "result", "s", "acc", "answer", "running", "tally", "amount"), "float"),
    Reduce("a list of {}", ("list", "list_of", "all", "collected", "selected"), "[{comp}]", ("{v}",), "[]",
           ("{v}.append({e})",), LISTS, "list"),
    Reduce("the product of {}", ("product", "product_of", "prod", "multiplied"), "", (), "1", _PRODUCT,
           ("product", "result", "p", "acc", "answer", "prod", "out"), "float"),
    Reduce("the largest of {}, or None if there are none", ("max", "largest", "maximum", "biggest"),
           "max({gen}, default=None)", _MAX, "", (), (), ""),
    Reduce("the smallest of {}, or None if there are none", ("min", "smallest", "minimum", "least"),
           "min({gen}, default=None)", _MIN, "", (), (), ""),
)
COUNT = Reduce("the number of {}", ("count", "number_of", "count_of", "num"), "sum(1 for {x} in {d}{if_})",
               ("len({v})",), "0", ("{v} += 1", "{v} = {v} + 1"),
               ("count", "total", "n", "counter", "hits", "c", "result", "tally"), "int")
WORD_REDUCES = (
    Reduce("a list of {}", ("list", "list_of", "all", "collected", "selected"), "[{comp}]", ("{v}",), "[]",
           ("{v}.append({e})",), LISTS, "list"),
    Reduce("a set of {}", ("set_of", "unique", "distinct", "different"), "set({it})", ("set({v})",), "set()",
           ("{v}.add({e})",), ("result", "seen", "found", "unique"), "set"),
    Reduce("{}, joined by commas", ("joined", "combined", "text_of", "glued"), '", ".join({it})', ('", ".join({v})',),
           "", (), (), "str"),
    Reduce("{}, sorted by length", ("sorted", "ordered", "by_length", "ranked"), "sorted({gen}, key=len)",
           ("sorted({v}, key=len)",), "", (), (), "list"),
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


class Single(NamedTuple):
    """A task of its own: '#' and '~' are numbers, '@' is a letter; every body computes the same."""

    what: str
    names: tuple[str, ...]
    parameters: tuple[str, ...]
    bodies: tuple[str, ...]


_TEXT = ("text", "s", "string", "line", "phrase", "content", "message", "txt")
_DICT = DICTS
_NUM = ("x", "n", "number", "value", "num", "a", "k", "given")
SINGLES = (
    Single('how many times "@" occurs in a text', ("count_@", "count_letter", "occurrences"), _TEXT,
           ('return {p}.count("@")', 'return sum(1 for c in {p} if c == "@")')),
    Single('a text without the letter "@"', ("remove_@", "without_@", "drop_letter"), _TEXT,
           ('return {p}.replace("@", "")', 'return "".join(c for c in {p} if c != "@")')),
    Single('a text with every "@" replaced by # stars', ("replace_@", "mask_letter", "hide"), _TEXT,
           ('return {p}.replace("@", "*" * #)', 'stars = "*" * #\nreturn {p}.replace("@", stars)')),
    Single("the first # characters of a text, repeated ~ times", ("repeat_start", "repeat_first", "echo"), _TEXT,
           ("return {p}[:#] * ~", "start = {p}[:#]\nreturn start * ~")),
    Single("the last # items of a list in reverse order", ("last_reversed", "tail", "last_items"), ("items", "values"),
           ("return {p}[-#:][::-1]", "tail = {p}[-#:]\nreturn tail[::-1]", "return list(reversed({p}[-#:]))")),
    Single("every item of a list from index # on, in steps of ~", ("every", "take_every", "stride"), ("items", "xs"),
           ("return {p}[#::~]", "return [{p}[i] for i in range(#, len({p}), ~)]")),
    Single("the keys of a dictionary whose values are above #", ("keys_above", "keys_above_#", "big_keys"), _DICT,
           ("return [k for k, v in {p}.items() if v > #]", "return [key for key in {p} if {p}[key] > #]",
            "keys = []\nfor k, v in {p}.items():\n    if v > #:\n        keys.append(k)\nreturn keys")),
    Single("a dictionary with every value multiplied by # and raised by ~", ("scale", "scale_values"), _DICT,
           ("return {k: v * # + ~ for k, v in {p}.items()}", "return {key: # * {p}[key] + ~ for key in {p}}")),
    Single("a copy of a dictionary with # added to each value", ("add_#", "raise_values", "shift"), _DICT,
           ("return {k: v + # for k, v in {p}.items()}",
            "result = {}\nfor k, v in {p}.items():\n    result[k] = v + #\nreturn result")),
    Single('how often each word occurs in a text, for words with "@"', ("count_words", "word_counts"), _TEXT,
           ('counts = {}\nfor w in {p}.split():\n    if "@" in w:\n        counts[w] = counts.get(w, 0) + 1\n'
            "return counts",)),
    Single("whether a number is divisible by # and by ~", ("check", "is_divisible", "divisible_by_both"), _NUM,
           ("return {p} % # == 0 and {p} % ~ == 0", "return not {p} % # and not {p} % ~")),
    Single("whether a number is divisible by # but not by ~", ("check", "is_divisible", "test"), _NUM,
           ("return {p} % # == 0 and {p} % ~ != 0", "if {p} % ~ == 0:\n    return False\nreturn {p} % # == 0")),
    Single("whether all numbers in a list are above #", ("all_above", "all_above_#", "all_large"), ("numbers", "xs"),
           ("return all(x > # for x in {p})", "for x in {p}:\n    if x <= #:\n        return False\nreturn True")),
    Single("whether any number in a list is a multiple of #", ("any_multiple", "has_multiple"), ("numbers", "values"),
           ("return any(x % # == 0 for x in {p})",
            "for x in {p}:\n    if x % # == 0:\n        return True\nreturn False")),
    Single("a number times # plus ~", ("scale", "transform", "linear", "f"), _NUM,
           ("return {p} * # + ~", "return # * {p} + ~", "result = # * {p}\nreturn result + ~")),
    Single("the remainder of a number after division by #, plus ~", ("remainder", "mod_#", "rest"), _NUM,
           ("return {p} % # + ~", "rest = {p} % #\nreturn rest + ~")),
    Single("a number, but at least # and at most # + ~", ("clamp", "limit", "clip"), _NUM,
           ("return max(#, min({p}, # + ~))", "return min(max({p}, #), # + ~)")),
    Single('whether a text starts with "@" and has more than # characters', ("check", "is_match", "matches"), _TEXT,
           ('return {p}.startswith("@") and len({p}) > #', 'return len({p}) > # and {p}[0] == "@"')),
)

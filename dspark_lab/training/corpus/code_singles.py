"""Code tasks that no filter, map and reduction compose: a table, read by code_tasks.py."""

from typing import NamedTuple

from .code_tables import DICTS


class Single(NamedTuple):
    """A task of its own: '#' and '~' are numbers, '@' is a letter; every body computes the same."""

    what: str
    names: tuple[str, ...]
    parameters: tuple[str, ...]
    bodies: tuple[str, ...]


_TEXT = ("text", "s", "string", "line", "phrase", "content", "message", "txt")
_NUM = ("x", "n", "number", "value", "num", "a", "k", "given")
SINGLES = (
    Single(
        'how many times "@" occurs in a text',
        ("count_@", "count_letter", "occurrences"),
        _TEXT,
        ('return {p}.count("@")', 'return sum(1 for c in {p} if c == "@")'),
    ),
    Single(
        'a text without the letter "@"',
        ("remove_@", "without_@", "drop_letter"),
        _TEXT,
        ('return {p}.replace("@", "")', 'return "".join(c for c in {p} if c != "@")'),
    ),
    Single(
        'a text with every "@" replaced by # stars',
        ("replace_@", "mask_letter", "hide"),
        _TEXT,
        ('return {p}.replace("@", "*" * #)', 'stars = "*" * #\nreturn {p}.replace("@", stars)'),
    ),
    Single(
        "the first # characters of a text, repeated ~ times",
        ("repeat_start", "repeat_first", "echo"),
        _TEXT,
        ("return {p}[:#] * ~", "start = {p}[:#]\nreturn start * ~"),
    ),
    Single(
        "the last # items of a list in reverse order",
        ("last_reversed", "tail", "last_items"),
        ("items", "values"),
        ("return {p}[-#:][::-1]", "tail = {p}[-#:]\nreturn tail[::-1]", "return list(reversed({p}[-#:]))"),
    ),
    Single(
        "every item of a list from index # on, in steps of ~",
        ("every", "take_every", "stride"),
        ("items", "xs"),
        ("return {p}[#::~]", "return [{p}[i] for i in range(#, len({p}), ~)]"),
    ),
    Single(
        "the keys of a dictionary whose values are above #",
        ("keys_above", "keys_above_#", "big_keys"),
        DICTS,
        (
            "return [k for k, v in {p}.items() if v > #]",
            "return [key for key in {p} if {p}[key] > #]",
            "keys = []\nfor k, v in {p}.items():\n    if v > #:\n        keys.append(k)\nreturn keys",
        ),
    ),
    Single(
        "a dictionary with every value multiplied by # and raised by ~",
        ("scale", "scale_values"),
        DICTS,
        ("return {k: v * # + ~ for k, v in {p}.items()}", "return {key: # * {p}[key] + ~ for key in {p}}"),
    ),
    Single(
        "a copy of a dictionary with # added to each value",
        ("add_#", "raise_values", "shift"),
        DICTS,
        (
            "return {k: v + # for k, v in {p}.items()}",
            "result = {}\nfor k, v in {p}.items():\n    result[k] = v + #\nreturn result",
        ),
    ),
    Single(
        'how often each word occurs in a text, for words with "@"',
        ("count_words", "word_counts"),
        _TEXT,
        (
            'counts = {}\nfor w in {p}.split():\n    if "@" in w:\n        counts[w] = counts.get(w, 0) + 1\n'
            "return counts",
        ),
    ),
    Single(
        "whether a number is divisible by # and by ~",
        ("check", "is_divisible", "divisible_by_both"),
        _NUM,
        ("return {p} % # == 0 and {p} % ~ == 0", "return not {p} % # and not {p} % ~"),
    ),
    Single(
        "whether a number is divisible by # but not by ~",
        ("check", "is_divisible", "test"),
        _NUM,
        ("return {p} % # == 0 and {p} % ~ != 0", "if {p} % ~ == 0:\n    return False\nreturn {p} % # == 0"),
    ),
    Single(
        "whether all numbers in a list are above #",
        ("all_above", "all_above_#", "all_large"),
        ("numbers", "xs"),
        ("return all(x > # for x in {p})", "for x in {p}:\n    if x <= #:\n        return False\nreturn True"),
    ),
    Single(
        "whether any number in a list is a multiple of #",
        ("any_multiple", "has_multiple"),
        ("numbers", "values"),
        ("return any(x % # == 0 for x in {p})", "for x in {p}:\n    if x % # == 0:\n        return True\nreturn False"),
    ),
    Single(
        "a number times # plus ~",
        ("scale", "transform", "linear", "f"),
        _NUM,
        ("return {p} * # + ~", "return # * {p} + ~", "result = # * {p}\nreturn result + ~"),
    ),
    Single(
        "the remainder of a number after division by #, plus ~",
        ("remainder", "mod_#", "rest"),
        _NUM,
        ("return {p} % # + ~", "rest = {p} % #\nreturn rest + ~"),
    ),
    Single(
        "a number, but at least # and at most # + ~",
        ("clamp", "limit", "clip"),
        _NUM,
        ("return max(#, min({p}, # + ~))", "return min(max({p}, #), # + ~)"),
    ),
    Single(
        'whether a text starts with "@" and has more than # characters',
        ("check", "is_match", "matches"),
        _TEXT,
        ('return {p}.startswith("@") and len({p}) > #', 'return len({p}) > # and {p}[0] == "@"'),
    ),
)

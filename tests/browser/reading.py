"""Reading the stepper's page, and comparing it with a trace of Python's.

Texts are never fixed: every expectation is computed from a trace. Token text is expected as the page writes it
(``widgets/js/src/logic/format.js``), numbers to within the digits that are shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from playwright.sync_api import Locator, Page, expect

from dspark_lab.rounds import Choice, Position, Round, Token
from dspark_lab.trace import Trace

View = Page | Locator
"""A page with one stepper, or one stepper of several."""

_HIDDEN = re.compile("[\ue000\ue001\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_NAMED = {"\n": "↵", "\t": "⇥", "\r": "␍"}


def _code(match: re.Match[str]) -> str:
    return _NAMED.get(match[0], f"⟨{ord(match[0]):04X}⟩")


def chip_text(token: Token) -> str:
    """A token as its chip shows it: outer spaces and hidden characters made visible."""
    if not token.text:
        return "∅"
    spaced = re.sub(r"^ +| +$", lambda spaces: "␣" * len(spaces[0]), token.text)
    return _HIDDEN.sub(_code, spaced)


def flow_text(token: Token) -> str:
    """A token as running text shows it: line ends stay, with a mark."""
    return _HIDDEN.sub(lambda m: {"\n": "↵\n", "\t": "⇥\t"}.get(m[0], f"⟨{ord(m[0]):04X}⟩"), token.text)


def shows(written: str, value: float) -> bool:
    """Whether a written probability (".68", ">.999", "<.001", "1") stands for ``value``."""
    slack = 1e-5  # another thread count may order a sum differently
    if written.startswith("<"):
        return value < float(written[1:]) + slack
    if written.startswith(">"):
        return value > float(written[1:]) - slack
    digits = written.partition(".")[2]
    unit = 10.0 ** -len(digits)
    cut_off = digits and set(digits) == {"9"}  # never rounded up to a 1 that it is not
    return abs(float(written) - value) <= (unit if cut_off else unit / 2) + slack


def steps_of(r: Round) -> Iterator[tuple[str, int, str]]:
    """The steps of a round as (phase, position, part), in the order in which the page takes them."""
    first = r.positions[0] if r.positions else None
    yield "prompt", 0, ""
    if first and first.p_base is not None:
        yield "parallel", 0, ""
    for p in r.positions:
        if p.bias is not None:
            yield "sequential", p.k, "bias"
        yield "sequential", p.k, "draw"
    if first and first.confidence is not None:
        yield "confidence", 0, ""
    if first:
        yield "schedule", 0, ""
    yield "verify", 0, ""
    yield from (("accept", p.k, "") for p in r.positions if p.verdict in ("accepted", "rejected"))
    if r.final.token:
        yield "accept", r.final.position, "final"
    yield "commit", 0, ""


def number_of_steps(trace: Trace) -> int:
    return sum(1 for r in trace.rounds for _ in steps_of(r))


def cells(view: View) -> dict[str, tuple[str, str]]:
    """Every cell of the round's table by its test id without "cell-": what it shows, and the spoken name's content."""
    found = view.locator('[data-testid^="cell-"]').evaluate_all(
        """(cells) => cells.map(
            (cell) => [cell.dataset.testid.slice(5), cell.textContent, cell.getAttribute("aria-label")])"""
    )
    spoken = {name: re.sub(r", differs from [^,]*$", "", label.split(": ", 1)[1]) for name, _, label in found}
    return {name: (text, spoken[name]) for name, text, _ in found}


def phase(view: View) -> str:
    """The phase that the rail marks as the present one."""
    return view.locator('[data-testid^="phase-"][aria-current="step"]').get_attribute("data-testid")[len("phase-") :]


def chip(r: Round) -> str:
    """What a round's chip says: accepted tokens and how it ended."""
    end = {"bonus": "★", "residual": "✗", "none": "■"}[r.final.kind] if r.gamma else "●"
    return f"{r.accepted}✓{end}" if r.gamma else end


def go_to_round(view: View, index: int) -> None:
    """To the end of a round, by its chip."""
    view.get_by_test_id(f"round-chip-{index}").click()
    expect(view.get_by_test_id(f"round-chip-{index}")).to_have_attribute("aria-current", "true")
    expect(view.get_by_test_id("phase-commit")).to_have_attribute("aria-current", "step")


def check_trace(view: View, trace: Trace) -> None:
    """The page says what the trace says: chips, then every round's cells, then the whole text."""
    expect(view.locator('[data-testid^="round-chip-"]')).to_have_text([chip(r) for r in trace.rounds])
    for r in trace.rounds:
        go_to_round(view, r.index)
        check_round(view, r)
    check_text(view, trace.prompt, [token for r in trace.rounds for token in r.emitted])
    expect(view.get_by_test_id("scrub")).to_have_attribute("max", str(number_of_steps(trace) - 1))


def check_text(view: View, prompt: str, tokens: list[Token]) -> None:
    """The text so far is the prompt and these tokens, character by character."""
    shown = view.get_by_test_id("text-so-far").text_content()
    same("the text so far", shown, f"{prompt} {''.join(map(flow_text, tokens))}")


def same(what: str, shown: object, expected: object) -> None:
    assert shown == expected, f"{what}: the page shows {shown!r}, the trace says {expected!r}"


def number(what: str, written: str, value: float) -> None:
    assert shows(written, value), f"{what}: the page shows {written!r}, the trace says {value!r}"


def check_round(view: View, r: Round) -> None:
    """The table at a round's end: tokens, probabilities, draws and verdicts of every position, and the final token."""
    table = cells(view)
    for p in r.positions:
        _check_position(f"round {r.index}, position {p.k}", p, {row: table[f"{row}-{p.k}"] for row in _rows(p)})
    text, spoken = table["token-final"]
    place, token = f"round {r.index}, final", r.final.token
    if token is None:
        return same(place, text.strip(), "")
    kind = r.final.kind if r.gamma else "drawn"
    same(place, text.strip().removeprefix("◆"), chip_text(token))
    same(place, spoken, f"{kind} {chip_text(token)}")
    same(f"{place}, verdict", table["verdict-final"][0].split()[-1], kind)
    number(f"{place}, u", table["u-final"][1].removeprefix("u "), r.final.u)
    return None


def _rows(p: Position) -> list[str]:
    there = {"base": p.p_base, "bias": p.bias, "conf": p.confidence, "survival": p.survival, "target": p.p_t}
    return ["token", "draft", "u", "verdict", *(row for row, value in there.items() if value is not None)]


def _check_position(place: str, p: Position, shown: dict[str, tuple[str, str]]) -> None:
    token = chip_text(p.token)
    same(f"{place}, token", shown["token"][1], token)
    same(f"{place}, chip", shown["token"][0].removeprefix("◆")[: len(token)], token)  # ◆: changed by the fork
    same(f"{place}, verdict", shown["verdict"][1], p.verdict)
    same(f"{place}, verdict", shown["verdict"][0].split()[-1], p.verdict)
    for row, value in (("draft", p.p_d), ("target", p.p_t)):
        if value is not None:
            name, _, written = shown[row][1].rpartition(" ")
            same(f"{place}, {row}", name, token)
            number(f"{place}, {row}", written, value)
            assert written in shown[row][0], (
                f"{place}, {row}: {written!r} is spoken, but the page shows {shown[row][0]!r}"
            )
    for row, value in (("conf", p.confidence), ("survival", p.survival)):
        if value is not None:
            number(f"{place}, {row}", shown[row][1], value)
    if "base" in shown:
        _check_head(f"{place}, base", shown["base"][1], p.base[:3])
    if p.verdict in ("accepted", "rejected"):
        u, sign = re.fullmatch(r"u (\S+) ([<≥]) \S+", shown["u"][1]).groups()
        number(f"{place}, u", u, p.u_accept)
        same(f"{place}, u", sign, "<" if p.verdict == "accepted" else "≥")


def _check_head(place: str, spoken: str, head: tuple[Choice, ...]) -> None:
    """The most probable tokens, as "tok .5, tok .2, tok .1"."""
    for choice in head:
        assert chip_text(choice.token) in spoken, f"{place}: {choice.token.text!r} is missing in {spoken!r}"
    number(place, spoken.rpartition(" ")[2], head[-1].value)

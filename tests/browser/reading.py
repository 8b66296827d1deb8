"""Reading the stepper's page, and comparing it with a trace of Python's.

Texts are never fixed: every expectation is computed from a trace. Token text is expected as the page writes it
(``widgets/js/src/logic/format.js``), numbers to within the digits that are shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from playwright.sync_api import Locator, Page, expect

from dspark_lab.trace import Choice, Position, Round, Token, Trace

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
    assert shown == f"{prompt} {''.join(map(flow_text, tokens))}"


def check_round(view: View, r: Round) -> None:
    """The table at a round's end: tokens, probabilities, draws and verdicts of every position, and the final token."""
    table = cells(view)
    for p in r.positions:
        _check_position(p, {row: table[f"{row}-{p.k}"] for row in _rows(p)})
    text, spoken = table["token-final"]
    if r.final.token is None:
        assert not text.strip()
        return
    kind = r.final.kind if r.gamma else "drawn"
    assert text.strip() == chip_text(r.final.token)
    assert spoken == f"{kind} {chip_text(r.final.token)}"
    assert table["verdict-final"][0].endswith(kind)
    assert shows(table["u-final"][1].removeprefix("u "), r.final.u)


def _rows(p: Position) -> list[str]:
    there = {"base": p.p_base, "bias": p.bias, "conf": p.confidence, "survival": p.survival, "target": p.p_t}
    return ["token", "draft", "u", "verdict", *(row for row, value in there.items() if value is not None)]


def _check_position(p: Position, shown: dict[str, tuple[str, str]]) -> None:
    token = chip_text(p.token)
    assert shown["token"][1] == token
    assert shown["token"][0].startswith(token)
    assert shown["verdict"][1] == p.verdict
    assert p.verdict in shown["verdict"][0]
    for row, value in (("draft", p.p_d), ("target", p.p_t)):
        if value is not None:
            name, _, written = shown[row][1].rpartition(" ")
            assert name == token
            assert shows(written, value), f"{row} of position {p.k}: {written} shown, {value} in the trace"
            assert written in shown[row][0]
    for row, value in (("conf", p.confidence), ("survival", p.survival)):
        if value is not None:
            assert shows(shown[row][1], value), f"{row} of position {p.k}: {shown[row][1]} shown, {value} in the trace"
    if "base" in shown:
        _check_head(shown["base"][1], p.base)
    if p.verdict in ("accepted", "rejected"):
        u, sign = re.fullmatch(r"u (\S+) ([<≥]) \S+", shown["u"][1]).groups()
        assert shows(u, p.u_accept)
        assert sign == ("<" if p.verdict == "accepted" else "≥")


def _check_head(spoken: str, head: tuple[Choice, ...]) -> None:
    """Three most probable tokens, as "tok .5, tok .2, tok .1"."""
    for choice in head[:3]:
        token = chip_text(choice.token)
        assert token in spoken
    assert shows(spoken.rpartition(" ")[2], head[: min(3, len(head))][-1].value)

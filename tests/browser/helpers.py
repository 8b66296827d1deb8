"""What the browser tests share: reading the stepper's page, and comparing it with a trace of Python's.

Texts are never fixed: every expectation is computed from a trace. Token text is expected as the page writes it
(``widgets/js/src/logic/format.js``), numbers to within the digits that are shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from dspark_lab.trace import Choice, Position, Round, Token, Trace

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
SCREENSHOTS = ROOT / "tests" / "artefacts" / "screenshots"

READY = 180_000
"""Milliseconds that a loaded machine may take to start a kernel and import torch."""
RUN = 120_000
"""Milliseconds for a run or a fork."""
PHONE = {"width": 360, "height": 740}

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
    digits = len(written.partition(".")[2])
    return abs(float(written) - value) <= 0.5 * 10**-digits + slack


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


def cells(page: Page) -> dict[str, tuple[str, str]]:
    """Every cell of the round's table by its test id without "cell-": what it shows, and the spoken name's content."""
    found = page.evaluate(
        """() => [...document.querySelectorAll('[data-testid^="cell-"]')].map(
            (cell) => [cell.dataset.testid.slice(5), cell.textContent, cell.getAttribute("aria-label")])"""
    )
    spoken = {name: re.sub(r", differs from [^,]*$", "", label.split(": ", 1)[1]) for name, _, label in found}
    return {name: (text, spoken[name]) for name, text, _ in found}


def phase(page: Page) -> str:
    """The phase that the rail marks as the present one."""
    return page.locator('[data-testid^="phase-"][aria-current="step"]').get_attribute("data-testid")[len("phase-") :]


def chip(r: Round) -> str:
    """What a round's chip says: accepted tokens and how it ended."""
    end = {"bonus": "★", "residual": "✗", "none": "■"}[r.final.kind] if r.gamma else "●"
    return f"{r.accepted}✓{end}" if r.gamma else end


def go_to_round(page: Page, index: int) -> None:
    """To the end of a round, by its chip."""
    page.get_by_test_id(f"round-chip-{index}").click()
    expect(page.get_by_test_id(f"round-chip-{index}")).to_have_attribute("aria-current", "true")
    expect(page.get_by_test_id("phase-commit")).to_have_attribute("aria-current", "step")


def check_trace(page: Page, trace: Trace) -> None:
    """The page says what the trace says: chips, then every round's cells, then the whole text."""
    expect(page.locator('[data-testid^="round-chip-"]')).to_have_text([chip(r) for r in trace.rounds])
    for r in trace.rounds:
        go_to_round(page, r.index)
        check_round(page, r)
    check_text(page, trace.prompt, [token for r in trace.rounds for token in r.emitted])
    expect(page.get_by_test_id("scrub")).to_have_attribute("max", str(number_of_steps(trace) - 1))


def check_text(page: Page, prompt: str, tokens: list[Token]) -> None:
    """The text so far is the prompt and these tokens, character by character."""
    shown = page.get_by_test_id("text-so-far").text_content()
    assert shown == f"{prompt} {''.join(map(flow_text, tokens))}"


def check_round(page: Page, r: Round) -> None:
    """The table at a round's end: tokens, probabilities, draws and verdicts of every position, and the final token."""
    table = cells(page)
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


def generate(page: Page, prompt: str | None = None, **fields: Any) -> None:
    """Fill the controls that are given (by their test ids, ``_`` for ``-``), press Generate, wait for both runs' end."""
    fill(page, prompt, **fields)
    page.evaluate(
        """() => {
            const stop = document.querySelector('[data-testid="stop"]');
            window.wasBusy = !stop.disabled;
            new MutationObserver(() => { window.wasBusy ||= !stop.disabled; }).observe(stop, { attributes: true });
        }"""
    )
    page.get_by_test_id("generate").click()
    page.wait_for_function(
        """() => document.querySelector('[data-testid="error"]')
            || window.wasBusy && document.querySelector('[data-testid="stop"]').disabled""",
        timeout=RUN,
    )
    expect(page.get_by_test_id("error")).to_have_count(0)


def fill(page: Page, prompt: str | None = None, **fields: Any) -> None:
    if prompt is not None:
        page.get_by_test_id("prompt").fill(prompt)
    for name, value in fields.items():
        page.get_by_test_id(name.replace("_", "-")).fill(str(value))


def screenshot(page: Page, name: str) -> None:
    """Keep what the page looks like from top to bottom, for people. What scrolls may be an element within the page."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    before = page.viewport_size
    height = page.evaluate(f"Math.max(...({_SCROLLERS}).map((e) => e.scrollHeight - e.clientHeight))")
    page.set_viewport_size({**before, "height": min(4000, before["height"] + height)})
    page.mouse.move(0, 0)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", animations="disabled")
    page.set_viewport_size(before)


def screenshots(page: Page, name: str) -> None:
    """Light, dark, and as on a phone."""
    before = page.viewport_size
    for theme in ("light", "dark"):
        set_theme(page, theme)
        screenshot(page, f"{name}-{theme}")
    set_theme(page, "light")
    page.set_viewport_size(PHONE)
    screenshot(page, f"{name}-360")
    page.set_viewport_size(before)


def set_theme(page: Page, theme: str) -> None:
    """Press the theme's button until the page wears it."""
    button = page.get_by_test_id("theme")
    for _ in range(3):
        if button.text_content().endswith(theme):
            break
        button.click()
    expect(button).to_have_text(re.compile(f"{theme}$"))
    expect(page.locator("[data-theme]").first).to_have_attribute("data-theme", theme)


_SCROLLERS = """(() => {
    const found = [document.documentElement];
    for (let e = document.querySelector('[data-testid="stepper"]').parentElement; e; e = e.parentElement)
        if (/auto|scroll/.test(getComputedStyle(e).overflow)) found.push(e);
    return found;
})()"""


def check_no_sideways_scroll(page: Page) -> None:
    """Neither the page nor anything around the stepper is wider than its window."""
    for inner, outer in page.evaluate(f"({_SCROLLERS}).map((e) => [e.scrollWidth, e.clientWidth])"):
        assert inner <= outer, f"the page is {inner} px wide in a window of {outer} px"

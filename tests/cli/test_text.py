"""Text and numbers fit for a terminal."""

from __future__ import annotations

import pytest

from dspark_lab.cli.text import common_prefix, count, flow, line, probability, signed, token


@pytest.mark.parametrize("code", [*range(0x20), *range(0x7F, 0xA0), 0x200B, 0x202E, 0x2066, 0xFEFF, 0xD800])
def test_no_hidden_character_passes(code: int) -> None:
    assert chr(code) not in line(f"a{chr(code)}b")
    assert (chr(code) in flow(f"a{chr(code)}b")) == (chr(code) in "\n\t")
    flow(chr(code)).encode()


def test_what_can_be_read_stays_as_it_is() -> None:
    text = "Grüße, 東京 🍎 [bold]x[/bold] \\[a]"
    assert flow(text) == line(text) == text


def test_a_token_shows_its_spaces() -> None:
    assert [token(t) for t in (" a b ", "", "\n", "  ")] == ["␣a b␣", "∅", "↵", "␣␣"]


def test_probabilities_never_round_to_certainty() -> None:
    values = (0.0, 1e-9, 0.0004, 0.31, 0.9994, 0.9996, 1.0, None)
    assert [probability(v) for v in values] == ["0", "<.001", "<.001", "0.310", "0.999", ">.999", "1", "–"]


def test_biases_carry_their_sign_and_nought_has_none() -> None:
    assert [signed(v) for v in (1.914, -0.1, -0.001, 0.0, None)] == ["+1.91", "-0.10", "0.00", "0.00", "–"]


def test_counting_and_comparing() -> None:
    assert [count(n, "token") for n in (0, 1, 1200)] == ["0 tokens", "1 token", "1,200 tokens"]
    assert [common_prefix(a, b) for a, b in (("", "a"), ("ab", "ac"), ("ab", "ab"))] == [0, 1, 2]

"""A round as a table: every width, every verdict, and nothing that steers the terminal."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from dspark_lab.cli import block
from dspark_lab.rounds import Final, Node, Position, Round, Schedule, Token, Tree

EMPTY: tuple[()] = ()


def position(k: int, text: str, verdict: str, p_d: float, p_t: float | None, u: float | None) -> Position:
    ratio = None if p_t is None else min(1.0, p_t / p_d)
    return Position(
        k, Token(k, text), False, 0.5, (0.0, 1.0), p_d, 0.25, p_d, 0.9, 0.85, 0.85**k, p_t is not None, p_t, ratio, ratio, u,
        verdict, EMPTY, EMPTY, EMPTY, EMPTY, EMPTY, EMPTY,
    )  # fmt: skip


def a_round(*positions: Position, kind: str = "residual", token: str | None = " 8", text: str = "gives 8") -> Round:
    accepted = sum(p.verdict == "accepted" for p in positions)
    drawn = None if token is None else Token(99, token)
    u, cdf = (None, None) if token is None else (0.1, (0.0, 1.0))
    verified = sum(p.verified for p in positions)
    emitted = tuple(p.token for p in positions[:accepted]) + ((drawn,) if drawn else ())
    return Round(
        0, Token(1, " gives"), 10, len(positions), verified, 1.0, 0, 1.0, positions, None, None,
        Final(kind, accepted + 1, drawn, u, cdf, EMPTY), accepted, emitted, "", 10, 11 + verified, 11 + accepted,
        text, {}, None,
    )  # fmt: skip


MIXED = a_round(
    position(1, " 12", "accepted", 0.58, 0.66, 0.31),
    position(2, " 7", "rejected", 0.71, 0.22, 0.68),
    position(3, " =", "discarded", 0.98, 0.99, 0.4),
    position(4, " 19", "cut", 0.5, None, None),
)


def shown(round_: Round, width: int = 80, before: str = "", colour: bool = False) -> str:
    stream = io.StringIO()
    system = "truecolor" if colour else None
    console = Console(file=stream, width=width, force_terminal=colour, color_system=system, markup=False, emoji=False)
    block.show(round_, console, before)
    return stream.getvalue()


def test_each_verdict_has_its_shape_and_the_rejection_its_cause() -> None:
    text = shown(MIXED)
    verdicts = next(row for row in text.splitlines() if row.startswith("verdict")).split()
    assert verdicts == ["verdict", "✓", "✗", "·", "✂"]
    assert "1 of 4 accepted" in text and "○ residual token" in text and "○ ␣8" in text
    assert "Only 3 of 4 draft tokens went to the target." in text
    assert "u = 0.68 > p_t/p_d = 0.31: ' 7' is rejected, the residual draws ' 8'." in " ".join(text.split())


def test_numbers_too_close_for_two_digits_get_more() -> None:
    close = position(1, "a", "rejected", 0.5, 0.25, 0.5001)
    assert block.rejection(close) == "u = 0.5001 > p_t/p_d = 0.5000: 'a' is rejected"
    assert block.rejection(replace(close, u_accept=0.5)) == "u = 0.5 = p_t/p_d = 0.5: 'a' is rejected"


def test_all_accepted_shows_a_star_beyond_the_block() -> None:
    text = shown(a_round(position(1, " 7", "accepted", 0.5, 0.5, 0.1), kind="bonus"))
    assert "★ bonus token" in text and "★ ␣8" in text and "Accepted" not in text
    assert "1 accepted: the bonus ' 8' is drawn from p_t." in text


def test_an_accepted_end_of_sequence_has_no_final_row() -> None:
    end = a_round(position(1, "<|end|>", "accepted", 0.5, 0.5, 0.1), kind="none", token=None, text="")
    text = shown(replace(end, finished="eos"))
    assert "■ end of sequence" in text and "\nfinal" not in text
    assert "'<|end|>' is accepted and ends the sequence" in text


def test_a_verified_length_of_zero_says_so() -> None:
    text = shown(a_round(position(1, " 7", "cut", 0.5, None, None), kind="bonus"))
    assert "Only 0 of 1 draft token went to the target. The target draws ' 8' from p_t." in text


def test_a_round_without_a_draft_has_no_table() -> None:
    text = shown(a_round(kind="bonus"))
    assert "● drawn from p_t" in text and "verdict" not in text and "accepted" not in text


def test_rows_vanish_with_the_stages_a_drafter_lacks() -> None:
    bare = tuple(replace(p, p_base=None, bias=None, confidence=None, survival=None) for p in MIXED.positions)
    text = shown(replace(MIXED, positions=bare))
    for row in ("base U", "+ bias B", "conf c_k", "survival a_k"):
        assert row in shown(MIXED) and row not in text
    assert "draft p_d" in text and "target p_t" in text


@pytest.mark.parametrize("width", [20, 40, 80, 140])
@pytest.mark.parametrize("gamma", [1, 7, 16])
def test_no_line_is_wider_than_the_terminal_and_no_position_is_lost(width: int, gamma: int) -> None:
    positions = [position(k, f" token{k}", "accepted", 0.5, 0.5, 0.1) for k in range(1, gamma + 1)]
    text = shown(a_round(*positions, kind="bonus", text="word " * 200), width)
    assert max(cell_len(row) for row in text.splitlines()) <= width
    assert sum(row.count("✓") for row in text.splitlines() if row.startswith("verdict")) == gamma


def test_the_block_is_one_table_at_80_columns_and_split_where_it_does_not_fit() -> None:
    positions = [position(k, " a", "accepted", 0.5, 0.5, 0.1) for k in range(1, 8)]
    assert shown(a_round(*positions, kind="bonus")).count("\nverdict") == 1
    assert shown(a_round(*positions, kind="bonus"), 50).count("\nverdict") == 2


@pytest.mark.parametrize("colour", [False, True])
def test_a_models_text_neither_steers_the_terminal_nor_styles_itself(colour: bool) -> None:
    evil = "\x1b[2J\x9b[red]x[/red]:skull:\u202e\r\n"
    bad = a_round(position(1, evil, "rejected", 0.5, 0.1, 0.9), token=evil, text=evil)
    text = shown(replace(bad, anchor=Token(1, evil)), 140, colour=colour)
    assert "\x1b[2J" not in text and "\x9b" not in text and "\u202e" not in text and "\r" not in text
    assert "'␛[2J⟨009B⟩[red]x[/red]:skull:⟨202E⟩␍↵' is rejected" in text


def test_what_is_new_in_the_text_stands_out_from_what_was_there() -> None:
    text = shown(MIXED, before="gives", colour=True)
    assert "\x1b[1m 8\x1b[0m" in text


def a_tree_round(kind: str = "residual", *, ends: bool = False) -> Round:
    """Two nodes after the anchor, the second accepted; two after that one, rejected, or one that ends the sequence."""
    last = "accepted" if ends else "rejected"
    nodes = (
        Node(-1, 1, Token(1, " 12"), 0.6, 0.2, "rejected"),
        Node(-1, 1, Token(2, " 7"), 0.3, 0.5, "accepted"),
        Node(1, 2, Token(3, " ="), 0.9, 0.3, last),
        Node(0, 2, Token(4, " [b]+"), 0.8, 0.9, "discarded"),
        Node(1, 2, Token(5, "\x1b[2J"), 0.05, None, "cut"),
    )
    tree = Tree(nodes, 4, (0.31, 0.68))
    whole = a_round(kind=kind, token=None if ends else " 8")
    emitted = (nodes[1].token, nodes[2].token) if ends else (nodes[1].token, Token(99, " 8"))
    final = replace(whole.final, position=2 + ends)
    return replace(whole, tree=tree, accepted=1 + ends, emitted=emitted, final=final)


def test_a_tree_shows_its_branches_and_why_the_walk_ended() -> None:
    text = shown(a_tree_round())
    rows = [row for row in text.splitlines() if "─" in row]
    assert rows[0].startswith("├── ✗ ␣12  p_d 0.600  p_t 0.200  u 0.310")
    assert rows[1].startswith("│   └── · ␣[b]+  p_d 0.800  p_t 0.900") and "u 0" not in rows[1]
    assert rows[2].startswith("└── ✓ ␣7") and rows[4].rstrip() == "    └── ✂ ␛[2J  p_d 0.050"
    assert "tree of 5 nodes, 1 accepted  ○ residual token" in text and "\x1b" not in text
    words = " ".join(text.split())
    assert "Only 4 of 5 draft tokens went to the target." in words
    assert (
        "u = 0.68 > 0.30, all that p_t gives the drafts after ' 7': none is accepted, the residual draws ' 8'" in words
    )


def test_a_trees_other_endings_are_told() -> None:
    assert "1 accepted, down to a leaf: the bonus ' 8'" in shown(a_tree_round("bonus"), width=120)
    assert "' =' is accepted and ends the sequence" in shown(a_tree_round("none", ends=True), width=120)


def test_a_schedule_says_what_it_weighed_and_why_it_stopped() -> None:
    why = "Admitting x_4 would lower Theta from 212 to 205."
    plan = Schedule(
        "global", True, 64, "made up", "a GPU", "modelled", "", 3, 260, 250, 300.0, 36250.4, (1, 2, 3, 190), (0,), (1.0,), why
    )  # fmt: skip
    text = " ".join(shown(replace(MIXED, schedule=plan)).split())
    theta = "Theta 36,250 tokens/s expected, by a modelled step rate"
    assert f"✂ global (leaks) at a load of 64: B = 250 tokens, {theta}. {why}" in text
    assert block.grounds(plan) == "Step rate: a GPU (modelled). Load: made up."
    assert "calibrated" in text
    alone = replace(plan, load=0, background="", leaks=False, source="measured", note="Measured elsewhere.")
    assert block.scheduled(alone).startswith("✂ global: B = 250 tokens")
    assert block.grounds(alone) == "Step rate: a GPU (measured). Measured elsewhere."

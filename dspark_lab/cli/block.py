"""A round as a table: one column a position, one row a quantity."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree as RichTree

from dspark_lab import rounds
from dspark_lab.cli.text import apart, common_prefix, count, line, probability, quoted, signed, token
from dspark_lab.rounds import Position, Round, Schedule, Tree

MARKS = {
    rounds.ACCEPTED: "✓",
    rounds.REJECTED: "✗",
    rounds.DISCARDED: "·",
    rounds.CUT: "✂",
    rounds.RESIDUAL: "○",
    rounds.BONUS: "★",
    rounds.NONE: "■",
    "drawn": "●",
}
"""The shapes that the views draw, so that colour is never the only signal."""

COLOURS = {
    rounds.ACCEPTED: "bold #009e73",
    rounds.REJECTED: "bold #d55e00",
    rounds.DISCARDED: "bright_black",
    rounds.CUT: "bright_black",
    rounds.RESIDUAL: "bold #d55e00",
    rounds.BONUS: "bold #b8960c",
    rounds.NONE: "bold",
    "drawn": "bold",
}
DRAFT, TARGET, FAINT = "#3a9bd6", "#e69f00", "bright_black"

LABEL, NARROWEST, WIDEST = 12, 6, 12


def show(round_: Round, console: Console, before: str = "") -> None:
    """Print a round; ``before`` is the answer's text before it."""
    parts: list[RenderableType] = [_heading(round_, console.width)]
    if round_.text:
        parts.append(_text(round_, before, console.width))
    parts += [Padding(table, (1, 0, 0, 0)) for table in _tables(round_, console.width)]
    if round_.tree:
        parts.append(Padding(_tree(round_, round_.tree), (1, 0, 0, 0)))
    if round_.schedule:
        parts.append(Padding(Text(scheduled(round_.schedule), FAINT), (1, 0, 0, 0)))
    parts.append(Padding(Text(" ".join(causes(round_))), (0 if round_.schedule else 1, 0, 0, 0)))
    console.print(Group(*parts), Text())


def kind_of_final(round_: Round) -> str:
    """residual, bonus, none, or drawn where nothing was drafted."""
    return round_.final.kind if round_.gamma or round_.tree else "drawn"


def causes(round_: Round) -> Iterator[str]:
    """Why the round ended as it did, in a sentence or two."""
    final, drawn, tree = round_.final, round_.final.token, round_.tree
    drafted, verified = (len(tree.nodes), tree.verify_length) if tree else (round_.gamma, round_.verify_length)
    if verified < drafted:
        yield f"Only {verified} of {count(drafted, 'draft token')} went to the target."
    if drawn is None:
        yield f"{quoted(round_.emitted[-1].text)} is accepted and ends the sequence: no token is drawn after it."
    elif tree and final.kind == rounds.RESIDUAL:
        u, place = tree.u_accept[-1], quoted((round_.anchor, *round_.emitted)[round_.accepted].text)
        mass = sum(
            node.p_t or 0.0 for node in tree.nodes if node.k == final.position and node.verdict == rounds.REJECTED
        )
        shown = apart(u, mass)
        sign = ">" if u > mass else "="
        yield (
            f"u = {shown[0]} {sign} {shown[1]}, all that p_t gives the drafts after {place}: none is accepted, the "
            f"residual draws {quoted(drawn.text)}."
        )
    elif final.kind == rounds.RESIDUAL:
        p = round_.positions[round_.accepted]
        yield f"{rejection(p)}, the residual draws {quoted(drawn.text)}."
    elif drafted == 0:
        yield f"Nothing is drafted: the target draws {quoted(drawn.text)} from p_t."
    elif verified == 0:
        yield f"The target draws {quoted(drawn.text)} from p_t."
    elif tree:
        yield f"{round_.accepted} accepted, down to a leaf: the bonus {quoted(drawn.text)} is drawn from p_t."
    else:
        every = "all " if round_.accepted > 1 else ""
        yield f"{every}{round_.accepted} accepted: ".capitalize() + f"the bonus {quoted(drawn.text)} is drawn from p_t."


def scheduled(s: Schedule) -> str:
    """The policy and its load, what the step comes to, and why the cut is where it is."""
    leaks = " (leaks)" if s.leaks else ""
    load = f" at a load of {s.load:,}" if s.load else ""
    step = f"B = {count(s.tokens, 'token')}, Theta {s.theta:,.0f} tokens/s expected, by a {s.source} step rate"
    return f"{MARKS[rounds.CUT]} {s.policy}{leaks}{load}: {step}. {s.why}"


def grounds(s: Schedule) -> str:
    """What a schedule rests on."""
    load = f" Load: {s.background}." if s.background else ""
    return f"Step rate: {s.step_rate} ({s.source}).{f' {s.note}' if s.note else ''}{load}"


def rejection(p: Position) -> str:
    """u = 0.68 > p_t/p_d = 0.31: ' 7' is rejected"""
    if not p.p_d:
        return f"p_t = {probability(p.p_t)}: {quoted(p.token.text)} is rejected"
    u, ratio = p.u_accept or 0.0, (p.p_t or 0.0) / p.p_d
    shown = apart(u, ratio)
    sign = ">" if u > ratio else "="
    return f"u = {shown[0]} {sign} p_t/p_d = {shown[1]}: {quoted(p.token.text)} is rejected"


def _heading(round_: Round, width: int) -> Text:
    kind = kind_of_final(round_)
    head = Text.assemble((f" Round {round_.index + 1} ", "bold reverse"))
    if round_.gamma:
        head.append(f"  {round_.accepted} of {round_.gamma} accepted", "bold")
    if round_.tree:
        head.append(f"  tree of {count(len(round_.tree.nodes), 'node')}, {round_.accepted} accepted", "bold")
    ending = {rounds.NONE: "end of sequence", "drawn": "drawn from p_t"}.get(kind, f"{kind} token")
    head.append(f"  {MARKS[kind]} {ending}", COLOURS[kind])
    head.append(f"  +{count(len(round_.emitted), 'token')}", FAINT)
    head.append({"eos": "  the end", "length": "  length reached"}.get(round_.finished, ""), FAINT)
    head.truncate(width, overflow="ellipsis")
    return head


def _text(round_: Round, before: str, width: int) -> Text:
    """The end of the text so far, what is new in bold."""
    kept = common_prefix(before, round_.text)
    old, new = line(round_.text[:kept]), line(round_.text[kept:])
    room = max(0, 2 * width - cell_len(new) - 8)
    if cell_len(old) > room:
        old = "…" + old[len(old) - room :]
    return Text.assemble((old, FAINT), (new, "bold"), overflow="fold")


def _tree(round_: Round, tree: Tree) -> RichTree:
    """The draft tree, siblings in the order in which they are tried."""
    branches = {-1: RichTree(Text(token(round_.anchor.text), "bold"), guide_style=FAINT)}
    for i, node in enumerate(tree.nodes):
        label = Text.assemble((f"{MARKS[node.verdict]} {token(node.token.text)}", COLOURS[node.verdict]))
        label.append(f"  p_d {probability(node.p_d)}", DRAFT)
        if node.p_t is not None:
            label.append(f"  p_t {probability(node.p_t)}", TARGET)
        if node.verdict in (rounds.ACCEPTED, rounds.REJECTED):
            label.append(f"  u {probability(tree.u_accept[node.k - 1])}")
        branches[i] = branches[node.parent].add(label)
    return branches[-1]


def _tables(round_: Round, width: int) -> Iterator[Table]:
    """One table, or several where the block is wider than the terminal."""
    if not round_.positions:
        return
    beyond = round_.final.token is not None and round_.final.position > round_.gamma
    columns = list(range(round_.gamma + 1 + beyond))  # 0 is the anchor
    fitting = max(1, (width - LABEL) // (NARROWEST + 1))
    chunks = -(-len(columns) // fitting)
    size = -(-len(columns) // chunks)
    cell = min(WIDEST, (width - LABEL) // size - 1)
    for first in range(0, len(columns), size):
        yield _table(round_, columns[first : first + size], max(1, cell))


def _table(round_: Round, columns: Sequence[int], cell: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0, header_style="none")
    table.add_column("", width=LABEL, no_wrap=True)
    for k in columns:
        name = "anchor" if k == 0 else str(k)
        table.add_column(Text(name, style=FAINT), width=cell, no_wrap=True, justify="right")
    rows = list(_rows(round_))
    for i, (label, style, cells) in enumerate(rows):
        row = [_fit(cells.get(k, Text()), cell) for k in columns]
        table.add_row(Text(label, style=style), *row, end_section=i == 0 or label == "u")
    return table


def _rows(round_: Round) -> Iterator[tuple[str, str, dict[int, Text]]]:
    """Each row's label, its colour, and its cells by position."""
    yield "token", "bold", _tokens(round_)
    quantities: list[tuple[str, str, Callable[[Position], str | None]]] = [
        ("base U", "", lambda p: _maybe(p.p_base, probability)),
        ("+ bias B", "", lambda p: _maybe(p.bias, signed)),
        ("draft p_d", DRAFT, lambda p: probability(p.p_d)),
        ("conf c_k", "", lambda p: _maybe(p.confidence, probability)),
        ("calibrated", "", lambda p: _maybe(p.calibrated, probability)),
        ("survival a_k", "", lambda p: _maybe(p.survival, probability)),
        ("target p_t", TARGET, lambda p: _maybe(p.p_t, probability)),
        ("u", "", lambda p: _maybe(None if p.verdict == rounds.DISCARDED else p.u_accept, probability)),
    ]
    for label, style, shown in quantities:
        texts = {p.k: shown(p) for p in round_.positions}
        if any(texts.values()):  # a stage that the drafter does not have leaves no row
            lost = {p.k for p in round_.positions if p.verdict in (rounds.DISCARDED, rounds.CUT)}
            yield label, style, {k: Text(t or "–", FAINT if k in lost or not t else style) for k, t in texts.items()}
    yield "verdict", "bold", {p.k: Text(MARKS[p.verdict], COLOURS[p.verdict]) for p in round_.positions}
    if round_.final.token is not None:
        kind = round_.final.kind
        shown_final = Text(f"{MARKS[kind]} {token(round_.final.token.text)}", COLOURS[kind])
        yield "final", "bold", {round_.final.position: shown_final}


def _tokens(round_: Round) -> dict[int, Text]:
    cells = {0: Text(token(round_.anchor.text), "bold")}
    for p in round_.positions:
        cells[p.k] = Text(token(p.token.text) + ("*" if p.forced else ""), COLOURS[p.verdict])
    return cells


def _maybe(value: float | None, shown: Callable[[float | None], str]) -> str | None:
    return None if value is None else shown(value)


def _fit(text: Text, width: int) -> Text:
    """Text cut to a cell, its loss shown by an ellipsis."""
    if cell_len(text.plain) <= width:
        return text
    return Text(set_cell_size(text.plain, width - 1).rstrip() + "…", style=text.style)

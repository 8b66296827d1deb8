"""step and generate on the tiny pair: what they print and what they write."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dspark_lab import Settings, Trace
from dspark_lab.cli.generate import _stream, measure
from dspark_lab.cli.text import flow
from dspark_lab.loading import Lab

PROMPT = "Tom has 3 apples."
SHORT = ["--max-new-tokens", "12", "--seed", "3"]
SETTINGS = Settings(max_new_tokens=12, seed=3)


def without_times(trace: Trace) -> dict[str, Any]:
    """A trace's numbers but for the measured ones and the place they were measured at."""
    value = trace.to_json()
    value.pop("device")
    for model in ("target", "drafter"):
        value[model] and value[model].pop("name")
    for round_ in value["rounds"]:
        round_.pop("timings")
    return value


def test_step_shows_every_row_of_every_round_and_the_sum(cli: Any, pair: list[str], tiny_lab: Lab) -> None:
    result = cli("step", PROMPT, *pair, *SHORT)
    assert result.exit_code == 0, result.output
    expected = tiny_lab.session(PROMPT, SETTINGS).run().trace()
    assert result.stdout.count(" Round ") == len(expected.rounds)
    for row in ("token", "base U", "+ bias B", "draft p_d", "conf c_k", "survival a_k", "target p_t", "u", "verdict"):
        assert f"\n{row} " in result.stdout
    assert f"tau {expected.tau:.2f}: 12 tokens in {len(expected.rounds)} rounds" in result.stdout
    assert "\x1b" not in result.stdout


def test_step_stops_after_the_rounds_asked_for(cli: Any, pair: list[str]) -> None:
    result = cli("step", PROMPT, *pair, *SHORT, "--rounds", "1", "--json", "r.json")
    assert result.stdout.count(" Round ") == 1
    assert json.loads(Path("r.json").read_text())["rounds"] == 1


@pytest.mark.parametrize("command", ["step", "generate"])
def test_the_trace_is_that_of_the_session(cli: Any, pair: list[str], tiny_lab: Lab, command: str) -> None:
    assert cli(command, PROMPT, *pair, *SHORT, "--trace", "t.json").exit_code == 0
    session = tiny_lab.session(PROMPT, SETTINGS).run()
    assert without_times(Trace.load("t.json")) == without_times(session.trace())
    assert [p.name for p in Path.cwd().iterdir()] == ["t.json"]


def test_generate_prints_nothing_but_the_text(cli: Any, pair: list[str], tiny_lab: Lab) -> None:
    result = cli("generate", PROMPT, *pair, *SHORT)
    text = tiny_lab.session(PROMPT, SETTINGS).run(trace=False).text
    assert result.stdout == flow(text) + "\n"
    assert "12 tokens in" in result.stderr and "tokens/s (measured on CPU" in result.stderr


def test_the_prompt_may_come_from_stdin(cli: Any, pair: list[str]) -> None:
    given = cli("generate", PROMPT, *pair, *SHORT).stdout
    assert cli("generate", *pair, *SHORT, stdin=PROMPT + "\r\n").stdout == given
    assert cli("generate", "-", *pair, *SHORT, stdin="\ufeff" + PROMPT).stdout == given


def test_generate_writes_what_was_measured(cli: Any, pair: list[str]) -> None:
    result = cli("generate", PROMPT, *pair, *SHORT, "--compare", "--json", "r.json")
    assert result.exit_code == 0, result.output
    value = json.loads(Path("r.json").read_text())
    assert value["measured"] is True and value["device"].startswith("CPU")
    assert value["tokens"] == len(value["token_ids"]) == 12
    assert value["tau"] == pytest.approx(12 / value["rounds"])
    assert value["tokens_per_second"] == pytest.approx(12 / value["seconds"])
    assert value["settings"]["seed"] == 3 and value["drafter"]["block_size"] == 5
    assert value["speed_ratio"] == pytest.approx(value["tokens_per_second"] / value["one_by_one"]["tokens_per_second"])
    assert "one by one: " in result.stderr and "times as fast (measured)" in result.stderr


@pytest.mark.parametrize(
    "prompt",
    ["\U0001f600 Tom \U0001f469\u200d\U0001f467", "<script>alert(1)</script>", "<|end|><|im_end|> [/red][bold]x"],
)
def test_emoji_html_and_the_names_of_special_tokens_are_plain_text(
    cli: Any, pair: list[str], tiny_lab: Lab, prompt: str
) -> None:
    result = cli("generate", *pair, *SHORT, "--trace", "t.json", stdin=prompt)
    assert result.exit_code == 0, result.output
    read = Trace.load("t.json")
    assert read.prompt == prompt
    special = set(tiny_lab.target.tokenizer.all_special_ids)
    plain = tiny_lab.session("Tom", SETTINGS).trace()
    assert [t.id for t in read.prompt_tokens if t.id in special] == [
        t.id for t in plain.prompt_tokens if t.id in special
    ]


@pytest.mark.parametrize("plain", [["--no-drafter"], ["--gamma", "0"]])
def test_without_a_draft_each_round_draws_one_token(cli: Any, pair: list[str], plain: list[str]) -> None:
    models = pair[:2] + pair[4:] if plain == ["--no-drafter"] else pair
    result = cli("step", PROMPT, *models, *plain, "--max-new-tokens", "2", "--json", "r.json")
    assert result.exit_code == 0, result.output
    value = json.loads(Path("r.json").read_text())
    assert value["tau"] == 1 and (value["drafter"] is None) == (plain == ["--no-drafter"])
    assert "● drawn from p_t" in result.stdout and "draft p_d" not in result.stdout


def test_recording_changes_neither_the_text_nor_what_is_measured(tiny_lab: Lab) -> None:
    seen: list[str] = []
    recorded = measure(tiny_lab, PROMPT, SETTINGS, True, record=True)
    fast = measure(tiny_lab, PROMPT, SETTINGS, True, on_text=lambda text, _: seen.append(text))
    assert recorded.session.text == fast.session.text == seen[-1]
    assert recorded.tau == fast.tau and recorded.seconds > 0 and len(seen) == fast.rounds


def test_a_stream_names_control_characters_and_waits_for_whole_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with _stream() as show:
        show("caf\ufffd", False)
        assert capsys.readouterr().out == "caf"
        show("café\x1b[2J\n", False)
        assert capsys.readouterr().out == "é␛[2J\n"
        show("café\x1b[2J\n\ufffd", True)
    assert capsys.readouterr().out == "\ufffd\n"


def test_a_tree_is_drafted_printed_and_recorded(cli: Any, pair: list[str], tiny_lab: Lab) -> None:
    result = cli("step", PROMPT, *pair, *SHORT, "--tree", "6", "--trace", "t.json")
    assert result.exit_code == 0, result.output
    session = tiny_lab.session(PROMPT, replace(SETTINGS, tree=6)).run()
    assert without_times(Trace.load("t.json")) == without_times(session.trace())
    assert result.stdout.count("tree of 6 nodes") == sum(len(r.tree.nodes) == 6 for r in session.rounds if r.tree)
    text = cli("generate", PROMPT, *pair, *SHORT, "--tree", "6").stdout
    assert text == flow(session.text) + "\n"


def test_a_policy_and_a_load_are_scheduled_printed_and_recorded(cli: Any, pair: list[str], tiny_lab: Lab) -> None:
    options = ["--policy", "early-break", "--load", "300", "--step-rate", "roofline:l4:qwen3-4b"]
    result = cli("step", PROMPT, *pair, *SHORT, *options, "--trace", "t.json")
    assert result.exit_code == 0, result.output
    settings = replace(SETTINGS, policy="early-break", load=300, step_rate="roofline:l4:qwen3-4b")
    session = tiny_lab.session(PROMPT, settings).run()
    assert without_times(Trace.load("t.json")) == without_times(session.trace())
    assert result.stdout.count("early-break at a load of 300") == sum(r.schedule is not None for r in session.rounds)
    assert "Step rate: roofline of Qwen3-4B on L4" in " ".join(result.stdout.split())
    assert cli("generate", PROMPT, *pair, *SHORT, *options).stdout == flow(session.text) + "\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--policy", "greedy"], "no policy 'greedy'"),
        (["--load", "-1"], "load is -1"),
        (["--policy", "early-break", "--step-rate", "abacus"], "no step rate 'abacus'"),
        (["--policy", "early-break", "--tree", "8"], "is verified whole"),
    ],
)
def test_a_wrong_schedule_is_an_error_of_one_line(cli: Any, pair: list[str], options: list[str], said: str) -> None:
    result = cli("step", PROMPT, *pair, *SHORT, *options)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ") and said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1

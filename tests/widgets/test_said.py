"""What Python says on the page is in the catalogues by which the page says it in other languages."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dspark_lab import Overrides, Settings, Trace
from dspark_lab.drafters.registry import KINDS
from dspark_lab.errors import LabError
from dspark_lab.loading import Lab
from dspark_lab.prompts import clean_prompt
from dspark_lab.scheduling import live
from dspark_lab.scheduling.background import Background
from dspark_lab.scheduling.calibration import fit_sts
from dspark_lab.scheduling.policies import add_policy
from dspark_lab.scheduling.rates import note_for, step_rate_named
from dspark_lab.scheduling.reasons import reason
from dspark_lab.scheduling.replan import replan
from dspark_lab.scheduling.stored import drafting_of
from dspark_lab.teaching.head import one_token, read_head
from dspark_widgets import contract, permalink
from dspark_widgets.app import RECORDED
from dspark_widgets.controls import read_controls
from dspark_widgets.export import html_of
from dspark_widgets.limits import Limits
from dspark_widgets.planner import OFFERED, Planner
from dspark_widgets.race import DrafterRace
from dspark_widgets.requests import OpenRequest, PlanRequest
from dspark_widgets.stepper import Stepper
from tests.scheduling.rounds import made_rounds

SOURCE = Path(__file__).resolve().parents[2] / "widgets" / "js" / "src"
CATALOGUES = {language: json.loads((SOURCE / f"said.{language}.json").read_text("utf-8")) for language in ("ja", "zh")}


def patterns(catalogue: dict[str, str]) -> Iterator[re.Pattern[str]]:
    """As ``catalogue.js`` reads its keys."""
    for english in catalogue:
        parts = re.split(r"(\{\}|\[\w+\])", english)
        read = (
            "(.+?)" if part == "{}" else f"(?:{part[1:-1]})?" if part[:1] == "[" else re.escape(part) for part in parts
        )
        yield re.compile("".join(read), re.DOTALL)


KNOWN = {language: list(patterns(catalogue)) for language, catalogue in CATALOGUES.items()}


def check(text: str) -> None:
    """Every sentence has an entry in each language."""
    for language, known in KNOWN.items():
        for sentence in re.split(r"(?<=\.) (?=[A-Z])", text):
            assert any(pattern.fullmatch(sentence) for pattern in known), (
                f"said.{language}.json has no entry for: {sentence}"
            )


def refused(call: Callable[..., Any], *arguments: Any, **named: Any) -> str:
    with pytest.raises(LabError) as caught:
        call(*arguments, **named)
    return str(caught.value)


class Half:
    name, leaks, capacity_lags = "half-of-all", False, False

    def lengths(self, pool: Any) -> np.ndarray:
        return pool.drafted // 2


def test_every_reason_of_a_scheduler_is_in_the_catalogues() -> None:
    add_policy(Half())
    trace = Trace.load(RECORDED / "chat_0.json")
    drafting, seen = drafting_of(trace), set()
    for policy in ("fixed", "fixed:2", "threshold:0.1", "threshold:0.9", "early-break", "lagged", "global", Half.name):
        for load in (0, 1, 40, 400):
            for r in trace.rounds[:8]:
                changes = {"policy": policy, "load": load, "step_rate": "roofline:laptop:qwen3-4b"}
                why = reason(replan(trace, r.index, Overrides(settings=changes), drafting).plan)
                check(why)
                seen.add(re.sub(r"[\d.,]+|half-of-all", "#", why))
    assert len(seen) > 10, "many kinds of reasons were given"


def test_what_numbers_rest_on_is_in_the_catalogues() -> None:
    rounds = made_rounds()
    rate = step_rate_named("pocket-cpu")
    check(live.RAW)
    check(live.COPIES)
    check(Background.of(rounds).title)
    check(fit_sts(rounds).note(0.3))
    check(note_for(step_rate_named("roofline:l4:qwen3-4b")))
    check(note_for(rate, rounds.origin.target, "CUDA (other)"))
    check(step_rate_named("curve:1=95,64=80,512=31").title)
    check(rate.extended(rate.most * 2).title)
    check(rate.source)
    for name in OFFERED:
        if name.startswith(("roofline", "pocket")):
            check(step_rate_named(name).title)


def test_drafters_are_in_the_catalogues(pocket_lab: Lab) -> None:
    for kind in KINDS.values():
        check(kind.summary)
    alone = DrafterRace(pocket_lab).offered()[-1]
    check(alone.title)
    check(alone.summary)


def test_what_a_visitor_can_do_wrong_is_in_the_catalogues(pocket_lab: Lab) -> None:
    limits, fine = Limits(), contract.Controls(prompt="Hello.")
    for changed, confident in (
        ({"prompt": " "}, True),
        ({"prompt": "x" * (limits.prompt + 1)}, True),
        ({"max_new_tokens": limits.tokens + 1}, True),
        ({"gamma": 9}, True),
        ({"temperature": -1.0}, True),
        ({"top_k": -1}, True),
        ({"seed": -1}, True),
        ({"policy": "early-break"}, False),
    ):
        check(refused(read_controls, replace(fine, **changed), 7, limits, confident))
    check(refused(clean_prompt, "a\x00b"))
    check(refused(clean_prompt, "  "))
    check(refused(pocket_lab.session, "word " * 4000))
    check(refused(pocket_lab.session, "Hello.", Settings(gamma=9)))
    check(refused(one_token, pocket_lab.target.tokenizer, "two words"))
    check(refused(one_token, pocket_lab.target.tokenizer, ""))
    trace = Trace.load(RECORDED / "chat_0.json")
    plans = Planner(trace)
    check(refused(plans._plan, PlanRequest(0, 0, Overrides(confidence={9: 0.5}), 1)))
    stepper = Stepper(trace)
    check(refused(stepper.session_of, 0, "forked"))
    race = DrafterRace(pocket_lab)
    check(refused(race.lab_of, "nobody"))
    check(refused(DrafterRace().lab_of, "dspark"))
    check(refused(race.show, trace, contract.Cursor(round=99)))
    check(refused(DrafterRace(pocket_lab).on_open, OpenRequest("dspark", 0)))
    check(refused(html_of, replace(trace, rounds=())))
    check(refused(Overrides, uniforms={"accept:1": 1.0}))
    check(refused(Overrides, confidence={1: 2.0}))
    session = pocket_lab.session("Hello.", Settings(max_new_tokens=8)).run()
    check(refused(session.step))
    check(refused(session.fork, 0, Overrides(verify_length=9)))
    check(refused(session.fork, 0, Overrides(tokens={1: 10**6})))
    check(refused(read_head, session, 0, 99))
    check(refused(read_head, pocket_lab.session("Hello.", drafter=False).run(), 0, 1))
    for link in ("x" * 200_000, "????", "bm8"):
        check(refused(permalink.decode, link))

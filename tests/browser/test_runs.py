"""What a person asks of the page, as `dspark-lab serve` serves it: it shows what Python computes, or says why not."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from dspark_lab import Overrides, Settings, Trace
from dspark_lab.loading import Lab
from dspark_lab.session import Session
from dspark_widgets.app import RECORDED
from dspark_widgets.examples import find_examples
from dspark_widgets.limits import Limits
from tests.browser import helpers
from tests.browser.conftest import Watch, opened
from tests.browser.helpers import RUN, fill, generate, wait_ready
from tests.browser.reading import cells, check_trace, chip_text, go_to_round, number_of_steps, phase, steps_of

pytestmark = pytest.mark.browser

PROMPT = "Tom has 12 apples. He buys 9 more and gives 6 to Anna. How many apples does Tom have now?"
SEED, TOKENS = 8, 24


@pytest.fixture(scope="module")
def app(voila: str, browser: Browser) -> Iterator[tuple[Page, Watch]]:
    """One page for the tests that only ask it to run something, as a person would ask it one thing after another."""
    watch = Watch()
    with opened(browser, watch, voila) as page:
        yield wait_ready(page), watch


@pytest.fixture
def ready(app: tuple[Page, Watch]) -> Iterator[Page]:
    """That page, its models loaded and its controls as at first."""
    page, watch = app
    page.get_by_test_id("drafter").select_option("dspark")
    page.get_by_test_id("policy").select_option("fixed")
    fill(page, temperature=1, gamma=7, seed=SEED, max_tokens=TOKENS, load=0)
    yield page
    watch.check()


def run(lab: Lab, prompt: str = PROMPT, drafter: bool = True, **settings: float) -> Session:
    """In Python what the page runs."""
    values = {"seed": SEED, "max_new_tokens": TOKENS, "gamma": lab.block_size, **settings}
    return lab.session(prompt, Settings(**values), drafter=drafter).run()


def test_generate_shows_what_python_computes(ready: Page, pocket_lab: Lab) -> None:
    generate(ready, PROMPT)
    check_trace(ready, run(pocket_lab).trace())
    speed = ready.get_by_test_id("speed")
    expect(speed).to_contain_text("measured on CPU")
    assert len(re.findall(r"\d+\.\d tok/s", speed.text_content())) == 2
    expect(speed).to_contain_text("speculative")
    expect(speed).to_contain_text("one by one")
    expect(ready.get_by_test_id("speed-ratio")).to_have_text(re.compile(r"\d+\.\d\d×"))
    helpers.screenshots(ready, "voila")


def test_stepping_scrubbing_and_jumping(ready: Page, pocket_lab: Lab) -> None:
    generate(ready, PROMPT)
    trace = run(pocket_lab).trace()
    first, total = list(steps_of(trace.rounds[0])), number_of_steps(trace)
    scrub = ready.get_by_test_id("scrub")

    def at(step: int) -> None:
        expect(scrub).to_have_value(str(step))
        expect(scrub).to_have_attribute("aria-valuetext", f"step {step + 1} of {total}")

    ready.get_by_test_id("stepper").focus()
    ready.keyboard.press("Home")
    for step, (name, k, part) in enumerate(first):
        at(step)
        assert phase(ready) == name
        if name == "sequential" and part == "draw":
            token = chip_text(trace.rounds[0].positions[k - 1].token)
            assert cells(ready)[f"token-{k}"][1] == token
            expect(ready.get_by_test_id("cause")).to_contain_text(token)
            assert all(
                cells(ready)[f"token-{later}"][1] == "mask slot"
                for later in range(k + 1, len(trace.rounds[0].positions))
            )
        if name == "verify":
            assert all("accepted" not in cells(ready)[f"verdict-{p.k}"][1] for p in trace.rounds[0].positions)
        if step % 2:
            ready.get_by_test_id("btn-step").click()
        else:
            ready.keyboard.press("ArrowRight")
    at(len(first))
    assert phase(ready) == "prompt"
    ready.get_by_test_id("btn-back").click()
    ready.keyboard.press("ArrowLeft")
    at(len(first) - 2)

    scrub.fill("2")
    at(2)
    scrub.focus()
    ready.keyboard.press("ArrowRight")
    at(3)
    ready.keyboard.press("End")
    at(total - 1)
    ready.get_by_test_id("stepper").focus()
    ready.keyboard.press("Home")
    at(0)
    ready.keyboard.press("Shift+ArrowRight")
    expect(ready.get_by_test_id("round-chip-1")).to_have_attribute("aria-current", "true")
    go_to_round(ready, len(trace.rounds) - 1)
    at(total - 1)
    ready.get_by_test_id("phase-verify").click()
    assert phase(ready) == "verify"


def test_forks_of_a_uniform_and_of_a_token_equal_pythons(ready: Page, pocket_lab: Lab) -> None:
    generate(ready, PROMPT)
    session = run(pocket_lab)
    number, k, u = helpers.turnable(session.trace())
    go_to_round(ready, number)
    helpers.change_uniform(ready, ready, k, u)
    by_uniform = session.fork(number, Overrides(uniforms={f"accept:{k}": u})).run()
    helpers.fork(ready, 1, by_uniform.trace())
    assert by_uniform.tokens != session.tokens
    expect(ready.get_by_test_id("diff-cause")).to_contain_text("You set")
    texts = ready.get_by_test_id("diff").locator("dd").all()
    assert len({text.bounding_box()["x"] for text in texts}) == 1, "the two texts do not stand under each other"
    helpers.screenshot(ready, "voila-fork")

    ready.get_by_test_id("branch-0").click()
    go_to_round(ready, 0)
    other = helpers.change_token(ready, ready, 1, session.rounds[0].positions[0].token.id)
    helpers.fork(ready, 2, session.fork(0, Overrides(tokens={1: other})).run().trace())
    expect(ready.get_by_test_id("diff-cause")).to_contain_text("You put")

    ready.get_by_test_id("tab-race").click()
    for box in ready.get_by_role("group", name="Who takes part").get_by_role("checkbox").all():
        box.set_checked(box.get_attribute("data-testid") == "racer-none")
    ready.get_by_test_id("race-run").click()
    ready.get_by_test_id("block-none-0").click(timeout=RUN)
    expect(ready.get_by_test_id("branch-0")).to_have_count(0)
    ready.get_by_test_id("race-back").click()
    expect(ready.get_by_test_id("branch-2")).to_be_visible()
    expect(ready.get_by_test_id("drafter")).to_have_value("dspark")
    expect(ready.get_by_test_id("speed-ratio")).to_be_visible()
    ready.get_by_test_id("tab-rejection").click()

    ready.get_by_test_id("delete-branch-1").click()
    expect(ready.get_by_test_id("branch-0")).to_be_focused()
    expect(ready.get_by_test_id("branch-1")).to_have_count(0)
    ready.get_by_test_id("branch-0").click()
    check_trace(ready, session.trace())


def test_what_starts_something_keeps_the_focus(ready: Page) -> None:
    """Else the page's keys stop working, and a person at the keyboard has to find the place again."""
    for name in ("generate", "apply-fork"):
        button = ready.get_by_test_id(name)
        if name == "apply-fork":
            ready.get_by_test_id("verify-less").focus()
            ready.keyboard.press("Enter")
            for _ in range(8):  # to its end, where it cannot be pressed any more
                ready.keyboard.press("Enter")
            expect(ready.get_by_test_id("verify-less")).to_be_focused()
            expect(ready.get_by_test_id("verify-length")).to_have_text("0")
        else:
            helpers.watch_busy(ready)
        button.focus()
        ready.keyboard.press("Enter")
        if name == "generate":
            ready.wait_for_function(helpers.RAN, timeout=RUN)
        else:
            expect(ready.get_by_test_id("branch-1")).to_be_visible(timeout=RUN)
            expect(button).to_be_disabled()
        expect(button).to_be_focused()
    ready.keyboard.press("g")
    expect(ready.get_by_test_id("glossary")).to_be_visible()
    ready.keyboard.press("Escape")


def test_a_draw_beyond_its_ends_is_told_and_changes_nothing(ready: Page) -> None:
    generate(ready, PROMPT)
    go_to_round(ready, 0)
    ready.get_by_test_id("cell-u-1").click()
    ready.get_by_test_id("edit-u-accept-1").click()
    value = ready.get_by_test_id("uniform-value")
    value.fill("5")
    expect(ready.get_by_text("from 0 to 0.999999")).to_be_visible()
    expect(value).to_have_attribute("aria-invalid", "true")
    expect(ready.get_by_test_id("apply-fork")).to_be_disabled()
    value.fill("0.5")
    expect(ready.get_by_text("from 0 to 0.999999")).to_have_count(0)
    expect(ready.get_by_test_id("apply-fork")).to_be_enabled()
    ready.keyboard.press("Escape")


def test_the_load_moves_the_cut_in_a_run_and_in_a_fork(ready: Page, pocket_lab: Lab) -> None:
    session = run(pocket_lab, policy="early-break", load=200)
    ready.get_by_test_id("policy").select_option("early-break")
    generate(ready, PROMPT, load=200)
    check_trace(ready, session.trace())
    cut = next(r for r in session.rounds if r.verify_length < r.gamma)
    go_to_round(ready, cut.index)
    expect(ready.get_by_test_id("schedule")).to_contain_text("Algorithm 1 · load 200 · B =")
    expect(ready.get_by_test_id("schedule")).to_contain_text(f"Step rate: {cut.schedule.step_rate} (modelled).")
    helpers.screenshot(ready, "voila-schedule")
    ready.get_by_test_id("fork-load").fill("0")
    freed = session.fork(cut.index, Overrides(settings={"load": 0})).run()
    assert freed.rounds[cut.index].verify_length > cut.verify_length
    helpers.fork(ready, 1, freed.trace())
    expect(ready.get_by_test_id("diff-cause")).to_contain_text("You set the load from 200 to 0")


def test_another_drafter_is_chosen_and_runs(ready: Page, pocket_lab: Lab) -> None:
    ready.get_by_test_id("drafter").select_option("mtp")
    generate(ready, PROMPT, max_tokens=24)
    trace = run(pocket_lab.with_drafter("mtp"), max_new_tokens=24).trace()
    assert trace.drafter is not None and trace.drafter.kind == "mtp"
    check_trace(ready, trace)


def test_the_round_is_in_sight_below_what_can_be_asked(ready: Page) -> None:
    """On a small laptop's screen, with nothing scrolled."""
    ready.evaluate("document.querySelector('.dl-app').scrollIntoView()")
    expect(ready.get_by_test_id("cell-token-1")).to_be_in_viewport()


def test_without_the_drafter_a_round_is_a_token(ready: Page, pocket_lab: Lab) -> None:
    ready.get_by_test_id("drafter").select_option("none")
    generate(ready, PROMPT, max_tokens=8)
    trace = run(pocket_lab, drafter=False, max_new_tokens=8).trace()
    assert all(len(r.emitted) == 1 and not r.positions for r in trace.rounds)
    check_trace(ready, trace)


SAID = [
    ({"prompt": "   "}, "the prompt is empty"),
    ({"prompt": "9z " * 3334}, "shorten the prompt"),  # 10,000 characters, of which the field takes 4,000
    ({"prompt": "one\x00two\x07"}, "control character U+0000"),
    ({"prompt": PROMPT, "gamma": 99}, "gamma is 99"),
    ({"gamma": -1}, "gamma is -1"),
    ({"gamma": 3, "temperature": 500}, "temperature is 500"),
    ({"temperature": -0.5}, "temperature is -0.5"),
    ({"temperature": 1, "max_tokens": 0}, "max_new_tokens is 0"),
    ({"max_tokens": TOKENS, "seed": -1}, "seed is -1"),
]


def test_bad_input_is_answered_in_place_and_the_session_goes_on(ready: Page, pocket_lab: Lab) -> None:
    error = ready.get_by_test_id("error")
    for fields, message in SAID:
        fill(ready, **fields)
        ready.get_by_test_id("generate").click()
        expect(error).to_contain_text(message)
        expect(error).to_have_count(1)
        assert "Traceback" not in error.text_content()
        wait_ready(ready)
    generate(ready, seed=SEED)
    check_trace(ready, run(pocket_lab, gamma=3).trace())


def test_a_prompt_that_got_past_the_fields_limit_is_refused_too(ready: Page) -> None:
    ready.get_by_test_id("prompt").evaluate("(field) => field.removeAttribute('maxlength')")
    fill(ready, "9z " * 3334)
    ready.get_by_test_id("generate").click()
    expect(ready.get_by_test_id("error")).to_contain_text(f"at most {Limits().prompt:,}")


def test_markup_in_a_prompt_is_text(ready: Page, pocket_lab: Lab) -> None:
    prompt = "<script>alert(1)</script><b id=x>x</b><img src=x onerror=alert(2)>"
    generate(ready, prompt, max_tokens=8)
    trace = run(pocket_lab, prompt, max_new_tokens=8).trace()
    assert trace.prompt == prompt
    check_trace(ready, trace)
    expect(ready.locator("#x, .dl img, .dl script")).to_have_count(0)


def test_special_tokens_in_a_prompt_are_text(ready: Page, pocket_lab: Lab) -> None:
    prompt = "<|end|><|assistant|> Who speaks?"
    generate(ready, prompt, max_tokens=8)
    trace = run(pocket_lab, prompt, max_new_tokens=8).trace()
    special = set(pocket_lab.target.tokenizer.all_special_ids)
    plain = run(pocket_lab, "Who speaks?", max_new_tokens=8).trace()
    assert sum(t.id in special for t in trace.prompt_tokens) == sum(t.id in special for t in plain.prompt_tokens)
    check_trace(ready, trace)


def test_an_example_of_each_domain_shows_its_recorded_trace(ready: Page) -> None:
    examples = {example.domain: example for example in find_examples(RECORDED)}
    assert set(examples) == {"math", "code", "chat"}
    for domain, example in examples.items():
        ready.get_by_test_id(f"example-{domain}-{example.index}").click()
        expect(ready.get_by_test_id("prompt")).to_have_value(example.prompt)
        check_trace(ready, Trace.load(RECORDED / f"{domain}_{example.index}.json"))

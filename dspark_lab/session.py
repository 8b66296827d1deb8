"""One request, one round at a time: step, run, fork."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

from dspark_lab.decoding import Outcome, State, check_tree, decode_round, prefill, rewind
from dspark_lab.describe import describe, describe_device
from dspark_lab.drafters.base import Drafter
from dspark_lab.errors import LabError
from dspark_lab.prompts import clean_prompt, encode_prompt
from dspark_lab.rounds import Round
from dspark_lab.scheduling.live import rate_up_to
from dspark_lab.settings import DEFAULT_RATE, Overrides, Settings
from dspark_lab.target import Target
from dspark_lab.trace import SCHEMA_VERSION, Trace


class Session:
    """Speculative decoding of one prompt.

    Args:
        target: verifies, and alone decides the distribution of the text.
        drafter: proposes; None decodes autoregressively, one token a round.
        prompt: what the person typed.
        settings: sampling, block length, seed, length.
        history: the turns before the prompt, the user's and the assistant's in alternation.

    Raises:
        LabError: the prompt is empty or too long, or gamma exceeds the drafter's block.
    """

    def __init__(
        self, target: Target, drafter: Drafter | None, prompt: str, settings: Settings | None = None,
        history: Sequence[str] = (),
    ) -> None:  # fmt: skip
        if settings is not None and not isinstance(settings, Settings):
            raise LabError(f"settings are a {type(settings).__name__}: write Settings(...).")
        self.target, self.drafter, self.prompt = target, drafter, clean_prompt(prompt)
        self.settings = settings or Settings()
        check_gamma(self.settings, drafter)
        self.prompt_tokens = encode_prompt(target.tokenizer, self.prompt, target.context_limit, history)
        self.state = prefill(target, drafter, self.prompt_tokens)
        self.rounds: list[Round] = []
        self.finished = ""
        self._starts: list[int] = []  # number of tokens at the beginning of each round
        self._round_settings: list[Settings] = []
        self._pending = Overrides()
        self._forked_at: int | None = None

    @property
    def tokens(self) -> list[int]:
        """Ids emitted so far."""
        return self.state.tokens[len(self.prompt_tokens) :]

    @property
    def text(self) -> str:
        return self.target.text(self.tokens)

    @property
    def round_count(self) -> int:
        """Rounds run so far, recorded or not."""
        return len(self._starts)

    def advance(self) -> Outcome:
        """Run one round without recording what a view would show: the fast path.

        Raises:
            LabError: the session has finished, or a pending override does not fit the round.
        """
        if self.finished:
            limits = f"max_new_tokens = {self.settings.max_new_tokens}, context = {self.target.context_limit}"
            reason = "end of sequence" if self.finished == "eos" else limits
            raise LabError(f"the session has finished ({reason}): fork an earlier round or start a new session.")
        settings = self.settings.with_changes(self._pending.settings)
        start = len(self.state.tokens)
        room = settings.max_new_tokens - (start - len(self.prompt_tokens))
        index = len(self._starts)
        outcome = decode_round(self.target, self.drafter, self.state, index, settings, room, self._pending)
        self.settings, self._pending, self.finished = settings, Overrides(), outcome.finished
        self._starts.append(start)
        self._round_settings.append(settings)
        return outcome

    def step(self) -> Round:
        """Run one round and record it. Ended early, by an interrupt say, it leaves the session as it was."""
        back = self._way_back()
        try:
            self.rounds.append(describe(self.target, self.advance(), self.text))
        except BaseException:
            back()
            raise
        return self.rounds[-1]

    def peek(self, seed: int | None = None) -> Outcome:
        """The next round as it comes out with ``seed``, or with the session's own. The session stays as it is.

        Raises:
            LabError: as ``advance``.
        """
        back = self._way_back()
        if seed is not None:
            self.settings = replace(self.settings, seed=seed)
        try:
            return self.advance()
        finally:
            back()

    def _way_back(self) -> Callable[[], None]:
        """What takes the session back to how it is now."""
        before = self.settings, self._pending, self.finished
        rounds, count, start = len(self.rounds), len(self._starts), len(self.state.tokens)

        def back() -> None:
            rewind(self.drafter, self.state, start)
            self.settings, self._pending, self.finished = before
            del self.rounds[rounds:], self._starts[count:], self._round_settings[count:]

        return back

    def run(
        self, *, trace: bool = True, on_round: Callable[[Round], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Session:  # fmt: skip
        """Run to the end, or until ``should_stop()`` after a round. ``trace=False`` records nothing."""
        while not self.finished and not (should_stop and should_stop()):
            if trace:
                latest = self.step()
                if on_round:
                    on_round(latest)
            else:
                self.advance()
        return self

    def fork(self, round_index: int, overrides: Overrides | None = None) -> Session:
        """A session that shares the rounds before ``round_index`` and has run that round with ``overrides``.

        What was not changed is as it was: the earlier caches are copied, the uniforms keep their addresses. Changed
        settings hold from that round on.

        Raises:
            LabError: there is no such round, or the overrides do not fit it. This session is untouched.
        """
        if overrides is not None and not isinstance(overrides, Overrides):
            raise LabError(f"overrides are a {type(overrides).__name__}: write Overrides(...), or Overrides.from_json.")
        child = self.before(round_index)
        child._pending = overrides or Overrides()
        child.step()
        return child

    def before(self, round_index: int) -> Session:
        """A session as this one was before round ``round_index``, which it is to run next.

        Raises:
            LabError: there is no such round.
        """
        count = len(self._starts)
        if not isinstance(round_index, int) or isinstance(round_index, bool) or not 0 <= round_index < count:
            there = f"rounds 0 to {count - 1}" if count else "no rounds yet: run step() first"
            raise LabError(f"there is no round {round_index!r} to fork: this session has {there}.")
        start = self._starts[round_index]
        child = object.__new__(Session)
        child.target, child.drafter, child.prompt = self.target, self.drafter, self.prompt
        child.prompt_tokens, child.settings = self.prompt_tokens, self._round_settings[round_index]
        drafter_state = self.drafter.copy_state(self.state.drafter_state, start - 1) if self.drafter else None
        confidences = {n: c for n, c in self.state.confidences.items() if n < round_index}
        child.state = State(self.state.tokens[:start], self.state.cache.copy(start - 1), drafter_state, confidences)
        child.rounds, child.finished = self.rounds[:round_index], ""
        child._starts, child._round_settings = self._starts[:round_index], self._round_settings[:round_index]
        child._pending, child._forked_at = Overrides(), round_index
        return child

    def trace(self) -> Trace:
        """The record so far. Raises LabError if rounds were run without recording."""
        if len(self.rounds) != len(self._starts):
            raise LabError("this session ran without recording: use step(), or run() with trace=True.")
        return Trace(
            schema_version=SCHEMA_VERSION,
            prompt=self.prompt,
            prompt_tokens=tuple(map(self.target.token, self.prompt_tokens)),
            settings=asdict(self._round_settings[0] if self._round_settings else self.settings),
            target=self.target.info,
            drafter=self.drafter.info if self.drafter else None,
            device=describe_device(self.target),
            rounds=tuple(self.rounds),
            forked_at=self._forked_at,
        )


def check_gamma(settings: Settings, drafter: Drafter | None) -> None:
    """Raises LabError where more is to be drafted than the drafter was trained for, a tree where it cannot, or where there
    is no such step rate."""
    if drafter and settings.gamma is not None and settings.gamma > drafter.block_size:
        raise LabError(
            f"gamma is {settings.gamma}, but this drafter was trained for blocks of {drafter.block_size}: "
            f"choose 0 to {drafter.block_size}."
        )
    check_tree(settings, drafter)
    if settings.policy != "fixed" or settings.load or settings.step_rate != DEFAULT_RATE:
        rate_up_to(settings.step_rate, 1)

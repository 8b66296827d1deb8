"""Many requests decoded together (arXiv 2607.05147, section 3.3): one step drafts for all, schedules how far to verify each
draft, and verifies them in one pass of the target over exactly sum(1 + l_r) tokens. Prompts of requests that join are read in
the same pass; where there is nothing to verify, in one of their own, and their first rounds are decoded at once.

A request's rounds are those of a session with the same settings: its uniforms have the same addresses, so that it emits the
same tokens, whoever shares its steps, up to ties that floating point rounds the other way. A policy that cuts drafts short
changes where rounds end, and with it which uniforms are read, but never the distribution of the text, unless it leaks.
"""

from __future__ import annotations

import time
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from dspark_lab.clock import now
from dspark_lab.describe import foreign_here
from dspark_lab.drafters.base import Drafter, calibration_of, confident
from dspark_lab.engine.request import DEADLINE, EOS, ERROR, LENGTH, PARTS, Request, RequestRound, StepReport
from dspark_lab.engine.rounds import Decoded, Pair, decode
from dspark_lab.engine.scheduler import PolicyFailure, Scheduler
from dspark_lab.errors import LabError, LabNote
from dspark_lab.prompts import clean_prompt, encode_prompt
from dspark_lab.scheduling.live import RAW
from dspark_lab.scheduling.policies import Fixed, Policy
from dspark_lab.scheduling.schedule import Plan
from dspark_lab.scheduling.step_rate import StepRate
from dspark_lab.session import check_gamma
from dspark_lab.settings import Settings
from dspark_lab.target import Target


@dataclass
class _Step:
    """What a step has come to so far."""

    began: float = field(default_factory=perf_counter)
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    drafted: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    emitted: int = 0
    prefilled: int = 0
    places: int = 0
    admitted: list[Request] = field(default_factory=list)
    finished: list[Request] = field(default_factory=list)
    plan: Plan | None = None


class Engine:
    """Decodes up to ``max_requests`` requests together; more wait until one ends.

    Args:
        target, drafter: the pair; without a drafter every request decodes one token a step.
        policy: how far drafts are verified; None verifies all that was drafted. A drafter without a confidence head can have
            none but a fixed length. step_rate: SPS(B), which a policy needs, up to max_requests * (1 + block size) tokens.
        max_requests: requests that share a step. prefill_tokens: prompt tokens read in a step at most, at least 1.
        clock: seconds, by which deadlines are told.

    Attributes:
        note: what sets a measured step rate apart from this target on this device, and that confidences are not calibrated,
            "" for neither; also given as a warning.

    Raises:
        LabError: a number is too small; a policy without a step rate, or one that is not known far enough.

    An engine belongs to one thread; ``Request.cancel`` may come from any.
    """

    def __init__(
        self,
        target: Target,
        drafter: Drafter | None,
        *,
        policy: Policy | None = None,
        step_rate: StepRate | None = None,
        max_requests: int = 16,
        prefill_tokens: int = 512,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for name, value in (("max_requests", max_requests), ("prefill_tokens", prefill_tokens)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise LabError(f"{name} is {value!r}, but must be a whole number of at least 1.")
        self.target, self.drafter, self._pair = target, drafter, Pair(target, drafter)
        self.max_requests, self.prefill_tokens = max_requests, prefill_tokens
        self._scheduler = Scheduler(
            drafter, policy, step_rate, max_requests * (1 + (drafter.block_size if drafter else 0))
        )
        raw = confident(drafter) and calibration_of(drafter) is None and policy and not isinstance(policy, Fixed)
        notes = [
            foreign_here(step_rate, target) if policy and step_rate else "",
            RAW if raw else "",
        ]
        self.note = " ".join(filter(None, notes))
        if self.note:
            warnings.warn(self.note, LabNote, stacklevel=2)
        self._clock = clock
        self._waiting: deque[Request] = deque()
        self._live: list[Request] = []  # by slot

    @property
    def live(self) -> tuple[Request, ...]:
        """The requests that share steps now."""
        return tuple(self._live)

    @property
    def idle(self) -> bool:
        """Nothing is left to do."""
        return not self._live and not self._waiting

    def submit(
        self,
        prompt: str,
        settings: Settings | None = None,
        *,
        deadline: float | None = None,
        history: Sequence[str] = (),
    ) -> Request:
        """Queue a prompt.

        Args:
            deadline: seconds from now after which it ends with what it has. history: the turns before the prompt.

        Raises:
            LabError: what ``Session`` raises it for; a deadline that is not above 0; settings that only a session has: a
                draft tree, a policy or load of its own.
        """
        if settings is not None and not isinstance(settings, Settings):
            raise LabError(f"settings are a {type(settings).__name__}: write Settings(...).")
        settings = settings or Settings()
        check_gamma(settings, self.drafter)
        if settings.tree:
            raise LabError(
                f"tree is {settings.tree}, but the engine drafts chains only: set tree=0, or take a session."
            )
        if settings.policy != "fixed" or settings.load:
            raise LabError(
                f"the settings have policy={settings.policy!r} and load={settings.load}, but one policy schedules all "
                f"requests of an engine: hand it to Engine(policy=...), and submit the load as requests."
            )
        number = isinstance(deadline, (int, float)) and not isinstance(deadline, bool)
        if deadline is not None and not (number and deadline > 0):
            raise LabError(f"the deadline is {deadline!r}, but must be a number of seconds above 0; None sets none.")
        if isinstance(history, str):
            raise LabError("history is one text, but must be a list of turns: history=[question, answer].")
        prompt = clean_prompt(prompt)
        tokens = encode_prompt(self.target.tokenizer, prompt, self.target.context_limit, history)
        expires = None if deadline is None else self._clock() + deadline
        request = Request(prompt, settings, tokens, self.target, expires)
        self._waiting.append(request)
        return request

    def run(
        self, on_step: Callable[[StepReport], None] | None = None, should_stop: Callable[[], bool] | None = None
    ) -> None:
        """Step until nothing is left to do, or until ``should_stop()`` after a step."""
        while not self.idle and not (should_stop and should_stop()):
            report = self.step()
            if on_step:
                on_step(report)

    def step(self) -> StepReport:
        """Free the places of requests that have ended, admit others, read prompts, and decode a round of all that are ready.

        What fails for one request ends that one with its message; the others go on. Ended early, by an interrupt say, or by
        a policy that fails, it may be called again: no request has lost or repeated a round.

        Raises:
            whatever the policy raised.
        """
        step = _Step()
        self._free(step)
        self._admit(step)
        unread, ready = self._unread(), self._ready()
        if unread and not ready:
            began = perf_counter()
            self._isolated(lambda slots: self._advance(step, slots, unread), list(unread))
            step.seconds["prefill"] = now(self._pair.target.device) - began
            unread, ready = {}, self._ready()
        if ready:
            self._isolated(lambda slots: self._advance(step, slots, unread), [*ready, *unread])
        self._free(step)
        step.seconds["other"] = perf_counter() - step.began - sum(step.seconds.values())
        return StepReport(
            len(step.lengths), len(step.lengths) + sum(step.lengths), tuple(step.drafted), tuple(step.lengths),
            step.emitted, step.prefilled, step.places, tuple(step.admitted), tuple(step.finished), len(self._waiting),
            step.plan, step.seconds,
        )  # fmt: skip

    def _free(self, step: _Step) -> None:
        """Let go of the requests that have ended, in the queue too."""
        for request in (*self._live, *self._waiting):
            if not request.finished and request.expires is not None and self._clock() >= request.expires:
                request.finished = DEADLINE
        step.finished += [r for r in (*self._live, *self._waiting) if r.finished]
        self._waiting = deque(r for r in self._waiting if not r.finished)
        for slot in reversed(range(len(self._live))):
            if self._live[slot].finished:
                last = self._live.pop()
                if slot < len(self._live):
                    self._live[slot] = last
                self._pair.drop(slot)

    def _admit(self, step: _Step) -> None:
        while self._waiting and len(self._live) < self.max_requests:
            self._live.append(self._waiting.popleft())
            self._pair.add()
            step.admitted.append(self._live[-1])
        step.places = len(self._live)

    def _isolated(self, work: Callable[[list[int]], None], slots: list[int]) -> None:
        """Do ``work(slots)``; where it fails, do it for each slot alone, and end the requests for which it fails again."""
        before = [self._pair.held[slot] for slot in slots]
        try:
            work(slots)
        except BaseException as error:
            for slot, length in zip(slots, before, strict=True):
                try:
                    self._pair.rewind(slot, length)
                except Exception as broken:
                    _fail(self._live[slot], broken)
            if isinstance(error, PolicyFailure) and error.__cause__ is not None:
                raise error.__cause__ from None
            if not isinstance(error, Exception):
                raise
            if len(slots) > 1:
                for slot in slots:
                    if not self._live[slot].finished:
                        self._isolated(work, [slot])
            else:
                _fail(self._live[slots[0]], error)

    def _unread(self) -> dict[int, list[int]]:
        """What is to be read next in the slots that have not read all: of their prompts, or of what an interrupt took back.
        The last token is the next anchor, which is read with its draft."""
        budget, result = self.prefill_tokens, {}
        for slot, request in enumerate(self._live):
            held, end = self._pair.held[slot], request.length - 1
            if budget > 0 and held < end:
                text = [*request.prompt_tokens, *request.tokens]
                result[slot] = text[held : min(end, held + budget)]
                budget -= len(result[slot])
        return result

    def _ready(self) -> list[int]:
        """The slots whose next round can be decoded."""
        held = self._pair.held
        return [slot for slot, r in enumerate(self._live) if held[slot] == r.length - 1 and not r.finished]

    def _advance(self, step: _Step, slots: list[int], unread: dict[int, list[int]]) -> None:
        """Read what is unread in these slots, and decode a round of the others."""
        texts = {slot: unread[slot] for slot in slots if slot in unread}
        ready = [slot for slot in slots if slot not in unread]
        if ready:
            self._decode(step, ready, texts)
        else:
            self._pair.read(texts)
        step.prefilled += sum(map(len, texts.values()))

    def _decode(self, step: _Step, slots: list[int], texts: dict[int, list[int]]) -> None:
        requests = [self._live[slot] for slot in slots]
        decoded = decode(self._pair, slots, requests, list(map(self._gamma, requests)), self._scheduler, texts)
        for part, seconds in decoded.seconds.items():
            step.seconds[part] += seconds
        step.drafted += decoded.proposed.counts.tolist()
        step.lengths += decoded.lengths.tolist()
        step.plan = decoded.plan
        for i, request in enumerate(requests):
            if not request.finished:  # cancelled meanwhile
                self._emit(request, decoded, i)
                step.emitted += len(decoded.emitted[i])

    def _gamma(self, request: Request) -> int:
        """Tokens to draft: as set, but so many that with the final token they neither overshoot its room nor the context."""
        if self.drafter is None:
            return 0
        wanted = self.drafter.block_size if request.settings.gamma is None else request.settings.gamma
        return max(0, min(wanted, request.room - 1, self.target.context_limit - request.length - 1))

    def _emit(self, request: Request, decoded: Decoded, i: int) -> None:
        emitted, drafted = decoded.emitted[i], int(decoded.proposed.counts[i])
        confidence = decoded.proposed.confidence
        sure = None if confidence is None else tuple(confidence[i, :drafted].tolist())
        verified, accepted = int(decoded.lengths[i]), int(decoded.accepted[i])
        request.rounds.append(RequestRound(drafted, verified, accepted, tuple(emitted), sure))
        request.tokens += emitted
        if emitted[-1] in self.target.stop_tokens:
            request.finished = EOS
        elif request.room <= 0 or request.length >= self.target.context_limit:
            request.finished = LENGTH


def _fail(request: Request, error: Exception) -> None:
    message = str(error) if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
    if not request.finished:
        request.finished, request.error = ERROR, message

"""SPS(B) measured: how many steps a second the target makes on this device when it computes B tokens a step."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from time import perf_counter, thread_time

import numpy as np
import torch
from tqdm.auto import tqdm

from dspark_lab.clock import now
from dspark_lab.describe import describe_device, processor
from dspark_lab.errors import LabError
from dspark_lab.records import to_json
from dspark_lab.scheduling.roofline import token_grid
from dspark_lab.scheduling.step_rate import StepRate
from dspark_lab.target import Target

TOKENS, CONTEXT, REPEATS, PER_REQUEST = 128, 128, 15, 4
MOST_TOKENS = 1 << 16


def profile(
    target: Target, tokens: int = TOKENS, *, context: int = CONTEXT, per_request: int = PER_REQUEST,
    requests: int | None = None, repeats: int = REPEATS, seed: int = 0, shared: bool = False,
) -> StepRate:  # fmt: skip
    """Time flattened passes of the target over B = 1, ..., ``tokens`` tokens: each B up to 64, from there on in steps of a
    twentieth.

    Each of the ``repeats`` times every B once, after an untimed pass over all, in an order of its own: a slow spell of the
    machine falls on all alike. A rate is the median's; bumps along B are the hardware's, and stay.

    Args:
        context: tokens that each request holds already. per_request: tokens of a step that belong to one request, so that B
            are those of B / per_request, rounded up, as evenly as can be.
        requests: B tokens of always so many requests instead, from one each on.
        shared: count the time that this thread computes, not what it waits for other programs of a machine that has some.
            That is a CPU's one thread's.

    Raises:
        LabError: a number is out of range, the target has no room for the context, or ``shared`` goes with more than a thread.
    """
    for name, value in (("tokens", tokens), ("per_request", per_request), ("repeats", repeats), ("requests", requests)):
        if value is not None and value < 1:
            raise LabError(f"{name} is {value}, but must be at least 1.")
    if tokens > MOST_TOKENS:
        raise LabError(f"tokens is {tokens:,}, but steps of at most {MOST_TOKENS:,} tokens are timed.")
    if requests is not None and requests > tokens:
        raise LabError(f"{tokens} tokens a step are fewer than the {requests} requests: ask for more tokens.")
    most = tokens if requests == 1 else per_request if requests is None else -(-tokens // requests)
    if not 1 <= context <= target.context_limit - most:
        raise LabError(
            f"the context is {context}, but must be from 1 to {target.context_limit - most}: the target has "
            f"{target.context_limit} positions, of which {most} are for a step."
        )
    if shared and (target.device.type != "cpu" or torch.get_num_threads() > 1):
        raise LabError("what one thread computes is known of a CPU alone, with one thread: measure with --threads 1.")
    grid = [int(b) for b in token_grid(tokens) if requests is None or b >= requests]
    shapes = [_shares(b, requests or -(-b // per_request)) for b in grid]
    passes, rng = _Passes(target, max(map(len, shapes)), context, seed, shared), np.random.default_rng(seed)
    times: list[list[float]] = [[] for _ in grid]
    with tqdm(total=(1 + repeats) * len(grid), desc="profile", unit="pass", mininterval=0.5) as bar:
        for repeat in range(1 + repeats):
            for i in rng.permutation(len(grid)):
                seconds = passes.time(shapes[i])
                if repeat:
                    times[i].append(seconds)
                bar.update()
    device = describe_device(target)
    over = f"{requests} requests" if requests else f"requests of {per_request} tokens"
    return StepRate(
        tuple(grid),
        tuple(1 / statistics.median(t) for t in times),
        "measured",
        f"{target.info.name} on {device}, context {context:,}, {over}",
        {
            "target": to_json(target.info),
            "device": device,
            "processor": processor() if target.device.type == "cpu" else device,
            "threads": torch.get_num_threads() if target.device.type == "cpu" else None,
            "dtype": str(target.model.dtype).removeprefix("torch."),
            "torch": torch.__version__,
            "context": context,
            "tokens_per_request": None if requests else per_request,
            "requests": requests,
            "repeats": repeats,
            "clock": "the thread's CPU time, other programs running" if shared else "wall",
            "statistic": "median of the repeats, each of which times every B once in an order of its own",
            "spread": "at the median B a quarter of the passes took %.0f%% longer than the median, or more"
            % (100 * statistics.median(np.quantile(t, 0.75) / np.median(t) - 1 for t in times)),
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    )


def _shares(tokens: int, requests: int) -> list[int]:
    """``tokens`` shared out over ``requests`` as evenly as can be."""
    each, more = divmod(tokens, requests)
    return [each + 1] * more + [each] * (requests - more)


class _Passes:
    """Slots that hold ``context`` tokens each, and passes over some more, which leave no trace."""

    def __init__(self, target: Target, slots: int, context: int, seed: int, shared: bool = False) -> None:
        self.target, self.context, self._clock = target, context, thread_time if shared else perf_counter
        self._cache, self._rng = target.new_slots(), np.random.default_rng([seed, 1])
        self._cache.lengths.extend([0] * slots)
        for slot in range(slots):
            target.forward_slots(self._cache, [slot], [self._some(context)], asked=0)

    def time(self, counts: Sequence[int]) -> float:
        """Seconds of a pass over ``counts[r]`` tokens of request r."""
        tokens = [self._some(n) for n in counts]
        now(self.target.device)
        began = self._clock()
        self.target.forward_slots(self._cache, range(len(counts)), tokens)
        now(self.target.device)
        seconds = self._clock() - began
        self._cache.lengths[:] = [self.context] * len(self._cache.lengths)
        return seconds

    def _some(self, count: int) -> list[int]:
        """Tokens of the vocabulary; what they say does not change the time of a dense model."""
        return list(self._rng.integers(self.target.vocab_size, size=count).tolist())

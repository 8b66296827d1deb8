"""Step rates from a device's data sheet and a model's size: what the hardware allows, not what an engine reaches."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dspark_lab.errors import LabError
from dspark_lab.scheduling.step_rate import StepRate

Floats = NDArray[np.float64]

MOST = 16_384
"""Tokens a step up to which a modelled rate is known unless told otherwise."""
EACH = 64
"""Every number of tokens up to here is a point of its own; from here on they grow by a twentieth."""


MOST_DIGITS = 6
"""Of a number of devices."""


@dataclass(frozen=True)
class Gpu:
    """A device, of which ``count`` hold a model together: their bandwidths and FLOP/s add up, links between them cost nothing.

    Attributes:
        bandwidth: of its memory, bytes per second. flops: multiplications and additions per second, dense, in the precision
            that the models here are served in. memory: bytes. overhead: seconds a step that nothing of the model explains:
            launches, sampling, scheduling; assumed.
    """

    title: str
    bandwidth: float
    flops: float
    memory: float
    overhead: float = 1e-3
    count: int = 1

    @classmethod
    def named(cls, name: str) -> Gpu:
        """One of ``GPUS``, or several of them, such as "8xh100".

        Raises:
            LabError: there is none of that name.
        """
        count, x, kind = name.partition("x")
        if not (x and count.isdecimal() and len(count) <= MOST_DIGITS):
            count, kind = "1", name
        if kind not in GPUS or int(count) < 1:
            raise LabError(f"there is no device {name!r}: choose one of {', '.join(GPUS)}, or several, such as 8xh100.")
        one = GPUS[kind]
        n = int(count)
        title = one.title if n == 1 else f"{n} x {one.title}"
        return cls(title, n * one.bandwidth, n * one.flops, n * one.memory, one.overhead, n)


@dataclass(frozen=True)
class Served:
    """A model as a roofline sees it.

    Attributes:
        shared: weights that every token needs. expert: weights of one expert (of all layers together), of which there are
            ``experts``, and each token is sent to ``routed`` of them; a dense model has none.
        bytes_per_weight: 2 for bfloat16, 1 for FP8.
        kv_bytes: of the cache, per token of context. attention: FLOPs of one token per token of its context.
    """

    title: str
    shared: float
    kv_bytes: float
    attention: float
    expert: float = 0.0
    experts: int = 0
    routed: int = 0
    bytes_per_weight: float = 2.0

    @property
    def weights(self) -> float:
        """All of them."""
        return self.shared + self.experts * self.expert

    @property
    def active(self) -> float:
        """Weights that one token is multiplied with."""
        return self.shared + self.routed * self.expert

    def touched(self, tokens: ArrayLike) -> Floats:
        """Weights that a step of B tokens reads. E (1 - (1 - k/E)^B) of E experts are expected to be among those of B tokens
        that choose k each, evenly: the first tokens of a step are the dear ones."""
        b = np.asarray(tokens, dtype=np.float64)
        if not self.experts:
            return np.full(b.shape, self.shared)
        distinct = self.experts * (1 - (1 - self.routed / self.experts) ** b)
        result: Floats = self.shared + distinct * self.expert
        return result


GPUS = {
    "h100": Gpu("H100 SXM", 3.35e12, 989e12, 80e9),
    "h200": Gpu("H200 SXM", 4.8e12, 989e12, 141e9),
    "a100": Gpu("A100 SXM 80 GB", 2.039e12, 312e12, 80e9),
    "l4": Gpu("L4", 300e9, 121e12, 24e9),
    "laptop": Gpu("laptop CPU, 8 cores", 89.6e9, 0.9e12, 32e9),
}
"""NVIDIA's data sheets: memory bandwidth, and bfloat16 tensor FLOP/s without sparsity. The laptop: two channels of DDR5-5600
(2 x 8 bytes x 5.6 GT/s), and 8 cores x 32 float32 FLOPs a cycle (two AVX2 FMAs) x 3.5 GHz."""


def _qwen3(title: str, weights: float, layers: int, heads: int) -> Served:
    """8 key-value heads and heads of 128 throughout."""
    return Served(title, weights, 2 * layers * 8 * 128 * 2, 4 * layers * heads * 128)


MODELS = {
    "qwen3-4b": _qwen3("Qwen3-4B", 4.0e9, 36, 32),
    "qwen3-8b": _qwen3("Qwen3-8B", 8.2e9, 36, 32),
    "qwen3-14b": _qwen3("Qwen3-14B", 14.8e9, 40, 40),
    "v4-flash-like": Served(
        "a mixture of experts like DeepSeek-V4-Flash",
        shared=7.0e9,
        expert=43 * 3 * 4096 * 2048,
        experts=256,
        routed=6,
        bytes_per_weight=1,
        kv_bytes=43 * 512 * 2 / 4,
        attention=4 * 43 * 64 * 512 / 4,
    ),
}
"""Qwen3: layers, heads and parameter counts of the published configs and model cards, in bfloat16. The mixture: 43 layers, 256
experts of 3 x 4096 x 2048, 6 a token (published config of DeepSeek-V4-Flash), and so much besides that 284e9 weights come out,
13e9 of them active; FP8 throughout and a cache of one head of 512, compressed 4 to 1, simplify the real one."""


def roofline(
    gpu: str | Gpu, model: str | Served, context: int = 1024, *, tokens_per_request: float = 4.0, most: int = MOST
) -> StepRate:
    """A modelled step rate: the time of a step of B tokens is
    max(weights read / bandwidth, FLOPs / peak) + caches read / bandwidth + overhead.

    Args:
        gpu, model: names in ``GPUS`` (such as "8xh100") and ``MODELS``, or your own.
        context: tokens of context of each request.
        tokens_per_request: what a request verifies a step, its anchor counted: its cache is read once for all of them.
        most: the largest B.

    Raises:
        LabError: a name does not exist, a number is out of range, or the weights do not fit into the device's memory.
    """
    gpu = Gpu.named(gpu) if isinstance(gpu, str) else gpu
    if isinstance(model, str):
        if model not in MODELS:
            raise LabError(f"there is no model {model!r} for a roofline: choose one of {', '.join(MODELS)}.")
        model = MODELS[model]
    if context < 0 or most < 1 or not (math.isfinite(tokens_per_request) and tokens_per_request >= 1):
        raise LabError(
            f"a roofline of context {context}, {tokens_per_request} tokens a request and {most} tokens a step cannot be: "
            f"the context must be 0 or more, the others 1 or more."
        )
    needed = model.weights * model.bytes_per_weight
    if needed > gpu.memory:
        more = math.ceil(needed / (gpu.memory / gpu.count))
        raise LabError(
            f"{model.title} has {needed / 1e9:,.0f} GB of weights, but {gpu.title} {gpu.memory / 1e9:,.0f} GB of memory: "
            f"take {more} of them or more, such as {more}xh100."
        )
    tokens = token_grid(most)
    memory = model.touched(tokens) * model.bytes_per_weight / gpu.bandwidth
    compute = tokens * (2 * model.active + model.attention * context) / gpu.flops
    cache = tokens / tokens_per_request * context * model.kv_bytes / gpu.bandwidth
    seconds = np.maximum(memory, compute) + cache + gpu.overhead
    return StepRate(
        tuple(map(int, tokens)),
        tuple(map(float, 1 / seconds)),
        "modelled",
        f"roofline of {model.title} on {gpu.title}, context {context:,}",
        {
            "method": "max(weights read / bandwidth, FLOPs / peak) + caches read / bandwidth + overhead",
            "device": gpu.title,
            "model": model.title,
            "context": context,
            "tokens_per_request": tokens_per_request,
            "overhead_s": gpu.overhead,
        },
    )


def token_grid(most: int) -> NDArray[np.int64]:
    """Every number of tokens up to ``EACH``, from there on steps of a twentieth, and ``most``."""
    grid = list(range(1, min(most, EACH) + 1))
    while grid[-1] < most:
        grid.append(min(most, grid[-1] + max(1, grid[-1] // 20)))
    return np.array(grid)

"""When something on a device is done."""

from __future__ import annotations

from time import perf_counter

import torch


def now(device: torch.device) -> float:
    """``perf_counter`` once ``device`` has done all it was given: a GPU works on while Python goes on."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return perf_counter()

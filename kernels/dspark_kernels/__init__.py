"""The arithmetic of sampling and verification on tensors, on any device.

Each function is a plain torch reference; a device kernel, where one exists, stands beside it and must agree with it.
Distributions are float64 and sum to 1 along the last dimension; draws are by inverse CDF over token ids.
"""

from dspark_kernels.reference import (
    inverse_cdf,
    inverse_cdf_each,
    overlap,
    residual,
    softmax_filtered,
    softmax_filtered_each,
)

__all__ = ["inverse_cdf", "inverse_cdf_each", "overlap", "residual", "softmax_filtered", "softmax_filtered_each"]

"""Measurements of speed: peer and ours in one process, warmed up, interleaved, medians and ratios."""

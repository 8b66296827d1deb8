"""What becomes of memory that is freed."""

from __future__ import annotations

import ctypes
from contextlib import suppress

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
_LARGEST_ARRAY = 2**30


def keep_freed() -> None:
    """With glibc, memory that this process frees stays with it: arrays that are made anew at every step are not faulted in
    page by page each time. With another C library nothing changes.

    https://man7.org/linux/man-pages/man3/mallopt.3.html
    """
    with suppress(OSError, AttributeError):
        for parameter in (_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD):
            ctypes.CDLL("libc.so.6").mallopt(parameter, _LARGEST_ARRAY)

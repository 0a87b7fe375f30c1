"""Memory that tensors gave back is kept for the next ones, instead of being returned to the system after every step.

glibc maps every block above 32 MB anew, and the system clears its pages on first touch: for a large tensor that takes
ten times as long as adding to it.
"""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # of mallopt, in malloc.h
_LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let this process keep what it frees, for good; whether that could be set, which needs glibc.

    The process then stays as large as it ever was. So it is for training, whose steps are alike, and not for a library.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl
        return False
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _LARGEST), (_TOP_PAD, 64 << 20))
    return all(mallopt(ctypes.c_int(name), ctypes.c_int(value)) == 1 for name, value in settings)

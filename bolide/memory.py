"""How much freed memory the C library keeps for later, in a process that is ours."""

from __future__ import annotations

import os

from bolide import _engine


def is_set_by_user() -> bool:
    """Return whether the environment has settings of glibc's allocator (mallopt(3))."""
    names = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_")
    return any(name in os.environ for name in names) or (
        "glibc.malloc." in os.environ.get("GLIBC_TUNABLES", "")
    )


def keep_freed(n: int) -> None:
    """Have up to ``n`` bytes of freed memory kept; 0: leave that to the C library.

    Processes that are forked later inherit it. What the user has set in the environment
    stays as it is.
    """
    if n > 0 and not is_set_by_user():
        _engine.keep_freed_memory(n)

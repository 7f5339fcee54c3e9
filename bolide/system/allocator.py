"""How much freed memory the C library keeps for reuse, in a process of bolide."""

from __future__ import annotations

import os

from bolide import _engine


def is_set_by_user() -> bool:
    """Return whether the environment configures glibc's allocator (mallopt(3))."""
    names = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_")
    return any(name in os.environ for name in names) or (
        "glibc.malloc." in os.environ.get("GLIBC_TUNABLES", "")
    )


def keep_freed(n: int) -> None:
    """Keep up to ``n`` bytes of freed memory; 0: change nothing.

    Processes that are forked later inherit it. Settings in the environment have
    priority.
    """
    if n > 0 and not is_set_by_user():
        _engine.keep_freed_memory(n)

"""The memory in which workers share responses: src/cache/store.h."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

from bolide._engine import format_cache

if TYPE_CHECKING:
    from bolide.config import Config


def cache_memory(config: Config) -> mmap.mmap | None:
    """Return memory for workers that are forked later; None: no cache."""
    if config.cache == 0:
        return None
    memory = mmap.mmap(-1, config.cache)
    format_cache(memory)
    return memory

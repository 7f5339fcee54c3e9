"""The memory in which workers share the tickets of early data:
src/quic/early_tickets.h.
"""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING

from bolide._engine import EARLY_TICKETS_BYTES

if TYPE_CHECKING:
    from bolide.config import Config

_IDENTITY_BYTES = 16


def early_memory(config: Config, shared: mmap.mmap | None = None) -> mmap.mmap | None:
    """Return ``shared``, or memory for workers that are forked later; None: no early
    data.
    """
    if not config.http3 or not config.h3_early_data:
        return None
    if shared is not None:
        return shared
    memory = mmap.mmap(-1, EARLY_TICKETS_BYTES)
    memory[:_IDENTITY_BYTES] = os.urandom(_IDENTITY_BYTES)
    return memory

"""How long Python's garbage collector delays the application."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Iterator

from bolide.observe.counters import Tallies
from bolide.system.fork_hooks import undone_in_children


@contextlib.contextmanager
def counted(tallies: Tallies, seat: int) -> Iterator[None]:
    """Count the runs of the collector and their time in a worker's seat within the
    block.
    """
    view = tallies.view
    runs, total, most = (tallies.index(seat, x) for x in ("gcs", "gc_ns", "gc_max"))
    clock = time.perf_counter_ns
    began = 0

    def on_gc(phase: str, info: dict[str, int]) -> None:
        nonlocal began
        if phase == "start":
            began = clock()
        elif began:
            took = clock() - began
            began = 0
            view[runs] += 1
            view[total] += took
            if took > view[most]:
                view[most] = took

    def stop() -> None:
        if on_gc in gc.callbacks:
            gc.callbacks.remove(on_gc)

    gc.callbacks.append(on_gc)
    try:
        with undone_in_children(stop):
            yield
    finally:
        stop()

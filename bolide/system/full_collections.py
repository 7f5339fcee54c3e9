"""Runs full garbage collections less often while they find next to no garbage.

A full collection visits every object that can be part of a cycle. With ten thousand
requests in progress these are several hundred thousand: 60 ms, in which no request is
served. Python starts one after a fixed number of new objects (`gc.set_threshold`),
although most applications leave no cycles behind.
"""

from __future__ import annotations

import contextlib
import gc
import os
import time
from collections.abc import Callable, Iterator

from bolide.system.fork_hooks import undone_in_children
from bolide.system.process_info import resident_bytes

FEW, MANY = 100, 400
"""If a full collection finds at most FEW objects, the next one comes after four times
as many new objects; if it finds more than MANY, after a quarter.
"""

FIRST, MOST = 16, 4096
"""The interval between full collections at first, and the longest one, in intervals of
Python.
"""

GROWTH_BYTES = 64 << 20
"""If the process has grown by so much, and by a quarter, since the last full
collection, Python's threshold applies until the next one.
"""

LONGEST_S = 60.0
"""The same after this time."""

LOOK_S = 1.0
"""How often the memory of the process is read at most."""

PYTHONS = gc.get_threshold()
"""The thresholds before the application is imported."""

_INT_MAX = 2**31 - 1


class Pacer:
    """Sets the threshold of full collections according to what they find."""

    def __init__(
        self,
        resident: Callable[[], int] = lambda: resident_bytes(os.getpid()),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resident, self._clock = resident, clock
        self._times = FIRST
        self._used = {PYTHONS[2]}
        """The thresholds of full collections that were in use."""
        self._is_on = False
        self._bytes = resident()
        self._at = self._looked = clock()

    def begin(self) -> bool:
        """Adapt from now on; return whether this Python has full collections, the
        application has not set its own thresholds, and this system reports the memory
        of processes.
        """
        can_adapt = gc.isenabled() and all(PYTHONS) and PYTHONS[2] * MOST <= _INT_MAX
        if not (can_adapt and gc.get_threshold() == PYTHONS and self._bytes):
            return False
        gc.callbacks.append(self._on_collection)
        self._is_on = True
        self._set(self._times)
        return True

    def end(self) -> None:
        """Restore Python's threshold; may be called twice."""
        if not self._is_on:
            return
        self._set(1)
        self._is_on = False
        if self._on_collection in gc.callbacks:
            gc.callbacks.remove(self._on_collection)

    def _set(self, times: int) -> None:
        if self._is_on and not self._is_changed():
            young, middle, full = PYTHONS
            gc.set_threshold(young, middle, full * times)
            self._used.add(full * times)

    def _is_changed(self) -> bool:
        """Return whether the application has set its own thresholds, which are kept."""
        young, middle, full = gc.get_threshold()
        if full not in self._used:
            return True
        if (young, middle) == PYTHONS[:2]:  # ours, or saved before and set again
            return False
        gc.set_threshold(young, middle, PYTHONS[2])  # it has set only these
        return True

    def _on_collection(self, phase: str, info: dict[str, int]) -> None:
        if phase != "stop" or info["generation"] == 0 or self._is_changed():
            return
        if info["generation"] == 2:
            self._judge(info["collected"] + info["uncollectable"])
        elif self._must_collect():
            self._set(1)

    def _judge(self, found: int) -> None:
        if found <= FEW:
            self._times = min(4 * self._times, MOST)
        elif found > MANY:
            self._times = max(self._times // 4, 1)
        self._bytes = self._resident() or self._bytes
        self._at = self._clock()
        self._set(self._times)

    def _must_collect(self) -> bool:
        now = self._clock()
        if now - self._looked < LOOK_S:
            return False
        self._looked = now
        resident = self._resident() or self._bytes
        self._bytes = min(self._bytes, resident)
        has_grown = resident - self._bytes > max(GROWTH_BYTES, self._bytes // 4)
        return has_grown or now - self._at > LONGEST_S


@contextlib.contextmanager
def collected(owns_process: bool, freezes: bool, adapts: bool) -> Iterator[None]:
    """Exclude the objects of now from collections, and adapt the threshold of full
    collections within the block; change nothing in a program that embeds bolide.
    """
    if owns_process and freezes:
        gc.freeze()
    if not (owns_process and adapts and (pacer := Pacer()).begin()):
        yield
        return
    try:
        with undone_in_children(pacer.end):
            yield
    finally:
        pacer.end()

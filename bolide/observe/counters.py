"""The counters of workers, in memory that they share with their supervisor."""

from __future__ import annotations

import mmap
import time
from collections.abc import Iterator
from typing import TypeAlias

from bolide._engine import (
    HISTORY_BYTES,
    HISTORY_DEATHS,
    TALLY_BYTES,
    TALLY_NAMES,
    TALLY_STATE,
)

Numbers: TypeAlias = dict[str, int]
"""The counters of src/http/tally.h by name."""

_SLOTS = TALLY_BYTES // 8


class Tallies:
    """A seat for each worker, to which only that worker writes; all may read."""

    def __init__(self, seats: int) -> None:
        self.memory = mmap.mmap(-1, seats * TALLY_BYTES)
        self.seats = seats
        self.view = memoryview(self.memory).cast("Q")
        """All counters."""
        self.history = mmap.mmap(-1, HISTORY_BYTES)
        """The history of the last minutes: src/builtin/history.h."""
        self._deaths = memoryview(self.history)[HISTORY_DEATHS:][:40].cast("Q")

    def index(self, seat: int, name: str) -> int:
        """Return the position of a seat's counter in ``view``."""
        return seat * _SLOTS + TALLY_NAMES.index(name)

    def read(self, seat: int) -> Numbers:
        """Return the counters of one seat."""
        start = seat * _SLOTS
        numbers = self.view[start : start + len(TALLY_NAMES)]
        return dict(zip(TALLY_NAMES, numbers, strict=True))

    def leave(self, seat: int) -> None:
        """Record that the worker of a seat has ended; its counts are kept."""
        for index in range(seat * _SLOTS, seat * _SLOTS + TALLY_STATE):
            self.view[index] = 0

    def note_end(self, pid: int, code: int, *, was_told: bool) -> None:
        """Record that a worker has ended; ``code`` is negative for a signal."""
        if was_told:
            self._deaths[4] += 1
            return
        self._deaths[0] += 1
        self._deaths[1], self._deaths[2] = int(time.time()), pid
        self._deaths[3] = code & (1 << 64) - 1

    def workers(self) -> Iterator[Numbers]:
        """Yield the counters of running workers."""
        for seat in range(self.seats):
            if self.view[self.index(seat, "pid")]:
                yield self.read(seat)

    def total(self) -> Numbers:
        """Return the sums over all seats, including workers that have ended."""
        every = [self.read(seat) for seat in range(self.seats)]
        return {name: sum(x[name] for x in every) for name in TALLY_NAMES}

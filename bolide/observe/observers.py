"""Observers of a running server: pauses, blocking code, statsd."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from bolide.config.config import Config
from bolide.logs.log import Log
from bolide.observe.counters import Tallies
from bolide.observe.gc_pauses import counted
from bolide.observe.loop_watchdog import Watchdog
from bolide.observe.statsd import Reporter, reporter_of


class Observers:
    """The observers of one server, according to its settings."""

    def __init__(self, config: Config, tallies: Tallies, seat: int, log: Log) -> None:
        self._config, self._tallies, self._seat = config, tallies, seat
        self._watchdog = Watchdog(config.warn_blocked, tallies, seat, log)
        self.watch_fd = self._watchdog.fd
        """The descriptor by which the engine wakes the watchdog; -1: there is none."""
        self._reporter: Reporter | None = None

    @contextlib.contextmanager
    def observing(self) -> Iterator[None]:
        """Observe the running loop within the block."""
        loop = asyncio.get_running_loop()
        # A supervisor reports for all workers.
        if self._config.workers is None:
            self._reporter = reporter_of(self._config, self._tallies)
            if self._reporter is not None:
                self._reporter.keep_sending(loop, self._config.statsd_interval)
        with counted(self._tallies, self._seat), self._watchdog.watching():
            yield

    def close(self) -> None:
        """Report the counts of the stop; may be called twice."""
        if self._reporter is not None:
            self._reporter.close()
            self._reporter = None

"""What looks at a server while it serves: for pauses, for what blocks, for statsd."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from bolide.config import Config
from bolide.logs import Log
from bolide.pauses import counted
from bolide.statsd import Reporter, reporter_of
from bolide.tally import Tallies
from bolide.watchdog import Watchdog


class Observers:
    """Those of one server, as its settings ask for them."""

    def __init__(self, config: Config, tallies: Tallies, seat: int, log: Log) -> None:
        self._config, self._tallies, self._seat = config, tallies, seat
        self._watchdog = Watchdog(config.warn_blocked, tallies, seat, log)
        self.watch_fd = self._watchdog.fd
        """What the engine wakes the watchdog by; -1: there is none."""
        self._reporter: Reporter | None = None

    @contextlib.contextmanager
    def observing(self) -> Iterator[None]:
        """Look at the running loop meanwhile."""
        loop = asyncio.get_running_loop()
        # A supervisor knows all workers, and reports for them.
        if self._config.workers is None:
            self._reporter = reporter_of(self._config, self._tallies)
            if self._reporter is not None:
                self._reporter.keep_sending(loop, self._config.statsd_interval)
        with counted(self._tallies, self._seat), self._watchdog.watching():
            yield

    def close(self) -> None:
        """Report what the stop has brought; twice is fine."""
        if self._reporter is not None:
            self._reporter.close()
            self._reporter = None

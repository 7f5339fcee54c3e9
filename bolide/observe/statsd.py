"""Sends the counters of workers to a statsd server, by UDP, every few seconds."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

from bolide._engine import TALLY_BOUNDS
from bolide.config.addresses import parse_statsd
from bolide.observe.counters import Numbers, Tallies
from bolide.system.process_info import resident_bytes
from bolide.system.threads import start_without_signals

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle

    from bolide.config.config import Config

_PACKET_BYTES = 1400
"""The size of a datagram that fits on any network."""

COUNTERS = {
    "done_1xx": ("requests", "status:1xx"),
    "done_2xx": ("requests", "status:2xx"),
    "done_3xx": ("requests", "status:3xx"),
    "done_4xx": ("requests", "status:4xx"),
    "done_5xx": ("requests", "status:5xx"),
    "done": ("requests", "status:none"),
    "app_failed": ("app_failures", ""),
    "bytes_in": ("received_bytes", ""),
    "bytes_out": ("sent_bytes", ""),
    "accepted": ("connections_accepted", ""),
    "blocked": ("loop_blocked", ""),
    "log_dropped": ("access_log_dropped", ""),
}
"""The counters that are sent, with the tag that distinguishes them."""

GAUGES = ("connections", "websockets", "running")
QUANTILES = (0.5, 0.95, 0.99)


def quantile(now: Numbers, was: Numbers, part: float) -> float | None:
    """Return the latency in seconds of the ``part``-quantile of responses since
    ``was``.
    """
    counts = [
        now[f"latency_{i}"] - was[f"latency_{i}"] for i in range(len(TALLY_BOUNDS))
    ]
    left = part * sum(counts)
    low = 0.0
    for count, end in zip(counts, TALLY_BOUNDS, strict=True):
        if count and left <= count:
            return low + (end - low) * left / count if end != float("inf") else low
        left -= count
        low = end
    return None


class Reporter:
    """Sends the sums of all workers, as increments since the last time."""

    def __init__(self, tallies: Tallies, address: str, prefix: str, tags: str) -> None:
        """``tags``, "name:value" separated by ",", are sent in the format of dogstatsd.

        Without tags the class of a status is a part of the name. Later errors are not
        raised: a host without a server is the same as a lost packet. Counts from before
        the host's name is resolved are sent after that.
        """
        self._tallies = tallies
        self._place = parse_statsd(address)
        self._prefix = f"{prefix}." if prefix else ""
        self._tags = tags
        self._was = tallies.total()
        self._socket: socket.socket | None = None
        self._finding: threading.Thread | None = None
        self._timer: TimerHandle | None = None

    def keep_sending(self, loop: AbstractEventLoop, every: float) -> None:
        """Send now and every few seconds, until ``close``.

        A thread resolves the host's name, which may take long.
        """
        if self._socket is not None:
            self.send()
        elif self._finding is None or not self._finding.is_alive():
            name = "bolide-statsd"
            self._finding = threading.Thread(target=self.find, name=name, daemon=True)
            start_without_signals(self._finding)
        self._timer = loop.call_later(every, self.keep_sending, loop, every)

    def close(self) -> None:
        """Send the changes one last time; nothing is sent after that."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._socket is not None:
            self.send()
            self._socket.close()
            self._socket = None

    @property
    def is_ready(self) -> bool:
        """Whether the host's address is known."""
        return self._socket is not None

    def find(self) -> None:
        """Resolve the host's name, unless it is known; this may block."""
        if self._socket is not None:
            return
        with contextlib.suppress(OSError):
            family, kind, proto, _, place = socket.getaddrinfo(
                *self._place, type=socket.SOCK_DGRAM
            )[0]
            sock = socket.socket(family, kind, proto)
            sock.setblocking(False)
            sock.connect(place)
            self._socket = sock

    def send(self) -> None:
        """Send the changes since the last time, and the gauges.

        Does nothing while the host's address is unknown.
        """
        if self._socket is None:
            return
        packet = b""
        for line in self._lines():
            raw = line.encode()
            if packet and len(packet) + 1 + len(raw) > _PACKET_BYTES:
                self._transmit(packet)
                packet = b""
            packet = packet + b"\n" + raw if packet else raw
        if packet:
            self._transmit(packet)

    def _lines(self) -> list[str]:
        now, was = self._tallies.total(), self._was
        self._was = now
        lines = []
        for name, (shown, tag) in COUNTERS.items():
            if now[name] > was[name]:
                lines.append(self._line(shown, f"{now[name] - was[name]}|c", tag))
        workers = list(self._tallies.workers())
        for name in GAUGES:
            lines.append(self._line(name, f"{sum(x[name] for x in workers)}|g"))
        lines.append(self._line("workers", f"{len(workers)}|g"))
        rss = sum(resident_bytes(x["pid"]) for x in workers)
        lines.append(self._line("resident_bytes", f"{rss}|g"))
        for part in QUANTILES:
            seconds = quantile(now, was, part)
            if seconds is not None:
                name = f"request_duration.p{part * 100:.0f}"
                lines.append(self._line(name, f"{seconds * 1000:.6g}|ms"))
        return lines

    def _line(self, name: str, value: str, tag: str = "") -> str:
        if not self._tags:
            kind = "." + tag.partition(":")[2] if tag else ""
            return f"{self._prefix}{name}{kind}:{value}"
        tags = ",".join(filter(None, (tag, self._tags)))
        return f"{self._prefix}{name}:{value}|#{tags}"

    def _transmit(self, packet: bytes) -> None:
        with contextlib.suppress(OSError):
            if self._socket is not None:
                self._socket.send(packet)


def reporter_of(config: Config, tallies: Tallies) -> Reporter | None:
    """Return the sender that ``config`` requests; None: no server is configured."""
    if not config.statsd:
        return None
    return Reporter(tallies, config.statsd, config.statsd_prefix, config.statsd_tags)

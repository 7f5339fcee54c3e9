"""Sends what workers count to a statsd server, by UDP, every few seconds."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

from bolide._engine import TALLY_BOUNDS
from bolide.crew import resident_bytes
from bolide.errors import ConfigError
from bolide.tally import Numbers, Tallies
from bolide.threads import start_without_signals

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle

    from bolide.config import Config

PORT = 8125
_PACKET_BYTES = 1400
"""What fits into one datagram on any network."""

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
"""What is sent of a tally, with the tag that tells it apart."""

GAUGES = ("connections", "websockets", "running")
QUANTILES = (0.5, 0.95, 0.99)


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port of ``host``, ``host:port`` or ``[host]:port``."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(PORT)
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError("statsd", f'takes host:port, not "{text}"')
    return host, int(port)


def quantile(now: Numbers, was: Numbers, part: float) -> float | None:
    """Return the latency in seconds that ``part`` of the answers since ``was`` had."""
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
    """Sends the sums of all workers; what was sent before is not sent again."""

    def __init__(self, tallies: Tallies, address: str, prefix: str, tags: str) -> None:
        """``tags``, "name:value" with "," between, are sent as dogstatsd reads them.

        Without any the class of a status is a part of the name. Never raises later: a
        host that nobody listens at is the same as a lost packet. What is counted until
        its name is known is sent then.
        """
        self._tallies = tallies
        self._place = parse_address(address)
        self._prefix = f"{prefix}." if prefix else ""
        self._tags = tags
        self._was = tallies.total()
        self._socket: socket.socket | None = None
        self._finding: threading.Thread | None = None
        self._timer: TimerHandle | None = None

    def keep_sending(self, loop: AbstractEventLoop, every: float) -> None:
        """Send now and every so many seconds, until ``close``.

        A thread asks for the host's address: that may take as long as it likes.
        """
        if self._socket is not None:
            self.send()
        elif self._finding is None or not self._finding.is_alive():
            name = "bolide-statsd"
            self._finding = threading.Thread(target=self.find, name=name, daemon=True)
            start_without_signals(self._finding)
        self._timer = loop.call_later(every, self.keep_sending, loop, every)

    def close(self) -> None:
        """Send what has changed one last time; nothing is sent after that."""
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
        """Ask for the host's address, unless it is known; this may wait."""
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
        """Send what has changed since the last time, and how things are.

        Does nothing while the host's address is not known.
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
    """Return what sends as ``config`` asks for; None: nobody is to hear."""
    if not config.statsd:
        return None
    return Reporter(tallies, config.statsd, config.statsd_prefix, config.statsd_tags)

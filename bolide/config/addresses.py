"""Addresses of external services, parsed from text."""

from __future__ import annotations

from bolide.config.value_types import decimal
from bolide.errors import ConfigError

STATSD_PORT = 8125
SYSLOG_PORT = 514


def parse_statsd(text: str) -> tuple[str, int]:
    """Return the address of a statsd server, parsed by ``host_and_port``."""
    found = host_and_port(text, STATSD_PORT)
    if found is None:
        raise ConfigError("statsd", f'takes host:port, not "{text}"')
    return found


def host_and_port(text: str, usual: int) -> tuple[str, int] | None:
    """Return host and port of ``host``, ``host:port`` or ``[host]:port``.

    ``usual`` is the default port. Returns None for an invalid address.
    """
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(usual)
    host = host.removeprefix("[").removesuffix("]")
    number = decimal(port)
    if not host or number is None or not 0 < number < 65536:
        return None
    return host, number

"""Destinations of logs, parsed from text."""

from __future__ import annotations

import os
from typing import NamedTuple

from bolide.config.addresses import SYSLOG_PORT, host_and_port
from bolide.errors import ConfigError

DEV_LOG = "/dev/log"
"""The socket of syslog."""
JOURNAL = "/run/systemd/journal/socket"
"""The socket of journald's native protocol."""


class Sink(NamedTuple):
    """A destination of lines: standard output, a file, syslog or the journal."""

    option: str
    """The field of Config that it comes from, for errors."""
    kind: str
    """"stream", "file", "syslog" or "journal"; the engine uses the same names."""
    path: str | None = None
    """The path of a file or of a datagram socket."""
    host: str = ""
    port: int = 0
    """The address of a remote syslog, by UDP."""


def parse_sink(option: str, text: str) -> Sink:
    """Parse ``text``; raise ConfigError with ``option`` as its name.

    "-" is standard output (for the log, standard error); "syslog", or after a colon the
    path of its socket or host:port; "journald"; anything else is the path of a file.
    """
    if text == "-":
        return Sink(option, "stream")
    if text == "journald":
        return Sink(option, "journal", JOURNAL)
    if text == "syslog":
        return Sink(option, "syslog", DEV_LOG)
    name, colon, rest = text.partition(":")
    if colon and name == "journald":
        return Sink(option, "journal", rest)
    if colon and name == "syslog":
        if rest.startswith("/"):
            return Sink(option, "syslog", rest)
        found = host_and_port(rest, SYSLOG_PORT)
        if found is None:
            raise ConfigError(option, f"takes syslog:host:port, not syslog:{rest}")
        return Sink(option, "syslog", None, *found)
    if not text or text.endswith("/"):
        raise ConfigError(option, f"takes the path of a file, not {text!r}")
    return Sink(option, "file", os.path.abspath(text))

"""Where logs go: standard output, a file, the system's log, or systemd's journal."""

from __future__ import annotations

import os
import socket
from typing import NamedTuple

from bolide.errors import ConfigError

DEV_LOG = "/dev/log"
"""The socket of the system's log."""
JOURNAL = "/run/systemd/journal/socket"
"""journald's, for its native protocol."""
SYSLOG_PORT = 514

FILE_MODE = 0o644


class Sink(NamedTuple):
    """One place for lines."""

    option: str
    """The field of Config that named it, for errors."""
    kind: str
    """"stream", "file", "syslog" or "journal"; as the engine calls them."""
    path: str | None = None
    """Of a file or of a datagram socket."""
    host: str = ""
    port: int = 0
    """Of a syslog elsewhere, by UDP."""

    def open(self) -> int:
        """Return a descriptor to write to, the caller's; raise ConfigError."""
        try:
            if self.kind == "stream":
                return os.dup(1)
            if self.kind == "file":
                assert self.path is not None
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
                return os.open(self.path, flags, FILE_MODE)
            return self._socket().detach()
        except OSError as problem:
            where = self.path or f"{self.host}:{self.port}"
            reason = f"cannot be opened: {problem.strerror}: {where}"
            raise ConfigError(self.option, reason) from None

    def _socket(self) -> socket.socket:
        """Return a datagram socket, after a look whether somebody listens."""
        if self.path is not None:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
                probe.connect(self.path)
            return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM)
        family, kind, number, _, address = found[0]
        sock = socket.socket(family, kind, number)
        sock.connect(address)
        return sock

    def hand_to(self, uid: int, gid: int) -> None:
        """Give a file to the user that workers run as; -1 leaves that half as it is."""
        if self.kind == "file" and self.path is not None and os.geteuid() == 0:
            os.chown(self.path, uid, gid)


class AccessLog(NamedTuple):
    """The access log as the engine takes it."""

    kind: str
    fd: int
    """Its reader's to close, once the engine has started."""
    path: str | None
    format: str
    colors: bool


def parse_sink(option: str, text: str) -> Sink:
    """Return what ``text`` names; raise ConfigError with ``option`` for its name.

    "-" is standard output (or, for what is said, standard error); "syslog", or behind
    a colon the path of its socket or host:port; "journald"; all else is a file's path.
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
        host, port = _host_and_port(option, rest)
        return Sink(option, "syslog", None, host, port)
    if not text or text.endswith("/"):
        raise ConfigError(option, f"takes the path of a file, not {text!r}")
    return Sink(option, "file", os.path.abspath(text))


def _host_and_port(option: str, text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(SYSLOG_PORT)
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError(option, f"takes syslog:host:port, not syslog:{text}")
    return host, int(port)

"""Opens destinations of logs: standard output, a file, syslog, or the journal."""

from __future__ import annotations

import os
import socket
from typing import NamedTuple

from bolide.config import identity
from bolide.config.config import Config
from bolide.config.sinks import Sink
from bolide.errors import ConfigError

FILE_MODE = 0o644


class AccessLog(NamedTuple):
    """The access log as the engine takes it."""

    kind: str
    fd: int
    """To be closed by its reader, once the engine has started."""
    path: str | None
    format: str
    colors: bool


def open_sink(sink: Sink) -> int:
    """Return a descriptor to write to, owned by the caller; raise ConfigError."""
    try:
        if sink.kind == "stream":
            return os.dup(1)
        if sink.kind == "file":
            assert sink.path is not None
            return open_file(sink.path)
        return _connect(sink).detach()
    except OSError as problem:
        where = sink.path or f"{sink.host}:{sink.port}"
        reason = f"cannot be opened: {problem.strerror}: {where}"
        raise ConfigError(sink.option, reason) from None


def open_file(path: str) -> int:
    """Return a descriptor that appends to the file at ``path``; raise OSError."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    return os.open(path, flags, FILE_MODE)


def _connect(sink: Sink) -> socket.socket:
    """Return a connected datagram socket; fails if there is no receiver."""
    if sink.path is not None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
            probe.connect(sink.path)
        return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    found = socket.getaddrinfo(sink.host, sink.port, type=socket.SOCK_DGRAM)
    family, kind, number, _, address = found[0]
    sock = socket.socket(family, kind, number)
    sock.connect(address)
    return sock


def prepare_logs(config: Config) -> None:
    """Create the files of both logs, owned by the user of the workers.

    Raises ConfigError if one cannot be opened.
    """
    sinks = [config.log_sink]
    if config.access_log:
        sinks.append(config.access_sink)
    for sink in sinks:
        os.close(open_sink(sink))
        if config.user is not None or config.group is not None:
            _hand_to(sink, *identity.numbers(config.user, config.group))


def _hand_to(sink: Sink, uid: int, gid: int) -> None:
    """Change user and group of a file; -1 keeps one."""
    if sink.kind == "file" and sink.path is not None and os.geteuid() == 0:
        os.chown(sink.path, uid, gid)

"""``--check-config``: reads everything that a start reads, and opens nothing."""

from __future__ import annotations

import asyncio
import os

from bolide import _engine
from bolide.config.config import Config
from bolide.config.sinks import Sink
from bolide.errors import ConfigError
from bolide.logs.log import log_notes, open_log
from bolide.logs.sinks import open_sink
from bolide.processes import privileges
from bolide.serving import sockets


def check_start(config: Config) -> None:
    """Raise the exception that would prevent a server with ``config`` from starting.

    Does not check sockets, as a running server may have them. Raises AppError,
    BindError, ConfigError or TLSError.
    """
    privileges.check(config)
    if config.reload:
        from bolide.processes import reloader

        reloader.check(config)
    _check_sink(config.log_sink)
    if config.access_log:
        _check_sink(config.access_sink)
    if config.pid_file is not None:
        _check_writable("pid_file", config.pid_file)
    if config.log_sink.kind == "file":
        config.log_sink = config.log_sink._replace(kind="stream")
    log = open_log(config)
    sockets.check_places(config.places)
    config.prepare()
    factory = config.get_loop_factory() or asyncio.new_event_loop
    config.load()
    log_notes(log, config)
    settings = config.for_engine()
    settings["log"], settings["log_exception"] = log.line, log.exception
    loop = factory()
    try:
        _engine.Server(config.loaded_app, loop, settings).close()
    finally:
        loop.close()


def _check_sink(sink: Sink) -> None:
    """Raise ConfigError for a log that cannot be opened; create no file."""
    if sink.kind != "file":
        os.close(open_sink(sink))
    elif sink.path is not None:
        _check_writable(sink.option, sink.path)


def _check_writable(name: str, path: str) -> None:
    there = os.path.exists(path)
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path) or not os.access(path if there else folder, os.W_OK):
        raise ConfigError(name, f"cannot be written: {path}")

"""``--reload``: one process serves, and is replaced by another when files change.

The old one ends first, so that only one is started at any time; meanwhile new
connections wait in the listening sockets, which belong to the Reloader.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import os
import signal
import socket
import sys
import time

from bolide.config.config import Config
from bolide.errors import ConfigError
from bolide.logs.log import banner
from bolide.processes.base import Parent
from bolide.processes.child import STARTING, Worker, how_it_ended
from bolide.processes.file_watcher import folders, run_watcher, texts_of
from bolide.processes.worker import Post, WorkerServer, run_worker
from bolide.server import EXIT_ERROR, EXIT_STARTUP
from bolide.serving.sockets import places

RESTART_S = 2.0
"""How long running requests may continue when files have changed."""

SLOW = ("anyio", "fastapi", "pydantic", "starlette")
"""Packages that take longer to import than a small application, and that are
imported before the fork. Only these: others may depend on what an application sets
first, or start threads.
"""

_KILL_S = 2 * RESTART_S + 1.0
_SHOWN = 5


def check(config: Config) -> None:
    """Raise ConfigError if ``config`` cannot be reloaded."""
    if not isinstance(config.app, str):
        text = 'needs the application by name, as "module:attribute"'
        raise ConfigError("reload", text)
    if importlib.util.find_spec("watchfiles") is None:
        raise ConfigError("reload", "needs watchfiles: pip install watchfiles")
    for folder in texts_of(config.reload_dirs):
        if not os.path.isdir(folder):
            raise ConfigError("reload_dirs", f'is not a directory: "{folder}"')


class _ReloadedServer(WorkerServer):
    """Serves in a child, and reports which of SLOW its application uses."""

    def _on_started(self, where: str, loop: asyncio.AbstractEventLoop) -> None:
        super()._on_started(where, loop)
        used = " ".join(name for name in SLOW if _is_installed(name))
        self._send(b"uses " + used.encode())


def _is_installed(name: str) -> bool:
    """Return whether a module is loaded, and is not one of the user."""
    file = getattr(sys.modules.get(name), "__file__", None) or ""
    return "site-packages" in file or "dist-packages" in file


def _serve(config: Config, post: Post, listeners: list[socket.socket]) -> int:
    """Serve in a child, which is replaced soon."""
    grace = min(config.timeout_graceful_shutdown or 0.0, RESTART_S)
    config.timeout_graceful_shutdown = grace
    return run_worker(config, post, listeners, _ReloadedServer)


class Reloader(Parent):
    """The process that watches files, and the parent of the one that serves."""

    def __init__(self, config: Config) -> None:
        super().__init__(config, 2)
        self._server: Worker | None = None
        self._watcher: Worker | None = None
        self._is_wanted = True
        self._not_before = 0.0
        self._changed_at = 0.0
        self._has_announced = False

    def _begin(self) -> None:
        # Packages that all children need are imported once.
        self.config.get_loop_factory()
        self._watcher = self._start(1, run_watcher)
        self._look()

    def _continues(self) -> bool:
        return self._stop_signal is None or bool(self._children())

    def _children(self) -> list[Worker]:
        return [x for x in (self._server, self._watcher) if x is not None]

    def _look(self) -> None:
        now = time.monotonic()
        for child in self._children():
            if child.is_ending and now >= child.due:
                self._log(
                    "warning",
                    f"process {child.pid} did not end in time, and was killed",
                )
                self._kill(child)
        if self._server is None and self._is_due(now):
            self._is_wanted = False
            self._not_before = now + self.config.reload_delay
            self._server = self._start(0, _serve)

    def _is_due(self, now: float) -> bool:
        return self._stop_signal is None and self._is_wanted and now >= self._not_before

    def _sleep_ms(self) -> int | None:
        due = [x.due for x in self._children() if x.is_ending]
        if self._server is None and self._is_wanted:
            due.append(self._not_before)
        first = min(due, default=float("inf"))
        if first == float("inf"):
            return None
        return max(0, int((first - time.monotonic()) * 1000) + 1)

    def _on_message(self, child: Worker, message: bytes) -> None:
        if message == b"watching":
            where = ", ".join(folders(self.config))
            self._log("info", f"watching for changes: {where}")
        elif message == b"ready":
            self._on_ready(child)
        elif message.startswith(b"uses "):
            for name in message.decode().split()[1:]:
                with contextlib.suppress(Exception):
                    importlib.import_module(name)
        elif message.startswith(b"\0"):
            self._on_change(os.fsdecode(message[1:]).split("\0"))

    def _on_ready(self, child: Worker) -> None:
        now = time.monotonic()
        child.serve(now)
        if self._has_announced:
            self._log("info", f"reloaded in {now - self._changed_at:.2f} s")
            return
        self._has_announced = True
        where = places(self._listeners, self.config)
        self._log("info", banner(self.config, where, "reloads"))

    def _on_change(self, paths: list[str]) -> None:
        if self._stop_signal is not None:
            return
        names = [os.path.relpath(x) for x in paths]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        self._log("info", f"changed: {', '.join(names[:_SHOWN])}{more}; reloading")
        for path in paths:
            _forget_compiled(path)
        if not self._is_wanted:
            self._changed_at = time.monotonic()
        self._is_wanted = True
        self._replace()

    def _replace(self) -> None:
        """Stop the process that serves; another one follows."""
        server = self._server
        if server is None or server.is_ending:
            return
        if server.state == STARTING:
            self._kill(server)
            server.end(float("inf"))
            return
        with contextlib.suppress(OSError):
            server.control.send(b"restart")
        server.end(time.monotonic() + _KILL_S)

    def _on_end(self, pid: int, code: int) -> None:
        server, watcher = self._server, self._watcher
        if server is not None and server.pid == pid:
            self._server = None
            self._forget(server)
            if not server.is_ending:
                self._on_failure(server, code)
        elif watcher is not None and watcher.pid == pid:
            self._watcher = None
            self._forget(watcher)
            if not watcher.is_ending:
                text = f"the watch for changes {how_it_ended(code)}"
                self._log("error", f"{text}: reloading has stopped")

    def _on_failure(self, server: Worker, code: int) -> None:
        """Called when the process that served, or was starting, has ended by itself."""
        waits = "waiting for a change"
        if server.state != STARTING or code not in (EXIT_ERROR, EXIT_STARTUP):
            waits = f"process {server.pid} {how_it_ended(code)}: {waits}"
        self._log("warning", waits)

    def _on_signal(self, number: int) -> None:
        if number == signal.SIGHUP and self._stop_signal is None:
            self._changed_at = time.monotonic()
            self._is_wanted = True
            self._replace()
        if number not in (signal.SIGINT, signal.SIGTERM):
            return
        if self._stop_signal is not None:
            self._kill_all(number)
            return
        self._stop_signal = number
        for child in self._children():
            self._terminate(child, _KILL_S)
        self._listeners.leave()


def _forget_compiled(path: str) -> None:
    """Remove the compiled file of a source that has changed.

    Python compares seconds and sizes, so it would not notice a quick second change.
    """
    if path.endswith(".py"):
        with contextlib.suppress(OSError, NotImplementedError):
            os.unlink(importlib.util.cache_from_source(path))

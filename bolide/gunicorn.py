"""``gunicorn -k bolide.gunicorn.BolideWorker``: the engine under gunicorn's arbiter.

Gunicorn binds, forks, replaces and reloads; a worker serves on its sockets with its
settings. docs/migration/gunicorn.md lists the settings that it uses.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

from bolide import _engine
from bolide._engine import LifespanError, TLSError
from bolide.config.binds import PROXY_PROTOCOLS, Bind
from bolide.config.config import Config
from bolide.errors import AppError, BindError, ConfigError
from bolide.logs.sinks import AccessLog
from bolide.server import Server, startup_failure
from bolide.serving import sockets as listening
from bolide.system.fork_hooks import default_signals, undone_in_children
from bolide.system.forked import children_end_here

NOTIFY_MOST_S = 1.0
"""The longest time without a heartbeat for the arbiter; gunicorn's own workers send
one per second.
"""

_MARGIN_S = 1.0
"""How long before the arbiter's own deadline a worker must have ended."""


class WorkerServer(Server):
    """A Server that leaves signals to its worker, and stops while others continue."""

    def __init__(self, config: Config, worker: BolideWorker) -> None:
        super().__init__(config)
        self.log.logger = worker.log.error_log
        self._worker = worker

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no signal handlers."""
        yield

    def _open_access_log(self) -> AccessLog | None:
        if self._worker.access_fd == -1:
            return None
        path, text = self._worker.cfg.accesslog, self._worker.cfg.access_log_format
        try:
            _engine.check_access_format(text)
        except ValueError as error:
            self.log.line(30, f"access_log_format cannot be used: {error}")
            text = "combined"
        kind = "stream" if path == "-" else "file"
        return AccessLog(kind, self._worker.access_fd, path, text, False)

    def reopen_access_log(self) -> None:
        """Reopen the file of the access log; called from the loop."""
        if self._engine is not None:
            self._engine.reopen_log()

    def _on_started(self, where: str, loop: asyncio.AbstractEventLoop) -> None:
        self.log.line(20, f"bolide serves on {where}")

    def _on_full(self) -> None:
        self.log.line(20, "the limit of requests is reached: restarting")
        self.retire()


class BolideWorker(Worker):  # type: ignore[misc]
    """A worker of gunicorn that serves an ASGI application."""

    CONFIG_KWARGS: dict[str, Any] = {}  # noqa: RUF012
    """Fields of ``bolide.Config`` that a subclass sets, which override gunicorn's
    settings.
    """

    server: WorkerServer | None = None
    loop: asyncio.AbstractEventLoop | None = None
    access_fd = -1
    """The descriptor to which access lines are written; -1: none."""

    def init_process(self) -> None:
        """Set up the worker in its process, and serve."""
        stream = self._access_stream()
        if stream is not None:
            self.access_fd = os.dup(stream)
        super().init_process()

    def init_signals(self) -> None:
        """Handle gunicorn's signals: TERM stops gracefully, INT and QUIT at once."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, self.handle_exit)
        signal.signal(signal.SIGINT, self.handle_quit)
        signal.signal(signal.SIGQUIT, self.handle_quit)
        signal.signal(signal.SIGABRT, self.handle_abort)
        signal.signal(signal.SIGUSR1, self.handle_usr1)
        signal.signal(signal.SIGWINCH, self.handle_winch)

    @contextlib.contextmanager
    def _own_signals(self) -> Iterator[None]:
        """Let children that the application forks meanwhile be ended by signals."""
        with undone_in_children(lambda: default_signals(*self.SIGNALS)):
            yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop gracefully; other workers continue to serve, so that no request is
        lost.
        """
        self.alive = False
        if self.server is not None:
            self.server.retire()

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """Stop without waiting for running requests."""
        self.alive = False
        self.cfg.worker_int(self)
        if self.server is None:
            sys.exit(0)
        self.server.force_exit = True

    def handle_usr1(self, sig: int, frame: FrameType | None) -> None:
        """Reopen the log files."""
        super().handle_usr1(sig, frame)
        if self.loop is not None and self.server is not None:
            self.loop.call_soon_threadsafe(self.server.reopen_access_log)

    def run(self) -> None:
        """Serve until the arbiter stops it or a limit is reached."""
        try:
            config = Config(self.wsgi, **{**self._settings(), **self.CONFIG_KWARGS})
            self.server = WorkerServer(config, self)
            factory = config.get_loop_factory()
            with (
                self._own_signals(),
                asyncio.Runner(loop_factory=factory) as runner,
                children_end_here(),
            ):
                runner.run(self._serve(self.server))
        except LifespanError as error:
            self.log.error("%s", startup_failure(error))
            sys.exit(Arbiter.WORKER_BOOT_ERROR)
        except (AppError, BindError, ConfigError, TLSError) as error:
            self.log.error("%s", error)
            sys.exit(Arbiter.WORKER_BOOT_ERROR)

    async def _serve(self, server: WorkerServer) -> None:
        self.loop = loop = asyncio.get_running_loop()
        loop.add_reader(self.PIPE[0], self._look, server)
        self._live(loop, server)
        await server.serve(self._listeners())

    def _live(self, loop: asyncio.AbstractEventLoop, server: WorkerServer) -> None:
        """Send heartbeats to the arbiter repeatedly, also during the stop."""
        self.notify()
        self._look(server)
        every = min(NOTIFY_MOST_S, self.timeout / 3) if self.timeout else NOTIFY_MOST_S
        loop.call_later(every, self._live, loop, server)

    def _look(self, server: WorkerServer) -> None:
        """Stop when the arbiter has ended, or the reloader has seen a change."""
        if self.ppid != os.getppid() and self.alive:
            self.log.info("the arbiter has exited: stopping")
            self.alive = False
        if not self.alive and not server.should_exit:
            server.retire()

    def _listeners(self) -> listening.Listeners:
        """Return duplicates of gunicorn's sockets, which the server owns and closes."""
        mode = self.cfg.proxy_protocol
        mode = "any" if mode in (True, "auto") else mode or "off"
        place = Bind("gunicorn", "fd")
        if mode in PROXY_PROTOCOLS:
            place = place._replace(proxy_protocol=mode)
        made = listening.Listeners()
        made.add(
            place, [socket.socket(fileno=os.dup(x.fileno())) for x in self.sockets]
        )
        return made

    def _settings(self) -> dict[str, Any]:
        """Return the fields of Config for gunicorn's settings."""
        cfg = self.cfg
        keep_alive = cfg.keepalive or 0
        grace = cfg.graceful_timeout - keep_alive - _MARGIN_S
        settings = {
            "access_log": self.access_fd != -1,
            "backlog": cfg.backlog,
            "forwarded_allow_ips": ",".join(cfg.forwarded_allow_ips),
            "limit_concurrency": cfg.worker_connections or None,
            "limit_max_requests": self.max_requests if cfg.max_requests else None,
            "limit_request_line": max(256, cfg.limit_request_line or 0) or None,
            "limit_fields": cfg.limit_request_fields or None,
            "log_config": None,
            "log_level": self.log.error_log.level or "info",
            "timeout_graceful_shutdown": max(grace, cfg.graceful_timeout / 2),
            "timeout_keep_alive": keep_alive,
            "workers": 1,
        }
        # Settings that only newer versions of gunicorn have.
        for ours, theirs in (
            ("lifespan", "asgi_lifespan"),
            ("loop", "asgi_loop"),
            ("root_path", "root_path"),
            ("ws_max_size", "websocket_max_message_size"),
        ):
            value = getattr(cfg, theirs, None) if theirs in cfg.settings else None
            if value:
                settings[ours] = value
        if cfg.is_ssl:
            settings |= {
                "ssl_certfile": cfg.certfile or cfg.keyfile,
                "ssl_keyfile": cfg.keyfile,
                "ssl_ca_certs": cfg.ca_certs,
                "ssl_cert_reqs": cfg.cert_reqs,
                "ssl_ciphers": cfg.ciphers,
            }
        return settings

    def _access_stream(self) -> int | None:
        """Return the descriptor of gunicorn's access log; None: there is none."""
        if not self.cfg.accesslog:
            return None
        for handler in self.log.access_log.handlers:
            stream = getattr(handler, "stream", None)
            if stream is not None:
                descriptor: int = stream.fileno()
                return descriptor
        return None

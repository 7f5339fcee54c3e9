"""Runs the engine: the loop, the sockets, the signals, and the order of a stop."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import sys
from collections.abc import Coroutine
from typing import Any

from bolide import _engine
from bolide.config import Config
from bolide.importer import ImportFailed, load_app
from bolide.logs import LEVELS, Log

EXIT_OK = 0
EXIT_ERROR = 1
"""The application cannot be imported, or the address cannot be used."""
EXIT_USAGE = 2
EXIT_STARTUP = 3
"""The application's lifespan start-up failed."""


class BindError(Exception):
    """A listening socket cannot be had; the text is one line that says why."""


def _bind_tcp(config: Config) -> socket.socket:
    host = config.host.removeprefix("[").removesuffix("]")
    try:
        found = socket.getaddrinfo(
            host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (socket.gaierror, UnicodeError) as error:
        raise BindError(f'there is no host "{host}": {error}') from None
    family, kind, proto, _, address = found[0]
    sock = socket.socket(family, kind, proto)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(config.backlog)
    except OSError as error:
        sock.close()
        raise BindError(f"{_shown_host(host)}:{config.port}: {error.strerror}") from None
    return sock


def _shown_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _remove_stale(path: str) -> None:
    """Remove a socket that nobody listens on; raise BindError when somebody does."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise BindError(f"{path}: there is a file that is no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            os.unlink(path)
            return
    raise BindError(f"{path}: another server listens there")


def _bind_unix(config: Config, path: str) -> socket.socket:
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.bind(path)
        os.chmod(path, 0o666)
        sock.listen(config.backlog)
    except OSError as error:
        sock.close()
        raise BindError(f"{path}: {error.strerror}") from None
    return sock


def _inherit(fd: int) -> socket.socket:
    try:
        sock = socket.socket(fileno=fd)
        listens = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise BindError(f"descriptor {fd}: {error.strerror}") from None
    if not listens:
        sock.detach()
        raise BindError(f"descriptor {fd} is no listening socket")
    return sock


def bind(config: Config) -> socket.socket:
    """Return the listening socket that ``config`` asks for; raise BindError."""
    if config.fd is not None:
        return _inherit(config.fd)
    if config.uds is not None:
        return _bind_unix(config, config.uds)
    return _bind_tcp(config)


def describe(sock: socket.socket) -> str:
    """Return where ``sock`` listens as a URL."""
    if sock.family == socket.AF_UNIX:
        return f"unix:{sock.getsockname()}"
    host, port = sock.getsockname()[:2]
    return f"http://{_shown_host(host)}:{port}"


def _new_loop(name: str) -> asyncio.AbstractEventLoop:
    """Return a new loop of the kind that ``--loop`` names; raise ImportFailed."""
    if name in ("auto", "uvloop"):
        try:
            import uvloop

            return uvloop.new_event_loop()
        except ImportError:
            if name == "uvloop":
                raise ImportFailed("--loop uvloop: uvloop is not installed") from None
    if name == "rloop":
        try:
            import rloop

            return rloop.new_event_loop()  # type: ignore[no-any-return]
        except ImportError:
            raise ImportFailed("--loop rloop: rloop is not installed") from None
    return asyncio.new_event_loop()


class Server:
    """One server in one process, on one loop.

    ``should_exit`` set to True stops it gracefully, ``force_exit`` at once; ``started``
    tells that it accepts connections; ``exit_code`` is what the process should return.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.log = Log(config.level)
        self.started = False
        self.force_exit = False
        self.exit_code = EXIT_OK
        self._stop: asyncio.Event | None = None
        self._should_exit = False

    @property
    def should_exit(self) -> bool:
        """Whether the server stops, or is to stop."""
        return self._should_exit

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        self._should_exit = value
        if value and self._stop is not None:
            self._stop.set()

    def run(self) -> int:
        """Serve until a signal comes, on a new loop, and return the exit code."""
        try:
            loop = _new_loop(self.config.loop)
        except ImportFailed as error:
            self.log.line(LEVELS["error"], str(error))
            return EXIT_ERROR
        return _run_on(loop, self._main())

    async def _main(self) -> int:
        try:
            app = load_app(
                self.config.app,
                factory=self.config.factory,
                app_dir=self.config.app_dir,
            )
            sock = bind(self.config)
        except (ImportFailed, BindError) as error:
            self._say_why(error)
            return EXIT_ERROR
        try:
            return await self._serve(app, sock, signals=True)
        finally:
            self._remove_socket_file()

    def _say_why(self, error: Exception) -> None:
        if error.__cause__ is not None and self.config.level <= LEVELS["debug"]:
            self.log.exception(str(error), error.__cause__)
        else:
            self.log.line(LEVELS["error"], str(error))

    def _remove_socket_file(self) -> None:
        if self.config.uds is not None:
            try:
                os.unlink(self.config.uds)
            except OSError:
                pass

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve inside a running loop until ``should_exit`` is set.

        ``sockets`` are bound and listening, and are taken over. Raises ImportFailed,
        BindError, or ``bolide._engine.LifespanError``.
        """
        app = load_app(
            self.config.app, factory=self.config.factory, app_dir=self.config.app_dir
        )
        sock = sockets[0] if sockets else bind(self.config)
        try:
            self.exit_code = await self._serve(
                app, sock, signals=False, more=(sockets or [])[1:]
            )
        finally:
            if not sockets:
                self._remove_socket_file()

    async def _serve(
        self,
        app: Any,
        sock: socket.socket,
        *,
        signals: bool,
        more: list[socket.socket] | None = None,
    ) -> int:
        loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        if self._should_exit:
            self._stop.set()
        settings = self.config.for_engine()
        settings["log"] = self.log.line
        settings["log_exception"] = self.log.exception
        engine = _engine.Server(app, loop, settings)
        if signals:
            self._watch_signals(loop)
        if not await self._startup(engine):
            sock.close()
            return EXIT_STARTUP
        where = describe(sock)
        engine.start([s.detach() for s in [sock, *(more or [])]])
        self.started = True
        self.log.line(LEVELS["info"], self._banner(where, loop))
        await self._stop.wait()
        return await self._shut_down(engine)

    async def _startup(self, engine: _engine.Server) -> bool:
        try:
            await engine.startup()
        except _engine.LifespanError as error:
            text = f"the application failed to start: {error}".rstrip(": ")
            self.log.line(LEVELS["error"], text)
            engine.close()
            return False
        return True

    async def _shut_down(self, engine: _engine.Server) -> int:
        self.started = False
        open_now = engine.connections
        if open_now:
            self.log.line(LEVELS["info"], f"stopping: {open_now} connections are open")
        try:
            await engine.stop()
            await engine.shutdown()
        except _engine.LifespanError as error:
            self.log.line(LEVELS["error"], f"the application failed to stop: {error}")
        finally:
            engine.close()
        self.log.line(LEVELS["info"], "stopped")
        return EXIT_OK

    def _banner(self, where: str, loop: asyncio.AbstractEventLoop) -> str:
        from bolide import __version__

        kind = type(loop).__module__.partition(".")[0]
        python = ".".join(map(str, sys.version_info[:3]))
        return (
            f"bolide {__version__} listening on {where} "
            f"(pid {os.getpid()}, {kind}, CPython {python}; Ctrl-C stops it)"
        )

    def _watch_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_signal, number)

    def _on_signal(self, number: int) -> None:
        """Stop gracefully; the second time at once, as if nobody had caught it."""
        if self._should_exit:
            self.force_exit = True
            self._remove_socket_file()
            sys.stdout.flush()
            os._exit(128 + number)
        self.should_exit = True


def _run_on(loop: asyncio.AbstractEventLoop, main: Coroutine[Any, Any, int]) -> int:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main)


def run(app: Any, **settings: Any) -> None:
    """Serve ``app``, an application or ``"module:attribute"``, until a signal comes.

    ``settings`` are the fields of Config; the names in ``bolide.config.LIMITS`` are
    taken as well. Exits the process with a code above 0 when it cannot serve. Raises
    ConfigError for settings that cannot be used.
    """
    code = Server(make_config(app, settings)).run()
    if code != EXIT_OK:
        sys.exit(code)


def make_config(app: Any, settings: dict[str, Any]) -> Config:
    """Return a Config, with the limits among ``settings`` put where they belong."""
    from bolide.config import LIMITS

    names = {limit.name for limit in LIMITS}
    limits = dict(settings.get("limits", {}))
    limits.update({k: v for k, v in settings.items() if k in names})
    rest = {k: v for k, v in settings.items() if k not in names and k != "limits"}
    return Config(app, limits=limits, **rest)

"""Runs the engine: the loop, the sockets, the signals, and the order of a stop."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from bolide import _engine, sockets
from bolide.config import Config
from bolide.errors import AppError, BindError, ConfigError
from bolide.importer import load_app
from bolide.logs import LEVELS, Log

EXIT_OK = 0
EXIT_ERROR = 1
"""The application cannot be loaded, or the address cannot be used."""
EXIT_USAGE = 2
"""Wrong use of the command."""
EXIT_STARTUP = 3
"""The application's lifespan startup failed."""
EXIT_SIGNAL = 128
"""Plus the number of a signal: it ended the process at once."""

LEFTOVERS_S = 10.0
"""How long threads and tasks of the application may outlive the stop of a process that
is bolide's own."""

SHUTDOWN_LEAST_S = 1.0
"""How long the application's shutdown may take at least, however short the grace is."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes loops of the kind ``name``, one of LOOPS; raise ConfigError."""
    package = "uvloop" if name == "auto" else name
    if package != "asyncio":
        try:
            found: Any = importlib.import_module(package)
            factory: Callable[[], asyncio.AbstractEventLoop] = found.new_event_loop
            return factory
        except ImportError:
            if name != "auto":
                raise ConfigError("loop", f"{name}: it is not installed") from None
    return asyncio.new_event_loop


class Server:
    """One server in one process, on one event loop; it serves once.

    ``started`` tells that it accepts connections. ``should_exit`` set to True, from any
    thread, stops it gracefully, ``force_exit`` at once.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.log = Log(config.level)
        self.started = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._engine: _engine.Server | None = None
        self._should_exit = False
        self._force_exit = False
        self._owns_process = False
        self._signal: int | None = None
        self._inode = 0

    @property
    def should_exit(self) -> bool:
        """Whether the server stops, or is to stop."""
        return self._should_exit

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        self._should_exit = value
        if value:
            self._wake()

    @property
    def force_exit(self) -> bool:
        """Whether the server is to stop without waiting for what runs."""
        return self._force_exit

    @force_exit.setter
    def force_exit(self, value: bool) -> None:
        self._force_exit = value
        if value:
            self.should_exit = True

    def _wake(self) -> None:
        """Have the loop look at what it was asked for; from any thread or a signal."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it is closed already
                self._loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        if self._stop is not None and self._should_exit:
            self._stop.set()
        if self._engine is not None and self._force_exit:
            self._engine.close()

    def run(
        self,
        listeners: list[socket.socket] | None = None,
        *,
        owns_process: bool = False,
    ) -> int:
        """Serve on a new loop until a signal comes, and return the exit code.

        ``listeners`` are bound sockets to serve on instead, and are taken over. With
        ``owns_process`` the process is ended soon after the stop, whatever threads the
        application has left behind. What keeps the server from starting is logged.
        """
        self._owns_process = owns_process
        try:
            with self._signals():
                if self.config.fd is not None and not listeners:
                    # Before the loop opens descriptors, which may get that number.
                    listeners = sockets.bind(self.config)
                factory = _loop_factory(self.config.loop)
                with asyncio.Runner(loop_factory=factory) as runner:
                    runner.run(self._serve(listeners))
        except AppError as error:
            self._say_why(str(error), error.__cause__)
            return EXIT_ERROR
        except (BindError, ConfigError) as error:
            self._say_why(str(error), None)
            return EXIT_ERROR
        except _engine.LifespanError as error:
            self._say_why(f"the application's startup failed: {error}", None)
            return EXIT_STARTUP
        return EXIT_OK

    def _say_why(self, text: str, cause: BaseException | None) -> None:
        if cause is not None:
            self.log.exception(text, cause)
        else:
            self.log.line(LEVELS["error"], text)

    async def serve(self, listeners: list[socket.socket] | None = None) -> None:
        """Serve inside a running loop until ``should_exit`` is set or a signal comes.

        ``listeners`` are as for ``run``. In the main thread SIGINT and SIGTERM stop the
        server, and are raised again when it has stopped. To cancel the call is to stop
        the server gracefully. Raises AppError, BindError, or ``LifespanError`` when the
        application's startup fails.
        """
        with self._signals():
            await self._serve(listeners)
        if self._signal is not None:
            signal.raise_signal(self._signal)

    async def _serve(self, given: list[socket.socket] | None) -> None:
        config = self.config
        app = load_app(config.app, factory=config.factory, app_dir=config.app_dir)
        listeners = given or sockets.bind(config)
        if not given:
            self._inode = sockets.inode(config.uds)
        try:
            await self._serve_app(app, listeners)
        finally:
            self._remove_socket_file()
            for sock in listeners:
                sock.close()

    async def _serve_app(self, app: Any, listeners: list[socket.socket]) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._look()
        settings = self.config.for_engine()
        settings["log"] = self.log.line
        settings["log_exception"] = self.log.exception
        self._engine = engine = _engine.Server(app, loop, settings)
        if not await self._startup(engine, self._stop):
            return
        try:
            sockets.listen(listeners, self.config.backlog)
            banner = self._banner(listeners, loop)
            engine.start([sock.detach() for sock in listeners])
            self.started = True
            self.log.line(LEVELS["info"], banner)
            await self._stop.wait()
        finally:
            await self._shut_down(engine)

    async def _startup(self, engine: _engine.Server, stop: asyncio.Event) -> bool:
        """Return whether the application has started before a stop was asked for.

        Where it has not, the engine is closed. Raises LifespanError.
        """
        if stop.is_set():
            engine.close()
            return False
        starting = asyncio.ensure_future(engine.startup())
        stopping = asyncio.ensure_future(stop.wait())
        has_started = False
        try:
            await asyncio.wait(
                (starting, stopping), return_when=asyncio.FIRST_COMPLETED
            )
            has_started = starting.done() and starting.exception() is None
            if not has_started and stop.is_set():
                text = "stopped before the application had started"
                self.log.line(LEVELS["info"], text)
            elif not has_started:
                starting.result()
            return has_started
        finally:
            starting.cancel()
            stopping.cancel()
            if not has_started:
                engine.close()

    async def _shut_down(self, engine: _engine.Server) -> None:
        self.started = False
        self._should_exit = True
        open_now = engine.connections
        if open_now:
            self.log.line(LEVELS["info"], f"stopping; connections open: {open_now}")
        try:
            await engine.stop()
            if not self._force_exit:
                async with asyncio.timeout(self._shutdown_s()):
                    await engine.shutdown()
        except TimeoutError:
            text = f"the application's shutdown took over {self._shutdown_s():g} s"
            self.log.line(LEVELS["error"], text)
        except _engine.LifespanError as error:
            self.log.line(
                LEVELS["error"], f"the application's shutdown failed: {error}"
            )
        finally:
            engine.close()
            if self._owns_process:
                self._bound_leftovers()
        self.log.line(LEVELS["info"], "stopped")

    def _shutdown_s(self) -> float:
        """Return how long the application's shutdown may take, in seconds."""
        grace_ms = self.config.for_engine()["graceful_ms"]
        assert isinstance(grace_ms, int)
        return max(grace_ms / 1000, SHUTDOWN_LEAST_S)

    def _bound_leftovers(self) -> None:
        """End the process in a while, should the application's threads not."""
        timer = threading.Timer(LEFTOVERS_S, self._leave_leftovers)
        timer.daemon = True
        timer.start()

    def _leave_leftovers(self) -> None:
        mine = (threading.main_thread(), threading.current_thread())
        names = [t.name for t in threading.enumerate() if t not in mine]
        what = ", ".join(names) or "a task that is not to be cancelled"
        text = f"leaving behind what still runs after {LEFTOVERS_S:g} s: {what}"
        self.log.line(LEVELS["warning"], text)
        self._end_process(EXIT_OK)

    def _end_process(self, code: int) -> None:
        self._remove_socket_file()
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        os._exit(code)

    def _remove_socket_file(self) -> None:
        if self.config.uds is not None and self._inode:
            sockets.remove(self.config.uds, self._inode)

    def _banner(
        self, listeners: list[socket.socket], loop: asyncio.AbstractEventLoop
    ) -> str:
        from bolide import __version__

        where = ", ".join(map(sockets.describe, listeners))
        kind = type(loop).__module__.partition(".")[0].lstrip("_")
        python = ".".join(map(str, sys.version_info[:3]))
        return (
            f"bolide {__version__} listening on {where} "
            f"(pid {os.getpid()}, {kind}, CPython {python}; Ctrl-C stops it)"
        )

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Stop at signals meanwhile, where this is the main thread.

        Plain handlers, not the loop's: they run even while an application blocks the
        loop, and before there is one.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler or signal.SIG_DFL)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """Stop gracefully; at once the second time, and while there is nothing to stop.

        Only a process that is all bolide's is ended while the application loads.
        """
        if self._signal is not None:
            self._end_process(EXIT_SIGNAL + number)
        if self._loop is None and self._owns_process:
            raise SystemExit(EXIT_SIGNAL + number)
        self._signal = number
        self.should_exit = True


def run(app: Any, **settings: Any) -> None:
    """Serve ``app``, an application or ``"module:attribute"``, until a signal comes.

    ``settings`` are the fields of Config. Exits the process, with the codes of the
    command, when it cannot serve. Raises ConfigError for settings that cannot be used.
    """
    code = Server(Config(app, **settings)).run()
    if code != EXIT_OK:
        sys.exit(code)

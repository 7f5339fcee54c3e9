"""Runs the engine: the loop, the sockets, the signals, and the order of a stop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import mmap
import os
import signal
import socket
import sys
import threading
import time
from typing import NamedTuple

from bolide import _engine
from bolide.config.choices import LEVELS
from bolide.config.config import Config
from bolide.errors import AppError, BindError, ConfigError, reason_first
from bolide.logs.access import AccessOutput, probe_access_log
from bolide.logs.log import banner, log_notes, open_log
from bolide.logs.sinks import AccessLog
from bolide.observe import build_info
from bolide.observe.counters import Tallies
from bolide.observe.observers import Observers
from bolide.serving import sockets as listening
from bolide.serving.cache_memory import cache_memory
from bolide.serving.drain_progress import every_s, progress
from bolide.serving.early_memory import early_memory
from bolide.serving.loops import loop_name, refuse_running_loop
from bolide.serving.stopping import EXIT_SIGNAL as EXIT_SIGNAL
from bolide.serving.stopping import Stopping
from bolide.system import file_limit
from bolide.system.fork_hooks import guard
from bolide.system.forked import children_end_here
from bolide.system.full_collections import collected
from bolide.system.threads import start_without_signals
from bolide.systemd import Notifier

EXIT_OK = 0
EXIT_ERROR = 1
"""The application cannot be loaded, or the address cannot be used."""
EXIT_USAGE = 2
"""Wrong use of the command."""
EXIT_STARTUP = 3
"""The application's lifespan startup failed."""
NOTHING_TO_READ = (
    "there is nothing to read again without TLS; with --workers a SIGHUP reloads"
)

LEFTOVERS_S = 10.0
"""How long threads and tasks of the application may outlive the stop of a process that
is bolide's own."""

LAST_LOOK_S = 1.0
"""How long a stop accepts and reads what was sent before it, at most."""

SHUTDOWN_LEAST_S = 1.0
"""The minimum time for the application's shutdown, however short the grace is."""


def startup_failure(error: _engine.LifespanError) -> str:
    """Return why an application does not start, for the log."""
    return f"the application's startup failed: {reason_first(str(error))}"


class ServerState(NamedTuple):
    """What runs in a server. ``connections`` and ``tasks`` only have a length."""

    total_requests: int
    connections: range
    tasks: range


class Server(Stopping):
    """One server in one process, on one event loop. It serves once.

    ``started`` is true when it accepts connections, and ``servers`` lists its sockets.
    Setting ``should_exit`` to True, from any thread, stops it gracefully; setting
    ``force_exit`` stops it at once.
    """

    _stop_level = LEVELS["info"]
    """Phrases of messages about a stop."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.log = open_log(config)
        self.started = False
        self.servers: list[listening.Listening] = []
        self._listeners: list[socket.socket] = []
        self._max_requests = config.draw_max_requests()
        self.tallies = Tallies(1)
        """The counters of all workers; ``seat`` is this one's index."""
        self.seat = 0
        self._observers: Observers | None = None
        self._was_started = self._has_begun = False
        self._bound: listening.Listeners | None = None
        self._notifier: Notifier | None = None
        self._progress: asyncio.TimerHandle | None = None
        self._access: AccessOutput | None = None

    @property
    def server_state(self) -> ServerState:
        """What is running now, with uvicorn's names."""
        engine = self._engine
        if engine is None:
            return ServerState(0, range(0), range(0))
        tasks = self.tallies.read(self.seat)["running"]
        return ServerState(engine.requests, range(engine.connections), range(tasks))

    @property
    def limit_max_requests(self) -> int | None:
        """The number of requests after which this server ends; None: no limit."""
        return self._max_requests or None

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve on a new event loop until a signal arrives.

        ``sockets`` are bound sockets to serve on instead; the server owns them from
        then on. If the server cannot start, the reason is logged, and SystemExit is
        raised with the exit code of the command.
        """
        code = self.execute(sockets)
        if code != EXIT_OK:
            sys.exit(code)

    def execute(
        self,
        sockets: list[socket.socket] | None = None,
        *,
        owns_process: bool = False,
    ) -> int:
        """Do the same as ``run``, and return the exit code.

        With ``owns_process`` the process ends soon after the stop, even if threads of
        the application are still running.
        """
        refuse_running_loop("run()", "await Server(config).serve() there")
        self._begin_to_serve()
        self._owns_process, self._runs_loop = owns_process, True
        self._notifier = self._make_notifier()
        try:
            with self.capture_signals():
                self._run_on_new_loop(sockets)
        except AppError as error:
            self.log.failure(str(error), error.__cause__)
            return EXIT_ERROR
        except (BindError, ConfigError) as error:
            self.log.failure(str(error), error.__cause__)
            return EXIT_ERROR
        except _engine.TLSError as error:
            self.log.failure(f"cannot serve TLS: {error}", None)
            return EXIT_ERROR
        except _engine.LifespanError as error:
            self.log.failure(startup_failure(error), None)
            return EXIT_STARTUP
        return EXIT_OK

    def _run_on_new_loop(self, sockets: list[socket.socket] | None) -> None:
        """Load the application, while no loop runs yet, and serve."""
        config = self.config
        if any(x.kind in ("fd", "systemd") for x in config.places) and not sockets:
            # Checked before anything opens descriptors, which may get that number.
            self._listeners = self._bound = listening.bind_places(
                config.places, needs_udp=bool(config.http3)
            )
        try:
            config.prepare()
            factory = config.get_loop_factory()
            if not config.loaded:
                config.load()
        except BaseException:
            self._close_listeners()
            raise
        with (
            collected(self._owns_process, config.gc_freeze, config.gc_adapt),
            asyncio.Runner(loop_factory=factory) as runner,
            children_end_here(),
        ):
            runner.run(self._serve(sockets))

    def _begin_to_serve(self) -> None:
        if self._has_begun:
            raise RuntimeError("this Server has already served; create another one")
        self._has_begun = True
        self._pid = os.getpid()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve in the running loop until ``should_exit`` is set or a signal arrives.

        ``sockets`` are as in ``run``. In the main thread, SIGINT and SIGTERM stop the
        server and are raised again when it has stopped; in other threads, signals are
        not handled. Cancelling the call stops the server gracefully. Raises AppError,
        BindError, or LifespanError if the application's startup fails.
        """
        self._begin_to_serve()
        with self.capture_signals():
            await self._serve(sockets)
        is_main = threading.current_thread() is threading.main_thread()
        if self._signal is not None and is_main:
            signal.raise_signal(self._signal)

    async def _serve(self, sockets: list[socket.socket] | None) -> None:
        await self.startup(sockets)
        if not self.started:
            return
        try:
            await self.main_loop()
        finally:
            if os.getpid() == self._pid:
                await self.shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Load and start the application, and accept connections.

        If the server was stopped meanwhile, ``started`` is false afterwards. Raises the
        same exceptions as ``serve``.
        """
        config = self.config
        if self._engine is not None:
            raise RuntimeError("this Server has already served; create another one")
        self._pid = os.getpid()
        if not config.loaded:
            config.load()
        if not sockets and self._bound is None:
            self._bound = listening.bind_places(
                config.places, needs_udp=bool(config.http3)
            )
        self._listeners = sockets or self._bound or []
        try:
            await self._start_engine(self._listeners)
        finally:
            if not self.started:
                self._close_listeners()

    async def main_loop(self) -> None:
        """Wait until the server must stop, and then for the drain delay."""
        if self._stop is None or self._observers is None:
            raise RuntimeError("main_loop() comes after startup()")
        notifying = self._notify_again_and_again()
        self._watch_certificates()
        with self._observers.observing():
            await self._stop.wait()
        if notifying is not None:
            notifying.cancel()
        if self._notifier is not None:
            self._notifier.stopping()
        await self._delay_drain()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop gracefully: first the running requests, then the application.

        Does nothing if ``startup`` has not been called or has failed.
        """
        try:
            if self._engine is not None and self.started:
                await self._shut_down(self._engine)
        finally:
            self._close_listeners()

    async def _start_engine(self, listeners: list[socket.socket]) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._forced = asyncio.Event()
        self._wake_at_signals(loop)
        self._look()
        settings = self._engine_settings()
        self._engine = engine = _engine.Server(self.config.loaded_app, loop, settings)
        self._end_guard = guard(engine.disown)
        if not await self._startup(engine, self._stop):
            return
        try:
            listening.listen(listeners, self.config.backlog)
            where = listening.places(listeners, self.config)
            inside = listening.places(listeners, self.config, inside=True)
            self.servers = [listening.Listening.of(listeners)]
            flags = listening.flags_of(listeners)
            # The application has started, and has configured its loggers.
            engine.log_to(self._open_access_log())
            pairs = list(zip(listeners, flags, strict=True))
            if self.config.http3:
                pairs += self._quic_listeners(pairs)
            engine.start([(s.detach(), f) for s, f in pairs])
            self.started = True
            self._on_started(where, loop)
            if inside:
                self._on_started_inside(inside)
        except BaseException:
            await self._shut_down(engine)
            raise

    def _quic_listeners(
        self, pairs: list[tuple[socket.socket, int]]
    ) -> list[tuple[socket.socket, int]]:
        """Return the UDP sockets for ``pairs``, with their flags; raise BindError."""
        return listening.bind_quic(pairs)

    def _close_listeners(self) -> None:
        self._remove_socket_file()
        for sock in self._listeners:
            sock.close()
        if self._access is not None:
            self._access.close()
        if self._observers is not None:
            self._observers.close()

    def _notify_again_and_again(self) -> asyncio.Task[None] | None:
        """Start to call ``callback_notify`` repeatedly while the server serves."""
        notify = self.config.callback_notify
        if notify is None:
            return None
        every = self.config.timeout_notify

        async def go_on() -> None:
            while True:
                await notify()
                await asyncio.sleep(every)

        return asyncio.create_task(go_on())

    def _open_access_log(self) -> AccessLog | None:
        """Return the access log, or None if there is none; raise ConfigError."""
        assert self._loop is not None
        self._access = AccessOutput(self.config, self._loop, self.log)
        return self._access.setting

    def _most_connections(self) -> int:
        """Return the limit of connections; log that too few files may be open."""
        files, wanted = (
            file_limit.raise_limit(),
            int(self.config.limit_concurrency or 1),
        )
        most = file_limit.most_connections(wanted, files)
        if most < wanted and self.seat == 0:
            text = f"at most {most} connections: {files} files may be open (ulimit -n)"
            self.log.line(LEVELS["warning"], text)
        file_limit.grow_table(most, files)
        return most

    def _engine_settings(self) -> dict[str, object]:
        """Return the engine's settings; a server under a supervisor adds to them."""
        settings = self.config.for_engine()
        settings["connections"] = self._most_connections()
        settings["tallies"], settings["seat"] = self.tallies.memory, self.seat
        settings["history"] = self.tallies.history
        settings["cache"] = self._cache_memory()
        settings["early_tickets"] = self._early_memory()
        if self.config.status_path or self.config.metrics_bind:
            settings["status_page"] = build_info.status_page()
        if self._loop is not None and self.config.is_seen():
            app, loop = self.config.app, loop_name(self._loop)
            settings["status_about"] = build_info.as_json(app, loop, self._main_pid())
            settings["build_labels"] = build_info.as_labels(loop)
        seen_by = Observers(self.config, self.tallies, self.seat, self.log)
        self._observers, settings["watch_fd"] = seen_by, seen_by.watch_fd
        probe_access_log(self.config)
        settings["log"] = self.log.line
        settings["log_exception"] = self.log.exception
        settings["max_requests"] = self._max_requests
        settings["on_full"] = self._on_full
        return settings

    def _cache_memory(self) -> mmap.mmap | None:
        return cache_memory(self.config)

    def _early_memory(self) -> mmap.mmap | None:
        return early_memory(self.config)

    def _main_pid(self) -> int:
        """Return the pid to send signals to."""
        return os.getpid()

    def _on_started(self, where: str, loop: asyncio.AbstractEventLoop) -> None:
        log_notes(self.log, self.config)
        line = banner(self.config, where, loop_name(loop))
        self.log.line(LEVELS["info"], line)
        if self._notifier is not None:
            self._notifier.ready()
            self._tell_that_it_lives(self._notifier)

    def _on_started_inside(self, where: str) -> None:
        self.log.line(LEVELS["info"], f"health, metrics and status on {where}")

    def _make_notifier(self) -> Notifier | None:
        """Return the service manager's client; None: another process has it."""
        return Notifier()

    def _tell_that_it_lives(self, notifier: Notifier) -> None:
        """Notify the service manager's watchdog for as long as the loop turns."""
        if notifier.watchdog_s > 0 and self._loop is not None:
            notifier.watchdog()
            every = notifier.watchdog_s
            self._loop.call_later(every, self._tell_that_it_lives, notifier)

    def reload_certificates(self) -> bool:
        """Reload certificates, keys and related files; False: unusable.

        New connections use them, open ones keep theirs. If one of them is unusable, all
        stay as they were, and the reason is logged.
        """
        if self._engine is None or self.config.tls is None:
            return False
        try:
            self._engine.reload_tls(self.config.tls.for_engine())
        except (_engine.TLSError, ConfigError) as error:
            text = f"the certificates stay as they were: {error}"
            self.log.line(LEVELS["error"], text)
            return False
        self.log.line(LEVELS["info"], "the certificates were read again")
        return True

    def _watch_certificates(self, before: object = None) -> None:
        """Check repeatedly whether files of certificates have changed."""
        tls, seconds = self.config.tls, self.config.ssl_watch
        if tls is None or seconds <= 0 or self._should_exit or self._loop is None:
            return
        now = tls.stamp()
        if before is not None and now != before:
            self.reload_certificates()
        self._loop.call_later(seconds, self._watch_certificates, now)

    def _on_full(self) -> None:
        """Called when the maximum of requests of this process has begun."""
        self.log.line(LEVELS["info"], "the limit of requests is reached")
        self.should_exit = True

    async def _delay_drain(self) -> None:
        """Continue to serve for a while, until load balancers have noticed the stop."""
        delay = self.config.drain_delay
        if delay <= 0 or self._retires or self._restarts or self._forced is None:
            return
        if self._engine is not None:
            self._engine.leave()
        self.log.line(LEVELS["info"], f"draining begins in {delay:g} s")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._forced.wait()

    async def _startup(self, engine: _engine.Server, stop: asyncio.Event) -> bool:
        """Return whether the application has started before a stop was requested.

        If not, the engine is closed, after the application's shutdown if it has
        started. Raises LifespanError.
        """
        if stop.is_set():
            engine.close()
            return False
        starting = asyncio.ensure_future(engine.startup())
        stopping = asyncio.ensure_future(stop.wait())
        serves = False
        try:
            await asyncio.wait(
                (starting, stopping), return_when=asyncio.FIRST_COMPLETED
            )
            if not starting.done():
                await self._let_start(starting)
            has_started = starting.done() and not self._force_exit
            if has_started:
                starting.result()
                serves = not stop.is_set()
            if has_started and not serves:
                await self._shut_down(engine)
            elif not serves:
                text = "stopped before the application had started"
                self.log.line(LEVELS["info"], text)
            return serves
        finally:
            starting.cancel()
            stopping.cancel()
            if not serves:
                engine.close()
                self._end_guard()

    async def _let_start(self, starting: asyncio.Future[None]) -> None:
        """Wait for the application's startup to end although the server must stop.

        It may be in the middle of something that must not be interrupted.
        """
        assert self._forced is not None
        text = "stopping when the application has started"
        self.log.line(LEVELS["info"], text)
        forced = asyncio.ensure_future(self._forced.wait())
        await asyncio.wait(
            (starting, forced),
            timeout=self._grace_s(),
            return_when=asyncio.FIRST_COMPLETED,
        )
        forced.cancel()

    async def _shut_down(self, engine: _engine.Server) -> None:
        self._was_started, self.started = self.started, False
        self._should_exit = True
        open_now = engine.connections
        if open_now:
            again = " (Ctrl-C again to force quit)" * (self._signal == signal.SIGINT)
            text = f"stopping; connections open: {open_now}{again}"
            self.log.line(self._stop_level, text)
        try:
            await self._take_what_has_come(engine)
            await self._stop_engine(engine)
            if not self._force_exit:
                async with asyncio.timeout(self._shutdown_s()):
                    await engine.shutdown()
        except TimeoutError:
            text = f"the application's shutdown took over {self._shutdown_s():g} s"
            self.log.line(LEVELS["error"], text)
        except _engine.LifespanError as error:
            text = f"the application's shutdown failed: {reason_first(str(error))}"
            self.log.line(LEVELS["error"], text)
        finally:
            with self._access.reading() if self._access else contextlib.nullcontext():
                engine.close()
            self._end_guard()
            if self._owns_process:
                self._bound_leftovers()
        self.log.line(self._stop_level, "stopped")

    async def _take_what_has_come(self, engine: _engine.Server) -> None:
        """Accept and read what was sent before the stop, so that it is answered.

        A loop may run the stop before the engine's turn. If another process continues
        to serve, it accepts the waiting connections.
        """
        if self._restarts or self._force_exit or not self._was_started:
            return
        if not self._retires:
            engine.leave()
        due = time.monotonic() + LAST_LOOK_S
        while engine.has_ready and time.monotonic() < due:
            await asyncio.sleep(0)

    async def _stop_engine(self, engine: _engine.Server) -> None:
        engine.restarts = self._retires or self._restarts
        self._log_progress(time.monotonic() + self._grace_s())
        if self._retires:
            self._hurry = asyncio.Event()
            hurried = asyncio.ensure_future(self._hurry.wait())
            retiring = asyncio.ensure_future(engine.retire())
            await asyncio.wait((hurried, retiring), return_when=asyncio.FIRST_COMPLETED)
            hurried.cancel()
        try:
            await engine.stop()
        finally:
            if self._progress is not None:
                self._progress.cancel()

    def _log_progress(self, due: float, *, is_first: bool = True) -> None:
        """Log repeatedly what is still running and for how long, until ``due``."""
        if not is_first:
            numbers = [self.tallies.read(self.seat)]
            if text := progress(numbers, due - time.monotonic()):
                self.log.line(LEVELS["info"], text)
        if self._loop is not None and self._engine is not None:
            again = functools.partial(self._log_progress, due, is_first=False)
            self._progress = self._loop.call_later(every_s(), again)

    def _shutdown_s(self) -> float:
        """Return how long the application's shutdown may take, in seconds."""
        return max(self._grace_s(), SHUTDOWN_LEAST_S)

    def _grace_s(self) -> float:
        """Return how long running requests may continue during a stop, in seconds."""
        return self.config.timeout_graceful_shutdown or 0.0

    def _bound_leftovers(self) -> None:
        """End the process after a while if the application's threads do not."""
        timer = threading.Timer(LEFTOVERS_S, self._leave_leftovers)
        timer.daemon = True
        start_without_signals(timer)

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
        if self._bound is not None:
            self._bound.remove_files()

    def _reload_at_signal(self) -> None:
        if self.config.tls is None:
            self.log.line(LEVELS["info"], NOTHING_TO_READ)
            return
        if self._notifier is not None:
            self._notifier.reloading()
        self.reload_certificates()
        if self._notifier is not None:
            self._notifier.ready()

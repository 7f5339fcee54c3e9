"""Stops a server: by a program, from any thread, or by a signal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

from bolide import _engine
from bolide.config.choices import LEVELS
from bolide.logs.log import Log
from bolide.serving.loops import loop_name
from bolide.system.fork_hooks import default_signals, is_for_other, undone_in_children

if TYPE_CHECKING:
    from bolide.config.config import Config

EXIT_SIGNAL = 128
"""Exit code, plus the number of the signal that ended the process at once."""

_STOPS = (signal.SIGINT, signal.SIGTERM)
_OTHER_SIGNALS = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class Stopping:
    """The base of Server."""

    config: Config
    log: Log

    def __init__(self) -> None:
        self._should_exit = False
        self._force_exit = False
        self._retires = False
        self._restarts = False
        self._owns_process = False
        self._runs_loop = False
        """Whether the loop was created by this server, which then runs the process."""
        self._pid = os.getpid()
        """The pid of the process that serves, to recognize forked children."""
        self._signal: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._hurry: asyncio.Event | None = None
        self._forced: asyncio.Event | None = None
        self._engine: _engine.Server | None = None

    @property
    def should_exit(self) -> bool:
        """Whether the server is stopping or must stop."""
        return self._should_exit

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        self._should_exit = value
        if value:
            self._wake()

    @property
    def force_exit(self) -> bool:
        """Whether the server must stop without waiting for running requests."""
        return self._force_exit

    @force_exit.setter
    def force_exit(self, value: bool) -> None:
        self._force_exit = value
        if value:
            self.should_exit = True

    def retire(self) -> None:
        """Stop as with ``should_exit`` while another process serves the same sockets.

        Idle connections may send one more request, whose response says that it is the
        last, so that no request is lost. May be called from any thread.
        """
        self._retires = True
        self.should_exit = True

    def restart(self) -> None:
        """Stop as with ``should_exit``, and close WebSockets with 1012 (reconnect)."""
        self._restarts = True
        self.should_exit = True

    def _wake(self) -> None:
        """Wake the loop to check what was requested; from any thread or a signal."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it is closed already
                self._loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        if self._stop is not None and self._should_exit:
            self._stop.set()
        if self._hurry is not None and not self._retires:
            self._hurry.set()
        if self._forced is not None and self._force_exit:
            self._forced.set()
        if self._engine is not None and self._force_exit:
            self._engine.close()

    # Signals

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on signals within the block, if this is the main thread.

        Plain handlers, not the loop's: they run even while an application blocks the
        loop, and before there is one.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        others = self._other_signals()
        numbers = (*_STOPS, *others)
        before = [(number, signal.getsignal(number)) for number in numbers]
        for number in numbers:
            is_other = number in others
            signal.signal(
                number, self._on_other_signal if is_other else self.handle_exit
            )
        try:
            with undone_in_children(lambda: default_signals(*numbers)):
                yield
        finally:
            if os.getpid() == self._pid:
                for number, handler in before:
                    signal.signal(number, handler or signal.SIG_DFL)

    def _other_signals(self) -> list[int]:
        """Return the signals that are handled in addition to those that stop."""
        if not self._runs_loop:
            return []
        if not self._owns_process:
            return [x for x in _OTHER_SIGNALS if signal.getsignal(x) == signal.SIG_DFL]
        # nohup ignores SIGHUP.
        reads = self.config.tls is not None
        return [
            x for x in _OTHER_SIGNALS if reads or signal.getsignal(x) != signal.SIG_IGN
        ]

    def _wake_at_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        """Make rloop wake up on our signals.

        Other loops do so themselves. After a signal rloop runs no Python code, and so
        calls no handler, unless the loop itself has a handler for the signal.
        """
        if loop_name(loop) != "rloop":
            return
        for number in _STOPS:
            if signal.getsignal(number) == self.handle_exit:
                loop.add_signal_handler(number, self._look)
                signal.signal(number, self.handle_exit)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop gracefully; at once the second time, or if there is nothing to stop yet.

        While the application loads, only a process that runs nothing else is ended. The
        second call ends the process only if ``run`` serves in it; in an embedding
        program it sets ``force_exit``.
        """
        if is_for_other(self._pid, sig):
            return
        if self._signal is not None and not self._runs_loop:
            self.force_exit = True
            return
        if self._signal is not None:
            self._end_process(EXIT_SIGNAL + sig)
        self._signal = sig
        self._retires = False
        self.should_exit = True
        if self._loop is None and self._owns_process:
            raise SystemExit(EXIT_SIGNAL + sig)

    def _on_other_signal(self, sig: int, frame: FrameType | None) -> None:
        if is_for_other(self._pid, sig):
            return
        others = {
            signal.SIGHUP: self._reload_at_signal,
            signal.SIGUSR1: self.reopen_logs,
            signal.SIGUSR2: self._refuse_upgrade,
        }
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it is closed already
                self._loop.call_soon_threadsafe(others[signal.Signals(sig)])

    def _refuse_upgrade(self) -> None:
        text = "not upgraded: a process without a supervisor cannot; see --workers"
        self.log.line(LEVELS["error"], text)

    def reopen_logs(self) -> None:
        """Reopen the files of the logs, after another program has moved them away."""
        self.log.reopen()
        if self._engine is not None:
            self._engine.reopen_log()

    def _reload_at_signal(self) -> None:
        """Reload what can be reloaded, and log what that is."""
        raise NotImplementedError

    def _end_process(self, code: int) -> None:
        """End at once."""
        raise NotImplementedError

"""How a server is told to stop: by a program, from any thread, or by a signal."""

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
from bolide.forks import default_signals, is_for_other, undone_in_children
from bolide.logs import LEVELS, Log
from bolide.loops import loop_name

if TYPE_CHECKING:
    from bolide.config import Config

EXIT_SIGNAL = 128
"""Plus the number of a signal: it ended the process at once."""

_STOPS = (signal.SIGINT, signal.SIGTERM)
_CHORES = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


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
        """Whether the loop is this server's own, and so what the process does."""
        self._pid = os.getpid()
        """Of the process that serves; a child that it forks is another."""
        self._signal: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._hurry: asyncio.Event | None = None
        self._forced: asyncio.Event | None = None
        self._engine: _engine.Server | None = None

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

    def retire(self) -> None:
        """Stop as ``should_exit`` does, while another process serves the same sockets.

        Connections that are kept alive may bring one more request, whose answer says
        that it is the last, so that no request is lost. From any thread.
        """
        self._retires = True
        self.should_exit = True

    def restart(self) -> None:
        """Stop as ``should_exit`` does, and tell WebSockets to come again (1012)."""
        self._restarts = True
        self.should_exit = True

    def _wake(self) -> None:
        """Have the loop look at what it was asked for; from any thread or a signal."""
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
        """Stop at signals meanwhile, where this is the main thread.

        Plain handlers, not the loop's: they run even while an application blocks the
        loop, and before there is one.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        chores = self._chores()
        numbers = (*_STOPS, *chores)
        before = [(number, signal.getsignal(number)) for number in numbers]
        for number in numbers:
            is_chore = number in chores
            signal.signal(number, self._on_chore if is_chore else self.handle_exit)
        try:
            with undone_in_children(lambda: default_signals(*numbers)):
                yield
        finally:
            if os.getpid() == self._pid:
                for number, handler in before:
                    signal.signal(number, handler or signal.SIG_DFL)

    def _chores(self) -> list[int]:
        """Return the signals that are answered besides those that stop."""
        if not self._runs_loop:
            return []
        if not self._owns_process:
            return [x for x in _CHORES if signal.getsignal(x) == signal.SIG_DFL]
        # nohup ignores SIGHUP.
        reads = self.config.tls is not None
        return [x for x in _CHORES if reads or signal.getsignal(x) != signal.SIG_IGN]

    def _heed_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have rloop wake at our signals.

        Other loops do by themselves; it goes back to sleep, without a step of Python in
        which a handler could run, unless it knows of the signal.
        """
        if loop_name(loop) != "rloop":
            return
        for number in _STOPS:
            if signal.getsignal(number) == self.handle_exit:
                loop.add_signal_handler(number, self._look)
                signal.signal(number, self.handle_exit)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop gracefully; at once the second time, and while there is nothing to stop.

        Only a process that is all bolide's is ended while the application loads.
        """
        if is_for_other(self._pid, sig):
            return
        if self._signal is not None:
            self._end_process(EXIT_SIGNAL + sig)
        self._signal = sig
        self._retires = False
        self.should_exit = True
        if self._loop is None and self._owns_process:
            raise SystemExit(EXIT_SIGNAL + sig)

    def _on_chore(self, sig: int, frame: FrameType | None) -> None:
        if is_for_other(self._pid, sig):
            return
        chores = {
            signal.SIGHUP: self._reload_at_signal,
            signal.SIGUSR1: self.reopen_logs,
            signal.SIGUSR2: self._refuse_upgrade,
        }
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it is closed already
                self._loop.call_soon_threadsafe(chores[signal.Signals(sig)])

    def _refuse_upgrade(self) -> None:
        text = "not upgraded: a process without a supervisor cannot; see --workers"
        self.log.line(LEVELS["error"], text)

    def reopen_logs(self) -> None:
        """Open the logs' files again, for whoever has moved them away."""
        self.log.reopen()
        if self._engine is not None:
            self._engine.reopen_log()

    def _reload_at_signal(self) -> None:
        """Read again what can be read again, and say what that is."""
        raise NotImplementedError

    def _end_process(self, code: int) -> None:
        """End at once."""
        raise NotImplementedError

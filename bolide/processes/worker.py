"""A worker: a Server in a process with a supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import struct
import time
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple

from bolide.config.choices import LEVELS
from bolide.config.config import Config
from bolide.observe.counters import Tallies
from bolide.server import Server
from bolide.serving.early_memory import early_memory
from bolide.serving.quic_sockets import QuicSeat
from bolide.serving.stopping import EXIT_SIGNAL
from bolide.system.fork_hooks import is_for_other

if TYPE_CHECKING:
    import mmap

SEAT_BYTES = 64
"""Offset of a worker in the shared memory; see src/server/balance.h."""

LOG_LINE = b"say "
"""The prefix of a message with a level and a text that all workers would log."""
_LOG_LINE_BYTES = 4000

_BEAT = struct.Struct("d")
_BEAT_OFFSET = 16
_SUPERVISORS = (
    signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTTIN,
    signal.SIGTTOU,
)  # fmt: skip
"""Signals that a terminal or a user sends to all processes, and that only the
supervisor handles.
"""

_ENDING = (*_SUPERVISORS, signal.SIGTERM)
"""Signals that are ignored by a worker that is ending."""


def read_beat(balance: mmap.mmap, seat: int) -> float:
    """Return when a worker's loop last turned, by the monotonic clock; 0: never."""
    beat: float = _BEAT.unpack_from(balance, seat * SEAT_BYTES + _BEAT_OFFSET)[0]
    return beat


class Post(NamedTuple):
    """What a worker gets from its supervisor."""

    control: socket.socket
    """Receives "retire" or "restart", sends "ready" and "full"; it closes with the
    supervisor.
    """
    balance: mmap.mmap
    """Memory shared by all workers."""
    tallies: Tallies
    """Memory for the counters, shared by all workers."""
    cache: mmap.mmap | None
    """Memory for responses, shared by all workers; None: there is no cache."""
    early: mmap.mmap | None
    """Memory for the tickets of early data, shared by all workers; None: a worker that
    accepts early data has its own.
    """
    seat: int
    """The index of this worker's part of the first two."""
    quic: QuicSeat | None = None
    """Its UDP sockets; None: it binds them by itself if it serves HTTP/3."""


class WorkerServer(Server):
    """A Server that reports to its supervisor, and stops on its request."""

    _stop_level = LEVELS["debug"]
    """Do nothing: the supervisor logs these."""

    def __init__(self, config: Config, post: Post) -> None:
        super().__init__(config)
        self.post = post
        self.tallies, self.seat = post.tallies, post.seat
        self.log.tag = f"[{os.getpid()}] "

    def _engine_settings(self) -> dict[str, object]:
        settings = super()._engine_settings()
        settings["balance"], settings["seat"] = self.post.balance, self.post.seat
        if self.post.quic is not None and self.config.http3:
            settings["quic_seat"] = self.post.quic.number
            settings["quic_secret"] = self.post.quic.secret
        settings["log"] = self._log_or_send
        return settings

    def _cache_memory(self) -> mmap.mmap | None:
        return self.post.cache

    def _early_memory(self) -> mmap.mmap | None:
        return early_memory(self.config, self.post.early)

    def _quic_listeners(
        self, pairs: list[tuple[socket.socket, int]]
    ) -> list[tuple[socket.socket, int]]:
        if self.post.quic is None:
            return super()._quic_listeners(pairs)
        return self.post.quic.listeners()

    def _main_pid(self) -> int:
        return os.getppid()

    def _log_or_send(self, level: int, text: str) -> None:
        """Log a line; before it serves, one that the supervisor logs for all
        workers.
        """
        message = LOG_LINE + b"%d " % level + text.encode()
        if self.started or level >= LEVELS["error"] or len(message) > _LOG_LINE_BYTES:
            self.log.line(level, text)
        elif level >= self.log.level:
            self._send(message)

    def _make_notifier(self) -> None:
        """Do nothing: the supervisor logs this."""

    def _log_progress(self, due: float, *, is_first: bool = True) -> None:
        """Do nothing: the supervisor does this."""

    def _on_started(self, where: str, loop: asyncio.AbstractEventLoop) -> None:
        for level, text in self.config.take_notes():
            self._send(LOG_LINE + b"%d " % level + text.encode()[:_LOG_LINE_BYTES])
        self.log.line(LEVELS["debug"], "the worker is ready")
        self.post.control.setblocking(False)
        loop.add_reader(self.post.control.fileno(), self._on_control, loop)
        if self.config.heartbeat > 0:
            self._beat(loop)
        self._send(b"ready")

    def _on_started_inside(self, where: str) -> None:
        """Log nothing: the supervisor does."""

    def _other_signals(self) -> list[int]:
        """Leave them to the supervisor."""
        return []

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; a second signal is the same one, sent to the whole process group.

        Only the supervisor ends it at once.
        """
        if is_for_other(self._pid, sig) or self._signal is not None:
            return
        if self._loop is None:
            # An exception would be ignored in a callback of a weakref.
            self._end_process(EXIT_SIGNAL + sig)
        super().handle_exit(sig, frame)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        offset = self.post.seat * SEAT_BYTES + _BEAT_OFFSET
        _BEAT.pack_into(self.post.balance, offset, time.monotonic())
        loop.call_later(self.config.heartbeat / 4, self._beat, loop)

    def _on_full(self) -> None:
        self._send(b"full")

    def _send(self, message: bytes) -> None:
        with contextlib.suppress(OSError):
            self.post.control.send(message)

    def _on_control(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            message = self.post.control.recv(64)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        if message == b"retire":
            self.retire()
        elif message == b"restart":
            self.restart()
        elif message == b"reopen":
            self.reopen_logs()
        elif not message:
            loop.remove_reader(self.post.control.fileno())
            self.log.line(LEVELS["warning"], "the supervisor is gone")
            self.should_exit = True


def _ignore(number: int, frame: object) -> None:
    """Do nothing; unlike SIG_IGN, this is not inherited by programs."""


def ignore_supervisors_signals() -> None:
    """Set up the signals of a process that a supervisor has forked."""
    for number in _SUPERVISORS:
        signal.signal(number, _ignore)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def pass_over_signals() -> None:
    """Make a process that is ending ignore all signals but SIGKILL.

    Python resets its handlers at exit, and some signals would then terminate the
    process there, in a thread of the application that does not block them.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    for number in (signal.SIGTTIN, signal.SIGTTOU):
        signal.signal(number, signal.SIG_IGN)


def run_worker(
    config: Config,
    post: Post,
    listeners: list[socket.socket],
    kind: type[WorkerServer] = WorkerServer,
) -> int:
    """Serve on ``listeners`` until a signal or the supervisor stops it; return the exit
    code.

    The process was forked with all signals blocked.
    """
    from bolide.processes.privileges import drop

    ignore_supervisors_signals()
    drop(config)
    try:
        return kind(config, post).execute(listeners, owns_process=True)
    finally:
        pass_over_signals()

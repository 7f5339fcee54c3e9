"""A worker: a Server in a process of its own, which a supervisor looks after."""

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

from bolide.config import Config
from bolide.forks import is_for_other
from bolide.logs import LEVELS
from bolide.server import Server
from bolide.stopping import EXIT_SIGNAL
from bolide.tally import Tallies

if TYPE_CHECKING:
    import mmap

SEAT_BYTES = 64
"""Of a worker in the memory that all share; src/server/crowd.h."""

SAYS = b"say "
"""What begins a message with a level and a text that all workers have to say."""
_SAID_BYTES = 4000

_BEAT = struct.Struct("d")
_BEAT_OFFSET = 16
_SUPERVISORS = (
    signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTTIN,
    signal.SIGTTOU,
)  # fmt: skip
"""Signals that a terminal or a user sends to all, and that the supervisor answers."""

_ENDING = (*_SUPERVISORS, signal.SIGTERM)
"""Signals that mean nothing to a worker that ends."""


def read_beat(crowd: mmap.mmap, seat: int) -> float:
    """Return when a worker's loop last turned, by the monotonic clock; 0: never."""
    beat: float = _BEAT.unpack_from(crowd, seat * SEAT_BYTES + _BEAT_OFFSET)[0]
    return beat


class Post(NamedTuple):
    """What a worker has from its supervisor."""

    control: socket.socket
    """Brings "retire" or "restart", takes "ready" and "full"; its end is the
    supervisor's."""
    crowd: mmap.mmap
    """Memory that all workers share."""
    tallies: Tallies
    """Likewise: what workers count."""
    seat: int
    """Which part of both is this worker's."""


class WorkerServer(Server):
    """A Server that tells its supervisor how it is, and ends when it is told to."""

    _stop_level = LEVELS["debug"]
    """The supervisor tells."""

    def __init__(self, config: Config, post: Post) -> None:
        super().__init__(config)
        self.post = post
        self.tallies, self.seat = post.tallies, post.seat
        self.log.tag = f"[{os.getpid()}] "

    def _engine_settings(self) -> dict[str, object]:
        settings = super()._engine_settings()
        settings["crowd"], settings["seat"] = self.post.crowd, self.post.seat
        settings["log"] = self._say
        return settings

    def _main_pid(self) -> int:
        return os.getppid()

    def _say(self, level: int, text: str) -> None:
        """Log a line; before it serves one that the supervisor says for all workers."""
        message = SAYS + b"%d " % level + text.encode()
        if self.started or level >= LEVELS["error"] or len(message) > _SAID_BYTES:
            self.log.line(level, text)
        elif level >= self.log.level:
            self._tell(message)

    def _make_notifier(self) -> None:
        """The supervisor tells."""

    def _tell_progress(self, due: float, *, is_first: bool = True) -> None:
        """The supervisor tells."""

    def _on_started(self, where: str, loop: asyncio.AbstractEventLoop) -> None:
        for level, text in self.config.take_notes():
            self._tell(SAYS + b"%d " % level + text.encode()[:_SAID_BYTES])
        self.log.line(LEVELS["debug"], "the worker is ready")
        self.post.control.setblocking(False)
        loop.add_reader(self.post.control.fileno(), self._on_control, loop)
        if self.config.heartbeat > 0:
            self._beat(loop)
        self._tell(b"ready")

    def _on_started_inside(self, where: str) -> None:
        """Say nothing: the supervisor does."""

    def _chores(self) -> list[int]:
        """Leave them to the supervisor."""
        return []

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; a second signal is the same one, sent to the whole group of processes.

        To end it at once is the supervisor's.
        """
        if is_for_other(self._pid, sig) or self._signal is not None:
            return
        if self._loop is None:
            # An exception would be passed over in a callback of a weakref.
            self._end_process(EXIT_SIGNAL + sig)
        super().handle_exit(sig, frame)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        offset = self.post.seat * SEAT_BYTES + _BEAT_OFFSET
        _BEAT.pack_into(self.post.crowd, offset, time.monotonic())
        loop.call_later(self.config.heartbeat / 4, self._beat, loop)

    def _on_full(self) -> None:
        self._tell(b"full")

    def _tell(self, message: bytes) -> None:
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
    """Do nothing; unlike SIG_IGN this is not what programs inherit."""


def ignore_supervisors_signals() -> None:
    """Set up the signals of a process that a supervisor has forked."""
    for number in _SUPERVISORS:
        signal.signal(number, _ignore)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def pass_over_signals() -> None:
    """Have a process that ends hear of no signal any more but SIGKILL.

    Python gives up its handlers at its end, and some of these would stop the process
    there, in a thread of the application's that does not block them.
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
    """Serve on ``listeners`` until a signal or the supervisor ends it; the exit code.

    The process was forked with all signals blocked.
    """
    from bolide.privileges import drop

    ignore_supervisors_signals()
    drop(config)
    try:
        return kind(config, post).execute(listeners, owns_process=True)
    finally:
        pass_over_signals()

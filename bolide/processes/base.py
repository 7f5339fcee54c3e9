"""A process that forks others, and waits in one ``poll`` for signals and messages.

It has no event loop and runs no code of the application.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import select
import signal
import socket
import time
from collections.abc import Callable

from bolide.config.choices import LEVELS
from bolide.config.config import Config
from bolide.errors import BindError, ConfigError
from bolide.logs.log import open_log
from bolide.logs.sinks import prepare_logs
from bolide.observe.counters import Tallies
from bolide.processes import privileges
from bolide.processes.child import Worker
from bolide.processes.worker import LOG_LINE, SEAT_BYTES, Post
from bolide.server import EXIT_ERROR, EXIT_OK
from bolide.serving import sockets
from bolide.serving.cache_memory import cache_memory
from bolide.serving.early_memory import early_memory
from bolide.serving.quic_sockets import QuicSeat
from bolide.serving.stopping import EXIT_SIGNAL
from bolide.system.fallbacks import message_pair
from bolide.system.fork_hooks import default_signals, undone_in_children
from bolide.system.forked import flush_streams, run_child

SIGNALS = (
    signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2,
    signal.SIGTTIN,
    signal.SIGTTOU, signal.SIGCHLD,
)  # fmt: skip

_STOPS = (signal.SIGINT, signal.SIGTERM)
_PIPE_BYTES = 65536
"""The number of unhandled signals that fit into a pipe."""

Job = Callable[[Config, Post, list[socket.socket]], int]
"""What a child runs; it returns the exit code."""


def in_order(numbers: bytes) -> list[int]:
    """Return the actions for signals that arrived together.

    Stops come first, each of them; TTIN and TTOU cancel each other out; all others act
    once, however often they arrived. So a storm of signals has no lasting effect.
    """
    steps = numbers.count(signal.SIGTTIN) - numbers.count(signal.SIGTTOU)
    step = signal.SIGTTIN if steps > 0 else signal.SIGTTOU
    stops = [number for number in numbers if number in _STOPS]
    others = set(numbers) - {*_STOPS, signal.SIGTTIN, signal.SIGTTOU}
    return [*stops, *sorted(others), *[int(step)] * abs(steps)]


def _exit_code(pid: int) -> int | None:
    """Return the exit code of a child that has ended, negative for a signal; else
    None.
    """
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        # It was already waited for, perhaps by a thread of the script.
        return None if _exists(pid) else EXIT_ERROR
    return os.waitstatus_to_exitcode(status) if ended == pid else None


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class _InChildError(BaseException):
    """Unwinds the stack of a forked process, which then runs ``job``."""

    def __init__(self, job: Callable[[], int]) -> None:
        self.job = job


class Parent:
    """The common part of Supervisor and Reloader."""

    def __init__(self, config: Config, seats: int) -> None:
        self.config = config
        self.log = open_log(config)
        self._listeners = sockets.Listeners()
        self._exit_code = EXIT_OK
        self._stop_signal: int | None = None
        self.owns_process = False
        """Whether nothing else runs in the process."""
        self._is_child = False
        self._logged: set[bytes] = set()
        self._poll = select.poll()
        self._balance = mmap.mmap(-1, seats * SEAT_BYTES)
        self._tallies = Tallies(seats)
        self._cache = cache_memory(config)
        self._early = early_memory(config)

    def run(self) -> int:
        """Serve until a signal arrives and return the exit code; never returns in a
        child.
        """
        try:
            return self._run()
        except _InChildError as child:
            job = child.job
        run_child(job)

    def _run(self) -> int:
        try:
            privileges.check(self.config)
            prepare_logs(self.config)
            self._bind()
        except (BindError, ConfigError) as error:
            self._log("error", str(error))
            return EXIT_ERROR
        wake, signalled = os.pipe()
        for end in (wake, signalled):
            os.set_blocking(end, False)
        before = {n: signal.signal(n, lambda *_: None) for n in SIGNALS}
        signal.set_wakeup_fd(signalled, warn_on_full_buffer=False)
        self._poll.register(wake, select.POLLIN)
        try:
            with undone_in_children(lambda: default_signals(*SIGNALS)):
                self._begin()
                while self._continues():
                    self._wait(wake)
            return self._exit_code
        finally:
            signal.set_wakeup_fd(-1)
            os.close(wake)
            os.close(signalled)
            if not self._is_child:
                if self.owns_process:
                    # Later signals must not stop or kill children that are ending
                    # gracefully.
                    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
                for number, handler in before.items():
                    signal.signal(number, handler or signal.SIG_DFL)
                self._clean_up()

    def _wait(self, wake: int) -> None:
        for fd, _ in self._poll.poll(self._sleep_ms()):
            if fd == wake:
                with contextlib.suppress(BlockingIOError):
                    for number in in_order(os.read(wake, _PIPE_BYTES)):
                        self._on_signal(number)
            else:
                self._read_message(fd)
        self._reap()
        self._look()

    # What each kind of parent implements

    def _bind(self) -> None:
        """Bind the sockets of all children; raise BindError."""
        self._listeners = sockets.bind_places(
            self.config.places, needs_udp=bool(self.config.http3)
        )

    def _quic_seat(self) -> QuicSeat | None:
        """Return the UDP sockets of the child that is started; None: it has none."""
        return None

    def _begin(self) -> None:
        """Start the first children."""

    def _continues(self) -> bool:
        """Return whether there is anything left to supervise."""
        raise NotImplementedError

    def _look(self) -> None:
        """Handle what is due, and start what is missing."""

    def _sleep_ms(self) -> int | None:
        """Return the seconds until something is due; None: nothing is."""
        raise NotImplementedError

    def _on_signal(self, number: int) -> None:
        raise NotImplementedError

    def _on_message(self, child: Worker, message: bytes) -> None:
        raise NotImplementedError

    def _on_end(self, pid: int, code: int) -> None:
        """Called when process ``pid`` has ended with ``code``, negative for a
        signal.
        """
        raise NotImplementedError

    def _children(self) -> list[Worker]:
        raise NotImplementedError

    def _clean_up(self) -> None:
        """Close the resources of this process; not called in its children."""
        self._listeners.close()

    def _in_child(self) -> None:
        """In a child, close what belongs only to its parent."""
        for child in self._children():
            child.control.close()

    # What they share

    def _log(self, level: str, text: str) -> None:
        self.log.line(LEVELS[level], text)

    def _start(self, seat: int, job: Job, generation: int = 0) -> Worker:
        """Fork a process that runs ``job``; in the child, raise _InChildError.

        Raises OSError.
        """
        ours, theirs = message_pair()
        try:
            quic = self._quic_seat()
            post = Post(
                theirs,
                self._balance,
                self._tallies,
                self._cache,
                self._early,
                seat,
                quic,
            )
            pid = self._fork(ours, post, job)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        self._poll.register(ours, select.POLLIN)
        return Worker(pid, seat, ours, generation)

    def _fork(self, ours: socket.socket, post: Post, job: Job) -> int:
        """Fork; return the pid. Raises OSError, and _InChildError in the child."""
        flush_streams()
        signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        try:
            pid = os.fork()
            if pid == 0:
                self._is_child = True
                ours.close()
                self._in_child()
                config, listeners = self.config, self._listeners
                post = post._replace(control=post.control.dup())
                raise _InChildError(lambda: job(config, post, listeners))
        finally:
            if not self._is_child:
                signal.pthread_sigmask(signal.SIG_SETMASK, ())
        return pid

    def _read_message(self, fd: int) -> None:
        child = next((x for x in self._children() if x.control.fileno() == fd), None)
        if child is None:
            return
        try:
            message = child.control.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        if message.startswith(LOG_LINE):
            self._log_once(message.removeprefix(LOG_LINE))
        elif message:
            self._on_message(child, message)
        else:
            self._poll.unregister(fd)

    def _log_once(self, message: bytes) -> None:
        """Log once for a child what every child reports."""
        if message not in self._logged:
            self._logged.add(message)
            level, _, text = message.decode(errors="replace").partition(" ")
            self.log.line(int(level), text)

    def _reap(self) -> None:
        """Reap children that have ended; other children of a script are left to it."""
        for child in self._children():
            code = _exit_code(child.pid)
            if code is not None:
                self._on_end(child.pid, code)
        if self.owns_process and hasattr(os, "waitid"):
            self._reap_orphans()

    def _reap_orphans(self) -> None:
        """Reap orphans that this process has adopted; it has no other children.

        Process 1 adopts them, and so does one that preloads.
        """
        own = {child.pid for child in self._children()}
        with contextlib.suppress(ChildProcessError):
            while True:
                how = os.WEXITED | os.WNOHANG | os.WNOWAIT
                ended = os.waitid(os.P_ALL, 0, how)
                if ended is None or ended.si_pid in own:
                    return
                os.waitpid(ended.si_pid, os.WNOHANG)

    def _terminate(self, child: Worker, seconds: float) -> None:
        """Request that a child end within ``seconds``, after which it is killed."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGTERM)
        child.end(time.monotonic() + seconds)

    def _kill(self, child: Worker) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)
        child.due = float("inf")

    def _kill_all(self, number: int) -> None:
        """End at once, for a second signal."""
        for child in self._children():
            self._kill(child)
        self._exit_code = EXIT_SIGNAL + number

    def _forget(self, child: Worker) -> None:
        with contextlib.suppress(KeyError):
            self._poll.unregister(child.control)
        child.control.close()

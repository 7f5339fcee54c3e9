"""A process that forks others, and waits in one ``poll`` for signals and their words.

It has no event loop and runs nothing of the application's.
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

from bolide import privileges, sockets
from bolide.child import be_child, flush_streams
from bolide.config import Config
from bolide.crew import Worker
from bolide.errors import BindError, ConfigError
from bolide.forks import default_signals, undone_in_children
from bolide.logs import LEVELS
from bolide.server import EXIT_ERROR, EXIT_OK
from bolide.stopping import EXIT_SIGNAL
from bolide.tally import Tallies
from bolide.worker import SAYS, SEAT_BYTES, Post

SIGNALS = (
    signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2,
    signal.SIGTTIN,
    signal.SIGTTOU, signal.SIGCHLD,
)  # fmt: skip

_STOPS = (signal.SIGINT, signal.SIGTERM)
_PIPE_BYTES = 65536
"""What a pipe holds of signals that nobody has looked at."""

Job = Callable[[Config, Post, list[socket.socket]], int]
"""What a child does; returns its exit code."""


def in_order(numbers: bytes) -> list[int]:
    """Return what signals that have come together ask for.

    What stops comes first, each time; TTIN and TTOU cancel each other out; all else is
    wanted once, however often it was asked for. So a storm is over when it is over.
    """
    steps = numbers.count(signal.SIGTTIN) - numbers.count(signal.SIGTTOU)
    step = signal.SIGTTIN if steps > 0 else signal.SIGTTOU
    stops = [number for number in numbers if number in _STOPS]
    others = set(numbers) - {*_STOPS, signal.SIGTTIN, signal.SIGTTOU}
    return [*stops, *sorted(others), *[int(step)] * abs(steps)]


class _InChildError(BaseException):
    """Unwinds the stack of a forked process, which then runs ``job``."""

    def __init__(self, job: Callable[[], int]) -> None:
        self.job = job


class Parent:
    """What a Supervisor and a Reloader have in common."""

    def __init__(self, config: Config, seats: int) -> None:
        self.config = config
        self.log = config.make_log()
        self._listeners = sockets.Listeners()
        self._exit_code = EXIT_OK
        self._stop_signal: int | None = None
        self.owns_process = False
        """Whether nothing but this runs in the process."""
        self._is_child = False
        self._said: set[bytes] = set()
        self._poll = select.poll()
        self._crowd = mmap.mmap(-1, seats * SEAT_BYTES)
        self._tallies = Tallies(seats)

    def run(self) -> int:
        """Serve until a signal comes and return the exit code; never in a child."""
        try:
            return self._run()
        except _InChildError as child:
            job = child.job
        be_child(job)

    def _run(self) -> int:
        try:
            privileges.check(self.config)
            self.config.prepare_logs()
            self._listeners = sockets.bind(self.config)
        except (BindError, ConfigError) as error:
            self._say("error", str(error))
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
                while self._goes_on():
                    self._wait(wake)
            return self._exit_code
        finally:
            signal.set_wakeup_fd(-1)
            os.close(wake)
            os.close(signalled)
            if not self._is_child:
                if self.owns_process:
                    # What comes now is not to stop or kill what ends in order anyway.
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
                self._hear(fd)
        self._reap()
        self._look()

    # What each kind of parent has of its own

    def _begin(self) -> None:
        """Start the first children."""

    def _goes_on(self) -> bool:
        """Return whether there is anything left to look after."""
        raise NotImplementedError

    def _look(self) -> None:
        """Look at what is due and what is missing."""

    def _sleep_ms(self) -> int | None:
        """Return how long nothing is due; None: until something happens."""
        raise NotImplementedError

    def _on_signal(self, number: int) -> None:
        raise NotImplementedError

    def _on_message(self, child: Worker, message: bytes) -> None:
        raise NotImplementedError

    def _on_end(self, pid: int, code: int) -> None:
        """Process ``pid`` has ended, with ``code``, negative for a signal."""
        raise NotImplementedError

    def _children(self) -> list[Worker]:
        raise NotImplementedError

    def _clean_up(self) -> None:
        """Close what this process has; not called in its children."""
        self._listeners.close()

    def _in_child(self) -> None:
        """Close in a child what is its parent's alone."""
        for child in self._children():
            child.control.close()

    # What they share

    def _say(self, level: str, text: str) -> None:
        self.log.line(LEVELS[level], text)

    def _start(self, seat: int, job: Job, generation: int = 0) -> Worker:
        """Fork a process that does ``job``; in the child, leave by _InChildError.

        Raises OSError.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            pid = self._fork(ours, Post(theirs, self._crowd, self._tallies, seat), job)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        self._poll.register(ours, select.POLLIN)
        return Worker(pid, seat, ours, generation)

    def _fork(self, ours: socket.socket, post: Post, job: Job) -> int:
        """Return the number of a new process; raise OSError, _InChildError in it."""
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

    def _hear(self, fd: int) -> None:
        child = next((x for x in self._children() if x.control.fileno() == fd), None)
        if child is None:
            return
        try:
            message = child.control.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        if message.startswith(SAYS):
            self._say_once(message.removeprefix(SAYS))
        elif message:
            self._on_message(child, message)
        else:
            self._poll.unregister(fd)

    def _say_once(self, message: bytes) -> None:
        """Say for a child what each of them has to say."""
        if message not in self._said:
            self._said.add(message)
            level, _, text = message.decode(errors="replace").partition(" ")
            self.log.line(int(level), text)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._on_end(pid, os.waitstatus_to_exitcode(status))

    def _terminate(self, child: Worker, seconds: float) -> None:
        """Have a child end within ``seconds``, or it is to be killed."""
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

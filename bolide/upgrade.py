"""SIGUSR2: another process takes over the sockets, with the program as it now is.

The supervisor runs its own command line once more, in a process that inherits the
listening sockets. That one starts its workers and says so when all of them serve; only
then does the old one let its own workers go. Whatever becomes of the new one before,
the old one serves on.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys

from bolide.crew import Worker, how_it_ended
from bolide.errors import ConfigError
from bolide.logs import LEVELS, Log
from bolide.pidfile import PidFile
from bolide.sockets import INHERITED, Listeners

PREDECESSOR = "BOLIDE_PREDECESSOR"
"""The variable with the descriptor by which a new process talks to the old one."""

_OWN_PID = ("LISTEN_PID", "WATCHDOG_PID")
"""Variables of systemd that mean the one process whose number they have."""


def working_folder() -> str:
    """Return where commands run, by the name that it was entered with.

    So a link to the latest version of a program is followed again.
    """
    named = os.environ.get("PWD", "")
    with contextlib.suppress(OSError):
        if os.path.isabs(named) and os.path.samefile(named, "."):
            return named
    return os.getcwd()


def find_predecessor() -> socket.socket | None:
    """Return what this process tells its predecessor by; None: it has none. Once."""
    text = os.environ.pop(PREDECESSOR, "")
    if not text.isdecimal():
        return None
    try:
        control = socket.socket(fileno=int(text))
    except OSError:
        return None
    control.set_inheritable(False)
    return control


def start_successor(listeners: Listeners, folder: str, control: socket.socket) -> int:
    """Run this command again in ``folder`` with ``listeners``; return its number.

    By ``control`` it says "ready", or why it cannot be run. Raises OSError.
    """
    before = signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _become_successor(listeners, folder, control)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid


def _become_successor(
    listeners: Listeners, folder: str, control: socket.socket
) -> None:
    """Run the command in this process; does not return."""
    try:
        signal.set_wakeup_fd(-1)
        for number in signal.valid_signals():
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.SIG_DFL)
        os.chdir(folder)
        for sock in [*listeners, control]:
            sock.set_inheritable(True)
        environ = dict(os.environ)
        environ[INHERITED] = listeners.for_successor()
        environ[PREDECESSOR] = str(control.fileno())
        for name in _OWN_PID:
            if name in environ:
                environ[name] = str(os.getpid())
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        program = sys.executable or sys.orig_argv[0]
        os.execve(program, [program, *sys.orig_argv[1:]], environ)
    except BaseException as error:
        with contextlib.suppress(OSError):
            control.send(f"{error}"[:512].encode(errors="replace"))
    finally:
        os._exit(1)


class Succession:
    """What a supervisor knows of the process before it, and of the one after it."""

    def __init__(
        self, log: Log, pid_file: PidFile | None, predecessor: socket.socket | None
    ) -> None:
        self.successor: Worker | None = None
        """The process that starts to take over."""
        self.has_handed_over = False
        self._log = log
        self._pid_file = pid_file
        self._predecessor = predecessor
        self._folder = working_folder()

    def _say(self, level: str, text: str) -> None:
        self._log.line(LEVELS[level], text)

    def start(self, listeners: Listeners) -> Worker | None:
        """Start a process that is to take over; None, and a line, where none can."""
        if self.successor is not None:
            self._say("error", f"process {self.successor.pid} is taking over already")
            return None
        if os.getpid() == 1:
            text = "not upgraded: a container ends with its process 1; use SIGHUP"
            self._say("error", text)
            return None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            pid = start_successor(listeners, self._folder, theirs)
        except OSError as error:
            self._say("error", f"not upgraded: {error.strerror}")
            ours.close()
            return None
        finally:
            theirs.close()
        ours.setblocking(False)
        self.successor = Worker(pid, 0, ours, 0)
        self._say("info", f"upgrading: process {pid} starts on the same sockets")
        return self.successor

    def take_over(self, listeners: Listeners) -> None:
        """All workers serve: tell the process before this one, whose all is ours."""
        if self._predecessor is None:
            return
        listeners.own_files()
        try:
            if self._pid_file is not None:
                self._pid_file.write()
        except ConfigError as error:
            self._say("error", str(error))
        with contextlib.suppress(OSError):  # it has gone meanwhile
            self._predecessor.send(b"ready")
        self.close()

    def close(self) -> None:
        """Have nothing to do with the process before this one any more."""
        if self._predecessor is not None:
            self._predecessor.close()
            self._predecessor = None

    def hear(self, message: bytes) -> bool:
        """Return whether ``message`` of the successor says that it serves."""
        successor, self.has_handed_over = self.successor, message == b"ready"
        if successor is None or not self.has_handed_over:
            self._say("error", "cannot be run: " + message.decode(errors="replace"))
            return False
        self.successor = None
        self._say("info", f"process {successor.pid} serves: it has taken over")
        return True

    def has(self, pid: int) -> bool:
        """Return whether process ``pid`` is the one that starts to take over."""
        return self.successor is not None and self.successor.pid == pid

    def fail(self, code: int) -> Worker | None:
        """Note that the successor has ended, and was not ready; return it."""
        successor, self.successor = self.successor, None
        if successor is not None:
            text = f"process {successor.pid} {how_it_ended(code)} before it served"
            if not successor.is_ending:
                text += ": the upgrade is over, this process serves on"
            self._say("error", text)
        return successor

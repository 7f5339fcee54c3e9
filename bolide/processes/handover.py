"""SIGUSR2: a new process takes over the sockets, with the current program.

The supervisor runs its own command line again, in a process that inherits the listening
sockets. The new one starts its workers and reports when all of them serve; only then
does the old one stop its own workers. If the new one fails before, the old one
continues to serve.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable

from bolide.config.choices import LEVELS
from bolide.errors import ConfigError
from bolide.logs.log import Log
from bolide.processes.child import Worker, how_it_ended
from bolide.processes.pidfile import PidFile
from bolide.serving.sockets import INHERITED, Listeners
from bolide.system.fallbacks import message_pair

PREDECESSOR = "BOLIDE_PREDECESSOR"
"""The variable with the descriptor for messages from the new process to the old one."""

_OWN_PID = ("LISTEN_PID", "WATCHDOG_PID")
"""Variables of systemd that are valid only for the process whose pid they name."""


def working_folder() -> str:
    """Return the working directory, by the name with which it was entered.

    So a link to the latest version of a program is resolved again.
    """
    named = os.environ.get("PWD", "")
    with contextlib.suppress(OSError):
        if os.path.isabs(named) and os.path.samefile(named, "."):
            return named
    return os.getcwd()


def find_predecessor() -> socket.socket | None:
    """Return the socket for messages to the predecessor; None: there is none. Once."""
    text = os.environ.pop(PREDECESSOR, "")
    if not text.isdecimal():
        return None
    try:
        control = socket.socket(fileno=int(text))
    except OSError:
        return None
    control.set_inheritable(False)
    return control


Lend = Callable[[dict[str, str]], None]
"""What adds more to the environment of the new process, in that process."""


def start_successor(
    listeners: Listeners, folder: str, control: socket.socket, lend: Lend
) -> int:
    """Run this command again in ``folder`` with ``listeners``; return its pid.

    It sends "ready" by ``control``, or why it cannot run. Raises OSError.
    """
    before = signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _become_successor(listeners, folder, control, lend)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid


def _become_successor(
    listeners: Listeners, folder: str, control: socket.socket, lend: Lend
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
        lend(environ)
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


class Handover:
    """The state that a supervisor keeps for its predecessor and its successor."""

    def __init__(
        self, log: Log, pid_file: PidFile | None, predecessor: socket.socket | None
    ) -> None:
        self.successor: Worker | None = None
        """The process that is about to take over."""
        self.has_handed_over = False
        self._log = log
        self._pid_file = pid_file
        self._predecessor = predecessor
        self._folder = working_folder()

    def _log_line(self, level: str, text: str) -> None:
        self._log.line(LEVELS[level], text)

    def start(self, listeners: Listeners, lend: Lend) -> Worker | None:
        """Start a successor; if that fails, log it and return None."""
        if self.successor is not None:
            self._log_line(
                "error", f"process {self.successor.pid} is already taking over"
            )
            return None
        if os.getpid() == 1:
            text = "not upgraded: a container ends with its process 1; use SIGHUP"
            self._log_line("error", text)
            return None
        ours, theirs = message_pair()
        try:
            pid = start_successor(listeners, self._folder, theirs, lend)
        except OSError as error:
            self._log_line("error", f"not upgraded: {error.strerror}")
            ours.close()
            return None
        finally:
            theirs.close()
        ours.setblocking(False)
        self.successor = Worker(pid, 0, ours, 0)
        self._log_line("info", f"upgrading: process {pid} starts on the same sockets")
        return self.successor

    def take_over(self, listeners: Listeners) -> int:
        """All workers serve: notify the predecessor, which then stops.

        Returns a descriptor that is readable when it has read that; then comes
        ``close``. -1: there is no predecessor.
        """
        if self._predecessor is None:
            return -1
        listeners.own_files()
        try:
            if self._pid_file is not None:
                self._pid_file.write()
        except ConfigError as error:
            self._log_line("error", str(error))
        with contextlib.suppress(OSError):  # it has ended meanwhile
            self._predecessor.send(b"ready")
        return self._predecessor.fileno()

    def close(self) -> None:
        """Disconnect from the predecessor."""
        if self._predecessor is not None:
            self._predecessor.close()
            self._predecessor = None

    def on_message(self, message: bytes) -> bool:
        """Return whether ``message`` of the successor reports that it serves."""
        successor, self.has_handed_over = self.successor, message == b"ready"
        if successor is None or not self.has_handed_over:
            self._log_line(
                "error", "cannot be run: " + message.decode(errors="replace")
            )
            return False
        self.successor = None
        self._log_line("info", f"process {successor.pid} has taken over")
        return True

    def has(self, pid: int) -> bool:
        """Return whether process ``pid`` is the successor."""
        return self.successor is not None and self.successor.pid == pid

    def fail(self, code: int) -> Worker | None:
        """Record that the successor has ended before it was ready; return it."""
        successor, self.successor = self.successor, None
        if successor is not None:
            text = f"process {successor.pid} {how_it_ended(code)} before it served"
            if not successor.is_ending:
                text += ": the upgrade is over, this process serves on"
            self._log_line("error", text)
        return successor

"""Starts what the settings ask for: a server, a supervisor, or a reloader."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bolide.config.config import Config
from bolide.config.tls import ktls_note
from bolide.logs.log import log_notes, open_log
from bolide.processes.handover import find_predecessor
from bolide.processes.pidfile import PidFile
from bolide.server import EXIT_OK, Server
from bolide.serving.loops import refuse_running_loop
from bolide.system.allocator import keep_freed

if TYPE_CHECKING:
    from bolide.processes.base import Parent


def run_config(
    config: Config,
    again: Callable[[], Config] | None = None,
    *,
    owns_process: bool = False,
) -> int:
    """Serve until a signal comes, in workers where ``config`` asks for them.

    Returns the exit code; in this process only, for a worker ends by itself. ``again``
    rereads the settings for a reload; it raises ConfigError. ``owns_process`` is as
    for ``Server.execute``.
    """
    if owns_process and config.tls is not None and config.tls.ktls:
        config.notes.append(ktls_note())
    if config.notes:
        log_notes(open_log(config), config)
    if config.umask is not None:
        os.umask(int(config.umask))
    keep_freed(config.keep_freed_memory)
    if config.reload:
        from bolide.processes import reloader

        reloader.check(config)
    predecessor = find_predecessor()
    if config.workers is None and (predecessor or config.user or config.group):
        # Who starts, and removes files at the end, is another than who serves.
        config.workers = 1
    if config.reload or config.workers is not None:
        refuse_other_threads()
    pid_file = PidFile(config.pid_file)
    if predecessor is None:
        pid_file.write()
    try:
        if config.reload:
            parent: Parent = reloader.Reloader(config)
        elif config.workers is None:
            return Server(config).execute(owns_process=owns_process)
        else:
            from bolide.processes.supervisor import Supervisor

            parent = Supervisor(config, again, pid_file, predecessor)
        parent.owns_process = owns_process
        return parent.run()
    finally:
        pid_file.remove()


def refuse_other_threads() -> None:
    """Raise RuntimeError unless this is the main thread, which alone gets signals."""
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(
            "workers and reload need signals, which only the main thread gets: serve "
            "there, or without both in this thread"
        )


def run(app: Any, **settings: Any) -> None:
    """Serve ``app``, an application or ``"module:attribute"``, until a signal arrives.

    Returns once, in the process that called it. Workers are forks of that process and
    never return to the script, so code after the call, in ``finally``, in a ``with``
    block or registered with atexit, runs once, in the script.

    ``settings`` are the parameters of Config. If it cannot serve, it exits the process
    with the exit codes of the command. Raises ConfigError for invalid settings.
    """
    refuse_running_loop("run()", "await Server(Config(app)).serve() there")
    code = run_config(Config(app, **settings))
    if code != EXIT_OK:
        sys.exit(code)

"""Starts what the settings ask for: a server, a supervisor, or a reloader."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bolide.config import Config
from bolide.loops import refuse_running_loop
from bolide.memory import keep_freed
from bolide.pidfile import PidFile
from bolide.server import EXIT_OK, Server
from bolide.tls import ktls_note
from bolide.upgrade import find_predecessor

if TYPE_CHECKING:
    from bolide.parent import Parent


def run_config(
    config: Config,
    again: Callable[[], Config] | None = None,
    *,
    owns_process: bool = False,
) -> int:
    """Serve until a signal comes, in workers where ``config`` asks for them.

    Returns the exit code; in this process only, for a worker ends by itself. ``again``
    reads the settings anew for a reload; it raises ConfigError. ``owns_process`` is as
    for ``Server.execute``.
    """
    if owns_process and config.tls is not None and config.tls.ktls:
        config.notes.append(ktls_note())
    if config.notes:
        config.tell_notes(config.make_log())
    if config.umask is not None:
        os.umask(int(config.umask))
    keep_freed(config.keep_freed_memory)
    if config.reload:
        from bolide import reloader

        reloader.check(config)
    predecessor = find_predecessor()
    if config.workers is None and (predecessor or config.user or config.group):
        # Who starts, and removes files at the end, is another than who serves.
        config.workers = 1
    pid_file = PidFile(config.pid_file)
    if predecessor is None:
        pid_file.write()
    try:
        if config.reload:
            parent: Parent = reloader.Reloader(config)
        elif config.workers is None:
            return Server(config).execute(owns_process=owns_process)
        else:
            from bolide.supervisor import Supervisor

            parent = Supervisor(config, again, pid_file, predecessor)
        parent.owns_process = owns_process
        return parent.run()
    finally:
        pid_file.remove()


def run(app: Any, **settings: Any) -> None:
    """Serve ``app``, an application or ``"module:attribute"``, until a signal comes.

    It returns once, in the process that has called it: workers are forks of that, which
    do not come back to the script. What the script does at its end, by ``finally``, a
    ``with`` or atexit, is done once, by the script.

    ``settings`` are the fields of Config. Exits the process, with the codes of the
    command, when it cannot serve. Raises ConfigError for settings that cannot be used.
    """
    refuse_running_loop("run()", "await Server(Config(app)).serve() there")
    code = run_config(Config(app, **settings))
    if code != EXIT_OK:
        sys.exit(code)

"""``--preload``: a template process loads the application, and workers are its forks.

The supervisor asks the template for each worker, and becomes its parent: the template
forks twice, and what the one in the middle leaves behind is the supervisor's
(PR_SET_CHILD_SUBREAPER). So the supervisor itself never runs the application's code,
and a reload is another template.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import signal
import socket

from bolide.child import be_child, flush_streams
from bolide.config import Config
from bolide.errors import AppError, ConfigError
from bolide.server import EXIT_ERROR, EXIT_OK
from bolide.worker import Post, ignore_supervisors_signals, run_worker

_LOOK_S = 5.0


def ask_for_worker(template: socket.socket, theirs: socket.socket, seat: int) -> int:
    """Return the process number of a new worker with the end ``theirs``; OSError."""
    template.setblocking(True)
    template.settimeout(_LOOK_S)
    try:
        socket.send_fds(template, [b"%d" % seat], [theirs.fileno()])
        answer = template.recv(64)
    finally:
        template.setblocking(False)
    if not answer:
        raise OSError("the process with the application is gone")
    return int(answer)


def run_template(config: Config, post: Post, listeners: list[socket.socket]) -> int:
    """Load the application and fork workers as they are asked for; the exit code."""
    from bolide.privileges import drop

    ignore_supervisors_signals()
    drop(config)
    log = config.make_log()
    try:
        config.load()
    except (AppError, ConfigError) as error:
        log.failure(str(error), error.__cause__)
        return EXIT_ERROR
    # Objects that the collector does not look at are not written to, so that their
    # pages stay shared.
    gc.collect()
    gc.freeze()
    post.control.send(b"ready")
    while True:
        message, fds, _, _ = socket.recv_fds(post.control, 64, 1)
        if not message:
            return EXIT_OK
        control = socket.socket(fileno=fds[0])
        told, tells = os.pipe()
        flush_streams()
        signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        middle = os.fork()
        if middle == 0:
            worker = os.fork()
            if worker != 0:
                os.write(tells, b"%d" % worker)
                os._exit(0)
            os.close(told)
            os.close(tells)
            post.control.close()
            own = post._replace(control=control, seat=int(message))
            be_child(functools.partial(run_worker, config, own, listeners))
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        control.close()
        os.close(tells)
        answer = os.read(told, 64)
        os.close(told)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(middle, 0)
        post.control.send(answer)

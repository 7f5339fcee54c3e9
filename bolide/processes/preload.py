"""``--preload``: a template process loads the application, and workers are its forks.

The supervisor asks the template for each worker, and becomes its parent: the template
forks twice, and the child of the one in the middle becomes the supervisor's
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

from bolide.config.binds import BINDS_MAX
from bolide.config.config import Config
from bolide.errors import AppError, ConfigError
from bolide.logs.log import open_log
from bolide.processes.worker import Post, ignore_supervisors_signals, run_worker
from bolide.server import EXIT_ERROR, EXIT_OK
from bolide.serving.quic_sockets import QuicSeat
from bolide.system.forked import flush_streams, run_child

_LOOK_S = 5.0


def ask_for_worker(template: socket.socket, post: Post) -> int:
    """Return the pid of a new worker with ``post``; raise OSError."""
    theirs, quic = post.control, post.quic
    number, lent = (-1, []) if quic is None else (quic.number, quic.sockets)
    fds = [sock.fileno() for sock in (theirs, *lent)]
    template.setblocking(True)
    template.settimeout(_LOOK_S)
    try:
        socket.send_fds(template, [b"%d %d" % (post.seat, number)], fds)
        answer = template.recv(64)
    finally:
        template.setblocking(False)
    if not answer:
        raise OSError("the process with the application has exited")
    return int(answer)


def run_template(config: Config, post: Post, listeners: list[socket.socket]) -> int:
    """Load the application and fork workers on request; return the exit code."""
    from bolide.processes.privileges import drop

    ignore_supervisors_signals()
    drop(config)
    log = open_log(config)
    try:
        config.load()
    except (AppError, ConfigError) as error:
        log.failure(str(error), error.__cause__)
        return EXIT_ERROR
    # The collector does not write to frozen objects, so their pages stay shared.
    gc.collect()
    gc.freeze()
    post.control.send(b"ready")
    while True:
        message, fds, _, _ = socket.recv_fds(post.control, 64, 1 + BINDS_MAX)
        if not message:
            return EXIT_OK
        control, *lent = [socket.socket(fileno=fd) for fd in fds]
        seat, number = map(int, message.split())
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
            own = post._replace(control=control, seat=seat)
            if post.quic is not None:
                own = own._replace(quic=QuicSeat(number, post.quic.secret, lent))
            run_child(functools.partial(run_worker, config, own, listeners))
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        for sock in (control, *lent):
            sock.close()
        os.close(tells)
        answer = os.read(told, 64)
        os.close(told)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(middle, 0)
        post.control.send(answer)

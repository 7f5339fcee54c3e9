"""Keeps a process that the application forks from acting as its parent.

Such a child inherits signal handlers, and the descriptor that wakes its parent's loop
on a signal. A signal must end it like any process, without waking its parent.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable, Iterator

from bolide.system.fallbacks import own_descriptors

_undone: list[Callable[[], object]] = []
"""Functions that are called in each forked child, the newest first."""


def _in_child() -> None:
    if _undone:
        signal.set_wakeup_fd(-1)
    while _undone:
        _undone.pop()()


os.register_at_fork(after_in_child=_in_child)


def guard(disown: Callable[[], object]) -> Callable[[], None]:
    """Keep children from using the loops and the engine of this process.

    An epoll instance is shared with a child, which would change it for its parent as
    well when it unwinds the stack of its parent's loop. The child gets another
    instance. ``disown`` is called there too. Returns a function that ends this.
    """
    found = [number for number in own_descriptors() if _is_poll(number)]

    def undo() -> None:
        disown()
        for number in found:
            if _is_poll(number):
                own = select.epoll()
                os.dup2(own.fileno(), number, inheritable=False)
                own.close()

    def end() -> None:
        if undo in _undone:
            _undone.remove(undo)

    _undone.append(undo)
    return end


def _is_poll(number: int) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{number}") == "anon_inode:[eventpoll]"
    except OSError:
        return False


@contextlib.contextmanager
def undone_in_children(undo: Callable[[], object]) -> Iterator[None]:
    """Call ``undo`` in each process that Python code forks meanwhile."""
    _undone.append(undo)
    try:
        yield
    finally:
        # a child that returns here has done it
        if undo in _undone:
            _undone.remove(undo)


def default_signals(*numbers: int) -> None:
    """Let these signals end this process by default."""
    for number in numbers:
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)


def is_for_other(owner: int, number: int) -> bool:
    """Return whether this process is not ``owner``, whose signal handler it has.

    If so, the signal gets its default action; for children that C code has forked.
    """
    if os.getpid() == owner:
        return False
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
    return True

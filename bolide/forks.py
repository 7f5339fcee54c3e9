"""What a process that the application forks must not do in its parent's place.

Such a child inherits handlers of signals, and the descriptor that wakes its parent's
loop at a signal. It is to end by a signal as any process does, and its parent is not to
hear of it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable, Iterator

_undone: list[Callable[[], object]] = []
"""What is called in each forked child, the newest first."""


def _in_child() -> None:
    if _undone:
        signal.set_wakeup_fd(-1)
    while _undone:
        _undone.pop()()


os.register_at_fork(after_in_child=_in_child)


def guard(disown: Callable[[], object]) -> Callable[[], None]:
    """Keep children from what loops of this process, and the engine, go on with.

    An epoll instance is shared with a child, which changes it for its parent as well
    when it unwinds the stack of its parent's loop. It is given another. ``disown`` is
    called there too. Returns what ends that.
    """
    found = [int(x) for x in os.listdir("/proc/self/fd") if _is_poll(int(x))]

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
    """Have ``undo`` called in each process that is forked meanwhile, from Python."""
    _undone.append(undo)
    try:
        yield
    finally:
        # A child that comes by here has done it.
        if undo in _undone:
            _undone.remove(undo)


def default_signals(*numbers: int) -> None:
    """Have this process end by these signals as any process does."""
    for number in numbers:
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)


def is_for_other(owner: int, number: int) -> bool:
    """Whether this process is not ``owner``, whose handler of a signal it has.

    The signal then does what it does by default; for children that C code has forked.
    """
    if os.getpid() == owner:
        return False
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
    return True

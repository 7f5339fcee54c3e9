"""How a forked process begins and ends: for itself, and not in its parent's place.

What stands behind the call that has forked it, and what its parent has registered to be
done at its end, is the parent's to do, once.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any, NoReturn

_EXIT_FAILED = 1


def flush_streams() -> None:
    """Write what standard output and standard error hold back.

    Before a fork, so that it is not written in both processes.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            continue  # there is none, or it is closed


def _begin() -> None:
    """Forget in a forked process what its parent does at its end.

    These are functions of atexit, finalizers of weakref, handlers of logging and
    children of multiprocessing. What is added from now on is this process's.
    """
    atexit._clear()
    finalize: Any = weakref.finalize
    for inherited in list(finalize._registry):
        inherited.atexit = False
    finalize._registered_with_atexit = False
    processes, util, logging = map(
        sys.modules.get,
        ("multiprocessing.process", "multiprocessing.util", "logging"),
    )
    if processes is not None and util is not None:
        vars(processes)["_children"] = set()
        vars(util)["_finalizer_registry"].clear()
        atexit.register(vars(util)["_exit_function"])
    if logging is not None:
        atexit.register(_close_handlers, logging, list(vars(logging)["_handlerList"]))


def _close_handlers(logging: Any, inherited: list[object]) -> None:
    """Write what handlers of logging hold back, as logging's own end does."""
    logging.shutdown([x for x in logging._handlerList if x not in inherited])


def be_child(job: Callable[[], int]) -> NoReturn:
    """Do ``job`` in a process that was just forked, and end that with its exit code.

    The rest of the stack is the parent's, and is not returned to. What the job has
    registered for the end of its process is done before.
    """
    code = _EXIT_FAILED
    try:
        _begin()
        code = _code_of(job)
        end: Any = threading
        end._shutdown()
        atexit._run_exitfuncs()
        flush_streams()
    finally:
        os._exit(code)


def _code_of(job: Callable[[], int]) -> int:
    """Return the exit code of ``job``, also where it raises, as CPython would."""
    try:
        return job()
    except SystemExit as end:
        return _exit_code(end)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return _EXIT_FAILED


def leave_child(error: BaseException) -> NoReturn:
    """End a process that the application has forked, which lets ``error`` through.

    What is on its stack and registered for the end of a process is its parent's.
    """
    code = _EXIT_FAILED
    try:
        if isinstance(error, SystemExit):
            code = _exit_code(error)
        else:
            sys.excepthook(type(error), error, error.__traceback__)
        flush_streams()
    finally:
        os._exit(code)


def _exit_code(end: SystemExit) -> int:
    """Return the exit code that ``end`` asks for, and print its text if it has one."""
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    sys.stderr.write(f"{end.code}\n")
    return _EXIT_FAILED

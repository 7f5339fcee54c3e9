"""The beginning and end of a forked process, which must not act as its parent.

The code after the call that has forked it, and the exit functions that its parent has
registered, must run once, in the parent.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

_EXIT_FAILED = 1


def flush_streams() -> None:
    """Flush standard output and standard error.

    Called before a fork, so that their buffers are not written by both processes.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            continue  # missing or closed


def _begin() -> None:
    """In a forked process, remove the exit functions of its parent.

    These are functions of atexit, finalizers of weakref, handlers of logging and
    children of multiprocessing. Those that are added later are kept.
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
    """Flush the handlers of logging, as logging does at exit."""
    logging.shutdown([x for x in logging._handlerList if x not in inherited])


def run_child(job: Callable[[], int]) -> NoReturn:
    """Run ``job`` in a process that was just forked, and exit with its result.

    Never returns to the rest of the stack, which belongs to the parent. Exit functions
    that the job has registered run before.
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
    """Return the exit code of ``job``, or that of CPython if it raises."""
    try:
        return job()
    except SystemExit as end:
        return _exit_code(end)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return _EXIT_FAILED


def leave_child(error: BaseException) -> NoReturn:
    """End a process that the application has forked, and from which ``error`` escapes.

    Its stack and its exit functions belong to its parent.
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


@contextlib.contextmanager
def children_end_here() -> Iterator[None]:
    """End processes that the application forks in this block when they leave it.

    A child has its parent's loop on its stack, which it must not close, and callers
    that would act as its parent: gunicorn's arbiter stops all workers.
    """
    owner = os.getpid()
    try:
        yield
    except BaseException as error:
        if os.getpid() != owner:
            leave_child(error)
        raise


def _exit_code(end: SystemExit) -> int:
    """Return the exit code of ``end``, and print its text if it has one."""
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    sys.stderr.write(f"{end.code}\n")
    return _EXIT_FAILED

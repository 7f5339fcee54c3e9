# SPDX-License-Identifier: MIT
"""Wrong arguments, running awaitables that are inspected, and failing calls."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
import types

import awaitable_probe as probe
import pytest
from steps import Recorder, failure, pause, run, value

with contextlib.suppress(ImportError):
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters

library = ctypes.PyDLL(probe.__file__)
CAN_FAIL = hasattr(library, "fault_at")
if CAN_FAIL:
    library.fault_at.argtypes = [ctypes.c_ulong, ctypes.c_int]
    library.fault_name.restype = ctypes.c_char_p
can_fail = pytest.mark.skipif(
    not CAN_FAIL, reason="no call fails in this build (meson option failing_calls)"
)
MANY = 500


class Plain:
    """An asynchronous context manager whose exit fails before it can be awaited."""

    async def __aenter__(self):
        """Enter."""
        return self

    def __aexit__(self, *args):
        """Fail."""
        raise ZeroDivisionError


class Good(Plain):
    """An asynchronous context manager."""

    async def __aexit__(self, *args):
        """Exit."""


WRONG = [
    (0, TypeError, "NULL where a PyAwaitable"),
    (1, ValueError, "the result is NULL"),
    (2, ValueError, "NULL cannot be called"),
    (3, ValueError, "at least one value"),
    (4, ValueError, "value 1 to save is NULL"),
    (5, MemoryError, None),
    (6, ValueError, "the value to set is NULL"),
    (7, IndexError, "value 0"),
    (8, RuntimeError, "has no values"),
    (9, ValueError, "the context manager is NULL"),
]


@pytest.mark.parametrize(("number", "error", "match"), WRONG)
def test_a_wrong_argument_is_rejected_and_changes_nothing(number, error, match):
    aw, thing = probe.new(), object()
    probe.save(aw, thing)
    before = sys.getrefcount(aw), sys.getrefcount(thing)
    with pytest.raises(error, match=match):
        probe.wrong(aw, number)
    gc.collect()
    assert (sys.getrefcount(aw), sys.getrefcount(thing)) == before
    assert probe.get(aw, 0) is thing
    with pytest.raises(IndexError):
        probe.get(aw, 1)
    assert run(aw) is None


@pytest.mark.parametrize("number", [1, 2, 3, 6, 7, 8, 9])
def test_each_function_needs_an_awaitable(number):
    with pytest.raises(TypeError, match="a PyAwaitable is expected, not int"):
        probe.wrong(7, number)


def test_a_running_awaitable_shows_nothing_that_it_awaits():
    seen = []

    def look(aw, result):
        seen.append((aw.cr_await, aw.cr_suspended, aw.cr_frame, aw.cr_running))

    aw = probe.make(look)
    probe.add(aw, value(), True)
    run(aw)
    assert seen == [(None, False, None, True)]


def test_an_awaited_object_without_a_frame_has_none():
    aw = probe.new()
    probe.add(aw, Recorder())
    aw.send(None)
    assert aw.cr_frame is None
    assert aw.cr_await is not None
    with pytest.raises(GeneratorExit):
        aw.throw(GeneratorExit)


def unraisables(monkeypatch):
    """Return the list of the exceptions that will be reported as unraisable."""
    found = []
    monkeypatch.setattr(sys, "unraisablehook", lambda x: found.append(x.exc_type))
    return found


def test_cancel_reports_what_is_no_awaitable(monkeypatch):
    found = unraisables(monkeypatch)
    probe.cancel(7)
    assert found == [TypeError]


def test_a_close_that_fails_is_reported_and_the_rest_is_closed(monkeypatch):
    found = unraisables(monkeypatch)
    aw, last = probe.new(), value()
    probe.add(aw, probe.Broken())
    probe.add(aw, last)
    probe.cancel(aw)
    assert found == [AttributeError]
    with pytest.raises(RuntimeError, match="reuse"):
        last.send(None)


@pytest.mark.parametrize("is_same", [True, False], ids=["the same", "another"])
def test_an_error_callback_may_raise_an_exception_with_a_context(is_same):
    """The exception keeps its own context."""
    first, context = OSError(), KeyError()
    raised = first if is_same else ValueError()
    raised.__context__ = context
    before = sys.getrefcount(first), sys.getrefcount(context)

    def attempt():
        aw = probe.make(None, lambda aw, exc: (-2, raised))
        probe.add(aw, failure(first), False, True)
        with pytest.raises(type(raised)) as caught:
            run(aw)
        assert caught.value is raised
        assert raised.__context__ is context
        raised.__traceback__ = first.__traceback__ = None

    attempt()
    gc.collect()
    assert (sys.getrefcount(first), sys.getrefcount(context)) == before


def test_an_exception_thrown_before_the_start_may_be_handled():
    """The awaits that follow run."""
    raised, never = [], value()
    aw = probe.make(None, lambda aw, exc: raised.append(type(exc)))
    probe.add(aw, never, False, True)
    probe.add(aw, pause("then"))
    assert aw.throw(OSError()) == "then"
    with pytest.raises(StopIteration):
        aw.send(None)
    assert raised == [OSError]


def test_a_close_method_that_cannot_be_read_fails_the_close():
    class Awaited:
        def __await__(self):
            return self

        def __iter__(self):
            return self

        def __next__(self):
            return "suspended"

        @property
        def close(self):
            return 1 / 0

    aw = probe.new()
    probe.add(aw, Awaited())
    aw.send(None)
    with pytest.raises(ZeroDivisionError):
        aw.close()


def test_a_step_as_an_iterator():
    aw = probe.keep(pause("a"))
    assert next(aw) == "a"
    with pytest.raises(StopIteration) as caught:
        next(aw)
    assert caught.value.value is None

    aw = probe.keep(value((1, 2)))
    with pytest.raises(StopIteration) as caught:
        next(aw)
    assert caught.value.value == (1, 2)


def test_an_exit_that_cannot_be_called_replaces_the_exception_of_the_body():
    aw = probe.make(lambda aw, entered: (-2, OSError()))
    probe.async_with(aw, Plain(), True)
    with pytest.raises(ZeroDivisionError) as caught:
        run(aw)
    assert isinstance(caught.value.__context__, OSError)


@types.coroutine
def marked():
    """Yield once."""
    yield


def uses(thing):
    """Use most of the API with ``thing``."""
    aw = probe.make(lambda aw, result: None, lambda aw, exc: None, lambda aw: None)
    probe.save(aw, thing, thing, thing)
    probe.set_name(aw, "name")
    repr(aw)
    for _ in range(3):
        probe.add(aw, pause(thing), True, True)
    probe.add(aw, marked())
    probe.add(aw, failure(OSError()), True, True)
    probe.defer(aw)
    probe.async_with(aw, Good(), True, True)
    run(aw)
    aw = probe.keep(value(thing))
    for _ in aw:
        pass
    aw = probe.keep(pause(thing))
    next(aw)
    aw.close()
    aw = probe.keep(pause(thing))
    aw.send(None)
    with contextlib.suppress(KeyError):
        aw.throw(KeyError)


@can_fail
@pytest.mark.filterwarnings("ignore")
def test_each_call_of_python_may_fail(monkeypatch):
    """The caller gets the exception, and every reference is released."""
    unraisables(monkeypatch)
    thing = object()
    uses(thing)
    gc.collect()
    before = sys.getrefcount(thing)
    n, nfailed = 0, 0
    for n in range(1, MANY):
        library.fault_at(n, 0)
        try:
            uses(thing)
        except (MemoryError, OSError):  # the latter, if its callback failed
            nfailed += 1
        finally:
            library.fault_stop()
        gc.collect()
        assert sys.getrefcount(thing) == before, library.fault_name()
        if not library.fault_name():
            break
    assert n < MANY - 1
    assert nfailed > 10


FAILS = """if True:
    import sys
    sys.path[:] = {path!r}
    try:
        import awaitable_probe
    except (MemoryError, RuntimeError):
        pass
"""
WORKS = """if True:
    import awaitable_probe
    awaitable_probe.new().close()
"""


@can_fail
def test_an_interpreter_whose_state_cannot_be_made_may_try_again():
    n = 0
    for n in range(1, MANY):
        sub = interpreters.create()
        library.fault_at(n, 0)
        try:
            assert not interpreters.run_string(sub, FAILS.format(path=sys.path))
        finally:
            library.fault_stop()
        assert not interpreters.run_string(sub, WORKS)
        interpreters.destroy(sub)
        if not library.fault_name():
            break
    assert 5 < n < MANY - 1

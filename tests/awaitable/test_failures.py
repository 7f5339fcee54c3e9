# SPDX-License-Identifier: MIT
"""Failures without an exception, awaitables never awaited, and version checks."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import warnings

import awaitable_probe as probe
import pytest
from steps import failure, pause, run, value


class Manager:
    """An asynchronous context manager that records how its body ended."""

    def __init__(self, seen):
        """Record in ``seen``."""
        self.seen = seen

    async def __aenter__(self):
        """Enter."""

    async def __aexit__(self, kind, exc, traceback):
        """Exit."""
        self.seen.append(kind)


def recorder():
    """Return an awaitable whose error callback records what it gets, and the record."""
    heard = []
    aw = probe.make(lambda aw, result: (-1, None), lambda aw, exc: heard.append(exc))
    return aw, heard


def test_a_result_callback_failing_without_an_exception_skips_error_callback():
    aw, heard = recorder()
    probe.add(aw, value(), True, True)
    with pytest.raises(SystemError, match=r"the result callback .* returned -1"):
        run(aw)
    assert heard == []


def test_a_callback_of_async_with_skips_it_too_and_exit_runs():
    aw, heard = recorder()
    seen = []
    probe.async_with(aw, Manager(seen), True, True)
    with pytest.raises(SystemError, match=r"AsyncWith\(\) returned -1"):
        run(aw)
    assert (seen, heard) == ([SystemError], [])


@pytest.mark.parametrize("at_once", [False, True], ids=["step", "await"])
def test_an_await_that_fails_without_an_exception_is_a_system_error(at_once):
    aw = probe.new()
    probe.add(aw, probe.Broken(at_once))
    with pytest.raises(SystemError, match="failed without an exception"):
        run(aw)

    aw, heard = recorder()
    probe.add(aw, probe.Broken(at_once), False, True)
    assert run(aw) is None
    (exc,) = heard
    assert isinstance(exc, SystemError)


def test_an_await_that_fails_without_an_exception_fails_its_task():
    async def main():
        aw = probe.new()
        probe.add(aw, probe.Broken())
        await asyncio.ensure_future(aw)

    with pytest.raises(SystemError, match="failed without an exception"):
        asyncio.run(main())


def test_add_expr_of_null_leaves_the_exception_as_it_is():
    aw, exc = probe.new(), OSError()
    assert probe.add_expr_null(aw, None) == (-1, None)
    added, left = probe.add_expr_null(aw, exc)
    assert added == -1 and left is exc
    assert run(aw) is None


def warnings_of_dropping(make):
    """Return the ResourceWarnings caused by dropping the result of ``make``."""
    gc.collect()  # what other tests have left
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        made = make()
        del made
        gc.collect()
    return [str(w.message) for w in found if w.category is ResourceWarning]


def test_an_awaitable_never_awaited_warns():
    assert warnings_of_dropping(probe.new) == ["PyAwaitable was never awaited"]


def test_the_warning_names_the_awaitable():
    def named():
        aw = probe.new()
        probe.set_name(aw, "fetch")
        return aw

    assert warnings_of_dropping(named) == ["PyAwaitable 'fetch' was never awaited"]


def test_an_awaitable_in_a_cycle_warns_once():
    def cycle():
        aw = probe.new()
        probe.save(aw, aw)

    assert warnings_of_dropping(cycle) == ["PyAwaitable was never awaited"]


def test_async_with_warns_once():
    def prepared():
        aw = probe.new()
        probe.async_with(aw, Manager([]))
        return aw

    assert warnings_of_dropping(prepared) == ["PyAwaitable was never awaited"]


def awaited():
    """Return an awaitable that has finished."""
    aw = probe.keep(value(1))
    assert run(aw) == 1
    return aw


def failed():
    """Return an awaitable that has raised."""
    aw = probe.keep(failure(OSError()))
    with pytest.raises(OSError):
        run(aw)
    return aw


def suspended():
    """Return an awaitable that is suspended."""
    aw = probe.keep(pause())
    aw.send(None)
    return aw


def closed():
    """Return an awaitable that was closed before its first step."""
    aw = probe.keep(value())
    aw.close()
    return aw


def cancelled():
    """Return an awaitable whose awaits were dropped."""
    aw = probe.keep(value())
    probe.cancel(aw)
    return aw


def abandoned():
    """Drop an awaitable while an exception is set."""
    with pytest.raises(OSError):
        probe.abandon(OSError())


@pytest.mark.parametrize(
    "make", [awaited, failed, suspended, closed, cancelled, abandoned]
)
def test_an_awaitable_that_was_used_does_not_warn(make):
    assert warnings_of_dropping(make) == []


def test_a_warning_that_is_an_error_is_unraisable(monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: seen.append(args.exc_type))
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        aw = probe.new()
        del aw
    assert seen == [ResourceWarning]


def test_the_header_declares_version_type_and_thread_locals():
    major, minor, micro, magic, calls, kind = probe.version()
    assert (major, minor, micro) >= (2, 1, 0)
    assert str(magic).startswith(f"{major}{minor}{micro}")
    assert kind is probe.type()
    assert probe.version()[4] == calls + 1
    thread = threading.Thread(target=lambda: seen.append(probe.version()[4]))
    seen = []
    thread.start()
    thread.join()
    assert seen == [1]


@pytest.fixture
def reported(monkeypatch):
    """Collect what is given to sys.unraisablehook."""
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: seen.append(what.exc_value))
    return seen


@pytest.mark.parametrize("started", [False, True])
def test_an_exception_set_before_a_step_is_reported_and_the_step_runs(
    reported, started
):
    aw = probe.new()
    probe.add(aw, pause("token"))
    probe.add(aw, value())
    if started:
        assert aw.send(None) == "token"
    overlooked = MemoryError()
    got = probe.send_with(overlooked, aw)
    assert got == (None if started else "token")
    assert reported == [overlooked]


def test_an_exception_that_throw_finds_is_reported_and_the_other_is_raised(reported):
    aw = probe.new()
    probe.add(aw, pause())
    aw.send(None)
    overlooked = MemoryError()
    with pytest.raises(ValueError, match="thrown"):
        probe.call_with(overlooked, aw.throw, ValueError("thrown"))
    assert reported == [overlooked]

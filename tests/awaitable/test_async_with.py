# SPDX-License-Identifier: MIT
"""AsyncWith() does what the statement `async with` does.

Covers src/awaitable/with.c.
"""

from __future__ import annotations

import gc

import awaitable_probe as probe
import pytest
from steps import failure, pause, run, value


class BodyError(Exception):
    """Raised by the body."""


class ExitError(Exception):
    """Raised by __aexit__."""


class Manager:
    """Records the calls of its methods."""

    def __init__(self, log, swallow=False, enter_error=None, exit_error=None):
        """Keep the list to record in, and what to do."""
        self.log = log
        self.swallow = swallow
        self.enter_error = enter_error
        self.exit_error = exit_error

    async def __aenter__(self):
        """Enter, after a pause."""
        await pause()
        self.log.append("enter")
        if self.enter_error is not None:
            raise self.enter_error
        return "value"

    async def __aexit__(self, kind, exc, tb):
        """Leave, after a pause."""
        await pause()
        self.log.append(("exit", kind))
        assert kind is (None if exc is None else type(exc))
        assert tb is getattr(exc, "__traceback__", None)
        if self.exit_error is not None:
            raise self.exit_error
        return self.swallow


def test_the_body_runs_between_enter_and_exit():
    log = []

    def note(aw, result):
        log.append(result)
        if result == "value":
            probe.add(aw, value("body"), True)

    aw = probe.make(note)
    probe.async_with(aw, Manager(log), True)
    probe.add(aw, value("after"), True)
    assert log == []
    run(aw)
    assert log == ["enter", "value", "body", ("exit", None), "after"]


def test_without_a_callback_it_enters_and_leaves():
    log = []
    aw = probe.new()
    probe.async_with(aw, Manager(log))
    run(aw)
    assert log == ["enter", ("exit", None)]


def test_the_body_shares_values_and_result():
    def note(body, result):
        assert body is not aw
        probe.save(body, "more")
        probe.set_result(body, result)

    aw = probe.make(note)
    probe.async_with(aw, Manager([]), True)
    assert run(aw) == "value"
    assert probe.get(aw, 3) == "more"


def raise_at_once(aw, result):
    return (-1, BodyError())


def raise_at_once_past_err(aw, result):
    return (-2, BodyError())


def raise_later(aw, result):
    probe.add(aw, failure(BodyError()))
    probe.add(aw, value())


@pytest.mark.parametrize("body", [raise_at_once, raise_later, raise_at_once_past_err])
def test_exit_gets_the_exception_of_the_body_and_may_suppress_it(body, recwarn):
    log = []
    aw = probe.make(body, lambda aw, exc: pytest.fail("called"))
    probe.async_with(aw, Manager(log, swallow=True), True, True)
    assert run(aw) is None
    assert log == ["enter", ("exit", BodyError)]
    assert not recwarn.list


@pytest.mark.parametrize("body", [raise_at_once, raise_later])
def test_an_exception_not_suppressed_goes_to_the_error_callback(body):
    log = []
    aw = probe.make(body, lambda aw, exc: log.append(type(exc)))
    probe.async_with(aw, Manager(log), True, True)
    assert run(aw) is None
    assert log == ["enter", ("exit", BodyError), BodyError]


def test_an_exception_not_suppressed_propagates():
    log = []
    aw = probe.make(raise_later)
    probe.async_with(aw, Manager(log), True)
    with pytest.raises(BodyError):
        run(aw)
    assert log == ["enter", ("exit", BodyError)]


def test_minus_two_of_the_callback_skips_the_error_callback():
    log = []
    aw = probe.make(raise_at_once_past_err, lambda aw, exc: pytest.fail("called"))
    probe.async_with(aw, Manager(log), True, True)
    with pytest.raises(BodyError):
        run(aw)
    assert log == ["enter", ("exit", BodyError)]


def test_a_callback_that_fails_without_an_exception_is_named():
    log = []
    aw = probe.make(lambda aw, result: (-1, None))
    probe.async_with(aw, Manager(log), True)
    with pytest.raises(SystemError, match=r"AsyncWith\(\) returned -1"):
        run(aw)
    assert log == ["enter", ("exit", SystemError)]


def test_an_exception_in_enter_skips_exit():
    log = []
    aw = probe.make(None, lambda aw, exc: log.append(type(exc)))
    probe.async_with(aw, Manager(log, enter_error=BodyError()), False, True)
    run(aw)
    assert log == ["enter", BodyError]


def test_an_exception_in_exit_has_the_body_s_as_context():
    aw = probe.make(raise_later)
    probe.async_with(aw, Manager([], exit_error=ExitError()), True)
    with pytest.raises(ExitError) as info:
        run(aw)
    assert isinstance(info.value.__context__, BodyError)

    aw = probe.new()
    probe.async_with(aw, Manager([], exit_error=ExitError()))
    with pytest.raises(ExitError):
        run(aw)


def test_a_throw_into_the_body_reaches_exit():
    log = []
    aw = probe.make(lambda aw, result: probe.add(aw, pause("body")))
    probe.async_with(aw, Manager(log), True)
    while aw.send(None) != "body":
        pass
    exc = BodyError()
    assert aw.throw(exc) == "pause"
    with pytest.raises(BodyError):
        aw.send(None)
    assert log == ["enter", ("exit", BodyError)]


def test_a_result_of_exit_without_truth_value_is_an_error():
    class NoTruth:
        def __bool__(self):
            raise ExitError

    aw = probe.make(raise_later)
    probe.async_with(aw, Manager([], swallow=NoTruth()), True)
    with pytest.raises(ExitError):
        run(aw)


def test_the_methods_are_looked_up_on_the_class():
    class Empty:
        pass

    manager = Empty()
    manager.__aenter__ = manager.__aexit__ = lambda *args: value()
    aw = probe.new()
    for each in (manager, 1, None):
        with pytest.raises(TypeError, match="no asynchronous context manager"):
            probe.async_with(aw, each)
    assert run(aw) is None


def test_async_with_can_be_nested():
    log = []

    def note(aw, result):
        if len(log) == 1:
            probe.async_with(aw, Manager(log), True)
        else:
            probe.set_result(aw, "inmost")

    aw = probe.make(note)
    probe.async_with(aw, Manager(log), True)
    assert run(aw) == "inmost"
    assert log == ["enter", "enter", ("exit", None), ("exit", None)]


def test_an_awaitable_never_awaited_is_collected():
    gc.collect()
    aw = probe.new()
    probe.async_with(aw, Manager([]))
    del aw
    gc.collect()
    assert not [each for each in gc.get_objects() if type(each) is Manager]

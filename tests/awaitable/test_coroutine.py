# SPDX-License-Identifier: MIT
"""A PyAwaitable is a coroutine: send, throw, close, and the attributes tools use.

Covers src/awaitable/object.c.
"""

from __future__ import annotations

import asyncio
import collections.abc
import gc
import inspect
import weakref

import awaitable_probe as probe
import pytest
from steps import Recorder, failure, pause, run, value


class Unhandled(BaseException):
    """An exception that `except Exception` does not catch."""


def test_every_check_takes_it_for_a_coroutine():
    aw = probe.new()
    assert isinstance(aw, collections.abc.Coroutine)
    assert inspect.isawaitable(aw)
    assert asyncio.iscoroutine(aw)
    assert iter(aw) is aw.__await__() is aw
    assert type(aw) is probe.type()


def test_its_type_is_final_and_cannot_be_instantiated():
    with pytest.raises(TypeError):
        probe.type()()
    with pytest.raises(TypeError):
        type("Sub", (probe.type(),), {})
    with pytest.raises(TypeError):
        probe.type().send = None


def test_without_awaits_the_result_is_none():
    assert run(probe.new()) is None


def test_yielded_and_sent_values_pass_through():
    aw = probe.keep(pause("token"))
    assert aw.send(None) == "token"
    with pytest.raises(StopIteration) as stop:
        aw.send("answer")
    assert (stop.value.value, stop.value.args) == ("answer", ("answer",))


def test_it_accepts_no_value_before_it_has_started():
    aw = probe.keep(value(1))
    with pytest.raises(TypeError, match="not started"):
        aw.send(1)
    assert run(aw) == 1


def test_it_can_be_awaited_only_once():
    aw = probe.keep(value(1))
    run(aw)
    for again in (lambda: aw.send(None), lambda: aw.throw(OSError), lambda: next(aw)):
        with pytest.raises(RuntimeError, match="twice"):
            again()
    aw.close()


@pytest.mark.parametrize("result", [(), (1, 2), None, 0, StopIteration(5), OSError(1)])
def test_a_result_of_any_type_is_returned_unchanged(result):
    async def outer():
        return await probe.keep(value(result))

    assert run(outer()) is result
    assert run(probe.keep(value(result))) is result
    assert asyncio.run(probe.keep(value(result))) is result


def test_throw_reaches_the_inner_coroutine():
    waiter = Recorder()

    async def inner():
        try:
            await waiter
        except OSError as exc:
            return exc

    aw = probe.keep(inner())
    assert aw.send(None) == "recorder"
    exc = OSError("in")
    with pytest.raises(StopIteration) as stop:
        aw.throw(exc)
    assert stop.value.value is exc
    assert waiter.seen == [exc]


def test_the_inner_coroutine_may_await_again_after_a_throw():
    async def inner():
        try:
            await pause(1)
        except OSError:
            return await pause(2)

    aw = probe.keep(inner())
    assert aw.send(None) == 1
    assert aw.throw(OSError()) == 2
    with pytest.raises(StopIteration, match="done"):
        aw.send("done")


def test_throw_into_an_iterator_without_throw_ends_its_await():
    class Plain:
        def __await__(self):
            return iter([1, 2])

    aw = probe.make(None, lambda aw, exc: seen.append(exc))
    seen = []
    probe.add(aw, Plain(), False, True)
    assert aw.send(None) == 1
    exc = OSError()
    with pytest.raises(StopIteration):
        aw.throw(exc)
    assert seen == [exc]


def test_throw_before_the_start_goes_to_the_first_error_callback():
    async def never():
        ran.append(1)

    ran, seen = [], []
    aw = probe.make(None, lambda aw, exc: seen.append(exc) or (-1, None))
    probe.add(aw, never(), False, True)
    exc = asyncio.CancelledError()
    with pytest.raises(asyncio.CancelledError):
        aw.throw(exc)
    assert (ran, seen) == ([], [exc])


@pytest.mark.parametrize(
    "args",
    [(), (1,), (int,), (OSError(), 1), (OSError, 1, 2), (OSError, 1, None, None)],
)
def test_throw_rejects_other_objects_than_exceptions(args):
    aw = probe.keep(value(1))
    with pytest.raises(TypeError):
        aw.throw(*args)
    assert run(aw) == 1


def test_throw_accepts_a_class_a_value_and_a_traceback():
    try:
        raise ValueError
    except ValueError as exc:
        tb = exc.__traceback__
    aw = probe.keep(pause())
    aw.send(None)
    with pytest.raises(OSError) as info:
        aw.throw(OSError, "text", tb)
    assert info.value.args == ("text",)
    frames = []
    walk = info.value.__traceback__
    while walk is not None:
        frames.append(walk)
        walk = walk.tb_next
    assert tb in frames


def test_close_raises_generator_exit_inside_the_inner_coroutine():
    waiter = Recorder()
    aw = probe.keep(waiter)
    aw.send(None)
    aw.close()
    assert [type(exc) for exc in waiter.seen] == [GeneratorExit]
    aw.close()


def test_close_calls_the_error_callback():
    seen = []
    aw = probe.make(None, lambda aw, exc: seen.append(type(exc)) or (-1, None))
    probe.add(aw, pause(), False, True)
    aw.send(None)
    aw.close()
    assert seen == [GeneratorExit]


def test_close_before_the_start_runs_nothing_and_does_not_warn(recwarn):
    aw = probe.make(None, lambda aw, exc: pytest.fail("called"))
    probe.add(aw, value(1), False, True)
    probe.add(aw, value(2))
    aw.close()
    del aw
    gc.collect()
    assert not recwarn.list
    aw = probe.new()
    aw.close()
    with pytest.raises(RuntimeError):
        aw.send(None)


def test_close_of_an_awaitable_that_ignores_it_is_an_error():
    async def stubborn():
        try:
            await pause()
        except GeneratorExit:
            await pause()

    aw = probe.keep(stubborn())
    aw.send(None)
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        aw.close()

    aw = probe.make(None, lambda aw, exc: probe.add(aw, pause()))
    probe.add(aw, pause(), False, True)
    aw.send(None)
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        aw.close()
    aw.close()


def test_an_exception_raised_during_close_propagates():
    async def inner():
        try:
            await pause()
        finally:
            raise Unhandled

    aw = probe.keep(inner())
    aw.send(None)
    with pytest.raises(Unhandled):
        aw.close()


def test_dropping_a_suspended_awaitable_closes_what_it_awaits():
    waiter = Recorder()
    aw = probe.keep(waiter)
    aw.send(None)
    del aw
    assert [type(exc) for exc in waiter.seen] == [GeneratorExit]


def test_collecting_a_cycle_closes_what_the_awaitable_awaits():
    waiter = Recorder()
    aw = probe.make()
    probe.add(aw, waiter)
    probe.save(aw, aw)
    aw.send(None)
    del aw
    gc.collect()
    assert [type(exc) for exc in waiter.seen] == [GeneratorExit]


def test_an_error_while_dropping_is_unraisable(monkeypatch):
    seen = []
    monkeypatch.setattr("sys.unraisablehook", lambda info: seen.append(info.exc_type))

    async def inner():
        try:
            await pause()
        finally:
            raise Unhandled

    aw = probe.keep(inner())
    aw.send(None)
    del aw
    assert seen == [Unhandled]


def test_a_callback_may_resurrect_a_dropped_awaitable():
    kept = []
    aw = probe.make(None, lambda aw, exc: kept.append(aw))
    probe.add(aw, pause(), False, True)
    aw.send(None)
    del aw
    (aw,) = kept
    with pytest.raises(RuntimeError, match="twice"):
        aw.send(None)


def test_only_the_coroutines_of_an_awaitable_warn_if_never_awaited():
    aw = probe.keep(value(1))
    with pytest.warns(RuntimeWarning, match="coroutine 'value' was never awaited"):
        del aw


def test_it_cannot_be_resumed_while_it_runs():
    seen = []

    def again(aw, result):
        assert aw.cr_running
        for call in (lambda: aw.send(None), aw.close, lambda: aw.throw(OSError)):
            with pytest.raises(ValueError, match="already running"):
                call()
            seen.append(1)

    aw = probe.make(again)
    probe.add(aw, value(), True)
    assert not aw.cr_running
    run(aw)
    assert seen == [1, 1, 1]
    assert not aw.cr_running


def test_tools_can_see_what_it_awaits():
    inner = failure(OSError())
    aw = probe.make()
    probe.add(aw, inner)
    assert aw.cr_await is None
    assert aw.cr_frame is aw.cr_code is aw.cr_origin is None
    assert not aw.cr_suspended
    inner.close()

    async def app():
        await pause()

    inner = app()
    aw = probe.keep(inner)
    aw.send(None)
    assert aw.cr_await is inner
    assert aw.cr_frame is inner.cr_frame
    assert aw.cr_suspended
    assert inspect.getcoroutinestate(aw) == inspect.CORO_SUSPENDED
    aw.close()
    assert aw.cr_await is None
    assert inspect.getcoroutinestate(aw) == inspect.CORO_CLOSED


def test_a_task_shows_the_stack_of_what_it_awaits():
    async def app():
        await asyncio.sleep(60)

    async def main():
        task = asyncio.create_task(probe.keep(app()))
        await asyncio.sleep(0)
        names = [frame.f_code.co_name for frame in task.get_stack()]
        task.cancel()
        return names

    assert asyncio.run(main()) == ["app"]


def test_its_name_can_be_set():
    aw = probe.new()
    assert (aw.__name__, aw.__qualname__) == ("PyAwaitable", "PyAwaitable")
    probe.set_name(aw, "module.app")
    assert (aw.__name__, aw.__qualname__) == ("module.app", "module.app")
    assert "module.app" in repr(aw)
    aw.__qualname__ = "other"
    assert aw.__name__ == "other"
    with pytest.raises(TypeError):
        probe.set_name(aw, 1)
    with pytest.raises(TypeError):
        del aw.__name__


def test_it_supports_weak_references():
    aw = probe.new()
    ref = weakref.ref(aw)
    assert ref() is aw
    del aw
    assert ref() is None

# SPDX-License-Identifier: MIT
"""What is awaited, in which order, and what the return values of callbacks do.

Covers src/awaitable/queue.c, src/awaitable/run.c and src/awaitable/values.c.
"""

from __future__ import annotations

import asyncio
import gc
import types

import awaitable_probe as probe
import pytest
from steps import failure, pause, run, value


class FirstError(Exception):
    """Raised by the awaited coroutine."""


class SecondError(Exception):
    """Raised by a callback."""


def test_awaits_run_in_the_order_they_were_added():
    seen = []
    aw = probe.make(lambda aw, result: seen.append(result))
    for i in range(100):
        probe.add(aw, value(i), True)
    assert seen == []
    run(aw)
    assert seen == list(range(100))


def test_awaits_added_by_a_callback_run_after_those_queued():
    seen = []

    def note(aw, result):
        seen.append(result)
        if result == 1:
            probe.add(aw, value(3), True)

    aw = probe.make(note)
    probe.add(aw, value(1), True)
    probe.add(aw, value(2), True)
    run(aw)
    assert seen == [1, 2, 3]


def test_every_kind_of_awaitable_is_awaited():
    @types.coroutine
    def marked():
        yield
        return "marked"

    class Custom:
        def __await__(self):
            yield
            return "custom"

    async def main():
        future = asyncio.get_running_loop().create_future()
        future.set_result("future")
        nested = probe.keep(value("nested"))
        task = asyncio.create_task(value("task"))
        seen = []
        aw = probe.make(lambda aw, result: seen.append(result))
        for each in (value("native"), marked(), Custom(), future, nested, task):
            probe.add(aw, each, True)
        await aw
        return seen

    assert asyncio.run(main()) == [
        "native",
        "marked",
        "custom",
        "future",
        "nested",
        "task",
    ]


def test_an_object_that_cannot_be_awaited_is_rejected_when_added():
    def generator():
        yield

    aw = probe.new()
    for each in (1, None, [], generator(), value):
        with pytest.raises(TypeError, match="cannot be awaited"):
            probe.add(aw, each)
    with pytest.raises(ValueError, match="itself"):
        probe.add(aw, aw)
    with pytest.raises(ValueError, match="NULL"):
        probe.add_null(aw)
    assert run(aw) is None


class BadAwait:
    """An object whose __await__ returns or raises what was given to it."""

    def __init__(self, given):
        """Keep what to return."""
        self.given = given

    def __await__(self):
        """Return it, or raise it."""
        if isinstance(self.given, Exception):
            raise self.given
        return self.given


@pytest.mark.parametrize("given", [1, [], None, FirstError()])
def test_a_bad_await_method_is_an_error_of_its_await(given):
    seen = []
    aw = probe.make(None, lambda aw, exc: seen.append(exc))
    probe.add(aw, BadAwait(given), False, True)
    run(aw)
    want = type(given) if isinstance(given, Exception) else TypeError
    assert [type(exc) for exc in seen] == [want]


def test_an_await_method_that_returns_a_coroutine_is_an_error():
    coro = value()
    aw = probe.new()
    probe.add(aw, BadAwait(coro))
    with pytest.raises(TypeError, match="returned a coroutine"):
        run(aw)
    coro.close()


def test_an_exception_without_callback_propagates_with_its_traceback():
    exc = FirstError()
    aw = probe.keep(failure(exc))
    with pytest.raises(FirstError) as info:
        run(aw)
    assert info.value is exc
    assert "failure" in [entry.name for entry in info.traceback]


def test_after_a_handled_exception_the_next_await_runs():
    seen = []
    exc = FirstError()
    aw = probe.make(lambda aw, r: seen.append(r), lambda aw, e: seen.append(e))
    probe.add(aw, failure(exc), True, True)
    probe.add(aw, value(2), True)
    run(aw)
    assert seen == [exc, 2]


@pytest.mark.parametrize("exc", [asyncio.CancelledError(), KeyboardInterrupt()])
def test_error_callbacks_get_every_base_exception(exc):
    seen = []
    aw = probe.make(None, lambda aw, e: seen.append(e))
    probe.add(aw, failure(exc), False, True)
    run(aw)
    assert seen == [exc]


def test_an_error_callback_may_raise_the_same_exception_again():
    exc = FirstError()
    aw = probe.make(None, lambda aw, e: (-1, None))
    probe.add(aw, failure(exc), False, True)
    with pytest.raises(FirstError) as info:
        run(aw)
    assert info.value is exc
    assert "failure" in [entry.name for entry in info.traceback]


def test_minus_one_of_an_error_callback_keeps_the_first_exception():
    aw = probe.make(None, lambda aw, e: (-1, SecondError()))
    probe.add(aw, failure(FirstError()), False, True)
    with pytest.raises(FirstError):
        run(aw)


def test_an_error_callback_may_raise_another_exception():
    exc = FirstError()
    aw = probe.make(None, lambda aw, e: (-2, SecondError()))
    probe.add(aw, failure(exc), False, True)
    with pytest.raises(SecondError) as info:
        run(aw)
    assert info.value.__context__ is exc


def test_minus_one_of_a_result_callback_calls_its_error_callback():
    seen = []
    exc = SecondError()
    aw = probe.make(lambda aw, r: (-1, exc), lambda aw, e: seen.append(e))
    probe.add(aw, value(), True, True)
    assert run(aw) is None
    assert seen == [exc]


@pytest.mark.parametrize(("code", "err"), [(-2, True), (-1, False), (-3, True)])
def test_an_error_of_a_result_callback_propagates(code, err):
    aw = probe.make(lambda aw, r: (code, SecondError()), lambda aw, e: pytest.fail())
    probe.add(aw, value(), True, err)
    with pytest.raises(SecondError):
        run(aw)


@pytest.mark.parametrize(
    ("kind", "build"),
    [
        ("result", lambda aw: probe.add(aw, value(), True)),
        ("error", lambda aw: probe.add(aw, failure(FirstError()), False, True)),
        ("deferred", probe.defer),
    ],
)
def test_a_failure_without_an_exception_names_the_callback(kind, build):
    def fail(aw, *args):
        return (-2, None)

    aw = probe.make(fail, fail, fail)
    build(aw)
    with pytest.raises(SystemError, match=f"the {kind} callback .* returned -2"):
        run(aw)


def test_stop_iteration_is_not_taken_for_a_return():
    aw = probe.make(lambda aw, r: (-2, StopIteration(1)))
    probe.add(aw, value(), True)
    with pytest.raises(RuntimeError, match="raised StopIteration") as info:
        run(aw)
    assert isinstance(info.value.__cause__, StopIteration)


def test_remaining_awaits_are_closed_silently_after_an_error(recwarn):
    aw = probe.new()
    probe.add(aw, failure(FirstError()))
    probe.add(aw, value())
    with pytest.raises(FirstError):
        run(aw)
    with pytest.raises(RuntimeError, match="finished"):
        probe.defer(aw)
    late = value()
    with pytest.raises(RuntimeError, match="finished"):
        probe.add(aw, late)
    late.close()
    with pytest.raises(RuntimeError, match="finished"):
        probe.set_result(aw, 1)
    gc.collect()
    assert not recwarn.list


def test_deferred_calls_run_in_queue_order():
    seen = []
    aw = probe.make(
        lambda aw, result: seen.append(result), None, lambda aw: seen.append("call")
    )
    probe.add(aw, value(1), True)
    probe.defer(aw)
    probe.add(aw, value(2), True)
    assert seen == []
    run(aw)
    assert seen == [1, "call", 2]


def test_a_deferred_call_may_add_awaits_and_set_the_result():
    def call(aw):
        probe.add(aw, pause("waiting"), True)

    aw = probe.make(lambda aw, r: probe.set_result(aw, r), None, call)
    probe.defer(aw)
    assert aw.send(None) == "waiting"
    with pytest.raises(StopIteration, match="answer"):
        aw.send("answer")


def test_an_exception_of_a_deferred_call_propagates():
    aw = probe.make(None, None, lambda aw: (-1, FirstError()))
    probe.defer(aw)
    with pytest.raises(FirstError):
        run(aw)


def test_cancel_drops_queued_awaits_and_closes_them_silently(recwarn):
    aw = probe.make(lambda aw, r: pytest.fail("called"))
    for _ in range(5):
        probe.add(aw, value(), True)
    probe.cancel(aw)
    assert run(aw) is None
    gc.collect()
    assert not recwarn.list


def test_cancel_does_not_cancel_tasks_and_futures():
    async def main():
        task = asyncio.create_task(value("task"))
        aw = probe.new()
        probe.add(aw, task)
        probe.cancel(aw)
        await aw
        return await task

    assert asyncio.run(main()) == "task"


def test_a_callback_may_cancel_and_add_more():
    seen = []

    def note(aw, result):
        seen.append(result)
        if result == 1:
            probe.cancel(aw)
            probe.add(aw, value(3), True)

    aw = probe.make(note)
    probe.add(aw, value(1), True)
    probe.add(aw, value(2), True)
    run(aw)
    assert seen == [1, 3]


def test_add_expr_steals_the_reference_and_keeps_the_exception():
    aw = probe.new()
    probe.add_expr(aw, lambda: value(1))
    with pytest.raises(FirstError):
        probe.add_expr(aw, lambda: (_ for _ in ()).throw(FirstError()))
    with pytest.raises(TypeError):
        probe.add_expr(aw, lambda: 1)
    assert run(aw) is None


def test_the_last_result_wins():
    aw = probe.new()
    for each in (1, (2,), 3):
        probe.set_result(aw, each)
    assert run(aw) == 3


@pytest.mark.parametrize("other", [None, 1, value, object()])
def test_every_function_rejects_other_objects(other):
    coro = value()
    calls = [
        lambda: probe.add(other, coro),
        lambda: probe.defer(other),
        lambda: probe.async_with(other, None),
        lambda: probe.set_result(other, 1),
        lambda: probe.set_name(other, "name"),
        lambda: probe.save(other, 1),
        lambda: probe.unpack(other),
        lambda: probe.get(other, 0),
        lambda: probe.set(other, 0, 1),
        lambda: probe.arb(other),
        lambda: probe.get_arb(other, 0),
    ]
    for call in calls:
        with pytest.raises(TypeError, match="a PyAwaitable is expected"):
            call()
    coro.close()


def test_values_are_stored_in_order_and_can_be_replaced():
    aw = probe.new()
    with pytest.raises(RuntimeError, match="no values"):
        probe.unpack(aw)
    probe.save(aw, "a", "b", "c")
    assert probe.unpack(aw) == ("a", "c")
    probe.set(aw, 2, "z")
    assert probe.unpack(aw) == ("a", "z")
    for i in range(50):
        probe.save(aw, i)
    assert [probe.get(aw, i) for i in (0, 2, 3, 52)] == ["a", "z", 0, 49]
    for i in (-1, 53):
        with pytest.raises(IndexError):
            probe.get(aw, i)
        with pytest.raises(IndexError):
            probe.set(aw, i, 1)


def test_pointers_are_stored_and_may_be_null():
    aw = probe.new()
    assert probe.arb(aw) == (1, 0, 3, 2)
    assert probe.get_arb(aw, 1) == 2
    with pytest.raises(IndexError):
        probe.get_arb(aw, 3)
    for i in range(3, 50):
        probe.save_arb(aw, i)
    assert [probe.get_arb(aw, i) for i in (0, 1, 2, 3, 49)] == [1, 2, 3, 3, 49]

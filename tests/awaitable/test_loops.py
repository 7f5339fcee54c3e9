# SPDX-License-Identifier: MIT
"""A PyAwaitable with event loops: Tasks, cancellation, timeouts and groups."""

from __future__ import annotations

import asyncio
import contextvars
import sys

import awaitable_probe as probe
import pytest
from steps import failure, value


async def wait_for_ever(seen):
    """Sleep; record the cancellation, and await once more before ending."""
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        seen.append("cancelled")
        raise
    finally:
        await asyncio.sleep(0)
        seen.append("cleaned")


def test_asyncio_run_accepts_it():
    assert asyncio.run(probe.keep(value((1,)))) == (1,)
    assert asyncio.run(probe.keep(asyncio.sleep(0, "slept"))) == "slept"


def test_an_eager_task_finishes_eagerly():
    if sys.version_info < (3, 12):
        pytest.skip("eager tasks come with 3.12")

    async def main():
        loop = asyncio.get_running_loop()
        task = asyncio.Task(probe.keep(value(1)), loop=loop, eager_start=True)
        assert task.done()
        empty = asyncio.Task(probe.new(), loop=loop, eager_start=True)
        assert empty.done()
        return task.result(), empty.result()

    assert asyncio.run(main()) == (1, None)


def test_it_needs_no_extra_turn_of_the_loop():
    async def main():
        order = []

        async def note(name):
            order.append(name)

        task = asyncio.create_task(probe.keep(note("first")))
        asyncio.get_running_loop().call_soon(order.append, "second")
        await task
        return order

    assert asyncio.run(main()) == ["first", "second"]


def test_cancelling_its_task_cancels_what_it_awaits_now():
    async def main():
        seen = []
        aw = probe.make(None, lambda aw, exc: seen.append(type(exc)) or (-1, None))
        probe.add(aw, wait_for_ever(seen), False, True)
        task = asyncio.create_task(aw)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return seen

    assert asyncio.run(main()) == ["cancelled", "cleaned", asyncio.CancelledError]


def test_cancelling_its_task_before_the_first_step_calls_the_error_callback():
    async def main():
        seen = []
        aw = probe.make(None, lambda aw, exc: seen.append(type(exc)) or (-1, None))
        probe.add(aw, wait_for_ever(seen), False, True)
        task = asyncio.create_task(aw)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return seen

    assert asyncio.run(main()) == [asyncio.CancelledError]


def test_a_cancellation_that_is_handled_lets_the_task_finish():
    async def main():
        aw = probe.make(None, lambda aw, exc: probe.set_result(aw, "handled"))
        probe.add(aw, wait_for_ever([]), False, True)
        task = asyncio.create_task(aw)
        await asyncio.sleep(0)
        task.cancel()
        return await task

    assert asyncio.run(main()) == "handled"


def test_wait_for_times_it_out():
    async def main():
        seen = []
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(probe.keep(wait_for_ever(seen)), 0.01)
        assert await asyncio.wait_for(probe.keep(value(1)), 10) == 1
        return seen

    assert asyncio.run(main()) == ["cancelled", "cleaned"]


def test_a_timeout_reaches_through_it():
    async def main():
        seen = []
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await probe.keep(wait_for_ever(seen))
        return seen

    assert asyncio.run(main()) == ["cancelled", "cleaned"]


def test_gather_and_wait_accept_it():
    async def main():
        results = await asyncio.gather(
            probe.keep(value(1)),
            probe.keep(asyncio.sleep(0, 2)),
            probe.keep(failure(OSError())),
            return_exceptions=True,
        )
        return results[:2], type(results[2])

    assert asyncio.run(main()) == ([1, 2], OSError)


def test_a_task_group_accepts_it():
    async def main():
        seen = []
        with pytest.raises(BaseExceptionGroup) as info:
            async with asyncio.TaskGroup() as group:
                group.create_task(probe.keep(wait_for_ever(seen)))
                await asyncio.sleep(0)
                group.create_task(probe.keep(failure(OSError())))
        assert [type(exc) for exc in info.value.exceptions] == [OSError]
        async with asyncio.TaskGroup() as group:
            done = group.create_task(probe.keep(value(1)))
        return seen, done.result()

    assert asyncio.run(main()) == (["cancelled", "cleaned"], 1)


def test_what_it_awaits_runs_in_its_task_and_context():
    name = contextvars.ContextVar("name", default="outside")

    async def main():
        async def look():
            await asyncio.sleep(0)
            return name.get(), asyncio.current_task()

        context = contextvars.copy_context()
        context.run(name.set, "inside")
        task = asyncio.create_task(probe.keep(look()), context=context)
        assert await task == ("inside", task)

    asyncio.run(main())


def test_its_name_is_in_the_repr_of_its_task():
    async def main():
        aw = probe.keep(asyncio.sleep(0))
        probe.set_name(aw, "module.app")
        task = asyncio.create_task(aw)
        text = repr(task)
        await task
        return text

    assert "coro=<module.app()" in asyncio.run(main())


def test_a_loop_in_debug_mode_accepts_it():
    assert asyncio.run(probe.keep(asyncio.sleep(0, 1)), debug=True) == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_anyio_accepts_it(backend):
    anyio = pytest.importorskip("anyio")
    pytest.importorskip(backend)

    async def main():
        seen = []

        async def sleeper():
            try:
                await anyio.sleep_forever()
            except anyio.get_cancelled_exc_class():
                seen.append("cancelled")
                raise

        assert await probe.keep(value((1,))) == (1,)
        with anyio.move_on_after(0.01):
            await probe.keep(sleeper())
        async with anyio.create_task_group() as group:
            group.start_soon(probe.keep, sleeper())
            await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
        return seen

    assert anyio.run(main, backend=backend) == ["cancelled", "cancelled"]


def test_trio_runs_it_as_its_main_task():
    trio = pytest.importorskip("trio")
    assert trio.run(probe.keep, value(1)) == 1

# SPDX-License-Identifier: MIT
"""References, garbage collection, recycled objects, and allocation failures.

Covers src/awaitable/state.c.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import resource
import subprocess
import sys
import weakref

import awaitable_probe as probe
import pytest
from steps import Recorder, failure, pause, run, value


class Thing:
    """An object whose references can be counted."""


def test_every_reference_is_released():
    thing, exc = Thing(), OSError()

    def everything():
        aw = probe.make(lambda aw, result: probe.set_result(aw, result))
        probe.save(aw, thing, thing, thing)
        probe.save(aw, thing)
        probe.set(aw, 3, thing)
        probe.set_result(aw, thing)
        probe.set_result(aw, thing)
        probe.add(aw, value(thing), True)
        assert run(aw) is thing

        aw = probe.make(None, lambda aw, e: probe.save(aw, e))
        probe.add(aw, failure(exc), False, True)
        probe.add(aw, value(thing))
        run(aw)

        aw = probe.keep(value(thing))
        aw.close()
        aw = probe.keep(pause(thing))
        aw.send(None)
        with contextlib.suppress(OSError):
            aw.throw(exc)
        exc.__traceback__ = None

    everything()
    gc.collect()
    before = sys.getrefcount(thing), sys.getrefcount(exc)
    for _ in range(50):
        everything()
    gc.collect()
    assert (sys.getrefcount(thing), sys.getrefcount(exc)) == before


def test_instances_hold_references_to_their_type():
    kind = probe.type()
    before = sys.getrefcount(kind)
    many = [probe.new() for _ in range(1000)]
    with_many = sys.getrefcount(kind)
    del many
    after = sys.getrefcount(kind)
    assert (with_many, after) == (before + 1000, before)


def test_the_collector_sees_everything_it_holds():
    things = [Thing() for _ in range(5)]
    waiter = Recorder()
    aw = probe.make()
    probe.save(aw, *things[:3])
    probe.set_result(aw, things[3])
    probe.add(aw, waiter)
    probe.add(aw, waiter)
    assert gc.is_tracked(aw)
    held = gc.get_referents(aw)
    assert all(thing in held for thing in things[:4])
    assert held.count(waiter) == 2
    assert probe.type() in held
    aw.send(None)
    assert aw.cr_await in gc.get_referents(aw)
    aw.close()


@pytest.mark.parametrize("started", [False, True])
def test_a_cycle_through_it_is_collected(started):
    aw = probe.make()
    thing = Thing()
    probe.save(aw, aw, thing, aw)
    probe.set_result(aw, aw)
    probe.add(aw, Recorder())
    if started:
        aw.send(None)
    gone = weakref.ref(thing)
    del aw, thing
    gc.collect()
    assert gone() is None


def test_a_collection_may_start_while_one_is_freed():
    class Collects:
        def __del__(self):
            gc.collect()

    for _ in range(3):
        aw = probe.keep(value(Collects()))
        probe.save(aw, Collects(), Collects(), Collects())
        probe.set_result(aw, Collects())
        run(aw)
        del aw
        aw = probe.new()
        probe.save(aw, Collects())
        probe.add(aw, Recorder())
        aw.send(None)
        del aw


def test_a_recycled_object_starts_clean():
    for _ in range(3):
        aw = probe.make(lambda aw, result: None)
        probe.set_name(aw, "name")
        probe.set_result(aw, 1)
        probe.arb(aw)
        for _ in range(100):
            probe.add(aw, value(), True)
        run(aw)
        del aw
        aw = probe.new()
        assert aw.__name__ == "PyAwaitable"
        with pytest.raises(RuntimeError):
            probe.unpack(aw)
        with pytest.raises(IndexError):
            probe.get_arb(aw, 0)
        assert run(aw) is None
        del aw


def test_a_recycled_object_is_finalized_each_time():
    for _ in range(1000):
        waiter = Recorder()
        aw = probe.keep(waiter)
        aw.send(None)
        del aw
        assert len(waiter.seen) == 1


def peak_bytes():
    """Return the peak memory of the process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_ten_million_awaits_do_not_increase_memory():
    async def main():
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        await probe.chain(done, 100_000)
        before = peak_bytes()
        await probe.chain(done, 10_000_000)
        return peak_bytes() - before

    assert asyncio.run(main()) < 1 << 20


def test_a_million_finished_awaits_use_no_stack():
    code = """if True:
        import asyncio, resource, threading
        import awaitable_probe as probe

        async def main():
            done = asyncio.get_running_loop().create_future()
            done.set_result(None)
            await probe.chain(done, 1_000_000)
            aw = probe.new()
            for _ in range(1_000_000):
                probe.add(aw, done)
            await aw

        threading.stack_size(256 * 1024)
        thread = threading.Thread(target=asyncio.run, args=(main(),))
        thread.start()
        thread.join()
        print("done")
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("done\n", 0), done.stderr


@pytest.fixture
def no_collector():
    """Turn the collector off, which would follow long chains again and again."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_deeply_nested_awaitables_raise_recursion_error():
    aw = probe.new()
    for _ in range(100_000):
        aw = probe.keep(aw)
    with pytest.raises(RecursionError):
        run(aw)


@pytest.mark.usefixtures("no_collector")
def test_a_long_chain_of_awaitables_is_freed_without_recursion():
    aw = probe.new()
    for _ in range(500_000):
        outer = probe.new()
        probe.save(outer, aw)
        aw = outer
    del aw, outer


def build_and_run():
    """Run each path that allocates."""
    aw = probe.new()
    for i in range(6):
        probe.save(aw, i)
        probe.save_arb(aw, i)
    for _ in range(6):
        probe.add_expr(aw, value)
    probe.set_result(aw, (1, 2))
    return run(aw)


@pytest.mark.filterwarnings("ignore:coroutine 'value' was never awaited")
def test_every_allocation_may_fail():
    testcapi = pytest.importorskip("_testcapi")
    build_and_run()
    failed = 0
    for nth in range(1, 200):
        # Objects from free lists need no allocation, so the lists are emptied by
        # holding many.
        held = [probe.new() for _ in range(300)]
        try:
            testcapi.set_nomemory(nth, nth + 1)
            build_and_run()
            finished = True
        except MemoryError:
            finished = False
            failed += 1
        finally:
            testcapi.remove_mem_hooks()
        del held
        if finished and nth > 100:
            break
    assert failed > 5
    assert build_and_run() == (1, 2)


def test_each_subinterpreter_has_its_own_type():
    code = """if True:
        import awaitable_probe as probe
        async def value():
            return 1
        try:
            probe.keep(value()).send(None)
        except StopIteration as stop:
            assert stop.value == 1
        many = [probe.new() for _ in range(1000)]
        del many
        probe.init()
        kept = probe.new()
        cycle = probe.make()
        probe.save(cycle, cycle)
        print(id(probe.type()))
    """
    script = f"""if True:
        import sys
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        import awaitable_probe as probe
        own = [probe.new()]
        for _ in range(3):
            for kind in ("legacy", "isolated"):
                if sys.version_info >= (3, 13):
                    sub = interpreters.create(kind)
                else:
                    sub = interpreters.create(isolated=kind == "isolated")
                problem = interpreters.run_string(sub, {code!r})
                assert problem is None, problem
                interpreters.destroy(sub)
                own.append(probe.new())
        assert len({{type(each) for each in own}}) == 1
        print(id(probe.type()))
    """
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    *subs, own = done.stdout.split()
    assert len(subs) == 6
    assert own not in subs


def test_the_interpreter_exits_cleanly_with_awaitables_alive():
    code = """if True:
        import sys, awaitable_probe as probe
        sys.kept = probe.make()
        probe.save(sys.kept, sys.kept)
        async def wait():
            import asyncio
            await asyncio.Future(loop=asyncio.new_event_loop())
        suspended = probe.keep(wait())
        suspended.send(None)
        sys.suspended = suspended
        print("end")
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ("end\n", "", 0)

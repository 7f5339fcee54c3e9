"""Code that blocks the event loop is named in the log once, and counted."""

import ctypes
import sys
import threading
import time

import pytest
from serving import DEADLINE_S, LOOPS, Serving, answer, request


def wait_for(serving, text, times=1):
    """Wait until ``times`` lines with ``text`` were logged; return all of them."""
    end = time.monotonic() + DEADLINE_S
    while True:
        found = [line for _, line in serving.log.lines if text in line]
        if len(found) >= times:
            return found
        assert time.monotonic() < end, serving.log.lines
        time.sleep(0.01)


def wait_until_it_sleeps(serving):
    """Wait until the watchdog has seen that nothing is running."""
    end = time.monotonic() + DEADLINE_S
    while not serving.server.tallies.read(0)["watch_sleeps"]:
        assert time.monotonic() < end
        time.sleep(0.01)


def sleeps_in_the_application():
    """Block without holding the GIL."""
    time.sleep(0.9)


def spins_in_the_application():
    """Block while holding the GIL."""
    end = time.monotonic() + 0.9
    while time.monotonic() < end:
        pass


WAYS = [sleeps_in_the_application, spins_in_the_application]


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("block", WAYS)
@pytest.mark.parametrize("late", [False, True])
def test_the_stack_that_blocks_is_logged_once(loop, block, late):
    """In the first step of a call, run by the engine, and in a step run by the loop."""

    async def app(scope, receive, send):
        if late:
            import asyncio

            await asyncio.sleep(0.01)
        block()
        await answer(send)

    with Serving(app, loop=loop, warn_blocked=0.3) as serving:
        assert serving.ask().status == 200
        (line,) = wait_for(serving, "has been blocked for 0.")
        wait_for(serving, "the event loop continues after ")
        assert serving.server.tallies.read(0)["blocked"] == 1
    assert f"in {block.__name__}\n" in line
    assert "test_blocked.py" in line
    assert "asyncio/runners.py" not in line


def test_a_second_block_is_logged_again():
    async def app(scope, receive, send):
        time.sleep(0.5)
        await answer(send)

    with Serving(app, warn_blocked=0.2) as serving:
        for times in (1, 2):
            serving.ask()
            end = time.monotonic() + DEADLINE_S
            while serving.server.tallies.read(0)["blocked"] < times:
                assert time.monotonic() < end
                time.sleep(0.01)


def test_code_that_holds_the_gil_is_noticed_afterwards():
    """No thread can inspect a stack meanwhile, which the log reports.

    Before 3.12 tasks start outside of the engine's turn, which measures how long it
    takes: the watchdog must get a processor in time, so at least one of a few requests
    has to be noticed.
    """
    usleep = ctypes.PyDLL(None).usleep
    is_known = sys.version_info >= (3, 12)

    async def app(scope, receive, send):
        usleep(800_000)
        await answer(send)

    with Serving(app, warn_blocked=0.2) as serving:
        for times in range(1, 4 if is_known else 6):
            serving.ask()
            blocked = serving.server.tallies.read(0)["blocked"]
            if is_known:
                wait_for(serving, "blocked for 0.", times)
                wait_until_it_sleeps(serving)
            elif blocked > 0:
                break
        wait_for(serving, "blocked for 0.")
    assert serving.server.tallies.read(0)["blocked"] == (times if is_known else 1)


@pytest.mark.parametrize("loop", LOOPS)
def test_waiting_is_not_blocking(loop):
    """Neither a server without requests nor a waiting request is reported."""

    async def app(scope, receive, send):
        import asyncio

        await asyncio.sleep(0.6)
        await answer(send)

    with Serving(app, loop=loop, warn_blocked=0.1) as serving:
        serving.ask()
        assert not [line for _, line in serving.log.lines if "block" in line]
        assert serving.server.tallies.read(0)["blocked"] == 0


def test_the_watchdog_sleeps_while_idle_and_wakes_for_a_request():
    async def app(scope, receive, send):
        if scope["path"] == "/block":
            time.sleep(0.5)
        await answer(send)

    with Serving(app, warn_blocked=0.2) as serving:
        serving.ask()
        wait_until_it_sleeps(serving)
        serving.ask("/block")
        wait_for(serving, "has been blocked")


def test_0_disables_the_watchdog():
    async def app(scope, receive, send):
        time.sleep(0.3)
        await answer(send)

    with Serving(app, warn_blocked=0) as serving:
        serving.talk(request(fields="Connection: close\r\n"))
        names = [thread.name for thread in threading.enumerate()]
        assert "bolide-watchdog" not in names
        assert serving.server.tallies.read(0)["blocked"] == 0

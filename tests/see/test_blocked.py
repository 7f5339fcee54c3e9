"""What blocks the event loop is named in the log, once, and counted."""

import ctypes
import threading
import time

import pytest
from serving import DEADLINE_S, LOOPS, Serving, answer, request


def wait_for(serving, text):
    """Wait until a line with ``text`` was logged; return all such lines."""
    end = time.monotonic() + DEADLINE_S
    while True:
        found = [line for _, line in serving.log.lines if text in line]
        if found:
            return found
        assert time.monotonic() < end, serving.log.lines
        time.sleep(0.01)


def sleeps_in_the_application():
    """Block, without Python's lock."""
    time.sleep(0.9)


def spins_in_the_application():
    """Block, with it."""
    end = time.monotonic() + 0.9
    while time.monotonic() < end:
        pass


WAYS = [sleeps_in_the_application, spins_in_the_application]


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("block", WAYS)
@pytest.mark.parametrize("late", [False, True])
def test_the_stack_that_blocks_is_logged_once(loop, block, late):
    """In the first step of a call, which the engine runs, and in one of the loop's."""

    async def app(scope, receive, send):
        if late:
            import asyncio

            await asyncio.sleep(0.01)
        block()
        await answer(send)

    with Serving(app, loop=loop, warn_blocked=0.3) as serving:
        assert serving.ask().status == 200
        (line,) = wait_for(serving, "has been blocked for 0.")
        wait_for(serving, "the event loop goes on after ")
        assert serving.server.tallies.read(0)["blocked"] == 1
    assert f"in {block.__name__}\n" in line
    assert "test_blocked.py" in line
    assert "asyncio/runners.py" not in line


def test_a_second_time_is_logged_again():
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


def test_code_that_holds_pythons_lock_is_noticed_afterwards():
    """No thread can look at a stack meanwhile: it is said that this is why.

    The watchdog must get a processor before the turn ends, so one of a few requests has
    to be noticed.
    """
    usleep = ctypes.PyDLL(None).usleep

    async def app(scope, receive, send):
        usleep(800_000)
        await answer(send)

    with Serving(app, warn_blocked=0.2) as serving:
        for _ in range(5):
            serving.ask()
            if serving.server.tallies.read(0)["blocked"] > 0:
                break
        wait_for(serving, "blocked for 0.")
        assert serving.server.tallies.read(0)["blocked"] >= 1


@pytest.mark.parametrize("loop", LOOPS)
def test_waiting_is_not_blocking(loop):
    """Neither a server without requests, nor a request that waits, is reported."""

    async def app(scope, receive, send):
        import asyncio

        await asyncio.sleep(0.6)
        await answer(send)

    with Serving(app, loop=loop, warn_blocked=0.1) as serving:
        serving.ask()
        assert not [line for _, line in serving.log.lines if "block" in line]
        assert serving.server.tallies.read(0)["blocked"] == 0


def test_it_sleeps_while_the_server_is_idle_and_wakes_for_the_next_request():
    async def app(scope, receive, send):
        if scope["path"] == "/block":
            time.sleep(0.5)
        await answer(send)

    with Serving(app, warn_blocked=0.2) as serving:
        serving.ask()
        end = time.monotonic() + DEADLINE_S
        while not serving.server.tallies.read(0)["watch_sleeps"]:
            assert time.monotonic() < end
            time.sleep(0.01)
        serving.ask("/block")
        wait_for(serving, "has been blocked")


def test_0_switches_it_off():
    async def app(scope, receive, send):
        time.sleep(0.3)
        await answer(send)

    with Serving(app, warn_blocked=0) as serving:
        serving.talk(request(fields="Connection: close\r\n"))
        names = [thread.name for thread in threading.enumerate()]
        assert "bolide-watchdog" not in names
        assert serving.server.tallies.read(0)["blocked"] == 0

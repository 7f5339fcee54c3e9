"""Whatever signals arrive in whatever order, either one server serves or none runs."""

import contextlib
import os
import random
import signal
import time

from command import DEADLINE_S, PATIENCE, request, talk
from crews import (
    Load,
    ask,
    children,
    is_alive,
    needs_wrk,
    pids,
    wait_for,
    workers,
)

from bolide.processes.base import in_order

SIGNALS = 10_000
TO_SUPERVISOR = (signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGCHLD)
TO_WORKERS = (*TO_SUPERVISOR, signal.SIGUSR2, signal.SIGINT, signal.SIGTERM)


def send(pid, number):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def test_simultaneous_signals_act_once_and_a_stop_has_priority():
    hup, term = signal.SIGHUP, signal.SIGTERM
    up, down = signal.SIGTTIN, signal.SIGTTOU
    assert in_order(bytes([hup, up, hup, down, hup])) == [hup]
    assert in_order(bytes([up, down, up, up])) == [up, up]
    assert in_order(bytes([hup, down, term, hup, term])) == [term, term, hup, down]
    assert in_order(b"") == []


def test_after_ten_thousand_signals_the_server_serves():
    """Every hundredth signal goes to a worker, which may end and is replaced."""
    dice = random.Random(1)
    began = time.monotonic()
    with workers(2) as command:
        port = command.port()
        for number in range(SIGNALS):
            if number % 100 == 0:
                for pid in pids(command):
                    send(pid, dice.choice(TO_WORKERS))
            else:
                command.signal(dice.choice(TO_SUPERVISOR))
        command.err.count("")  # so that no sender waits for room in the pipe
        wait_for(lambda: pids(command), "no worker is left")
        assert talk(port, request()).startswith(b"HTTP/1.1 200")
        assert command.stop() == 0
        assert "Traceback" not in command.err.rest()
    assert time.monotonic() - began < 120 * PATIENCE


def test_upgrades_and_reloads_at_once_leave_one_server():
    dice = random.Random(2)
    with workers(1) as command:
        port = command.port()
        numbers = [signal.SIGUSR2, *TO_SUPERVISOR]
        command.signal(signal.SIGUSR2)
        end = time.monotonic() + DEADLINE_S
        while command.process.poll() is None:
            assert time.monotonic() < end, "it does not end"
            command.signal(dice.choice(numbers))
            time.sleep(0.001)
            command.err.count("")
        assert command.process.returncode == 0
        found = ask(port)
        with open(f"/proc/{found}/stat", encoding="ascii") as file:
            supervisor = int(file.read().rpartition(")")[2].split()[1])
        try:
            assert found in children(supervisor)
            send(supervisor, signal.SIGTERM)
            wait_for(lambda: not is_alive(supervisor), "it does not end")
            assert not is_alive(found)
        finally:
            send(supervisor, signal.SIGKILL)


def test_a_signal_to_stop_ends_it_among_other_signals():
    dice = random.Random(3)
    with workers(3) as command:
        command.port()
        found = pids(command)
        for _ in range(200):
            command.signal(dice.choice(TO_SUPERVISOR))
        command.signal(signal.SIGTERM)
        for _ in range(200):
            command.signal(dice.choice(TO_SUPERVISOR))
        assert command.wait() == 0
        assert not any(map(is_alive, found))


@needs_wrk
def test_workers_at_max_requests_are_replaced_without_loss():
    words = ["--limit-max-requests", "2000", "--limit-max-requests-jitter", "500"]
    with workers(2, "pid", *words) as command, Load(command.port()) as load:
        wait_for(
            lambda: command.err.count("has served its requests") >= 2,
            "no worker has served enough",
        )
        assert load.failed() == []
        assert command.stop() == 0

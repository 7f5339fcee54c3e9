"""What a server still does when more clients arrive than it can serve.

Each request uses 5 ms of CPU. Clients arrive at a fixed rate, each on its own
connection, and give up after a second (bench/c/crowd_load.c). Goodput is the number of
responses in time in the second half, as a multiple of what the server achieves with
four clients that send one request after another, immediately before and after. The
second figure is the same per second of the server's CPU time, which excludes other
processes on the core.
"""

import contextlib
import statistics
import subprocess
import sys
import time

import servers
from measure import LOADS, cpu_seconds
from works import Work

TIMES = (1.5, 3, 10)
SECONDS = 4.0
CAPACITY_S = 1.0
ROUNDS = 3
LATEST_MS = 250.0
RECOVERY_S = 5.0


def crowd(process, port, seconds, rate):
    """Let clients arrive; return the second half's goodput and CPU seconds per
    second.
    """
    command = ["taskset", "-c", servers.CORE_OF_CLIENT, LOADS / "crowd_load", port]
    words = [str(x) for x in [*command, seconds, rate]]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as client:
        time.sleep(seconds / 2)
        used = -sum(cpu_seconds(process.pid))
        began = time.monotonic()
        _, second, latest, own = (float(x) for x in client.communicate()[0].split())
        used += sum(cpu_seconds(process.pid))
    if latest > LATEST_MS or own > 0.9:
        print(f"clients: {latest:.0f} ms late, {own:.0%} of a core", file=sys.stderr)
    return second, used / (time.monotonic() - began)


def recovery(process, port, capacity):
    """Return after how many seconds half of the capacity is reached again."""
    began = time.monotonic()
    while time.monotonic() - began < RECOVERY_S:
        if crowd(process, port, 0.2, 0)[0] >= capacity / 2:
            break
    return time.monotonic() - began


def once(process, port, times):
    """Return the goodput at a multiple of the capacity, also per CPU, and the
    recovery.
    """
    before = crowd(process, port, CAPACITY_S, 0)
    served, used = crowd(process, port, SECONDS, before[0] * times)
    again = recovery(process, port, before[0])
    after = crowd(process, port, CAPACITY_S, 0)
    capacity = (before[0] + after[0]) / 2
    if capacity == 0 or used == 0:
        raise RuntimeError("serves nobody any more")
    served_per_cpu = (before[0] + after[0]) / (before[1] + after[1])
    return served / capacity, served / used / served_per_cpu, again, capacity


def rounds_of(started, times):
    """Return the medians of each server by name; each round measures all in turn."""
    found = {name: [] for name in started}
    for _ in range(ROUNDS):
        for name, (process, port) in started.items():
            with servers.at_work(name, process):
                try:
                    found[name].append(once(process, port, times))
                except RuntimeError as problem:
                    print(f"{name} at {times:g} times: {problem}", file=sys.stderr)
                    found[name].append((0.0, 0.0, RECOVERY_S, 0.0))
                    continue
            figures = " ".join(f"{x:.2f}" for x in found[name][-1])
            print(f"{name} at {times:g} times: {figures}", file=sys.stderr, flush=True)
    return {
        name: [statistics.median(x) for x in zip(*runs, strict=True)]
        for name, runs in found.items()
    }


def start(names, ports, stack):
    """Start the servers; return (process, port) by name."""
    started = {}
    for name in names:
        port = next(ports)
        try:
            running = servers.running(name, Work("overload", "spin"), port)
            started[name] = stack.enter_context(running), port
        except RuntimeError as problem:
            print(f"{name}: {problem}", file=sys.stderr)
    for name, (process, _) in started.items():
        servers.rest(name, process)
    return started


def lines(names, ports):
    """Return the table of goodput under overload."""
    with contextlib.ExitStack() as stack:
        started = start(names, ports, stack)
        figures = [rounds_of(started, times) for times in TIMES]
    found = [
        "5 ms of CPU a request, clients that give up after a second: goodput in"
        " multiples of the capacity / the same per CPU time, and seconds until half of"
        f" the capacity is served again; medians of {ROUNDS}",
        "",
        "| server | capacity, requests/s | "
        + " | ".join(f"at {x:g} times" for x in TIMES)
        + " |",
        "|---|---:|" + "---:|" * len(TIMES),
    ]
    for name in started:
        cells = [
            f"{goodput:.2f} / {per_cpu:.2f}, {again:.1f} s"
            for goodput, per_cpu, again, _ in (x[name] for x in figures)
        ]
        capacity = statistics.median(x[name][3] for x in figures)
        found.append(f"| {name} | {capacity:.0f} | " + " | ".join(cells) + " |")
    return found


if __name__ == "__main__":
    print("\n".join(lines(sys.argv[1:], iter(range(18300, 18400)))))

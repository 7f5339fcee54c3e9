"""CPU time at a fixed rate: two workers of each server, on the cores of the client."""

import contextlib
import re
import statistics
import subprocess
import sys

import servers
from measure import cpu_seconds, milliseconds
from works import WORKS

RATE = 20_000
"""Requests per second of all connections."""
CONNECTIONS = 64
SECONDS = 3
ROUNDS = 7
CORES = f"{servers.CORE_OF_SERVER},{servers.CORE_OF_CLIENT}"
HAVE_WORKERS = ("bolide", "peregrine", "weft", "granian", "uvicorn", "h2corn")


def command_of(port):
    """Return the command of the client, h2load with HTTP/1.1."""
    command = f"taskset -c {CORES} h2load --h1 -t1 -c{CONNECTIONS} -D{SECONDS}"
    command += f" --rps={RATE / CONNECTIONS} http://127.0.0.1:{port}/"
    return command.split()


def load(process, port):
    """Return the CPU time of a request in microseconds, the requests per second, and
    the mean time of a request in milliseconds.
    """
    before = sum(cpu_seconds(process.pid))
    done = subprocess.run(command_of(port), capture_output=True, text=True, check=True)
    spent = sum(cpu_seconds(process.pid)) - before
    answered = int(re.search(r"status codes: (\d+) 2xx", done.stdout).group(1))
    times = re.search(r"time for request:(.*)", done.stdout).group(1).split()
    return spent / answered * 1e6, answered / SECONDS, milliseconds(times[2])


def measure(names, ports):
    """Return the results of all rounds by the server's name."""
    found = {}
    with contextlib.ExitStack() as stack:
        for name in names:
            port = next(ports)
            running = servers.running(
                name, WORKS["hello"], port, "--workers 2", cores=CORES
            )
            try:
                process = stack.enter_context(running)
            except RuntimeError as problem:
                print(f"{name}: {problem}", file=sys.stderr)
                continue
            servers.rest(name, process)
            found[name] = process, port, []
        for _ in range(ROUNDS):
            for name, (process, port, results) in found.items():
                with servers.at_work(name, process):
                    results.append(load(process, port))
    return {name: results for name, (_, _, results) in found.items()}


def lines(names, ports):
    """Return the table of all servers that have workers."""
    found = measure([n for n in names if n in HAVE_WORKERS], ports)
    medians = {
        name: [statistics.median(x) for x in zip(*results, strict=True)]
        for name, results in found.items()
    }
    return [
        f"| two workers, {RATE:,} requests/s offered | CPU us/request | requests/s |"
        " mean ms |",
        "|---|---:|---:|---:|",
        *(
            f"| {name} | {cpu:.1f} | {rate:,.0f} | {mean:.2f} |"
            for name, (cpu, rate, mean) in sorted(
                medians.items(), key=lambda item: item[1][0]
            )
        ),
    ]

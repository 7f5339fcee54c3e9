"""What bolide's CPU time and memory are with other allocators, and other settings.

All settings are measured in turn in each round, so that other activity of the machine
affects all of them. CPU time is measured as for the kinds of work, memory with a new
server for each burst of requests.
"""

import contextlib
import os
import statistics
import subprocess
import tempfile
from ctypes.util import find_library
from dataclasses import dataclass
from time import sleep

import report
import servers
from measure import load, rss_bytes
from works import WORKS, Work

RUNS = 15
"""Rounds of runs of a second; those of bursts follow."""
ROUNDS = 5
SETTLE_S = 5.0
"""The least time between a burst and the measurement of the memory that is kept."""
LOADED = ("post64k", "big", "fastapi")
"""The kinds of work whose CPU time is measured."""


@dataclass(frozen=True)
class Setting:
    """How a server is started."""

    name: str
    options: str = ""
    library: str = ""
    """An allocator that is preloaded, without "lib" and ".so"."""


SETTINGS = (
    Setting("glibc, its own settings", "--keep-freed-memory 0"),
    Setting("glibc, 16 MiB", f"--keep-freed-memory {16 << 20}"),
    Setting("glibc, 64 MiB (the default)"),
    Setting("glibc, 256 MiB", f"--keep-freed-memory {256 << 20}"),
    Setting("jemalloc", library="jemalloc"),
    Setting("mimalloc", library="mimalloc"),
)


@dataclass(frozen=True)
class Burst:
    """POST requests whose bodies the application collects and sends back."""

    name: str
    requests: int
    connections: int
    size: int


BURSTS = (
    Burst("10,000 POST of 64 KiB", 10_000, 256, 64 << 10),
    Burst("1,000 POST of 1 MiB", 1_000, 256, 1 << 20),
    Burst("64 POST of 16 MiB", 64, 8, 16 << 20),
)


def is_there(setting):
    """Return whether the library of a setting is installed."""
    return not setting.library or find_library(setting.library) is not None


def running(setting, work, port):
    """Start bolide with a setting, for ``with``."""
    env = dict(os.environ)
    if setting.library:
        libraries = [find_library(setting.library), env.get("LD_PRELOAD", "")]
        env["LD_PRELOAD"] = " ".join(libraries)
    return servers.running("bolide", work, port, setting.options, env)


def start_all(settings, work, ports, stack):
    """Return (process, port) of each setting's server."""
    started = []
    for setting in settings:
        port = next(ports)
        started.append((stack.enter_context(running(setting, work, port)), port))
    return started


def runs_of(work, settings, ports):
    """Return the runs of each setting; the first round is a warm-up."""
    runs = [[] for _ in settings]
    with contextlib.ExitStack() as stack:
        started = start_all(settings, work, ports, stack)
        sides = list(zip(started, runs, strict=True))
        for number in range(RUNS + 1):
            for (process, port), found in sides if number % 2 else reversed(sides):
                run = load(process, port, work, 1, servers.CORE_OF_CLIENT)
                if number > 0:
                    found.append(run)
    return runs


def send(burst, port):
    """Send the requests of a burst and receive the responses."""
    with tempfile.NamedTemporaryFile() as body:
        body.truncate(burst.size)
        command = ["taskset", "-c", servers.CORE_OF_CLIENT, "h2load", "--h1", "-t1"]
        command += [f"-n{burst.requests}", f"-c{burst.connections}", f"-d{body.name}"]
        command += [f"http://127.0.0.1:{port}/"]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if f"status codes: {burst.requests} 2xx" not in out:
        raise RuntimeError(out)


def memory_of(burst, settings, ports):
    """Return the bytes of each setting's server: before the burst, the most of them,
    and those that are kept.
    """
    with contextlib.ExitStack() as stack:
        started = start_all(settings, Work(burst.name, "echo"), ports, stack)
        pids = [process.pid for process, _ in started]
        before = [rss_bytes(pid) for pid in pids]
        for _, port in started:
            send(burst, port)
        sleep(SETTLE_S)
        most = [rss_bytes(pid, "VmHWM") for pid in pids]
        kept = [rss_bytes(pid) for pid in pids]
    return list(zip(before, most, kept, strict=True))


def rows(settings, ports):
    """Return the row of each setting."""
    cells = [f"| {setting.name} |" for setting in settings]
    for key in LOADED:
        runs = runs_of(WORKS[key], settings, ports)
        for i, found in enumerate(runs):
            share = report.ratio("cpu", found, runs[0])
            cells[i] += f" {report.median(found).cpu:,.1f} ({share:.2f}) |"
    for burst in BURSTS:
        rounds = [memory_of(burst, settings, ports) for _ in range(ROUNDS)]
        for i, found in enumerate(zip(*rounds, strict=True)):
            figures = zip(*found, strict=True)
            mib = [f"{statistics.median(x) / 2**20:.0f}" for x in figures]
            cells[i] += f" {' / '.join(mib)} |"
    return cells


def lines(_, ports):
    """Return the table of allocators."""
    settings = [setting for setting in SETTINGS if is_there(setting)]
    works = [f"{WORKS[key].name}: CPU µs (ratio) |" for key in LOADED]
    bursts = [f"{burst.name} |" for burst in BURSTS]
    found = [
        "CPU time: in parentheses, the ratio to the first row. Memory: MiB before a"
        " burst of requests / at most / some seconds after it.",
        "",
        " ".join(["| allocator |", *works, *bursts]),
        "|---|" + "---:|" * (len(works) + len(bursts)),
        *rows(settings, ports),
    ]
    missing = [setting.name for setting in SETTINGS if setting not in settings]
    return [*found, "", f"Not installed: {', '.join(missing)}."] if missing else found

"""The cost of an option: two instances of bolide, loaded in turn for a second each.

Both run on one core, and the one that is not loaded sleeps. A pair of bursts takes two
seconds, so that other activity of the machine cancels out in their ratio.
"""

import contextlib
import statistics
import threading
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import servers
from measure import load
from works import LUA, Work

PAIRS = 61


@dataclass(frozen=True)
class Cost:
    """The measured options, and the maximum that each may cost."""

    name: str
    options: str
    """Arguments of one server; ``{folder}`` is a temporary folder."""
    base: str = "--no-access-log"
    """Arguments of the other server."""
    most: float = 0.0
    """The share of the requests per second that may be lost."""
    script: Path | None = None
    is_watched: bool = False
    """Metrics are read every second, and a status page is open."""


COSTS = (
    Cost("nothing (how true this is)", "--no-access-log"),
    Cost(
        "access log, common",
        "--access-log --access-log-file {folder}/log",
        most=0.06,
    ),
    Cost(
        "access log, JSON",
        "--access-log --access-log-file {folder}/log --access-log-format json",
        most=0.06,
    ),
    Cost(
        "metrics read every second, status page open",
        "--no-access-log --metrics-path /metrics --status-path /status",
        most=0.01,
        is_watched=True,
    ),
    Cost(
        "forwarded fields, believed against ignored",
        "--no-access-log --proxy-headers",
        "--no-access-log --no-proxy-headers",
        most=0.02,
        script=LUA / "forwarded.lua",
    ),
)


@contextlib.contextmanager
def watched(port):
    """Read the metrics every second, and keep a status page's events open."""
    is_over = threading.Event()

    def watch():
        place = f"http://127.0.0.1:{port}"
        with urllib.request.urlopen(f"{place}/status/events") as events:
            while not is_over.wait(1.0):
                urllib.request.urlopen(f"{place}/metrics").read()
                events.readline()

    thread = threading.Thread(target=watch)
    thread.start()
    yield
    is_over.set()
    thread.join()


def compare(cost, ports):
    """Return the ratios of rate and of CPU per request, one for each pair of bursts."""
    work = Work(cost.name, "hello", script=cost.script)
    rates, cpus = [], []
    one, other = next(ports), next(ports)
    with contextlib.ExitStack() as stack:
        with_it = stack.enter_context(
            servers.running("bolide", work, one, cost.options)
        )
        without = stack.enter_context(servers.running("bolide", work, other, cost.base))
        if cost.is_watched:
            stack.enter_context(watched(one))
        sides = [(with_it, one), (without, other)]
        for number in range(PAIRS):
            runs = {}
            for process, port in sides if number % 2 else reversed(sides):
                runs[port] = load(process, port, work, 1, servers.CORE_OF_CLIENT)
            rates.append(runs[one].rate / runs[other].rate)
            cpus.append(runs[one].cpu / runs[other].cpu)
    return rates, cpus


def row_of(cost, ports):
    """Return the table's row of one cost."""
    rates, cpus = compare(cost, ports)
    low, middle, high = statistics.quantiles(rates, n=4)
    most = f"{cost.most:.0%}" if cost.most else ""
    return (
        f"| {cost.name} | {1 - middle:+.1%} | {1 - high:+.1%} to {1 - low:+.1%} |"
        f" {statistics.median(cpus) - 1:+.1%} | {most} |"
    )


def lines(_, ports):
    """Return the table of the costs of options."""
    return [
        f"| option | requests/s lost (median of {PAIRS} pairs) | half of the pairs |"
        " CPU per request | target |",
        "|---|---:|---:|---:|---:|",
        *(row_of(cost, ports) for cost in COSTS),
    ]

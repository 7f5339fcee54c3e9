"""Compares bolide with its peers in interleaved rounds on one machine.

One worker is pinned to one core and the client to another. Ratios within a run are
accurate to a few per cent; absolute figures depend on the machine.
"""

import argparse
import contextlib
import datetime
import json
import platform
import re
import subprocess
import sys
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

import allocators
import costs
import fairness
import footprint
import h3_idle
import overload
import picture
import rate
import report
import servers
import tls_idle
from measure import Run, congestion_control, load, use_cubic
from works import WORKS

DOCS = Path(__file__).parent.parent / "docs"
KEPT = Path(__file__).parent.parent / "build" / "bench.json"
FIRST_PORT = 18000
TABLES = {
    "footprint": footprint.lines,
    "fairness": fairness.lines,
    "overload": overload.lines,
    "tlsidle": tls_idle.lines,
    "h3idle": h3_idle.lines,
    "costs": costs.lines,
    "rate": rate.lines,
    "allocators": allocators.lines,
}
"""What is measured in addition to the kinds of work: each function returns its
lines.
"""


def start_all(work, names, ports, stack):
    """Start the servers that support the work; return (process, port) by name."""
    started = {}
    for name in names:
        if not servers.can(name, work):
            continue
        port = next(ports)
        try:
            process = stack.enter_context(servers.running(name, work, port))
        except RuntimeError as problem:
            print(f"{name}: {problem}", file=sys.stderr)
            continue
        servers.rest(name, process)
        started[name] = process, port
    return started


def compare(work, names, rounds, seconds, ports):
    """Return the runs of each server, one for each round.

    All are started; the one that is loaded runs, and the others sleep. Other activity
    of the machine cancels out in the ratios of a round. The first round is a warm-up.
    """
    runs = {}
    with contextlib.ExitStack() as stack:
        started = start_all(work, names, ports, stack)
        for number in range(rounds + 1):
            for name, (process, port) in list(started.items()):
                try:
                    with servers.at_work(name, process):
                        run = load(process, port, work, seconds, servers.CORE_OF_CLIENT)
                except subprocess.SubprocessError as problem:
                    print(f"{name}: {problem}", file=sys.stderr)
                    del started[name]
                    continue
                if number > 0:
                    runs.setdefault(name, []).append(run)
    return {name: found for name, found in runs.items() if name in started}


def keep(key, figures):
    """Store the measurements of one kind of work for a later ``--write``."""
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    kept[key] = figures
    KEPT.write_text(json.dumps(kept))


def write(head):
    """Write docs/ from the latest figures of every kind of work."""
    kept = json.loads(KEPT.read_text())
    results = [
        (work, {name: [Run(**x) for x in runs] for name, runs in kept[key].items()})
        for key, work in WORKS.items()
        if key in kept
    ]
    tables = ["\n".join(["", *kept[key], ""]) for key in TABLES if key in kept]
    text = head + report.table(results) + "".join(tables)
    (DOCS / "bench-table.md").write_text(text)
    (DOCS / "bench.svg").write_text(picture.draw(text))


def cpu():
    """Return the name of this machine's processor."""
    text = Path("/proc/cpuinfo").read_text("utf-8")
    found = re.search(r"^model name\s*: (.*)$", text, re.M)
    return found.group(1) if found else platform.machine()


def heading(names):
    """Return when and with what it was measured, as the text above the table."""
    versions = []
    for name in names:
        package = servers.PACKAGES.get(name, name)
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions.append(f"{name} {metadata.version(package)}")
    return (
        f"CPython {platform.python_version()}, {datetime.date.today()}, {cpu()}, "
        f"Linux {platform.release()}, TCP with {congestion_control()}, one worker on "
        f"one core; medians of interleaved rounds of a second. "
        f"{', '.join(versions)}.\n\n"
    )


def arguments():
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--only", default=",".join([*WORKS, *TABLES]))
    parser.add_argument("--servers", default=",".join(servers.COMMANDS))
    parser.add_argument(
        "--write",
        action="store_true",
        help="write docs/ from the last figures of every work, also of earlier runs",
    )
    return parser.parse_args()


def main():
    """Measure, print, and write the report."""
    args = arguments()
    names = [n for n in args.servers.split(",") if servers.is_there(n)]
    missing = set(args.servers.split(",")) - set(names)
    if missing:
        print("not installed:", ", ".join(sorted(missing)), file=sys.stderr)
    use_cubic()
    ports = iter(range(FIRST_PORT, 65000))
    for key in args.only.split(","):
        if key in TABLES:
            lines = TABLES[key](names, ports)
            keep(key, lines)
            print("\n".join(lines), flush=True)
        elif key in WORKS:
            found = compare(WORKS[key], names, args.rounds, args.seconds, ports)
            keep(key, {name: [asdict(x) for x in runs] for name, runs in found.items()})
            print(report.verdict(WORKS[key], found))
            print("\n".join(report.rows_of(WORKS[key], found)), flush=True)
        elif key:
            sys.exit(f"no such work: {key}")
    if args.write:
        write(heading(names))


if __name__ == "__main__":
    main()

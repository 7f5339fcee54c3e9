"""Compares bolide with its peers in interleaved rounds on one machine.

One worker is pinned to one core and the client to another. Ratios within a run hold
to a few per cent; absolute figures are the machine's.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import costs
import footprint
import report
import servers
import tls_idle
from measure import Run, load
from works import WORKS

DOCS = Path(__file__).parent.parent / "docs"
KEPT = Path(__file__).parent.parent / "build" / "bench.json"
FIRST_PORT = 18000
TABLES = {
    "footprint": footprint.lines,
    "tlsidle": tls_idle.lines,
    "costs": costs.lines,
}
"""What is measured beside the kinds of work: each returns its lines."""


def median(runs):
    """Return the median of each figure."""
    return Run(
        *(
            statistics.median(getattr(run, name) for run in runs)
            for name in ("requests", "rate", "p50", "p99", "cpu", "rss")
        ),
        errors="; ".join(sorted({run.errors for run in runs if run.errors})),
    )


def compare(work, names, rounds, seconds, ports):
    """Return the medians of each server; rounds go through all servers in turn."""
    runs = {}
    for _ in range(rounds):
        for name in names:
            if not servers.can(name, work):
                continue
            port = next(ports)
            try:
                with servers.running(name, work, port) as process:
                    run = load(process, port, work, seconds, servers.CORE_OF_CLIENT)
            except (RuntimeError, subprocess.CalledProcessError) as problem:
                print(f"{name}: {problem}", file=sys.stderr)
                continue
            runs.setdefault(name, []).append(run)
    return {name: median(found) for name, found in runs.items()}


def keep(key, figures):
    """Keep what was measured of one kind of work for a later ``--write``."""
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    kept[key] = figures
    KEPT.write_text(json.dumps(kept))


def write(head):
    """Write docs/ from the last figures of every kind of work."""
    kept = json.loads(KEPT.read_text())
    results = [
        (work, {name: Run(**figures) for name, figures in kept[key].items()})
        for key, work in WORKS.items()
        if key in kept
    ]
    tables = ["\n".join(["", *kept[key], ""]) for key in TABLES if key in kept]
    text = head + report.table(results) + "".join(tables)
    (DOCS / "bench-table.md").write_text(text)
    (DOCS / "bench.svg").write_text(report.chart(results))


def arguments():
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
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
    ports = iter(range(FIRST_PORT, 65000))
    for key in args.only.split(","):
        if key in TABLES:
            lines = TABLES[key](names, ports)
            keep(key, lines)
            print("\n".join(lines), flush=True)
        elif key in WORKS:
            medians = compare(WORKS[key], names, args.rounds, args.seconds, ports)
            keep(key, {name: asdict(run) for name, run in medians.items()})
            print(report.verdict(WORKS[key], medians))
            print("\n".join(report.rows_of(WORKS[key], medians)), flush=True)
        elif key:
            sys.exit(f"no such work: {key}")
    if args.write:
        head = (
            f"CPython {platform.python_version()}, {platform.system()}, one worker on"
        )
        write(head + f" one core, {args.rounds} rounds of {args.seconds} s.\n\n")


if __name__ == "__main__":
    main()

"""Compares bolide with its peers in interleaved rounds on one machine.

One worker is pinned to one core and the client to another. Ratios within a run hold
to a few per cent; absolute figures are the machine's.
"""

import argparse
import platform
import statistics
import subprocess
import sys
from pathlib import Path

import footprint
import report
import servers
import tls_idle
from measure import Run, load
from works import WORKS

DOCS = Path(__file__).parent.parent / "docs"
FIRST_PORT = 18000


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


def arguments():
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--only", default=",".join([*WORKS, "footprint", "tlsidle"]))
    parser.add_argument("--servers", default=",".join(servers.COMMANDS))
    parser.add_argument("--write", action="store_true", help="write docs/")
    return parser.parse_args()


def main():
    """Measure, print, and write the report."""
    args = arguments()
    names = [n for n in args.servers.split(",") if servers.is_there(n)]
    missing = set(args.servers.split(",")) - set(names)
    if missing:
        print("not installed:", ", ".join(sorted(missing)), file=sys.stderr)
    ports = iter(range(FIRST_PORT, 65000))
    results = []
    for key in args.only.split(","):
        if key not in WORKS:
            continue
        medians = compare(WORKS[key], names, args.rounds, args.seconds, ports)
        results.append((WORKS[key], medians))
        print(report.verdict(WORKS[key], medians))
        print("\n".join(report.rows_of(WORKS[key], medians)), flush=True)
    lines = footprint.lines(names, ports) if "footprint" in args.only else []
    if "tlsidle" in args.only:
        lines += ["", *tls_idle.lines(names, ports)]
    print("\n".join(lines))
    if args.write:
        head = (
            f"CPython {platform.python_version()}, {platform.system()}, one worker on"
        )
        head += f" one core, {args.rounds} rounds of {args.seconds} s.\n\n"
        text = head + report.table(results) + "\n".join(["", *lines, ""])
        (DOCS / "bench-table.md").write_text(text)
        (DOCS / "bench.svg").write_text(report.chart(results))


if __name__ == "__main__":
    main()
